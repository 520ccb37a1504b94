"""The files of the synthetic borough: same seed, same bytes; every row accounted for; level memory."""

from __future__ import annotations

import ast
import csv
import hashlib
import subprocess
import sys
import weakref
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from hub.demo import borough
from hub.demo.borough import write
from hub.demo.borough.__main__ import main

DATASETS = {
    "schools.attendance": (
        "upn forename surname date_of_birth sex uprn postcode school_urn term term_start sessions_possible "
        "absence_authorised absence_unauthorised fixed_exclusions permanent_exclusion on_roll provision"
    ),
    "children.in_need": (
        "case_id nhs_number forename surname date_of_birth sex uprn postcode status start_date end_date"
    ),
    "police.incidents": (
        "incident_id occurred_at area category team priority officers minutes involved_forename "
        "involved_surname involved_date_of_birth involved_role uprn postcode outcome"
    ),
    "police.time_recording": "team area week_start activity planned_hours actual_hours",
    "police.establishment": "team area kind month fte contracted_hours abstraction_rate",
    "housing.tenancies": (
        "tenancy_id person_number forename surname date_of_birth uprn address postcode tenure weekly_rent "
        "arrears notice_served start_date"
    ),
    "benefits.claims": (
        "claim_id nino forename surname date_of_birth sex uprn postcode benefit out_of_work start_date "
        "end_date"
    ),
    "health.registrations": (
        "local_id nhs_number forename surname date_of_birth sex uprn postcode practice_code registered_on"
    ),
}
TRUTH = ("rows", "people", "households", "needs", "faults", "mistakes")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> borough.BoroughSummary:
    return borough.generate(tmp_path_factory.mktemp("borough"), people=20_000)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "BLOCK", 400)


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def truth(made: borough.BoroughSummary, name: str) -> list[dict]:
    return pq.read_table(made.directory / "truth" / f"{name}.parquet").to_pylist()


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, small_blocks: None) -> None:
    for name in ("one", "two"):
        borough.generate(tmp_path / name, people=1_000, seed=7)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_another_seed_writes_other_people_everywhere(tmp_path: Path) -> None:
    borough.generate(tmp_path / "one", people=1_000, seed=7)
    borough.generate(tmp_path / "two", people=1_000, seed=8)
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] == two[name]] == []


def test_every_dataset_is_written_with_the_columns_of_its_contract(made: borough.BoroughSummary) -> None:
    assert set(made.rows) == set(DATASETS)
    for name, columns in DATASETS.items():
        with made.path(name).open(encoding="utf-8", newline="") as file:
            assert next(csv.reader(file)) == columns.split(), name


def test_summary_counts_the_rows_that_are_in_the_files(made: borough.BoroughSummary) -> None:
    for name, rows in made.rows.items():
        assert len(csv_rows(made.path(name))) == rows, name


def test_readme_beside_the_files_calls_everything_synthetic(made: borough.BoroughSummary) -> None:
    text = (made.directory / "README.txt").read_text(encoding="utf-8")
    assert borough.NAME in text
    assert "EVERYTHING IN THIS FOLDER IS SYNTHETIC" in text
    assert all(name in text for name in DATASETS)


def test_about_one_row_in_a_hundred_is_at_fault_in_every_dataset(made: borough.BoroughSummary) -> None:
    for name, rows in made.rows.items():
        assert 0.005 <= made.faults[name] / rows <= 0.015, name


def test_every_row_of_every_file_has_exactly_one_row_of_truth(made: borough.BoroughSummary) -> None:
    table = pq.read_table(made.directory / "truth" / "rows.parquet")
    for name, rows in made.rows.items():
        numbers = table.filter(pc.equal(table["dataset"].cast("string"), name))["row_number"].to_pylist()
        assert sorted(numbers) == list(range(1, rows + 1)), name
    assert table.num_rows == sum(made.rows.values())


def test_truth_names_only_people_and_households_that_exist(made: borough.BoroughSummary) -> None:
    home = {person["person_id"]: person["household_id"] for person in truth(made, "people")}
    households = {household["household_id"] for household in truth(made, "households")}
    assert len(home) == made.people
    assert len(households) == made.households
    assert set(home.values()) == households
    for row in truth(made, "rows"):
        if row["true_person_id"] is None:
            assert row["true_household_id"] is None
            assert row["dataset"].startswith("police.")
        else:
            assert home[row["true_person_id"]] == row["true_household_id"]


