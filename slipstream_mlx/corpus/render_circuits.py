"""Articles about circuits and Grands Prix, from the races that were run there."""

import random
from collections import Counter
from collections.abc import Iterator

from . import Document
from .compose import Kind, article, list_articles
from .contexts_races import list_context
from .facts import LAST_SEASON, Circuit, Facts
from .shapes import GrandPrix, Race
from .templates_circuits import CIRCUIT_NEEDS, CIRCUIT_STORY, GRAND_PRIX, GRAND_PRIX_NEEDS
from .templates_races import EDITIONS, LISTS, VISITS
from .words import Context, capital, count, listing, number, the_circuit, the_country, times

_CIRCUIT = Kind(CIRCUIT_STORY, needs=CIRCUIT_NEEDS)
_GRAND_PRIX = Kind(GRAND_PRIX, needs=GRAND_PRIX_NEEDS, clashes=({"count", "first"}, {"tracks", "one_track"}))


def most_often(names: list[str]) -> tuple[str, int] | None:
    """The name that stands there most often, if there is one such, and more than once."""
    ranked = Counter(names).most_common(2)
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return None
    return ranked[0]


def _winners(races: list[Race]) -> Context:
    first, last = races[0], races[-1]
    driver = most_often([driver for race in races for driver in race.winner.drivers])
    team = most_often([race.winner.team for race in races])
    return {
        "f1": ("Formula One", "Formula 1", "F1"),
        "times": times(len(races)),
        "times_cap": capital(times(len(races))),
        "n": number(len(races)),
        "first": first.year,
        "first_winner": listing(first.winner.drivers),
        "first_team": first.winner.team,
        "last": last.year,
        "last_winner": listing(last.winner.drivers),
        "last_team": last.winner.team,
        "most": driver[0] if driver else None,
        "most_wins": count(driver[1], "win") if driver else None,
        "most_times": times(driver[1]) if driver else None,
        "most_team": team[0] if team else None,
        "team_wins": count(team[1], "win") if team else None,
        "team_times": times(team[1]) if team else None,
    }


def circuit_story_context(facts: Facts, circuit: Circuit, races: list[Race]) -> Context:
    layouts, old, now = circuit.layouts, circuit.layouts[0], circuit.layouts[-1]
    several = len(layouts) > 1
    events = list(dict.fromkeys(race.grand_prix for race in races))
    winners = [d for race in races for d in race.winner.drivers if facts.driver_by_name[d].titles]
    champions = [name for name, _ in Counter(winners).most_common(4)]
    return {
        **_winners(races),
        "name": the_circuit(circuit.name),
        "track": the_circuit(circuit.name),
        "country": the_country(circuit.country),
        "races": count(len(races), "race"),
        "several": True if len(races) > 1 else None,
        "gone": True if circuit.last_year < LAST_SEASON else None,
        "layouts": count(len(layouts), "layout") if several else None,
        "old_year": old.years[0] if several else None,
        "old_length": f"{old.length_km:.3f}",
        "old_turns": count(old.turns, "turn"),
        "now_year": now.years[-1],
        "now_length": f"{now.length_km:.3f}",
        "events": listing(events) if len(events) == 1 else " and the ".join(events) if len(events) == 2 else None,
        "champions": listing(champions) if len(champions) > 1 else None,
    }


def grand_prix_context(facts: Facts, grand_prix: GrandPrix, races: list[Race]) -> Context:
    tracks = list(dict.fromkeys(the_circuit(race.circuit) for race in races))
    countries = {facts.circuit_by_name[race.circuit].country for race in races}
    here = races[-1].year == LAST_SEASON
    return {
        **_winners(races),
        "gp": grand_prix.name,
        "editions": count(len(races), "edition"),
        "still": LAST_SEASON if here else None,
        "last_gone": None if here or len(races) == 1 else True,
        "tracks": listing(tracks) if 1 < len(tracks) < 9 else None,
        "one_track": tracks[0] if len(tracks) == 1 and len(races) > 1 else None,
        "country": the_country(next(iter(countries))) if len(countries) == 1 else None,
    }


def circuit_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for circuit in facts.circuits:
        races = facts.races_at.get(circuit.name)
        if not races or not circuit.layouts:
            continue
        about = circuit_story_context(facts, circuit, races)
        yield from article(_CIRCUIT, about, circuit.name, rng, variants)
        title, openings = LISTS["visits"]
        if len(races) > 1:
            rows = [(VISITS, list_context(facts, race)) for race in races]
            yield from list_articles((openings, about), rows, title.format_map(about), rng, variants)


def grand_prix_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for grand_prix in facts.grands_prix:
        races = facts.races_called[grand_prix.name]
        about = grand_prix_context(facts, grand_prix, races)
        yield from article(_GRAND_PRIX, about, grand_prix.name, rng, variants)
        if len(races) > 1:
            title, openings = LISTS["editions"]
            rows = [(EDITIONS, list_context(facts, race)) for race in races]
            yield from list_articles((openings, about), rows, title.format_map(about), rng, variants)
