"""Read F1DB's source files from its archive or its folder: only those needed, safely, and into memory alone.

F1DB keeps one small YAML file for each driver, circuit, race result and so on, some fifteen thousand in all. What the
facts need of them becomes plain tables (dictionaries, lists, strings and numbers), which a cache can hold as JSON.
"""

import gzip
import hashlib
import json
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import SlipstreamError

FORMAT = 5  # of the tables; a cache of another format is read anew

_FOLDERS = (
    *("drivers", "constructors", "countries", "circuits", "grands-prix"),
    *("engine-manufacturers", "engines", "chassis", "tyre-manufacturers"),
)
_OF_A_RACE = (
    *("race", "race-results", "qualifying-results", "starting-grid-positions", "fastest-laps", "sprint-race-results"),
    *("driver-standings", "constructor-standings"),
)
WANTED = re.compile(  # the one folder that GitHub wraps an archive in may be there or not
    r"(?:[^/.][^/]*/)?src/data/((?:" + "|".join(_FOLDERS) + r")/[a-z0-9-]+\.yml"
    r"|seasons/\d{4}/(?:(?:driver|constructor)-standings|entrants"
    r"|races/[a-z0-9-]+/(?:" + "|".join(_OF_A_RACE) + r"))\.yml)"
)
_MAX_FILE = 1_000_000  # bytes; the largest file we read has some 30 kB, so a bigger one is not F1DB's
_MAX_ARCHIVE = 2_000_000_000  # bytes unpacked; with its pictures F1DB has a tenth of that
_MAX_MEMBERS = 200_000
_BROKEN = (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile)
_NOT_SHAPED = (AttributeError, IndexError, KeyError, TypeError, ValueError)  # YAML that is valid, but not F1DB's

RESULT = (  # a row of race-results.yml, in the order that the tables keep it
    *("position", "driverId", "constructorId", "engineManufacturerId", "gridPosition", "laps", "time", "gap"),
    *("reasonRetired", "points", "sharedCar", "grandSlam", "driverNumber"),
)


# ---- files ----------------------------------------------------------------------------------------------------


def not_an_archive(path: Path) -> SlipstreamError:
    return SlipstreamError(f"{path} is not a whole F1DB source archive (.tar.gz)")


