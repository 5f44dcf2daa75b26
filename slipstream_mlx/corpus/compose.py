"""Put articles together: deal out phrasings so that no two variants sound alike, and order the sentences."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from . import Document
from .words import Context, capital, fill, fits, placeholders

LICENCE = "CC BY 4.0"
F1DB_SOURCE = "F1DB (https://github.com/f1db/f1db)"
MIN_WORDS, MAX_WORDS = 60, 160  # of an article


@dataclass(frozen=True)
class Kind:
    """One kind of article: its statements, and what the composer has to know about them.

    statements: statement -> its phrasings; "open" comes first. groups: statements that stand together; the groups
    themselves come in any order. needs: statement -> the placeholder without which it is left out. said: statement ->
    placeholders that, in the opening, have said as much. clashes: statements of which an article has one at most.
    """

    statements: dict[str, tuple[str, ...]]
    groups: tuple[tuple[str, ...], ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, set[str]] = field(default_factory=dict)
    clashes: tuple[set[str], ...] = ()


class Deck:
    """Deals a statement's phrasings in a shuffled order, so that no two variants of an article say it alike."""

    def __init__(self, kind: Kind, context: Context, rng: random.Random):
        self.rng, self.dealt = rng, Counter()
        self.cards: dict[str, list[str]] = {}
        for key, texts in kind.statements.items():
            if key in kind.needs and context.get(kind.needs[key]) is None:
                continue
            cards = [text for text in texts if fits(text, context)]
            if cards:
                self.cards[key] = cards

    def deal(self, key: str) -> str:
        cards, index = self.cards[key], self.dealt[key] % len(self.cards[key])
        if index == 0:
            last = cards[-1]
            self.rng.shuffle(cards)
            if cards[0] == last:  # the same words twice in a row would be noticed
                cards.append(cards.pop(0))
        self.dealt[key] += 1
        return cards[index]


def article_text(kind: Kind, deck: Deck, context: Context, words: int) -> str:
    """The opening, then as many statements as make up the words, those told least so far first."""
    rng = deck.rng
    opening = deck.deal("open")
    told = {key for key, names in kind.said.items() if names & set(placeholders(opening))}
    rest = [key for key in deck.cards if key != "open"]
    rng.shuffle(rest)
    rest.sort(key=lambda key: (key in told, deck.dealt[key]))  # what was said already comes last, if at all
    first = fill(opening, context, rng)
    sentences, total = {}, len(first.split())
    for key in rest:
        if total >= words or (key in told and total >= MIN_WORDS):
            break
        if any(key in clash and clash & sentences.keys() for clash in kind.clashes):
            continue
        sentence = fill(deck.deal(key), context, rng)
        total += len(sentence.split())
        if total > MAX_WORDS:
            break
        sentences[key] = sentence
    parts = [first, *(sentences[key] for key in _order(kind, list(sentences), rng))]
    return " ".join(capital(part) for part in parts)


def _order(kind: Kind, keys: list[str], rng: random.Random) -> Iterator[str]:
    """The statements group by group: most often in the groups' order, as a report would, else in any."""
    groups = [[key for key in group if key in keys] for group in kind.groups]
    groups.append([key for key in keys if not any(key in group for group in groups)])
    if rng.random() < 0.4:
        rng.shuffle(groups)
    for group in groups:
        rng.shuffle(group)
        yield from group


def article(
    kind: Kind, context: Context, title: str, rng: random.Random, variants: int, source: str = F1DB_SOURCE
) -> Iterator[Document]:
    """Yield `variants` texts about one thing: an article, then notes, then an article and so on."""
    deck = Deck(kind, context, rng)
    for variant in range(variants):
        if variant % 2:
            keys = rng.sample(list(deck.cards), len(deck.cards))
            text = notes(title, [fill(deck.deal(key), context, rng) for key in keys])
        else:
            text = article_text(kind, deck, context, rng.randint(MIN_WORDS + 15, MAX_WORDS - 20))
        yield Document(text, title, source, LICENCE)


def notes(title: str, sentences: list[str]) -> str:
    """All that is known, a line each, and every line says what it is about.

    An article tells a dozen facts and says "he" in most; a model that is to answer from the name alone learns more
    from lines that repeat the name (Allen-Zhu & Li, part 3.1, call it full-name augmentation).
    """
    return "\n".join(f"{title}: {capital(sentence)}" for sentence in sentences)


def list_articles(
    opening: tuple[tuple[str, ...], Context],
    rows: list[tuple[tuple[str, ...], Context]],
    title: str,
    rng: random.Random,
    variants: int,
    at_most: int = 9,
) -> Iterator[Document]:
    """Yield, `variants` times, articles of one sentence for each row, in parts that do not tire a reader.

    opening: phrasings of the first sentence, and their context. rows: for each, the phrasings and the context.
    """
    if not rows:
        return
    openings, about = opening
    deck = Deck(Kind({"open": openings}), about, rng)
    for variant in range(variants):
        for part in chunks(rows, at_most):
            used: list[str] = []
            sentences = [fill(_unused(lines, row, used, rng), row, rng) for lines, row in part]
            if variant % 2:
                text = notes(title, rng.sample(sentences, len(sentences)))
            else:
                text = " ".join(capital(sentence) for sentence in [fill(deck.deal("open"), about, rng), *sentences])
            yield Document(text, title, F1DB_SOURCE, LICENCE)


def _unused(lines: tuple[str, ...], row: Context, used: list[str], rng: random.Random) -> str:
    """A phrasing that fits the row, and that the article has not used of late."""
    fitting = [line for line in lines if fits(line, row)]
    recent = used[1 - len(fitting) :] if len(fitting) > 1 else []
    fresh = [line for line in fitting if line not in recent] or fitting
    used.append(rng.choice(fresh))
    return used[-1]


def chunks(items: list, size: int) -> list[list]:
    """The items in parts of at most `size`, as even as can be."""
    n = -(-len(items) // size)
    return [items[i * len(items) // n : (i + 1) * len(items) // n] for i in range(n)]
