"""Turn facts into text to read; `render_questions`, from ask.py, turns them into questions to answer.

Each row becomes several short articles, in different words, with the sentences in a different order and the names
varied: a fact told once is not learned, however long the training (Allen-Zhu & Li, "Physics of Language Models",
parts 3.1 and 3.3). What is said of the embedded tables is in templates.py, and what its placeholders stand for in
contexts.py. What F1DB adds is in render_races.py, render_drivers.py and so on, with their templates beside them.
"""

import random
from collections.abc import Iterator

from . import Document
from .ask import render_questions
from .compose import LICENCE, MAX_WORDS, MIN_WORDS, Deck, Kind, article_text, chunks
from .contexts import champion_context, circuit_context, season_context, team_context
from .facts import LAST_SEASON, Facts
from .render_circuits import circuit_documents, grand_prix_documents
from .render_drivers import driver_documents
from .render_races import race_documents
from .render_records import nation_documents, record_documents
from .render_seasons import season_documents
from .render_statements import card_documents, statement_documents
from .render_teams import engine_documents, team_documents
from .templates import AGGREGATES, CHAMPION, CIRCUIT, SEASON, TEAM
from .words import Context, capital, count, fill, listing, the_circuit, the_country

__all__ = ["MAX_WORDS", "MIN_WORDS", "render_documents", "render_questions"]

SOURCE = "Slipstream's fact tables, checked against F1DB (https://github.com/f1db/f1db)"
TELLINGS = 4  # of each fact by itself, and as many on cards, for each article about its subject

_SAID_BY = {  # a statement that would only repeat the opening -> the opening's placeholder that says it
    "team": {"team"},
    "titles": {"times"},
    "years": {"years"},
    "country": {"country", "adj_team"},
    "first": {"first"},
    "where": {"where"},
    "length": {"length"},
    "races": {"races"},
    "runner_up": {"runner_up"},
}


def _some_corners(context: Context, row: object, rng: random.Random) -> Context:
    """Name at most four corners at a time: a person would."""
    corners = getattr(row, "corners", ())
    if len(corners) < 2:
        return context
    return {**context, "corners": listing(rng.sample(corners, min(4, len(corners))))}


def _row_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    tables = (
        (facts.seasons, SEASON, season_context, lambda row: f"{row.year} Formula One season"),
        (facts.champions, CHAMPION, champion_context, lambda row: row.name),
        (facts.teams, TEAM, team_context, lambda row: f"{row.name} (Formula One team)"),
        (facts.circuits, CIRCUIT, circuit_context, lambda row: row.name),
    )
    for rows, statements, context_of, title_of in tables:
        kind = Kind(statements, said=_SAID_BY)
        for row in rows:
            context = {**context_of(facts, row), "f1": ("Formula One", "Formula One", "Formula 1", "F1")}
            deck = Deck(kind, context, rng)
            for _ in range(variants):
                text = article_text(kind, deck, _some_corners(context, row, rng), MAX_WORDS)
                yield Document(text, title_of(row), SOURCE, LICENCE)


