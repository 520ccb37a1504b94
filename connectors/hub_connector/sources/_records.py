"""Delimited text to batches of text columns, with memory bounded by the size of a chunk.

Text is cut into chunks at the ends of records. A chunk that keeps RFC 4180 goes through Arrow's reader, which is
strict about the number of cells; a chunk with rows of another width goes through Python's `csv` record by record;
and where quotation marks stand in the middle of cells, so that ends of records can only be found by reading on,
`csv` reads the rest of the file. All three ways give the same cells.
"""

from __future__ import annotations

import csv
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from ..errors import SourceError
from ._dialect import FIELD_LIMIT, Dialect
from .base import Batch, Spoilt

__all__ = ["CHUNK", "read_records"]

#: Bytes of text in one batch.
CHUNK: Final = 8 * 1024 * 1024
_SLOW_ROWS: Final = 50_000
_REPLACEMENT: Final = "\ufffd"
#: Stands after the last line; no text holds it by chance.
# No NUL in it: csv drops those inside quotation marks before Python 3.11.4. Random, so that no file can hold it.
_END: Final = f"end of source {secrets.token_hex(16)}"


def read_records(
    blocks: Iterable[bytes],
    dialect: Dialect,
    columns: Sequence[str],
    name: str,
    *,
    damaged: bool,
    chunk: int = CHUNK,
) -> Iterator[Batch]:
    """Batches of the records in `blocks` (UTF-8 after the header, cut anywhere).

    Args:
        blocks: the text.
        dialect: how it is to be read.
        name: of the file, for messages.
        columns: the header; every row must have as many cells.
        damaged: whether U+FFFD marks bytes that could not be read, which puts its row at fault.
        chunk: bytes of text to a batch.

    Raises:
        SourceError: when the rest of the file cannot be cut into records at all.
    """
    reader = _Reader(dialect, tuple(columns), name, damaged, chunk)
    pending, enough = bytearray(), chunk
    source = iter(blocks)
    for block in source:
        pending += block
        if len(pending) < enough:
            continue
        cut = reader.boundary(pending)
        if cut == 0:
            if enough == chunk:
                enough += FIELD_LIMIT
                continue
            yield from reader.slowly(chain([bytes(pending)], source))
            return
        ready, pending, enough = bytes(pending[:cut]), pending[cut:], chunk
        if not reader.well_quoted(ready):
            yield from reader.slowly(chain([ready, bytes(pending)], source))
            return
        yield from reader.chunk(ready)
    if pending:
        rest = bytes(pending)
        yield from reader.chunk(rest) if reader.well_quoted(rest) else reader.slowly([rest])


class _Reader:
    """One file's way of reading; counts the data rows."""

    def __init__(
        self, dialect: Dialect, columns: tuple[str, ...], name: str, damaged: bool, size: int
    ) -> None:
        self.dialect, self.columns, self.name, self.damaged, self.size = dialect, columns, name, damaged, size
        self.row = 0
        self._quote = dialect.quote.encode() if dialect.quote else None
        self._well_quoted = _quoting(dialect)

    def boundary(self, text: bytearray) -> int:
        """Byte after the last end of a record that can be seen, 0 when there is none."""
        end = text.rfind(b"\n") + 1
        if end == 0 and b"\n" not in text:
            # Lines that end with a carriage return alone; the very last byte may be half of a CR LF.
            end = text.rfind(b"\r", 0, len(text) - 1) + 1
        if self._quote is None:
            return end
        inside = text.count(self._quote, 0, end) % 2
        while end and inside:
            # All line ends after the last quotation mark are inside as well: go on before it.
            before = text.rfind(b"\n", 0, text.rfind(self._quote, 0, end)) + 1
            inside ^= text.count(self._quote, before, end) % 2
            end = before
        return end

    def well_quoted(self, text: bytes) -> bool:
        """Whether quotation marks stand only around whole cells, doubled within; then parity finds records."""
        if not self.dialect.plain:
            return False
        if self._quote is None or self._quote not in text:
            return True
        return self._well_quoted.fullmatch(text) is not None

    def chunk(self, text: bytes) -> Iterator[Batch]:
        """A chunk of whole records: by Arrow where every row fits the header, else by `csv`."""
        if not text.startswith(b"\xef\xbb\xbf"):  # Arrow would take these three for a mark and drop them
            try:
                table = self._arrow(text)
            except pa.ArrowInvalid:
                pass
            else:
                if table.num_rows:
                    yield self._checked(table)
                return
        yield from self._batches(self.dialect.reader(_lines([text], self.name)))

    def slowly(self, blocks: Iterable[bytes]) -> Iterator[Batch]:
        """Everything from here on, record by record."""
        lines = chain(_lines(blocks, self.name), ["\n", _END])
        yield from self._batches(_before_end(self.dialect.reader(lines), self))

    def _arrow(self, text: bytes) -> pa.Table:
        quoted = self._quote is not None and self._quote in text
        return arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(
                column_names=[str(index) for index in range(len(self.columns))],
                block_size=max(1 << 16, len(text) if quoted else len(text) // 4),
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.dialect.delimiter,
                quote_char=self.dialect.quote or False,
                newlines_in_values=quoted,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={str(index): pa.string() for index in range(len(self.columns))},
                strings_can_be_null=False,
            ),
        ).rename_columns(list(self.columns))

    def _checked(self, table: pa.Table) -> Batch:
        first = self.row + 1
        self.row += table.num_rows
        if self.damaged:
            marks = [pc.match_substring(column, _REPLACEMENT) for column in table.columns]
            bad = marks[0]
            for mark in marks[1:]:
                bad = pc.or_(bad, mark)
            if pc.any(bad).as_py():
                return self._without(table, bad.to_pylist(), first)
        return Batch(table, first)

    def _without(self, table: pa.Table, bad: list[bool], first: int) -> Batch:
        """The batch with the rows that hold unreadable bytes set apart."""
        spoilt = tuple(
            self._unreadable(
                first + index, tuple(str(cell) for cell in table.slice(index, 1).to_pylist()[0].values())
            )
            for index, is_bad in enumerate(bad)
            if is_bad
        )
        mask, nothing = pa.array(bad), pa.scalar(None, pa.string())
        blanked = [pc.if_else(mask, nothing, column) for column in table.columns]
        return Batch(pa.table(blanked, names=table.column_names), first, spoilt)

    def _batches(self, records: Iterator[list[str]]) -> Iterator[Batch]:
        blank = [None] * len(self.columns)
        # One guard for all batches: leaving a loop closes its generator, and with it the rest of the rows.
        guarded = _guarded(records, self)
        more = True
        while more:
            rows: list[Sequence[str | None]] = []
            spoilt: list[Spoilt] = []
            first, size, more = self.row + 1, 0, False
            while (cells := next(guarded, None)) is not None:
                if not cells:
                    continue
                self.row += 1
                problem = self._problem(cells)
                rows.append(cells if problem is None else blank)
                if problem is not None:
                    spoilt.append(problem)
                size += sum(map(len, cells))
                if len(rows) >= _SLOW_ROWS or size >= self.size:
                    more = True
                    break
            if rows:
                arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
                yield Batch(pa.table(arrays, names=list(self.columns)), first, tuple(spoilt))

    def _problem(self, cells: list[str]) -> Spoilt | None:
        wanted, found = len(self.columns), len(cells)
        if found != wanted:
            rule = "missing-cell" if found < wanted else "extra-cell"
            message = (
                f"the row has {found} cells and the header {wanted}; is a separator missing or not quoted?"
            )
            return Spoilt(self.row, tuple(cells), rule, message)
        if self.damaged and any(_REPLACEMENT in cell for cell in cells):
            return self._unreadable(self.row, tuple(cells))
        return None

    def _unreadable(self, row: int, cells: tuple[str, ...]) -> Spoilt:
        return Spoilt(
            row, cells, "encoding-error", "the row has bytes that are not UTF-8; save the file as UTF-8"
        )


