"""Facts to ask for in the tables that the embedded facts have too: seasons, teams and circuits."""

from collections import Counter
from collections.abc import Iterator

from . import keywords as kw
from .contexts import first_constructors_year, season_context
from .facts import LAST_SEASON, Facts
from .names import short_name
from .words import Context, article, capital, count, fold, listing, the_circuit, the_country

Fact = tuple[str, str, Context]  # key in QUESTIONS, the thing asked about, and what fills the phrasings


def slug(name: str) -> str:
    return fold(name).replace(" ", "-")


def season_facts(facts: Facts) -> Iterator[Fact]:
    began = first_constructors_year(facts)
    for row in facts.seasons:
        context = {
            **season_context(facts, row),
            "teams": listing(reversed(row.champion_teams)),
            "races": capital(count(row.races, "race")),
            "c": short_name(facts, row.champion),
            "why_no_constructors": f"Because the constructors' championship began only in {began}.",
            "keywords": {
                "champion": kw.person(facts, row.champion),
                "runner_up": kw.person(facts, row.runner_up),
                "teams": kw.all_of(row.champion_teams),
                "constructors": kw.team(row.constructors_champion or ""),
                "constructors_from": kw.all_of([began]),
                "races": kw.amount(row.races),
            },
        }
        constructors = "constructors" if row.constructors_champion else "no_constructors"
        for key in ("champion", "team", "runner_up", "races", constructors):
            yield f"season.{key}", str(row.year), context


def team_facts(facts: Facts) -> Iterator[Fact]:
    for row in facts.teams:
        context = {
            "name": row.name,
            "a_name": article(row.name),
            "country": capital(the_country(row.country)),
            "first": row.first_season,
            "last": row.last_season,
            "constructors_titles": capital(count(len(row.constructors_titles), "title")),
            "drivers_titles": capital(count(len(row.drivers_titles), "title")),
            "wins": capital(count(row.wins, "win")),
            "keywords": {
                "country": kw.ground(row.country),
                "first": kw.all_of([row.first_season]),
                "last": kw.all_of([row.last_season]),
                "constructors_titles": kw.amount(len(row.constructors_titles)),
                "drivers_titles": kw.amount(len(row.drivers_titles)),
                "wins": kw.amount(row.wins),
            },
        }
        # "none" is an answer too, but of little interest for teams that never came near
        known = row.wins or row.note
        for key in ("country", "first", *(("constructors", "drivers", "wins") if known else ())):
            yield f"team.{key}", slug(row.name), context
        if row.last_season:
            yield "team.last", slug(row.name), context


def circuit_facts(facts: Facts) -> Iterator[Fact]:
    places = Counter(row.place for row in facts.circuits)
    corners = Counter(fold(corner) for row in facts.circuits for corner in row.corners)
    for row in facts.circuits:
        context = {
            "name": the_circuit(row.name),
            "bare": row.name,
            "circuit": capital(the_circuit(row.name)),
            "country": capital(the_country(row.country)),
            "place": row.place,
            "place_country": row.place if row.place == row.country else f"{row.place}, {row.country}",
            "first": row.first_year,
            "last": row.last_year,
            "length": f"{row.length_km:.3f}",
            "turns": capital(count(row.turns, "turn")),
            "runs": f"It runs {row.direction}.",
            "direction": row.direction,
            "races": capital(count(row.races, "race")),
            "keywords": {
                "country": kw.ground(row.country),
                "place": kw.any_of(row.place, *kw.PLACE_ALSO.get(row.key, ())),
                "first": kw.all_of([row.first_year]),
                "last": kw.all_of([row.last_year]),
                "length": kw.decimal(row.length_km),
                "turns": kw.amount(row.turns),
                "direction": kw.direction(row.direction),
                "races": kw.amount(row.races),
                "circuit": kw.circuit(row),
            },
        }
        for key in ("country", "first", "length", "turns", "direction", "races"):
            yield f"circuit.{key}", row.key, context
        if row.last_year < LAST_SEASON:
            yield "circuit.last", row.key, context
        if fold(row.place) not in fold(row.name):  # where is Monza? in Monza
            yield "circuit.place", row.key, context
            if places[row.place] == 1:
                yield "place.circuit", row.key, context
        for corner in row.corners:
            if corners[fold(corner)] == 1:
                yield "corner.circuit", slug(corner), {**context, "corner": corner}
