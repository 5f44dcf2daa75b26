"""Wikipedia's articles on Formula One: which ones, fetching them, and reading them as documents.

    titles.txt ─► survey (50 titles a request) ─► fetch (one article a request) ─► articles/ID.json ─► manifest.json
                                                        Documents ◄── read_articles (cleans) ◄──────────────┘

An article's file says which revision it holds, so a run that was stopped goes on where it was, and a later one asks
only for what is missing or was edited since.
"""

import contextlib
import hashlib
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from tqdm import tqdm

from ..errors import SlipstreamError
from ..files import write_json
from . import Document
from .mediawiki import Client
from .wikipedia_clean import clean_article, is_disambiguation

API = "https://en.wikipedia.org/w/api.php"
LICENCE, LICENCE_URL = "CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"
MANIFEST, ARTICLES = "manifest.json", "articles"
BATCH = 50  # titles in one request: MediaWiki's limit for a client that is not a registered bot
FORBIDDEN = set("|#<>[]{}\t")  # no title has these, and | would part one title into two


@dataclass
class Survey:
    """What a wiki says of a list of titles. Every title is in exactly one of the lists, or asks for one of `pages`."""

    pages: dict[int, dict] = field(default_factory=dict)  # by page id, in the order of the titles
    redirected: list[dict] = field(default_factory=list)  # these lead to one of `pages`; told for the record
    repeated: list[dict] = field(default_factory=list)  # lead to an article that a title before it had asked for
    missing: list[str] = field(default_factory=list)
    disambiguation: list[str] = field(default_factory=list)


def read_titles(path: str | Path | None = None) -> dict[str, str]:
    """Titles with their category, in order: one a line below a "# category" line. No path: the package's own list.

    Raises SlipstreamError, with the line, for a file that cannot be used.
    """
    file = resources.files(__package__) / "titles.txt" if path is None else Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SlipstreamError(f"{file} is not there: check the path given to --titles") from None
    except UnicodeDecodeError:
        raise SlipstreamError(f"{file} is not UTF-8 text: save it as UTF-8") from None
    titles: dict[str, str] = {}
    category = ""
    for number, line in enumerate(text.split("\n"), start=1):
        line = " ".join(unicodedata.normalize("NFC", line).replace("_", " ").split())
        if line.startswith("#"):
            category = line.lstrip("# ")
        elif bad := FORBIDDEN.intersection(line):
            raise SlipstreamError(
                f"{file}, line {number}: no title has {' '.join(sorted(bad))} in it: one title a line"
            )
        elif line:
            titles.setdefault(line, category)
    if not titles:
        raise SlipstreamError(f"{file} names no article: write one title a line")
    return titles


def download(client: Client, titles: dict[str, str], folder: Path) -> dict:
    """Bring `folder` up to date with the wiki; return its manifest, with "fetched" and "kept" counts added.

    Raises SlipstreamError if the wiki fails for good. What was fetched till then stays, and the manifest is untouched.
    """
    (folder / ARTICLES).mkdir(parents=True, exist_ok=True)
    old = None
    with contextlib.suppress(SlipstreamError):  # none yet, or broken: the articles' own files tell enough
        old = _read_manifest(folder)
    sums = {entry["page_id"]: entry["sha256"] for entry in old["articles"]} if old else {}
    survey = survey_titles(client, titles)
    wanted = [page for page in survey.pages.values() if not _is_current(folder, page, sums.get(page["page_id"]))]
    bar = tqdm(wanted, desc="articles", unit="article", disable=None if wanted else True, dynamic_ncols=True)
    client.report = bar.set_postfix_str
    for page in bar:
        _fetch_article(client, page, folder, survey)
    manifest = _make_manifest(client.api, survey, titles, folder)
    if manifest != old:  # or everything made from it would look out of date
        write_json(folder / MANIFEST, manifest)
    return manifest | {"fetched": len(wanted), "kept": len(survey.pages) - len(wanted)}


def survey_titles(client: Client, titles: dict[str, str]) -> Survey:
    """Look every title up: follow redirects, note the revision that is current, sort out what is no article."""
    survey = Survey()
    with tqdm(total=len(titles), desc="looking up", unit="title", disable=None, dynamic_ncols=True) as bar:
        client.report = bar.set_postfix_str
        for start in range(0, len(titles), BATCH):
            batch = list(titles)[start : start + BATCH]
            answer = client.query(
                titles="|".join(batch), redirects=1, prop="info|revisions|pageprops",
                inprop="url", rvprop="ids|timestamp", ppprop="disambiguation",
            )  # fmt: skip
            for title in batch:
                _sort_in(survey, title, answer)
            bar.update(len(batch))
    return survey


