"""Turn the fact tables into text to read; `render_questions`, from ask.py, turns them into questions to answer.

Each row becomes several short articles, in different words, with the sentences in a different order and the names
varied: a fact told once is not learned, however long the training (Allen-Zhu & Li, "Physics of Language Models",
parts 3.1 and 3.3). What is said is in templates.py; what its placeholders stand for, in contexts.py.
"""

import random
from collections import Counter
from collections.abc import Iterator

from . import Document
from .ask import render_questions
from .contexts import (
    Context,
    capital,
    champion_context,
    circuit_context,
    count,
    fill,
    fits,
    listing,
    placeholders,
    season_context,
    team_context,
    the_circuit,
    the_country,
)
from .facts import LAST_SEASON, Facts
from .templates import AGGREGATES, CHAMPION, CIRCUIT, SEASON, TEAM

__all__ = ["render_documents", "render_questions"]

SOURCE = "Slipstream's fact tables, checked against F1DB (https://github.com/f1db/f1db)"
LICENCE = "CC BY 4.0"
MIN_WORDS, MAX_WORDS = 60, 160  # of an article

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


class _Deck:
    """Deals a statement's phrasings in a shuffled order, so that no two variants of an article say it alike."""

    def __init__(self, statements: dict[str, tuple[str, ...]], context: Context, rng: random.Random):
        fitting = {key: [t for t in texts if fits(t, context)] for key, texts in statements.items()}
        self.rng, self.cards = rng, {key: texts for key, texts in fitting.items() if texts}
        self.dealt: Counter[str] = Counter()

    def deal(self, key: str) -> str:
        cards, index = self.cards[key], self.dealt[key] % len(self.cards[key])
        if index == 0:
            last = cards[-1]
            self.rng.shuffle(cards)
            if cards[0] == last:  # the same words twice in a row would be noticed
                cards.append(cards.pop(0))
        self.dealt[key] += 1
        return cards[index]


def _article(deck: _Deck, context: Context, rng: random.Random) -> str:
    """One article: the opening, then the other statements in any order, as many as there is room for."""
    opening = deck.deal("open")
    said = {key for key, names in _SAID_BY.items() if names & set(placeholders(opening))}
    keys = [key for key in deck.cards if key != "open"]
    rng.shuffle(keys)
    sentences = [capital(fill(opening, context, rng))]
    words = len(sentences[0].split())
    for key in sorted(keys, key=said.__contains__):  # what was said already comes last, if at all
        if key in said and words >= MIN_WORDS:
            break
        sentence = capital(fill(deck.deal(key), context, rng))
        words += len(sentence.split())
        if words > MAX_WORDS:
            break
        sentences.append(sentence)
    return " ".join(sentences)


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
        for row in rows:
            context = {**context_of(facts, row), "f1": ("Formula One", "Formula One", "Formula 1", "F1")}
            deck = _Deck(statements, context, rng)
            for _ in range(variants):
                text = _article(deck, _some_corners(context, row, rng), rng)
                yield Document(text, title_of(row), SOURCE, LICENCE)


def _aggregate_rows(facts: Facts) -> Iterator[tuple[str, Context, list[Context], bool]]:
    """Yield (aggregate's name, context of its opening, contexts of its rows, may the rows be shuffled)."""
    by_count: dict[int, list[str]] = {}
    for name, n in facts.titles.most_common():
        by_count.setdefault(n, []).append(name)
    rows: list[Context] = [
        {"names": listing(some), "titles": count(n, "title"), "each": " each" if len(some) > 1 else ""}
        for n, names in by_count.items()
        for some in _chunks(names, 6)
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


def _chunks(items: list, size: int) -> list[list]:
    """The items in parts of at most `size`, as even as can be."""
    n = -(-len(items) // size)
    return [items[i * len(items) // n : (i + 1) * len(items) // n] for i in range(n)]


def _aggregate_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for name, opening, rows, shuffle in _aggregate_rows(facts):
        title, open_texts, row_texts = AGGREGATES[name]
        opening = {**opening, "f1": ("Formula One", "Formula 1", "F1")}
        deck = _Deck({"open": open_texts, "row": row_texts}, {**opening, **rows[0]}, rng)
        for _ in range(variants):
            order = rng.sample(rows, len(rows)) if shuffle else rows
            for part in _chunks(order, 10):  # a list longer than that is a list, not a text
                sentences = [fill(deck.deal("open"), opening, rng)]
                sentences += [fill(deck.deal("row"), row, rng) for row in part]
                text = " ".join(capital(sentence) for sentence in sentences)
                yield Document(text, title.format_map(opening), SOURCE, LICENCE)


def render_documents(facts: Facts, seed: int = 0, variants: int = 4) -> Iterator[Document]:
    """Yield `variants` short articles for each season, champion, team and circuit, then lists over whole tables.

    The same seed gives the same documents in the same order.
    """
    rng = random.Random(seed)
    yield from _row_documents(facts, rng, variants)
    yield from _aggregate_documents(facts, rng, variants)
