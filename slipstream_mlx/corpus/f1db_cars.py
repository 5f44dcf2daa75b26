"""Teams, engines, circuits and Grands Prix, from F1DB's tables."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from .f1db_index import Index, Start, places
from .f1db_names import ASPIRATIONS, NOT_OF
from .facts import EMBEDDED, Circuit, Team
from .shapes import Engine, EngineModel, GrandPrix, Layout, TeamRecord, TeamSeason

_OURS = {circuit.key: circuit for circuit in EMBEDDED.circuits}
_NOTES = {team.key: team.note for team in EMBEDDED.teams}


def _still(years: list[int], last: int) -> int | None:
    return None if max(years) == last else max(years)


def _most_first(items) -> tuple:
    return tuple(item for item, _ in Counter(items).most_common())


# ---- teams ----------------------------------------------------------------------------------------------------


def _team_season(index: Index, key: str, year: int, starts: list[Start], entries: list[dict]) -> TeamSeason:
    table = index.tables["seasons"][str(year)]["constructors"]
    lines = [(place, points) for place, team, _, points in table if team == key and isinstance(place, int)]
    place, points = min(lines, default=(None, None))
    models, chassis = index.tables["engines"], index.tables["chassis"]
    finishes = places(starts, cars=True)
    return TeamSeason(
        team=index.team(key),
        year=year,
        drivers=tuple(index.driver(driver) for driver in _most_first(start.row.driver for start in starts)),
        one_entrant=len({row["entrant"] for row in entries}) == 1,
        engines=tuple(index.engine(e) for e in _most_first(start.row.engine for start in starts)),
        models=tuple(str(models[m]["fullName"]) for m in dict.fromkeys(m for row in entries for m in row["engines"])),
        cars=tuple(str(chassis[c]["fullName"]) for c in dict.fromkeys(c for row in entries for c in row["chassis"])),
        tyres=tuple(
            index.tables["tyre-manufacturers"][t]["name"]
            for t in dict.fromkeys(t for row in entries for t in row["tyres"])
        ),
        wins=finishes.count(1),
        podiums=sum(place <= 3 for place in finishes),
        poles=index.teams[key].poles[year],
        points=points,
        place=place,
    )


def _lineage(index: Index, key: str) -> tuple[tuple, tuple]:
    """The names a team had before and after, with the years in which it took them."""
    before, after = [], []
    names = index.tables["constructors"][key].get("chronology", [])
    for old, new in zip(names, names[1:], strict=False):
        if new["yearFrom"] > index.last:
            continue
        if new["constructorId"] == key:
            before.append((index.team(old["constructorId"]), new["yearFrom"]))
        if old["constructorId"] == key:
            after.append((index.team(new["constructorId"]), new["yearFrom"]))
    return tuple(before), tuple(after)


def teams(index: Index) -> Iterator[Team]:
    champions: dict[str, list[int]] = defaultdict(list)  # team -> years of drivers' titles
    constructors: dict[str, list[int]] = defaultdict(list)
    for year, season in index.tables["seasons"].items():
        driver = index.champion(year)
        for team in {s.row.team for s in index.drivers[driver].starts if s.year == int(year)}:
            champions[team].append(int(year))
        for place, team, _, _ in season["constructors"]:
            if place == 1:
                constructors[team].append(int(year))
    for key, tally in index.teams.items():
        row, by_year, entries = index.tables["constructors"][key], tally.years(), index.entries[key]
        before, after = _lineage(index, key)
        seasons = [_team_season(index, key, year, starts, entries[year]) for year, starts in by_year.items()]
        finishes = places(tally.starts, cars=True)
        yield Team(
            key=key,
            name=index.team(key),
            country=index.country(row["countryId"]),
            first_season=min(by_year),
            last_season=_still(list(by_year), index.last),
            drivers_titles=tuple(champions[key]),
            constructors_titles=tuple(constructors[key]),
            wins=finishes.count(1),
            note=_NOTES.get(key, ""),
            record=TeamRecord(
                full_name=str(row["fullName"]),
                seasons=tuple(seasons),
                races=len(tally.races),
                podiums=sum(place <= 3 for place in finishes),
                poles=tally.poles.total(),
                fastest_laps=tally.fastest,
                first_race=tally.starts[0].race,
                last_race=tally.starts[-1].race,
                before=before,
                after=after,
            ),
        )


# ---- engines --------------------------------------------------------------------------------------------------


def _engine_titles(index: Index) -> tuple[dict, dict]:
    """Years of titles by make: the drivers' champion's, and the constructors'."""
    drivers, constructors = defaultdict(list), defaultdict(list)
    for year, season in index.tables["seasons"].items():
        starts = [s.row for s in index.drivers[index.champion(year)].starts if s.year == int(year)]
        if starts:  # the make he won most with; 1958's champion won once, 1982's too
            makes = Counter(row.engine for row in starts if row.position == 1)
            drivers[(makes or Counter(row.engine for row in starts)).most_common(1)[0][0]].append(int(year))
        for place, _, engine, _ in season["constructors"]:
            if place == 1:
                constructors[engine].append(int(year))
    return drivers, constructors


