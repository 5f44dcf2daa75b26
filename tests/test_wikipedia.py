"""Titles, cleaning, the client's manners and its patience, the manifest, resuming. No network but 127.0.0.1.

All texts were written for these tests.
"""

import contextlib
import email.utils
import json
import threading
import time
import unicodedata
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_mlx import download_data, files
from slipstream_mlx.corpus import wikipedia
from slipstream_mlx.corpus.mediawiki import Client
from slipstream_mlx.corpus.wikipedia_clean import clean_article, is_disambiguation
from slipstream_mlx.errors import SlipstreamError

FILLER = "The driver went twice round the old course in the rain before anybody else had found the gate."


# Titles ---------------------------------------------------------------------------------------------------------


def test_our_titles_cover_what_they_should():
    titles = wikipedia.read_titles()
    count = Counter(titles.values())
    assert len(titles) >= 408
    assert count["seasons"] == 76 and count["drivers"] >= 100 and count["constructors"] >= 40
    assert count["circuits"] >= 50 and count["grands prix"] >= 54 and count["races"] >= 1148
    assert all(any(title.startswith(f"{year} Formula One ") for title in titles) for year in range(1950, 2026))
    for title in ("Alan Jones (racing driver)", "British Racing Motors", "Safety car", "1988 Japanese Grand Prix",
                  "São Paulo Grand Prix", "List of Formula One driver records", "Drag reduction system"):  # fmt: skip
        assert title in titles


def test_our_titles_are_tidy():
    lines = (wikipedia.resources.files("slipstream_mlx.corpus") / "titles.txt").read_text(encoding="utf-8").split("\n")
    titles = [line for line in lines if line and not line.startswith("#")]
    assert len(titles) == len({title.casefold() for title in titles})
    assert titles == [unicodedata.normalize("NFC", " ".join(title.split())) for title in titles]


