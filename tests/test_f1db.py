"""F1DB is fetched whole or not at all, read safely, cached, and added up rightly."""

import contextlib
import functools
import hashlib
import http.server
import io
import json
import os
import tarfile
import threading
import time
from pathlib import Path

import pytest
import tiny_f1db

from slipstream_mlx.corpus import f1db, f1db_read
from slipstream_mlx.corpus.check_facts import Summary, compare, load_f1db
from slipstream_mlx.corpus.f1db import fetch, load_facts
from slipstream_mlx.corpus.facts import EMBEDDED
from slipstream_mlx.errors import SlipstreamError

REAL = os.environ.get("SLIPSTREAM_F1DB")
real = pytest.mark.skipif(not REAL, reason="SLIPSTREAM_F1DB does not point to F1DB's source archive")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_f1db.write(tmp_path_factory.mktemp("tiny") / "f1db")


@pytest.fixture(scope="module")
def archive(folder, tmp_path_factory):
    return tiny_f1db.pack(folder, tmp_path_factory.mktemp("packed") / "f1db.tar.gz")


@pytest.fixture(scope="module")
def facts(folder):
    return load_facts(folder, last_season=1989)


# ---- reading --------------------------------------------------------------------------------------------------


def test_archive_and_folder_give_the_same_facts(archive, facts):
    assert load_facts(archive, last_season=1989) == facts


def test_members_out_of_place_are_never_read(folder, facts, tmp_path):
    odd = (
        *("/etc/src/data/drivers/x.yml", "../src/data/drivers/x.yml", "a/b/src/data/drivers/x.yml"),
        *("f1db-2026.9.1/src/data/drivers/../../x.yml", "f1db-2026.9.1/src/data/secrets/x.yml", "src/data/x.yml"),
    )
    assert load_facts(tiny_f1db.pack(folder, tmp_path / "odd.tar.gz", odd), last_season=1989) == facts
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd.tar.gz"]  # nothing was unpacked


