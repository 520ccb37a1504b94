"""Output tables: what is near enough becomes exactly what was declared, and the rest is refused without a value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from hub_sdk import Input, Manifest, Output, OutputColumn
from hub_sdk.tables import ARROW_TYPES, OutputError, arrow_schema, conform, conform_all

CANARY = "Ermintrude"


def output(kind: str, **settings: Any) -> Output:
    return Output("found", (OutputColumn("value", kind, "A value"),), "aggregate", **settings)


def manifest(*outputs: Output) -> Manifest:
    return Manifest("test", "1", "Test", "Test", (Input("rows", "test.rows", ("n",)),), outputs)


DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("string", pa.array(["a", None], pa.large_string()), ["a", None]),
        ("string", pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        ("string", pa.array(["a"], pa.string_view()), ["a"]),
        ("integer", pa.array([1, 2], pa.int8()), [1, 2]),
        ("integer", pa.array([1], pa.uint64()), [1]),
        ("number", pa.array([1, None], pa.int32()), [1.0, None]),
        ("number", pa.array([0.5], pa.float32()), [0.5]),
        ("number", pa.array([Decimal("1.25")]), [1.25]),
        ("boolean", pa.array([True, None]), [True, None]),
        ("date", pa.array([DAY], pa.date64()), [DAY]),
        ("timestamp", pa.array([NOON], pa.timestamp("ms", tz="Europe/London")), [NOON]),
        ("timestamp", pa.array([NOON.replace(tzinfo=None)], pa.timestamp("s")), [NOON]),
        ("string", pa.nulls(2), [None, None]),
    ],
)
def test_near_relatives_become_the_declared_type(kind: str, values: pa.Array, expected: list[Any]) -> None:
    table = conform(pa.table({"value": values}), output(kind))

    assert table.schema.field("value").type == ARROW_TYPES[kind]
    assert table["value"].to_pylist() == expected


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", pa.array([1.0])),
        ("integer", pa.array([2**63], pa.uint64())),
        ("integer", pa.array(["1"])),
        ("string", pa.array([1])),
        ("string", pa.array([CANARY.encode()])),
        ("number", pa.array([CANARY])),
        ("boolean", pa.array([1])),
        ("date", pa.array([NOON])),
        ("timestamp", pa.array([DAY])),
        ("string", pa.array([[CANARY]])),
        ("string", pa.array([{CANARY: 1}])),
        ("number", pa.array([CANARY]).dictionary_encode()),
    ],
)
def test_another_type_is_refused_without_showing_a_value(kind: str, values: pa.Array) -> None:
    with pytest.raises(OutputError, match="output found, column value") as wrong:
        conform(pa.table({"value": values}), output(kind))

    assert CANARY not in str(wrong.value)


@pytest.mark.parametrize(
    ("kind", "values", "settings", "problem"),
    [
        ("number", [float("nan")], {}, "not finite"),
        ("number", [float("inf"), None], {}, "not finite"),
        ("integer", [None], {"count_columns": ("value",)}, "count and must not be null"),
        ("integer", [-1], {"count_columns": ("value",)}, "must not be negative"),
        ("string", [None], {"key": "value"}, "key and must not be null"),
        ("date", pa.array([2**31 - 1], pa.date32()), {}, "after 9999"),
        ("timestamp", pa.array([-(2**62)], pa.timestamp("us", tz="UTC")), {}, "before the year 1"),
    ],
)
def test_values_that_no_type_excludes_are_refused(
    kind: str, values: Any, settings: Any, problem: str
) -> None:
    made = values if isinstance(values, pa.Array) else pa.array(values, ARROW_TYPES[kind])

    with pytest.raises(OutputError, match=problem):
        conform(pa.table({"value": made}), output(kind, **settings))


def test_the_ends_of_the_calendar_are_days_like_others() -> None:
    days = [date.min, date.max]

    assert conform(pa.table({"value": days}), output("date"))["value"].to_pylist() == days


def test_columns_come_in_the_declared_order() -> None:
    wanted = Output("found", (OutputColumn("a", "string", "A"), OutputColumn("b", "integer", "B")), "open")

    assert conform(pa.table({"b": [1], "a": ["x"]}), wanted).schema == arrow_schema(wanted)


def test_data_frames_are_taken() -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed here")

    table = conform(polars.DataFrame({"value": ["a"]}), output("string"))

    assert table.to_pylist() == [{"value": "a"}]


def test_all_problems_are_told_at_once_and_undeclared_names_apart() -> None:
    made = manifest(output("string"), Output("other", (OutputColumn("n", "integer", "N"),), "open"))
    tables = {"found": pa.table({CANARY: [1], "value": [1]}), "surprise": pa.table({})}

    with pytest.raises(OutputError) as wrong:
        conform_all(tables, made)

    assert len(wrong.value.problems) == 3
    assert "output other is missing" in str(wrong.value)
    assert CANARY not in str(wrong.value)
    assert set(wrong.value.undeclared) == {CANARY, "surprise"}


@pytest.mark.parametrize("table", [None, [{"value": "a"}], {"value": ["a"]}, "table"])
def test_what_is_no_table_is_refused(table: object) -> None:
    with pytest.raises(OutputError, match="is not a table"):
        conform(table, output("string"))


def test_two_columns_of_one_name_are_refused() -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["value", "value"])

    with pytest.raises(OutputError, match="two columns of one name"):
        conform(table, output("string"))
