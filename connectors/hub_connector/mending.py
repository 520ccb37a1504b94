"""Mending rows at fault: out of the source into a small file, mended by hand, and back to the hub.

The hub keeps refused rows sealed and gives no values back. The department has them in its own source, so that is where
they are taken from; the file that is written is the department's own, in the clear, and readable by its owner alone.
"""

from __future__ import annotations

import bisect
import csv
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub_schemas.delivery import canonical_json

from .digests import Metered, feed_table, is_streamed, source_digest
from .errors import ConfigError, SourceError
from .headers import match_header, recogniser
from .sources.base import Batch, Reading, Spoilt

if TYPE_CHECKING:
    import pyarrow as pa

    from hub_schemas import Contract, Outcome

    from .checking import Summary
    from .keys import SigningKey
    from .sources import Recognise, Source
    from .sources.base import Update
    from .state import Record

__all__ = ["MODES_OF_REPLAYS", "Mended", "open_faults", "write_rows"]

#: Names of the first column, with the row's number in the delivery; the first that the source does not have itself.
NUMBER_NAMES: Final = ("row", "row in delivery", "row number in delivery")
#: Names of the last column, with what is wrong.
FAULT_NAMES: Final = ("faults", "faults of the row", "what is wrong with the row")
#: What mended rows do to the dataset, by the mode of the delivery they were in.
MODES_OF_REPLAYS: Final = {"full": "append", "append": "append", "upsert": "upsert", "delete": "delete"}
_BATCH: Final = 65_536
_NAMED_ROWS: Final = 5


def open_faults(faults: Iterable[Mapping[str, str | None]]) -> dict[int, str]:
    """What is wrong with each row that is still open, from the hub's list of faults."""
    found: dict[int, list[str]] = {}
    for fault in faults:
        if fault.get("row"):
            column, words = fault.get("column") or "", str(fault["message"])
            if not words.startswith(column):
                words = f"{column}: {words}"
            found.setdefault(int(str(fault["row"])), []).append(words)
    return {row: "; ".join(words) for row, words in sorted(found.items())}


# --- out of the source


def write_rows(
    path: Path, faults: Mapping[int, str], source: Source, contract: Contract, record: Record, key: SigningKey,
    *, force: bool = False,
) -> int:  # fmt: skip
    """Write the rows at fault as they stand in the source; returns how many.

    The file (CSV, UTF-8 with a byte order mark, mode 0600) has the row's number first, then the source's columns, and
    what is wrong last.

    Args:
        path: a new file.
        faults: what is wrong, by row number.
        source: that the delivery was made from.
        contract: of the dataset, to lay typed values out as it wants them.
        record: of the delivery.
        key: to tell whether the source is as it was.
        force: also when it is not.

    Raises:
        ConfigError: when the file is there already or cannot be written.
        SourceError: when the source cannot be read, or has changed since the delivery.
    """
    if path.exists():
        raise ConfigError(
            f"{path} is there already, perhaps with rows mended by hand.",
            "Choose another name, or move it away.",
        )
    if (
        not is_streamed(source)
        and not force
        and _digest(key, source, contract, record) != record.source_digest
    ):
        raise _changed(source, record)
    reader: Source | Metered = source
    if is_streamed(source):
        since = source.after(record.mark_from) if record.column and hasattr(source, "after") else source
        reader = Metered(since, key, record.contract_digest, record.mode, most=record.sent)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives 0600
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as stream:
            written = _write(csv.writer(stream, lineterminator="\n"), faults, reader, contract)
        if isinstance(reader, Metered) and not force and reader.digest != record.source_digest:
            raise _changed(source, record)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return written


def _digest(key: SigningKey, source: Source, contract: Contract, record: Record) -> str:
    return source_digest(key, source, contract, record.mode, record.contract_digest, record.replays)


def _changed(source: Source, record: Record) -> SourceError:
    return SourceError(
        f"{source.name} is not what it was when it was delivered as {record.id[:8]}: the row numbers may stand for "
        "other rows by now. Nothing was written.",
        "Give the file as it was then, or push what is there now. To write these row numbers all the same: --force.",
    )


