"""Articles about drivers: who they are, what they won, and their careers year by year."""

import random
from collections.abc import Iterator

from . import Document
from .compose import Kind, article, list_articles
from .contexts_drivers import career_context, driver_context
from .contexts_races import list_context
from .facts import Facts
from .shapes import Driver, DriverSeason
from .templates_drivers import (
    CAREER_CHAMPION,
    CAREER_OPEN,
    CAREER_PLAIN,
    CAREER_SCORED,
    CAREER_WON,
    DRIVER,
    DRIVER_CLASHES,
    DRIVER_GROUPS,
    DRIVER_NEEDS,
    DRIVER_SAID,
)
from .templates_races import LISTS, WINS

_KIND = Kind(DRIVER, DRIVER_GROUPS, DRIVER_NEEDS, DRIVER_SAID, DRIVER_CLASHES)


def _lines(season: DriverSeason) -> tuple[str, ...]:
    if season.place == 1:
        return CAREER_CHAMPION
    if season.wins:
        return CAREER_WON
    return CAREER_SCORED if season.points and season.place else CAREER_PLAIN


def _career(facts: Facts, driver: Driver, about: dict, rng: random.Random, variants: int) -> Iterator[Document]:
    rows = [(_lines(season), career_context(facts, driver, season)) for season in driver.seasons]
    yield from list_articles((CAREER_OPEN, about), rows, f"The career of {driver.name}", rng, variants)


def driver_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for driver in facts.drivers:
        about = driver_context(facts, driver)
        yield from article(_KIND, about, driver.name, rng, variants)
        if len(driver.seasons) > 2:
            yield from _career(facts, driver, about, rng, variants)
        won = facts.wins_of.get(driver.name, [])
        if len(won) > 1:
            title, openings = LISTS["wins"]
            rows = [(WINS, {**list_context(facts, race), "he": about["he"]}) for race in won]
            yield from list_articles((openings, about), rows, title.format_map(about), rng, variants)
