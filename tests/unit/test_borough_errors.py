"""Slips and planted faults of the synthetic borough: each does what its name says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from hub.demo.borough import errors, faults
from hub.demo.borough.sheets import Sheet, nobody


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize(
    ("mistake", "text", "possible"),
    [
        (errors.keyboard, "Bo", {"Bi", "Bp"}),
        (errors.phonetic, "Philip", {"Phylip"}),
        (errors.scanned, "Barn", {"Bam"}),
        (errors.swapped_letters, "Ian", {"Ina"}),
        (errors.swapped_letters, "Lee", {"Lee"}),
        (errors.missing_letter, "Anna", {"Ana", "Ann"}),
        (errors.missing_letter, "Ann", {"Ann"}),
        (errors.doubled_letter, "Al", {"All"}),
        (errors.nickname, "William", {"Bill", "Will", "Billy", "Liam"}),
        (errors.nickname, "Zebedee", {"Zebedee"}),
        (errors.initial, "Margaret", {"M"}),
        (errors.one_of_two_names, "Smith-Jones", {"Smith", "Jones"}),
        (errors.one_of_two_names, "Smith", {"Smith"}),
        (errors.day_and_month_swapped, "2012-04-03", {"2012-03-04"}),
        (errors.day_and_month_swapped, "2012-04-13", {"2012-04-13"}),
        (errors.wrong_year, "2012-02-29", {"2011-02-28"}),
        (errors.first_of_january, "2012-04-03", {"2012-01-01"}),
        (errors.swapped_digits, "1123", {"1213", "1132"}),
        (errors.swapped_digits, "1111", {"1111"}),
    ],
)
def test_each_slip_makes_only_the_mistakes_it_is_named_for(mistake, text, possible, rng) -> None:
    assert {mistake(text, rng) for _ in range(60)} == possible


def test_wrong_day_stays_in_the_month(rng: np.random.Generator) -> None:
    days = {errors.wrong_day("2012-02-27", rng) for _ in range(80)}
    assert all(day.startswith("2012-02-") and 1 <= int(day[-2:]) <= 28 for day in days)
    assert len(days) > 5


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Łukasz", "Lukasz"), ("Siobhán", "Siobhan"), ("Öztürk", "Ozturk"), ("Yılmaz", "Yilmaz")],
)
def test_old_systems_lose_accents_but_no_letters(text: str, plain: str) -> None:
    assert errors.without_accents(text) == plain


def test_old_systems_lose_apostrophes_and_hyphens() -> None:
    assert errors.without_marks("O'Brien-Shaw") == "OBrien Shaw"


def sheet_of(count: int) -> Sheet:
    numbers = [f"{at:06d}" for at in range(count)]
    columns = {
        "claim_id": numbers,
        "nino": [f"MW{number}A" for number in numbers],
        "date_of_birth": ["1980-05-06"] * count,
        "benefit": ["universal credit"] * count,
        "start_date": ["2024-01-01"] * count,
        "postcode": ["ZX1 1AB"] * count,
    }
    return Sheet(
        "benefits.claims",
        {name: np.array(values, dtype=object) for name, values in columns.items()},
        nobody(count),
        nobody(count),
    )


def test_planting_changes_exactly_the_rows_it_names(rng: np.random.Generator) -> None:
    before, sheet = sheet_of(2_000), sheet_of(2_000)
    planted = faults.plant(sheet, rng, rate=0.05)
    assert 95 <= len(planted) <= 105
    changed = {
        row
        for name in before.columns
        for row in np.flatnonzero(before.columns[name] != sheet.columns[name]).tolist()
    }
    assert changed == {row for row, _, _ in planted}
    for row, column, _ in planted:
        assert before.columns[column][row] != sheet.columns[column][row]


def test_a_repeated_key_is_always_that_of_a_sound_row_just_before(rng: np.random.Generator) -> None:
    sheet = sheet_of(2_000)
    planted = faults.plant(sheet, rng, rate=0.2)
    faulty = {row for row, _, _ in planted}
    repeats = [row for row, _, kind in planted if kind == "key of an earlier row"]
    assert len(repeats) > 20
    for row in repeats:
        assert sheet.columns["claim_id"][row] == sheet.columns["claim_id"][row - 1]
        assert row - 1 not in faulty


def test_spared_rows_stay_sound(rng: np.random.Generator) -> None:
    planted = faults.plant(sheet_of(400), rng, rate=0.1, spare_after=100)
    assert planted
    assert max(row for row, _, _ in planted) < 100


@pytest.mark.parametrize(("rows", "possible"), [(30, {0}), (100, {1}), (250, {2, 3}), (1_000, {10})])
def test_small_sheets_are_never_more_than_one_and_a_half_in_a_hundred_at_fault(rows, possible, rng) -> None:
    assert {len(faults.plant(sheet_of(rows), rng)) for _ in range(40)} == possible


@pytest.mark.parametrize("dataset", sorted(faults.FAULTS))
def test_every_dataset_has_faults_and_a_key(dataset: str) -> None:
    assert len({fault.kind for fault in faults.FAULTS[dataset]}) >= 2
    assert faults.KEYS[dataset]
