"""When is an answer right?

When it holds every keyword the question asks for, compared as whole words after folding case, accents and punctuation:
"räikkönen" is "Raikkonen", but "1988" is not in "19880". It is a blunt measure and an honest one: it cannot be talked
into a point.
"""

import functools
import unicodedata


@functools.lru_cache(maxsize=1 << 18)  # the same answers are compared again and again
def fold(text: str) -> str:
    """Lower case, accents stripped, everything but letters and digits turned into single spaces."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(c if c.isalnum() else "" if unicodedata.combining(c) else " " for c in decomposed)
    return " ".join(letters.split())


def is_correct(answer: str, keywords: list[list[str]]) -> bool:
    """True when each inner list has at least one member in the answer as whole words, after folding."""
    words = f" {fold(answer)} "
    return all(any(f" {fold(k)} " in words for k in any_of if fold(k)) for any_of in keywords)


def question_keywords(row: dict) -> list[list[str]]:
    """The row's keywords; without any, every word of its answer is asked for."""
    return row.get("keywords") or [[word] for word in fold(row["answer"]).split()] or [[row["answer"]]]