def archive_members(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield (name, a function that reads the contents) of an archive's plain files. Nothing is unpacked to disk.

    Raises SlipstreamError for what is no .tar.gz, is cut off, or is larger than F1DB can be.
    """
    try:
        with tarfile.open(path) as archive:
            for n, member in enumerate(archive):
                if n > _MAX_MEMBERS or member.offset_data + member.size > _MAX_ARCHIVE:
                    raise SlipstreamError(f"{path} is far larger than F1DB: not read")
                if member.isfile():  # so no links, devices or folders

                    def read(member: tarfile.TarInfo = member) -> bytes:
                        try:
                            file = archive.extractfile(member)
                            return file.read() if file and member.size <= _MAX_FILE else b""
                        except _BROKEN as error:  # called from outside of this generator
                            raise not_an_archive(path) from error

                    yield member.name.removeprefix("./"), read
    except _BROKEN as error:
        raise not_an_archive(path) from error


def _folder_files(folder: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for root, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            file = Path(root, name)
            if name.endswith(".yml") and stat.S_ISREG(file.lstat().st_mode) and file.stat().st_size <= _MAX_FILE:
                yield file.relative_to(folder).as_posix(), file.read_bytes


def f1db_files(path: Path, wanted: re.Pattern = WANTED) -> Iterator[tuple[str, bytes]]:
    """Yield (name below src/data, contents) of the wanted files of an archive, or of the folder it unpacks to."""
    for name, read in _folder_files(path) if path.is_dir() else archive_members(path):
        found = wanted.fullmatch(name)
        if found:
            yield found[1], read()


def fingerprint(path: Path) -> str:
    """A hash of the archive's bytes, or of the names, sizes and times of a folder's files."""
    digest = hashlib.sha256()
    if path.is_dir():
        for root, folders, names in os.walk(path, followlinks=False):
            folders.sort()
            for name in sorted(names):
                found = os.lstat(os.path.join(root, name))
                digest.update(f"{root}/{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    else:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


# ---- tables ---------------------------------------------------------------------------------------------------


def load_tree(
    path: Path,
    wanted: re.Pattern = WANTED,
    last_season: int = 9999,
    slim: Callable[[list[str], Any], Any] = lambda _, contents: contents,
) -> dict:
    """The wanted files as nested dictionaries: tree["drivers"]["ayrton-senna"]["name"].

    `slim` may take from a file's contents, as they come, what is needed of them. Raises SlipstreamError if PATH holds
    no F1DB, or PyYAML is missing.
    """
    try:
        import yaml
    except ImportError as error:
        raise SlipstreamError("reading F1DB needs PyYAML: pip install pyyaml") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is some ten times faster
    tree: dict = {}
    for name, contents in f1db_files(path, wanted):
        parts = name.removesuffix(".yml").split("/")
        if parts[0] == "seasons" and int(parts[1]) > last_season:
            continue
        node = tree
        for part in parts[:-1]:
            node = node.setdefault(part, {})
        try:
            node[parts[-1]] = slim(parts, yaml.load(contents, loader))
        except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
            raise SlipstreamError(f"{path}: {name} is not valid YAML") from error
    if not all(kind in tree for kind in ("drivers", "circuits", "constructors", "countries", "seasons")):
        raise SlipstreamError(f"{path} holds no F1DB source: no src/data/seasons and its neighbours in it")
    return tree


def _plain(value: Any) -> Any:
    """The value as JSON can hold it, without what is empty."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _entries(entrants: list[dict]) -> Iterator[dict]:
    """One row for each driver of each entrant: who drove what, and in which rounds ("1-3,5")."""
    for entrant in entrants:
        for cars in entrant.get("constructors") or [entrant]:
            for driver in cars.get("drivers") or [cars]:
                if driver.get("testDriver") or not driver.get("rounds"):
                    continue
                yield {
                    "entrant": entrant["entrantId"],
                    "team": cars["constructorId"],
                    "driver": driver["driverId"],
                    "rounds": str(driver["rounds"]),
                    "chassis": _ids(cars, "chassis", "chassisId"),
                    "engines": _ids(cars, "engines", "engineId"),
                    "tyres": _ids(cars, "tyreManufacturers", "tyreManufacturerId"),
                }


def _ids(row: dict, several: str, one: str) -> list[str]:
    rows = row.get(several) or [row]
    return [item[one] for item in rows if item.get(one)]


def _slim(parts: list[str], contents: Any) -> Any:
    """Of the files of a race only the rows and columns that the tables keep, so that F1DB fits in little memory."""
    if len(parts) < 5 or not isinstance(contents, list):
        return contents
    columns = _COLUMNS.get(parts[-1], ())
    rows = contents[:3] if parts[-1] == "driver-standings" else contents
    if parts[-1] in _FIRST_ONLY:
        rows = [row for row in rows if row.get("position") == 1]
    return [[row.get(column) for column in columns] for row in rows]


_COLUMNS = {
    "race-results": RESULT,
    "qualifying-results": ("driverId",),
    "starting-grid-positions": ("driverId", "constructorId", "time"),
    "fastest-laps": ("driverId", "constructorId", "time", "lap"),
    "sprint-race-results": ("driverId", "constructorId", "points", "position"),
    "driver-standings": ("driverId", "points"),
    "constructor-standings": ("constructorId", "points"),
}
_FIRST_ONLY = {"qualifying-results", "starting-grid-positions", "fastest-laps", "constructor-standings"}


def _race_table(race: dict) -> dict:
    return {
        **_plain(race["race"]),
        "results": race.get("race-results") or [],
        "pole": race.get("starting-grid-positions") or [],
        "qualified": race.get("qualifying-results") or [],
        "fastest": race.get("fastest-laps") or [],
        "sprint": race.get("sprint-race-results") or [],
        "leaders": race.get("driver-standings") or [],
        "leading_team": race.get("constructor-standings") or [],
    }


def _season_table(season: dict) -> dict:
    drivers, teams = season.get("driver-standings") or [], season.get("constructor-standings") or []
    races = sorted(season.get("races", {}).items())
    return {
        "drivers": [[row["position"], row["driverId"], row["points"]] for row in drivers],
        "constructors": [
            [row["position"], row["constructorId"], row.get("engineManufacturerId"), row["points"]] for row in teams
        ],
        "entries": list(_entries(season.get("entrants") or [])),
        "races": [{"key": name, **_race_table(race)} for name, race in races],
    }


def parse_tables(path: Path, last_season: int) -> dict:
    """The tables of F1DB up to a season: one for each kind of thing, and `seasons` with their races."""
    try:
        tree = load_tree(path, last_season=last_season, slim=_slim)
        tables = {kind: {key: _plain(row) for key, row in tree.get(kind, {}).items()} for kind in _FOLDERS}
        tables["seasons"] = {year: _season_table(season) for year, season in sorted(tree["seasons"].items())}
    except _NOT_SHAPED as error:
        raise SlipstreamError(f"{path} is not laid out like F1DB: {error!r}") from error
    return tables


def read_tables(path: Path, cache: Path | None, last_season: int) -> dict:
    """The tables, from the cache file if it was made from the same source, else parsed and written to it."""
    if cache is None:
        return parse_tables(path, last_season)
    made_from = {"format": FORMAT, "source": fingerprint(path), "last_season": last_season}
    try:
        cached = json.loads(cache.read_bytes())
        if cached["made_from"] == made_from:
            return cached["tables"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none yet, or a broken one: parse
    tables = parse_tables(path, last_season)
    cache.parent.mkdir(parents=True, exist_ok=True)
    part = cache.with_name(f".{cache.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps({"made_from": made_from, "tables": tables}), encoding="utf-8")
        os.replace(part, cache)  # a reader sees the old file or the whole new one
    finally:
        part.unlink(missing_ok=True)
    return tables
