"""Facts to ask for about drivers: who they are, what they won, and where they drove when."""

from collections import Counter
from collections.abc import Iterator

from . import keywords as kw
from .ask_races import race_keywords, same_result, with_gp
from .ask_tables import Fact, slug
from .contexts_drivers import age_on, hirer, stints
from .facts import Champion, Facts
from .names import short_name
from .shapes import Driver, DriverSeason, Race
from .words import Context, article, capital, count, listing, long_date, ordinal, points, the_country, times


def _who(facts: Facts, row: Driver | Champion) -> Context:
    female = isinstance(row, Driver) and row.female
    return {
        "name": row.name,
        "short": short_name(facts, row.name),
        "he": "she" if female else "he",
        "his": "her" if female else "his",
    }


def _same_for_all(facts: Facts, row: Driver | Champion) -> Context:
    """What the embedded tables know of champions, and F1DB of everybody."""
    first = row.years[0] if isinstance(row, Driver) else row.first_race_year
    return {
        **_who(facts, row),
        "nationality": row.nationality,
        "country": capital(the_country(row.country)),
        "birth_year": row.born[:4],
        "born": long_date(row.born),
        "birthplace": row.birthplace,
        "birth_country": the_country(row.birth_country),
        "died_year": row.died[:4] if row.died else None,
        "first": first,
        "wins": capital(count(row.wins, "win")),
        "poles": capital(count(row.poles, "pole position")),
        "podiums": capital(count(row.podiums, "podium finish", "podium finishes")),
        "starts": capital(count(row.starts, "start")),
        "titles": capital(count(len(row.titles), "title")),
        "years": listing(row.titles),
        "first_title": row.titles[0] if row.titles else None,
        "title_teams": listing(facts.teams_of(row.name)),
        "keywords": {
            "nationality": kw.country(row.country, row.nationality),
            "birth_year": kw.all_of([row.born[:4]]),
            "born": kw.day(long_date(row.born)),
            "birthplace": kw.any_of(row.birthplace, *kw.PLACE_ALSO.get(row.birthplace, ())),
            "died_year": kw.all_of([(row.died or "")[:4]]),
            "first": kw.all_of([first]),
            "wins": kw.amount(row.wins),
            "poles": kw.amount(row.poles),
            "podiums": kw.amount(row.podiums),
            "starts": kw.amount(row.starts),
            "titles": kw.amount(len(row.titles)),
            "years": kw.all_of(row.titles),
            "first_title": kw.all_of(row.titles[:1]),
            "title_teams": kw.all_of(facts.teams_of(row.name)),
        },
    }


def person_facts(facts: Facts) -> Iterator[Fact]:
    for row in facts.drivers or facts.champions:
        context, thing = _same_for_all(facts, row), slug(row.name)
        keys = ["nationality", "country", "birth_year", "birth_date", "birthplace", "debut", "starts"]
        if row.titles:
            keys += ["titles", "title_years", "first_title", "title_teams"]
        if row.wins or row.podiums > 2:
            keys += ["wins", "poles"]
        elif row.poles:
            keys.append("poles")
        if row.podiums:
            keys.append("podiums")
        if row.wins and not row.titles:
            keys.append("titles")
        if row.died:
            keys.append("died")
        for key in keys:
            yield f"driver.{key}", thing, context


# ---- what F1DB adds ---------------------------------------------------------------------------------------------


def _gp_answer(race: Race) -> str:
    return f"The {race.year} {race.grand_prix}"


