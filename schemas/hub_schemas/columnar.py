"""The fast path: a contract against whole columns.

Each column is read and checked by itself (`columns.py`), columns in parallel; then the rules across columns
and the keys; rows with any fault go to `refused` whole, as they were sent. The verdicts are those of the
marshmallow schema (`record.py`), cell by cell; a property test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa

from hub_schemas.arrow import accepted_schema, refused_schema
from hub_schemas.bytegrid import Mask
from hub_schemas.cell_texts import BatchError, Cells, Repetition, check_sound, texts_of
from hub_schemas.checked_column import Checked, check_text_column, check_typed_column
from hub_schemas.contract import Contract
from hub_schemas.delivery import ROW_NUMBER
from hub_schemas.fault_frame import FaultFrame
from hub_schemas.measures import Measures
from hub_schemas.model import Column, RowRule
from hub_schemas.outcome import Outcome
from hub_schemas.row_rules import broken_rules
from hub_schemas.texts import as_text
from hub_schemas.uniqueness import SeenKeys

__all__ = ["BatchError", "Checker", "Outcome", "Prepared"]


Columns = Mapping[str, Cells | pl.Series]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch whose columns are checked: the half of the work that needs no other batch.

    typed: the batch itself where its values are typed already; refuse_all: whether a column that every row needs is
    not there at all.
    """

    rows: pl.Series
    sent: Columns
    checked: dict[str, Checked]
    typed: pa.Table | None
    refuse_all: bool


