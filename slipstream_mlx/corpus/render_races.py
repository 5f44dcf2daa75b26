"""Articles about single races, from F1DB's results."""

import random
from collections.abc import Iterator

from . import Document
from .compose import Kind, article
from .contexts_races import race_context
from .facts import Facts
from .templates_races import RACE, RACE_CLASHES, RACE_GROUPS, RACE_NEEDS, RACE_SAID

_KIND = Kind(RACE, RACE_GROUPS, RACE_NEEDS, RACE_SAID, RACE_CLASHES)


def race_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for race in facts.races:
        yield from article(_KIND, race_context(facts, race), f"{race.year} {race.grand_prix}", rng, variants)
