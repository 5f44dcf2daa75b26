"""F1DB, the open Formula 1 database (https://github.com/f1db/f1db, CC BY 4.0): fetch its source, and load its facts.

`fetch` puts the source archive of a release, as GitHub serves it, into a folder with a manifest beside it; `load_facts`
makes `Facts` of it (f1db_read.py reads it, f1db_build.py adds it up). The archive is never unpacked to disk.
"""

import contextlib
import gc
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

from ..errors import SlipstreamError
from .f1db_build import build
from .f1db_read import WANTED, archive_members, not_an_archive, read_tables
from .facts import LAST_SEASON, Facts

RELEASE = "2026.9.1"  # pinned: what the tests and the log were made with
URL = f"https://github.com/f1db/f1db/archive/refs/tags/v{RELEASE}.tar.gz"
LICENCE = "CC BY 4.0"
ATTRIBUTION = "F1DB (https://github.com/f1db/f1db), licensed CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)"
MANIFEST = "manifest.json"
CACHE = "tables.json"

_MAX_DOWNLOAD = 500_000_000  # bytes; with its pictures the archive has some 30 MB
_TRIES = 4
_TIMEOUT = (10, 60)  # seconds to connect, and between two pieces


def fetch(source: str, out: Path) -> None:
    """Bring F1DB's source archive (.tar.gz), from a path or an http(s) URL, to out/f1db, with its manifest.

    What was there before stays as it was unless the new archive is whole and is F1DB's. A URL that is there already,
    with the hash that the manifest gives, is not fetched again. Raises SlipstreamError if it is no such archive.
    """
    folder = out / "f1db"
    web = urlparse(source).scheme in ("http", "https")
    if web and _have(folder, source):
        return
    local = Path(source)
    if not web and not local.exists():
        raise SlipstreamError(f"no such file: {source}")
    if not web and not local.is_file():
        raise SlipstreamError(f"{source} is a folder: give F1DB's source archive (.tar.gz)")
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{os.getpid()}.part"
    try:
        if web:
            _download(source, part)
        else:
            _copy(local, part)
        release = _check(part, source)
        name = f"f1db-{release}.tar.gz"
        manifest = {
            "source": source,
            "release": release,
            "archive": name,
            "bytes": part.stat().st_size,
            "sha256": _sha256(part),
            "licence": LICENCE,
            "attribution": ATTRIBUTION,
        }
        os.replace(part, folder / name)
        part.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        os.replace(part, folder / MANIFEST)  # last: what it names is there
    finally:
        part.unlink(missing_ok=True)


def load_facts(source: Path, cache: Path | None = None, last_season: int = LAST_SEASON) -> Facts:
    """All facts of F1DB up to the end of a season.

    `source` is an F1DB source archive, the folder it unpacks to, or the folder that `fetch` made. `cache` is a JSON
    file for the parsed tables: reading the YAML takes some ten seconds, reading the cache a fraction of one. Without
    it, the folder that `fetch` made keeps its own. Raises SlipstreamError if `source` holds no F1DB.
    """
    source = Path(source)
    for folder in (source, source / "f1db"):
        if (folder / MANIFEST).is_file():
            source, cache = folder / _manifest(folder)["archive"], cache or folder / CACHE
            break
    if not source.exists():
        raise SlipstreamError(f"no such file or folder: {source}")
    with _no_collecting():
        tables = read_tables(source, cache, last_season)
        try:
            facts = build(tables, last_season)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise SlipstreamError(f"{source} is not laid out like F1DB: {error!r}") from error
    if not facts.races:
        raise SlipstreamError(f"{source} has no races up to {last_season}")
    return facts


@contextlib.contextmanager
def _no_collecting() -> Iterator[None]:
    """Keep the garbage collector from going through our many small rows, all of which stay: half the time saved."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _manifest(folder: Path) -> dict:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if Path(manifest["archive"]).name != manifest["archive"]:
            raise ValueError("the archive is beside the manifest")
        return manifest
    except (ValueError, KeyError, TypeError) as error:
        raise SlipstreamError(f"{folder / MANIFEST} is broken: delete {folder} and fetch F1DB again") from error


def _have(folder: Path, source: str) -> bool:
    """True if the folder has what its manifest says, and from this source."""
    try:
        manifest = _manifest(folder)
        return manifest["source"] == source and _sha256(folder / manifest["archive"]) == manifest["sha256"]
    except (OSError, KeyError, SlipstreamError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, part: Path) -> None:
    with source.open("rb") as file, part.open("wb") as copy:
        while block := file.read(1 << 20):
            copy.write(block)


def _download(url: str, part: Path) -> None:
    """Stream the URL to a file; trouble that may pass (no connection, 429, 5xx) is tried again."""
    import requests

    from .. import __version__

    agent = f"slipstream-mlx/{__version__} (+https://github.com/f1db/f1db reader)"
    for n in range(1, _TRIES + 1):
        try:
            with requests.get(url, stream=True, timeout=_TIMEOUT, headers={"User-Agent": agent}) as response:
                response.raise_for_status()
                _stream(response, part, url)
            return
        except requests.RequestException as error:
            status = getattr(error.response, "status_code", None)
            if n == _TRIES or (status and status != 429 and status < 500):
                raise SlipstreamError(f"cannot fetch {url}: {status or type(error).__name__}") from error
            time.sleep(2 ** (n - 1))


def _stream(response, part: Path, url: str) -> None:
    size = 0
    with part.open("wb") as file:
        for block in response.iter_content(1 << 16):
            size += len(block)
            if size > _MAX_DOWNLOAD:
                raise SlipstreamError(f"{url} is far larger than F1DB: not fetched")
            file.write(block)


def _check(path: Path, source: str) -> str:
    """The release of an F1DB source archive. Raises SlipstreamError for anything else."""
    kinds, release = set(), None
    try:
        for name, _ in archive_members(path):
            found = WANTED.fullmatch(name)
            if found:
                kinds.add(found[1].partition("/")[0])
                version = re.match(r"f1db-v?([0-9][0-9A-Za-z.-]*)/", name)
                release = release or (version and version[1])
    except SlipstreamError as error:
        raise SlipstreamError(str(error).replace(str(path), source)) from error
    if not {"drivers", "constructors", "circuits", "countries", "seasons"} <= kinds:
        raise (
            not_an_archive(Path(source))
            if not urlparse(source).scheme
            else SlipstreamError(f"{source} is not an F1DB source archive (.tar.gz)")
        )
    return release or "unknown"
