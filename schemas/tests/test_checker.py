"""The columnar checker: keys over batches, checks of the whole, masking, and what becomes of odd sources."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from contract_strategies import contract_text
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_schemas import FAULT_SCHEMA, BatchError, Checker, Contract, Outcome, load_contract
from hub_schemas.uniqueness import SeenKeys

TEXT = {"name": "a", "logicalType": "string"}
NUMBERS = partial(pa.array, type=pa.int64())
NUMBER = {"name": "n", "logicalType": "integer"}


def contract(
    *columns: dict[str, Any], custom: dict[str, Any] | None = None, sla: Any = None, **table: Any
) -> Contract:
    listed = [{"property": name, "value": value} for name, value in (custom or {}).items()]
    document = json.loads(contract_text(list(columns), listed, **table))
    return load_contract(json.dumps(document | ({"slaProperties": sla} if sla else {})))


def faults(table: pa.Table) -> list[tuple[Any, ...]]:
    return [(row["row"], row["column"], row["rule"]) for row in table.to_pylist()]


def check(made: Contract, **columns: list[str | None]) -> tuple[Outcome, pa.Table, Checker]:
    checker = Checker(made)
    outcome = checker.check_text(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))
    return outcome, checker.finish(), checker


def test_columns_are_found_by_their_headers_in_any_order_even_an_empty_header() -> None:
    made = contract(TEXT | {"physicalName": ""}, NUMBER | {"physicalName": "Number of Things"})
    outcome, whole, _ = check(made, **{"Number of Things": ["1"], "other": ["x"], "": ["y"]})
    assert outcome.accepted.to_pylist() == [{"row_number": 1, "a": "y", "n": 1}]
    assert whole.num_rows == 0


def test_an_arrow_table_is_checked_as_a_frame_is() -> None:
    made = contract(TEXT, NUMBER)
    table = pa.table({"a": ["x", "y"], "n": pa.array(["1", "z"], type=pa.large_string())})
    assert faults(Checker(made).check_text(table).faults) == [(2, "n", "type-error")]
    chunked = pa.concat_tables([table, table])
    assert faults(Checker(made).check_text(chunked).faults) == [
        (2, "n", "type-error"),
        (4, "n", "type-error"),
    ]


def test_rows_are_counted_from_one() -> None:
    with pytest.raises(BatchError, match="from 1"):
        Checker(contract(TEXT)).check_text(pl.DataFrame({"a": ["x"]}), first_row=0)


def test_columns_that_are_not_text_are_turned_away() -> None:
    with pytest.raises(BatchError, match="read every column as text"):
        Checker(contract(NUMBER)).check_text(pl.DataFrame({"n": [1]}))


def test_an_empty_batch_is_no_fault() -> None:
    outcome, whole, _ = check(contract(TEXT | {"primaryKey": True}, NUMBER), a=[], n=[])
    assert (outcome.accepted.num_rows, outcome.refused.num_rows, whole.num_rows) == (0, 0, 0)
    assert outcome.faults.schema == FAULT_SCHEMA


def test_a_required_column_that_the_source_lacks_refuses_every_row_with_one_reason() -> None:
    outcome, whole, checker = check(contract(TEXT, NUMBER | {"required": True}), a=["x", "y"])
    assert (outcome.accepted.num_rows, outcome.refused.num_rows) == (0, 2)
    assert faults(outcome.faults) == []
    assert faults(whole) == [(None, "n", "missing-label")]
    assert checker.blocking


def test_an_optional_column_that_the_source_lacks_is_missing_in_every_row_and_said_so() -> None:
    outcome, whole, checker = check(contract(TEXT, NUMBER), a=["x"])
    assert outcome.accepted.to_pylist() == [{"row_number": 1, "a": "x", "n": None}]
    assert faults(whole) == [(None, "n", "missing-label")]
    assert not checker.blocking


def test_unexpected_columns_are_passed_over_or_refused_as_the_contract_says() -> None:
    _, whole, checker = check(contract(TEXT), a=["x"], b=["y"])
    assert whole.num_rows == 0
    _, whole, checker = check(contract(TEXT, custom={"unexpectedColumns": "fault"}), a=["x"], b=["y"])
    assert faults(whole) == [(None, None, "extra-label")]
    assert checker.blocking


def test_a_key_may_stand_once_over_all_batches_and_the_first_row_keeps_it() -> None:
    made = contract(TEXT | {"primaryKey": True}, NUMBER)
    checker = Checker(made)
    first = checker.check_text(pl.DataFrame({"a": ["x", "y", "x"], "n": ["1", "2", "3"]}))
    second = checker.check_text(pl.DataFrame({"a": ["z", " y ", "x"], "n": ["4", "5", "6"]}), first_row=4)
    assert first.accepted["row_number"].to_pylist() == [1, 2]
    assert second.accepted["row_number"].to_pylist() == [4]
    messages = first.faults.to_pylist() + second.faults.to_pylist()
    assert [(row["row"], row["rule"]) for row in messages] == [
        (3, "primary-key"),
        (5, "primary-key"),
        (6, "primary-key"),
    ]
    assert [row["message"].split("row ")[-1] for row in messages] == [
        "1 has the same; remove one of them",
        "2 has the same; remove one of them",
        "1 has the same; remove one of them",
    ]


def test_a_composite_key_counts_its_columns_together_and_in_order() -> None:
    columns = [TEXT | {"primaryKey": True}, TEXT | {"name": "b", "primaryKey": True}]
    outcome, _, _ = check(contract(*columns), a=["x", "y", "x", "x"], b=["y", "x", "x", "y"])
    assert faults(outcome.faults) == [(4, "a", "primary-key")]


def test_a_row_refused_for_another_reason_does_not_keep_the_key_from_a_good_one() -> None:
    made = contract(TEXT | {"primaryKey": True}, NUMBER)
    outcome, _, _ = check(made, a=["x", "x"], n=["wrong", "2"])
    assert outcome.accepted["row_number"].to_pylist() == [2]


def test_unique_leaves_missing_values_alone() -> None:
    outcome, _, _ = check(
        contract(TEXT | {"unique": True}, NUMBER), a=[None, "", "x", "x"], n=["1", "2", "3", "4"]
    )
    assert faults(outcome.faults) == [(4, "a", "unique")]


def test_columns_unique_together_are_written_as_a_quality_check_of_the_table() -> None:
    quality = [{"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["a", "n"]}}]
    outcome, _, _ = check(contract(TEXT, NUMBER, quality=quality), a=["x", "x", "x"], n=["1", "2", "1"])
    assert faults(outcome.faults) == [(3, "a", "unique")]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=12), max_size=8))
def test_keys_are_remembered_exactly_as_a_dictionary_would(batches: list[list[tuple[int, int]]]) -> None:
    seen, known, number = SeenKeys(), dict[tuple[int, int], int](), 0
    for batch in batches:
        rows = pl.int_range(number + 1, number + 1 + len(batch), eager=True).to_numpy()
        columns = [pl.Series([key[part] for key in batch], dtype=pl.Int64) for part in (0, 1)]
        found = seen.repeats(columns, rows).tolist() if batch else []
        expected = []
        for key in batch:
            number += 1
            expected.append(known.get(key, 0))
            known.setdefault(key, number)
        assert found == expected


def test_half_a_million_keys_in_batches_are_told_apart() -> None:
    seen = SeenKeys()
    for start in range(0, 500_000, 50_000):
        keys = pl.int_range(start, start + 50_000, eager=True)
        assert not seen.repeats([keys], keys.to_numpy() + 1).any()
    again = pl.int_range(499_990, 500_010, eager=True)
    assert seen.repeats([again], again.to_numpy() + 1_000_000).tolist() == [
        *range(499_991, 500_001),
        *([0] * 10),
    ]


def test_one_key_repeated_many_times_names_its_first_row_each_time() -> None:
    seen = SeenKeys()
    same = pl.repeat("x", 1000, eager=True)
    numbers = pl.int_range(1, 1001, eager=True).to_numpy()
    assert seen.repeats([same], numbers).tolist() == [0] + [1] * 999
    assert seen.repeats([same], numbers + 1000).tolist() == [1] * 1000


@pytest.mark.parametrize(
    ("quality", "values", "broken"),
    [
        ({"metric": "nullValues", "mustBeLessThan": 50, "unit": "percent"}, ["x", None], True),
        ({"metric": "nullValues", "mustBeLessOrEqualTo": 50, "unit": "percent"}, ["x", " "], False),
        ({"metric": "nullValues", "mustBeLessThan": 1}, ["x", "y"], False),
        ({"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": ["?"]}}, ["x", " ? "], True),
        ({"metric": "missingValues", "mustBe": 1, "arguments": {"missingValues": ["?"]}}, ["x", "?"], False),
        ({"metric": "invalidValues", "mustBeLessThan": 1, "arguments": {"validValues": ["x"]}}, ["x", "y"], True),
        ({"metric": "invalidValues", "mustBeLessThan": 2, "arguments": {"validValues": ["x"]}}, ["x", "y", ""], False),
        ({"metric": "duplicateValues", "mustBeLessOrEqualTo": 1}, ["x", "x", "x"], True),
        ({"metric": "duplicateValues", "mustBeLessOrEqualTo": 1}, ["x", "x", None, None], False),
        ({"metric": "nullValues", "mustNotBeBetween": [1, 2]}, ["x", None], True),
        ({"metric": "nullValues", "mustNotBe": 0}, ["x"], True),
        ({"metric": "nullValues", "mustBeGreaterOrEqualTo": 1}, ["x"], True),
        ({"metric": "nullValues", "mustBeGreaterThan": 0}, ["x", None], False),
        ({"metric": "nullValues", "mustBeBetween": [0, 1]}, ["x", None], False),
    ],
)  # fmt: skip
def test_checks_of_a_column_as_a_whole(
    quality: dict[str, Any], values: list[str | None], broken: bool
) -> None:
    made = contract(TEXT | {"quality": [quality]}, NUMBER)
    outcome, whole, checker = check(made, a=values, n=["1"] * len(values))
    assert outcome.refused.num_rows == 0
    assert (whole.num_rows == 1) is broken
    assert checker.blocking is broken


def test_row_counts_are_checked_over_all_batches() -> None:
    made = contract(TEXT, quality=[{"metric": "rowCount", "mustBeBetween": [3, 4]}])
    checker = Checker(made)
    checker.check_text(pl.DataFrame({"a": ["x", "y"]}))
    assert faults(checker.finish()) == [(None, None, "table-dimensions")]
    checker.check_text(pl.DataFrame({"a": ["z"]}), first_row=3)
    assert checker.finish().num_rows == 0


def test_a_warning_is_reported_and_does_not_block() -> None:
    quality = {"metric": "rowCount", "mustBeGreaterThan": 5, "severity": "warning", "description": "ask IT"}
    _, whole, checker = check(contract(TEXT, quality=[quality]), a=["x"])
    message = whole.to_pylist()[0]["message"]
    assert message == "warning: the number of rows must be more than 5, but is 1 (ask IT)"
    assert not checker.blocking


@pytest.mark.parametrize(("day_of_check", "broken"), [(3, False), (9, True)])
def test_freshness_is_the_age_of_the_newest_value(day_of_check: int, broken: bool) -> None:
    now = datetime(2024, 1, day_of_check, tzinfo=UTC)
    day = {"name": "d", "logicalType": "date"}
    promise = [
        {"property": "freshness", "value": 7, "unit": "d", "element": "rows.d", "driver": "regulatory"}
    ]
    checker = Checker(contract(day, sla=promise), now=now)
    checker.check_text(pl.DataFrame({"d": ["2024-01-01", "2023-05-01"]}))
    assert faults(checker.finish()) == ([(None, "d", "freshness")] if broken else [])
    assert checker.blocking is broken


def test_values_that_refer_to_another_dataset_must_stand_in_it() -> None:
    refers = {"property": "references", "value": {"dataset": "test.schools", "column": "urn"}}
    made = contract(TEXT | {"customProperties": [refers]})
    frame = pl.DataFrame({"a": ["1", "2", None]})
    given = Checker(made, references={"test.schools.urn": ["1"]}).check_text(frame)
    assert faults(given.faults) == [(2, "a", "foreign-key")]
    assert "test.schools.urn" in given.faults.to_pylist()[0]["message"]
    assert Checker(made).check_text(frame).faults.num_rows == 0


def test_personal_values_are_shown_by_their_shape_and_special_ones_not_at_all() -> None:
    columns = [
        {"name": "open", "logicalType": "date", "classification": "open"},
        {"name": "dob", "logicalType": "date", "classification": "personal"},
        {"name": "ill", "logicalType": "date", "classification": "special-category"},
    ]
    outcome, _, _ = check(contract(*columns), open=["31/02/90"], dob=["31 Fébruary 90"], ill=["31/02/90"])
    assert [row["value_shown"] for row in outcome.faults.to_pylist()] == [
        "31/02/90",
        "99 A?aaaaaa 99",
        "(hidden)",
    ]


def test_no_fault_of_a_personal_column_holds_its_value() -> None:
    canary = "Zyxwv9876"
    columns = [
        {"name": "a", "logicalType": kind, "classification": "personal"} | more
        for kind, more in (
            ("date", {}),
            ("integer", {}),
            ("string", {"customProperties": [{"property": "identifier", "value": "nino"}]}),
            ("string", {"logicalTypeOptions": {"pattern": "x"}}),
            ("string", {"logicalTypeOptions": {"maxLength": 2}}),
            (
                "string",
                {"quality": [{"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["x"]}}]},
            ),
            ("string", {"unique": True}),
        )
    ]
    for column in columns:
        outcome, whole, _ = check(contract(column), a=[canary, canary])
        assert outcome.faults.num_rows > 0
        assert canary not in str(outcome.faults.to_pylist() + whole.to_pylist())


def test_long_values_are_cut_where_they_are_shown() -> None:
    outcome, _, _ = check(
        contract(TEXT | {"logicalTypeOptions": {"maxLength": 1}, "classification": "open"}), a=["x" * 500]
    )
    assert outcome.faults.to_pylist()[0]["value_shown"] == "x" * 60


def test_faults_stand_in_the_order_of_rows_and_then_of_columns() -> None:
    made = contract(NUMBER, NUMBER | {"name": "m"}, custom={"bothOrNeither": ["n", "m"]})
    outcome, _, _ = check(made, m=["x", "y", "1"], n=["1", "z", None])
    assert faults(outcome.faults) == [
        (1, "m", "type-error"),
        (2, "n", "type-error"),
        (2, "m", "type-error"),
        (3, "n", "row-constraint"),
    ]


def test_rows_typed_wrongly_by_the_sender_are_found_on_receipt() -> None:
    columns = [
        {"name": "s", "logicalType": "string"},
        {
            "name": "p",
            "logicalType": "string",
            "customProperties": [{"property": "identifier", "value": "postcode"}],
        },
        {"name": "f", "logicalType": "number", "required": True},
        {"name": "n", "logicalType": "integer", "logicalTypeOptions": {"maximum": 5}, "primaryKey": True},
    ]
    made = contract(*columns)
    table = pa.table(
        {
            "row_number": pa.array([1, 2, 3, 4, 5], type=pa.int64()),
            "s": [" x", "", "x", "x", "x"],
            "p": ["sw1a1aa", "SW1A 1AA", None, None, None],
            "f": [float("nan"), None, 1.0, 1.0, 1.0],
            "n": pa.array([6, 1, 2, 2, None], type=pa.int64()),
        }
    )
    outcome = Checker(made).check_typed(table)
    assert faults(outcome.faults) == [
        (1, "s", "type-error"),
        (1, "p", "identifier"),
        (1, "f", "type-error"),
        (1, "n", "maximum"),
        (2, "s", "type-error"),
        (2, "f", "required"),
        (4, "n", "primary-key"),
        (5, "n", "required"),
    ]
    assert outcome.accepted["row_number"].to_pylist() == [3]
    assert outcome.refused.schema.field("n").type == pa.string()
    assert outcome.refused["f"].to_pylist()[0] == "NaN"


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"row_number": [1], "a": ["x"]}),
        pa.table({"row_number": [1], "n": pa.array([1], type=pa.int64()), "a": ["x"]}),
        pa.table({"row_number": [1], "a": ["x"], "n": pa.array([1], type=pa.int32())}),
        pa.table({"row_number": NUMBERS([None]), "a": ["x"], "n": NUMBERS([1])}),
        pa.table({"row_number": NUMBERS([0]), "a": ["x"], "n": NUMBERS([1])}),
        pa.table({"row_number": NUMBERS([2, 2]), "a": ["x", "y"], "n": NUMBERS([1, 1])}),
    ],
)
def test_a_typed_batch_of_another_shape_is_turned_away(table: pa.Table) -> None:
    with pytest.raises(BatchError):
        Checker(contract(TEXT, NUMBER)).check_typed(table)


def test_messages_tell_a_person_what_to_do() -> None:
    columns = [
        {
            "name": "d",
            "logicalType": "date",
            "customProperties": [{"property": "format", "value": ["%d/%m/%Y"]}],
        },
        {"name": "n", "logicalType": "integer", "logicalTypeOptions": {"minimum": 1}},
        TEXT
        | {"quality": [{"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["F", "M"]}}]},
    ]
    outcome, _, _ = check(contract(*columns), d=["2020-01-01"], n=["0"], a=["f"])
    assert [row["message"] for row in outcome.faults.to_pylist()] == [
        "d must be a real date written as DD/MM/YYYY",
        "n must be 1 or more",
        "a must be one of: F, M (capitals matter)",
    ]


def test_dates_beyond_the_calendar_are_faults_on_receipt_and_not_a_crash() -> None:
    columns = [{"name": "d", "logicalType": "date"}, {"name": "t", "logicalType": "timestamp"}]
    promise = [{"property": "freshness", "value": 7, "unit": "d", "element": "rows.d"}]
    made = contract(*columns, sla=promise)
    table = pa.table(
        {
            "row_number": pa.array([1, 2, 3], type=pa.int64()),
            "d": pa.array([2**31 - 1, -(2**31), 0], type=pa.int32()).cast(pa.date32()),
            "t": pa.array([0, 2**63 - 1, 86_400_000_001], type=pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        }
    )
    checker = Checker(made)
    outcome = checker.check_typed(table)
    assert faults(outcome.faults) == [(1, "d", "type-error"), (2, "d", "type-error"), (2, "t", "type-error")]
    assert outcome.refused.to_pylist()[0] == {
        "row_number": 1,
        "d": str(2**31 - 1),
        "t": "1970-01-01T00:00:00.000000Z",
    }
    assert outcome.accepted["row_number"].to_pylist() == [3]
    assert faults(checker.finish()) == [(None, "d", "freshness")]


def test_arrow_data_that_is_not_what_it_says_is_turned_away() -> None:
    offsets, broken = pa.py_buffer(bytes([0, 0, 0, 0, 2, 0, 0, 0])), pa.py_buffer(b"\xff\xfe")
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, broken])
    with pytest.raises(BatchError, match="not sound"):
        Checker(contract(TEXT)).check_typed(
            pa.table({"row_number": pa.array([1], type=pa.int64()), "a": text})
        )
    with pytest.raises(BatchError, match="not sound"):
        Checker(contract(TEXT)).check_text(pa.table({"a": text}))


@pytest.mark.parametrize("repeated", [True, False])
def test_columns_of_many_different_cells_and_of_few_are_judged_alike(repeated: bool) -> None:
    made = contract(TEXT | {"logicalTypeOptions": {"pattern": "^R[0-9]+$"}, "primaryKey": True}, NUMBER)
    checker = Checker(made)
    for first in (1, 3001):
        numbers = range(first, first + 3000)
        keys = [f" R{number}" if number % 7 == 0 else f"R{number}" for number in numbers]
        keys[100], keys[2000] = "X1", keys[50]
        counts = [str(number % (3 if repeated else 10_000)) for number in numbers]
        counts[200] = "many"
        outcome = checker.check_text(pl.DataFrame({"a": keys, "n": counts}), first)
        assert faults(outcome.faults) == [
            (first + 100, "a", "pattern"),
            (first + 200, "n", "type-error"),
            (first + 2000, "a", "primary-key"),
        ]
        assert outcome.accepted_rows == outcome.accepted.num_rows == 2997
        assert outcome.accepted["a"].to_pylist()[:3] == [f"R{number}" for number in numbers[:3]]
