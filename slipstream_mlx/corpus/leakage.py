"""Keeping the exam out of the textbook.

A held-out question measures something only if it has not been practised. No training question is one of them, nor a
rewording of one. The *fact* behind a held-out question stands in the text, and a training question may ask for it in
quite other words, as two people would; `asks_the_same` finds those, so that a report can tell the two cases apart.
"""

import functools
import re
from collections import defaultdict
from collections.abc import Callable

from .scoring import fold, is_correct, question_keywords

# Words that carry no fact: asking words, little words, and those that every other question has.
_EMPTY = frozenset(
    """a an and are at be been by did do does for from had has have he his how in into is it its of on or s so that the
    their them then they this to was were what when where which who whom whose why will with year name tell me please
    f1 formula one 1 many much grand grands prix gp world championship championships title titles driver drivers team
    teams constructor constructors champion champions race races circuit circuits track season seasons win won wins
    winner country""".split()  # noqa: SIM905 (a list of ninety strings would be three pages)
)


@functools.cache
def content_words(question: str) -> frozenset[str]:
    """What a question is about: its words without the empty ones, plural s cut off."""
    return frozenset(w.removesuffix("s") if len(w) > 3 else w for w in fold(question).split() if w not in _EMPTY)


@functools.cache
def subjects(question: str) -> frozenset[str]:
    """Names and numbers in a question: words with a digit, or with a capital that is not the sentence's first."""
    words = re.findall(r"[^\W_]+", question)
    named = [fold(w) for i, w in enumerate(words) if any(c.isdigit() for c in w) or (i > 0 and w[0].isupper())]
    return frozenset(w.removesuffix("s") if len(w) > 3 else w for n in named for w in n.split() if w not in _EMPTY)


def is_rewording(row: dict, other: dict) -> bool:
    """True if two question rows share most of their content words, or many of them and the answer too."""
    a, b = content_words(row["question"]), content_words(other["question"])
    if not a | b:
        return True
    overlap = len(a & b) / len(a | b)
    return overlap >= 0.75 or (overlap >= 0.6 and answers_agree(row, other))


def asks_the_same(row: dict, other: dict) -> bool:
    """True if two question rows ask for one fact, in whatever words: same answer, and a name or number in common."""
    question, asked = row["question"], other["question"]
    # lower-case questions name things too, so subjects of either are looked for among all words of the other
    shared = subjects(question) & content_words(asked) or subjects(asked) & content_words(question)
    return bool(shared) and answers_agree(row, other)


def answers_agree(row: dict, other: dict) -> bool:
    """True if each row's answer would pass as the other's."""
    return is_correct(row["answer"], question_keywords(other)) and is_correct(other["answer"], question_keywords(row))


def without_rewordings(rows: list[dict], held_out: list[dict]) -> list[dict]:
    """The rows that are no rewording of a held-out question."""
    return _unlike(rows, held_out, is_rewording, content_words)


def never_asked(exam: list[dict], training: list[dict]) -> list[dict]:
    """The exam's rows whose fact no training question asks for, in whatever words (generously: `asks_the_same`)."""
    return _unlike(exam, training, asks_the_same, lambda question: subjects(question) or content_words(question))


def _unlike(
    rows: list[dict],
    others: list[dict],
    alike: Callable[[dict, dict], bool],
    words: Callable[[str], frozenset[str]],
) -> list[dict]:
    """The rows that are like none of the others: compared only with those that hold one of a row's `words`."""
    by_word = defaultdict(list)
    for other in others:
        for word in content_words(other["question"]):
            by_word[word].append(other)

    def has_like(row: dict) -> bool:
        near = (other for word in words(row["question"]) for other in by_word.get(word, ()))
        return any(alike(row, other) for other in near)

    return [row for row in rows if not has_like(row)]
