"""The facts: every season, every champion, the teams and the circuits of Formula One, 1950 to 2025, and all races.

The embedded rows were written by hand (facts_tables.py, facts_teams.py, facts_circuits.py) and are checked, value by
value, against F1DB, the open Formula 1 database (https://github.com/f1db/f1db, CC BY 4.0), by `check_facts`. The same
`Facts`, filled from F1DB by f1db.py, also have every race, driver, engine and Grand Prix. Here are the tables' shapes
(those that F1DB alone fills are in shapes.py) and what can be computed from them: what is computed is never typed.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from .facts_circuits import CIRCUIT_ROWS
from .facts_tables import CHAMPION_ROWS, SEASON_ROWS
from .facts_teams import TEAM_ROWS
from .shapes import Driver, Engine, EngineModel, GrandPrix, Layout, Race, Standing, TeamRecord, TeamSeason

LAST_SEASON = 2025


@dataclass(frozen=True)
class Season:
    """One championship season. `also_team` is set where the champion won it with two teams (1954 alone)."""

    year: int
    champion: str
    champion_team: str
    runner_up: str
    constructors_champion: str | None  # None before 1958, when that championship began
    races: int
    also_team: str | None = None
    standings: tuple[Standing, ...] = ()  # the final tables, from F1DB
    team_standings: tuple[Standing, ...] = ()

    @property
    def champion_teams(self) -> tuple[str, ...]:
        """The team or teams the champion drove for, the one he won most races with first."""
        return (self.champion_team, self.also_team) if self.also_team else (self.champion_team,)


@dataclass(frozen=True)
class Champion:
    """One World Champion. Counts are F1DB's, over championship races up to the end of 2025, shared drives included."""

    name: str
    nationality: str  # a demonym: "British"
    country: str
    born: str  # ISO date
    birthplace: str
    birth_country: str  # by today's borders
    died: str | None  # ISO date
    titles: tuple[int, ...]
    first_race_year: int
    last_race_year: int | None  # None if still racing at the end of 2025
    wins: int
    poles: int
    podiums: int
    starts: int

    @property
    def birth_year(self) -> int:
        return int(self.born[:4])

    @property
    def age_at_first_title(self) -> int:
        """The age the champion reached in the year of the first title, whether before or after winning it."""
        return self.titles[0] - self.birth_year


@dataclass(frozen=True)
class Team:
    """One constructor as F1DB counts them: a team that was sold and renamed is a new row. `key` is F1DB's id."""

    key: str
    name: str
    country: str
    first_season: int  # in which a car of this name first started a championship race
    last_season: int | None  # None if racing in 2025
    drivers_titles: tuple[int, ...]
    constructors_titles: tuple[int, ...]
    wins: int
    note: str = ""  # one short sentence that stands by itself
    record: TeamRecord | None = None  # from F1DB


@dataclass(frozen=True)
class Circuit:
    """One circuit. Length, turns and direction are those of the layout its last championship race was run on."""

    key: str  # F1DB's id
    name: str
    full_name: str
    place: str
    country: str
    length_km: float
    turns: int
    direction: str  # "clockwise" or "anti-clockwise"
    first_year: int
    last_year: int
    races: int
    corners: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()  # what people also call it today
    former_names: tuple[str, ...] = ()
    layouts: tuple[Layout, ...] = ()  # from F1DB, in order