def test_truth_about_an_incident_names_a_person_exactly_when_the_row_does(
    made: borough.BoroughSummary,
) -> None:
    incidents = csv_rows(made.path("police.incidents"))
    about = {
        row["row_number"]: row["true_person_id"]
        for row in truth(made, "rows")
        if row["dataset"] == "police.incidents"
    }
    for number, incident in enumerate(incidents, start=1):
        assert bool(incident["involved_surname"]) == (about[number] is not None)
        assert bool(incident["involved_role"]) == (about[number] is not None)


def test_faults_and_mistakes_point_at_rows_and_columns_that_exist(made: borough.BoroughSummary) -> None:
    for name in ("faults", "mistakes"):
        for row in truth(made, name):
            assert 1 <= row["row_number"] <= made.rows[row["dataset"]]
            assert row["column"] in DATASETS[row["dataset"]].split()


def test_no_row_has_two_planted_faults(made: borough.BoroughSummary) -> None:
    places = [(row["dataset"], row["row_number"]) for row in truth(made, "faults")]
    assert len(places) == len(set(places)) == sum(made.faults.values())


def test_identifiers_stay_unique_and_rows_stay_numbered_across_blocks(
    tmp_path: Path, small_blocks: None
) -> None:
    made = borough.generate(tmp_path, people=2_500)
    people = truth(made, "people")
    assert [person["person_id"] for person in people] == list(range(2_500))
    assert len({person["nhs_number"] for person in people}) == 2_500
    for name, key in (("police.incidents", "incident_id"), ("health.registrations", "local_id")):
        faulty = {row["row_number"] for row in truth(made, "faults") if row["dataset"] == name}
        keys = [row[key] for number, row in enumerate(csv_rows(made.path(name)), 1) if number not in faulty]
        assert len(keys) == len(set(keys)), name
    numbers = [row["row_number"] for row in truth(made, "rows") if row["dataset"] == "health.registrations"]
    assert numbers == list(range(1, made.rows["health.registrations"] + 1))


def test_only_two_blocks_are_ever_in_memory(
    tmp_path: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[int] = []
    blocks: list[weakref.ref] = []
    build = write.build_block

    def watched(*args, **kwargs):
        block = build(*args, **kwargs)
        blocks.append(weakref.ref(block))
        alive.append(sum(one() is not None for one in blocks))
        assert len(block.people) <= write.BLOCK
        return block

    monkeypatch.setattr(write, "build_block", watched)
    borough.generate(tmp_path, people=4_000)
    assert len(alive) == 10
    assert max(alive) <= 2


@pytest.mark.parametrize(("people", "seed"), [(99, 1), (10_000_001, 1), (1_000, -1)])
def test_impossible_wishes_are_refused_with_advice(tmp_path: Path, people: int, seed: int) -> None:
    with pytest.raises(ValueError, match=r"choose another number|give a whole number"):
        borough.generate(tmp_path / "never", people=people, seed=seed)
    assert not (tmp_path / "never").exists()


def test_another_day_moves_terms_months_and_births(tmp_path: Path) -> None:
    made = borough.generate(tmp_path, people=1_000, today=date(2024, 2, 29))
    terms = {row["term"] for row in csv_rows(made.path("schools.attendance"))}
    assert terms == {"2022/23 Spring", "2022/23 Summer", "2023/24 Autumn"}
    months = {row["month"] for row in csv_rows(made.path("police.establishment"))}
    assert (min(months), max(months), len(months)) == ("2021-02-01", "2024-01-01", 36)
    assert max(person["date_of_birth"] for person in truth(made, "people")) < date(2024, 2, 29)


def test_command_line_writes_a_borough_and_says_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--people", "500", "--seed", "3", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert borough.NAME in printed
    assert "500 people" in printed
    assert all((tmp_path / "truth" / f"{name}.parquet").is_file() for name in TRUTH)


def test_command_line_refuses_too_few_people_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--people", "5", "--out", str(tmp_path / "never")]) == 2
    assert "choose another number" in capsys.readouterr().err


def test_borough_imports_nothing_of_the_hub_beyond_the_demo() -> None:
    folder = Path(borough.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith("hub") or name.startswith("hub.demo.borough"), (path.name, name)


def test_importing_the_borough_loads_nothing_heavy() -> None:
    code = (
        "import sys, hub.demo.borough\n"
        "print([name for name in ('numpy', 'polars', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
