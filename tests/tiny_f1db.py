"""A tiny F1DB for the tests: two seasons of three races, six drivers, three teams, laid out as F1DB's source is."""

import io
import tarfile
from pathlib import Path

import yaml

DRIVERS = {  # id: name, first, last, born, died, place, country
    "ayrton-senna": ("Ayrton Senna", "Senna", "1960-03-21", "1994-05-01", "São Paulo", "brazil"),
    "alain-prost": ("Alain Prost", "Prost", "1955-02-24", None, "Lorette", "france"),
    "nigel-mansell": ("Nigel Mansell", "Mansell", "1953-08-08", None, "Upton-upon-Severn", "united-kingdom"),
    "damon-hill": ("Damon Hill", "Hill", "1960-09-17", None, "Hampstead", "united-kingdom"),
    "graham-hill": ("Graham Hill", "Hill", "1929-02-15", "1975-11-29", "Hampstead", "united-kingdom"),
    "lella-lombardi": ("Lella Lombardi", "Lombardi", "1941-03-26", "1992-03-03", "Frugarolo", "italy"),
}
TEAMS = {"mclaren": "united-kingdom", "ferrari": "italy", "williams": "united-kingdom"}
ENGINES = {"honda": "japan", "ferrari": "italy", "renault": "france"}
COUNTRIES = {
    "brazil": ("Brazil", "Brazilian"),
    "france": ("France", "French"),
    "italy": ("Italy", "Italian"),
    "japan": ("Japan", "Japanese"),
    "united-kingdom": ("United Kingdom", "British"),
}
CIRCUITS = {"suzuka": "japan", "monza": "italy", "silverstone": "united-kingdom"}
RACES = (("italy", "monza", "Italian"), ("great-britain", "silverstone", "British"), ("japan", "suzuka", "Japanese"))
CARS = {  # driver: team, engine
    "ayrton-senna": ("mclaren", "honda"),
    "alain-prost": ("mclaren", "honda"),
    "nigel-mansell": ("ferrari", "ferrari"),
    "damon-hill": ("williams", "renault"),
    "graham-hill": ("williams", "renault"),
    "lella-lombardi": ("ferrari", "ferrari"),
}
ORDERS = {  # the finishing order, by season and race; those after None retired
    1988: (
        ("alain-prost", "ayrton-senna", "nigel-mansell", None, "damon-hill", "graham-hill", "lella-lombardi"),
        ("ayrton-senna", "alain-prost", "damon-hill", None, "nigel-mansell", "graham-hill", "lella-lombardi"),
        ("ayrton-senna", "alain-prost", "nigel-mansell", None, "damon-hill", "graham-hill"),
    ),
    1989: (
        ("alain-prost", "nigel-mansell", "ayrton-senna", None, "damon-hill", "graham-hill"),
        ("alain-prost", "nigel-mansell", "damon-hill", None, "ayrton-senna", "graham-hill"),
        ("nigel-mansell", "alain-prost", "graham-hill", None, "ayrton-senna", "damon-hill"),
    ),
}
POINTS = (9, 6, 4)
_PARENT = {"damon-hill": ("graham-hill", "PARENT"), "graham-hill": ("damon-hill", "CHILD")}


def _row(driver: str, position: int | str, grid: int) -> dict:
    team, engine = CARS[driver]
    placed = isinstance(position, int)
    return {
        "position": position,
        "driverNumber": grid,
        "driverId": driver,
        "constructorId": team,
        "engineManufacturerId": engine,
        "tyreManufacturerId": "goodyear",
        "laps": 50 if placed else 20,
        "time": f"1:30:{10 + position:02}.500" if placed else None,
        "gap": None if position == 1 or not placed else f"+{position - 1}.250",
        "reasonRetired": None if placed else "Engine",
        "points": POINTS[position - 1] if placed else None,
        "gridPosition": grid,
    }


def _table(total: dict[str, int], name: str) -> list[dict]:
    ranked = sorted((key for key in total if total[key]), key=lambda key: -total[key])
    return [{"position": n, name: key, "points": total[key]} for n, key in enumerate(ranked, 1)]


