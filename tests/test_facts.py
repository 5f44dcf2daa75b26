"""The fact tables agree with each other, and check_facts sees where they do not agree with F1DB."""

import io
import tarfile
from collections import Counter
from dataclasses import fields, replace

import pytest

from slipstream_mlx.corpus.check_facts import compare, load_f1db, main
from slipstream_mlx.corpus.facts import EMBEDDED, LAST_SEASON, Facts
from slipstream_mlx.errors import SlipstreamError

yaml = pytest.importorskip("yaml")

ROWS = len(EMBEDDED.seasons) + len(EMBEDDED.champions) + len(EMBEDDED.teams) + len(EMBEDDED.circuits)


def test_the_tables_are_as_long_as_they_should_be():
    assert [season.year for season in EMBEDDED.seasons] == list(range(1950, LAST_SEASON + 1))
    assert len(EMBEDDED.teams) >= 40
    assert len(EMBEDDED.circuits) >= 50
    assert len([team for team in EMBEDDED.teams if team.last_season is None]) == 10
    for rows, key in ((EMBEDDED.champions, "name"), (EMBEDDED.teams, "name"), (EMBEDDED.circuits, "name")):
        assert len({getattr(row, key) for row in rows}) == len(rows)


def test_champions_titles_are_those_of_the_seasons():
    assert {champion.name for champion in EMBEDDED.champions} == set(EMBEDDED.titles)
    for champion in EMBEDDED.champions:
        won = tuple(season.year for season in EMBEDDED.seasons if season.champion == champion.name)
        assert champion.titles == won
        assert champion.first_race_year <= won[0] and won[-1] <= (champion.last_race_year or LAST_SEASON)
        assert champion.wins <= champion.podiums <= champion.starts


def test_teams_titles_are_those_of_the_seasons():
    names = {team.name for team in EMBEDDED.teams}
    for season in EMBEDDED.seasons:
        assert set(season.champion_teams) <= names
        assert (season.constructors_champion is None) == (season.year < 1958)
    for team in EMBEDDED.teams:
        seasons = EMBEDDED.seasons
        assert team.drivers_titles == tuple(s.year for s in seasons if team.name in s.champion_teams)
        assert team.constructors_titles == tuple(s.year for s in seasons if s.constructors_champion == team.name)
        last = team.last_season or LAST_SEASON
        assert all(team.first_season <= year <= last for year in team.drivers_titles + team.constructors_titles)


def test_every_race_was_held_somewhere():
    # The table has every circuit ever used, so that the circuits' races add up to the seasons'.
    assert sum(circuit.races for circuit in EMBEDDED.circuits) == sum(season.races for season in EMBEDDED.seasons)


def test_corners_belong_to_one_circuit():
    corners = Counter(corner for circuit in EMBEDDED.circuits for corner in circuit.corners)
    assert [corner for corner, n in corners.items() if n > 1] == []


def test_what_is_computed():
    assert EMBEDDED.titles["Michael Schumacher"] == EMBEDDED.titles["Lewis Hamilton"] == 7
    assert EMBEDDED.teams_of("Juan Manuel Fangio") == ("Alfa Romeo", "Maserati", "Mercedes", "Ferrari")
    assert EMBEDDED.champions_of("Cooper") == ("Jack Brabham",)
    assert EMBEDDED.shared_surnames == {"Hill", "Rosberg", "Villeneuve"}
    assert next(iter(EMBEDDED.champions_by_country)) == "United Kingdom"


# A tiny F1DB: one season of two races, which Jochen Rindt wins with Lotus.
TREE = {
    "drivers/jochen-rindt": {
        "id": "jochen-rindt",
        "name": "Jochen Rindt",
        "dateOfBirth": "1942-04-18",
        "dateOfDeath": "1970-09-05",
        "placeOfBirth": "Mainz",
        "countryOfBirthCountryId": "germany",
        "nationalityCountryId": "austria",
    },
    "drivers/jacky-ickx": {"id": "jacky-ickx", "name": "Jacky Ickx"},
    "countries/austria": {"name": "Austria", "demonym": "Austrian"},
    "countries/germany": {"name": "Germany", "demonym": "German"},
    "countries/united-kingdom": {"name": "United Kingdom", "demonym": "British"},
    "constructors/lotus": {"name": "Lotus", "countryId": "united-kingdom"},
    "circuits/zeltweg": {"fullName": "Zeltweg", "placeName": "Zeltweg", "countryId": "austria"},
    "seasons/1970/driver-standings": [
        {"position": 1, "driverId": "jochen-rindt"},
        {"position": 2, "driverId": "jacky-ickx"},
    ],
    "seasons/1970/constructor-standings": [{"position": 1, "constructorId": "lotus"}],
}
RACE = {"circuitId": "zeltweg", "courseLength": 3.186, "turns": 4, "direction": "CLOCKWISE"}
RESULTS = [
    {"position": 1, "driverId": "jochen-rindt", "constructorId": "lotus"},
    {"position": "DNS", "driverId": "jacky-ickx", "constructorId": "ferrari"},
]
for race in ("01-first", "02-second"):
    TREE[f"seasons/1970/races/{race}/race"] = RACE
    TREE[f"seasons/1970/races/{race}/race-results"] = RESULTS
    TREE[f"seasons/1970/races/{race}/starting-grid-positions"] = [{"position": 1, "driverId": "jochen-rindt"}]

