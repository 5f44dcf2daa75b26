"""What is rendered from the fact tables is true to them, reads well, and comes out the same for the same seed."""

import re
from collections import Counter, defaultdict
from itertools import islice

import pytest

from slipstream_mlx.corpus.facts import EMBEDDED
from slipstream_mlx.corpus.question_templates import QUESTIONS
from slipstream_mlx.corpus.render import MAX_WORDS, MIN_WORDS, render_documents, render_questions
from slipstream_mlx.corpus.templates import AGGREGATES, CHAMPION, CIRCUIT, SEASON, TEAM
from slipstream_mlx.corpus.words import article, count, fold, listing, the_circuit, the_country, times

KINDS = {"who", "when", "where", "team", "count", "why", "what"}
VARIANTS = 4
ROWS = len(EMBEDDED.seasons) + len(EMBEDDED.champions) + len(EMBEDDED.teams) + len(EMBEDDED.circuits)


def is_right(answer: str, keywords: list[list[str]]) -> bool:
    """The rule of the question files: whole words, after folding case, accents and punctuation."""
    words = f" {fold(answer)} "
    return all(any(f" {fold(word)} " in words for word in group) for group in keywords)


@pytest.fixture(scope="module")
def documents():
    return list(render_documents(EMBEDDED, seed=0, variants=VARIANTS))


@pytest.fixture(scope="module")
def questions():
    return list(render_questions(EMBEDDED))


def test_words():
    assert [count(n, "title") for n in (0, 1, 2, 12, 13)] == [
        *("no titles", "one title", "two titles", "twelve titles", "13 titles"),
    ]
    assert [times(n) for n in (1, 2, 3, 13)] == ["once", "twice", "three times", "13 times"]
    assert [listing("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert article("Italian driver") == "an Italian driver" and article("British driver") == "a British driver"
    assert the_country("Netherlands") == "the Netherlands" and the_country("Italy") == "Italy"
    for name in ("Sebring", "Monza", "Silverstone Circuit", "Brands Hatch", "Istanbul Park"):
        assert the_circuit(name) == name
    for name in ("Hungaroring", "Nürburgring", "Hockenheimring", "Red Bull Ring", "Circuit de Monaco"):
        assert the_circuit(name) == f"the {name}"
    assert fold("  Kimi RÄIKKÖNEN, 5.793!") == "kimi raikkonen 5 793"


def test_everything_is_said_in_many_ways():
    for table in (SEASON, CHAMPION, TEAM, CIRCUIT):
        for statement, phrasings in table.items():
            assert len(set(phrasings)) == len(phrasings)
            assert len(phrasings) >= 5 or statement == "note"
    for _, openings, rows in AGGREGATES.values():
        assert len(set(openings)) >= 5 and len(set(rows)) >= 5
    for ask in QUESTIONS.values():
        assert len(set(ask.phrasings)) == len(ask.phrasings) >= 15
        assert ask.kind in KINDS
        assert any(phrasing == phrasing.lower() for phrasing in ask.phrasings)


def test_every_row_has_its_articles(documents):
    assert len(documents) > VARIANTS * ROWS
    articles = documents[: VARIANTS * ROWS]
    assert set(Counter(document.title for document in articles).values()) == {VARIANTS}
    for document in articles:
        assert MIN_WORDS <= len(document.text.split()) <= MAX_WORDS, document.text
    assert len({document.text for document in documents}) == len(documents)
    assert all(document.source and document.licence for document in documents)


def test_documents_read_well(documents):
    for document in documents:
        text = document.text
        assert text == text.strip() and "  " not in text, text
        assert not re.search(r"[{}]|\bNone\b(?! of)|\(\)|\.\.|,\.| ,", text), text
        assert re.search(r"[.?!]$", text)
        for sentence in re.split(r"(?<=[.?!]) ", text):
            assert sentence[0].isupper() or sentence[0].isdigit(), sentence
            assert sentence[-1] in ".?!", sentence
        assert not re.search(r"\b(a [AEIO](?!uropean)|an [^AEIOaeio])", text), text
        assert not re.search(r"\bone (titles|wins|races|turns|Grands|positions|times|champions)\b", text), text
        assert not re.search(r"\b(the the|the The|a a)\b", text), text


def test_openings_name_their_subject(documents):
    names = {champion.name for champion in EMBEDDED.champions}
    for document in documents:
        if document.title in names:
            assert document.title in document.text.split(". ")[0]


def test_each_season_tells_who_won(documents):
    for season in EMBEDDED.seasons:
        texts = [d.text for d in documents if d.title == f"{season.year} Formula One season"]
        assert all(season.champion in text and str(season.year) in text for text in texts)
        assert sum(season.runner_up in text for text in texts) >= 3


def test_variants_differ_in_their_words(documents):
    openings = defaultdict(set)
    for document in documents[: VARIANTS * ROWS]:
        openings[document.title].add(re.split(r"(?<=[.?!]) ", document.text)[0])
    assert all(len(some) >= 3 for some in openings.values())


def test_documents_are_the_same_for_the_same_seed(documents):
    assert list(render_documents(EMBEDDED, seed=0, variants=VARIANTS)) == documents
    assert list(islice(render_documents(EMBEDDED, seed=1), 20)) != documents[:20]
    assert len(list(render_documents(EMBEDDED, variants=1))) < len(documents)


def test_every_answer_satisfies_its_keywords(questions):
    for row in questions:
        assert set(row) == {"question", "answer", "keywords", "kind", "template", "entity"}
        assert row["keywords"] and all(group and all(fold(word) for word in group) for group in row["keywords"])
        assert is_right(row["answer"], row["keywords"]), row
        assert all(len(set(group)) == len(group) for group in row["keywords"]), row


def test_the_scorer_agrees(questions):
    eval_qa = pytest.importorskip("slipstream_mlx.eval_qa", exc_type=ImportError)
    assert all(eval_qa.is_correct(row["answer"], row["keywords"]) for row in questions)


def test_wrong_answers_do_not_satisfy_the_keywords(questions):
    answers = {row["question"]: row for row in questions}
    for question, wrong in (
        ("Who won the 1996 Formula One World Championship?", "Graham Hill"),
        ("Who won the 1997 Formula One World Championship?", "Gilles Villeneuve"),
        ("Who won the 1982 Formula One World Championship?", "Nico Rosberg"),
        ("How many World Championships did Ayrton Senna win?", "Two titles"),
        ("In which years was Niki Lauda World Champion?", "1975 and 1977"),
        ("Is Monza clockwise or anti-clockwise?", "It runs anti-clockwise."),
        ("Is Interlagos clockwise or anti-clockwise?", "It runs clockwise."),
        ("How long is Monza?", "5.893 km"),
    ):
        assert not is_right(wrong, answers[question]["keywords"]), question


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who won the 1988 Formula One World Championship?", "Ayrton Senna"),
        ("What team did Juan Manuel Fangio win the 1954 title with?", "Maserati and Mercedes"),
        ("How many World Championships did Michael Schumacher win?", "Seven titles"),
        ("how long is kyalami?", None),
        ("How many races were there in the 2024 Formula One season?", "24 races"),
        ("In which country is Zandvoort?", "The Netherlands"),
        ("How long is Monza?", "5.793 km"),
        ("nationality of kimi raikkonen?", "Finnish"),
        ("Which circuit has a corner called Eau Rouge?", "Spa-Francorchamps"),
        ("Which Formula One circuit is in Sakhir?", "The Bahrain International Circuit"),
        ("Which Formula One circuit is in Las Vegas?", None),  # there are two
        ("Who is the youngest Formula One World Champion?", "Sebastian Vettel"),
        ("Which two drivers share the record for World Championships?",
         "Michael Schumacher and Lewis Hamilton, with seven titles each"),
        ("Which two drivers share the record for second places in the drivers' standings?",
         "Stirling Moss and Alain Prost, four times each"),
    ],
)  # fmt: skip
def test_some_answers(questions, question, answer):
    assert next((row["answer"] for row in questions if row["question"] == question), None) == answer