def test_titles_file_of_a_user(tmp_path):
    file = tmp_path / "titles.txt"
    file.write_text("\ufeffLap_record\n\n# drivers\nE\u0301mile  Kestrel\r\nLap record\n", encoding="utf-8")
    assert wikipedia.read_titles(file) == {"Lap record": "", "Émile Kestrel": "drivers"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not there"),
        (b"# drivers\n\n", "names no article"),
        (b"A\nB|C\n", "line 2"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_titles_file_that_cannot_be_used(tmp_path, content, message):
    file = tmp_path / "titles.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SlipstreamError, match=message):
        wikipedia.read_titles(file)


# Cleaning -------------------------------------------------------------------------------------------------------


def clean(paragraph: str) -> str:
    """One paragraph, with enough around it that the article stands."""
    return (
        clean_article(f"{FILLER}\n{paragraph}\n{FILLER[::-1]}").removeprefix(FILLER).removesuffix(FILLER[::-1]).strip()
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("He won in 1953\u20131955 \u2013 and in 1957\u2014again.", "He won in 1953-1955 - and in 1957 - again."),
        ("A gap of \u22120.5\u00a0s, \u201chardly a blink\u201d\u2026", 'A gap of -0.5 s, "hardly a blink"...'),
        ("Rene\u0301 came\u200b from E\u0301vian\u00ad.", "René came from Évian."),
        ("He retired.[1][note 2][citation needed] She won.[b]", "He retired. She won."),
        ('"It was [a] dream", said [the] winner.', '"It was [a] dream", said [the] winner.'),
        ("Kestrel (French: [k\u025bst\u0281] \u24d8 ; born 3 May 1921) drove.", "Kestrel (born 3 May 1921) drove."),
        ("Kestrel ( (listen); ) drove on.", "Kestrel drove on."),
        ("Kestrel /\u02c8k\u025bstr\u0259l/ drove 1/2 lap and/or more.", "Kestrel drove 1/2 lap and/or more."),
        ("The [[Lake Grand Prix|lake]] and the [[hills]] were '''wet'''.", "The lake and the hills were wet."),
        ("It ended.{{cite book|title={{lang|fr|Livre}}}} Then rain.<ref name='a'>B.</ref>", "It ended. Then rain."),
        ("Fuel &amp; oil were 5 &lt; 6 litres<br />apart.", "Fuel & oil were 5 < 6 litres apart."),
        ("See [https://example.org the map] of it.", "See the map of it."),
        ("(key) (Races in bold indicate pole position)", ""),
        ("\u2020 Driver did not finish, but was classified.", ""),
        ("Notes: two cars were late.", ""),
        ("The winner was dressed in bold colours.", "The winner was dressed in bold colours."),
        ("Key to the win was a dry line.", "Key to the win was a dry line."),
        ("Notes were passed along the pit wall.", "Notes were passed along the pit wall."),
        ("[[File:Lake.jpg|thumb|The [[lake]] in May]]It rained.", "It rained."),
    ],
)  # fmt: skip
def test_a_paragraph_is_tidied(before, after):
    assert clean(before) == after


def test_formulas_go_with_their_paragraph():
    symbols = ["", "  ", "    ", "      ", "          F", "          ", "              d", "      ", "    "]
    extract = (
        f"{FILLER}\nThe drag is "
        + "\n".join(symbols)
        + "{\\displaystyle F_{\\mathrm {d} }}\n  , which grows with speed.\n"
        f"{FILLER[::-1]}\nA car with x = \\frac{{1}}{{2}} of it is quick."
    )
    assert clean_article(extract) == f"{FILLER}\n\n{FILLER[::-1]}"


def test_sections_that_nobody_misses_are_dropped():
    prose = [f"{FILLER} Part {i}." for i in range(4)]
    extract = f"""{prose[0]}


== Racing record ==


=== Complete results ===
(key)

=== Notes on the season ===
{prose[1]}


== Notes and references ==
A book.

=== Sources ===
{FILLER} It was in the papers.


== Legacy ==
{prose[2]}


== Gallery ==
{FILLER} A picture of it.


== Honours ==
One cup


== External links ==
{FILLER} A link.
"""
    text = "\n\n".join([prose[0], "Racing record", "Notes on the season", prose[1], "Legacy", prose[2]])
    assert clean_article(extract) == text


def test_a_paragraph_is_kept_once_over_all_articles():
    seen: set[bytes] = set()
    first = clean_article(f"{FILLER}\nThe first of them was red and fast. {FILLER}", seen)
    second = clean_article(f"{FILLER.upper()}\nThe second of them was blue and slow. {FILLER}", seen)
    assert FILLER in first and not second.startswith(FILLER.upper()) and "blue" in second


def test_lists_stay_together_and_typed_lines_flow():
    extract = (
        f"{FILLER}\n{FILLER[:-1]} and\nthen it stopped.\nA red car\nA blue car\nA green car with a dent\n{FILLER[::-1]}"
    )
    text = clean_article(extract)
    assert "A red car\nA blue car\nA green car with a dent" in text
    assert "found the gate and then it stopped." in text


def test_hardly_anything_is_nothing():
    assert clean_article("") == clean_article("A short line.") == ""


def test_disambiguation_by_its_words():
    assert is_disambiguation("Lake may refer to:\nA lake\nA team")
    assert not is_disambiguation(f"{FILLER} The name may refer to the lake.")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            list("\n\n  =={}[]()'<>|/\\a.:\u0259\u2013\u00a0") + ["{\\displaystyle ", "[[File:", "<ref>", FILLER]
        )
    )
)
def test_cleaning_takes_anything(pieces):
    text = clean_article("".join(pieces))
    assert text == unicodedata.normalize("NFC", text).strip()
    assert "\u2013" not in text and "\x00" not in text and "\n\n\n" not in text


def test_cleaning_never_takes_long():
    for piece in ("[[File:", "{{", "{\\displaystyle {", "<ref>", "[", "''", "( ", "/\u0259", "== x ", "\n  ", "A "):
        started = time.perf_counter()
        clean_article(piece * 20_000)
        assert time.perf_counter() - started < 5, piece


# The client -----------------------------------------------------------------------------------------------------