TINY = Facts(
    seasons=tuple(replace(s, races=2) for s in EMBEDDED.seasons if s.year == 1970),
    champions=tuple(
        replace(c, first_race_year=1970, wins=2, poles=2, podiums=2, starts=2)
        for c in EMBEDDED.champions
        if c.name == "Jochen Rindt"
    ),
    teams=tuple(
        replace(t, first_season=1970, last_season=1970, drivers_titles=(1970,), constructors_titles=(1970,), wins=2)
        for t in EMBEDDED.teams
        if t.key == "lotus"
    ),
    circuits=tuple(
        replace(c, first_year=1970, last_year=1970, races=2) for c in EMBEDDED.circuits if c.key == "zeltweg"
    ),
)


@pytest.fixture
def f1db(tmp_path):
    for name, contents in TREE.items():
        file = tmp_path / "f1db" / "src" / "data" / f"{name}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(contents, allow_unicode=True), encoding="utf-8")
    return tmp_path / "f1db"


def pack(folder, path):
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "f1db-2026.9.1")
        for odd in ("/etc/src/data/drivers/x.yml", "../src/data/drivers/x.yml", "a/b/src/data/drivers/x.yml"):
            info = tarfile.TarInfo(odd)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"{"))  # not YAML: reading it would fail
    return path


def test_check_facts_agrees_with_a_true_table(f1db, tmp_path):
    rows, values, lines = compare(TINY, load_f1db(f1db))
    assert (rows, lines) == (4, [])
    assert values > 30
    assert compare(TINY, load_f1db(pack(f1db, tmp_path / "f1db.tar.gz"))) == (rows, values, lines)


@pytest.mark.parametrize(
    ("table", "field", "wrong"),
    [
        ("seasons", "champion", "Jacky Ickx"),
        ("seasons", "champion_team", "Ferrari"),
        ("seasons", "also_team", "Ferrari"),
        ("seasons", "runner_up", "Clay Regazzoni"),
        ("seasons", "constructors_champion", "Ferrari"),
        ("seasons", "constructors_champion", None),
        ("seasons", "races", 3),
        *[("champions", field.name, ("wrong",)) for field in fields(EMBEDDED.champions[0]) if field.name != "name"],
        *[("teams", name, ("wrong",)) for name in ("country", "first_season", "last_season", "wins")],
        *[("teams", name, (1969,)) for name in ("drivers_titles", "constructors_titles")],
        *[("circuits", name, ("wrong",)) for name in ("full_name", "place", "country", "length_km", "turns")],
        *[("circuits", name, ("wrong",)) for name in ("direction", "first_year", "last_year", "races")],
    ],
)
def test_check_facts_finds_a_planted_disagreement(f1db, table, field, wrong):
    row = replace(getattr(TINY, table)[0], **{field: wrong})
    _, _, lines = compare(replace(TINY, **{table: (row,)}), load_f1db(f1db))
    assert lines


def test_the_command_prints_and_exits(f1db, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([str(f1db)])  # the whole tables against the tiny F1DB: nearly all of it disagrees
    assert exit_.value.code == 1
    out = capsys.readouterr().out.splitlines()
    assert out[-1].startswith(f"{ROWS} rows, ") and out[-1].endswith("disagreements")
    assert any("Spa-Francorchamps" in line for line in out)


def test_bad_input_is_one_line_and_status_2(tmp_path, capsys):
    not_tar, empty, broken = tmp_path / "a.tar.gz", tmp_path / "empty", tmp_path / "broken"
    not_tar.write_text("hello")
    empty.mkdir()
    (broken / "src" / "data" / "drivers").mkdir(parents=True)
    (broken / "src" / "data" / "drivers" / "x.yml").write_text("{")
    for path in (not_tar, empty, broken, tmp_path / "none"):
        with pytest.raises(SystemExit) as exit_:
            main([str(path)])
        assert exit_.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_cut_archive_is_refused(f1db, tmp_path):
    whole = pack(f1db, tmp_path / "f1db.tar.gz").read_bytes()
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SlipstreamError):
        load_f1db(cut)
