"""Every fact that is asked for, told in a sentence of its own.

Articles tell what a reader would like to hear: a champion's titles every time, the best finish of a man who raced
twice now and then. A model that is to answer anything must have been told everything, many times and in many words
(Allen-Zhu & Li, "Physics of Language Models", part 3.1). So each fact that ask.py can ask for is told here too: key and
value in one sentence, with its subject in full.
"""

import random
from collections.abc import Iterator

from . import Document
from .ask import facts_to_ask
from .compose import F1DB_SOURCE, LICENCE, chunks
from .facts import Facts
from .statements_drivers import DRIVER_STATEMENTS
from .statements_places import PLACE_STATEMENTS
from .statements_races import RACE_STATEMENTS
from .statements_teams import TEAM_STATEMENTS
from .words import NUMBERS, Context, capital, fill, fits, ordinal, placeholders

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