def _season(year: int) -> dict[str, object]:
    files: dict[str, object] = {}
    drivers, teams = dict.fromkeys(DRIVERS, 0), dict.fromkeys(TEAMS, 0)
    for n, (order, (country, circuit, adjective)) in enumerate(zip(ORDERS[year], RACES, strict=True), 1):
        finished, retired = order[: order.index(None)], order[order.index(None) + 1 :]
        grid = {driver: n for n, driver in enumerate(sorted((*finished, *retired)), 1)}
        rows = [_row(driver, place, grid[driver]) for place, driver in enumerate(finished, 1)]
        rows += [_row(driver, "DNF", grid[driver]) for driver in retired]
        for row in rows:
            drivers[row["driverId"]] += row["points"] or 0
            teams[row["constructorId"]] += row["points"] or 0
        pole = min(grid, key=grid.get)
        folder = f"seasons/{year}/races/{n:02}-{country}"
        files |= {
            f"{folder}/race": {
                "id": n, "round": n, "date": f"{year}-0{n + 3}-15", "grandPrixId": country,
                "officialName": f"{adjective} Grand Prix {year}", "circuitId": circuit,
                "circuitLayoutId": f"{circuit}-1", "circuitType": "RACE", "direction": "CLOCKWISE",
                "courseLength": 5.8, "turns": 18, "laps": 50, "distance": 290.0,
                **({"driversChampionshipDecider": True} if n == 3 else {}),
            },
            f"{folder}/race-results": rows,
            f"{folder}/starting-grid-positions": [{"position": 1, "driverId": pole, "time": "1:41.853",
                                                   "constructorId": CARS[pole][0]}],
            f"{folder}/fastest-laps": [{"position": 1, "driverId": finished[0], "constructorId": CARS[finished[0]][0],
                                        "time": "1:46.326", "lap": 33}],
            f"{folder}/driver-standings": _table(drivers, "driverId"),
            f"{folder}/constructor-standings": _table(teams, "constructorId"),
        }  # fmt: skip
    files[f"seasons/{year}/driver-standings"] = _table(drivers, "driverId")
    files[f"seasons/{year}/constructor-standings"] = [
        {**row, "engineManufacturerId": "honda"} for row in _table(teams, "constructorId")
    ]
    crews = {team: [driver for driver in CARS if CARS[driver][0] == team] for team in TEAMS}
    files[f"seasons/{year}/entrants"] = [
        {"entrantId": f"{team}-team", "countryId": "italy", "constructorId": team, "chassisId": f"{team}-car",
         "engineManufacturerId": CARS[crew[0]][1], "engineId": f"{CARS[crew[0]][1]}-engine",
         "tyreManufacturerId": "goodyear",
         "drivers": [{"driverId": driver, "rounds": "1-3"} for driver in crew]}
        for team, crew in crews.items()
    ]  # fmt: skip
    return files


def files() -> dict[str, object]:
    """Contents by name below src/data, without .yml."""
    tree: dict[str, object] = {
        "tyre-manufacturers/goodyear": {"name": "Goodyear"},
        "seasons/1990/driver-standings": [],  # in progress
    }
    for key, (name, last, born, died, place, country) in DRIVERS.items():
        tree[f"drivers/{key}"] = {
            "id": key, "name": name, "fullName": f"{name} the Driver", "lastName": last, "dateOfBirth": born,
            "dateOfDeath": died, "placeOfBirth": place, "countryOfBirthCountryId": country,
            "nationalityCountryId": country, "gender": "FEMALE" if key == "lella-lombardi" else "MALE",
            "permanentNumber": None,
            "familyRelationships": [dict(zip(("driverId", "type"), _PARENT[key], strict=True))]
            if key in _PARENT else None,
        }  # fmt: skip
    for key, country in TEAMS.items():
        name = "McLaren" if key == "mclaren" else key.capitalize()
        tree[f"constructors/{key}"] = {"id": key, "name": name, "fullName": f"{name} Racing", "countryId": country}
        tree[f"chassis/{key}-car"] = {"name": "X1", "fullName": f"{name} X1", "constructorId": key}
    for key, country in ENGINES.items():
        tree[f"engine-manufacturers/{key}"] = {"name": key.capitalize(), "countryId": country}
        tree[f"engines/{key}-engine"] = {
            "name": "RA1", "fullName": f"{key.capitalize()} RA1 1.5 V6", "engineManufacturerId": key, "capacity": 1.5,
            "configuration": "V6", "aspiration": "TURBOCHARGED",
        }  # fmt: skip
    for key, (name, demonym) in COUNTRIES.items():
        tree[f"countries/{key}"] = {"name": name, "demonym": demonym}
    for key, country in CIRCUITS.items():
        tree[f"circuits/{key}"] = {
            "name": key.capitalize(), "fullName": f"{key.capitalize()} Circuit", "placeName": key.capitalize(),
            "countryId": country, "previousNames": None, "layouts": [{"id": f"{key}-1", "length": 5.8, "turns": 18}],
        }  # fmt: skip
    for country, _, adjective in RACES:
        name = "Great Britain" if country == "great-britain" else country.capitalize()
        home = "united-kingdom" if country == "great-britain" else country
        tree[f"grands-prix/{country}"] = {"name": name, "fullName": f"{adjective} Grand Prix", "countryId": home}
    return {**tree, **_season(1988), **_season(1989)}


def write(folder: Path) -> Path:
    """Write it below a folder, as it unpacks."""
    for name, contents in files().items():
        file = folder / "src" / "data" / f"{name}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(contents, allow_unicode=True), encoding="utf-8")
    return folder


def pack(folder: Path, path: Path, odd: tuple[str, ...] = ()) -> Path:
    """Pack it as GitHub does; `odd` are names of members that ought never to be read."""
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "f1db-2026.9.1")
        for name in odd:
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"{"))  # not YAML: reading it would fail
    return path
