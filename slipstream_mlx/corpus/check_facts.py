"""Compare the fact tables with F1DB, value by value: `python -m slipstream_mlx.corpus.check_facts PATH`.

It adds F1DB's rows up in its own way, apart from f1db_build.py, so that either can be checked by the other.

PATH is an F1DB source archive (.tar.gz) or the folder unpacked from it. F1DB is the open Formula 1 database,
https://github.com/f1db/f1db, licensed CC BY 4.0. Nothing is unpacked to disk. Needs PyYAML. Prints each disagreement
and a count; exits 0 if there is none, 1 if there are some, 2 if PATH cannot be read.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from ..errors import SlipstreamError, command
from .f1db_read import load_tree
from .facts import EMBEDDED, LAST_SEASON, Facts

_WANTED = re.compile(
    r"(?:[^/.][^/]*/)?src/data/((?:drivers|circuits|constructors|countries)/[a-z0-9-]+\.yml"
    r"|seasons/\d{4}/(?:(?:driver|constructor)-standings"
    r"|races/[a-z0-9-]+/(?:race|race-results|starting-grid-positions))\.yml)"
)
_NOT_STARTED = {"DNS", "DNQ", "DNPQ", "DNP", "EX"}
_COUNTRIES = {"United States of America": "United States"}  # F1DB's name -> ours


def load_f1db(path: Path) -> dict:
    """F1DB's files as nested dictionaries; seasons after the tables' last one are left out.

    Raises SlipstreamError if PATH holds no F1DB, or PyYAML is missing.
    """
    return load_tree(path, _WANTED, LAST_SEASON)


class Summary:
    """What F1DB's race results and standings add up to, by F1DB's ids."""

    def __init__(self, tree: dict):
        self.tree = tree
        self.champion: dict[int, str] = {}
        self.runner_up: dict[int, str] = {}
        self.constructors_champion: dict[int, str] = {}
        self.races: Counter[int] = Counter()
        self.starts: Counter[str] = Counter()
        self.wins: Counter[str] = Counter()
        self.podiums: Counter[str] = Counter()
        self.poles: Counter[str] = Counter()
        self.driver_years: dict[str, set[int]] = defaultdict(set)
        self.team_wins: Counter[str] = Counter()
        self.team_years: dict[str, set[int]] = defaultdict(set)
        self.drove_for: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)  # -> wins by constructor
        self.circuit_races: dict[str, list[dict]] = defaultdict(list)  # race.yml, in order
        for year, season in sorted(tree["seasons"].items()):
            self._add_season(int(year), season)

    def _add_season(self, year: int, season: dict) -> None:
        standings = {row["position"]: row["driverId"] for row in season.get("driver-standings") or []}
        self.champion[year], self.runner_up[year] = standings.get(1), standings.get(2)
        for row in season.get("constructor-standings") or []:
            if row["position"] == 1:
                self.constructors_champion[year] = row["constructorId"]
        for _, race in sorted(season.get("races", {}).items()):
            self._add_race(year, race)

    def _add_race(self, year: int, race: dict) -> None:
        self.races[year] += 1
        self.circuit_races[race["race"]["circuitId"]].append({**race["race"], "year": year})
        results = race.get("race-results") or []
        for row in results:
            driver, team, position = row["driverId"], row["constructorId"], row["position"]
            if position not in _NOT_STARTED:
                self.driver_years[driver].add(year)
                self.team_years[team].add(year)
            # a place counts once for each car a driver had a hand in, so shared drives count in full
            self.podiums[driver] += isinstance(position, int) and position <= 3
            self.wins[driver] += position == 1
            self.drove_for[year, driver][team] += position == 1
        self.starts.update({row["driverId"] for row in results if row["position"] not in _NOT_STARTED})
        self.team_wins.update({row["constructorId"] for row in results if row["position"] == 1})
        for row in race.get("starting-grid-positions") or []:
            self.poles[row["driverId"]] += row["position"] == 1

    def name(self, kind: str, key: str | None) -> str | None:
        return self.tree[kind].get(key, {}).get("name") if key else None

    def country(self, key: str) -> str | None:
        name = self.name("countries", key)
        return _COUNTRIES.get(name, name)


def _season_values(facts: Facts, f1db: Summary) -> Iterator[tuple]:
    keys = {team.name: team.key for team in facts.teams}
    for season in facts.seasons:
        year, champion = season.year, f1db.champion.get(season.year)
        wins = f1db.drove_for[year, champion]
        teams = [team for team, _ in wins.most_common()]
        top = season.constructors_champion
        yield f"season {year}", "champion", season.champion, f1db.name("drivers", champion)
        yield f"season {year}", "champion's teams", [keys.get(name) for name in season.champion_teams], teams
        yield f"season {year}", "runner-up", season.runner_up, f1db.name("drivers", f1db.runner_up.get(year))
        yield f"season {year}", "constructors' champion", keys.get(top), f1db.constructors_champion.get(year)
        yield f"season {year}", "races", season.races, f1db.races[year]


def _champion_values(facts: Facts, f1db: Summary) -> Iterator[tuple]:
    keys = {f1db.name("drivers", key): key for key in f1db.champion.values()}
    for row in facts.champions:
        key = keys.get(row.name)
        driver = f1db.tree["drivers"].get(key, {})
        nation = driver.get("nationalityCountryId")
        years = f1db.driver_years[key] or {0}
        raced_last = None if max(years) == LAST_SEASON else max(years)
        died = driver.get("dateOfDeath")
        theirs = {
            "name": driver.get("name"),
            "nationality": f1db.tree["countries"].get(nation, {}).get("demonym"),
            "country": f1db.country(nation),
            "born": str(driver.get("dateOfBirth")),
            "birthplace": driver.get("placeOfBirth"),
            "birth_country": f1db.country(driver.get("countryOfBirthCountryId")),
            "died": str(died) if died else None,
            "titles": tuple(year for year, champion in f1db.champion.items() if champion and champion == key),
            "first_race_year": min(years),
            "last_race_year": raced_last,
            "wins": f1db.wins[key],
            "poles": f1db.poles[key],
            "podiums": f1db.podiums[key],
            "starts": f1db.starts[key],
        }
        yield from ((row.name, field, getattr(row, field), value) for field, value in theirs.items())


def _team_values(facts: Facts, f1db: Summary) -> Iterator[tuple]:
    for row in facts.teams:
        years = f1db.team_years[row.key] or {0}
        champions = f1db.champion.items()
        theirs = {
            "country": f1db.country(f1db.tree["constructors"].get(row.key, {}).get("countryId")),
            "first_season": min(years),
            "last_season": None if max(years) == LAST_SEASON else max(years),
            "drivers_titles": tuple(y for y, champion in champions if row.key in f1db.drove_for[y, champion]),
            "constructors_titles": tuple(y for y, key in f1db.constructors_champion.items() if key == row.key),
            "wins": f1db.team_wins[row.key],
        }
        yield from ((row.name, field, getattr(row, field), value) for field, value in theirs.items())


def _circuit_values(facts: Facts, f1db: Summary) -> Iterator[tuple]:
    for row in facts.circuits:
        circuit, races = f1db.tree["circuits"].get(row.key, {}), f1db.circuit_races[row.key]
        last = races[-1] if races else {}
        theirs = {
            "full_name": circuit.get("fullName"),
            "place": circuit.get("placeName"),
            "country": f1db.country(circuit.get("countryId")),
            "length_km": last.get("courseLength"),
            "turns": last.get("turns"),
            "direction": str(last.get("direction")).lower().replace("_", "-"),
            "first_year": races[0]["year"] if races else None,
            "last_year": last.get("year"),
            "races": len(races),
            "former_names": tuple(circuit.get("previousNames") or ()),
        }
        yield from ((row.name, field, getattr(row, field), value) for field, value in theirs.items())


def compare(facts: Facts, tree: dict) -> tuple[int, int, list[str]]:
    """Compare every value that F1DB has: the number of rows, of values, and a line for each disagreement."""
    f1db = Summary(tree)
    parts = (_season_values, _champion_values, _team_values, _circuit_values)
    values = [value for part in parts for value in part(facts, f1db)]
    lines = [f"{row}: {field}: ours {a!r}, F1DB {b!r}" for row, field, a, b in values if a != b]
    rows = len(facts.seasons) + len(facts.champions) + len(facts.teams) + len(facts.circuits)
    return rows, len(values), lines


@command
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="check_facts", description="Compare the fact tables with F1DB.")
    parser.add_argument("path", type=Path, help="an F1DB source archive (.tar.gz), or the folder it unpacks to")
    path = parser.parse_args(argv).path
    if not path.exists():
        raise SlipstreamError(f"no such file or folder: {path}")
    try:
        rows, values, lines = compare(EMBEDDED, load_f1db(path))
    except (AttributeError, KeyError, TypeError) as error:  # YAML that is valid but not shaped like F1DB's
        raise SlipstreamError(f"{path} is not laid out like F1DB: {error!r}") from error
    for line in lines:
        print(line)
    print(f"{rows} rows, {values} values compared, {len(lines)} disagreements")
    if lines:
        sys.exit(1)


if __name__ == "__main__":
    main()
