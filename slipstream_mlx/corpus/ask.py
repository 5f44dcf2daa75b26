"""Turn facts into questions with their answers and keywords.

What there is to ask about is in ask_tables.py, ask_races.py and so on; the wording is in questions_*.py.
"""

import random
from collections.abc import Iterator

from . import keywords as kw
from .ask_circuits import circuit_race_facts, grand_prix_facts, nation_facts
from .ask_drivers import driver_facts, person_facts
from .ask_races import race_facts, race_keywords, season_race_facts
from .ask_tables import Fact, circuit_facts, season_facts, team_facts
from .ask_teams import engine_facts, team_record_facts
from .facts import Facts
from .question_templates import QUESTIONS
from .records import Record, holders, records
from .words import Context, capital, fill, fits, listing, strip_accents

_PARTS = (season_facts, person_facts, team_facts, circuit_facts)
_F1DB_PARTS = (
    season_race_facts,
    race_facts,
    driver_facts,
    team_record_facts,
    engine_facts,
    circuit_race_facts,
    grand_prix_facts,
    nation_facts,
)

# How people lead up to a question, or wind it up. Now and then only: it is the question that matters.
_BEFORE = (
    *("Quick one: ", "Tell me: ", "Question: ", "Quiz question: ", "F1 quiz: ", "Hi! ", "Hello, a question: "),
    *("Just wondering: ", "One for the experts: ", "Help me out: ", "I keep forgetting: ", "Pub quiz: "),
)
_AFTER = (" Thanks!", " Any idea?", " Do you know?", " I forget.", " Just the answer, please.")
_SELDOM = 0.03


def _record_keywords(facts: Facts, record: Record) -> kw.Keywords:
    if record.subject == "driver":
        return kw.people(facts, record.names)
    if record.subject == "country":
        return [group for name in record.names for group in kw.country(name)]
    if record.subject == "circuit":
        return [group for name in record.names for group in kw.circuit(facts.circuit_by_name[name])]
    if record.subject == "race":
        race = facts.race_by_key[record.names[0]]
        return [*kw.all_of([race.year]), *race_keywords(facts, race)]
    return [group for name in record.names for group in kw.team(name)]


def record_facts(facts: Facts) -> Iterator[Fact]:
    for record in records(facts):
        names = listing(holders(facts, record))
        first = {key: text[0] if isinstance(text, tuple) else text for key, text in record.context.items()}
        keywords = {"names": _record_keywords(facts, record)}
        yield f"record.{record.key}", record.key, {**first, "names": names, "names_cap": capital(names),
                                                   "keywords": keywords}  # fmt: skip


def facts_to_ask(facts: Facts) -> Iterator[Fact]:
    """Everything that is asked, as (key in QUESTIONS, the fact's entity, context).

    The entity names the fact: facts that give each other away ("Senna won in 1988, but for whom?") share one.
    """
    parts = (*_PARTS, *(_F1DB_PARTS if facts.races else ()), record_facts)
    for part in parts:
        for key, thing, context in part(facts):
            yield key, thing if "/" in thing else f"{QUESTIONS[key].gives_away or key}/{thing}", context


def _asked(template: str, context: Context, rng: random.Random) -> str:
    """The question; one typed without a capital letter is lower case and unaccented throughout."""
    text = fill(template, context, rng)
    if template == template.lower():
        return strip_accents(text).lower()
    text = capital(text)
    if rng.random() < _SELDOM:
        return rng.choice(_BEFORE) + text if rng.random() < 0.7 else text + rng.choice(_AFTER)
    return text


def render_questions(facts: Facts, seed: int = 0, phrasings: int | None = None) -> Iterator[dict]:
    """Yield one row for each fact and phrasing: question, answer, keywords, kind, template and entity.

    `keywords` are in the form that the question files have: one word or phrase of each inner list must be in the
    answer. `template` names the phrasing ("season.champion.3") and `entity` the fact ("season.title/1988"), so that
    both can be held out (splits.py). `phrasings` caps their number for each fact; which ones is chosen anew for each
    fact by the seed.
    """
    rng = random.Random(seed)
    for key, entity, context in facts_to_ask(facts):
        ask = QUESTIONS[key]
        chosen = [i for i, phrasing in enumerate(ask.phrasings) if fits(phrasing, context)]
        if phrasings is not None and phrasings < len(chosen):
            chosen = sorted(rng.sample(chosen, phrasings))
        for index in chosen:
            yield {
                "question": _asked(ask.phrasings[index], context, rng),
                "answer": ask.answer.format_map(context),
                "keywords": context["keywords"][ask.keywords],
                "kind": ask.kind,
                "template": f"{key}.{index}",
                "entity": entity,
            }
