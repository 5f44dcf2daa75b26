"""What a right answer must hold: keywords as in a question file, and fair ones.

One word or phrase of each inner list must be in the answer. A surname suffices where it names one driver alone, a
length may be rounded, and a country may be called by its other names.
"""

from collections.abc import Iterable

from .facts import Circuit, Facts
from .words import ADJECTIVES, NUMBERS, fold, ordinal

Keywords = list[list[str]]

_COUNTRY_ALSO = {  # what else a right answer may call a country
    "United Kingdom": ("UK", "Britain", "Great Britain"),
    "United States": ("USA", "US", "America"),
    "Netherlands": ("Holland",),
    "United Arab Emirates": ("UAE", "Abu Dhabi"),
    "South Korea": ("Korea",),
    "Czechia": ("Czech Republic",),
    "Zimbabwe": ("Rhodesia", "Rhodesian"),
}
PLACE_ALSO = {  # by circuit, or by birthplace
    "Montona": ("Motovun",),
    "hungaroring": ("Mogyoród",),
    "magny-cours": ("Magny-Cours",),
    "donington": ("Castle Donington", "Derby"),
    "paul-ricard": ("Castellet",),
    "mugello": ("Scarperia",),
    "monaco": ("Monaco",),
}


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(fold(word) for word in words if fold(word)))


def person(facts: Facts, name: str) -> Keywords:
    """The surname suffices, but where a known driver shares it (Hill, Schumacher) the first name is wanted too."""
    surname = facts.surname(name)
    if not _has_known_namesake(facts, name, surname):
        return [[fold(surname)]]
    junior = [["jr", "junior"]] if name.endswith(" Jr") else []
    return [[fold(name.removesuffix(" Jr").removesuffix(f" {surname}"))], [fold(surname)], *junior]


def _has_known_namesake(facts: Facts, name: str, surname: str) -> bool:
    """True if another driver of the surname was ever on a podium: nobody means Duncan by "Hamilton"."""
    if surname not in facts.shared_surnames:
        return False
    others = [d for d in facts.drivers if d.name != name and facts.surname(d.name) == surname]
    return not others or any(driver.podiums for driver in others)


def people(facts: Facts, names: Iterable[str]) -> Keywords:
    return [group for name in names for group in person(facts, name)]


def amount(n: int) -> Keywords:
    words = ["none", "no", "zero", "never"] if n == 0 else []
    return [[*words, *NUMBERS[n : n + 1], str(n)] if n else [*words, "0"]]


def all_of(items: Iterable) -> Keywords:
    return [[fold(str(item))] for item in items]


def any_of(*items: str) -> Keywords:
    return [_distinct(items)]


def country(name: str, *also: str) -> Keywords:
    return [_distinct((name, ADJECTIVES.get(name, name), *_COUNTRY_ALSO.get(name, ()), *also))]


def ground(name: str) -> Keywords:
    """Like `country`, for teams and circuits: the British ones are all in England."""
    return country(name, *(["England"] if name == "United Kingdom" else []))


def circuit(row: Circuit) -> Keywords:
    return [_distinct((row.name, row.full_name, *row.aliases, *row.former_names))]


def decimal(value: float, *more: str) -> Keywords:
    """A right answer may be rounded: "5.793", "5.79" and "5.8" all count."""
    value += 1e-9  # so that halves are rounded up
    exact = f"{value:.3f}"
    return [_distinct((exact, exact.rstrip("0").rstrip("."), f"{value:.2f}", f"{value:.1f}", *more))]


def direction(name: str) -> Keywords:
    """A bare "clockwise" is in "anti-clockwise" too, so the word before it is asked for."""
    if name == "clockwise":
        return [[f"{before} clockwise" for before in ("runs", "is", "goes", "run", "go", "it s", "a", "the")]]
    return [["anti clockwise", "anticlockwise", "counter clockwise", "counterclockwise"]]


def day(text: str) -> Keywords:
    """ "30 October 1988": the year, and day and month in either order."""
    number, month, year = text.split()
    th = {"1": "st", "2": "nd", "3": "rd", "21": "st", "22": "nd", "23": "rd", "31": "st"}.get(number, "th")
    ways = (f"{number} {month}", f"{month} {number}", f"{number}{th} of {month}", f"{month} {number}{th}")
    return [_distinct(ways), [year]]


def day_and_month(text: str) -> Keywords:
    return day(text)[:1]


def nth(n: int) -> Keywords:
    digits = {1: "1st", 2: "2nd", 3: "3rd"}.get(n, f"{n}th")
    words = [ordinal(n), digits, str(n), f"P{n}"]
    return [_distinct((*words, "champion", "won") if n == 1 else words)]


def grid(n: int) -> Keywords:
    return any_of("pole", "first", "1st") if n == 1 else nth(n)


def score(n: float) -> Keywords:
    """Championship points."""
    return amount(int(n)) if n == int(n) else [_distinct((f"{n:g}", f"{n:.1f}"))]


def team(name: str) -> Keywords:
    """A team by name; "Lotus" is not "Lotus F1", but Racing Bulls may be called RB and the like."""
    return any_of(name, *_TEAM_ALSO.get(name, ()))


_TEAM_ALSO = {
    "Kick Sauber": ("Sauber", "Stake"),
    "Lotus F1": ("Lotus",),
    "RB": ("Racing Bulls", "Visa Cash App RB"),
    "OSCA": ("O.S.C.A.",),
    "Automobili Turismo e Sport": ("ATS",),
}
