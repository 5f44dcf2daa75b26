import random

from hypothesis import given
from hypothesis import strategies as st

from slipstream_mlx.corpus.perturb import (
    framed,
    hasty,
    misspelt,
    other_words,
    perturb,
    reshaped,
    some_spoilt,
    with_twins,
)

QUESTION = "Which driver won the Grand Prix of São Paulo in 1991?"


@given(st.integers(0, 10**6))
def test_the_same_seed_spoils_alike_and_numbers_stay(seed):
    spoilt = perturb(QUESTION, random.Random(seed))
    assert spoilt == perturb(QUESTION, random.Random(seed))
    assert "1991" in spoilt


def test_each_way_does_what_it_says():
    rng = random.Random(0)
    assert hasty(QUESTION, rng).startswith(("which driver won", "driver won")) and "sao paulo" in hasty(QUESTION, rng)
    assert {len(misspelt(QUESTION, rng)) - len(QUESTION) for _ in range(60)} == {-1, 0, 1}
    assert all(QUESTION[6:-1] in framed(QUESTION, rng) for _ in range(20))
    said = {other_words(QUESTION, rng) for _ in range(60)}
    assert any("racer" in text for text in said) and any("GP" in text for text in said)
    assert all("São Paulo" in text and "1991" in text for text in said)


@given(st.text())
def test_any_text_can_be_spoilt(text):
    assert isinstance(perturb(text, random.Random(1)), str)


def test_rows_keep_their_answers():
    rows = [{"question": f"Who won in {year}?", "answer": str(year)} for year in range(1950, 2000)]
    out = list(some_spoilt(rows))
    assert len(out) == 50 and 5 < sum(a != b for a, b in zip(out, rows, strict=True)) < 30
    several = list(with_twins(rows, twins=3))
    assert 125 < len(several) <= 200 and all(row["answer"] in row["question"] for row in several)
    assert len({row["question"] for row in several}) == len(several)


def test_a_question_is_opened_in_other_words():
    rng = random.Random(0)
    said = {reshaped(QUESTION, rng) for _ in range(60)}
    assert "Name the driver who won the Grand Prix of São Paulo in 1991." in said
    assert all(text.endswith(("won the Grand Prix of São Paulo in 1991.", "in 1991?")) for text in said)
    assert reshaped("Which driver did Damon Hill replace?", rng) == "Which driver did Damon Hill replace?"