class Wiki:
    """A wiki of a few pages. `plan` has what to answer before the truth, one (status, headers, body) a request."""

    def __init__(self, pages: dict[str, str], plan: list | None = None):
        self.pages, self.plan, self.asked, self.times = pages, plan or [], [], []
        self.revisions = dict.fromkeys(pages, 1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.api = f"http://127.0.0.1:{self._server.server_address[1]}/api.php"

    def __enter__(self) -> "Wiki":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, query: dict[str, list[str]]) -> dict:
        ids = list(self.pages)
        titles = [ids[int(i) - 1] for i in query["pageids"]] if "pageids" in query else query["titles"][0].split("|")
        return {"query": {"pages": [self._page(title, ids, "extracts" in query["prop"][0]) for title in titles]}}

    def _page(self, title: str, ids: list[str], with_text: bool) -> dict:
        if title not in self.pages:
            return {"title": title, "missing": True}
        revision = {"revid": self.revisions[title], "timestamp": "2026-01-01T00:00:00Z"}
        page = {
            "title": title,
            "pageid": ids.index(title) + 1,
            "fullurl": f"{self.api}/{title}",
            "revisions": [revision],
        }
        return page | ({"extract": self.pages[title]} if with_text else {})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        wiki = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wiki.times.append(time.monotonic())
                query = parse_qs(urlsplit(self.path).query)
                wiki.asked.append(query)
                status, headers, body = 200, {}, None
                if wiki.plan:
                    status, headers, body = wiki.plan.pop(0)
                if body is None:
                    body = wiki.answer(query)
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json"} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def quick(wiki: Wiki, **more: float) -> Client:
    return Client(wiki.api, **({"pace": 0, "backoff": 0.01, "max_backoff": 0.02, "timeout": 5} | more))


OK = (200, {}, None)


def test_retry_after_is_waited_out():
    soon = email.utils.formatdate(time.time() + 2, usegmt=True)
    with Wiki({"A": FILLER}, [(429, {"Retry-After": "1"}, b""), (503, {"Retry-After": soon}, b""), OK]) as wiki:
        assert quick(wiki).query(titles="A", prop="extracts")["pages"]["A"]["extract"] == FILLER
    assert wiki.times[1] - wiki.times[0] >= 0.99
    assert wiki.times[2] - wiki.times[0] >= 1.0  # the date has whole seconds


def test_a_lagging_wiki_is_waited_for():
    with Wiki({"A": FILLER}, [(200, {"Retry-After": "1"}, {"error": {"code": "maxlag", "info": "9 s"}}), OK]) as wiki:
        quick(wiki).query(titles="A", prop="info")
    assert wiki.times[1] - wiki.times[0] >= 0.99 and wiki.asked[0]["maxlag"] == ["5"]


def test_waits_grow_and_pace_is_kept():
    with Wiki({"A": FILLER}, [(500, {}, b"")] * 3 + [OK, OK]) as wiki:
        client = quick(wiki, backoff=0.1, max_backoff=10, pace=0.05)
        client.query(titles="A", prop="info")
        client.query(titles="A", prop="info")
    gaps = [b - a for a, b in zip(wiki.times, wiki.times[1:], strict=False)]
    assert all(gap >= least for gap, least in zip(gaps, (0.05, 0.1, 0.2, 0.04), strict=True))
    assert client.counts["faults"] == 3 and client.counts["requests"] == 5


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ([(404, {}, b"")], "HTTP 404: give the address of a MediaWiki api.php"),
        ([(200, {"Content-Type": "text/html"}, b"<html>")] * 3, "text/html instead of JSON: check the network"),
        ([(200, {}, {"error": {"code": "badvalue", "info": "No such thing."}})], "refuses: badvalue: No such thing."),
        ([(429, {"Retry-After": "86400"}, b"")], "asks to wait .* run again later"),
        ([(503, {}, b"")] * 4, "failed 4 times, last with HTTP 503: run again"),
        ([(200, {}, b'{"query": ')] * 4, "last with broken JSON"),
        ([(200, {"Content-Encoding": "gzip"}, b"{}")] * 4, "failed 4 times"),
    ],
)
def test_what_cannot_be_helped_is_told(plan, message):
    with Wiki({"A": FILLER}, plan) as wiki, pytest.raises(SlipstreamError, match=message):
        quick(wiki, tries=4).query(titles="A", prop="info")


@pytest.mark.parametrize("api", ["nonsense", "ftp://127.0.0.1/api.php", "http://127.0.0.1:1/api.php", "http://:0/"])
def test_wrong_addresses_are_told_soon(api):
    started = time.monotonic()
    with pytest.raises(SlipstreamError, match="api.php"):
        Client(api, backoff=0.01).query(titles="A")
    assert time.monotonic() - started < 5


