"""The two validators say the same of every cell: marshmallow is the meaning, columns are the speed."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import marshmallow
import polars as pl
from contract_strategies import cells, contracts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_schemas import Checker, Contract, load_contract
from hub_schemas.record import record_rules


@st.composite
def contracts_with_rows(draw: st.DrawFn) -> tuple[Contract, list[dict[str, str | None]]]:
    text, properties = draw(contracts())
    row = st.fixed_dictionaries({column["name"]: cells(column) for column in properties})
    return load_contract(text), draw(st.lists(row, min_size=1, max_size=12))


def frame_of(contract: Contract, rows: list[dict[str, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={column.name: pl.String for column in contract.columns})


def columnar_rules(faults: Any) -> dict[int, dict[str, list[str]]]:
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fault in faults.to_pylist():
        found[fault["row"]][fault["column"]].append(fault["rule"])
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts_with_rows())
def test_every_cell_gets_the_same_verdict_from_both_validators(
    case: tuple[Contract, list[dict[str, str | None]]],
) -> None:
    contract, rows = case
    outcome = Checker(contract).check_text(frame_of(contract, rows))
    columnar = columnar_rules(outcome.faults)
    schema = contract.marshmallow_schema()()
    for number, row in enumerate(rows, start=1):
        expected = {name: sorted(rules) for name, rules in record_rules(schema, row).items()}
        assert {name: sorted(rules) for name, rules in columnar[number].items()} == expected, row


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts_with_rows())
def test_accepted_rows_hold_the_values_that_marshmallow_loads(
    case: tuple[Contract, list[dict[str, str | None]]],
) -> None:
    contract, rows = case
    outcome = Checker(contract).check_text(frame_of(contract, rows))
    schema = contract.marshmallow_schema()()
    loaded = []
    for number, row in enumerate(rows, start=1):
        try:
            loaded.append({"row_number": number, **schema.load(row)})
        except marshmallow.ValidationError:
            continue
    names = outcome.accepted.schema.names
    assert outcome.accepted.to_pylist() == [{name: row[name] for name in names} for row in loaded]
    assert outcome.accepted.schema.names[1:] == contract.arrow_schema().names


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts_with_rows(), st.integers(1, 5))
def test_rows_add_up_whole_and_refused_ones_are_kept_as_they_were_sent(
    case: tuple[Contract, list[dict[str, str | None]]], size: int
) -> None:
    contract, rows = case
    frame = frame_of(contract, rows)
    checker = Checker(contract)
    seen: list[int] = []
    for start in range(0, frame.height, size):
        outcome = checker.check_text(frame.slice(start, size), first_row=start + 1)
        numbers = outcome.accepted["row_number"].to_pylist() + outcome.refused["row_number"].to_pylist()
        assert sorted(numbers) == list(range(start + 1, min(start + size, frame.height) + 1))
        seen += numbers
        for row in outcome.refused.to_pylist():
            assert {name: row[name] for name in rows[0]} == rows[row["row_number"] - 1]
        assert {fault["row"] for fault in outcome.faults.to_pylist()} == set(
            outcome.refused["row_number"].to_pylist()
        )
    assert sorted(seen) == list(range(1, frame.height + 1))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts_with_rows())
def test_what_was_accepted_is_accepted_again_unchanged_by_the_receiving_side(
    case: tuple[Contract, list[dict[str, str | None]]],
) -> None:
    contract, rows = case
    accepted = Checker(contract).check_text(frame_of(contract, rows)).accepted
    again = Checker(contract).check_typed(accepted)
    assert again.accepted.equals(accepted)
    assert again.faults.num_rows == 0


def cell_by_cell(contract: Contract) -> Checker:
    """A checker that looks at every cell, not at the different ones of each column."""
    checker = Checker(contract)
    for repetition in checker._repetition.values():
        repetition.worth_it = False
    return checker


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts_with_rows(), st.integers(1, 5))
def test_checking_the_different_cells_of_a_column_says_the_same_as_checking_every_cell(
    case: tuple[Contract, list[dict[str, str | None]]], size: int
) -> None:
    contract, rows = case
    frame = frame_of(contract, rows)
    distinct, every = Checker(contract), cell_by_cell(contract)
    for start in range(0, frame.height, size):
        batch = frame.slice(start, size)
        one = distinct.check_text(batch, first_row=start + 1)
        # The same cells as Arrow holds them, begun in the middle of its buffers.
        other = every.check_text(frame.to_arrow().slice(start, size), first_row=start + 1)
        assert one.accepted_rows == one.accepted.num_rows == other.accepted.num_rows
        for name in ("accepted", "refused", "faults"):
            assert getattr(one, name).equals(getattr(other, name)), name
    assert distinct.finish().equals(every.finish())
    accepted = Checker(contract).check_text(frame).accepted
    again = cell_by_cell(contract).check_typed(accepted)
    assert again.accepted.equals(accepted)
    assert again.faults.num_rows == 0
