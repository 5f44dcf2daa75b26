"""Words: numbers, lists, articles and names as a sentence wants them, and filling templates.

A template's placeholders are filled from a context: a dictionary from placeholder to text. A tuple offers a choice;
None says that a row has no such thing, and templates that ask for it are left out.
"""

import functools
import random
import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from string import Formatter

from .scoring import fold  # noqa: F401  (one rule of folding for keywords and for answers)

Context = dict[str, object]  # placeholder -> str, int, a tuple of strings to choose from, or None

# fmt: off
NUMBERS = [
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]
_ORDINALS = [
    "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
]
# fmt: on
_THE_COUNTRIES = ("United Kingdom", "United States", "Netherlands", "United Arab Emirates")
_THE_CIRCUITS = re.compile(  # the names that take "the"
    r"(Circuit|Circuito|Aut[oó]dromo) .*|(?!Suzuka|Silverstone).*(Circuit|Autodrom|Autodrome|[gmo]ring| Ring)|AVUS"
)
ADJECTIVES = {  # as they stand before a noun: a New Zealand driver
    "Argentina": "Argentine", "Australia": "Australian", "Austria": "Austrian", "Azerbaijan": "Azerbaijani",
    "Bahrain": "Bahraini", "Belgium": "Belgian", "Brazil": "Brazilian", "Canada": "Canadian", "Chile": "Chilean",
    "China": "Chinese", "Colombia": "Colombian", "Czechia": "Czech", "Denmark": "Danish", "Finland": "Finnish",
    "France": "French", "Germany": "German", "Hong Kong": "Hong Kong", "Hungary": "Hungarian", "India": "Indian",
    "Indonesia": "Indonesian", "Ireland": "Irish", "Italy": "Italian", "Japan": "Japanese",
    "Liechtenstein": "Liechtenstein", "Luxembourg": "Luxembourg", "Malaysia": "Malaysian", "Mexico": "Mexican",
    "Monaco": "Monégasque", "Morocco": "Moroccan", "Netherlands": "Dutch", "New Zealand": "New Zealand",
    "Poland": "Polish", "Portugal": "Portuguese", "Qatar": "Qatari", "Russia": "Russian", "Saudi Arabia": "Saudi",
    "Singapore": "Singaporean", "South Africa": "South African", "South Korea": "Korean", "Spain": "Spanish",
    "Sweden": "Swedish", "Switzerland": "Swiss", "Taiwan": "Taiwanese", "Thailand": "Thai", "Turkey": "Turkish",
    "United Arab Emirates": "Emirati", "United Kingdom": "British", "United States": "American",
    "Uruguay": "Uruguayan", "Venezuela": "Venezuelan", "Zimbabwe": "Zimbabwean",
}  # fmt: skip
_AS_LETTERS = re.compile(r"[AEFHILMNORSX][A-Z0-9]{1,3}(?![A-Za-z])")  # HWM is an aitch-double-you-em
_AS_WORDS = {"FIRST", "LEC", "RAM"}


def strip_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def number(n: int) -> str:
    """Words up to twelve, digits from there on."""
    return NUMBERS[n] if n <= 12 else str(n)


def count(n: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: "no titles", "one title", "13 titles"."""
    return f"{number(n)} {noun if n == 1 else plural or noun + 's'}"


def times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n) or count(n, "time")


def listing(items: Iterable) -> str:
    """ "a", "a and b", "a, b and c"."""
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def article(phrase: str) -> str:
    """The phrase with "a" or "an", by its sound: an HWM, a BRM, a EuroBrun."""
    word = re.split(r"[ -]", phrase)[0]
    spelt = _AS_LETTERS.match(word) and word not in _AS_WORDS
    vowel = phrase[0] in "AEIOaeio" and not phrase.startswith(("Eu", "One", "one"))
    return f"{'an' if spelt or (vowel and not phrase.startswith('US')) else 'a'} {phrase}"


def ordinal(n: int) -> str:
    """Words up to tenth, then 11th, 21st and so on."""
    if n <= 10:
        return _ORDINALS[n]
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def points(n: float) -> str:
    """Championship points: "nine points", "12.5 points", "one point"."""
    return count(int(n), "point") if n == int(n) else f"{n:g} points"


def the_country(country: str) -> str:
    return f"the {country}" if country in _THE_COUNTRIES else country


def the_circuit(name: str) -> str:
    return f"the {name}" if _THE_CIRCUITS.fullmatch(name) else name


def long_date(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


@functools.cache  # there are some thousand templates, each asked for again and again
def placeholders(template: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(template) if name))


def fill(template: str, context: Context, rng: random.Random) -> str:
    """The template with its placeholders filled; where the context offers a choice, the generator chooses."""
    chosen = {}
    for name in placeholders(template):
        value = context[name]
        chosen[name] = rng.choice(value) if isinstance(value, tuple) else value
    return template.format_map(chosen)


def fits(template: str, context: Context) -> bool:
    return all(context.get(name) is not None for name in placeholders(template))
