"""What the placeholders of templates_races.py stand for."""

from .facts import LAST_SEASON, Facts
from .names import place_names, race_names, short_name, track_names
from .shapes import Place, Race
from .words import ADJECTIVES, Context, article, count, listing, long_date, number, ordinal, points, the_country

_REASONS = {  # F1DB's reason for a retirement -> how it ends a sentence
    "Accident": "after an accident",
    "Alternator": "with alternator trouble",
    "Brakes": "with brake trouble",
    "Clutch": "with clutch trouble",
    "Collision": "after a collision",
    "Collision damage": "with damage from a collision",
    "Differential": "with a broken differential",
    "Driveshaft": "with a broken driveshaft",
    "Electrical": "with an electrical fault",
    "Engine": "with engine trouble",
    "Exhaust": "with a broken exhaust",
    "Fuel leak": "with a fuel leak",
    "Fuel pump": "with a broken fuel pump",
    "Fuel system": "with trouble in the fuel system",
    "Gearbox": "with gearbox trouble",
    "Halfshaft": "with a broken halfshaft",
    "Hydraulics": "with a hydraulic failure",
    "Ignition": "with ignition trouble",
    "Oil leak": "with an oil leak",
    "Oil pressure": "for want of oil pressure",
    "Out of fuel": "for want of fuel",
    "Overheating": "because of overheating",
    "Power unit": "with a failure of the power unit",
    "Puncture": "after a puncture",
    "Radiator": "with a leaking radiator",
    "Spun off": "after spinning off",
    "Steering": "with steering trouble",
    "Suspension": "with a suspension failure",
    "Throttle": "with throttle trouble",
    "Transmission": "with transmission trouble",
    "Turbo": "with turbo trouble",
    "Tyre": "with tyre trouble",
    "Water leak": "with a water leak",
    "Wheel": "with a wheel failure",
    "Wheel bearing": "with a broken wheel bearing",
}


def car_name(place: Place) -> str:
    """ "McLaren-Honda", or "Ferrari" where the engine is the team's own."""
    same = place.engine == place.team or place.engine in place.team.split()
    return place.team if same else f"{place.team}-{place.engine}"


def from_grid(grid: int) -> str:
    return "pole position" if grid == 1 else f"{ordinal(grid)} on the grid"


def nth_win(facts: Facts, name: str, race: Race) -> tuple[str, ...]:
    """Which of the driver's wins the race was: "his first Grand Prix win", "the 41st and last of his wins"."""
    wins, racing = facts.wins_of[name], facts.driver_by_name[name].racing
    nth, total = wins.index(race) + 1, len(wins)
    prix = "" if race.grand_prix == "Indianapolis 500" else "Grand Prix "
    if total == 1 and not racing:
        return (f"his only {prix}win", "the only win of his career", "a first win and the last")
    if nth == 1:
        return (f"his first {prix}win", f"the first {prix}win of his career", f"a first {prix}victory")
    if nth == total and not racing:
        return (f"the last of his {number(total)} wins", f"his {ordinal(nth)} win, and the last", "his last win")
    return (f"his {ordinal(nth)} win", f"his {ordinal(nth)} {prix}win", f"{prix}win number {nth} of his career")


def _team_nth(facts: Facts, race: Race) -> tuple[str, ...] | None:
    wins, team = facts.team_wins_of[race.winner.team], facts.team_by_name[race.winner.team]
    nth = wins.index(race) + 1
    if len(wins) == 1 and team.last_season:
        return ("its only win", "the only win of its history")
    if nth == 1:
        return ("its first win", "a first victory")
    if nth == len(wins) and team.last_season:
        return (f"the last of its {number(nth)} wins", "its last win")
    return (f"its {ordinal(nth)} win", f"victory number {nth}") if nth % 25 == 0 else None


def _neighbours(facts: Facts, race: Race) -> tuple[Race | None, Race | None]:
    """The Grand Prix of this name before and after."""
    races = facts.races_called[race.grand_prix]
    at = races.index(race)
    return (races[at - 1] if at else None), (races[at + 1] if at + 1 < len(races) else None)