def _write(writer: object, faults: Mapping[int, str], source: Source | Metered, contract: Contract) -> int:
    from .rendering import as_text

    reading = source.read(recogniser(contract))
    names = match_header(contract, reading.columns, source.name).names
    first, last = (_free(choice, reading.columns) for choice in (NUMBER_NAMES, FAULT_NAMES))
    put = writer.writerow  # type: ignore[attr-defined]
    put([first, *reading.columns, last])
    wanted, written = sorted(faults), 0
    for batch in reading.batches:
        end = batch.first_row + batch.table.num_rows
        numbers = wanted[bisect.bisect_left(wanted, batch.first_row) : bisect.bisect_left(wanted, end)]
        if not numbers:
            continue
        spoilt = {row.row: row.cells for row in batch.spoilt}
        table = as_text(batch.table.take([row - batch.first_row for row in numbers]), contract, names)
        for row, cells in zip(numbers, zip(*table.to_pydict().values(), strict=True), strict=True):
            put([row, *_laid(spoilt.get(row), cells), faults[row] + _surplus(spoilt.get(row), len(cells))])
        written += len(numbers)
    if written < len(wanted):
        raise SourceError(
            f"{source.name} has no row {wanted[written]}: it is not the source of this delivery.",
            "Check its place.",
        )
    return written


def _laid(spoilt: Sequence[str] | None, cells: Sequence[str | None]) -> list[str]:
    """A row's cells under the header; of one that does not fit it, as many as there are columns."""
    if spoilt is None:
        return ["" if cell is None else cell for cell in cells]
    return [*spoilt[: len(cells)], *[""] * (len(cells) - len(spoilt))]


def _surplus(spoilt: Sequence[str] | None, columns: int) -> str:
    return "; further cells: " + " | ".join(spoilt[columns:]) if spoilt and len(spoilt) > columns else ""


def _free(choice: Sequence[str], columns: Sequence[str]) -> str:
    taken = {column.strip().lower() for column in columns}
    return next((name for name in choice if name not in taken), choice[-1])


# --- and back


@dataclass(frozen=True)
class _Row:
    """A row that does not fit its file's header: its number in the delivery and what is wrong."""

    number: int
    spoilt: Spoilt


