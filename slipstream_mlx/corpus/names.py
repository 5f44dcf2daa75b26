"""What a person might call a race, a circuit or a driver."""

from .facts import Circuit, Facts
from .shapes import Place, Race
from .words import listing, the_circuit, the_country

_SHORT = {  # a circuit's alias that people use for "Suzuka 1988", where it is not the first one
    "Autódromo Hermanos Rodríguez": "Mexico City",
    "Circuit Gilles Villeneuve": "Montreal",
    "Circuit de Barcelona-Catalunya": "Barcelona",
}


def short_name(facts: Facts, name: str) -> str:
    """The surname, or the whole name where others bear the surname too, or a team does (Brabham)."""
    surname = facts.surname(name)
    return name if surname in facts.shared_surnames or surname.lower() in facts.team_names_lower else surname


def driver_names(facts: Facts, name: str) -> tuple[str, ...]:
    """Ways to say a driver's name, the whole name most often."""
    return (name, name, short_name(facts, name))


def short_track(circuit: Circuit) -> str:
    """The circuit as it stands before a year: Suzuka, Monaco, Montreal."""
    if circuit.name in _SHORT:
        return _SHORT[circuit.name]
    alias = circuit.aliases[0] if circuit.aliases else circuit.name
    return min(circuit.name, alias, key=len)


def track_names(circuit: Circuit) -> tuple[str, ...]:
    """The circuit with its article, and by its short name."""
    return (the_circuit(circuit.name), the_circuit(circuit.name), the_circuit(short_track(circuit)))


def race_names(facts: Facts, race: Race, by_track: bool = True) -> tuple[str, ...]:
    """Ways to say which race: "the 1988 Japanese Grand Prix", "the Japanese race of 1988", `by_track` "Suzuka 1988".

    Those that would fit two races are left out.
    """
    year, name, grand_prix = race.year, race.grand_prix, facts.grand_prix_by_name[race.grand_prix]
    names = [f"the {year} {name}", f"the {year} {name}", f"the {name} of {year}", f"the {year} {name}"]
    if grand_prix.of:
        names.append(f"the {year} Grand Prix of {the_country(grand_prix.of)}")
    country = facts.circuit_by_name[race.circuit].country
    others = [other for other in facts.races_by_year[year] if other is not race]
    countries = {facts.circuit_by_name[other.circuit].country for other in others}
    if grand_prix.adjective and grand_prix.country == country and country not in countries:
        names.append(f"the {grand_prix.adjective} race of {year}")
    if by_track and all(other.circuit != race.circuit for other in others):
        names.append(f"{short_track(facts.circuit_by_name[race.circuit])} {year}")
    return tuple(names)


def place_names(place: Place) -> str:
    """The driver in a place, or the two who shared its car."""
    return listing(place.drivers) + (" in a shared car" if len(place.drivers) > 1 else "")
