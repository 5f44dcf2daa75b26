"""Questions as people type them: hasty, misspelt, with words left out, swapped for others or added, opened otherwise.

A model overfits to wordings long before it overfits to facts. A twin of each question, a little spoilt, teaches it
that "who won monaco 1988" and "Who took victory in the Grand Prix of Monaco in 1988?" want the same answer.
"""

import random
import re
from collections.abc import Iterable, Iterator

from .words import strip_accents

# Words that may stand for one another in a question. Names are safe: they do not begin with a small letter.
_SAME = """
driver/racer/racing driver, drivers/racers/racing drivers, team/outfit/squad, won/took/claimed/captured, title/crown,
titles/championships/crowns, which/what, race/event, races/events, circuit/track/venue, season/campaign, wins/victories,
victory/triumph, finished/ended up/came home, finish/end up, debut/first appearance, country/nation,
called/known as/named, beat/defeated, Formula One/F1/Formula 1, Formula 1/F1, Grand Prix/GP, recorded/set,
World Championship/championship, world champion/champion, tell me/let me know, car/machine/racing car,
cars/machines/racing cars, begin/start, began/started, banned/forbidden/outlawed/not allowed, introduced/brought in,
allowed/permitted, built/made, fast/quick, fastest/quickest, crash/accident/shunt, crashed/had an accident/went off,
killed/lost his life, corner/bend/turn, corners/bends/turns, penalty/punishment, penalised/punished,
company/firm/business, helmet/crash helmet, nickname/pet name, nicknamed/jokingly called, famous/well-known, father/dad,
mother/mum, happens/takes place, happened/took place, stop/halt, refuelling/taking on fuel, fuel/petrol, tyre/tire,
tyres/tires/rubber, city/town, near/close to, joined/went to/signed for, replaced/took over from/stood in for,
kind/sort/type, big/large, oldest/most senior, colour/color, during/in the course of
"""
_CHOICES: dict[str, list[str]] = {}
for _group in _SAME.split(","):
    _words = " ".join(_group.split()).split("/")
    for _word in _words:
        _CHOICES.setdefault(_word, []).extend(other for other in _words if other != _word)
_SWAP = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _CHOICES), key=len, reverse=True)) + r")\b")

_LITTLE = re.compile(r"\b(the|a|an|of|in|did|was|is|does|do|for|by|at)\b ", re.IGNORECASE)
_BEFORE = """
So, | Hey, | Please: | Could you tell me: | I was wondering: | In Formula 1, | In F1 history, | For my quiz: |
A friend asked me: | Not sure about this one: | As far as you know, | Remind me, | Ok, | Talking about motor racing: |
From the archives: | Another one: | Easy one: | Sorry if this is obvious, but | I only started watching last year, so |
Settle an argument: | For an article of mine, | In plain words, please: | Question seven of our club quiz: |
My homework says: | We saw an old race on television, and now: | I know the video game, not the sport: |
Long-time fan, short memory: | One for the experts: | I should know this, but | Out of curiosity, |
Somebody in the grandstand shouted: | The crossword wants to know: | English is not my language, sorry: |
On the radio they asked: | I have read three books and still wonder:
"""
_WHO = """
My brother | A colleague | My grandmother | The man at the bar | A girl in my class | Our neighbour | My boss |
My Italian flatmate | A taxi driver | My son | My daughter | An old mechanic | Our teacher | A marshal | My husband |
My wife | A cycling friend | The postman | My uncle | A podcast host | My cousin from Texas | Somebody online
"""
_DID = """
wants to know | asked me this at breakfast | keeps asking | bet that I would not know | asked, and I was stuck |
sent me this one | and I disagree about this | is sure of the answer and I am not | asked during the last race |
needs this for a talk | would like to hear | has been puzzling over this | swears that nobody knows | put this to me
"""
_AFTER = " in F1 | again |, please |, do you know |, roughly speaking | in Formula 1 |, by the way"
_AFTERWARDS = """
Thanks in advance. | I should know this. | My memory fails me. | Asking for a friend. | A short answer will do. |
I never understood it. | It has bothered me all day. | Nobody at home could say. | We have a bet on it. | Be brief. |
I am new to this. | It came up last night.
"""
_NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip


def other_words(question: str, rng: random.Random) -> str:
    """Some words swapped for others of the same meaning."""
    return _SWAP.sub(lambda m: rng.choice(_CHOICES[m[0]]) if rng.random() < 0.6 else m[0], question)


def hasty(question: str, rng: random.Random) -> str:
    """Lower case, without accents and question mark, some little words left out."""
    text = _LITTLE.sub(lambda m: "" if rng.random() < 0.5 else m[0], question)
    return strip_accents(text).lower().rstrip("?. ")


