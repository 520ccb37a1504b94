"""The files of a delivery as they are read: column by column encrypted, of the right shape, every row numbered once."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hub.errors import Invalid
from hub.intake.brief import ReadFile
from hub.intake.ledger import Numbers
from hub.vault.files import check_footer, open_parquet
from hub.vault.kms import KeyTable
from hub_schemas import FAULT_SCHEMA, Contract
from hub_schemas.delivery import FOOTER_KEY, ROW_NUMBER, column_key

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = [
    "Period",
    "RowNumbers",
    "column_classes",
    "coverage",
    "fault_classes",
    "fit",
    "read_base",
    "read_sheet",
    "sheet_schema",
    "without",
]  # fmt: skip

_BATCH_ROWS = 65_536
#: First and last day of the coverage column.
Period = tuple[str | None, str | None]


def column_classes(contract: Contract) -> dict[str, str]:
    """The classification of each column of a file of rows."""
    return {ROW_NUMBER: "open", **{item.name: item.classification for item in contract.columns}}


def fault_classes() -> dict[str, str]:
    """The classification of each column of a fault list: it may show (masked) values, so personal throughout."""
    return dict.fromkeys(FAULT_SCHEMA.names, "personal")


def sheet_schema(contract: Contract, role: str) -> pa.Schema:
    """The columns of a delivery's file: rows are typed, refused rows the text that was sent, faults as everywhere."""
    if role == "faults":
        return FAULT_SCHEMA
    number = pa.field(ROW_NUMBER, pa.int64(), nullable=False)
    if role == "rows":
        return pa.schema([number, *contract.arrow_schema()])
    return pa.schema([number, *(pa.field(column.name, pa.string()) for column in contract.columns)])


def read_sheet(file: ReadFile, contract: Contract, role: str) -> Iterator[pa.Table]:
    """A delivered file in batches.

    Raises:
        Invalid: when it cannot be read, has other columns, types or rows than it should, or an open column.
    """
    schema, classes = (
        sheet_schema(contract, role),
        fault_classes() if role == "faults" else column_classes(contract),
    )
    client, rows = KeyTable(file.keys), 0
    with _opened(file, client, role) as parquet:
        _check_schema(parquet, schema, role)
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
            rows += batch.num_rows
            yield pa.Table.from_batches([batch])
    if rows != file.rows:
        raise Invalid(f"The file {role} holds {rows:,} rows, its manifest says {file.rows:,}.")
    expected = {FOOTER_KEY, *(column_key(kind, name) for name, kind in classes.items())}
    if rows and (missing := expected - client.opened):
        raise Invalid(
            f"The file {role} is not sealed column by column: {', '.join(sorted(missing)[:5])} is open."
        )


def read_base(file: ReadFile, columns: list[str]) -> Iterator[pa.Table]:
    """Some columns of one of the hub's own files in batches; columns it does not have are left out."""
    with _opened(file, KeyTable(file.keys), "the dataset's current version") as parquet:
        there = [name for name in columns if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=there):
            yield pa.Table.from_batches([batch])


def fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows of an earlier version in the columns that the contract has now; new columns are empty.

    Raises:
        Invalid: when a column is of another type by now.
    """
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
        elif table.schema.field(field.name).type != field.type:
            raise Invalid(
                f"The contract gives {field.name} another type than the dataset's current version has, so rows cannot "
                "be added to it. Send the whole dataset once (mode full)."
            )
        else:
            columns.append(table[field.name])
    return pa.Table.from_arrays(columns, schema=schema)


class RowNumbers:
    """Every row that was sent has a number of its own: from 1 to the rows sent, or, in a replay, one that is open."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Numbers]] = {}
        self._last: dict[str, int] = {}

    def add(self, role: str, table: pa.Table) -> None:
        """Take the numbers of a batch.

        Raises:
            Invalid: when they do not rise within the file, batch after batch.
        """
        column = table[ROW_NUMBER]
        if column.null_count:
            raise Invalid(f"The file {role} has rows without a number.")
        numbers = column.to_numpy()
        if len(numbers) == 0:
            return
        last = self._last.get(role, 0)
        if numbers[0] <= last or (np.diff(numbers) <= 0).any():
            raise Invalid(f"The row numbers of the file {role} do not rise from 1 on.")
        self._last[role] = int(numbers[-1])
        self._parts.setdefault(role, []).append(numbers.astype(np.int64))

    def of(self, role: str) -> Numbers:
        """The numbers of a file."""
        return np.concatenate(self._parts.get(role) or [np.zeros(0, dtype=np.int64)])

    def check(self, sent: int, still_open: Numbers | None) -> None:
        """Whether both files together hold each row once.

        Raises:
            Invalid: when they do not, or a replay names rows that are not open.
        """
        numbers = np.sort(np.concatenate([self.of("rows"), self.of("refused")]))
        if still_open is None:
            if not np.array_equal(numbers, np.arange(1, sent + 1)):
                raise Invalid(f"The row numbers are not 1 to {sent:,}, each once.")
            return
        if (np.diff(numbers) == 0).any():
            raise Invalid("A row number stands among the accepted and among the refused rows.")
        strange = numbers[~np.isin(numbers, still_open, assume_unique=True)]
        if len(strange):
            listed = ", ".join(str(number) for number in strange[:5])
            more = f" and {len(strange) - 5:,} more" if len(strange) > 5 else ""
            raise Invalid(
                f"A replay may only hold rows that are still open; these are not: {listed}{more}. "
                "hub-connector errors DELIVERY lists those that are."
            )


@contextmanager
def _opened(file: ReadFile, client: KeyTable, name: str) -> Iterator[pq.ParquetFile]:
    # Not closed by hand: Arrow may point into the mapping for as long as a table lives.
    memory = mmap.mmap(file.fd, 0, access=mmap.ACCESS_READ)
    check_footer(memoryview(memory), name)
    stream = pa.BufferReader(pa.py_buffer(memory))
    with open_parquet(client, stream, file.material.encode(), name) as parquet:
        yield parquet


def _check_schema(parquet: pq.ParquetFile, schema: pa.Schema, role: str) -> None:
    found = parquet.schema_arrow
    if found.names != schema.names:
        extra, missing = set(found.names) - set(schema.names), set(schema.names) - set(found.names)
        raise Invalid(
            f"The file {role} has other columns than its contract (missing: {', '.join(sorted(missing)) or 'none'}; "
            f"unknown: {len(extra)}; or another order)."
        )
    wrong = [field.name for field in schema if found.field(field.name).type != field.type]
    if wrong:
        raise Invalid(f"The file {role} has other types than its contract: {', '.join(wrong)}.")


def without(table: pa.Table, bad: Numbers) -> pa.Table:
    """The rows whose numbers are not among `bad`."""
    if not len(bad):
        return table
    return table.filter(pc.invert(pc.is_in(table[ROW_NUMBER], pa.array(bad))))


def coverage(period: Period, table: pa.Table, contract: Contract) -> Period:
    """The period widened by a batch: the range of the contract's coverage column, as days."""
    column = contract.coverage_column
    if column is None or table.num_rows == 0 or column not in table.column_names:
        return period
    ends = pc.min_max(table[column]).as_py()
    if ends["min"] is None:
        return period
    low, high = str(ends["min"])[:10], str(ends["max"])[:10]
    return min(period[0] or low, low), max(period[1] or high, high)
