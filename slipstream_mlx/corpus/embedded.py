"""The text that ships inside the package: handbook, facts and questions. Nothing here needs a network."""

import dataclasses
import hashlib
import json
import random
from collections.abc import Iterator
from importlib import resources

from . import Document
from .facts import EMBEDDED, Facts
from .leakage import without_rewordings
from .render import render_documents, render_questions

LICENCE = "MIT"
# Hand-written questions that nothing may train on.
EXAMS = ("heldout", "dev", "strangers", "outsiders", "newcomers", "visitors")


def _texts(folder: str, ending: str) -> Iterator[tuple[str, str, str]]:
    """(category, name without ending, text) of the files in a folder's categories, in the order of their paths."""
    root = resources.files(__package__) / folder
    for category in sorted(root.iterdir(), key=lambda p: p.name):
        for path in sorted(category.iterdir(), key=lambda p: p.name) if category.is_dir() else ():
            if path.name.endswith(ending):
                yield category.name, path.name.removesuffix(ending), path.read_text(encoding="utf-8")


def handbook() -> Iterator[Document]:
    """The handbook's articles, one Document each, in the order of their paths.

    About one in twenty, chosen by a hash of the file's name, is for validation and never trained on.
    """
    for category, name, text in _texts("handbook", ".md"):
        text = text.removeprefix("# ")
        held_back = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 20 == 0
        yield Document(
            text=text,
            title=text.partition("\n")[0],
            source=f"handbook/{category}/{name}.md",
            licence=LICENCE,
            split="validation" if held_back else "train",
        )


def retold(seed: int = 0, orders: int = 2) -> Iterator[Document]:
    """The facts of the handbook's training articles once more, a line each: in two wordings, each in `orders` orders.

    An article tells a thing once, and most of it of "he" and "there". What stands in one wording is learnt by heart and
    not found by a question in other words; and a line that names its subject says what it is about by itself.
    """
    rng = random.Random(seed)
    for category, name, text in _texts("retold", ".txt"):
        for wording in text.strip().split("\n\n"):
            lines = wording.split("\n")
            for _ in range(orders):
                shuffled = "\n".join(rng.sample(lines, len(lines)))
                source = f"handbook/{category}/{name}.md"
                yield Document(text=shuffled, title=f"{name}.txt", source=source, licence=LICENCE, split="train")


def embedded_documents(seed: int = 0, facts: Facts = EMBEDDED, variants: int = 4) -> list[Document]:
    """The default corpus: the handbook, and facts as prose (all of it for training)."""
    prose = (dataclasses.replace(d, split="train") for d in render_documents(facts, seed=seed, variants=variants))
    return [*handbook(), *prose]


def handwritten_questions(split: str) -> list[dict]:
    """Hand-written question rows, by `split`.

    "train" is what the small models learn, "quiz" what the large one learns besides, each fact in several wordings, and
    "linked" what it takes two facts to answer, made from F1DB. "dev" is to tune on, "heldout" to report on; the
    other EXAMS are by other hands.
    """
    root = resources.files(__package__) / "questions"
    files = [root / f"{split}.jsonl"]
    if (root / split).is_dir():
        files = sorted((root / split).iterdir(), key=lambda p: p.name)
    rows = []
    for file in files:
        if file.name.endswith(".jsonl"):
            rows += [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return rows


def embedded_questions(seed: int = 0, phrasings: int = 1) -> list[dict]:
    """The default training questions: the hand-written ones, and those made from the facts tables in `phrasings` ways.

    Rewordings of the held-out and the dev questions are left out (see leakage.py).
    """
    return fit_to_train([*handwritten_questions("train"), *render_questions(EMBEDDED, seed=seed, phrasings=phrasings)])


def fit_to_train(rows: list[dict]) -> list[dict]:
    """The rows that are no rewording of a question of any exam."""
    exams = [row for split in EXAMS for row in handwritten_questions(split)]
    return without_rewordings(rows, exams)