def engines(index: Index) -> Iterator[Engine]:
    drivers, constructors = _engine_titles(index)
    for key, tally in index.engines.items():
        row, years = index.tables["engine-manufacturers"][key], list(tally.years())
        finishes, won = places(tally.starts, cars=True), [s for s in tally.starts if s.row.position == 1]
        yield Engine(
            key=key,
            name=index.engine(key),
            country=index.country(row["countryId"]),
            first_season=min(years),
            last_season=_still(years, index.last),
            races=len(tally.races),
            wins=finishes.count(1),
            podiums=sum(place <= 3 for place in finishes),
            poles=tally.poles.total(),
            drivers_titles=tuple(drivers[key]),
            constructors_titles=tuple(constructors[key]),
            teams=tuple(index.team(t) for t in _most_first(s.row.team for s in tally.starts)),
            winning_teams=tuple(index.team(t) for t in _most_first(s.row.team for s in won)),
            first_win=won[0].race if won else None,
            last_win=won[-1].race if won else None,
        )


def engine_models(index: Index) -> Iterator[EngineModel]:
    used: dict[str, dict] = defaultdict(lambda: {"years": [], "teams": []})
    for key in index.teams:
        for year, entries in index.entries[key].items():
            for row in entries:
                for model in row["engines"]:
                    used[model]["years"].append(year)
                    used[model]["teams"].append(index.team(key))
    for key, use in sorted(used.items(), key=lambda item: (min(item[1]["years"]), item[0])):
        row = index.tables["engines"][key]
        if not all(row.get(name) for name in ("capacity", "configuration", "aspiration")):
            continue
        yield EngineModel(
            name=str(row["fullName"]),
            short=str(row["name"]),
            make=index.engine(row["engineManufacturerId"]),
            litres=row["capacity"],
            layout=row["configuration"],
            aspiration=ASPIRATIONS[row["aspiration"]],
            first_season=min(use["years"]),
            last_season=max(use["years"]),
            teams=_most_first(use["teams"]),
        )


# ---- circuits and Grands Prix ---------------------------------------------------------------------------------


def _layouts(row: dict, races: list[tuple[int, dict]]) -> Iterator[Layout]:
    for layout in row.get("layouts", []):
        years = tuple(year for year, race in races if race["circuitLayoutId"] == layout["id"])
        if years:
            yield Layout(float(layout["length"]), layout["turns"], tuple(dict.fromkeys(years)))


def circuits(index: Index) -> Iterator[Circuit]:
    held = defaultdict(list)
    for _, year, race, _ in index.races:
        held[race["circuitId"]].append((year, race))
    for key, races in held.items():
        row, ours, (last_year, last) = index.tables["circuits"][key], _OURS.get(key), races[-1]
        yield Circuit(
            key=key,
            name=index.circuit(key),
            full_name=row["fullName"],
            place=row["placeName"],
            country=index.country(row["countryId"]),
            length_km=last["courseLength"],
            turns=last["turns"],
            direction=last["direction"].lower().replace("_", "-"),
            first_year=races[0][0],
            last_year=last_year,
            races=len(races),
            corners=ours.corners if ours else (),
            aliases=ours.aliases if ours else (),
            former_names=tuple(row.get("previousNames", ())),
            layouts=tuple(_layouts(row, races)),
        )


def grands_prix(index: Index) -> Iterator[GrandPrix]:
    for key in dict.fromkeys(race["grandPrixId"] for _, _, race, _ in index.races):
        row = index.tables["grands-prix"][key]
        named_after = row["fullName"].removesuffix(" Grand Prix")
        country = row.get("countryId")
        yield GrandPrix(
            key=key,
            name=row["fullName"],
            country=index.country(country) if country else None,
            of=None if key in NOT_OF else row["name"],
            adjective=None if key in NOT_OF or named_after == row["name"] else named_after,
        )