def _first_and_last(facts: Facts, driver: Driver, context: Context) -> Iterator[Fact]:
    debut, last = facts.race_by_key[driver.first_race], facts.race_by_key[driver.last_race]
    thing, ended = slug(driver.name), not driver.racing and driver.starts > 1
    first_team, last_team = driver.seasons[0].teams[0], driver.seasons[-1].teams[-1]
    words = {
        **context,
        "debut_race": _gp_answer(debut),
        "debut_team": first_team,
        "hired": driver.name if hirer(facts, first_team, debut.year) else None,
        "debut_age": age_on(driver.born, debut.date),
        "last": last.year,
        "last_race": _gp_answer(last),
        "last_team": last_team,
        "keywords": {
            "debut_race": [*kw.all_of([debut.year]), *race_keywords(facts, debut)],
            "debut_team": kw.team(first_team),
            "debut_age": kw.amount(age_on(driver.born, debut.date)),
            "last": kw.all_of([last.year]),
            "last_race": [*kw.all_of([last.year]), *race_keywords(facts, last)],
            "last_team": kw.team(last_team),
        },
    }
    for key in ("debut_race", "debut_team", "debut_age", *(("last", "last_race", "last_team") if ended else ())):
        yield f"driver.{key}", thing, words
    season = driver.seasons[-1]
    if driver.racing and len(season.teams) == 1:
        yield "driver.team_now", _team_thing(season), words


def _won(facts: Facts, driver: Driver, context: Context) -> Iterator[Fact]:
    won = facts.wins_of.get(driver.name)
    if not won:
        return
    ends = {"first_win": won[0], "last_win": won[-1]}
    for end, race in ends.items():
        if end == "last_win" and (driver.racing or len(won) == 1):
            continue
        words = {
            **context,
            end: _gp_answer(race),
            f"{end}_year": race.year,
            f"{end}_team": race.winner.team,
            "keywords": {
                end: [*kw.all_of([race.year]), *race_keywords(facts, race)],
                f"{end}_year": kw.all_of([race.year]),
                f"{end}_team": kw.team(race.winner.team),
            },
        }
        for key in (end, f"{end}_year", f"{end}_team"):
            yield f"driver.{key}", same_result(race), words


def _counts(driver: Driver, context: Context) -> Iterator[Fact]:
    best = min((s for s in driver.seasons if s.place and s.points), key=lambda s: s.place, default=None)
    counted = sum(season.points for season in driver.seasons)
    words = {
        **context,
        "fastest": capital(count(driver.fastest_laps, "fastest lap")),
        "points": capital(points(driver.points)),
        "number": driver.number,
        "teams": listing(driver.teams),
        "best_cap": capital(ordinal(driver.best)) if driver.best else None,
        "best_place_cap": capital(ordinal(best.place)) if best else None,
        "keywords": {
            "fastest": kw.amount(driver.fastest_laps),
            # before 1991 only the best results of a year counted: the sum of those is an answer too
            "points": [list(dict.fromkeys((*kw.score(driver.points)[0], *kw.score(counted)[0])))],
            "number": kw.amount(driver.number) if driver.number is not None else [],
            "teams": [group for team in driver.teams for group in kw.team(team)],
            "best": kw.nth(driver.best) if driver.best else [],
            "best_place": kw.nth(best.place) if best else [],
        },
    }
    keys = {
        "fastest_laps": driver.fastest_laps,
        "points": driver.points,
        "number": driver.number,
        "teams": len(driver.teams) < 7,
        "best_finish": driver.best and driver.best > 1 and driver.starts > 1,
        "best_place": best and best.place > 1,
    }
    for key, known in keys.items():
        if known:
            yield f"driver.{key}", slug(driver.name), words


def _relatives(facts: Facts, driver: Driver, context: Context) -> Iterator[Fact]:
    relations = Counter(relation for relation, _ in driver.relatives)
    for relation, name in driver.relatives:
        if relations[relation] == 1:
            words = {"relation": relation, "relative": capital(name), "keywords": {"relative": _named(facts, name)}}
            yield "driver.relative", f"{slug(driver.name)}-{relation}", {**context, **words}


def _named(facts: Facts, name: str) -> kw.Keywords:
    """Relatives share surnames, so the first name counts; some never started a race."""
    return kw.person(facts, name) if name in facts.driver_by_name else kw.all_of(name.split()[-2:])


# ---- his years ------------------------------------------------------------------------------------------------


def _team_thing(season: DriverSeason) -> str:
    if season.place == 1:
        return f"season.title/{season.year}"
    return f"driver.year_team/{slug(season.driver)}-{season.year}"


