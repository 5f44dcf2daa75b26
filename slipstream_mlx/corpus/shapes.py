"""What F1DB knows beyond the embedded tables: races, drivers, season by season, engines, layouts and Grands Prix.

People, teams and circuits are referred to by name, as in facts.py; no two share one. A race's key is "1988-japan".
Points are those of the championship tables; counts (wins, starts) include shared drives, as F1DB's do.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A place in a race's result. Two or three drivers have it together if they shared the car."""

    drivers: tuple[str, ...]
    team: str
    engine: str
    grid: int | None


@dataclass(frozen=True)
class Race:
    key: str
    year: int
    round: int
    grand_prix: str  # a GrandPrix's name: "Japanese Grand Prix"
    date: str  # ISO
    circuit: str
    length_km: float  # of the layout used that day
    turns: int
    laps: int
    distance_km: float
    scheduled_laps: int | None  # where the race was cut short, or a round more or less was run
    winner: Place
    second: Place | None  # None where that place was left empty (Brazil 1983)
    third: Place | None
    points_places: tuple[str, ...]  # the drivers from fourth place on who came in before tenth, in order
    winner_time: str | None
    margin: str | None  # "13.363 seconds" or "1 lap"
    pole: str
    pole_team: str
    pole_time: str | None
    pole_qualified: bool  # so that nobody with a faster lap was moved back
    fastest: tuple[str, ...]  # seven drivers share one (Britain 1954); none in Belgium 2021
    fastest_time: str | None
    fastest_lap: int | None
    starters: int
    classified: int | None  # None where F1DB gives every car a place (Indianapolis)
    retired: tuple[tuple[str, str], ...] | None  # (driver, F1DB's reason)
    sprint_winner: str | None
    leader: str | None  # of the championship after this race
    leader_points: float
    leading_team: str | None
    decided: bool  # the drivers' title
    decided_constructors: bool

    @property
    def podium(self) -> tuple[Place, ...]:
        return tuple(place for place in (self.winner, self.second, self.third) if place)


@dataclass(frozen=True)
class Standing:
    """A line of a season's final table."""

    name: str  # a driver's, or a team's
    place: int
    points: float


@dataclass(frozen=True)
class DriverSeason:
    """One driver's year. Team-mates are those of the same entrant, in at least half of his races for it."""

    driver: str
    year: int
    teams: tuple[str, ...]  # in order
    team_mates: tuple[str, ...]
    starts: int
    wins: int
    podiums: int
    poles: int
    best: int | None  # the best finish
    points: float
    place: int | None  # in the championship


@dataclass(frozen=True)
class Driver:
    """Anyone who started a championship race. Totals are up to the last season of the facts."""

    key: str
    name: str
    full_name: str
    surname: str
    female: bool
    nationality: str
    country: str
    born: str  # ISO
    birthplace: str
    birth_country: str
    died: str | None
    number: int | None  # the permanent one, since 2014
    relatives: tuple[tuple[str, str], ...]  # (what they are to the driver: "father", name)
    seasons: tuple[DriverSeason, ...]
    first_race: str  # keys
    last_race: str
    racing: bool  # in the last season of the facts
    titles: tuple[int, ...]
    starts: int
    wins: int
    podiums: int
    poles: int
    fastest_laps: int
    grand_slams: int  # pole, win, fastest lap, and every lap led
    points: float
    best: int | None  # finish

    @property
    def years(self) -> tuple[int, ...]:
        return tuple(season.year for season in self.seasons)

    @property
    def teams(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(team for season in self.seasons for team in season.teams))

    @property
    def best_place(self) -> int | None:
        """The best place in a final championship table."""
        return min((season.place for season in self.seasons if season.place), default=None)


@dataclass(frozen=True)
class TeamSeason:
    team: str
    year: int
    drivers: tuple[str, ...]  # who started a race in its cars, most races first
    one_entrant: bool  # so they were the team's own, and nobody's private entries
    engines: tuple[str, ...]  # makes
    models: tuple[str, ...]  # "Honda RA168E 1.5 V6 T"
    cars: tuple[str, ...]  # "McLaren MP4/4"
    tyres: tuple[str, ...]
    wins: int
    podiums: int
    poles: int
    points: float | None
    place: int | None  # in the constructors' championship


@dataclass(frozen=True)
class TeamRecord:
    """What F1DB adds to a `Team`: its years, totals and first and last races (keys)."""

    full_name: str
    seasons: tuple[TeamSeason, ...]
    races: int
    podiums: int
    poles: int
    fastest_laps: int
    first_race: str
    last_race: str
    before: tuple[tuple[str, int], ...]  # the teams it was made from, and the years in which it took over
    after: tuple[tuple[str, int], ...]  # the teams that it became, and the years in which they did


@dataclass(frozen=True)
class Engine:
    """A make of engine."""

    key: str
    name: str
    country: str
    first_season: int
    last_season: int | None  # None if racing in the last season of the facts
    races: int
    wins: int
    podiums: int
    poles: int
    drivers_titles: tuple[int, ...]
    constructors_titles: tuple[int, ...]
    teams: tuple[str, ...]  # that raced with it, most races first
    winning_teams: tuple[str, ...]
    first_win: str | None  # keys
    last_win: str | None


@dataclass(frozen=True)
class EngineModel:
    name: str  # "Ford Cosworth DFV 3.0 V8"
    short: str  # "Cosworth DFV"
    make: str
    litres: float
    layout: str  # "V8"
    aspiration: str  # "naturally aspirated", "turbocharged", "supercharged", "turbocharged and hybrid"
    first_season: int
    last_season: int
    teams: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """One of the shapes a circuit has had, and the years in which the championship raced on it."""

    length_km: float
    turns: int
    years: tuple[int, ...]


@dataclass(frozen=True)
class GrandPrix:
    key: str
    name: str
    country: str | None  # None for a European or Pacific one
    of: str | None  # "Japan", where one may say "the Grand Prix of Japan"
    adjective: str | None  # "Japanese", where one may say "the Japanese race"