def test_questions_read_well(questions):
    for row in questions:
        text = row["question"]
        assert text == text.strip() and "  " not in text + row["answer"]
        assert not re.search(r"[{}]|None", text + row["answer"]), row
        assert text == text.lower() or text[0].isupper() or text[0].isdigit(), text
        assert row["answer"][0].isupper() or row["answer"][0].isdigit(), row
    assert len({row["question"] for row in questions}) > 0.99 * len(questions)


def test_the_same_question_has_one_answer(questions):
    answers = defaultdict(set)
    for row in questions:
        answers[row["question"]].add(row["answer"])
    assert [(question, some) for question, some in answers.items() if len(some) > 1] == []


def test_every_template_is_used(questions):
    used = {row["template"] for row in questions}
    kinds = {template.rpartition(".")[0] for template in used}  # those that the embedded tables know of
    assert used == {f"{key}.{i}" for key in kinds for i in range(len(QUESTIONS[key].phrasings))}
    assert len(kinds) > 50
    assert {row["kind"] for row in questions} == KINDS


def test_phrasings_caps_the_questions_of_each_fact(questions):
    capped = list(render_questions(EMBEDDED, seed=3, phrasings=2))
    assert capped == list(render_questions(EMBEDDED, seed=3, phrasings=2))
    assert capped != list(render_questions(EMBEDDED, seed=4, phrasings=2))
    facts = len(list(render_questions(EMBEDDED, phrasings=1)))
    assert len(capped) == 2 * facts
    assert list(render_questions(EMBEDDED, phrasings=99)) == questions
    everything = {(row["entity"], row["template"]) for row in questions}
    assert {(row["entity"], row["template"]) for row in capped} <= everything
