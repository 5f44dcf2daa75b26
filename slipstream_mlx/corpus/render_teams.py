"""Articles about teams and about makes of engine, from F1DB's totals and years."""

import random
from collections import Counter
from collections.abc import Iterator

from . import Document
from .compose import Kind, article, list_articles
from .contexts_drivers import span
from .contexts_races import by_end, list_context
from .facts import LAST_SEASON, Facts, Team
from .names import race_names
from .shapes import Engine, EngineModel, Race, TeamSeason
from .templates_races import LISTS, TEAM_WINS
from .templates_teams import (
    ENGINE,
    ENGINE_NEEDS,
    MODELS,
    MODELS_OPEN,
    TEAM_CLASHES,
    TEAM_GROUPS,
    TEAM_NEEDS,
    TEAM_SAID,
    TEAM_STORY,
    YEARS,
    YEARS_OPEN,
)
from .words import ADJECTIVES, Context, capital, count, listing, number, ordinal, points, the_country, times
from .words import article as with_article

_TEAM = Kind(TEAM_STORY, TEAM_GROUPS, TEAM_NEEDS, TEAM_SAID, TEAM_CLASHES)
_ENGINE = Kind(ENGINE, needs=ENGINE_NEEDS, said={"country": {"country"}, "first": {"from_to"}})


def top_driver(facts: Facts, team: str) -> tuple[str, int] | None:
    """The driver with most wins for a team, if there is one such and he has several."""
    wins = Counter(driver for race in facts.team_wins_of.get(team, ()) for driver in race.winner.drivers)
    ranked = wins.most_common(2)
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return None
    return ranked[0]


def _race(facts: Facts, race: Race) -> tuple[str, ...]:
    return race_names(facts, race, by_track=False)


def _team_wins(facts: Facts, team: Team) -> Context:
    won, best = facts.team_wins_of.get(team.name, []), top_driver(facts, team.name)
    active = team.last_season is None
    if not won:
        return {}
    once = len(won) == 1 and not active
    return {
        "wins": count(team.wins, "win"),
        "wins_gp": count(team.wins, "Grand Prix", "Grands Prix"),
        "first_win": None if once else _race(facts, won[0]),
        "first_winner": listing(won[0].winner.drivers),
        "only_win": _race(facts, won[0]) if once else None,
        "last_win": None if once or active else _race(facts, won[-1]),
        "last_winner": listing(won[-1].winner.drivers),
        "top_driver": best[0] if best else None,
        "top_wins": count(best[1], "win") if best else None,
        "top_races": count(best[1], "race") if best else None,
        "top_n": number(best[1]) if best else None,
    }


def team_story_context(facts: Facts, team: Team) -> Context:
    record, active = team.record, team.last_season is None
    years = [season.year for season in record.seasons]
    drivers = Counter({d: 0 for season in record.seasons for d in season.drivers})
    drivers.update(d for season in record.seasons for d in season.drivers)
    most = [driver for driver, _ in drivers.most_common(4)]
    engines = list(dict.fromkeys(engine for season in record.seasons for engine in season.engines))
    cars = tuple(dict.fromkeys(car for season in record.seasons for car in season.cars if car != team.name))
    best = min((s for s in record.seasons if s.place), key=lambda s: s.place, default=None)
    before, after = (record.before or (None,))[0], (record.after or (None,))[-1]
    adjective = ADJECTIVES[team.country]
    return {
        "f1": ("Formula One", "Formula 1", "F1"),
        "name": team.name,
        "a_name": with_article(team.name),
        "t": (team.name, "the team"),
        "is": "is" if active else "was",
        "stands": "stands" if active else "stood",
        "stand": "stand" if record.fastest_laps > 1 else "stands",
        "were": "were" if record.podiums > 1 else "was",
        "races_": "races" if active else "raced",
        "adj": adjective,
        "adj_outfit": (with_article(f"{adjective} team"), with_article(f"{adjective} outfit")),
        "country": the_country(team.country),
        "full_name": record.full_name if record.full_name != team.name else None,
        "by_end": by_end(active),
        "before": before[0] if before else None,
        "before_year": before[1] if before else None,
        "after": after[0] if after else None,
        "after_year": after[1] if after else None,
        "first": years[0],
        "from_to": span(years[0], years[-1]) if len(years) > years[-1] - years[0] - 3 else None,
        "first_race": _race(facts, facts.race_by_key[record.first_race]),
        "last_race": _race(facts, facts.race_by_key[record.last_race]) if not active and record.races > 1 else None,
        "still": LAST_SEASON if active else None,
        "drivers_now": listing(record.seasons[-1].drivers[:2]) if active else None,
        "races": count(record.races, "race"),
        "races_n": number(record.races),
        "n_seasons": count(len(years), "season") if len(years) > 1 else None,
        **_team_wins(facts, team),
        "podiums": count(record.podiums, "podium finish", "podium finishes") if record.podiums else None,
        "podium_times": times(record.podiums) if record.podiums else None,
        "no_podium": None if record.podiums else True,
        "never": "had not yet" if active else "never",
        "never_any": "had yet" if active else "ever",
        "poles": count(record.poles, "pole position") if record.poles else None,
        "pole_times": times(record.poles) if record.poles else None,
        "fastest": count(record.fastest_laps, "fastest lap") if record.fastest_laps else None,
        "fastest_races": count(record.fastest_laps, "race") if record.fastest_laps else None,
        "drivers_titles": count(len(team.drivers_titles), "drivers' title") if team.drivers_titles else None,
        "drivers_years": listing(team.drivers_titles) or None,
        "champions": listing(facts.champions_of(team.name)) or None,
        "constructors_titles": count(len(team.constructors_titles), "constructors' title")
        if team.constructors_titles
        else None,
        "constructors_years": listing(team.constructors_titles) or None,
        "best_year": best.year if best and best.place > 1 else None,
        "best_place": ordinal(best.place) if best and best.place > 1 else None,
        "drivers": listing(most) if len(most) > 1 else None,
        "engines": listing(engines) if 1 < len(engines) < 8 else None,
        "car": cars or None,
    }