@dataclass(frozen=True)
class Facts:
    """All tables, and what follows from them. The embedded facts have the first four alone."""

    seasons: tuple[Season, ...]
    champions: tuple[Champion, ...]
    teams: tuple[Team, ...]
    circuits: tuple[Circuit, ...]
    races: tuple[Race, ...] = ()  # in order
    drivers: tuple[Driver, ...] = ()
    engines: tuple[Engine, ...] = ()
    engine_models: tuple[EngineModel, ...] = ()
    grands_prix: tuple[GrandPrix, ...] = ()

    @cached_property
    def season_by_year(self) -> dict[int, Season]:
        return {season.year: season for season in self.seasons}

    @cached_property
    def titles(self) -> Counter[str]:
        """Drivers' titles by champion, counted from the seasons."""
        return Counter(season.champion for season in self.seasons)

    @cached_property
    def runner_up_places(self) -> Counter[str]:
        """How often each driver was second in the championship."""
        return Counter(season.runner_up for season in self.seasons)

    @cached_property
    def shared_surnames(self) -> frozenset[str]:
        """Surnames that several drivers bear (Hill, Rosberg): they name nobody by themselves."""
        names = {name for season in self.seasons for name in (season.champion, season.runner_up)}
        names |= {driver.name for driver in self.drivers}
        counts = Counter(self.surname(name) for name in names)
        return frozenset(surname for surname, count in counts.items() if count > 1)

    def surname(self, name: str) -> str:
        """The surname as it stands in a name: "de Cesaris", or "Piquet" without his junior."""
        driver = self.driver_by_name.get(name)
        n = len(driver.surname.split()) if driver else 1
        return " ".join(name.removesuffix(" Jr").split()[-n:])

    @cached_property
    def champions_by_country(self) -> dict[str, list[Champion]]:
        """Champions by the country they raced for, the country with most champions first."""
        return _group(self.champions, "country")

    @cached_property
    def circuits_by_country(self) -> dict[str, list[Circuit]]:
        """Circuits by country, the country with most circuits first."""
        return _group(self.circuits, "country")

    def teams_of(self, champion: str) -> tuple[str, ...]:
        """The teams a champion won titles with, in order of the titles."""
        seasons = [season for season in self.seasons if season.champion == champion]
        return tuple(dict.fromkeys(team for season in seasons for team in reversed(season.champion_teams)))

    def champions_of(self, team: str) -> tuple[str, ...]:
        """The drivers who won titles with a team, in order of their first one."""
        seasons = [season for season in self.seasons if team in season.champion_teams]
        return tuple(dict.fromkeys(season.champion for season in seasons))

    # ---- what the races add ----

    @cached_property
    def driver_by_name(self) -> dict[str, Driver]:
        return {driver.name: driver for driver in self.drivers}

    @cached_property
    def team_by_name(self) -> dict[str, Team]:
        return {team.name: team for team in self.teams}

    @cached_property
    def team_names_lower(self) -> frozenset[str]:
        return frozenset(team.name.lower() for team in self.teams)

    @cached_property
    def circuit_by_name(self) -> dict[str, Circuit]:
        return {circuit.name: circuit for circuit in self.circuits}

    @cached_property
    def grand_prix_by_name(self) -> dict[str, GrandPrix]:
        return {grand_prix.name: grand_prix for grand_prix in self.grands_prix}

    @cached_property
    def race_by_key(self) -> dict[str, Race]:
        return {race.key: race for race in self.races}

    @cached_property
    def races_by_year(self) -> dict[int, list[Race]]:
        return _index(self.races, lambda race: [race.year])

    @cached_property
    def races_at(self) -> dict[str, list[Race]]:
        """Races by circuit."""
        return _index(self.races, lambda race: [race.circuit])

    @cached_property
    def races_called(self) -> dict[str, list[Race]]:
        """Races by Grand Prix."""
        return _index(self.races, lambda race: [race.grand_prix])

    @cached_property
    def wins_of(self) -> dict[str, list[Race]]:
        """Races by winning driver, in order."""
        return _index(self.races, lambda race: race.winner.drivers)

    @cached_property
    def team_wins_of(self) -> dict[str, list[Race]]:
        """Races by winning team, in order."""
        return _index(self.races, lambda race: [race.winner.team])

    @cached_property
    def team_seasons(self) -> dict[tuple[str, int], TeamSeason]:
        records = (team.record for team in self.teams if team.record)
        return {(season.team, season.year): season for record in records for season in record.seasons}

    @cached_property
    def place_in_order(self) -> dict[str, int]:
        """A race's number since 1950, by key: the 1988 Japanese Grand Prix was the 467th."""
        return {race.key: n for n, race in enumerate(self.races, 1)}


def _index(rows: tuple, keys_of) -> dict:
    index: dict = {}
    for row in rows:
        for key in keys_of(row):
            index.setdefault(key, []).append(row)
    return index


def _group(rows: tuple, field: str) -> dict[str, list]:
    groups: dict[str, list] = {}
    for row in rows:
        groups.setdefault(getattr(row, field), []).append(row)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))


EMBEDDED = Facts(
    seasons=tuple(Season(*row) for row in SEASON_ROWS),
    champions=tuple(Champion(*row) for row in CHAMPION_ROWS),
    teams=tuple(Team(*row) for row in TEAM_ROWS),
    circuits=tuple(Circuit(*row) for row in CIRCUIT_ROWS),
)