def misspelt(question: str, rng: random.Random) -> str:
    """One letter of one word wrong: left out, doubled, swapped with the next or hit beside. Numbers are left alone."""
    words = [m for m in re.finditer(r"[A-Za-zÀ-ÿ]{5,}", question)]
    if not words:
        return question
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    a, b = question[at], question[at + 1]
    new = rng.choice(["" + b, a + a + b, b + a, rng.choice(_NEAR.get(a.lower(), a)) + b])
    return question[:at] + new + question[at + 2 :]


def _one_of(choices: str, rng: random.Random) -> str:
    return " ".join(rng.choice(choices.split("|")).split())


def framed(question: str, rng: random.Random) -> str:
    """With words before or after it that ask for nothing."""
    where = rng.random()
    if where < 0.25 and question.endswith("?"):
        after = _one_of(_AFTER, rng)
        return question[:-1] + ("" if after.startswith(",") else " ") + after + "?"
    if where < 0.4 and question.endswith(("?", ".")):
        return f"{question} {_one_of(_AFTERWARDS, rng)}"
    before = _one_of(_BEFORE, rng) if rng.random() < 0.6 else f"{_one_of(_WHO, rng)} {_one_of(_DID, rng)}:"
    first, *rest = question.split(" ")
    # a question word loses its capital after a comma, a name does not
    lower = not before.endswith(":") and first.lower() in _QUESTION_WORDS
    return " ".join([before, first.lower() if lower else first, *rest])


# Other ways to open a question: what it begins with, and what may stand there instead.
_NO_VERB = "(?!did |do |does |was |were |is |are |has |have |had |of )(?=[a-z])"
_PAST = "(?=did |was |were )"
_OPENINGS = (
    (f"Who {_NO_VERB}",
     "Which person | Can you tell me who | Do you know who | Name the one who | Who was it that | Tell me who"),
    ("Who (?:was|is) (?=the )", "Name | Can you name | Do you happen to know | Tell me the name of"),
    (f"(?:Which|What) (driver|racer|man) {_NO_VERB}",
     r"Name the \1 who | Who is the \1 who | Tell me the \1 who | Who"),
    (f"(?:Which|What) (team|circuit|track|company|country|car|engine|city) {_NO_VERB}",
     r"Name the \1 that | Tell me the \1 that | What is the name of the \1 that"),
    (f"When {_PAST}", "In which year | In what year | What year | What season | How long ago, in which year,"),
    (f"In (?:which|what) (?:year|season) {_PAST}", "When | What year | Which year"),
    ("Where (?=did |was |were |is |are )", "In which place | At which place | Whereabouts | Where exactly"),
    ("Why (?=do |does |did |is |are |was |were |has |have |must |can |could )",
     "For what reason | Explain, please: why | Can you say why: why | What is behind this: why | Why on earth"),
    ("How many ", "What number of | Exactly how many | Count them: how many"),
    (r"What (?:is|are) (?=(?:the |a |an )?[a-z-]+(?: [a-z-]+)?\?)",
     "Explain in a few words: | What does one call | What is meant by | Tell me about"),
)  # fmt: skip


def reshaped(question: str, rng: random.Random) -> str:
    """Opened in other words: "Name the driver who …" for "Which driver …?"."""
    for opening, others in _OPENINGS:
        if match := re.match(opening, question):
            new = match.expand(_one_of(others, rng)) + " " + question[match.end() :]
            return new.removesuffix("?") + "." if new.startswith(("Name ", "Tell ", "Explain in")) else new
    return question


_QUESTION_WORDS = {
    "who",
    "what",
    "when",
    "where",
    "which",
    "how",
    "why",
    "in",
    "on",
    "at",
    "for",
    "with",
    "to",
    "did",
    "the",
}
_WAYS = (other_words, other_words, hasty, framed, misspelt, reshaped)


def perturb(question: str, rng: random.Random) -> str:
    """The question changed in one way or two; what it asks stays."""
    for way in rng.sample(_WAYS, 2 if rng.random() < 0.35 else 1):
        question = way(question, rng)
    return question


def with_twins(rows: Iterable[dict], twins: int = 3, seed: int = 0) -> Iterator[dict]:
    """The rows, and of each as many twins, spoilt in different ways: for questions by hand, whose wordings are few."""
    rng = random.Random(seed)
    for row in rows:
        yield row
        wordings = {perturb(row["question"], rng) for _ in range(twins)}
        for wording in sorted(wordings - {row["question"]}):
            yield {**row, "question": wording}


def some_spoilt(rows: Iterable[dict], share: float = 1 / 3, seed: int = 0) -> Iterator[dict]:
    """The rows, some of them spoilt: for questions made from tables, which ask for a kind of fact in many wordings."""
    rng = random.Random(seed)
    for row in rows:
        yield {**row, "question": perturb(row["question"], rng)} if rng.random() < share else row
