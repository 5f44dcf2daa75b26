"""From F1DB's tables (f1db_read.py makes them) to `Facts`: names for ids, and totals for rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from .f1db_cars import circuits, engine_models, engines, grands_prix, teams
from .f1db_index import NOT_STARTED, Index, Row, Start, places
from .f1db_names import RELATIVES
from .facts import Champion, Facts, Season
from .shapes import Driver, DriverSeason, Place, Race, Standing


def build(tables: dict, last_season: int) -> Facts:
    """All facts of F1DB up to a season. Raises KeyError, TypeError... for tables that are not F1DB's."""
    index = Index(tables, last_season)
    people = tuple(_drivers(index))
    return Facts(
        seasons=tuple(_seasons(index)),
        champions=tuple(_champion(d) for d in sorted(people, key=lambda driver: driver.titles) if d.titles),
        teams=tuple(teams(index)),
        circuits=tuple(circuits(index)),
        races=tuple(_race(index, *row) for row in index.races),
        drivers=people,
        engines=tuple(engines(index)),
        engine_models=tuple(engine_models(index)),
        grands_prix=tuple(grands_prix(index)),
    )


# ---- races ----------------------------------------------------------------------------------------------------


def _place(index: Index, rows: list[Row], position: int) -> Place | None:
    rows = [row for row in rows if row.position == position]
    if not rows:
        return None
    grid = next((row.grid for row in rows if isinstance(row.grid, int)), None)
    drivers = tuple(index.driver(row.driver) for row in rows)
    return Place(drivers, index.team(rows[0].team), index.engine(rows[0].engine), grid)


def _time(gap: str) -> str:
    """ "+1:04.200" -> "1 minute 4.2 seconds", "+13.363" -> "13.363 seconds"."""
    minutes, _, rest = gap.removeprefix("+").rpartition(":")
    seconds = f"{float(rest):.3f}".rstrip("0").rstrip(".")
    seconds += " second" if seconds == "1" else " seconds"
    return f"{int(minutes)} minute{'s' if int(minutes) > 1 else ''} {seconds}" if minutes else seconds


def _margin(rows: list[Row]) -> str | None:
    first, second = ([row for row in rows if row.position == n and not row.shared] for n in (1, 2))
    gap = second[0].gap if second else None
    if gap and "lap" not in gap:
        return _time(gap)
    if first and second and first[0].laps and second[0].laps:
        laps = first[0].laps - second[0].laps
        return f"{laps} lap{'s' if laps > 1 else ''}" if laps else None
    return None


def _race(index: Index, key: str, year: int, race: dict, rows: list[Row]) -> Race:
    cars = [row for row in rows if not row.shared and row.position not in NOT_STARTED]
    near = sorted((row for row in cars if row.position in range(4, 11)), key=lambda row: row.position)
    pole, fastest, leader = race["pole"][0], race["fastest"], (race["leaders"] or [[None, 0]])[0]
    winner, leading_team = _place(index, rows, 1), race["leading_team"]
    if not winner:
        raise KeyError(f"{key} has no winner")
    all_placed = race["grandPrixId"] == "indianapolis"  # every car has a place there, those that broke down too
    return Race(
        key=key,
        year=year,
        round=race["round"],
        grand_prix=index.tables["grands-prix"][race["grandPrixId"]]["fullName"],
        date=race["date"],
        circuit=index.circuit(race["circuitId"]),
        length_km=race["courseLength"],
        turns=race["turns"],
        laps=race["laps"],
        distance_km=race["distance"],
        scheduled_laps=race.get("scheduledLaps"),
        winner=winner,
        second=_place(index, rows, 2),
        third=_place(index, rows, 3),
        points_places=tuple(index.driver(row.driver) for row in near),
        winner_time=next((row.time for row in rows if row.position == 1), None),
        margin=_margin(rows),
        pole=index.driver(pole[0]),
        pole_team=index.team(pole[1]),
        pole_time=pole[2],
        pole_qualified=race["qualified"][:1] in ([], [[pole[0]]]),  # of some races only the grid is known
        fastest=tuple(index.driver(row[0]) for row in fastest),
        fastest_time=fastest[0][2] if fastest else None,
        fastest_lap=fastest[0][3] if len(fastest) == 1 else None,
        starters=len(cars),
        classified=None if all_placed else sum(isinstance(row.position, int) for row in cars),
        retired=None
        if all_placed
        else tuple((index.driver(r.driver), r.reason or "") for r in cars if r.position == "DNF"),
        sprint_winner=next((index.driver(row[0]) for row in race["sprint"] if row[3] == 1), None),
        leader=index.driver(leader[0]) if leader[0] else None,
        leader_points=leader[1],
        leading_team=index.team(leading_team[0][0]) if leading_team else None,
        decided=bool(race.get("driversChampionshipDecider")),
        decided_constructors=bool(race.get("constructorsChampionshipDecider")),
    )


# ---- seasons --------------------------------------------------------------------------------------------------


def _seasons(index: Index) -> Iterator[Season]:
    for year, table in index.tables["seasons"].items():
        key = index.champion(year)
        standings = [Standing(index.driver(d), place, n) for place, d, n in table["drivers"] if isinstance(place, int)]
        lines = [line for line in table["constructors"] if isinstance(line[0], int)]
        if not key or len(standings) < 2:
            continue  # in progress
        wins = Counter()  # of the champion, by team
        for start in index.drivers[key].starts:
            if start.year == int(year):
                wins[index.team(start.row.team)] += start.row.position == 1
        ranked = [team for team, _ in wins.most_common()]
        yield Season(
            year=int(year),
            champion=standings[0].name,
            champion_team=ranked[0],
            runner_up=standings[1].name,
            constructors_champion=next((index.team(team) for place, team, _, _ in lines if place == 1), None),
            races=len(table["races"]),
            also_team=ranked[1] if len(ranked) > 1 else None,
            standings=tuple(standings),
            team_standings=tuple(Standing(index.team(team), place, points) for place, team, _, points in lines),
        )


