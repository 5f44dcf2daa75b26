"""What the placeholders of templates_drivers.py stand for."""

from collections import Counter
from datetime import date

from .contexts_races import by_end
from .facts import LAST_SEASON, Facts
from .names import driver_names, race_names, track_names
from .shapes import Driver, DriverSeason, Race
from .words import (
    ADJECTIVES,
    Context,
    article,
    capital,
    count,
    listing,
    long_date,
    number,
    ordinal,
    points,
    the_country,
    times,
)

_THEN_AND_NOW = {"Montona": "what is now Croatia"}  # birthplaces that have changed hands since


def age_on(born: str, day: str) -> int:
    a, b = date.fromisoformat(born), date.fromisoformat(day)
    return b.year - a.year - ((b.month, b.day) < (a.month, a.day))


def birthplace_full(place: str, country: str) -> str:
    """ "Wiesbaden in Germany"; for a city state the name alone."""
    return place if place == country else f"{place} in {_THEN_AND_NOW.get(place, the_country(country))}"


def stints(driver: Driver) -> list[tuple[str, int, int]]:
    """Unbroken spells with a team: (team, first year, last year), where he drove for it alone."""
    spells: list[tuple[str, int, int]] = []
    for season in driver.seasons:
        team = season.teams[0] if len(season.teams) == 1 else ""
        if spells and spells[-1][0] == team and spells[-1][2] == season.year - 1:
            spells[-1] = (team, spells[-1][1], season.year)
        else:
            spells.append((team, season.year, season.year))
    return [spell for spell in spells if spell[0]]


def hirer(facts: Facts, team: str, year: int) -> str | None:
    """The team, if nobody else entered its cars that year: then it was the team that chose its drivers."""
    season = facts.team_seasons.get((team, year))
    return team if season and season.one_entrant else None


def span(first: int, last: int) -> str:
    return f"in {first}" if first == last else f"from {first} to {last}"


def favourite(facts: Facts, driver: Driver) -> tuple[str, int] | None:
    """The Grand Prix that he won most often, if more than once and more than any other."""
    ranked = Counter(race.grand_prix for race in facts.wins_of.get(driver.name, ())).most_common(2)
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return None
    return ranked[0]


def _he(facts: Facts, driver: Driver) -> tuple[str, ...]:
    he = "she" if driver.female else "he"
    return (*driver_names(facts, driver.name), he, he)


def _names_of(facts: Facts, race: Race) -> tuple[str, ...]:
    return race_names(facts, race, by_track=False)


def _wins(facts: Facts, driver: Driver) -> Context:
    won = facts.wins_of.get(driver.name, [])
    once = len(won) == 1 and not driver.racing
    by_team = Counter(race.winner.team for race in won)
    best = favourite(facts, driver)
    if not won:
        return {"never": "had not yet" if driver.racing else "never"}
    first, last = won[0], won[-1]
    shares = [f"{number(n)} came with {team}" for team, n in by_team.most_common()]
    return {
        "wins": count(driver.wins, "win"),
        "wins_n": number(driver.wins) if driver.wins > 2 else None,
        "wins_gp": count(driver.wins, "Grand Prix", "Grands Prix"),
        "wins_races": count(driver.wins, "race"),
        "win_times": times(driver.wins),
        "first_win": None if once else _names_of(facts, first),
        "first_win_team": first.winner.team,
        "first_win_year": first.year,
        "first_win_track": track_names(facts.circuit_by_name[first.circuit]),
        "only_win": _names_of(facts, first) if once else None,
        "last_win": None if once or driver.racing else _names_of(facts, last),
        "last_win_team": last.winner.team,
        "last_win_year": last.year,
        "wins_by_team": listing(shares) if len(by_team) > 1 else None,
        "favourite": best[0] if best else None,
        "favourite_times": times(best[1]) if best else None,
        "favourite_times_cap": capital(times(best[1])) if best else None,
        "favourite_wins": count(best[1], "win") if best else None,
    }


def _counts(driver: Driver) -> Context:
    poles, podiums, fastest, slams = driver.poles, driver.podiums, driver.fastest_laps, driver.grand_slams
    return {
        "poles": count(poles, "pole position") if poles else None,
        "pole_times": times(poles) if poles else None,
        "podiums": count(podiums, "podium finish", "podium finishes") if podiums > driver.wins else None,
        "podiums_n": number(podiums) if podiums > max(driver.wins, 2) else None,
        "podium_times": times(podiums) if podiums > driver.wins else None,
        "fastest": count(fastest, "fastest lap") if fastest > 1 else None,
        "fastest_n": number(fastest) if fastest > 1 else None,
        "fastest_times": times(fastest) if fastest else None,
        "fastest_races": count(fastest, "race") if fastest else None,
        "slams": count(slams, "grand slam") if slams else None,
        "slam_times_cap": capital(times(slams)) if slams else None,
        "points": points(driver.points) if driver.points else None,
        "winless": True if driver.podiums and not driver.wins else None,
        "no_podium": True if not driver.podiums and driver.best and driver.starts > 1 else None,
        "pointless": True if not driver.points and driver.starts > 1 else None,
        "best": ordinal(driver.best) if driver.best else None,
    }