def test_a_wiki_without_extracts_is_told(tmp_path):
    with Wiki({"A": FILLER}) as wiki:
        wiki._page = lambda title, ids, with_text: Wiki._page(wiki, title, ids, False)
        with pytest.raises(SlipstreamError, match="TextExtracts"):
            wikipedia.download(quick(wiki), {"A": ""}, tmp_path)


# Downloading ----------------------------------------------------------------------------------------------------

PAGES = {f"Page {i}": f"Page {i} tells of race {i}. {FILLER}\nIn race {i} it rained. {FILLER}" for i in range(1, 9)}


def test_a_run_that_is_cut_off_goes_on_where_it_was(tmp_path):
    titles = dict.fromkeys(PAGES, "races")
    with Wiki(PAGES, [OK] * 5 + [(503, {}, b"")] * 2) as wiki:
        with pytest.raises(SlipstreamError, match="run again to go on"):
            wikipedia.download(quick(wiki, tries=2), titles, tmp_path)
        assert not (tmp_path / "manifest.json").exists()
        assert len(list((tmp_path / "articles").iterdir())) == 4

        manifest = wikipedia.download(quick(wiki), titles, tmp_path)
        assert (manifest["fetched"], manifest["kept"], len(manifest["articles"])) == (4, 4, 8)

        wiki.revisions["Page 2"] = 2
        wiki.plan = [OK, (403, {}, b"")]
        before = (tmp_path / "manifest.json").read_bytes()
        with pytest.raises(SlipstreamError):
            wikipedia.download(quick(wiki), titles, tmp_path)
        assert (tmp_path / "manifest.json").read_bytes() == before
    assert [document.title for document in wikipedia.read_articles(tmp_path)] == list(PAGES)


def test_a_broken_manifest_is_made_again(tmp_path):
    with Wiki(PAGES) as wiki:
        wikipedia.download(quick(wiki), dict.fromkeys(PAGES, ""), tmp_path)
        (tmp_path / "manifest.json").write_text('{"articles": [3]}')
        with pytest.raises(SlipstreamError, match="not a manifest"):
            list(wikipedia.read_articles(tmp_path))
        assert wikipedia.download(quick(wiki), dict.fromkeys(PAGES, ""), tmp_path)["fetched"] == 0
    assert len(list(wikipedia.read_articles(tmp_path))) == 8


def test_a_page_deleted_meanwhile_is_listed(tmp_path):
    with Wiki(PAGES) as wiki:
        wiki.plan = [OK, (200, {}, {"query": {"pages": [{"pageid": 1, "missing": True, "title": "Page 1"}]}})]
        manifest = wikipedia.download(quick(wiki), dict.fromkeys(PAGES, ""), tmp_path)
    assert manifest["missing"] == ["Page 1"] and len(manifest["articles"]) == 7


def test_articles_that_were_not_downloaded_or_were_changed(tmp_path):
    with pytest.raises(SlipstreamError, match="run `make download`"):
        list(wikipedia.read_articles(tmp_path))
    with Wiki(PAGES) as wiki:
        manifest = wikipedia.download(quick(wiki), dict.fromkeys(PAGES, ""), tmp_path)
    (tmp_path / manifest["articles"][2]["file"]).write_text("{}")
    with pytest.raises(SlipstreamError, match="run the download again"):
        list(wikipedia.read_articles(tmp_path))


def test_the_command_tells_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        download_data.main(["wikipedia", "--out", str(tmp_path / "data"), "--titles", str(tmp_path / "none.txt")])
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and "none.txt is not there" in err and err.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("argv", [["nowhere"], [], ["wikipedia", "--pace", "-1"], ["wikipedia", "--pace", "nan"]])
def test_the_command_refuses_nonsense(argv, capsys):
    with pytest.raises(SystemExit) as exit_:
        download_data.main(argv)
    assert exit_.value.code == 2 and "Traceback" not in capsys.readouterr().err


def test_the_command_fetches_f1db_too(tmp_path, monkeypatch):
    from slipstream_mlx.corpus import f1db

    fetched = []
    monkeypatch.setattr(f1db, "fetch", lambda source, out: fetched.append((source, out)))
    download_data.main(["f1db", "--out", str(tmp_path), "--f1db", "some.tar.gz"])
    download_data.main(["f1db"])
    assert fetched == [("some.tar.gz", tmp_path), (f1db.URL, download_data.Path("data"))]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"é": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "\ud800")
    assert json.loads(path.read_text(encoding="utf-8")) == {"é": 1}
