"""Facts to ask for about who won where: circuits, Grands Prix and countries, from F1DB."""

from collections.abc import Iterator

from . import keywords as kw
from .ask_drivers import times_keywords
from .ask_races import same_result, with_gp
from .ask_tables import Fact, slug
from .facts import LAST_SEASON, Facts
from .nations import Nation, nations
from .render_circuits import most_often
from .words import ADJECTIVES, Context, article, capital, count, listing, the_circuit, the_country, times


def circuit_race_facts(facts: Facts) -> Iterator[Fact]:
    for circuit in facts.circuits:
        races = facts.races_at.get(circuit.name)
        if not races:
            continue
        best = most_often([driver for race in races for driver in race.winner.drivers])
        first, last = races[0], races[-1]
        words: Context = {
            "name": the_circuit(circuit.name),
            "bare": circuit.name,
            "most": best[0] if best else None,
            "first_winner": listing(first.winner.drivers),
            "last_winner": listing(last.winner.drivers),
            "last_year": last.year,
            "keywords": {
                "most": kw.people(facts, best[:1] if best else ()),
                "first_winner": kw.people(facts, first.winner.drivers),
                "last_winner": kw.people(facts, last.winner.drivers),
            },
        }
        if best:
            yield "circuit.most_wins", circuit.key, words
        yield "circuit.first_winner", same_result(first), words
        if len(races) > 1:
            yield "circuit.last_winner", same_result(last), words


def grand_prix_facts(facts: Facts) -> Iterator[Fact]:
    for grand_prix in facts.grands_prix:
        races = facts.races_called[grand_prix.name]
        first, last = races[0], races[-1]
        best = most_often([driver for race in races for driver in race.winner.drivers])
        tracks = list(dict.fromkeys(race.circuit for race in races))
        track = facts.circuit_by_name[tracks[0]] if len(tracks) == 1 and len(races) > 1 else None
        words: Context = {
            "gp": with_gp((grand_prix.name, grand_prix.name)),
            "first": first.year,
            "last": last.year,
            "times_cap": capital(times(len(races))),
            "first_winner": listing(first.winner.drivers),
            "most": best[0] if best else None,
            "one_track": capital(the_circuit(track.name)) if track else None,
            "keywords": {
                "first": kw.all_of([first.year]),
                "last": kw.all_of([last.year]),
                "times": times_keywords(len(races)),
                "first_winner": kw.people(facts, first.winner.drivers),
                "most": kw.people(facts, best[:1] if best else ()),
                "one_track": kw.circuit(track) if track else [],
            },
        }
        for key, known in (
            ("first", True),
            ("count", True),
            ("last", last.year < LAST_SEASON),
            ("most_wins", best),
            ("track", track),
        ):
            if known:
                yield f"gp.{key}", grand_prix.key, words
        yield "gp.first_winner", same_result(first), words


def _nation_words(facts: Facts, nation: Nation) -> Context:
    won, drivers, adjective = nation.won, nation.drivers, ADJECTIVES[nation.country]
    first = nation.winner(facts, won[0]) if won else None
    return {
        "country": the_country(nation.country),
        "adj": adjective,
        "an_adj": article(adjective),
        "champions": listing(nation.champions),
        "n_champions": capital(count(len(nation.champions), "champion")),
        "titles": capital(count(nation.titles, "title")),
        "first_winner": first,
        "one_winner": nation.winners[0] if len(nation.winners) == 1 else None,
        "wins": capital(count(len(won), "win")),
        "drivers": capital(count(len(drivers), "driver")),
        "first_driver": drivers[0].name if drivers else None,
        "races": capital(count(len(nation.held), "race")),
        "keywords": {
            "champions": kw.people(facts, nation.champions),
            "n_champions": kw.amount(len(nation.champions)),
            "titles": kw.amount(nation.titles),
            "first_winner": kw.people(facts, [first] if first else []),
            "one_winner": kw.people(facts, nation.winners[:1]),
            "wins": kw.amount(len(won)),
            "drivers": kw.amount(len(drivers)),
            "first_driver": kw.people(facts, [driver.name for driver in drivers[:1]]),
            "races": kw.amount(len(nation.held)),
        },
    }


def nation_facts(facts: Facts) -> Iterator[Fact]:
    for nation in nations(facts):
        words, thing = _nation_words(facts, nation), slug(nation.country)
        # several on the grid of one race: then nobody was the first
        debuts = [driver.first_race for driver in nation.drivers]
        for key, known in (
            ("champions", 0 < len(nation.champions) < 5),
            ("champion_count", nation.champions),
            ("titles", nation.champions),
            ("only_winner", len(nation.winners) == 1),
            ("wins", nation.won),
            ("drivers", nation.drivers),
            ("first_driver", debuts and debuts.count(debuts[0]) == 1),
            ("races", nation.held),
        ):
            if known:
                yield f"nation.{key}", thing, words
        if nation.won:
            yield "nation.first_winner", same_result(nation.won[0]), words
