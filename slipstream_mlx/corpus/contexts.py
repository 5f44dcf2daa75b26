"""What the placeholders of templates.py stand for: a context for each row of the embedded tables (see words.py).

The articles (render.py) and the questions (ask.py) are both filled from these.
"""

from .facts import LAST_SEASON, Champion, Circuit, Facts, Season, Team
from .names import short_name
from .words import (
    ADJECTIVES,
    Context,
    article,
    count,
    fold,
    listing,
    long_date,
    number,
    ordinal,
    the_circuit,
    the_country,
    times,
)

_THEN_AND_NOW = {"Montona": "what is now Croatia"}  # birthplaces that have changed hands since


def season_context(facts: Facts, season: Season) -> Context:
    champion = next(row for row in facts.champions if row.name == season.champion)
    before, after = facts.season_by_year.get(season.year - 1), facts.season_by_year.get(season.year + 1)
    kept = before is not None and before.champion == season.champion
    nth, total = champion.titles.index(season.year) + 1, len(champion.titles)
    if total == 1:
        place = "his only title" if champion.last_race_year else "his first title"
    elif nth == total and champion.last_race_year is None:
        place = f"his {ordinal(nth)} title"
    else:
        which = "last" if nth == total else ordinal(nth)
        place = f"the {which} of his {count(total, 'title')}"
    return {
        "year": season.year,
        "champion": season.champion,
        "driver": (season.champion, season.champion, short_name(facts, season.champion)),
        "team": listing(reversed(season.champion_teams)),
        "runner_up": season.runner_up,
        "constructors": season.constructors_champion,
        "constructors_from": None if season.constructors_champion else first_constructors_year(facts),
        "races": count(season.races, "race"),
        "nth": place,
        "deposed": None if kept or not before else before.champion,
        "before": season.year - 1,
        "defended": season.year - 1 if kept else None,
        "next": after.champion if after and after.champion != season.champion else None,
        "after": season.year + 1,
        "country": the_country(champion.country),
        "adj_driver": article(f"{ADJECTIVES[champion.country]} driver"),
    }


def champion_context(facts: Facts, row: Champion) -> Context:
    active, several = row.last_race_year is None, len(row.titles) > 1
    compatriots = len(facts.champions_by_country[row.country])
    from_country = f"from {the_country(row.country)}"
    lone = f"the only champion {from_country}"
    second = [season.year for season in facts.seasons if season.runner_up == row.name]
    land = _THEN_AND_NOW.get(row.birthplace, the_country(row.birth_country))
    return {
        "champion": row.name,
        "he": (row.name, row.name, short_name(facts, row.name), "he", "he"),
        "is": "was" if row.died else "is",
        "adj_driver": article(f"{ADJECTIVES[row.country]} driver"),
        "nationality": "a New Zealander" if row.nationality == "New Zealander" else row.nationality,
        "country": the_country(row.country),
        "country_rank": lone if compatriots == 1 else f"one of the {number(compatriots)} champions {from_country}",
        "born": long_date(row.born),
        "birth_year": row.birth_year,
        "birthplace": row.birthplace,
        "birthplace_full": f"{row.birthplace} in {land}",
        "first": row.first_race_year,
        "last": row.last_race_year,
        "still": LAST_SEASON if active else None,
        "titles": count(len(row.titles), "title"),
        "times": times(len(row.titles)),
        "years": listing(row.titles),
        "years_were": f"{'years were' if several else 'year was'} {listing(row.titles)}",
        "title_word": "titles" if several else "title",
        "title_teams": listing(facts.teams_of(row.name)),
        "wins": number(row.wins),
        "poles": count(row.poles, "pole position"),
        "pole_times": times(row.poles),
        "podiums": number(row.podiums),
        "starts": number(row.starts),
        "by_end": f" by the end of {LAST_SEASON}" if active else "",
        "first_or_only": "first" if several or active else "only",
        "first_title": row.titles[0],
        "age": row.age_at_first_title,
        "second_years": listing(second) if second else None,
        "died": long_date(row.died) if row.died else None,
        "died_year": row.died[:4] if row.died else None,
    }