# ---- drivers --------------------------------------------------------------------------------------------------


def _team_mates(index: Index, year: int) -> dict[str, tuple[str, ...]]:
    """Who shared an entrant's team with whom, in at least half of a driver's races of the year."""
    crews: dict = defaultdict(lambda: defaultdict(set))  # (entrant, team) -> driver -> rounds
    for team, entries in index.entries.items():
        for entry in entries.get(year, ()):
            crews[entry["entrant"], team][entry["driver"]] |= entry["rounds"]
    total, shared = Counter(), defaultdict(Counter)
    for crew in crews.values():
        for driver, mine in crew.items():
            total[driver] += len(mine)
            shared[driver].update({mate: len(mine & theirs) for mate, theirs in crew.items() if mate != driver})
    return {
        driver: tuple(index.driver(mate) for mate, n in mates.most_common() if n and 2 * n >= total[driver])
        for driver, mates in shared.items()
    }


def _driver_seasons(index: Index) -> dict[str, list[DriverSeason]]:
    by_year: dict[int, dict[str, list]] = defaultdict(dict)  # year -> driver -> starts
    for key, tally in index.drivers.items():
        for year, starts in tally.years().items():
            by_year[year][key] = starts
    seasons = defaultdict(list)
    for year, drivers in sorted(by_year.items()):
        mates = _team_mates(index, year)
        table = {driver: (place, points) for place, driver, points in index.tables["seasons"][str(year)]["drivers"]}
        for key, starts in drivers.items():
            place, points = table.get(key, (None, 0))
            finishes = places(starts)
            seasons[key].append(
                DriverSeason(
                    driver=index.driver(key),
                    year=year,
                    teams=tuple(dict.fromkeys(index.team(start.row.team) for start in starts)),
                    team_mates=mates.get(key, ()),
                    starts=len({start.race for start in starts}),
                    wins=finishes.count(1),
                    podiums=sum(place <= 3 for place in finishes),
                    poles=index.drivers[key].poles[year],
                    best=min(finishes, default=None),
                    points=points,
                    place=place if isinstance(place, int) else None,
                )
            )
    return seasons


def _relatives(index: Index, row: dict) -> Iterator[tuple[str, str]]:
    for relation in row.get("familyRelationships", []):
        words, other = RELATIVES.get(relation["type"]), index.tables["drivers"].get(relation["driverId"])
        if words and other:
            yield words[other.get("gender") == "FEMALE"], index.driver(relation["driverId"])


def _drivers(index: Index) -> Iterator[Driver]:
    titles = defaultdict(list)
    for year, table in index.tables["seasons"].items():
        if table["drivers"]:
            titles[index.champion(year)].append(int(year))
    seasons = _driver_seasons(index)
    for key, tally in index.drivers.items():
        row, starts, finishes = index.tables["drivers"][key], tally.starts, places(tally.starts)
        yield Driver(
            key=key,
            name=index.driver(key),
            full_name=row["fullName"].removesuffix("."),  # "Foyt Jr."
            surname=row["lastName"].removesuffix(" Jr.").removesuffix(", Jr."),
            female=row.get("gender") == "FEMALE",
            nationality=index.tables["countries"][row["nationalityCountryId"]]["demonym"],
            country=index.country(row["nationalityCountryId"]),
            born=row["dateOfBirth"],
            birthplace=row["placeOfBirth"].removeprefix("near "),
            birth_country=index.country(row["countryOfBirthCountryId"]),
            died=row.get("dateOfDeath"),
            number=_number(starts),
            relatives=tuple(_relatives(index, row)),
            seasons=tuple(seasons[key]),
            first_race=starts[0].race,
            last_race=starts[-1].race,
            racing=starts[-1].year == index.last,
            titles=tuple(titles[key]),
            starts=len(tally.races),
            wins=finishes.count(1),
            podiums=sum(place <= 3 for place in finishes),
            poles=tally.poles.total(),
            fastest_laps=tally.fastest,
            grand_slams=sum(bool(start.row.slam) for start in starts),
            points=sum(start.row.points or 0 for start in starts) + index.sprint_points[key],
            best=min(finishes, default=None),
        )


def _number(starts: list[Start]) -> int | None:
    """The race number he chose, as drivers have done since 2014; None if he last raced as number one, the champion.

    F1DB's own field has today's, which may be a later choice.
    """
    used = [start.row.number for start in starts if start.year >= 2014]
    chosen = Counter(n for n in used if n != 1).most_common(1)
    return chosen[0][0] if len(used) >= 5 and chosen and used[-1] != 1 else None


def _champion(driver: Driver) -> Champion:
    return Champion(
        name=driver.name,
        nationality=driver.nationality,
        country=driver.country,
        born=driver.born,
        birthplace=driver.birthplace,
        birth_country=driver.birth_country,
        died=driver.died,
        titles=driver.titles,
        first_race_year=driver.years[0],
        last_race_year=None if driver.racing else driver.years[-1],
        wins=driver.wins,
        poles=driver.poles,
        podiums=driver.podiums,
        starts=driver.starts,
    )
