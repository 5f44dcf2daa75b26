"""The handbook and the questions that ship with the package."""

import collections
import re

import pytest

from slipstream_mlx.corpus.embedded import (
    embedded_documents,
    embedded_questions,
    handbook,
    handwritten_questions,
    retold,
)
from slipstream_mlx.corpus.leakage import asks_the_same, content_words, is_rewording
from slipstream_mlx.corpus.scoring import fold, is_correct

ARTICLES = list(handbook())
TRAIN, DEV, HELD_OUT = (handwritten_questions(split) for split in ("train", "dev", "heldout"))
KINDS = {"who", "when", "where", "team", "count", "why", "what"}


def test_enough_of_everything():
    assert len(ARTICLES) >= 200 and len(TRAIN) >= 1500 and len(HELD_OUT) == 49 and len(DEV) == 49


@pytest.mark.parametrize("article", ARTICLES, ids=lambda a: a.source)
def test_articles_are_plain_prose(article):
    title, _, body = article.text.partition("\n")
    assert title == article.title and body.startswith("\n")
    assert 150 <= len(body.split()) <= 500
    for paragraph in body.strip().split("\n"):
        assert not paragraph or re.search(r"[.!?][\"'’”)]*$", paragraph), paragraph[-40:]
        assert not re.match(r"\s*([-*|#>]|\d+\.\s)", paragraph) and "**" not in paragraph and "](" not in paragraph
    assert "  " not in body and "\t" not in body


def test_titles_are_unique():
    assert max(collections.Counter(a.title for a in ARTICLES).values()) == 1


def test_validation_is_a_small_part_of_the_handbook():
    held_back = [a for a in ARTICLES if a.split == "validation"]
    assert 5 <= len(held_back) <= 0.1 * len(ARTICLES)


def test_what_may_be_trained_on_is_retold_in_two_wordings():
    documents = list(retold(orders=1))
    assert {d.source for d in documents} == {a.source for a in ARTICLES if a.split == "train"}
    assert {d.split for d in documents} == {"train"} and len(documents) == 2 * len({d.source for d in documents})
    for first, second in zip(documents[::2], documents[1::2], strict=True):
        assert first.source == second.source
        one, other = first.text.split("\n"), second.text.split("\n")
        assert abs(len(one) - len(other)) <= 3 and len(one) >= 8 and not set(one) & set(other)
        for line in (*one, *other):
            assert line.endswith((".", '."')) and "?" not in line and 4 <= len(line.split()) <= 34, line
            assert not re.match(r"(He|She|It|They|His|Her|Its|Their|This|That|These|Those) ", line), line


def test_retellings_are_shuffled_anew_for_each_order():
    several = list(retold(orders=2))
    assert len(several) == 2 * len(list(retold(orders=1))) and several == list(retold(orders=2))
    assert several[0].text != several[1].text
    assert sorted(several[0].text.split("\n")) == sorted(several[1].text.split("\n"))


@pytest.mark.parametrize("rows", [TRAIN, DEV, HELD_OUT], ids=["train", "dev", "heldout"])
def test_rows_answer_themselves(rows):
    for row in rows:
        assert row["question"].strip() == row["question"] and row["answer"].strip() == row["answer"], row
        assert row["kind"] in KINDS, row
        assert is_correct(row["answer"], row["keywords"]), row
        assert len(row["answer"].split()) <= 25, row


@pytest.mark.parametrize("rows", [DEV, HELD_OUT], ids=["dev", "heldout"])
def test_the_exam_is_mixed_and_does_not_give_itself_away(rows):
    assert not [row["question"] for row in rows if is_correct(row["question"], row["keywords"])]
    kinds = collections.Counter(row["kind"] for row in rows)
    assert kinds.keys() == KINDS and min(kinds.values()) >= 4


def test_no_question_is_asked_twice():
    counts = collections.Counter(fold(row["question"]) for row in [*TRAIN, *DEV, *HELD_OUT])
    assert not {q: n for q, n in counts.items() if n > 1}


def test_no_held_out_question_nor_a_rewording_is_trained_on():
    training = embedded_questions()
    for held in [*HELD_OUT, *DEV]:
        assert not [row["question"] for row in training if is_rewording(row, held)], held["question"]
    assert not any(is_rewording(dev, held) for dev in DEV for held in HELD_OUT)


@pytest.mark.parametrize(
    "other,verdict",
    [
        ("Who won the 1976 championship?", True),
        ("who won the title in 1976", True),
        ("Who was the World Champion of the 1976 season?", True),
        ("Who won the 1977 championship?", False),
        ("In which rainy race did Hunt become champion?", False),
    ],
)
def test_rewordings_are_recognised(other, verdict):
    held = {"question": "Who won the championship in 1976?", "answer": "James Hunt", "keywords": [["Hunt"]]}
    answer = "Niki Lauda" if "1977" in other else "At Fuji" if "race" in other else "James Hunt"
    assert is_rewording({"question": other, "answer": answer}, held) is verdict


def test_the_same_fact_is_recognised_in_other_words():
    held = {"question": "Which Briton beat Lauda by a point in 1976?", "answer": "James Hunt", "keywords": [["Hunt"]]}
    assert asks_the_same({"question": "1976 champion?", "answer": "James Hunt"}, held)
    assert not asks_the_same({"question": "1975 champion?", "answer": "Niki Lauda"}, held)


def test_every_held_out_fact_stands_in_what_is_trained_on():
    """Some one document of the training split holds each keyword group of the answer, and what the question names."""
    texts = {d.source: d.text for d in ARTICLES if d.split == "train"}
    facts = [d.text for d in embedded_documents() if not d.source.startswith("handbook/")]
    for row in [*HELD_OUT, *DEV]:
        evidence = facts if row["evidence"] == "facts" else [texts[f"handbook/{row['evidence']}"]]
        named = content_words(row["question"])
        assert any(
            is_correct(text, row["keywords"]) and len(named & content_words(text)) >= 0.6 * len(named)
            for text in evidence
        ), row["question"]
