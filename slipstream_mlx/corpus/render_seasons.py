"""Articles about seasons, from F1DB's races and final tables: how the title was won, and lists race by race."""

import random
from collections import Counter
from collections.abc import Iterator

from . import Document
from .compose import Kind, article, list_articles
from .contexts_races import list_context
from .facts import Facts, Season
from .names import race_names, short_name, track_names
from .shapes import Race
from .templates_races import CALENDAR, FASTEST, LISTS, POLES
from .templates_seasons import (
    STANDINGS,
    STANDINGS_OPEN,
    STORY,
    STORY_CLASHES,
    STORY_GROUPS,
    STORY_NEEDS,
    STORY_SAID,
    TEAM_STANDINGS,
    TEAM_STANDINGS_OPEN,
)
from .words import Context, capital, count, listing, long_date, number, ordinal, points, times
from .words import article as with_article

_KIND = Kind(STORY, STORY_GROUPS, STORY_NEEDS, STORY_SAID, STORY_CLASHES)


def champions_engine(facts: Facts, season: Season) -> str | None:
    """The make of engine that the champion won with."""
    won = (race.winner for race in facts.races_by_year[season.year] if season.champion in race.winner.drivers)
    engines = Counter(place.engine for place in won)
    return engines.most_common(1)[0][0] if engines else None


def champions_car(facts: Facts, season: Season) -> str | None:
    """The car, if the champion's team raced but one in that year."""
    team = facts.team_seasons.get((season.champion_team, season.year))
    return team.cars[0] if team and len(team.cars) == 1 and team.one_entrant and not season.also_team else None


def most_wins(facts: Facts, year: int) -> tuple[int, list[str]]:
    """The highest number of wins of a driver in a season, and those who had it."""
    wins = Counter(driver for race in facts.races_by_year[year] for driver in race.winner.drivers)
    return max(wins.values()), [driver for driver, n in wins.items() if n == max(wins.values())]


def _ends(race: Race, facts: Facts, which: str) -> Context:
    return {
        f"{which}_gp": race.grand_prix,
        f"{which}_winner": listing(race.winner.drivers),
        f"{which}_date": long_date(race.date).removesuffix(f" {race.year}"),
        f"{which}_track": track_names(facts.circuit_by_name[race.circuit]),
    }


def _decided(facts: Facts, season: Season) -> Context:
    races = facts.races_by_year[season.year]
    race = next((race for race in races if race.decided), None)
    if not race:
        return {}
    left = len(races) - race.round
    return {
        "decided_race": race_names(facts, race, by_track=False),
        "decided_date": long_date(race.date),
        "decided_track": track_names(facts.circuit_by_name[race.circuit]),
        "left": count(left, "race") if left > 1 else None,
    }


def story_context(facts: Facts, season: Season) -> Context:
    races, table = facts.races_by_year[season.year], season.standings
    champion = facts.driver_by_name[season.champion]
    year = next(s for s in champion.seasons if s.year == season.year)
    most, busiest = most_wins(facts, season.year)
    poles = Counter(race.pole for race in races).most_common(2)
    winners = list(dict.fromkeys(driver for race in races for driver in race.winner.drivers))
    new = [name for name in winners if facts.wins_of[name][0].year == season.year]
    margin = table[0].points - table[1].points
    clear = len(poles) == 1 or poles[0][1] > poles[1][1]
    engine = champions_engine(facts, season)
    return {
        "f1": ("Formula One", "Formula 1", "F1"),
        "year": season.year,
        "champion": season.champion,
        "c": (season.champion, short_name(facts, season.champion)),
        "team": listing(reversed(season.champion_teams)),
        "points": points(table[0].points),
        "champion_wins": count(year.wins, "win"),
        "champion_races": count(year.wins, "race"),
        "champion_times": times(year.wins),
        "champion_poles": count(year.poles, "pole position") if year.poles else None,
        "pole_times": times(year.poles) if year.poles else None,
        "car": champions_car(facts, season),
        "engine": engine,
        "an_engine": with_article(engine) if engine else None,
        "runner_up": table[1].name,
        "second_points": points(table[1].points),
        "second": table[1].name,
        "third": table[2].name if len(table) > 2 else None,
        "third_points": points(table[2].points) if len(table) > 2 else None,
        "top": listing(row.name for row in table[:3]) if len(table) > 2 else None,
        "margin": points(margin) if margin else None,
        **_decided(facts, season),
        **_ends(races[0], facts, "first"),
        **_ends(races[-1], facts, "last"),
        "races": count(len(races), "race"),
        "races_n": number(len(races)),
        "winners": listing(winners) if 1 < len(winners) < 6 else None,
        "winners_n": number(len(winners)) if len(winners) > 1 else None,
        "most": number(most),
        "not_champion": busiest[0] if len(busiest) == 1 and busiest[0] != season.champion else None,
        "most_poles": poles[0][0] if clear else None,
        "poles_n": number(poles[0][1]),
        "poles": count(poles[0][1], "pole position"),
        "new_winners": listing(new) if new else None,
        "constructors": season.constructors_champion,
        "constructors_second": second_team(season),
    }  # fmt: skip


def second_team(season: Season) -> str | None:
    """The runner-up among the constructors, if it is another team: Cooper's two makes of engine were listed apart."""
    names = [row.name for row in season.team_standings]
    return names[1] if len(names) > 1 and names[1] != names[0] else None


def _standings(facts: Facts, season: Season) -> list:
    drivers = {row.name: facts.driver_by_name.get(row.name) for row in season.standings}
    rows = []
    for row in season.standings:
        years = drivers[row.name].seasons if drivers[row.name] else ()
        teams = next((s.teams for s in years if s.year == season.year), ())
        if row.points:
            rows.append((STANDINGS, {
                "name": row.name, "place": ordinal(row.place), "place_cap": capital(ordinal(row.place)),
                "points": points(row.points), "team": listing(teams) or None,
            }))  # fmt: skip
    return rows


def _team_standings(season: Season) -> list:
    best = {}  # a team with two makes of engine has two lines
    for row in season.team_standings:
        best.setdefault(row.name, row)
    return [
        (TEAM_STANDINGS, {"name": row.name, "place": ordinal(row.place), "place_cap": capital(ordinal(row.place)),
                          "points": points(row.points)})
        for row in best.values() if row.points
    ]  # fmt: skip


def season_documents(facts: Facts, rng: random.Random, variants: int) -> Iterator[Document]:
    for season in facts.seasons:
        if len(season.standings) < 2 or season.year not in facts.races_by_year:
            continue
        about = story_context(facts, season)
        yield from article(_KIND, about, f"{season.year} Formula One season", rng, variants)
        rows = [list_context(facts, race) for race in facts.races_by_year[season.year]]
        for name, lines, some in (
            ("calendar", CALENDAR, rows),
            ("poles", POLES, rows),
            ("fastest", FASTEST, [row for row in rows if row["fastest"]]),
        ):
            title, openings = LISTS[name]
            many = variants if name == "calendar" else -(-variants // 2)
            yield from list_articles(
                (openings, about), [(lines, row) for row in some], title.format_map(about), rng, many
            )
        half = -(-variants // 2)
        title = f"Drivers' standings of the {season.year} Formula One season"
        yield from list_articles((STANDINGS_OPEN, about), _standings(facts, season), title, rng, half)
        title = f"Constructors' standings of the {season.year} Formula One season"
        yield from list_articles((TEAM_STANDINGS_OPEN, about), _team_standings(season), title, rng, half)
