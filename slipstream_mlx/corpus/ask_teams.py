"""Facts to ask for about teams, their years and cars, and makes of engine, from F1DB."""

from collections.abc import Iterator

from . import keywords as kw
from .ask_races import race_keywords, same_result
from .ask_tables import Fact, slug
from .facts import Facts, Team
from .render_teams import top_driver
from .shapes import TeamSeason
from .words import Context, article, capital, count, listing, ordinal, the_country


def _totals(facts: Facts, team: Team) -> Iterator[Fact]:
    record, thing = team.record, slug(team.name)
    best, champions = top_driver(facts, team.name), facts.champions_of(team.name)
    words = {
        "name": team.name,
        "a_name": article(team.name),
        "poles": capital(count(record.poles, "pole position")),
        "podiums": capital(count(record.podiums, "podium finish", "podium finishes")),
        "races": capital(count(record.races, "race")),
        "top_driver": best[0] if best else None,
        "champions": listing(champions) or None,
        "keywords": {
            "poles": kw.amount(record.poles),
            "podiums": kw.amount(record.podiums),
            "races": kw.amount(record.races),
            "top_driver": kw.people(facts, best[:1] if best else ()),
            "champions": kw.people(facts, champions),
        },
    }
    for key, known in (
        ("poles", record.poles),
        ("podiums", record.podiums),
        ("races", True),
        ("top_driver", best),
        ("champions", champions and len(champions) < 6),
    ):
        if known:
            yield f"team.{key}", thing, words


def _wins(facts: Facts, team: Team) -> Iterator[Fact]:
    won = facts.team_wins_of.get(team.name)
    if not won:
        return
    first, last = won[0], won[-1]
    words = {
        "name": team.name,
        "a_name": article(team.name),
        "first_win": f"The {first.year} {first.grand_prix}",
        "first_winner": listing(first.winner.drivers),
        "last_win": f"The {last.year} {last.grand_prix}",
        "keywords": {
            "first_win": [*kw.all_of([first.year]), *race_keywords(facts, first)],
            "first_winner": kw.people(facts, first.winner.drivers),
            "last_win": [*kw.all_of([last.year]), *race_keywords(facts, last)],
        },
    }
    yield "team.first_win", same_result(first), words
    yield "team.first_winner", same_result(first), words
    if team.last_season and len(won) > 1:
        yield "team.last_win", same_result(last), words


def _lineage(team: Team) -> Iterator[Fact]:
    for key, word, links in (("became", "after", team.record.after), ("was", "before", team.record.before)):
        for name, year in links:
            words = {"name": team.name, word: name, f"{word}_year": year, "keywords": {word: kw.team(name)}}
            pair = (team.name, name) if key == "became" else (name, team.name)
            yield f"team.{key}", "-".join(slug(part) for part in pair), words


def _year(facts: Facts, season: TeamSeason) -> Iterator[Fact]:
    thing = f"{slug(season.team)}-{season.year}"
    own = season.drivers if season.one_entrant and 1 < len(season.drivers) < 4 else ()
    engine = season.engines[0] if len(season.engines) == 1 else None
    car = season.cars[0] if len(season.cars) == 1 and season.one_entrant and season.cars[0] != season.team else None
    place = ordinal(season.place) if season.place and season.points else None
    words = {
        "name": season.team,
        "a_name": article(season.team),
        "year": season.year,
        "drivers": listing(own),
        "engine": engine,
        "car": car,
        "place_cap": capital(place) if place else None,
        "wins": capital(count(season.wins, "win")),
        "keywords": {
            "drivers": kw.people(facts, own),
            "engine": kw.any_of(engine or ""),
            "car": kw.any_of(car.removeprefix(f"{season.team} "), car) if car else [],
            "place": kw.nth(season.place) if place else [],
            "wins": kw.amount(season.wins),
        },
    }
    champion = facts.season_by_year.get(season.year)
    title = champion and champion.constructors_champion == season.team
    for key, known in (
        ("drivers_in", own),
        ("engine_in", engine),
        ("car_in", car),
        ("place_in", place),
        ("wins_in", season.wins),
    ):
        if known:
            group = f"season.constructors/{season.year}" if title and key == "place_in" else thing
            yield f"team.{key}", group, words


def _cars(facts: Facts) -> Iterator[Fact]:
    """Cars with a name that says whose they are to those who know: MP4/4, but not 25."""
    years: dict[tuple[str, str], list[int]] = {}
    for team in facts.teams:
        for season in team.record.seasons if team.record else ():
            for car in season.cars:
                years.setdefault((team.name, car), []).append(season.year)
    models: dict[str, set[str]] = {}
    for team, car in years:
        models.setdefault(car.removeprefix(f"{team} "), set()).add(team)
    for (team, car), raced in years.items():
        model = car.removeprefix(f"{team} ")
        words = {
            "team": team,
            "car": car,
            "model": model,
            "years": listing(raced),
            "keywords": {"team": kw.team(team), "years": kw.all_of(raced)},
        }
        telling = any(c.isalpha() for c in model) and any(c.isdigit() for c in model) and len(model) > 2
        if telling and models[model] == {team} and team not in model:
            yield "car.team", f"{slug(team)}-{slug(model)}", words
        if len(raced) < 3 and car != team:
            yield "car.year", f"{slug(team)}-{raced[0]}", words


def team_record_facts(facts: Facts) -> Iterator[Fact]:
    for team in facts.teams:
        if team.record:
            yield from _totals(facts, team)
            yield from _wins(facts, team)
            yield from _lineage(team)
            for season in team.record.seasons:
                yield from _year(facts, season)
    yield from _cars(facts)


def engine_facts(facts: Facts) -> Iterator[Fact]:
    for engine in facts.engines:
        titles = len(engine.drivers_titles)
        words: Context = {
            "name": engine.name,
            "a_name": article(engine.name),
            "country": capital(the_country(engine.country)),
            "first": engine.first_season,
            "last": engine.last_season,
            "wins": capital(count(engine.wins, "win")),
            "titles": capital(count(titles, "title")),
            "keywords": {
                "country": kw.ground(engine.country),
                "first": kw.all_of([engine.first_season]),
                "last": kw.all_of([engine.last_season]),
                "wins": kw.amount(engine.wins),
                "titles": kw.amount(titles),
            },
        }
        known = {"country": True, "first": True, "last": engine.last_season, "wins": engine.wins, "titles": titles}
        for key, asked in known.items():
            if asked:
                yield f"engine.{key}", slug(engine.name), words
