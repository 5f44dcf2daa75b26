"""The records people ask for: most, youngest, first, last, only. Each is computed from the tables, none is typed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from .contexts_drivers import age_on
from .facts import Facts
from .names import race_names
from .shapes import Driver, Race
from .words import Context, count, listing, number, ordinal, points, the_circuit, the_country, times


@dataclass(frozen=True)
class Record:
    """Who holds a record. subject: "driver", "team", "engine", "circuit", "country", "race" or "season"."""

    key: str  # "wins"
    subject: str
    names: tuple[str, ...]  # the holders; for a race its key, for a season its year
    context: Context = field(default_factory=dict)  # {count}, {year}, {race}, {age}, for the texts


def _best(rows: Iterable, value: Callable) -> tuple:
    """The highest value, and every row that has it."""
    rows = list(rows)
    top = max(value(row) for row in rows)
    return top, [row for row in rows if value(row) == top]


def _counted(key: str, subject: str, counts: Counter, noun: str, plural: str | None = None) -> Iterator[Record]:
    counts = Counter({name: n for name, n in counts.items() if n > 0})
    if counts:
        n, names = _best(counts, counts.__getitem__)
        yield Record(key, subject, tuple(names), {"count": count(n, noun, plural), "n": number(n), "times": times(n)})


# ---- what the embedded tables know too --------------------------------------------------------------------------


def _embedded(facts: Facts) -> Iterator[Record]:
    people = facts.drivers or facts.champions
    yield from _counted("titles", "driver", facts.titles, "title")
    yield from _counted("runner_up", "driver", facts.runner_up_places, "time")
    yield from _counted("wins", "driver", Counter({p.name: p.wins for p in people}), "win")
    yield from _counted("poles", "driver", Counter({p.name: p.poles for p in people}), "pole position")
    yield from _counted("podiums", "driver", Counter({p.name: p.podiums for p in people}), "podium finish",
                        "podium finishes")  # fmt: skip
    yield from _counted("starts", "driver", Counter({p.name: p.starts for p in people}), "start")
    _, young = _best(facts.champions, lambda row: -_age_at_title(row.born, row.titles[0]))
    yield Record("youngest_champion", "driver", (young[0].name,), {"year": young[0].titles[0]})
    _, old = _best(facts.champions, lambda row: _age_at_title(row.born, row.titles[-1]))
    yield Record("oldest_champion", "driver", (old[0].name,), {"year": old[0].titles[-1]})
    first, last = facts.seasons[0], facts.seasons[-1]
    yield Record("first_champion", "driver", (first.champion,), {"year": first.year, "team": first.champion_team})
    yield Record("last_champion", "driver", (last.champion,), {"year": last.year, "team": last.champion_team})
    crowned = next(season for season in facts.seasons if season.constructors_champion)
    yield Record("first_constructors", "team", (crowned.constructors_champion,), {"year": crowned.year})
    titles = Counter({team.name: len(team.constructors_titles) for team in facts.teams})
    yield from _counted("constructors_titles", "team", titles, "title")
    yield from _counted("team_wins", "team", Counter({team.name: team.wins for team in facts.teams}), "win")
    drivers = Counter({team.name: len(team.drivers_titles) for team in facts.teams})
    yield from _counted("team_drivers_titles", "team", drivers, "title")
    _, rows = _best(facts.circuits, lambda row: row.length_km)
    yield Record("longest", "circuit", (rows[0].name,), {"count": f"{rows[0].length_km:.3f} km"})
    visits = Counter({circuit.name: circuit.races for circuit in facts.circuits})
    yield from _counted("visits", "circuit", visits, "race")
    champions = Counter({country: len(rows) for country, rows in facts.champions_by_country.items()})
    yield from _counted("nation", "country", champions, "champion")
    yield from _counted("nation_titles", "country", Counter(
        {country: sum(len(c.titles) for c in rows) for country, rows in facts.champions_by_country.items()}
    ), "title")  # fmt: skip
    by_races = {season.year: season.races for season in facts.seasons}
    for key, sign in (("season_most_races", 1), ("season_fewest_races", -1)):
        n, years = _best(by_races, lambda year, sign=sign: sign * by_races[year])
        yield Record(key, "season", tuple(str(year) for year in years), {"count": count(abs(n), "race")})


def _age_at_title(born: str, year: int) -> int:
    """Days, on the last day of the year."""
    return (date(year, 12, 31) - date.fromisoformat(born)).days


# ---- drivers --------------------------------------------------------------------------------------------------


def _race_context(facts: Facts, race: Race) -> Context:
    return {"race": race_names(facts, race, by_track=False), "year": race.year}


def _by_age(facts: Facts, key: str, pairs: list[tuple[Driver, Race]]) -> Iterator[Record]:
    """The youngest and the oldest of drivers on the days of races."""

    def days(pair: tuple[Driver, Race]) -> int:
        return (date.fromisoformat(pair[1].date) - date.fromisoformat(pair[0].born)).days

    for which, (driver, race) in (("youngest", min(pairs, key=days)), ("oldest", max(pairs, key=days))):
        age = age_on(driver.born, race.date)
        yield Record(f"{which}_{key}", "driver", (driver.name,), {**_race_context(facts, race), "age": age})


def _runs(facts: Facts) -> Counter[str]:
    """The longest run of wins in races held one after the other, by driver."""
    runs: Counter[str] = Counter()
    for winner, races in groupby(race.winner.drivers for race in facts.races):
        length = len(list(races))
        for driver in winner:
            runs[driver] = max(runs[driver], length)
    return runs


def _drivers(facts: Facts) -> Iterator[Record]:
    people, named = facts.drivers, facts.driver_by_name
    yield from _counted("fastest_laps", "driver", Counter({d.name: d.fastest_laps for d in people}), "fastest lap")
    yield from _counted("grand_slams", "driver", Counter({d.name: d.grand_slams for d in people}), "grand slam")
    n, rows = _best(people, lambda d: d.points)
    yield Record("points", "driver", tuple(d.name for d in rows), {"count": points(n)})
    yield from _counted("seasons", "driver", Counter({d.name: len(d.seasons) for d in people}), "season")
    yield from _counted("wins_no_title", "driver", Counter({d.name: d.wins for d in people if not d.titles}), "win")
    yield from _counted("starts_no_win", "driver", Counter({d.name: d.starts for d in people if not d.wins}), "start")
    yield from _counted("podiums_no_win", "driver", Counter({d.name: d.podiums for d in people if not d.wins}),
                        "podium finish", "podium finishes")  # fmt: skip
    yield from _counted("starts_no_podium", "driver", Counter({d.name: d.starts for d in people if not d.podiums}),
                        "start")  # fmt: skip
    yield from _counted("wins_in_a_row", "driver", _runs(facts), "win")
    for key, noun in (("wins", "win"), ("poles", "pole position"), ("podiums", "podium finish")):
        n, rows = _best([s for d in people for s in d.seasons], lambda s, key=key: getattr(s, key))
        plural = "podium finishes" if key == "podiums" else None
        yield Record(f"{key}_in_season", "driver", tuple(dict.fromkeys(s.driver for s in rows)),
                     {"count": count(n, noun, plural), "year": listing(s.year for s in rows)})  # fmt: skip
    started = [(d, facts.race_by_key[d.first_race]) for d in people]
    yield next(_by_age(facts, "starter", started))
    ended = [(d, facts.race_by_key[d.last_race]) for d in people]
    yield list(_by_age(facts, "starter", ended))[1]
    yield from _by_age(facts, "winner", [(named[d], race) for race in facts.races for d in race.winner.drivers])
    yield from _by_age(facts, "pole", [(named[race.pole], race) for race in facts.races])
    on_podium = [(named[d], race) for race in facts.races for place in race.podium for d in place.drivers]
    yield next(_by_age(facts, "podium", on_podium))
    same = Counter((driver, race.grand_prix) for race in facts.races for driver in race.winner.drivers)
    n, pairs = _best(same, same.__getitem__)
    for driver, grand_prix in pairs[:1] if len(pairs) == 1 else ():
        yield Record("wins_one_race", "driver", (driver,), {"count": count(n, "win"), "race": f"the {grand_prix}"})
    women = [driver.name for driver in people if driver.female]
    if women:
        yield Record("women", "driver", tuple(women), {"count": count(len(women), "woman", "women")})
    scored = [driver.name for driver in people if driver.female and driver.points]
    if len(scored) == 1:
        yield Record("woman_points", "driver", tuple(scored))


# ---- teams, races, seasons, nations ---------------------------------------------------------------------------


def _teams(facts: Facts) -> Iterator[Record]:
    records = {team.name: team.record for team in facts.teams if team.record}
    yield from _counted("team_poles", "team", Counter({name: r.poles for name, r in records.items()}), "pole position")
    yield from _counted("team_races", "team", Counter({name: r.races for name, r in records.items()}), "race")
    n, rows = _best([s for r in records.values() for s in r.seasons], lambda s: s.wins)
    yield Record("team_wins_in_season", "team", tuple(dict.fromkeys(s.team for s in rows)),
                 {"count": count(n, "win"), "year": listing(s.year for s in rows)})  # fmt: skip
    one_twos = Counter(r.winner.team for r in facts.races if r.second and r.second.team == r.winner.team)
    yield from _counted("one_twos", "team", one_twos, "one-two")
    yield from _counted("engine_wins", "engine", Counter({e.name: e.wins for e in facts.engines}), "win")
    yield from _counted("engine_titles", "engine", Counter(
        {e.name: len(e.drivers_titles) for e in facts.engines}
    ), "drivers' title")  # fmt: skip


def _races(facts: Facts) -> Iterator[Record]:
    first = facts.races[0]
    yield Record("first_winner", "driver", first.winner.drivers, _race_context(facts, first))
    yield Record("first_pole", "driver", (first.pole,), _race_context(facts, first))
    yield Record("first_race", "race", (first.key,), {"year": first.year, "track": the_circuit(first.circuit)})
    close = [race for race in facts.races if race.margin and race.margin.endswith("seconds") and "minute"
             not in race.margin]  # fmt: skip
    if close:
        race = min(close, key=lambda race: float(race.margin.split()[0]))
        winner = listing(race.winner.drivers)
        yield Record("closest", "race", (race.key,),
                     {**_race_context(facts, race), "count": race.margin, "winner": winner})  # fmt: skip
    for key, value, sign in (
        ("most_retirements", lambda race: len(race.retired or ()), 1),
        ("shortest_race", lambda race: race.distance_km, -1),
        ("longest_race", lambda race: race.distance_km if race.grand_prix != "Indianapolis 500" else 0, 1),
        ("furthest_back", lambda race: race.winner.grid or 0, 1),
    ):
        n, rows = _best(facts.races, lambda race, value=value, sign=sign: sign * value(race))
        race, n = rows[0], abs(n)
        if len(rows) > 1:
            continue
        if key == "furthest_back":
            yield Record(key, "driver", race.winner.drivers, {**_race_context(facts, race), "count": ordinal(n)})
            continue
        text = f"{n:.1f} km" if "race" in key else number(n)
        yield Record(key, "race", (race.key,), {**_race_context(facts, race), "count": text,
                                                "winner": listing(race.winner.drivers)})  # fmt: skip


def _seasons(facts: Facts) -> Iterator[Record]:
    winners = {year: len({d for race in races for d in race.winner.drivers})
               for year, races in facts.races_by_year.items()}  # fmt: skip
    n, years = _best(winners, winners.__getitem__)
    if len(years) == 1:
        yield Record("season_most_winners", "season", (str(years[0]),), {"count": count(n, "winner")})
    gaps = {s.year: s.standings[0].points - s.standings[1].points for s in facts.seasons if len(s.standings) > 1}
    for key, sign in (("season_closest", -1), ("season_clearest", 1)):
        if gaps:
            n, years = _best(gaps, lambda year, sign=sign: sign * gaps[year])
            season = facts.season_by_year[years[0]]
            text = {"count": points(abs(n)), "champion": season.champion, "runner_up": season.runner_up}
            yield Record(key, "season", (str(years[0]),), text)


def _nations(facts: Facts) -> Iterator[Record]:
    country = {driver.name: driver.country for driver in facts.drivers}
    wins = Counter(name for race in facts.races for name in {country[d] for d in race.winner.drivers})
    yield from _counted("nation_wins", "country", wins, "win")
    winners = Counter(country[name] for name in facts.wins_of)
    yield from _counted("nation_winners", "country", winners, "winner")
    yield from _counted("nation_drivers", "country", Counter(country.values()), "driver")
    held = Counter(facts.circuit_by_name[race.circuit].country for race in facts.races)
    yield from _counted("nation_races", "country", held, "race")


def records(facts: Facts) -> Iterator[Record]:
    """All records that the tables hold."""
    yield from _embedded(facts)
    if facts.races:
        for part in (_drivers, _teams, _races, _seasons, _nations):
            yield from part(facts)


def holders(facts: Facts, record: Record) -> list[str]:
    """The holders' names as a sentence has them."""
    if record.subject == "circuit":
        return [the_circuit(name) for name in record.names]
    if record.subject == "country":
        return [the_country(name) for name in record.names]
    if record.subject == "race":
        return [race_names(facts, facts.race_by_key[key])[0] for key in record.names]
    return list(record.names)
