"""Every fact that is asked for, told in a sentence of its own and on the card of its subject.

Articles tell what a reader would like to hear: a champion's titles every time, the best finish of a man who raced
twice now and then. A model that is to answer anything must have been told everything, many times and in many words
(Allen-Zhu & Li, "Physics of Language Models", part 3.1). So each fact that ask.py can ask for is told here too, and in
the order in which it will be asked: the subject in full, what about it, and the answer last. A sentence that begins
with the answer teaches the way from answer to subject, which no question takes ("the reversal curse", Berglund et al.,
2023).

Of a fact's wordings in statements_*.py the last is its line on a card: "{name}, year of birth: {birth_year}."
"""

import random
from collections import defaultdict
from collections.abc import Iterator

from . import Document
from .ask import facts_to_ask
from .compose import F1DB_SOURCE, LICENCE, chunks
from .facts import Facts
from .statements_drivers import DRIVER_STATEMENTS
from .statements_places import PLACE_STATEMENTS
from .statements_races import RACE_STATEMENTS
from .statements_teams import TEAM_STATEMENTS
from .words import NUMBERS, Context, capital, fill, fits, ordinal, placeholders, strip_accents

STATEMENTS: dict[str, tuple[str, ...]] = {
    **DRIVER_STATEMENTS,
    **RACE_STATEMENTS,
    **TEAM_STATEMENTS,
    **PLACE_STATEMENTS,
}
LINES = 12  # of a text
_NO_NAMES = {*NUMBERS, *map(ordinal, range(1, 11)), "once", "twice", "the", "none", "from", "pole"}


def _inside(value: object) -> object:
    """A context's value as it stands inside a sentence: answers begin with a capital, there only names do."""
    if isinstance(value, tuple):
        return tuple(map(_inside, value))
    if isinstance(value, str) and value.split(" ")[0].lower() in _NO_NAMES:
        return value[:1].lower() + value[1:]
    return value


def state(template: str, context: Context, rng: random.Random) -> str:
    """A statement's template as a sentence."""
    return capital(fill(template, {name: _inside(context[name]) for name in placeholders(template)}, rng))


def plain(text: str) -> str:
    """Text as it is typed in haste: lower case, no accents."""
    return strip_accents(text).lower()


def card_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    """Yield, `variants` times, a card of each subject: its name, then its facts in any order, a line each.

    Shorter than sentences, so that a fact is told about twice as often in as many tokens. Every fourth time subject and
    labels are in lower case and without accents, as people type them: to a tokenizer "noda" and "Noda" have nothing in
    common.
    """
    subjects: dict[str, list[tuple[str, Context]]] = defaultdict(list)
    for key, _, context in facts_to_ask(facts):
        label = STATEMENTS[key][-1] if key in STATEMENTS else ""
        if ", " in label and fits(label, context):
            # a subject may have several names: the first one tells whose card it is
            first = {name: value[0] if isinstance(value, tuple) else value for name, value in context.items()}
            subjects[state(label.split(", ", 1)[0], first, rng)].append((label, context))
    for variant in range(variants):
        as_typed = plain if variant % 4 == 3 else str
        for lines in subjects.values():
            for part in chunks(rng.sample(lines, len(lines)), LINES):
                heading, _ = part[0][0].split(", ", 1)
                texts = [as_typed(state(heading, part[0][1], rng))]
                for label, context in part:
                    what, colon, answer = state(label.split(", ", 1)[1], context, rng).partition(": ")
                    texts.append(as_typed(what) + colon + answer)
                yield Document("\n".join(texts), "Formula One, card by card", F1DB_SOURCE, LICENCE)


def statement_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    """Yield texts of a dozen sentences that together tell every fact `variants` times, each time in other words.

    Every second time the facts of one subject stand together, else all are shuffled: then nothing but the sentence's
    own words says what it is about.
    """
    told: list[tuple[list[str], Context]] = []
    for key, _, context in facts_to_ask(facts):
        fitting = [template for template in STATEMENTS.get(key, ()) if fits(template, context)]
        if fitting:
            told.append((rng.sample(fitting, len(fitting)), context))
    for variant in range(variants):
        parts = chunks(told if variant % 2 else rng.sample(told, len(told)), LINES)
        for part in parts:
            lines = [
                state(templates[variant % len(templates)], context, rng)
                for templates, context in rng.sample(part, len(part))
            ]
            yield Document("\n".join(lines), "Formula One, fact by fact", F1DB_SOURCE, LICENCE)