def read_articles(folder: str | Path) -> Iterator[Document]:
    """The downloaded articles as cleaned documents, one at a time, in the manifest's order.

    Raises SlipstreamError if there are none, or a file is not the one that the manifest describes.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    seen: set[bytes] = set()
    for entry in manifest["articles"]:
        try:
            data = (folder / entry["file"]).read_bytes()
        except FileNotFoundError:
            data = b""
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise SlipstreamError(f"{folder / entry['file']} is not what the manifest says: run the download again")
        if text := clean_article(json.loads(data)["text"], seen):
            yield Document(f"{entry['title']}\n\n{text}", entry["title"], entry["url"], entry["licence"])


def _sort_in(survey: Survey, title: str, answer: dict) -> None:
    target, section = _follow(title, answer)
    page = answer["pages"].get(target, {"missing": True})
    there = isinstance(page.get("pageid"), int) and page.get("revisions")
    if page.get("missing") or page.get("invalid") or not there:
        survey.missing.append(title)
    elif "disambiguation" in page.get("pageprops", {}):
        survey.disambiguation.append(title)
    elif page["pageid"] in survey.pages:
        survey.repeated.append({"asked": title, "title": target})
    else:
        revision = page["revisions"][0]
        survey.pages[page["pageid"]] = {
            "asked": title, "title": target, "page_id": page["pageid"], "revision_id": revision["revid"],
            "timestamp": revision["timestamp"], "url": page["fullurl"],
        }  # fmt: skip
        if target != title:
            survey.redirected.append({"asked": title, "title": target} | ({"section": section} if section else {}))


def _follow(title: str, answer: dict) -> tuple[str, str]:
    """The title of the page that `title` leads to, and the section if it leads to one."""
    steps = {step["from"]: step for name in ("normalized", "redirects") for step in answer.get(name, ())}
    section = ""
    visited = set()
    while title in steps and title not in visited:
        visited.add(title)
        section = steps[title].get("tofragment", "")
        title = steps[title]["to"]
    return title, section


def _article_path(folder: Path, page_id: int) -> Path:
    return folder / ARTICLES / f"{page_id}.json"  # not the title: a file system may fold its case or its accents


def _is_current(folder: Path, page: dict, sha256: str | None) -> bool:
    try:
        data = _article_path(folder, page["page_id"]).read_bytes()
        article = json.loads(data)
        current = article["revision_id"] == page["revision_id"] and article["title"] == page["title"]
        return current and "text" in article and sha256 in (None, hashlib.sha256(data).hexdigest())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _fetch_article(client: Client, page: dict, folder: Path, survey: Survey) -> None:
    # TextExtracts gives whole articles one a request; revision and text come together, so they belong together.
    answer = client.query(
        pageids=page["page_id"], prop="extracts|revisions", explaintext=1, exsectionformat="wiki", exlimit=1,
        rvprop="ids|timestamp",
    )  # fmt: skip
    found: dict = next(iter(answer["pages"].values()), {"missing": True})
    if found.get("missing") or not found.get("revisions"):  # deleted since the survey
        del survey.pages[page["page_id"]]
        survey.redirected = [row for row in survey.redirected if row["asked"] != page["asked"]]
        survey.missing.append(page["asked"])
        return
    if "extract" not in found:
        raise SlipstreamError(f"{client.api} gives no plain text: that wiki lacks the TextExtracts extension")
    revision = found["revisions"][0]
    page |= {"revision_id": revision["revid"], "timestamp": revision["timestamp"]}
    article = {name: page[name] for name in ("title", "page_id", "revision_id", "timestamp", "url")}
    write_json(_article_path(folder, page["page_id"]), article | {"licence": LICENCE, "text": found["extract"]})


def _make_manifest(api: str, survey: Survey, titles: dict[str, str], folder: Path) -> dict:
    articles, empty, disambiguation = [], [], list(survey.disambiguation)
    seen: set[bytes] = set()
    before = after = 0
    for page in survey.pages.values():
        path = _article_path(folder, page["page_id"])
        data = path.read_bytes()
        extract = json.loads(data)["text"]
        if is_disambiguation(extract):
            disambiguation.append(page["asked"])
            continue
        cleaned = clean_article(extract, seen)
        if not cleaned:
            empty.append(page["asked"])
            continue
        before += len(extract.encode())
        after += len(cleaned.encode())
        entry = {name: page[name] for name in ("title", "page_id", "revision_id", "timestamp", "url")}
        entry |= {"category": titles[page["asked"]], "licence": LICENCE, "file": f"{ARTICLES}/{path.name}"}
        articles.append(entry | {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    return {
        "source": "Wikipedia", "api": api, "licence": LICENCE, "licence_url": LICENCE_URL,
        "attribution": "The authors of each article, listed in its history at its URL.",
        "titles": len(titles), "text_bytes": before, "cleaned_bytes": after, "articles": articles,
        "redirected": survey.redirected, "repeated": survey.repeated, "missing": survey.missing,
        "disambiguation": disambiguation, "empty": empty,
    }  # fmt: skip


def _read_manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        for entry in manifest["articles"]:
            if not {"page_id", "title", "url", "licence", "file", "sha256"} <= entry.keys():
                raise ValueError
            if Path(entry["file"]).parts != (ARTICLES, Path(entry["file"]).name):
                raise ValueError  # articles lie beside their manifest and nowhere else
        return manifest
    except FileNotFoundError:
        raise SlipstreamError(f"{folder} holds no articles (no {MANIFEST}): run `make download`") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SlipstreamError(f"{path} is not a manifest of articles: delete it and run the download again") from None
