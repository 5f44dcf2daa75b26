"""Facts to ask for in F1DB's races and seasons."""

from collections.abc import Iterator

from . import keywords as kw
from .ask_tables import Fact
from .contexts_races import from_grid
from .facts import Facts, Season
from .names import race_names, short_name, short_track
from .render_seasons import champions_car, champions_engine, most_wins, second_team
from .shapes import Race
from .words import Context, capital, count, listing, long_date, number, points, the_circuit, the_country


def with_gp(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, and some as people type them: "the 1988 Japanese GP"."""
    return (*names, *(name.replace("Grand Prix", "GP") for name in dict.fromkeys(names) if "Grand Prix" in name))


def same_result(race: Race) -> str:
    """The thing asked about when the answer gives the race's winner away."""
    return f"race.result/{race.key}"


def race_keywords(facts: Facts, race: Race) -> kw.Keywords:
    """A race named: by its Grand Prix or its circuit or, if it was the country's only one that year, the country."""
    circuit, grand_prix = facts.circuit_by_name[race.circuit], facts.grand_prix_by_name[race.grand_prix]
    words = [race.grand_prix.removesuffix(" Grand Prix"), grand_prix.of or "", circuit.name, *circuit.aliases]
    if len([r for r in facts.races_by_year[race.year] if _country(facts, r) == circuit.country]) == 1:
        words += kw.country(circuit.country)[0]
    return kw.any_of(*words)


def _country(facts: Facts, race: Race) -> str:
    return facts.circuit_by_name[race.circuit].country


def _margin_keywords(margin: str) -> kw.Keywords:
    if "lap" in margin:
        return [kw.amount(int(margin.split()[0]))[0], ["lap", "laps"]]
    minutes, _, rest = margin.rpartition("minute")
    seconds = float(rest.removeprefix("s").split()[0])
    whole = kw.decimal(seconds, f"{seconds:.0f}")
    return [*kw.amount(int(minutes)), ["minute", "minutes"], *whole] if minutes else whole


def _margin(margin: str) -> str:
    n, _, unit = margin.partition(" ")
    return capital(count(int(n), "lap")) if unit.startswith("lap") else margin


def race_base(facts: Facts, race: Race) -> Context:
    circuit = facts.circuit_by_name[race.circuit]
    once = [_country(facts, other) for other in facts.races_by_year[race.year]].count(circuit.country) == 1
    twice_here = sum(other.circuit == race.circuit for other in facts.races_by_year[race.year]) > 1
    track = the_circuit(circuit.name)
    return {
        "year": race.year,
        "race": with_gp(race_names(facts, race)),
        "edition": with_gp(race_names(facts, race, by_track=False)),
        "gp": (race.grand_prix, race.grand_prix, race.grand_prix.replace("Grand Prix", "GP")),
        "track": None if twice_here else (track, track, the_circuit(short_track(circuit))),
        "country": the_country(circuit.country) if once else None,
    }


def _retirements(race: Race) -> str | None:
    if race.retired is None:
        return None
    return capital(count(len(race.retired), "car")) if race.retired else "None"


def _race_context(facts: Facts, race: Race) -> Context:
    winner, grid = race.winner.drivers, race.winner.grid
    circuit = facts.circuit_by_name[race.circuit]
    names = {"second": race.second, "third": race.third}
    return {
        **race_base(facts, race),
        "winner": listing(winner),
        "w": short_name(facts, winner[0]) if len(winner) == 1 else None,
        "team": race.winner.team,
        **{key: listing(place.drivers) if place else None for key, place in names.items()},
        "podium": listing(driver for place in race.podium for driver in place.drivers),
        "pole": race.pole,
        "qualifying": "qualifying" if race.pole_qualified else None,
        "qualifier": "qualifier" if race.pole_qualified else None,
        "fastest": race.fastest[0] if race.fastest else None,
        "circuit": capital(the_circuit(circuit.name)),
        "date": long_date(race.date),
        "laps": capital(count(race.laps, "lap")),
        "margin": _margin(race.margin) if race.margin else None,
        "grid": capital(from_grid(grid)) if grid else None,
        "retirements": _retirements(race),
        "leader": race.leader,
        "round": race.round,
        "sprint": race.sprint_winner,
        "keywords": {
            "winner": kw.people(facts, winner),
            "team": kw.team(race.winner.team),
            **{key: kw.people(facts, place.drivers) if place else [] for key, place in names.items()},
            "podium": kw.people(facts, [driver for place in race.podium for driver in place.drivers]),
            "pole": kw.person(facts, race.pole),
            "fastest": kw.people(facts, race.fastest[:1]),
            "circuit": kw.circuit(circuit),
            "date": kw.day(long_date(race.date)),
            "laps": kw.amount(race.laps),
            "margin": _margin_keywords(race.margin) if race.margin else [],
            "grid": kw.grid(grid) if grid else [],
            "retirements": kw.amount(len(race.retired or ())),
            "leader": kw.people(facts, [race.leader] if race.leader else []),
            "round": kw.nth(race.round),
            "sprint": kw.people(facts, [race.sprint_winner] if race.sprint_winner else []),
        },
    }


def race_facts(facts: Facts) -> Iterator[Fact]:
    for race in facts.races:
        context = _race_context(facts, race)
        solo = all(len(place.drivers) == 1 for place in race.podium)
        yield "race.winner", race.key, context
        for key in ("pole", "circuit", "date", "laps", "round", "retirements"):
            if context[key]:
                yield f"race.{key}", race.key, context
        if solo:
            for key in ("team", "second", "third", "podium", "margin", "grid"):
                if context[key] and (key != "podium" or len(race.podium) == 3):
                    yield f"race.{key}", race.key, context
        if len(race.fastest) == 1:
            yield "race.fastest", race.key, context
        for key in ("leader", "sprint"):
            if context[key]:
                yield f"race.{key}", race.key, context
        later = [other.year for other in facts.races_called[race.grand_prix] if other.year > race.year]
        if later and later[0] > race.year + 1:
            words = {"next_year": later[0], "keywords": {"next_year": kw.all_of(later[:1])}}
            yield "race.next", race.key, {**context, **words}


# ---- seasons --------------------------------------------------------------------------------------------------


def _season_context(facts: Facts, season: Season) -> Context:
    races, table = facts.races_by_year[season.year], season.standings
    first, last = races[0], races[-1]
    year = next(s for s in facts.driver_by_name[season.champion].seasons if s.year == season.year)
    margin = table[0].points - table[1].points
    decided = next((race for race in races if race.decided), None)
    most = most_wins(facts, season.year)[1]
    winners = {driver for race in races for driver in race.winner.drivers}
    car, engine, second = champions_car(facts, season), champions_engine(facts, season), second_team(season)
    third = table[2].name if len(table) > 2 else None
    return {
        "year": season.year,
        "champion": season.champion,
        "c": short_name(facts, season.champion),
        "team": season.champion_team,
        "runner_up": season.runner_up,
        "third": third,
        "points": capital(points(table[0].points)),
        "margin": capital(points(margin)) if margin else None,
        "decided_gp": f"The {decided.grand_prix}" if decided else None,
        "decided_date": long_date(decided.date) if decided else None,
        "wins": capital(count(year.wins, "win")),
        "races_n": number(len(races)),
        "car": car,
        "engine": engine,
        "constructors": season.constructors_champion,
        "constructors_second": second,
        "first_gp": first.grand_prix,
        "last_gp": last.grand_prix,
        "first_winner": listing(first.winner.drivers),
        "last_winner": listing(last.winner.drivers),
        "most_wins": most[0] if len(most) == 1 else None,
        "winners": capital(count(len(winners), "driver")),
        "keywords": {
            "third": kw.people(facts, [third] if third else []),
            "points": kw.score(table[0].points),
            "margin": kw.score(margin),
            "decided": race_keywords(facts, decided) if decided else [],
            "decided_date": kw.day_and_month(long_date(decided.date)) if decided else [],
            "wins": kw.amount(year.wins),
            "car": _car_keywords(car, season.champion_team) if car else [],
            "engine": kw.any_of(engine or ""),
            "constructors_second": kw.team(second or ""),
            "first_race": race_keywords(facts, first),
            "last_race": race_keywords(facts, last),
            "first_winner": kw.people(facts, first.winner.drivers),
            "last_winner": kw.people(facts, last.winner.drivers),
            "most_wins": kw.people(facts, most[:1]),
            "winners": kw.amount(len(winners)),
        },
    }


def _car_keywords(car: str, team: str) -> kw.Keywords:
    return kw.any_of(car.removeprefix(f"{team} "), car)


def season_race_facts(facts: Facts) -> Iterator[Fact]:
    for season in facts.seasons:
        if season.year not in facts.races_by_year or len(season.standings) < 2:
            continue
        context, year = _season_context(facts, season), str(season.year)
        races = facts.races_by_year[season.year]
        for key, needed in (
            ("third", "third"), ("points", "points"), ("margin", "margin"), ("wins", "wins"), ("car", "car"),
            ("engine", "engine"), ("decided_race", "decided_gp"), ("decided_when", "decided_date"),
            ("first_race", "first_gp"), ("last_race", "last_gp"), ("most_wins", "most_wins"), ("winners", "winners"),
            ("constructors_second", "constructors_second"),
        ):  # fmt: skip
            if context[needed]:
                yield f"season.{key}", year, context
        yield "season.first_winner", same_result(races[0]), context
        yield "season.last_winner", same_result(races[-1]), context