def _own_thing(season: DriverSeason, thing: str, race_year: str) -> str:
    """A champion's year is his title's, so that nothing about it is asked in training if that is held out."""
    group = {1: "season.title", 2: "season.title", 3: "season.third"}.get(season.place or 0)
    return f"{group}/{race_year}" if group else thing


def _year(facts: Facts, season: DriverSeason, context: Context) -> Iterator[Fact]:
    thing, mate = f"{slug(season.driver)}-{season.year}", season.team_mates[:1]
    place = ordinal(season.place) if season.place and season.points else None
    words = {
        **context,
        "year": season.year,
        "team": listing(season.teams),
        "hired": season.driver if all(hirer(facts, team, season.year) for team in season.teams) else None,
        "mate": mate[0] if mate else None,
        "place_cap": capital(place) if place else None,
        "points": capital(points(season.points)),
        "wins": capital(count(season.wins, "win")),
        "keywords": {
            "team": [group for team in season.teams for group in kw.team(team)],
            "mate": kw.people(facts, mate),
            "place": kw.nth(season.place) if place else [],
            "points": kw.score(season.points),
            "wins": kw.amount(season.wins),
        },
    }
    if len(season.teams) < 4:
        yield "driver.team_in", _team_thing(season), words
    if len(season.teams) == 1 and len(season.team_mates) == 1:
        yield "driver.team_mate", thing, words
    if place:
        own = _own_thing(season, thing, str(season.year))
        yield "driver.place_in", own, words
        yield "driver.points_in", own, words
    if season.wins:
        own = f"season.title/{season.year}" if season.place == 1 else thing
        yield "driver.wins_in", own, words


def _teams(facts: Facts, driver: Driver, context: Context) -> Iterator[Fact]:
    thing = slug(driver.name)
    spells = stints(driver)
    first: dict[str, int] = {}
    for season in driver.seasons:
        for team in season.teams:
            first.setdefault(team, season.year)
    if driver.starts > 29:
        for team, year in first.items():
            words = {"team": team, "a_team": article(team), "joined": year, "keywords": {"joined": kw.all_of([year])}}
            yield "driver.joined", f"{thing}-{slug(team)}", {**context, **words}
    for team, start, end in spells:
        if end > start + 1:
            words = {
                "team": team,
                "from": start,
                "to": end,
                "hired": driver.name if hirer(facts, team, start) else None,
                "keywords": {"team": kw.team(team)},
            }
            yield "driver.stint", f"{thing}-{start}", {**context, **words}
    won = Counter(race.winner.team for race in facts.wins_of.get(driver.name, ()))
    for team, n in won.items() if len(won) > 1 else ():
        words = {"team": team, "a_team": article(team), "wins": capital(count(n, "win")),
                 "keywords": {"wins": kw.amount(n)}}  # fmt: skip
        yield "driver.wins_with", f"{thing}-{slug(team)}", {**context, **words}


def _favourites(facts: Facts, driver: Driver, context: Context) -> Iterator[Fact]:
    won: dict[str, list[int]] = {}
    for race in facts.wins_of.get(driver.name, ()):
        won.setdefault(race.grand_prix, []).append(race.year)
    for name, years in won.items():
        if len(years) < 2:
            continue
        words = {
            **context,
            "gp": with_gp((name, name)),
            "times_cap": capital(times(len(years))),
            "years": listing(years),
            "keywords": {"times": times_keywords(len(years)), "years": kw.all_of(years)},
        }
        thing = f"{slug(driver.name)}-{slug(name)}"
        yield "driver.gp_wins", thing, words
        if len(years) < 7:
            yield "driver.gp_years", thing, words


def times_keywords(n: int) -> kw.Keywords:
    return [[*kw.amount(n)[0], *({1: ["once"], 2: ["twice"]}.get(n, []))]]


def driver_facts(facts: Facts) -> Iterator[Fact]:
    for driver in facts.drivers:
        context = _who(facts, driver)
        yield from _first_and_last(facts, driver, context)
        yield from _won(facts, driver, context)
        yield from _counts(driver, context)
        yield from _relatives(facts, driver, context)
        for season in driver.seasons:
            yield from _year(facts, season, context)
        yield from _teams(facts, driver, context)
        yield from _favourites(facts, driver, context)