class Checker:
    """Checks the batches of one dataset, in order; remembers what uniqueness and dataset checks need.

    references: for columns that refer to another dataset, its values by "dataset.column"; a reference that
    is not given is not checked. now: the moment freshness is measured from (aware; the clock when None).
    """

    def __init__(
        self,
        contract: Contract,
        *,
        references: Mapping[str, Iterable[object]] | None = None,
        now: datetime | None = None,
    ) -> None:
        self.contract = contract
        self.blocking = False
        """After `finish`: whether a fault of the dataset as a whole says not to accept any of it."""
        self._references = _reference_values(contract, references or {})
        self._keys = [(rule, names, SeenKeys()) for rule, names in _keys(contract)]
        self._measures = Measures(contract, now or datetime.now(UTC))
        self._repetition = {column.name: Repetition() for column in contract.columns}
        # Its threads begin when they are needed and end with the checker.
        self._pool = ThreadPoolExecutor(min(len(contract.columns), os.cpu_count() or 1, 8), "checking")
        self._missing: list[Column] | None = None
        self._unexpected: tuple[str, ...] = ()

    def check_text(
        self, batch: pl.DataFrame | pa.Table, first_row: int = 1, *, sound: bool = False
    ) -> Outcome:
        """Check rows as they were sent.

        batch: all columns String (null or empty is missing), named by the headers of the source; columns in
        any order. first_row: the number of the batch's first data row in the source, counted from 1. sound: whether
        an Arrow table was made by something that looks at its text (Arrow's reader of CSV does, that of Parquet
        does not); others are looked through first.

        Raises:
            BatchError: when a column is not text, or rows are not counted from 1.
        """
        return self.conclude(self.prepare_text(batch, first_row, sound=sound))

    def prepare_text(
        self, batch: pl.DataFrame | pa.Table, first_row: int = 1, *, sound: bool = False
    ) -> Prepared:
        """The first half of `check_text`: what can be said of each column by itself.

        Another thread may prepare a batch while the one before is being concluded; both in the order of the batches.
        """
        if first_row < 1:
            raise BatchError("rows are counted from 1")
        sent = self._by_column(texts_of(batch, sound=sound), batch.shape[0])
        rows = pl.Series(ROW_NUMBER, np.arange(first_row, first_row + batch.shape[0], dtype=np.int64))
        absent = {column.name for column in self._missing or [] if column.required}

        def check(column: Column) -> Checked:
            return check_text_column(
                column,
                sent[column.name],
                repetition=self._repetition[column.name],
                references=self._references.get(column.name),
                demand=column.name not in absent,
            )

        return Prepared(rows, sent, self._checked(check), None, bool(absent))

    def check_typed(self, batch: pa.Table) -> Outcome:
        """Check again what a checker accepted elsewhere.

        batch: row_number, then the columns, typed and normalised (`accepted_schema`).

        Raises:
            BatchError: when the columns or their types are not those of `accepted_schema`, or the row numbers do
                not rise from 1 on.
        """
        return self.conclude(self.prepare_typed(batch))

    def prepare_typed(self, batch: pa.Table) -> Prepared:
        """The first half of `check_typed`, as `prepare_text` is of `check_text`."""
        expected = accepted_schema(self.contract.columns)
        if [(field.name, field.type) for field in batch.schema] != [
            (field.name, field.type) for field in expected
        ]:
            raise BatchError(f"the columns are not those of {self.contract.id} {self.contract.version}")
        check_sound(batch)
        rows = pl.Series(ROW_NUMBER, batch[ROW_NUMBER]).rechunk()
        _check_numbers(rows)
        self._missing = []
        values: dict[str, Cells | pl.Series] = {
            column.name: Cells(batch[column.name])
            if column.type == "string"
            else pl.Series(batch[column.name]).rechunk()
            for column in self.contract.columns
        }

        def check(column: Column) -> Checked:
            return check_typed_column(
                column,
                values[column.name],
                repetition=self._repetition[column.name],
                references=self._references.get(column.name),
            )

        return Prepared(rows, values, self._checked(check), batch, False)

    def remember(self, batch: pa.Table) -> None:
        """Take the keys of rows that the dataset has already: a row that repeats one of them is at fault.

        batch: at least the columns of the contract's keys, typed as accepted rows are; before the first check.
        """
        keys = batch.select([name for name in self.key_columns if name in batch.column_names])
        check_sound(keys)
        frame = pl.DataFrame({name: pl.Series(keys[name]) for name in keys.column_names})
        for _, names, seen in self._keys:
            whole = frame.select(names).drop_nulls().rechunk()
            seen.repeats([whole[name] for name in names], np.full(whole.height, -1, dtype=np.int64))

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Every column that must be different from row to row, alone or with others."""
        return tuple(dict.fromkeys(name for _, names, _ in self._keys for name in names))

    def finish(self) -> pa.Table:
        """Faults of the dataset as a whole (FAULT_SCHEMA, row null), once every batch has been checked."""
        frame = FaultFrame()
        for column in self._missing or []:
            needed = column.required
            self.blocking |= needed
            frame.whole(column, "missing-label", _missing_label(column, needed=needed))
        for name in self._unexpected:
            self.blocking = True
            frame.whole(
                None, "extra-label", f"the source has a column {name!r:.60} that the contract does not know"
            )
        self.blocking |= self._measures.report(frame)
        return frame.table()

    def _by_column(self, texts: Mapping[str, Cells], height: int) -> dict[str, Cells]:
        """The texts of each column of the contract; a column that the source lacks is all missing."""
        if self._missing is None:
            known = {column.source_name for column in self.contract.columns}
            self._missing = [column for column in self.contract.columns if column.source_name not in texts]
            if self.contract.unexpected_columns == "fault":
                self._unexpected = tuple(name for name in texts if name not in known)
        nothing = Cells(pl.Series([None], dtype=pl.String).new_from_index(0, height))
        return {column.name: texts.get(column.source_name, nothing) for column in self.contract.columns}

    def _checked(self, check: Callable[[Column], Checked]) -> dict[str, Checked]:
        columns = self.contract.columns
        results = self._pool.map(check, columns)
        return {column.name: result for column, result in zip(columns, results, strict=True)}

    def conclude(self, batch: Prepared) -> Outcome:
        """The second half of a check: rules across columns, keys over all batches, and what becomes of each row."""
        rows, sent, checked = batch.rows, batch.sent, batch.checked
        faults = FaultFrame()
        bad = np.full(len(rows), batch.refuse_all)
        for column, rule, mask, row_rule in self._broken(checked):
            bad |= mask.to_numpy()
            faults.cells(column, rule, rows, sent[column.name], mask, row_rule)
        self._repeats(rows, sent, checked, bad, faults)
        self._measures.add(sent, checked, len(rows))
        return Outcome(
            partial(self._accepted, rows, checked, bad, batch.typed),
            self._refused(rows, sent, bad),
            faults.table(),
            accepted_rows=len(rows) - int(np.count_nonzero(bad)),
        )

    def _broken(self, checked: dict[str, Checked]) -> Iterator[tuple[Column, str, pl.Series, RowRule | None]]:
        """Every rule that any row breaks: the column to name, its code, the rows, the rule across columns."""
        for column in self.contract.columns:
            for rule, mask in checked[column.name].faults:
                yield column, rule, mask, None
        for row_rule, column, mask in broken_rules(self.contract, checked):
            yield column, "row-constraint", mask, row_rule

    def _repeats(
        self, rows: pl.Series, sent: Columns, checked: dict[str, Checked], bad: Mask, faults: FaultFrame
    ) -> None:
        """Mark rows that repeat a key of an earlier row which had no other fault; `bad` is added to."""
        good = ~bad
        for rule, names, seen in self._keys:
            values = [checked[name].value for name in names]
            eligible = good.copy()
            for value in values:
                if value.null_count():
                    eligible &= value.is_not_null().to_numpy()
            chosen = None if eligible.all() else pl.Series(eligible)
            numbers = _chosen(rows, chosen).to_numpy()
            earlier = seen.repeats([_chosen(value, chosen) for value in values], numbers)
            if earlier.any():
                first = np.zeros(len(rows), dtype=np.int64)
                first[eligible] = earlier
                bad |= first != 0
                faults.repeats(self.contract, rule, names, rows, sent, first)

    def _accepted(
        self, rows: pl.Series, checked: dict[str, Checked], bad: Mask, typed: pa.Table | None
    ) -> pa.Table:
        schema = accepted_schema(self.contract.columns)
        if typed is not None:  # values that hold are as they came
            return (typed.filter(pa.array(~bad)) if bad.any() else typed).cast(schema)
        good = pl.Series(~bad) if bad.any() else None

        def arrow(name: str) -> pa.Array:
            value = _chosen(rows if name == ROW_NUMBER else checked[name].value, good)
            return value.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema.field(name).type)

        return pa.Table.from_arrays(list(self._pool.map(arrow, schema.names)), schema=schema)

    def _refused(self, rows: pl.Series, sent: Columns, bad: Mask) -> pa.Table:
        schema = refused_schema(self.contract.columns)
        if not bad.any():
            return schema.empty_table()
        mask = pl.Series(bad)
        texts = [as_text(sent[column.name].filter(mask)) for column in self.contract.columns]
        arrays = [
            column.to_arrow(compat_level=pl.CompatLevel.oldest()) for column in (rows.filter(mask), *texts)
        ]
        return pa.Table.from_arrays(
            [array.cast(field.type) for array, field in zip(arrays, schema, strict=True)], schema=schema
        )


def _chosen(values: pl.Series, mask: pl.Series | None) -> pl.Series:
    """The values of the mask, all of them when there is none."""
    return values if mask is None else values.filter(mask)


def _check_numbers(rows: pl.Series) -> None:
    """Row numbers stand in reports and for rows seen before, so they must be there, above nought and rising."""
    if rows.null_count() or (len(rows) and (rows[0] < 1 or not (rows.diff().drop_nulls() > 0).all())):
        raise BatchError("the row numbers do not rise from 1 on")


def _keys(contract: Contract) -> list[tuple[str, tuple[str, ...]]]:
    found = [("primary-key", contract.primary_key)] if contract.primary_key else []
    found += [("unique", (column.name,)) for column in contract.columns if column.unique]
    return found + [("unique", names) for names in contract.unique_together]


def _missing_label(column: Column, *, needed: bool) -> str:
    header = f"the source has no column {column.source_name!r}"
    if needed:
        return f"{header} for {column.name}, which every row needs: all rows are refused"
    return f"{header} for {column.name}; its values were taken as missing"


def _reference_values(contract: Contract, given: Mapping[str, Iterable[object]]) -> dict[str, pl.Series]:
    found = {}
    for column in contract.columns:
        name = f"{column.references.dataset}.{column.references.column}" if column.references else ""
        if name in given:
            found[column.name] = pl.Series(list(given[name]))
    return found
