"""Tables on the way out of a plugin: the declared types, and whether a table keeps to its declaration.

Used three times with the same meaning: in the author's tests, in the worker, and in the hub on what the
worker handed over. Imports pyarrow; nothing else of `hub_sdk` imports this module at import time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hub_sdk.manifest import Manifest, Output, OutputColumn

# Column type of a manifest -> Arrow type of the table the hub stores. Timestamps are instants, in UTC.
ARROW_TYPES: Mapping[str, Any] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


class OutputError(ValueError):
    """Tables do not keep to the manifest. `problems` lists every one, without any value of the data.

    `undeclared` holds the names of columns and tables that the manifest does not know. They are kept out of
    the text, because a pivoted table has data for column names.
    """

    def __init__(self, problems: list[str], undeclared: list[str] | None = None) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        self.undeclared = tuple(undeclared or ())


def arrow_schema(output: Output) -> pa.Schema:
    """The Arrow schema of an output, columns in the declared order."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in output.columns])


def conform_all(tables: Mapping[str, Any], manifest: Manifest) -> dict[str, pa.Table]:
    """Every output of the manifest in exactly its schema; raises `OutputError` with all problems."""
    declared = {output.name: output for output in manifest.outputs}
    undeclared = [str(name) for name in tables if name not in declared]
    problems = [f"{len(undeclared)} tables are not outputs of the manifest"] if undeclared else []
    found: dict[str, pa.Table] = {}
    for name, output in declared.items():
        if name not in tables:
            problems.append(
                f"output {name} is missing; hand back an empty table where there is nothing to say"
            )
            continue
        try:
            found[name] = conform(tables[name], output)
        except OutputError as error:
            problems += error.problems
            undeclared += error.undeclared
    if problems:
        raise OutputError(problems, undeclared)
    return found


def conform(table: Any, output: Output) -> pa.Table:
    """The table with the declared columns in the declared order and types, and checked by `value_problems`.

    Takes a `pyarrow.Table` or anything that offers the Arrow stream interface (a polars or pandas data
    frame). Large strings, string views and dictionaries become strings; narrower numbers become wider; a
    whole `number` never becomes an `integer`. Timestamps without a time zone are taken as UTC. Raises
    `OutputError`.
    """
    if not isinstance(table, pa.Table):
        if not hasattr(table, "__arrow_c_stream__"):
            raise OutputError([f"output {output.name} is not a table but {type(table).__name__}"])
        table = pa.table(table)
    missing = [name for name in output.column_names if name not in table.column_names]
    undeclared = [name for name in table.column_names if name not in output.column_names]
    problems = [f"output {output.name} lacks column {name}" for name in missing]
    if undeclared:
        problems.append(f"output {output.name} has {len(undeclared)} columns the manifest does not declare")
    if len(set(table.column_names)) < len(table.column_names):
        problems.append(f"output {output.name} has two columns of one name")
    if problems:
        raise OutputError(problems, undeclared)
    columns = []
    for column in output.columns:
        try:
            columns.append(_cast(table.column(column.name), column))
        except (_NotThisType, pa.ArrowInvalid, pa.ArrowNotImplementedError):
            # Arrow's own message would show a value.
            kind = table.column(column.name).type
            kind = "a nested type" if pa.types.is_nested(kind) else kind  # whose fields may be named by data
            problems.append(f"output {output.name}, column {column.name}: {kind} does not fit {column.type}")
    if problems:
        raise OutputError(problems)
    found = pa.Table.from_arrays(columns, schema=arrow_schema(output))
    problems = value_problems(found, output)
    if problems:
        raise OutputError(problems)
    return found


def value_problems(table: pa.Table, output: Output) -> list[str]:
    """What no type can say: keys and counts not null, counts not negative, numbers finite, days real."""
    problems = []
    for column in output.columns:
        values = table.column(column.name)
        place = f"output {output.name}, column {column.name}"
        if values.null_count and column.name == output.key:
            problems.append(f"{place}: is the key and must not be null ({values.null_count} rows are)")
        if column.name in output.count_columns:
            if values.null_count:
                problems.append(f"{place}: is a count and must not be null ({values.null_count} rows are)")
            if _some(pc.less(values, 0)):
                problems.append(f"{place}: is a count and must not be negative")
        if column.type == "number" and _some(pc.invert(pc.is_finite(values))):
            problems.append(f"{place}: holds numbers that are not finite; use null where there is no value")
        if column.type in _DAYS and _beyond_the_calendar(values, _DAYS[column.type]):
            problems.append(f"{place}: holds days before the year 1 or after 9999")
    return problems


# Ticks of the stored type in a day.
_DAYS = {"date": 1, "timestamp": 86_400_000_000}
_EPOCH = date(1970, 1, 1).toordinal()


def _beyond_the_calendar(values: pa.ChunkedArray, ticks: int) -> bool:
    """Whether any value has no date in Python: reading it would raise, far from where it came from."""
    whole = values.cast(pa.int32() if ticks == 1 else pa.int64())
    first = (date.min.toordinal() - _EPOCH) * ticks
    end = (date.max.toordinal() + 1 - _EPOCH) * ticks
    return _some(pc.or_(pc.less(whole, first), pc.greater_equal(whole, end)))


def _some(mask: Any) -> bool:
    return bool(pc.any(mask).as_py())


class _NotThisType(Exception):
    """The column is of another family of types than the declared one."""


def _cast(values: pa.ChunkedArray, column: OutputColumn) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = values.type
    families = {
        "string": pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind),
        "integer": pa.types.is_integer(kind),
        "number": pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind),
        "boolean": pa.types.is_boolean(kind),
        "date": pa.types.is_date(kind),
        "timestamp": pa.types.is_timestamp(kind),
    }
    if not families[column.type] and not pa.types.is_null(kind):
        raise _NotThisType
    return values.cast(ARROW_TYPES[column.type])
