"""Tables for people to take away: CSV that a spreadsheet cannot be tricked with."""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa

__all__ = ["csv_text"]

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(table: pa.Table) -> str:
    """A table as RFC 4180 CSV; text that a spreadsheet would run as a formula gets an apostrophe before it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=10_000):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            writer.writerow([_safe(value) for value in row])
    return stream.getvalue()


def _safe(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_DANGEROUS):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value