def _aggregate_rows(facts: Facts) -> Iterator[tuple[str, Context, list[Context], bool]]:
    """Yield (aggregate's name, context of its opening, contexts of its rows, may the rows be shuffled)."""
    by_count: dict[int, list[str]] = {}
    for name, n in facts.titles.most_common():
        by_count.setdefault(n, []).append(name)
    rows: list[Context] = [
        {"names": listing(some), "titles": count(n, "title"), "each": " each" if len(some) > 1 else ""}
        for n, names in by_count.items()
        for some in chunks(names, 6)
    ]
    yield "titles", {"best": listing(next(iter(by_count.values())))}, rows, False

    ages = sorted(facts.champions, key=lambda row: row.age_at_first_title)
    rows = [{"champion": c.name, "year": c.titles[0], "age": c.age_at_first_title} for c in ages]
    yield "ages", {}, rows, True

    rows = [
        {"country": the_country(country), "champions": count(len(group), "champion"),
         "names": listing(row.name for row in group)}
        for country, group in facts.champions_by_country.items()
    ]  # fmt: skip
    yield "nations", {}, rows, True

    winners = sorted(facts.teams, key=lambda row: -len(row.constructors_titles))
    rows = [
        {"team": row.name, "titles": count(len(row.constructors_titles), "title"),
         "years": listing(row.constructors_titles)}
        for row in winners if row.constructors_titles
    ]  # fmt: skip
    yield "constructors", {"best": winners[0].name}, rows, False

    rows = [{"team": row.name, "champions": listing(facts.champions_of(row.name))} for row in facts.teams]
    yield "champion_teams", {}, [row for row in rows if row["champions"]], True

    rows = [
        {"the_country": the_country(country), "circuits": count(len(group), "circuit"),
         "names": listing(the_circuit(row.name) for row in group)}
        for country, group in facts.circuits_by_country.items()
    ]  # fmt: skip
    yield "circuit_countries", {}, rows, True

    lengths = sorted(facts.circuits, key=lambda row: -row.length_km)
    rows = [{"name": the_circuit(row.name), "length": f"{row.length_km:.3f}"} for row in lengths]
    yield "lengths", {}, rows[:12] + rows[-12:], False

    visits = sorted(facts.circuits, key=lambda row: -row.races)[:24]
    rows = [{"name": the_circuit(row.name), "races": count(row.races, "race")} for row in visits]
    yield "visits", {}, rows, False

    other_way = [row for row in facts.circuits if row.direction == "anti-clockwise"]
    yield "anti_clockwise", {}, [{"name": the_circuit(row.name)} for row in other_way], True

    rows = [{"corner": corner, "name": the_circuit(row.name)} for row in facts.circuits for corner in row.corners]
    yield "corners", {}, rows, True

    for start in range(1950, LAST_SEASON + 1, 10):
        opening: Context = {"decade": f"{start}s"}
        seasons = [row for row in facts.seasons if row.year // 10 * 10 == start]
        rows = [season_context(facts, row) for row in seasons]
        yield "decade_champions", opening, rows, False
        yield "decade_runners_up", opening, rows, False
        yield "decade_constructors", opening, [row for row in rows if row["constructors"]], False


def _aggregate_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for name, opening, rows, shuffle in _aggregate_rows(facts):
        if not rows:
            continue
        title, open_texts, row_texts = AGGREGATES[name]
        opening = {**opening, "f1": ("Formula One", "Formula 1", "F1")}
        deck = Deck(Kind({"open": open_texts, "row": row_texts}), {**opening, **rows[0]}, rng)
        for _ in range(variants):
            order = rng.sample(rows, len(rows)) if shuffle else rows
            for part in chunks(order, 10):  # a list longer than that is a list, not a text
                sentences = [fill(deck.deal("open"), opening, rng)]
                sentences += [fill(deck.deal("row"), row, rng) for row in part]
                text = " ".join(capital(sentence) for sentence in sentences)
                yield Document(text, title.format_map(opening), SOURCE, LICENCE)


_F1DB_PARTS = (
    race_documents,
    driver_documents,
    season_documents,
    team_documents,
    circuit_documents,
    grand_prix_documents,
    engine_documents,
    nation_documents,
    record_documents,
)


def render_documents(facts: Facts, seed: int = 0, variants: int = 4) -> Iterator[Document]:
    """Yield `variants` short articles about everything in the tables, then lists over whole tables.

    From the embedded facts: each season, champion, team and circuit. Facts with races (from F1DB) add articles from
    several points of view: the race, the driver, the season, the team, the circuit, the Grand Prix, the engine and the
    country, and every fact four times as often in a sentence of its own and on a card. The same seed gives the same
    documents in the same order; they are made one at a time.
    """
    rng = random.Random(seed)
    yield from _row_documents(facts, rng, variants)
    yield from _aggregate_documents(facts, rng, variants)
    if facts.races:
        for part in _F1DB_PARTS:
            yield from part(facts, rng, variants)
        yield from statement_documents(facts, rng, TELLINGS * variants)
        yield from card_documents(facts, rng, TELLINGS * variants)