def _career(facts: Facts, driver: Driver) -> Context:
    debut, last = facts.race_by_key[driver.first_race], facts.race_by_key[driver.last_race]
    years, teams, single = driver.years, driver.teams, driver.starts == 1
    mates = list(dict.fromkeys(mate for season in driver.seasons for mate in season.team_mates))
    best = min((s for s in driver.seasons if s.place), key=lambda s: s.place, default=None)
    shown = best if best and best.place > 2 and best.points and best.place <= 20 else None
    seconds = [season.year for season in driver.seasons if season.place == 2]
    spells = [f"for {team} {span(a, b)}" for team, a, b in stints(driver) if b > a or len(years) > 1]
    return {
        "first": years[0],
        "several": None if single else True,
        "single_start": True if single else None,
        "debut_race": _names_of(facts, debut),
        "debut_hirer": hirer(facts, driver.seasons[0].teams[0], years[0]),
        "a_debut_car": article(driver.seasons[0].teams[0]),
        "debut_age": age_on(driver.born, debut.date),
        "last": None if single or driver.racing else years[-1],
        "last_year": years[-1] if len(years) > 1 else None,
        "last_race": None if single else _names_of(facts, last),
        "last_team": driver.seasons[-1].teams[-1],
        "still": LAST_SEASON if driver.racing else None,
        "from_to": span(years[0], years[-1]),
        "years_span": f"{years[0]} to {years[-1]}" if len(years) > 2 else None,
        "n_seasons": count(len(years), "season") if len(years) > 1 else None,
        "starts": count(driver.starts, "race"),
        "starts_n": number(driver.starts) if driver.starts > 2 else None,
        "start_times": times(driver.starts),
        "teams": listing(teams) if 1 < len(teams) < 8 else None,
        "team_list": listing(teams) if len(teams) < 5 else None,
        "n_teams": count(len(teams), "team") if len(teams) > 1 else None,
        "one_team": teams[0] if len(teams) == 1 and not single else None,
        "stint": tuple(spells) or None,
        "mates": tuple(listing(mates[i : i + 3]) for i in range(0, len(mates) - 1, 3) if mates[i + 1 :]) or None,
        "titles": listing(driver.titles) if driver.titles else None,
        "n_titles": count(len(driver.titles), "title") if driver.titles else None,
        "best_place": ordinal(shown.place) if shown else None,
        "best_year": shown.year if shown else None,
        "second_years": listing(seconds) if seconds else None,
    }


def driver_context(facts: Facts, driver: Driver) -> Context:
    adjective = ADJECTIVES[driver.country]
    relative = driver.relatives[0] if driver.relatives else None
    he = _he(facts, driver)
    return {
        "f1": ("Formula One", "Formula 1", "F1"),
        "name": driver.name,
        "he": he,
        "he_full": driver.name,
        "his": "her" if driver.female else "his",
        "him": "her" if driver.female else "him",
        "is": "was" if driver.died else "is",
        "full_name": driver.full_name if driver.full_name != driver.name else None,
        "adj": adjective,
        "adj_driver": article(f"{adjective} driver"),
        "adj_racing_driver": article(f"{adjective} racing driver"),
        "adj_licence": article(adjective),
        "nationality": "a New Zealander" if driver.nationality == "New Zealander" else driver.nationality,
        "country": the_country(driver.country),
        "born": long_date(driver.born),
        "birthday": long_date(driver.born).rsplit(" ", 1)[0],
        "birth_year": driver.born[:4],
        "birthplace": driver.birthplace,
        "birthplace_full": birthplace_full(driver.birthplace, driver.birth_country),
        "died": long_date(driver.died) if driver.died else None,
        "died_year": driver.died[:4] if driver.died else None,
        "died_age": age_on(driver.born, driver.died) if driver.died else None,
        "number": driver.number,
        "relation": relative[0] if relative else None,
        "relative": relative[1] if relative else None,
        "by_end": by_end(driver.racing),
        **_career(facts, driver),
        **_wins(facts, driver),
        **_counts(driver),
    }


def career_context(facts: Facts, driver: Driver, season: DriverSeason) -> Context:
    """One line of a career: a season, in the words of the driver's own pronouns."""
    return {
        "he": _he(facts, driver),
        "his": "her" if driver.female else "his",
        "him": "her" if driver.female else "him",
        "year": season.year,
        "team": listing(season.teams),
        "mate": season.team_mates[0] if len(season.team_mates) == 1 else None,
        "starts": count(season.starts, "race"),
        "wins": count(season.wins, "win") if season.wins else None,
        "wins_races": count(season.wins, "race") if season.wins else None,
        "points": points(season.points),
        "place": ordinal(season.place) if season.place else None,
    }