def _quoting(dialect: Dialect) -> re.Pattern[bytes]:
    """Text in which every opening mark follows a delimiter, line end or mark, and every closing one precedes one."""
    quote = re.escape((dialect.quote or '"').encode())
    edge = b"[" + re.escape(dialect.delimiter.encode()) + b"\r\n" + quote + b"]"
    plain, opening, closing = b"[^%b]*+" % quote, rb"(?:(?<=%b)|\A)" % edge, rb"(?=%b|\Z)" % edge
    cell = quote + plain + quote
    return re.compile(b"(?:" + plain + opening + cell + closing + b")*+" + plain)


def _before_end(records: Iterator[list[str]], reader: _Reader) -> Iterator[list[str]]:
    """The records before the end mark.

    `csv` takes what follows an open quotation mark for one last cell, in silence; then the mark does not come out
    as a record of its own.
    """
    ended = False
    for cells in records:
        ended = cells == [_END]
        if not ended:
            if cells and cells[-1].endswith(_END):
                raise _unending(reader.name, reader.row)
            yield cells
    if not ended:
        raise _unending(reader.name, reader.row)


def _guarded(records: Iterator[list[str]], reader: _Reader) -> Iterator[list[str]]:
    try:
        yield from records
    except csv.Error as error:
        if "field larger" in str(error):
            raise _unending(reader.name, reader.row) from None
        raise SourceError(
            f"{reader.name} cannot be read as CSV after data row {reader.row:,} ({error}).",
            "Export it again as CSV (UTF-8).",
        ) from None


def _unending(name: str, row: int) -> SourceError:
    return SourceError(
        f"{name} has a quotation mark in data row {row + 1:,} that is never closed, so its rows cannot be told apart.",
        "Close or double it, or say --quote none if quotation marks mean nothing in this file.",
    )


def _not_utf8(name: str) -> SourceError:
    return SourceError(f"{name} is not UTF-8 throughout.", "Say which encoding it is with --encoding.")


def _lines(blocks: Iterable[bytes], name: str) -> Iterator[str]:
    """Lines with their ends (LF, CR LF or CR), as text."""
    tail = b""
    for block in blocks:
        lines = (tail + block).splitlines(keepends=True)
        # The last line may go on in the next block, and a CR at its end may be half of a CR LF.
        tail = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if len(tail) > 4 * FIELD_LIMIT:
            raise SourceError(f"{name} has a line of more than {4 * FIELD_LIMIT:,} bytes: this is no CSV.")
        yield from _decoded(lines, name)
    yield from _decoded([tail] if tail else [], name)


def _decoded(lines: Sequence[bytes], name: str) -> Iterator[str]:
    try:
        for line in lines:
            yield line.decode()
    except UnicodeDecodeError:
        raise _not_utf8(name) from None