def test_links_are_never_followed(folder, archive, tmp_path):
    linked = tmp_path / "linked.tar.gz"
    with tarfile.open(archive) as old, tarfile.open(linked, "w:gz") as new:
        for member in old:
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
        link = tarfile.TarInfo("f1db-2026.9.1/src/data/drivers/linked.yml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        new.addfile(link)
    assert "linked" not in f1db_read.load_tree(linked)["drivers"]
    copy = tiny_f1db.write(tmp_path / "copy")
    (copy / "src/data/drivers/linked.yml").symlink_to("/etc/passwd")
    (copy / "src/data/engines").rename(tmp_path / "elsewhere")
    (copy / "src/data/engines").symlink_to(tmp_path / "elsewhere")
    tree = f1db_read.load_tree(copy)
    assert "linked" not in tree["drivers"] and "engines" not in tree


def test_what_is_too_large_is_not_read(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(f1db_read, "_MAX_FILE", 300)
    sizes = [len(contents) for _, contents in f1db_read.f1db_files(folder)]
    assert sizes and max(sizes) <= 300
    monkeypatch.setattr(f1db_read, "_MAX_ARCHIVE", 20_000)
    with pytest.raises(SlipstreamError, match="larger than F1DB"):
        load_facts(tiny_f1db.pack(folder, tmp_path / "big.tar.gz"))


def test_too_many_members_are_refused(archive, monkeypatch):
    monkeypatch.setattr(f1db_read, "_MAX_MEMBERS", 10)
    with pytest.raises(SlipstreamError, match="larger than F1DB"):
        load_facts(archive)


@pytest.mark.parametrize("contents", [b"hello", b"", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive_is_refused(contents, tmp_path):
    path = tmp_path / "no.tar.gz"
    path.write_bytes(contents)
    for call in (load_facts, lambda path: fetch(str(path), tmp_path / "out")):
        with pytest.raises(SlipstreamError) as error:
            call(path)
        assert "\n" not in str(error.value) and "no.tar.gz" in str(error.value)
    assert not list((tmp_path / "out" / "f1db").iterdir())


def test_other_peoples_archives_and_broken_files_are_refused(folder, archive, tmp_path):
    other = tmp_path / "other.tar.gz"
    with tarfile.open(other, "w:gz") as new:
        info = tarfile.TarInfo("other/readme.yml")
        info.size = 2
        new.addfile(info, io.BytesIO(b"{}"))
    for call in (load_facts, lambda path: fetch(str(path), tmp_path)):
        with pytest.raises(SlipstreamError):
            call(other)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(SlipstreamError):
        load_facts(cut)
    with pytest.raises(SlipstreamError, match="no such file"):
        load_facts(tmp_path / "none")
    bad = tiny_f1db.write(tmp_path / "bad")
    (bad / "src/data/drivers/alain-prost.yml").write_text("{")
    with pytest.raises(SlipstreamError, match="alain-prost"):
        load_facts(bad)
    (bad / "src/data/drivers/alain-prost.yml").write_text("- 1\n")
    with pytest.raises(SlipstreamError, match="not laid out like F1DB"):
        load_facts(bad)


def test_the_cache_is_used_and_renewed(folder, facts, tmp_path, monkeypatch):
    cache, copy = tmp_path / "deep" / "tables.json", tiny_f1db.write(tmp_path / "copy")
    assert load_facts(copy, cache, 1989) == facts
    assert [path.name for path in cache.parent.iterdir()] == ["tables.json"]
    parse, calls = f1db_read.parse_tables, []
    monkeypatch.setattr(f1db_read, "parse_tables", lambda *args: calls.append(args) or parse(*args))
    assert load_facts(copy, cache, 1989) == facts and not calls
    cache.write_text("{broken")
    assert load_facts(copy, cache, 1989) == facts and len(calls) == 1
    assert len(load_facts(copy, cache, 1988).seasons) == 1 and len(calls) == 2
    (copy / "src/data/drivers/alain-prost.yml").touch()
    load_facts(copy, cache, 1988)
    assert len(calls) == 3


# ---- fetching -------------------------------------------------------------------------------------------------


def test_fetch_copies_and_writes_the_manifest(archive, facts, tmp_path):
    fetch(str(archive), tmp_path)
    home = tmp_path / "f1db"
    manifest = json.loads((home / "manifest.json").read_text())
    assert sorted(path.name for path in home.iterdir()) == ["f1db-2026.9.1.tar.gz", "manifest.json"]
    assert manifest["release"] == "2026.9.1" and manifest["source"] == str(archive)
    assert manifest["licence"] == "CC BY 4.0" and "F1DB" in manifest["attribution"]
    whole = (home / manifest["archive"]).read_bytes()
    assert manifest["sha256"] == hashlib.sha256(whole).hexdigest() and manifest["bytes"] == len(whole)
    assert load_facts(tmp_path, last_season=1989) == load_facts(home, last_season=1989) == facts
    assert (home / "tables.json").exists()


def test_a_failed_fetch_leaves_what_was_there(archive, tmp_path):
    fetch(str(archive), tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "f1db").iterdir()}
    bad = tmp_path / "bad.tar.gz"
    bad.write_text("hello")
    for source in (str(bad), str(tmp_path / "none"), str(tmp_path)):
        with pytest.raises(SlipstreamError):
            fetch(source, tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "f1db").iterdir()} == before


class _Server(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []
    troubles = 0

    def do_GET(self):
        _Server.asked.append(self.path)
        if _Server.troubles:
            _Server.troubles -= 1
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def _served(folder):
    _Server.asked, _Server.troubles = [], 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Server, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_fetch_from_a_server(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with _served(archive.parent) as url:
        _Server.troubles = 2
        fetch(f"{url}/{archive.name}", tmp_path)
        assert len(_Server.asked) == 3  # two 503s, and then it came
        assert (tmp_path / "f1db" / "f1db-2026.9.1.tar.gz").read_bytes() == archive.read_bytes()
        fetch(f"{url}/{archive.name}", tmp_path)
        assert len(_Server.asked) == 3  # it is there already
        (tmp_path / "f1db" / "f1db-2026.9.1.tar.gz").write_text("spoilt")
        fetch(f"{url}/{archive.name}", tmp_path)
        assert len(_Server.asked) == 4
        with pytest.raises(SlipstreamError, match="404"):
            fetch(f"{url}/none.tar.gz", tmp_path)
        monkeypatch.setattr(f1db, "_MAX_DOWNLOAD", 1000)
        with pytest.raises(SlipstreamError, match="larger than F1DB"):
            fetch(f"{url}/./{archive.name}", tmp_path)
    assert sorted(path.name for path in (tmp_path / "f1db").iterdir()) == ["f1db-2026.9.1.tar.gz", "manifest.json"]
    with pytest.raises(SlipstreamError, match="cannot fetch"):
        fetch("http://127.0.0.1:1/f1db.tar.gz", tmp_path)


# ---- adding up ------------------------------------------------------------------------------------------------


def test_what_the_tiny_races_add_up_to(facts):
    prost, senna = (facts.driver_by_name[name] for name in ("Alain Prost", "Ayrton Senna"))
    assert [season.champion for season in facts.seasons] == ["Ayrton Senna", "Alain Prost"]
    assert [season.constructors_champion for season in facts.seasons] == ["McLaren", "McLaren"]
    assert (prost.wins, prost.podiums, prost.starts, prost.titles, prost.points) == (3, 6, 6, (1989,), 45)
    assert (senna.wins, senna.titles, senna.best_place) == (2, (1988,), 1)
    assert senna.seasons[0].team_mates == ("Alain Prost",) and senna.racing
    assert facts.driver_by_name["Damon Hill"].relatives == (("father", "Graham Hill"),)
    assert facts.driver_by_name["Graham Hill"].relatives == (("son", "Damon Hill"),)
    lombardi = facts.driver_by_name["Lella Lombardi"]
    assert lombardi.female and not lombardi.racing and lombardi.starts == 2
    race = facts.race_by_key["1988-japan"]
    assert (race.winner.drivers, race.margin, race.decided) == (("Ayrton Senna",), "1.25 seconds", True)
    assert race.retired == (("Damon Hill", "Engine"), ("Graham Hill", "Engine")) and race.starters == 5
    assert (race.leader, race.leader_points) == ("Ayrton Senna", 24)
    mclaren = facts.team_by_name["McLaren"]
    assert (mclaren.wins, mclaren.record.podiums, mclaren.constructors_titles) == (5, 10, (1988, 1989))
    assert mclaren.record.seasons[0].cars == ("McLaren X1",)
    assert facts.shared_surnames == {"Hill"}


def test_facts_agree_with_the_other_count(folder):
    """check_facts adds F1DB up in its own way."""
    assert compare(load_facts(folder), load_f1db(folder))[2] == []


@real
@pytest.mark.slow
def test_the_real_f1db(tmp_path):
    cache = tmp_path / "tables.json"
    facts = load_facts(Path(REAL), cache)
    for mine, theirs in ((facts.seasons, EMBEDDED.seasons), (facts.champions, EMBEDDED.champions)):
        assert len(mine) == len(theirs)
    tree = load_f1db(Path(REAL))
    assert compare(EMBEDDED, tree)[2] == [] and compare(facts, tree)[2] == []
    count = Summary(tree)
    for driver in facts.drivers:
        ours = (driver.wins, driver.podiums, driver.poles, driver.starts)
        assert ours == tuple(part[driver.key] for part in (count.wins, count.podiums, count.poles, count.starts))
    start = time.perf_counter()
    load_facts(Path(REAL), cache)
    assert time.perf_counter() - start < 3  # half a second on an idle machine