class Mended:
    """Mended rows of a delivery: a source whose rows keep the numbers they had there.

    Args:
        source: the file; its first column is the row's number in the delivery.
        delivery: id of the delivery.
        still_open: numbers of the rows that are open; others are left out.
        contract: to find the header by.

    Raises:
        ConfigError: when a row has no number, or a number stands twice.
        SourceError: when the file cannot be read.
    """

    streamed = False

    def __init__(self, source: Source, delivery: str, still_open: Iterable[int], contract: Contract) -> None:
        self.name, self.delivery = source.name, delivery
        reading = source.read(recogniser(contract))
        if not reading.columns or reading.columns[0].strip().lower() not in NUMBER_NAMES:
            raise ConfigError(
                f"The first column of {source.name} is not 'row', so nobody can tell which rows these are.",
                "Start from the file that `hub-connector errors DELIVERY --rows FILE.csv` writes.",
            )
        last = len(reading.columns) - (reading.columns[-1].strip().lower() in FAULT_NAMES)
        self._columns, self._notes = reading.columns[1:last], reading.notes
        names = (None, *match_header(contract, self._columns, source.name).names, None)
        tables, numbers, rows = self._gather(reading, last, contract, names)
        self._take(tables, numbers, rows, set(still_open))

    @property
    def rows(self) -> int:
        """How many rows there are to send, clean or not."""
        return len(self._numbers)

    def read(self, recognise: Recognise | None = None) -> Reading:
        """The rows in the order of their numbers, counted from 1 here; `numbered` gives them back."""
        return Reading(self._columns, self._notes, self._batches())

    def fingerprint(self, update: Update) -> None:
        """The rows and their numbers."""
        update(canonical_json([list(self._columns), self._numbers]) + b"\n")
        update(canonical_json([[row.number, list(row.spoilt.cells)] for row in self._spoilt.values()]))
        feed_table(self._table, update)

    def numbered(self, outcome: Outcome) -> Outcome:
        """The outcome under the row numbers of the delivery."""
        from hub_schemas import Outcome

        return Outcome(
            accepted=self._renumbered(outcome.accepted, "row_number"),
            refused=self._renumbered(outcome.refused, "row_number"),
            faults=self._reworded(self._renumbered(outcome.faults, "row")),
        )

    def number_summary(self, summary: Summary) -> None:
        """Put the delivery's row numbers into a summary of the check."""
        for line in summary.lines.values():
            line.rows = [self._numbers[row - 1] for row in line.rows]
            line.message = self._reword(line.message)

    def _gather(
        self, reading: Reading, last: int, contract: Contract, names: Sequence[str | None]
    ) -> tuple[list[pa.Table], list[int | None], list[_Row]]:
        """Rows that fit the header with the number of each, None for a blank line; and rows that do not fit."""
        from .rendering import as_text

        tables, numbers, rows = [], [], []
        for batch in reading.batches:
            table = as_text(batch.table, contract, names[: len(reading.columns)])
            spoilt = {row.row: row for row in batch.spoilt}
            tables.append(table.select(range(1, last)))
            blank = _blank(table)
            for index, cell in enumerate(table.column(0).to_pylist()):
                here = spoilt.get(batch.first_row + index)
                if here is not None:
                    cells = here.cells[1:]
                    number = self._number(here.cells[0] if here.cells else "", here.row)
                    rows.append(_Row(number, Spoilt(here.row, cells, here.rule, here.message)))
                numbers.append(None if here or blank[index] else self._number(cell, batch.first_row + index))
        return tables, numbers, rows

    def _number(self, cell: str | None, line: int) -> int:
        text = (cell or "").strip()
        if not re.fullmatch(r"[0-9]{1,15}(\.0+)?", text):
            raise ConfigError(
                f"Row {line} of {self.name} has no row number in its first column.",
                "Put the number there that the row had in the delivery, or take the row out.",
            )
        return int(text.partition(".")[0])

    def _take(
        self, tables: list[pa.Table], numbers: list[int | None], rows: list[_Row], still_open: set[int]
    ) -> None:
        """Keep the rows that are open, in the order of their numbers."""
        import pyarrow as pa

        given = [number for number in [*numbers, *(row.number for row in rows)] if number is not None]
        twice = [number for number, count in Counter(given).items() if count > 1]
        if twice:
            raise ConfigError(
                f"{self.name} has row {twice[0]} more than once.",
                "Leave one of them; each row is mended one time.",
            )
        self.closed = sorted(set(given) - still_open)
        places = {number: place for place, number in enumerate(numbers) if number in still_open}
        self._spoilt = {row.number: row for row in rows if row.number in still_open}
        self._numbers = sorted([*places, *self._spoilt])
        nothing = pa.schema([pa.field(name, pa.string()) for name in self._columns]).empty_table()
        # pyarrow cannot join tables of no columns or none at all
        whole = pa.concat_tables(tables) if tables else nothing
        self._table = whole.take(pa.array([places.get(number) for number in self._numbers], pa.int64()))

    def _batches(self) -> Iterator[Batch]:
        for start in range(0, len(self._numbers), _BATCH):
            part = self._numbers[start : start + _BATCH]
            spoilt = tuple(
                Spoilt(start + place, row.spoilt.cells, row.spoilt.rule, row.spoilt.message)
                for place, number in enumerate(part, 1)
                if (row := self._spoilt.get(number)) is not None
            )
            yield Batch(self._table.slice(start, _BATCH), start + 1, spoilt)

    def _renumbered(self, table: pa.Table, name: str) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        numbers = pa.array(self._numbers, pa.int64()).take(pc.subtract(table[name].combine_chunks(), 1))
        place = table.schema.get_field_index(name)
        return table.set_column(place, table.schema.field(name), numbers.cast(table.schema.field(name).type))

    def _reworded(self, faults: pa.Table) -> pa.Table:
        import pyarrow as pa

        messages = [self._reword(message) for message in faults["message"].to_pylist()]
        place = faults.schema.get_field_index("message")
        return faults.set_column(
            place, faults.schema.field(place), pa.array(messages, faults.schema.field(place).type)
        )

    def _reword(self, message: str) -> str:
        """A message that names another row of the file, under that row's number in the delivery."""

        def number(match: re.Match[str]) -> str:
            return f"row {self._numbers[int(match[1]) - 1]} has the same"

        return re.sub(r"row ([0-9]+) has the same", number, message)


def _blank(table: pa.Table) -> list[bool]:
    """Which rows are empty in every column, as spreadsheets leave them at the end."""
    columns = [column.to_pylist() for column in table.columns]
    return [not any((cell or "").strip() for cell in cells) for cells in zip(*columns, strict=True)]