def team_context(facts: Facts, row: Team) -> Context:
    active = row.last_season is None
    drivers, constructors = row.drivers_titles, row.constructors_titles
    once = row.first_season == row.last_season
    could_win = (row.last_season or LAST_SEASON) >= first_constructors_year(facts)
    return {
        "name": row.name,
        "team": (row.name, row.name, "the team"),
        "is": "is" if active else "was",
        "races_": "races" if active else "raced",
        "appears": "appears" if active else "appeared",
        "country": the_country(row.country),
        "adj": ADJECTIVES[row.country],
        "adj_team": article(f"{ADJECTIVES[row.country]} Formula One team"),
        "first": None if once else row.first_season,
        "last": None if once else row.last_season,
        "only": row.first_season if once else None,
        "still": LAST_SEASON if active else None,
        "wins": count(row.wins, "win") if row.wins else None,
        "wins_gp": count(row.wins, "Grand Prix", "Grands Prix") if row.wins else None,
        "wins_number": number(row.wins) if row.wins else None,
        "never": None if row.wins or active else "never",
        "yet": LAST_SEASON if active and not row.wins else None,
        "by_end": f" by the end of {LAST_SEASON}" if active else "",
        "drivers_titles": count(len(drivers), "drivers' title") if drivers else None,
        "drivers_years": listing(drivers) if drivers else None,
        "champions": listing(facts.champions_of(row.name)) or None,
        "no_drivers": None if drivers else row.name,
        "constructors_titles": count(len(constructors), "constructors' title") if constructors else None,
        "constructors_years": listing(constructors) if constructors else None,
        "no_constructors": "no constructors' title" if could_win and not constructors else None,
        "note": row.note or None,
        "debut_year": row.first_season,
        "debut_champion": facts.season_by_year[row.first_season].champion,
    }


def circuit_context(facts: Facts, row: Circuit) -> Context:
    name, full_name = the_circuit(row.name), the_circuit(row.full_name)
    country = the_country(row.country)
    named_after_place = fold(row.place) in fold(row.full_name) or row.place == row.country
    once = row.races == 1
    still = row.last_year == LAST_SEASON
    several_corners = len(row.corners) > 1
    others = len(facts.circuits_by_country[row.country]) - 1
    monza = next(other for other in facts.circuits if other.key == "monza")
    return {
        "name": name,
        "full_name": full_name,
        "circuit": tuple(dict.fromkeys((name, full_name, "the circuit"))),
        "where": country if named_after_place else (f"{row.place} in {country}", f"{row.place}, {row.country}"),
        "place": None if named_after_place else row.place,
        "the_country": country,
        "length": f"{row.length_km:.3f}",
        "turns": count(row.turns, "turn"),
        "direction": row.direction,
        "first": None if once else row.first_year,
        "last": None if once or still else row.last_year,
        "still": LAST_SEASON if still else None,
        "only": row.first_year if once else None,
        "races": None if once else count(row.races, "championship race"),
        "races_number": None if once else number(row.races),
        "corners": listing(row.corners) if several_corners else None,
        "corner": row.corners[0] if len(row.corners) == 1 else None,
        "alias": row.aliases or None,
        "country_rank": f"one of {number(others + 1)} circuits" if others else "the only circuit",
        "than_monza": None if row is monza else "longer" if row.length_km > monza.length_km else "shorter",
        "debut_year": row.first_year,
        "debut_champion": facts.season_by_year[row.first_year].champion,
        "former": tuple(old for old in row.former_names if old != row.name) or None,
    }


def first_constructors_year(facts: Facts) -> int:
    return min(season.year for season in facts.seasons if season.constructors_champion)