def list_context(facts: Facts, race: Race) -> Context:
    """What a race's line in a list needs: who, what and where, but not how."""
    solo, second = len(race.winner.drivers) == 1, race.second
    day = long_date(race.date)
    return {
        "year": race.year,
        "race": race_names(facts, race),
        "edition": race_names(facts, race, by_track=False),
        "gp": race.grand_prix,
        "the_gp": (f"the {race.grand_prix}", f"the {race.year} {race.grand_prix}"),
        "date": day,
        "day": day.removesuffix(f" {race.year}"),
        "track": track_names(facts.circuit_by_name[race.circuit]),
        "round": race.round,
        "round_th": ordinal(race.round),
        "winner": place_names(race.winner),
        "team": race.winner.team,
        "a_car": article(car_name(race.winner)),
        "car": car_name(race.winner),
        "second": second.drivers[0] if second and len(second.drivers) == 1 else None,
        "from_grid": from_grid(race.winner.grid) if race.winner.grid else None,
        "nth_win": nth_win(facts, race.winner.drivers[0], race) if solo else None,
        "pole": race.pole,
        "pole_team": race.pole_team,
        "pole_time": race.pole_time,
        "qualifying": "qualifying" if race.pole_qualified else None,
        "qualifier": "qualifier" if race.pole_qualified else None,
        "fastest": race.fastest[0] if len(race.fastest) == 1 else None,
        "fastest_time": race.fastest_time if len(race.fastest) == 1 else None,
    }


def race_context(facts: Facts, race: Race) -> Context:
    """Everything that is said of a race in its own article."""
    season, circuit = facts.season_by_year.get(race.year), facts.circuit_by_name[race.circuit]
    names, n = race_names(facts, race), facts.place_in_order[race.key]
    solo, winner = len(race.winner.drivers) == 1, race.winner.drivers[0]
    at_home = solo and facts.driver_by_name[winner].country == circuit.country
    before, after = _neighbours(facts, race)
    same = before is not None and solo and before.winner.drivers == race.winner.drivers
    third = race.third if race.third and len(race.third.drivers) == 1 else None
    lapped = bool(race.margin and "lap" in race.margin)
    retired = dict(race.retired or ())
    return {
        **list_context(facts, race),
        "f1": ("Formula One", "Formula 1", "F1"),
        "the_race": (*names[:2], "the race", "it"),
        "rounds": len(facts.races_by_year[race.year]),
        "n": n,
        "number": ordinal(n),
        "first_here": race.circuit if facts.races_at[race.circuit][0] is race and n > 1 else None,
        "w": (winner, short_name(facts, winner), short_name(facts, winner)) if solo else None,
        "his": "his" if solo else None,
        "country": the_country(circuit.country),
        "laps": count(race.laps, "lap"),
        "distance": f"{race.distance_km:.1f} km",
        "length": f"{race.length_km:.3f}",
        "scheduled": race.scheduled_laps,
        "p": short_name(facts, race.pole),
        "from_behind": race.winner.grid if solo and race.winner.grid != 1 else None,
        "pole_won": True if solo and race.winner.grid == 1 else None,
        "engine": race.winner.engine if car_name(race.winner) != race.winner.team else None,
        "an_engine": article(race.winner.engine) if car_name(race.winner) != race.winner.team else None,
        "second_team": race.second.team if race.second else None,
        "third": third.drivers[0] if third else None,
        "third_team": third.team if third else None,
        "podium": listing(place_names(place) for place in race.podium) if len(race.podium) == 3 else None,
        "points_places": listing(race.points_places[:3]) if len(race.points_places) > 2 else None,
        "margin": race.margin if race.margin and not lapped else None,
        "lap_margin": _laps(race.margin) if race.margin and lapped else None,
        "time": race.winner_time if solo else None,
        "one_two": race.second.team if race.second and race.second.team == race.winner.team else None,
        "team_nth": _team_nth(facts, race),
        "adjective": ADJECTIVES[circuit.country] if at_home else None,
        "winner_country": the_country(circuit.country) if at_home else None,
        "previous": place_names(before.winner) if before and not same else None,
        "repeat": True if same else None,
        "before": before.year if before else None,
        "next": place_names(after.winner) if after else None,
        "after": after.year if after else None,
        "sprint": race.sprint_winner,
        "fastest_lap": race.fastest_lap,
        "starters": number(race.starters),
        "finishers": number(race.classified) if race.classified is not None else None,
        "retirements": number(len(retired)) if len(retired) > 1 else None,
        "one_retired": True if len(retired) == 1 else None,
        "none_retired": True if race.retired == () else None,
        "reason": _REASONS.get(retired.get(race.pole, "")),
        "leader": race.leader,
        "leader_points": points(race.leader_points),
        "leading_team": race.leading_team,
        "champion": season.champion if season and race.decided else None,
        "constructors": season.constructors_champion if season and race.decided_constructors else None,
    }


def _laps(margin: str) -> str:
    n = int(margin.split()[0])
    return "a whole lap" if n == 1 else count(n, "lap")


def by_end(racing: bool) -> str | tuple[str, ...]:
    """When a count was true that can still grow. An article need not say so each time."""
    if not racing:
        return ""
    return (f" by the end of {LAST_SEASON}", f" up to the end of {LAST_SEASON}", f" by the close of {LAST_SEASON}", "")
