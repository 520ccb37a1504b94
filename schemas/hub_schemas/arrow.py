"""Contracts in Arrow: the types of accepted rows, of refused rows, and of faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from hub_schemas.delivery import ROW_NUMBER
from hub_schemas.model import Column

__all__ = ["FAULT_SCHEMA", "accepted_schema", "arrow_schema", "arrow_type", "refused_schema"]

#: One fault a row: `row` is null for the dataset as a whole; `value_shown` is masked for personal columns.
FAULT_SCHEMA: Final = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("column", pa.string()),
        pa.field("value_shown", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("message", pa.string()),
    ]
)

_TYPES: Final = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of accepted values: text, int64, float64, bool, date32 or microseconds in UTC."""
    return _TYPES[column.type]


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """The schema of accepted rows without the row number. Every field is nullable; `required` is checked."""
    return pa.schema([pa.field(column.name, arrow_type(column)) for column in columns])


def accepted_schema(columns: Sequence[Column]) -> pa.Schema:
    """The schema of accepted rows: `row_number` (int64, from 1), then the columns, typed."""
    return pa.schema([pa.field(ROW_NUMBER, pa.int64()), *arrow_schema(columns)])


def refused_schema(columns: Sequence[Column]) -> pa.Schema:
    """The schema of refused rows: `row_number`, then every column as the text that was sent."""
    texts = [pa.field(column.name, pa.string()) for column in columns]
    return pa.schema([pa.field(ROW_NUMBER, pa.int64()), *texts])
