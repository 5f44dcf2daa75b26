"""Questions as people type them: hasty, misspelt, with words left out, swapped for others or added.

A model overfits to wordings long before it overfits to facts. A twin of each question, a little spoilt, teaches it
that "who won monaco 1988" and "Who took victory in the Grand Prix of Monaco in 1988?" want the same answer.
"""

import random
import re
from collections.abc import Iterable, Iterator

from .words import strip_accents

# Words that may stand for one another in a question. Names are safe: they do not begin with a small letter.
_SAME = (
    ("driver", "racer", "racing driver"), ("drivers", "racers", "racing drivers"), ("team", "outfit", "squad"),
    ("won", "took", "claimed", "captured"), ("title", "crown"), ("titles", "championships", "crowns"),
    ("which", "what"), ("race", "event"), ("races", "events"), ("circuit", "track", "venue"), ("season", "campaign"),
    ("wins", "victories"), ("victory", "triumph"), ("finished", "ended up", "came home"), ("finish", "end up"),
    ("debut", "first appearance"), ("country", "nation"), ("called", "known as", "named"), ("beat", "defeated"),
    ("Formula One", "F1", "Formula 1"), ("Formula 1", "F1"), ("Grand Prix", "GP"), ("recorded", "set"),
    ("World Championship", "championship"), ("world champion", "champion"), ("tell me", "let me know"),
)  # fmt: skip
_CHOICES: dict[str, list[str]] = {}
for _words in _SAME:
    for _word in _words:
        _CHOICES.setdefault(_word, []).extend(other for other in _words if other != _word)
_SWAP = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _CHOICES), key=len, reverse=True)) + r")\b")

_LITTLE = re.compile(r"\b(the|a|an|of|in|did|was|is|does|do|for|by|at)\b ", re.IGNORECASE)
_BEFORE = (
    "So, ", "Hey, ", "Please: ", "Could you tell me: ", "I was wondering: ", "In Formula 1, ", "In F1 history, ",
    "For my quiz: ", "A friend asked me: ", "Not sure about this one: ", "As far as you know, ", "Remind me, ", "Ok, ",
    "Talking about motor racing: ", "From the archives: ", "Another one: ", "Easy one: ",
)  # fmt: skip
_AFTER = (" in F1", " again", ", please", ", do you know", ", roughly speaking", " in Formula 1", ", by the way")
_NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip


def other_words(question: str, rng: random.Random) -> str:
    """Some words swapped for others of the same meaning."""
    return _SWAP.sub(lambda m: rng.choice(_CHOICES[m[0]]) if rng.random() < 0.6 else m[0], question)


def hasty(question: str, rng: random.Random) -> str:
    """Lower case, without accents and question mark, some little words left out."""
    text = _LITTLE.sub(lambda m: "" if rng.random() < 0.5 else m[0], question)
    return strip_accents(text).lower().rstrip("?. ")


def misspelt(question: str, rng: random.Random) -> str:
    """One letter of one word wrong: left out, doubled, swapped with the next or hit beside. Numbers are left alone."""
    words = [m for m in re.finditer(r"[A-Za-zÀ-ÿ]{5,}", question)]
    if not words:
        return question
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    a, b = question[at], question[at + 1]
    new = rng.choice(["" + b, a + a + b, b + a, rng.choice(_NEAR.get(a.lower(), a)) + b])
    return question[:at] + new + question[at + 2 :]


def framed(question: str, rng: random.Random) -> str:
    """With words before or after it that ask for nothing."""
    if rng.random() < 0.6 or not question.endswith("?"):
        before = rng.choice(_BEFORE)
        first = question.split(" ")[0]
        # a question word loses its capital after a comma, a name does not
        lower = before.endswith(", ") and first.lower() in _QUESTION_WORDS
        return before + (question[0].lower() + question[1:] if lower else question)
    return question[:-1] + rng.choice(_AFTER) + "?"


_QUESTION_WORDS = {
    "who",
    "what",
    "when",
    "where",
    "which",
    "how",
    "why",
    "in",
    "on",
    "at",
    "for",
    "with",
    "to",
    "did",
    "the",
}
_WAYS = (other_words, other_words, hasty, framed, misspelt)


def perturb(question: str, rng: random.Random) -> str:
    """The question changed in one way or two; what it asks stays."""
    for way in rng.sample(_WAYS, 2 if rng.random() < 0.35 else 1):
        question = way(question, rng)
    return question


def with_perturbed(rows: Iterable[dict], seed: int = 0) -> Iterator[dict]:
    """The rows, one in three of those from tables spoilt, and those written by hand twice: as they are, and spoilt."""
    rng = random.Random(seed)
    for row in rows:
        spoilt = {**row, "question": perturb(row["question"], rng)}
        if "template" in row:
            yield spoilt if rng.random() < 1 / 3 else row
        else:
            yield row
            if spoilt["question"] != row["question"]:
                yield spoilt