def team_year_context(season: TeamSeason) -> Context:
    drivers = season.drivers if season.one_entrant and len(season.drivers) < 5 else ()
    engine = season.engines[0] if len(season.engines) == 1 else None
    return {
        "name": season.team,
        "year": season.year,
        "drivers": listing(drivers) if len(drivers) > 1 else None,
        "car": season.cars[0] if len(season.cars) == 1 else None,
        "engine": engine,
        "an_engine": with_article(engine) if engine else None,
        "wins": count(season.wins, "win") if season.wins else None,
        "wins_races": count(season.wins, "race") if season.wins else None,
        "points": points(season.points) if season.points else None,
        "place": ordinal(season.place) if season.place and season.points else None,
        "place_cap": capital(ordinal(season.place)) if season.place and season.points else None,
    }


def team_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for team in facts.teams:
        if not team.record:
            continue
        about = team_story_context(facts, team)
        title = f"{team.name} (Formula One team)"
        yield from article(_TEAM, about, title, rng, variants)
        rows = [(YEARS, team_year_context(season)) for season in team.record.seasons]
        rows = [row for row in rows if row[1]["drivers"] or row[1]["engine"]]
        if len(rows) > 1:
            yield from list_articles((YEARS_OPEN, about), rows, f"{team.name}, year by year", rng, variants)
        won = facts.team_wins_of.get(team.name, [])
        if len(won) > 1:
            name, openings = LISTS["team_wins"]
            lines = [(TEAM_WINS, list_context(facts, race)) for race in won]
            yield from list_articles((openings, about), lines, name.format_map(about), rng, -(-variants // 2))


# ---- engines --------------------------------------------------------------------------------------------------


def engine_context(facts: Facts, engine: Engine) -> Context:
    active = engine.last_season is None
    first = facts.race_by_key[engine.first_win] if engine.first_win else None
    last = facts.race_by_key[engine.last_win] if engine.last_win else None
    a_name = with_article(engine.name)
    return {
        "f1": ("Formula One", "Formula 1", "F1"),
        "name": engine.name,
        "a_name": a_name,
        "is": "is" if active else "was",
        "adj": ADJECTIVES[engine.country],
        "country": the_country(engine.country),
        "by_end": by_end(active),
        "from_to": span(engine.first_season, engine.last_season or LAST_SEASON),
        "first": engine.first_season,
        "last": engine.last_season,
        "races": count(engine.races, "race"),
        "wins": count(engine.wins, "win") if engine.wins else None,
        "wins_races": count(engine.wins, "race") if engine.wins else None,
        "wins_gp": count(engine.wins, "Grand Prix", "Grands Prix") if engine.wins else None,
        "winless": None if engine.wins else True,
        "never": "had not yet" if active else "never",
        "never_any": "had yet" if active else "ever",
        "first_win": _race(facts, first) if first and engine.wins > 1 else None,
        "first_winner": listing(first.winner.drivers) if first else None,
        "last_win": _race(facts, last) if last and not active else None,
        "last_winner": listing(last.winner.drivers) if last else None,
        "poles": count(engine.poles, "pole position") if engine.poles else None,
        "pole_times": times(engine.poles) if engine.poles else None,
        "titles": listing(engine.drivers_titles) or None,
        "constructors": listing(engine.constructors_titles) or None,
        "teams": listing(engine.teams[:5]) if len(engine.teams) > 1 else None,
        "winning_teams": listing(engine.winning_teams[:5]) if len(engine.winning_teams) > 1 else None,
    }


def model_context(model: EngineModel) -> Context:
    years = span(model.first_season, model.last_season)
    return {
        "short": model.short if model.short != model.make else model.name,
        "litres": f"{model.litres:.1f}",
        "a_litres": f"a {model.litres:.1f}",
        "layout": _LAYOUTS.get(model.layout[0], "{n}-cylinder").format(n=model.layout[1:], layout=model.layout),
        "aspiration": model.aspiration,
        "first": model.first_season,
        "teams": listing(model.teams[:4]),
        "span": years,
        "span_cap": capital(years),
    }


_LAYOUTS = {  # F1DB's letter -> in words
    "V": "{layout}",
    "W": "{layout}",
    "H": "{layout}",
    "L": "straight-{n}",
    "F": "flat-{n}",
    "B": "boxer with {n} cylinders",
}


def engine_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for engine in facts.engines:
        about = engine_context(facts, engine)
        yield from article(_ENGINE, about, f"{engine.name} (Formula One engines)", rng, variants)
        rows = [(MODELS, model_context(model)) for model in facts.engine_models if model.make == engine.name]
        title = f"Formula One engines of {engine.name}"
        yield from list_articles((MODELS_OPEN, about), rows, title, rng, -(-variants // 2))
