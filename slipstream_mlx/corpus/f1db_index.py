"""F1DB's tables gone through once: its names for its ids, and each start under its driver, team and engine."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from .f1db_names import CIRCUITS, COUNTRIES, DRIVERS, TEAMS

NOT_STARTED = {"DNS", "DNQ", "DNPQ", "DNP", "EX"}


class Row(NamedTuple):
    """A row of race-results.yml: its columns are f1db_read.RESULT, in that order."""

    position: int | str
    driver: str
    team: str
    engine: str
    grid: int | str | None
    laps: int | None
    time: str | None
    gap: str | None
    reason: str | None
    points: float | None
    shared: bool | None
    slam: bool | None
    number: int | str | None


class Start(NamedTuple):
    race: str  # "1988-japan"
    year: int
    round: int
    row: Row


@dataclass
class Tally:
    """One driver's, team's or engine's starts, and how often it was on pole or set the fastest lap, by year."""

    starts: list[Start] = field(default_factory=list)
    poles: Counter = field(default_factory=Counter)
    fastest: int = 0

    @property
    def races(self) -> list[str]:
        return list(dict.fromkeys(start.race for start in self.starts))

    def years(self) -> dict[int, list[Start]]:
        by_year: dict[int, list[Start]] = defaultdict(list)
        for start in self.starts:
            by_year[start.year].append(start)
        return by_year


def places(starts: list[Start], cars: bool = False) -> list[int]:
    """The places finished in; a shared car counts for each of its drivers, but once for its team (`cars`)."""
    rows = (start.row for start in starts)
    return [r.position for r in rows if isinstance(r.position, int) and not (cars and r.shared)]


def rounds(text: str) -> set[int]:
    """The numbers in "1-3,5"."""
    spans = (part.partition("-") for part in text.split(","))
    return {n for first, _, last in spans for n in range(int(first), int(last or first) + 1)}


class Index:
    """The tables by what they are about. Ids are F1DB's; `driver`, `team` and the like give the names for them."""

    def __init__(self, tables: dict, last_season: int):
        self.tables, self.last = tables, last_season
        self.races: list[tuple[str, int, dict, list[Row]]] = []  # (key, year, race, results), in order
        self.drivers: dict[str, Tally] = defaultdict(Tally)
        self.teams: dict[str, Tally] = defaultdict(Tally)
        self.engines: dict[str, Tally] = defaultdict(Tally)
        self.sprint_points: Counter[str] = Counter()
        self.entries: dict[str, dict[int, list[dict]]] = defaultdict(lambda: defaultdict(list))  # by team and year
        for year, season in tables["seasons"].items():
            for race in season["races"]:
                self._add(int(year), race)
        for year, season in tables["seasons"].items():
            self._add_entries(int(year), season["entries"])

    def _add(self, year: int, race: dict) -> None:
        key = f"{year}-{race['grandPrixId']}"
        rows = [Row._make(row) for row in race["results"]]
        self.races.append((key, year, race, rows))
        engine_of = {}
        for row in rows:
            engine_of[row.driver] = row.engine
            if row.position not in NOT_STARTED:
                start = Start(key, year, race["round"], row)
                self.drivers[row.driver].starts.append(start)
                self.teams[row.team].starts.append(start)
                self.engines[row.engine].starts.append(start)
        for driver, team, _ in race["pole"]:
            self.drivers[driver].poles[year] += 1
            self.teams[team].poles[year] += 1
            self.engines[engine_of[driver]].poles[year] += 1
        for driver, *_ in race["fastest"]:
            self.drivers[driver].fastest += 1
        for team in {row[1] for row in race["fastest"]}:
            self.teams[team].fastest += 1
        for driver, _, points, _ in race["sprint"]:
            self.sprint_points[driver] += points or 0

    def _add_entries(self, year: int, entries: list[dict]) -> None:
        """Keep the entries of those who then started, with the rounds in which they did."""
        started = defaultdict(set)  # (driver, team) -> rounds
        for race in self.tables["seasons"][str(year)]["races"]:
            for row in race["results"]:
                if row[0] not in NOT_STARTED:  # position, driver, team
                    started[row[1], row[2]].add(race["round"])
        for entry in entries:
            run = rounds(entry["rounds"]) & started[entry["driver"], entry["team"]]
            if run:
                self.entries[entry["team"]][year].append({**entry, "rounds": run})

    def driver(self, key: str) -> str:
        return DRIVERS.get(key) or self.tables["drivers"][key]["name"]

    def team(self, key: str) -> str:
        return TEAMS.get(key) or self.tables["constructors"][key]["name"]

    def engine(self, key: str) -> str:
        return self.tables["engine-manufacturers"][key]["name"]

    def circuit(self, key: str) -> str:
        return CIRCUITS.get(key) or self.tables["circuits"][key]["name"]

    def country(self, key: str) -> str:
        name = self.tables["countries"][key]["name"]
        return COUNTRIES.get(name, name)

    def champion(self, year: str) -> str | None:
        """The champion's id: the first of the final table, if there is one."""
        table = self.tables["seasons"][year]["drivers"]
        return next((driver for place, driver, _ in table if place == 1), None)
