"""The corpus command: all sources as one set of documents and questions, with a card that says what is in it.

Writes documents.jsonl, questions.jsonl (to train on), card.json and card.md, and three exams made from the tables:
facts never asked for, phrasings never used, and both at once.
"""

import argparse
import dataclasses
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from .corpus import Document
from .corpus.embedded import embedded_documents, fit_to_train, handwritten_questions, retold
from .corpus.f1db import load_facts
from .corpus.facts import EMBEDDED
from .corpus.leakage import never_asked
from .corpus.perturb import some_spoilt, with_twins
from .corpus.render import render_questions
from .corpus.scoring import fold
from .corpus.splits import split_questions
from .corpus.trivia import paraphrase_documents, trivia_documents, trivia_questions
from .corpus.wikipedia import read_articles
from .data import split_documents
from .errors import Parser, command
from .files import write_json, write_text
from .tokenizer import GPT2_VOCAB_SIZE, GPT2Tokenizer

SHINGLE_WORDS = 8
TOO_ALIKE = 0.2


def shingles(text: str) -> set[int]:
    """A text's runs of eight words, hashed: two texts that share many of them are copies."""
    words = text.casefold().split()
    return {hash(tuple(words[i : i + SHINGLE_WORDS])) for i in range(max(1, len(words) - SHINGLE_WORDS + 1))}


def without_copies(train: Iterable[Document], validation: Iterable[Document]) -> list[Document]:
    """The validation documents that are not, for a fifth or more, copied from the training ones."""
    seen: set[int] = set()
    for document in train:
        seen |= shingles(document.text)
    kept = []
    for document in validation:
        own = shingles(document.text)
        if len(own & seen) < TOO_ALIKE * len(own):
            kept.append(document)
    return kept


def settle_splits(documents: list[Document], val_share: float) -> list[Document]:
    """Every document with its split written down, near-copies across the splits dropped."""
    train, validation = split_documents(documents, val_share)
    kept = without_copies(train, validation)
    return [dataclasses.replace(d, split="train") for d in train] + [
        dataclasses.replace(d, split="validation") for d in kept
    ]


def make_card(documents: list[Document], questions: list[dict]) -> dict:
    """Counts, sizes, licences, the fingerprint and how much of GPT-2's vocabulary is used."""
    tokenizer, used = GPT2Tokenizer(), Counter[int]()
    rows: dict[str, dict] = defaultdict(lambda: {"documents": 0, "bytes": 0, "words": 0, "tokens": 0, "licences": []})
    digest = hashlib.sha256()
    for document in documents:
        ids = tokenizer.encode(document.text)
        used.update(ids)
        row = rows[document.origin]
        row["documents"] += 1
        row["bytes"] += len(document.text.encode())
        row["words"] += len(document.text.split())
        row["tokens"] += len(ids)
        if document.licence not in row["licences"]:
            row["licences"].append(document.licence)
        digest.update(document.text.encode())
    splits = Counter(d.split for d in documents)
    return {
        "documents": len(documents), "splits": dict(splits), "questions": len(questions), "sources": dict(rows),
        "fingerprint": digest.hexdigest()[:16], "vocabulary_used": len(used) / GPT2_VOCAB_SIZE,
    }  # fmt: skip


def format_card(card: dict) -> str:
    """The card as Markdown."""
    heading = "| source | documents | MB | words | GPT-2 tokens | licence |"
    lines = ["# Corpus card", "", heading, "| --- " * 6 + "|"]
    for name, row in sorted(card["sources"].items()):
        licences = ", ".join(row["licences"]) or "unknown"
        counts = f"{row['documents']:,} | {row['bytes'] / 1e6:.2f} | {row['words']:,} | {row['tokens']:,}"
        lines.append(f"| {name} | {counts} | {licences} |")
    splits = ", ".join(f"{count:,} {name}" for name, count in sorted(card["splits"].items()))
    lines.append(f"\n{card['documents']:,} documents ({splits}); {card['questions']:,} training questions.")
    lines.append(f"{card['vocabulary_used']:.1%} of GPT-2's vocabulary is used. Fingerprint {card['fingerprint']}.\n")
    return "\n".join(lines)


def jsonl(rows: Iterable[dict]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="slipstream build_corpus",
        description="Merge all sources into documents.jsonl, questions.jsonl and a card.",
    )
    add = parser.add_argument
    add("--out", default="data/corpus", metavar="DIR", help="where to write (default: %(default)s)")
    add(
        "--wikipedia",
        default="data/wikipedia",
        metavar="DIR",
        help="downloaded articles, if any (default: %(default)s)",
    )
    add(
        "--val-share", type=float, default=0.05, metavar="X", help="share of documents held back (default: %(default)s)"
    )
    add("--f1db", default="data/f1db", metavar="DIR", help="downloaded F1DB, if any (default: %(default)s)")
    add(
        "--phrasings",
        type=int,
        default=6,
        metavar="N",
        help="ways to ask for a fact of the tables (default: %(default)s)",
    )
    add(
        "--variants",
        type=int,
        default=2,
        metavar="N",
        help="texts about each thing in the tables, half articles and half notes, and four times as many tellings of "
        "each fact by itself and on cards (default: %(default)s)",
    )
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    facts = load_facts(Path(args.f1db)) if Path(args.f1db).is_dir() else EMBEDDED
    documents = [*embedded_documents(facts=facts, variants=args.variants), *retold(), *trivia_documents()]
    documents += paraphrase_documents({row["question"] for row in fit_to_train(list(trivia_questions()))})
    if Path(args.wikipedia).is_dir():
        documents += read_articles(Path(args.wikipedia))
    documents = settle_splits(documents, args.val_share)
    splits = split_questions(render_questions(facts, phrasings=args.phrasings))
    handwritten = [*handwritten_questions("train"), *handwritten_questions("quiz"), *trivia_questions()]
    linked = handwritten_questions("linked")
    for name in ("seen_phrasing_unseen_fact", "both_unseen"):
        splits[name] = never_asked(splits[name], [*handwritten, *linked])
    rows = [*with_twins(handwritten), *some_spoilt([*linked, *splits.pop("train")])]
    asked = {fold(row["question"]) for exam in splits.values() for row in exam}
    rows = [row for row in rows if fold(row["question"]) not in asked]
    questions = fit_to_train(rows)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "documents.jsonl", "".join(jsonl(dataclasses.asdict(d) for d in documents)))
    write_text(out / "questions.jsonl", "".join(jsonl(questions)))
    for name, rows in splits.items():  # unseen facts, unseen phrasings, both: three exams that nothing trains on
        write_text(out / f"{name}.jsonl", "".join(jsonl(rows)))
    card = make_card(documents, questions)
    write_json(out / "card.json", card)
    write_text(out / "card.md", format_card(card))
    print(format_card(card))


if __name__ == "__main__":
    main()
