"""What people ask about Formula One: facts by hand, each told in two sentences and asked in some six wordings.

A file of questions/trivia/*.txt is a field ("rules"), its facts apart by an empty line:

    who | Lewis Hamilton | Hamilton
    = The first driver to win a hundred Grands Prix, in 2021, was Lewis Hamilton.
    = Nobody had a hundred victories until 2021, when the first to reach them was Lewis Hamilton.
    ? Who was the first driver to win 100 Grands Prix?
    ? first to 100 wins f1

The first line is the fact's kind, its answer and the keywords of a right one: alternatives apart by "/", and " + "
between things that must all be there. The sentences are to read: subject first, answer last, as in statements_*.py. The
questions are to answer: the more ways a fact is asked, the surer it is found when a stranger asks (experiment_log.md).
"""

import random
from collections.abc import Container, Iterator
from dataclasses import dataclass
from importlib import resources

from . import Document
from .compose import chunks

LICENCE = "MIT"
LINES = 12  # of a text
WORDINGS = 6  # at most, of one question in a text


@dataclass(frozen=True)
class Trivia:
    """One fact. keywords: as in a question file; statements and questions: in different words."""

    field: str
    kind: str
    answer: str
    keywords: list[list[str]]
    statements: list[str]
    questions: list[str]


def trivia() -> Iterator[Trivia]:
    """All facts, field by field in the order of the files' names."""
    for path in sorted((resources.files(__package__) / "questions" / "trivia").iterdir(), key=lambda p: p.name):
        for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
            yield parse(path.name.removesuffix(".txt"), block)


def parse(field: str, block: str) -> Trivia:
    """One fact from its lines."""
    heading, *lines = block.split("\n")
    kind, answer, keywords = heading.split(" | ")
    return Trivia(
        field,
        kind,
        answer,
        [[one.strip() for one in any_of.split("/")] for any_of in keywords.split(" + ")],
        [line[2:] for line in lines if line.startswith("= ")],
        [line[2:] for line in lines if line.startswith("? ")],
    )


def trivia_questions() -> Iterator[dict]:
    """Every wording as a row of a question file."""
    for fact in trivia():
        for question in fact.questions:
            yield {"question": question, "answer": fact.answer, "keywords": fact.keywords, "kind": fact.kind}


def trivia_documents(seed: int = 0, orders: int = 4) -> Iterator[Document]:
    """Every sentence, a dozen to a text, `orders` times in other company; a fact's two wordings stand apart."""
    rng = random.Random(seed)
    facts = list(trivia())
    for _ in range(orders):
        for wording in range(2):
            shuffled = [fact.statements[wording] for fact in rng.sample(facts, len(facts))]
            for part in chunks(shuffled, LINES):
                yield Document("\n".join(part), "Formula One, as people ask", "handbook/trivia", LICENCE, "train")


def paraphrase_documents(allowed: Container[str], seed: int = 0, orders: int = 2) -> Iterator[Document]:
    """The wordings of one question side by side and the answer below them, `orders` times in other company.

    Of a question only the answer is scored, so nothing makes a model understand more of it than tells it from the
    others. Here it also has to guess the next wording from the ones before, and can only do so from what they mean.
    `allowed` holds the wordings that no exam asks.
    """
    rng = random.Random(seed)
    facts = [(fact, [question for question in fact.questions if question in allowed]) for fact in trivia()]
    for _ in range(orders):
        for fact, questions in rng.sample(facts, len(facts)):
            for part in chunks(rng.sample(questions, len(questions)), WORDINGS):
                text = "\n".join([*part, f"All of these ask for the same: {fact.answer}"])
                yield Document(text, "One question in other words", "handbook/trivia", LICENCE, "train")
