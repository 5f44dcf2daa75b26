"""Articles about records and about countries."""

import random
from collections.abc import Iterator

from . import Document
from .compose import Kind, article, list_articles
from .contexts_races import by_end
from .facts import LAST_SEASON, Facts
from .names import race_names
from .nations import Nation, nations
from .records import Record, holders, records
from .templates_records import NATION, NATION_CLASHES, NATION_NEEDS, RECORDS, RECORDS_OPEN
from .words import ADJECTIVES, Context, capital, count, listing, number, the_circuit, the_country, times

_NATION = Kind(NATION, needs=NATION_NEEDS, clashes=NATION_CLASHES)
_F1 = ("Formula One", "Formula 1", "F1")


def record_context(facts: Facts, record: Record) -> Context:
    names = holders(facts, record)
    one = len(names) == 1
    return {
        **record.context,
        "f1": _F1,
        "names": listing(names),
        "holds": "holds" if one else "share",
        "have": "has" if one else "have",
        "n": str(record.context.get("n") or str(record.context.get("count", "")).split(" ")[0]),
    }


def record_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    rows = [(RECORDS[record.key], record_context(facts, record)) for record in records(facts)]
    for _ in range(variants):
        rng.shuffle(rows)
        yield from list_articles((RECORDS_OPEN, {"f1": _F1}), rows, "Formula One records", rng, 1, at_most=8)


def nation_context(facts: Facts, nation: Nation) -> Context:
    drivers, won, adjective = nation.drivers, nation.won, ADJECTIVES[nation.country]
    wins = {name: facts.driver_by_name[name].wins for name in nation.winners}
    ranked = sorted(wins.values(), reverse=True)
    clear = len(ranked) > 1 and ranked[0] > ranked[1]
    one = len(nation.winners) == 1
    first, last = (won[0], won[-1]) if won else (None, None)
    return {
        "f1": _F1,
        "country": the_country(nation.country),
        "adj": adjective,
        "adj_cap": capital(adjective),
        "by_end": by_end(True),
        "no_end": f" by the end of {LAST_SEASON}",
        "drivers": count(len(drivers), "driver") if drivers else None,
        "have": "has" if len(drivers) == 1 else "have",
        "first_driver": drivers[0].name if drivers else None,
        "first_year": drivers[0].years[0] if drivers else None,
        "wins": count(len(won), "win") if won else None,
        "wins_races": count(len(won), "race") if won else None,
        "wins_n": number(len(won)) if won else None,
        "several_wins": True if len(won) > 1 else None,
        "winners": listing(nation.winners) if 1 < len(nation.winners) < 9 else None,
        "one_winner": nation.winners[0] if one else None,
        "no_winner": True if drivers and not won else None,
        "first_winner": nation.winner(facts, first) if first else None,
        "first_win": race_names(facts, first, by_track=False) if first else None,
        "last_winner": nation.winner(facts, last) if last else None,
        "last_win": race_names(facts, last, by_track=False) if last else None,
        "best": nation.winners[0] if clear else None,
        "best_wins": count(ranked[0], "win") if clear else None,
        "champions": listing(nation.champions) if len(nation.champions) > 1 else None,
        "n_champions": count(len(nation.champions), "champion"),
        "one_champion": nation.champions[0] if len(nation.champions) == 1 else None,
        "races": count(len(nation.held), "race") if nation.held else None,
        "races_times": times(len(nation.held)) if nation.held else None,
        "tracks": listing(the_circuit(name) for name in nation.circuits) if 1 < len(nation.circuits) < 9 else None,
        "some": tuple(listing(d.name for d in drivers[i : i + 4]) for i in range(0, len(drivers) - 1, 4)) or None,
    }


def nation_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for nation in nations(facts):
        if nation.drivers:
            title = f"{capital(the_country(nation.country))} in Formula One"
            yield from article(_NATION, nation_context(facts, nation), title, rng, variants)
