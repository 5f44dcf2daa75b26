"""From F1DB's tables to `Facts`: names for ids, totals for rows. f1db_read.py makes the tables."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from .f1db_names import ASPIRATIONS, CIRCUITS, COUNTRIES, DRIVERS, NOT_OF, RELATIVES, TEAMS
from .f1db_read import RESULT
from .facts import EMBEDDED, Champion, Circuit, Facts, Season, Team
from .shapes import (
    Driver,
    DriverSeason,
    Engine,
    EngineModel,
    GrandPrix,
    Layout,
    Place,
    Race,
    Standing,
    TeamRecord,
    TeamSeason,
)

NOT_STARTED = {"DNS", "DNQ", "DNPQ", "DNP", "EX"}
_OURS = {circuit.key: circuit for circuit in EMBEDDED.circuits}
_NOTES = {team.key: team.note for team in EMBEDDED.teams}


def _rounds(text: str) -> set[int]:
    """The numbers in "1-3,5"."""
    spans = (part.partition("-") for part in text.split(","))
    return {n for first, _, last in spans for n in range(int(first), int(last or first) + 1)}


def _seconds(gap: str) -> str:
    """ "+1:04.200" -> "1 minute 4.2 seconds", "+13.363" -> "13.363 seconds"."""
    minutes, _, seconds = gap.removeprefix("+").rpartition(":")
    seconds = f"{float(seconds):.3f}".rstrip("0").rstrip(".") + " seconds"
    return f"{int(minutes)} minute{'s' if int(minutes) > 1 else ''} {seconds}" if minutes else seconds


class _Build:
    """The tables, the names, and every start of every driver, gone through once."""

    def __init__(self, tables: dict, last_season: int):
        self.tables, self.last = tables, last_season
        self.results: dict[str, list[dict]] = {}  # by race
        self.order: list[tuple[str, int, dict]] = []  # (race's key, year, race)
        self.starts: dict[str, list[tuple[str, int, dict]]] = defaultdict(list)  # driver -> (race, year, row)
        self.team_starts: dict[str, list[tuple[str, int, dict]]] = defaultdict(list)
        self.engine_starts: dict[str, list[tuple[str, int, dict]]] = defaultdict(list)
        self.poles: Counter[tuple[str, int]] = Counter()  # (driver or team or engine, year)
        self.fastest: Counter[str] = Counter()
        self.sprint_points: Counter[str] = Counter()
        for year, season in tables["seasons"].items():
            for race in season["races"]:
                self._add(int(year), race)

    def _add(self, year: int, race: dict) -> None:
        key = f"{year}-{race['grandPrixId']}"
        rows = [dict(zip(RESULT, row, strict=True)) for row in race["results"]]
        self.results[key] = rows
        self.order.append((key, year, race))
        for row in rows:
            if row["position"] not in NOT_STARTED:
                self.starts[row["driverId"]].append((key, year, row))
                self.team_starts[row["constructorId"]].append((key, year, row))
                self.engine_starts[row["engineManufacturerId"]].append((key, year, row))
        for driver, team, _ in race["pole"]:
            engine = next((r["engineManufacturerId"] for r in rows if r["driverId"] == driver), "")
            self.poles.update([(driver, year), (team, year), (f"engine {engine}", year)])
        self.fastest.update(row[0] for row in race["fastest"])
        self.fastest.update({f"team {row[1]}" for row in race["fastest"]})
        self.sprint_points.update({row[0]: row[2] or 0 for row in race["sprint"]})

    # ---- names ----

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

    # ---- races ----

    def place(self, rows: list[dict], position: int) -> Place | None:
        rows = [row for row in rows if row["position"] == position]
        if not rows:
            return None
        grid = next((row["gridPosition"] for row in rows if isinstance(row["gridPosition"], int)), None)
        drivers = tuple(self.driver(row["driverId"]) for row in rows)
        return Place(drivers, self.team(rows[0]["constructorId"]), self.engine(rows[0]["engineManufacturerId"]), grid)

    def margin(self, rows: list[dict]) -> str | None:
        first, second = ([row for row in rows if row["position"] == n and not row["sharedCar"]] for n in (1, 2))
        gap = second[0]["gap"] if second else None
        if gap and "lap" not in gap:
            return _seconds(gap)
        if first and second and first[0]["laps"] and second[0]["laps"]:
            laps = first[0]["laps"] - second[0]["laps"]
            return f"{laps} lap{'s' if laps > 1 else ''}" if laps else None
        return None

    def race(self, key: str, year: int, race: dict) -> Race:
        rows = self.results[key]
        cars = [row for row in rows if not row["sharedCar"] and row["position"] not in NOT_STARTED]
        pole, fastest, leader = race["pole"][0], race["fastest"], (race["leaders"] or [[None, 0]])[0]
        near = sorted((row for row in cars if row["position"] in range(4, 11)), key=lambda row: row["position"])
        winner = self.place(rows, 1)
        if not winner:
            raise KeyError(f"{key} has no winner")
        return Race(
            key=key,
            year=year,
            round=race["round"],
            grand_prix=self.tables["grands-prix"][race["grandPrixId"]]["fullName"],
            date=race["date"],
            circuit=self.circuit(race["circuitId"]),
            length_km=race["courseLength"],
            turns=race["turns"],
            laps=race["laps"],
            distance_km=race["distance"],
            scheduled_laps=race.get("scheduledLaps"),
            winner=winner,
            second=self.place(rows, 2),
            third=self.place(rows, 3),
            points_places=tuple(self.driver(row["driverId"]) for row in near),
            winner_time=next((row["time"] for row in rows if row["position"] == 1), None),
            margin=self.margin(rows),
            pole=self.driver(pole[0]),
            pole_team=self.team(pole[1]),
            pole_time=pole[2],
            fastest=tuple(self.driver(row[0]) for row in fastest),
            fastest_time=fastest[0][2] if fastest else None,
            fastest_lap=fastest[0][3] if len(fastest) == 1 else None,
            starters=len(cars),
            classified=sum(isinstance(row["position"], int) for row in cars),
            retired=tuple(
                (self.driver(r["driverId"]), r["reasonRetired"] or "") for r in cars if r["position"] == "DNF"
            ),
            sprint_winner=next((self.driver(row[0]) for row in race["sprint"] if row[3] == 1), None),
            leader=self.driver(leader[0]) if leader[0] else None,
            leader_points=leader[1],
            leading_team=self.team(race["leading_team"][0][0]) if race["leading_team"] else None,
            decided=bool(race.get("driversChampionshipDecider")),
            decided_constructors=bool(race.get("constructorsChampionshipDecider")),
        )

    # ---- drivers ----

    def team_mates(self, year: int) -> dict[str, tuple[str, ...]]:
        """Who shared an entrant's team with whom, in at least half of a driver's races of the year."""
        started = defaultdict(set)  # (driver, team) -> rounds
        for race in self.tables["seasons"][str(year)]["races"]:
            for row in self.results[f"{year}-{race['grandPrixId']}"]:
                if row["position"] not in NOT_STARTED:
                    started[row["driverId"], row["constructorId"]].add(race["round"])
        crews = defaultdict(dict)  # (entrant, team) -> driver -> rounds
        for entry in self.tables["seasons"][str(year)]["entries"]:
            rounds = _rounds(entry["rounds"]) & started[entry["driver"], entry["team"]]
            crew = crews[entry["entrant"], entry["team"]]
            crew[entry["driver"]] = crew.get(entry["driver"], set()) | rounds
        total, shared = Counter(), defaultdict(Counter)
        for crew in crews.values():
            for driver, rounds in crew.items():
                total[driver] += len(rounds)
                shared[driver].update({mate: len(rounds & theirs) for mate, theirs in crew.items() if mate != driver})
        return {
            driver: tuple(self.driver(mate) for mate, n in mates.most_common() if n and 2 * n >= total[driver])
            for driver, mates in shared.items()
        }

    def driver_seasons(self) -> dict[str, list[DriverSeason]]:
        seasons = defaultdict(list)
        for year, table in self.tables["seasons"].items():
            mates = self.team_mates(int(year))
            final = {driver: (place, points) for place, driver, points in table["drivers"]}
            drove = {key: [r for _, y, r in rows if y == int(year)] for key, rows in self.starts.items()}
            for key, rows in drove.items():
                if not rows:
                    continue
                place, points = final.get(key, (None, 0))
                positions = [row["position"] for row in rows if isinstance(row["position"], int)]
                seasons[key].append(DriverSeason(
                    driver=self.driver(key),
                    year=int(year),
                    teams=tuple(dict.fromkeys(self.team(row["constructorId"]) for row in rows)),
                    team_mates=mates.get(key, ()),
                    starts=len({race for race, y, _ in self.starts[key] if y == int(year)}),
                    wins=positions.count(1),
                    podiums=sum(position <= 3 for position in positions),
                    poles=self.poles[key, int(year)],
                    best=min(positions, default=None),
                    points=points,
                    place=place if isinstance(place, int) else None,
                ))  # fmt: skip
        return seasons

    def relatives(self, row: dict) -> Iterator[tuple[str, str]]:
        for relation in row.get("familyRelationships", []):
            words = RELATIVES.get(relation["type"])
            if words and relation["driverId"] in self.tables["drivers"]:
                female = self.tables["drivers"][relation["driverId"]].get("gender") == "FEMALE"
                yield words[female], self.driver(relation["driverId"])

    def drivers(self) -> Iterator[Driver]:
        champions = {s["drivers"][0][1]: [] for s in self.tables["seasons"].values() if s["drivers"]}
        for year, season in self.tables["seasons"].items():
            if season["drivers"]:
                champions[season["drivers"][0][1]].append(int(year))
        seasons = self.driver_seasons()
        for key, starts in self.starts.items():
            row = self.tables["drivers"][key]
            nation = self.tables["countries"][row["nationalityCountryId"]]
            positions = [r["position"] for _, _, r in starts if isinstance(r["position"], int)]
            number = row.get("permanentNumber")
            yield Driver(
                key=key,
                name=self.driver(key),
                full_name=row["fullName"],
                surname=row["lastName"].removesuffix(" Jr.").removesuffix(", Jr."),
                female=row.get("gender") == "FEMALE",
                nationality=nation["demonym"],
                country=self.country(row["nationalityCountryId"]),
                born=row["dateOfBirth"],
                birthplace=row["placeOfBirth"],
                birth_country=self.country(row["countryOfBirthCountryId"]),
                died=row.get("dateOfDeath"),
                number=int(number) if number is not None else None,
                relatives=tuple(self.relatives(row)),
                seasons=tuple(seasons[key]),
                first_race=starts[0][0],
                last_race=starts[-1][0],
                racing=starts[-1][1] == self.last,
                titles=tuple(champions.get(key, ())),
                starts=len({race for race, _, _ in starts}),
                wins=positions.count(1),
                podiums=sum(position <= 3 for position in positions),
                poles=sum(n for (who, _), n in self.poles.items() if who == key),
                fastest_laps=self.fastest[key],
                grand_slams=sum(bool(r["grandSlam"]) for _, _, r in starts),
                points=sum(r["points"] or 0 for _, _, r in starts) + self.sprint_points[key],
                best=min(positions, default=None),
            )

    def facts(self) -> Facts:
        from .f1db_cars import circuits, engine_models, engines, teams  # noqa: PLC0415  (they build on this class)

        drivers = tuple(self.drivers())
        races = tuple(self.race(*row) for row in self.order)
        return Facts(
            seasons=tuple(_seasons(self)),
            champions=tuple(_champion(driver) for driver in sorted(drivers, key=lambda d: d.titles[:1])
                            if driver.titles),
            teams=tuple(teams(self)),
            circuits=tuple(circuits(self)),
            races=races,
            drivers=drivers,
            engines=tuple(engines(self)),
            engine_models=tuple(engine_models(self)),
            grands_prix=tuple(_grands_prix(self)),
        )  # fmt: skip
