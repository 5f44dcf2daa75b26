"""What each country has done in Formula One, added up from drivers and races."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .facts import Facts
from .shapes import Driver, Race


@dataclass(frozen=True)
class Nation:
    country: str
    drivers: tuple[Driver, ...]  # by their first race
    won: tuple[Race, ...]  # in order
    winners: tuple[str, ...]  # most wins first
    champions: tuple[str, ...]  # by their first title
    titles: int
    held: tuple[Race, ...]
    circuits: tuple[str, ...]  # in order of their first race

    def winner(self, facts: Facts, race: Race) -> str:
        """Which of a race's winners was this country's."""
        return next(d for d in race.winner.drivers if facts.driver_by_name[d].country == self.country)


def nations(facts: Facts) -> Iterator[Nation]:
    """Every country that had a driver, or held a race."""
    order = facts.place_in_order
    for country in sorted({driver.country for driver in facts.drivers} | {row.country for row in facts.circuits}):
        drivers = [driver for driver in facts.drivers if driver.country == country]
        names = {driver.name for driver in drivers}
        won = [race for race in facts.races if names.intersection(race.winner.drivers)]
        wins = Counter({driver.name: driver.wins for driver in drivers if driver.wins})
        held = [race for race in facts.races if facts.circuit_by_name[race.circuit].country == country]
        champions = sorted((d for d in drivers if d.titles), key=lambda driver: driver.titles)
        yield Nation(
            country=country,
            drivers=tuple(sorted(drivers, key=lambda driver: order[driver.first_race])),
            won=tuple(won),
            winners=tuple(name for name, _ in wins.most_common()),
            champions=tuple(driver.name for driver in champions),
            titles=sum(len(driver.titles) for driver in champions),
            held=tuple(held),
            circuits=tuple(dict.fromkeys(race.circuit for race in held)),
        )
