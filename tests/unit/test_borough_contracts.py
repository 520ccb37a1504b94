"""The synthetic borough against the contract library: what was planted is refused, and nothing else is."""

from __future__ import annotations

import polars as pl
import pytest

from hub.demo import borough
from hub_schemas import Checker, library

DATASETS = (
    "benefits.claims",
    "children.in_need",
    "health.registrations",
    "housing.tenancies",
    "police.establishment",
    "police.incidents",
    "police.time_recording",
    "schools.attendance",
)


@pytest.fixture(scope="module", params=[(20_000, 2026), (3_000, 1), (3_000, 2), (3_000, 3)], ids=str)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> borough.BoroughSummary:
    people, seed = request.param
    return borough.generate(tmp_path_factory.mktemp("borough"), people=people, seed=seed)


@pytest.fixture(scope="module")
def planted(made: borough.BoroughSummary) -> pl.DataFrame:
    faults = pl.read_parquet(made.directory / "truth" / "faults.parquet")
    return faults.with_columns(pl.col("dataset", "column", "kind").cast(pl.String))


@pytest.mark.parametrize("name", DATASETS)
def test_a_contract_refuses_exactly_the_rows_with_a_planted_fault(
    made: borough.BoroughSummary, planted: pl.DataFrame, name: str
) -> None:
    contract = library.load(name)
    frame = pl.read_csv(made.path(name), infer_schema=False)
    assert frame.columns == [column.source_name for column in contract.columns]
    checker = Checker(contract)
    half = len(frame) // 2
    outcomes = [
        checker.check_text(frame[:half], first_row=1),
        checker.check_text(frame[half:], first_row=half + 1),
    ]
    checker.finish()
    refused = [number for outcome in outcomes for number in outcome.refused["row_number"].to_pylist()]
    expected = planted.filter(pl.col("dataset") == name)
    assert refused == expected["row_number"].to_list()
    assert len(refused) / len(frame) <= contract.refusal_threshold
    assert not checker.blocking


@pytest.mark.parametrize("name", DATASETS)
def test_a_contract_names_the_column_that_was_spoiled(
    made: borough.BoroughSummary, planted: pl.DataFrame, name: str
) -> None:
    checker = Checker(library.load(name))
    found = pl.from_arrow(checker.check_text(pl.read_csv(made.path(name), infer_schema=False)).faults)
    spoiled = planted.filter((pl.col("dataset") == name) & (pl.col("kind") != "key of an earlier row"))
    named = set(found.select("row", "column").iter_rows())
    assert [row for row in spoiled.select("row_number", "column").iter_rows() if row not in named] == []
