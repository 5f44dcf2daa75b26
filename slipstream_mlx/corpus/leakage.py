"""Keeping the exam out of the textbook.

A held-out question measures something only if it has not been practised. No training question is one of them, nor a
rewording of one. The *fact* behind a held-out question stands in the text, and a training question may ask for it in
quite other words, as two people would; `asks_the_same` finds those, so that a report can tell the two cases apart.
"""

import functools
import re
from collections import defaultdict

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
    by_word = defaultdict(list)  # a rewording shares a content word: no need to compare with all the others
    for held in held_out:
        for word in content_words(held["question"]):
            by_word[word].append(held)

    def leaks(row: dict) -> bool:
        near = (held for word in content_words(row["question"]) for held in by_word.get(word, ()))
        return any(is_rewording(row, held) for held in near)

    return [row for row in rows if not leaks(row)]
