"""Keeping the exam out of the textbook.

A held-out question measures something only if no training question asks the same. Two questions ask the same when they
are rewordings of one another, or when their answers agree and they speak of the same thing: a name or a number that
both contain. The facts themselves stay in the articles; what is held out is ever having been asked for them.
"""

import functools
import re

from .scoring import fold, is_correct, question_keywords

# Words that carry no fact: asking words, little words, and those that every other question has.
_EMPTY = frozenset(
    """a an and are at be been by did do does for from had has have he his how in into is it its of on or s so that the
    their them then they this to was were what when where which who whom whose why will with year name tell me please
    f1 formula one 1 grand prix gp world championship championships title titles driver drivers team teams constructor
    constructors champion champions race races circuit circuits track season seasons win won wins winner country""".split()
)


@functools.lru_cache(maxsize=None)
def content_words(question: str) -> frozenset[str]:
    """What a question is about: its words without the empty ones, plural s cut off."""
    return frozenset(w.removesuffix("s") if len(w) > 3 else w for w in fold(question).split() if w not in _EMPTY)


@functools.lru_cache(maxsize=None)
def subjects(question: str) -> frozenset[str]:
    """Names and numbers in a question: words with a digit, or with a capital that is not the sentence's first."""
    words = re.findall(r"[^\W_]+", question)
    named = [fold(w) for i, w in enumerate(words) if any(c.isdigit() for c in w) or (i > 0 and w[0].isupper())]
    return frozenset(w.removesuffix("s") if len(w) > 3 else w for n in named for w in n.split() if w not in _EMPTY)


def is_rewording(question: str, other: str) -> bool:
    """True if two questions share most of their content words."""
    a, b = content_words(question), content_words(other)
    return bool(a | b) and len(a & b) >= 0.75 * len(a | b)


def asks_the_same(row: dict, other: dict) -> bool:
    """True if two question rows ask for one fact: rewordings, or same answer about the same subject."""
    question, asked = row["question"], other["question"]
    if is_rewording(question, asked):
        return True
    # lower-case questions name things too, so subjects of either are looked for among all words of the other
    if not (subjects(question) & content_words(asked) or subjects(asked) & content_words(question)):
        return False
    return is_correct(row["answer"], question_keywords(other)) and is_correct(other["answer"], question_keywords(row))


def without_leaks(rows: list[dict], held_out: list[dict]) -> list[dict]:
    """The rows that ask for none of the held-out facts."""
    return [row for row in rows if not any(asks_the_same(row, held) for held in held_out)]
