"""Turn the fact tables into questions with their answers and keywords. The wording is in question_templates.py."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date

from .contexts import (
    ADJECTIVES,
    NUMBERS,
    Context,
    capital,
    champion_context,
    count,
    first_constructors_year,
    first_names,
    fold,
    listing,
    number,
    season_context,
    short_name,
    strip_accents,
    the_circuit,
    the_country,
)
from .facts import Champion, Circuit, Facts, Team
from .question_templates import QUESTIONS

Keywords = list[list[str]]  # as in a question file

_COUNTRY_ALSO = {  # what else a right answer may call a country
    "United Kingdom": ("UK", "Britain"),
    "United States": ("USA", "US", "America"),
    "Netherlands": ("Holland",),
    "United Arab Emirates": ("UAE",),
    "South Korea": ("Korea",),
}
_PLACE_ALSO = {  # by circuit, or by birthplace
    "Montona": ("Motovun",),
    "hungaroring": ("Mogyoród",),
    "magny-cours": ("Magny-Cours",),
    "donington": ("Castle Donington", "Derby"),
    "paul-ricard": ("Castellet",),
    "mugello": ("Scarperia",),
    "monaco": ("Monaco",),
}


def _person(facts: Facts, name: str) -> Keywords:
    """The surname suffices, but for Hill, Rosberg and Villeneuve the first name is wanted too."""
    surname = name.split()[-1]
    if surname not in facts.shared_surnames:
        return [[fold(surname)]]
    return [[fold(first_names(name))], [fold(surname)]]


def _amount(n: int) -> Keywords:
    words = ["none", "no", "zero", "never"] if n == 0 else []
    return [[*words, *NUMBERS[n : n + 1], str(n)] if n else [*words, "0"]]


def _all_of(items: Iterable) -> Keywords:
    return [[fold(str(item))] for item in items]


def _country(country: str, *also: str) -> Keywords:
    names = (country, ADJECTIVES.get(country, country), *_COUNTRY_ALSO.get(country, ()), *also)
    return [list(dict.fromkeys(fold(name) for name in names))]


def _ground(country: str) -> Keywords:
    """Like `_country`, for teams and circuits: the British ones are all in England."""
    return _country(country, *(["England"] if country == "United Kingdom" else []))


def _circuit(row: Circuit) -> Keywords:
    names = (row.name, row.full_name, *row.aliases, *row.former_names)
    return [list(dict.fromkeys(fold(name) for name in names))]


def _kilometres(km: float) -> Keywords:
    """A right answer may be rounded: "5.793", "5.79" and "5.8" all count."""
    km += 1e-9  # so that halves are rounded up
    return [list(dict.fromkeys((f"{km:.3f}", f"{km:.3f}".rstrip("0"), f"{km:.2f}", f"{km:.1f}")))]


def _direction(direction: str) -> Keywords:
    """A bare "clockwise" is in "anti-clockwise" too, so the verb is asked for."""
    verbs = ("runs", "is", "goes", "run", "go", "it s")
    if direction == "clockwise":
        return [[f"{verb} clockwise" for verb in verbs]]
    return [["anti clockwise", "anticlockwise", "counter clockwise", "counterclockwise"]]


def _season_questions(facts: Facts) -> Iterator[tuple[str, Context]]:
    began = first_constructors_year(facts)
    for row in facts.seasons:
        context = {
            **season_context(facts, row),
            "teams": listing(reversed(row.champion_teams)),
            "races": capital(count(row.races, "race")),
            "why_no_constructors": f"Because the constructors' championship began only in {began}.",
            "keywords": {
                "champion": _person(facts, row.champion),
                "runner_up": _person(facts, row.runner_up),
                "teams": _all_of(row.champion_teams),
                "constructors": _all_of([row.constructors_champion or ""]),
                "constructors_from": _all_of([began]),
                "races": _amount(row.races),
            },
        }
        constructors = "constructors" if row.constructors_champion else "no_constructors"
        for key in ("champion", "team", "runner_up", "races", constructors):
            yield f"season.{key}", context


def _champion_questions(facts: Facts) -> Iterator[tuple[str, Context]]:
    keys = (
        *("titles", "years", "first_title", "teams", "wins", "poles", "debut"),
        *("nationality", "country", "birth_year", "birthplace"),
    )
    for row in facts.champions:
        context = {
            **champion_context(facts, row),
            "short": short_name(facts, row.name),
            "titles": capital(count(len(row.titles), "title")),
            "nationality": row.nationality,
            "country": capital(the_country(row.country)),
            "wins": capital(count(row.wins, "win")),
            "poles": capital(count(row.poles, "pole position")),
            "keywords": {
                "titles": _amount(len(row.titles)),
                "years": _all_of(row.titles),
                "first_title": _all_of(row.titles[:1]),
                "nationality": _country(row.country, row.nationality),
                "birth_year": _all_of([row.birth_year]),
                "birthplace": [[fold(place) for place in (row.birthplace, *_PLACE_ALSO.get(row.birthplace, ()))]],
                "wins": _amount(row.wins),
                "poles": _amount(row.poles),
                "first": _all_of([row.first_race_year]),
                "title_teams": _all_of(facts.teams_of(row.name)),
            },
        }
        for key in keys:
            yield f"champion.{key}", context


def _team_questions(facts: Facts) -> Iterator[tuple[str, Context]]:
    for row in facts.teams:
        context = {
            "name": row.name,
            "country": capital(the_country(row.country)),
            "first": row.first_season,
            "last": row.last_season,
            "constructors_titles": capital(count(len(row.constructors_titles), "title")),
            "drivers_titles": capital(count(len(row.drivers_titles), "title")),
            "wins": capital(count(row.wins, "win")),
            "keywords": {
                "country": _ground(row.country),
                "first": _all_of([row.first_season]),
                "last": _all_of([row.last_season]),
                "constructors_titles": _amount(len(row.constructors_titles)),
                "drivers_titles": _amount(len(row.drivers_titles)),
                "wins": _amount(row.wins),
            },
        }
        for key in ("country", "first", "constructors", "drivers", "wins", *(["last"] if row.last_season else [])):
            yield f"team.{key}", context


def _circuit_questions(facts: Facts) -> Iterator[tuple[str, Context]]:
    places = Counter(row.place for row in facts.circuits)
    corners = Counter(fold(corner) for row in facts.circuits for corner in row.corners)
    for row in facts.circuits:
        country = the_country(row.country)
        context = {
            "name": the_circuit(row.name),
            "circuit": capital(the_circuit(row.name)),
            "country": capital(country),
            "place": row.place,
            "place_country": row.place if row.place == row.country else f"{row.place}, {row.country}",
            "first": row.first_year,
            "length": f"{row.length_km:.3f}",
            "turns": capital(count(row.turns, "turn")),
            "runs": f"It runs {row.direction}.",
            "races": capital(count(row.races, "race")),
            "keywords": {
                "country": _ground(row.country),
                "place": [[fold(place) for place in (row.place, *_PLACE_ALSO.get(row.key, ()))]],
                "first": _all_of([row.first_year]),
                "length": _kilometres(row.length_km),
                "turns": _amount(row.turns),
                "direction": _direction(row.direction),
                "races": _amount(row.races),
                "circuit": _circuit(row),
            },
        }
        for key in ("country", "first", "length", "turns", "direction", "races"):
            yield f"circuit.{key}", context
        if fold(row.place) not in fold(row.name):  # where is Monza? in Monza
            yield "circuit.place", context
            if places[row.place] == 1:
                yield "place.circuit", context
        for corner in row.corners:
            if corners[fold(corner)] == 1:
                yield "corner.circuit", {**context, "corner": corner}


def _record(key: str, names: list[str], keywords: Keywords, total: str = "") -> tuple[str, Context]:
    return f"record.{key}", {"names": listing(names), "count": total, "keywords": {"names": keywords}}


def _best(rows: Iterable, value) -> tuple[int, list]:
    """The highest value, and every row that has it."""
    rows = list(rows)
    top = max(value(row) for row in rows)
    return top, [row for row in rows if value(row) == top]


def _record_questions(facts: Facts) -> Iterator[tuple[str, Context]]:
    def drivers(key: str, names: list[str], total: str = "") -> tuple[str, Context]:
        return _record(key, names, [group for name in names for group in _person(facts, name)], total)

    def teams(key: str, rows: list[Team], total: str = "") -> tuple[str, Context]:
        return _record(key, [row.name for row in rows], _all_of(row.name for row in rows), total)

    def circuits(key: str, rows: list[Circuit]) -> tuple[str, Context]:
        keywords = [group for row in rows for group in _circuit(row)]
        return _record(key, [capital(the_circuit(row.name)) for row in rows], keywords)

    def days_old(row: Champion) -> int:  # on the last day of the year of the first title
        return (date(row.titles[0], 12, 31) - date.fromisoformat(row.born)).days

    n, names = _best(facts.titles, facts.titles.__getitem__)
    yield drivers("titles", names, number(n))
    n, names = _best(facts.runner_up_places, facts.runner_up_places.__getitem__)
    yield drivers("runner_up", names, number(n))
    yield drivers("wins", [row.name for row in _best(facts.champions, lambda row: row.wins)[1]])
    yield drivers("poles", [row.name for row in _best(facts.champions, lambda row: row.poles)[1]])
    yield drivers("youngest", [row.name for row in _best(facts.champions, lambda row: -days_old(row))[1]])
    oldest = _best(facts.champions, lambda row: row.titles[-1] - row.birth_year)[1]
    yield drivers("oldest", [row.name for row in oldest])
    yield drivers("first_champion", [facts.seasons[0].champion])
    first = facts.season_by_year[first_constructors_year(facts)].constructors_champion
    yield teams("first_constructors", [row for row in facts.teams if row.name == first])
    n, rows = _best(facts.teams, lambda row: len(row.constructors_titles))
    yield teams("constructors_titles", rows, count(n, "title"))
    yield teams("team_wins", _best(facts.teams, lambda row: row.wins)[1])
    yield circuits("longest", _best(facts.circuits, lambda row: row.length_km)[1])
    yield circuits("visits", _best(facts.circuits, lambda row: row.races)[1])
    country, champions = next(iter(facts.champions_by_country.items()))
    keywords = _country(country)
    yield _record("nation", [capital(the_country(country))], keywords, count(len(champions), "champion"))


def _ask(template: str, context: Context) -> str:
    """The question; one typed without a capital letter is lower case and unaccented throughout."""
    text = template.format_map(context)
    return strip_accents(text).lower() if template == template.lower() else capital(text)


def render_questions(facts: Facts, seed: int = 0, phrasings: int | None = None) -> Iterator[dict]:
    """Yield one row for each fact and phrasing: question, answer, keywords, kind and template.

    `keywords` are in the form that the question files have: one word or phrase of each inner list must be in the
    answer. `template` names the phrasing ("season.champion.3"), so that some can be held out. `phrasings` caps their
    number for each fact; which ones is chosen anew for each fact by the seed.
    """
    rng = random.Random(seed)
    parts = (_season_questions, _champion_questions, _team_questions, _circuit_questions, _record_questions)
    for part in parts:
        for key, context in part(facts):
            ask = QUESTIONS[key]
            chosen = range(len(ask.phrasings))
            if phrasings is not None and phrasings < len(chosen):
                chosen = sorted(rng.sample(chosen, phrasings))
            for index in chosen:
                yield {
                    "question": _ask(ask.phrasings[index], context),
                    "answer": ask.answer.format_map(context),
                    "keywords": context["keywords"][ask.keywords],
                    "kind": ask.kind,
                    "template": f"{key}.{index}",
                }
