"""Delimited text to batches of text columns, with memory bounded by the size of a chunk.

Text is cut into chunks at the ends of records (`_quotes.py`). A chunk goes through Arrow's reader, which sets rows of
another width apart; a chunk that Arrow cannot read goes through Python's `csv`, and so does a dialect that RFC 4180
does not know. All ways give the same cells. A thread of its own reads ahead.
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from ..errors import SourceError
from ._ahead import ahead
from ._dialect import FIELD_LIMIT, Dialect
from ._encoding import is_utf8
from ._quotes import END, Quotes
from .base import Batch, Spoilt

__all__ = ["CHUNK", "read_records"]

#: Bytes of text in one batch.
CHUNK: Final = 12 * 1024 * 1024
_SLOW_ROWS: Final = 50_000
_REPLACEMENT: Final = "\ufffd"


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
    return ahead(_Reader(dialect, tuple(columns), name, damaged, chunk).batches(blocks))


class _Reader:
    """One file's way of reading; counts the data rows."""

    def __init__(
        self, dialect: Dialect, columns: tuple[str, ...], name: str, damaged: bool, size: int
    ) -> None:
        self.dialect, self.columns, self.name, self.damaged, self.size = dialect, columns, name, damaged, size
        self.row = 0

    def batches(self, blocks: Iterable[bytes]) -> Generator[Batch, None, None]:
        """All batches, in their order."""
        source = iter(blocks)
        if not self.dialect.plain:
            yield from self.slowly(source)
            return
        quotes, enough, last = Quotes(self.dialect), self.size, False
        pending: list[bytes] = []
        while not last:
            block = next(source, b"")
            last = not block
            pending.append(block)
            if not last and sum(map(len, pending)) < enough:
                continue
            text = b"".join(pending)
            try:
                ready, length = quotes.whole_records(text, last=last)
            except (UnicodeDecodeError, csv.Error):
                ready, length = b"", 0
            if length:
                yield from self.chunk(ready)
            elif not last and enough == self.size:
                enough += FIELD_LIMIT
                pending = [text]
                continue
            if length == 0 or (last and length < len(text)):
                # No end of a record in sight: read on one by one, to find it or to say in which row it should be.
                yield from self.slowly(chain([text[length:]], source))
                return
            pending, enough = [text[length:]], self.size

    def chunk(self, text: bytes) -> Iterator[Batch]:
        """A chunk of whole records: by Arrow if it can read it, else by `csv`."""
        # Arrow would take these three bytes for a mark and drop them.
        if not text.startswith(b"\xef\xbb\xbf") and is_utf8(text):
            try:
                table, others = self._arrow(text)
            except pa.ArrowInvalid:
                pass
            else:
                if table.num_rows or others:
                    yield self._checked(table, others, text)
                return
        yield from self._batches(self.dialect.reader(_lines([text], self.name)))

    def slowly(self, blocks: Iterable[bytes]) -> Iterator[Batch]:
        """Everything from here on, record by record."""
        lines = chain(_lines(blocks, self.name), ["\n", END])
        yield from self._batches(_before_end(self.dialect.reader(lines), self))

    def _arrow(self, text: bytes) -> tuple[pa.Table, list[tuple[int, str]]]:
        """(rows that fit the header, the others as the place each has in the chunk, from 1, and its text)."""
        others: list[tuple[int, str]] = []

        def other_width(row: arrow_csv.InvalidRow) -> str:
            others.append((row.number, row.text))
            return "skip"

        names = [str(index) for index in range(len(self.columns))]
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            # One block, so that rows are counted and columns come in one piece; batches go on side by side anyway.
            read_options=arrow_csv.ReadOptions(
                column_names=names, block_size=len(text) + 1, use_threads=False
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.dialect.delimiter,
                quote_char=self.dialect.quote or False,
                newlines_in_values=True,
                invalid_row_handler=other_width,
            ),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,  # it is
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
            ),
        )
        return table.rename_columns(list(self.columns)), others

    def _checked(self, table: pa.Table, others: list[tuple[int, str]], text: bytes) -> Batch:
        """The batch of a chunk: rows of another width in their places, and rows that could not be read set apart."""
        first, width = self.row + 1, table.num_rows + len(others)
        self.row += width
        bad = np.zeros(width, dtype=np.bool_)
        cells = self.dialect.reader(row for _, row in others)  # each a whole record
        spoilt = [
            self._width_problem(first + place - 1, found)
            for (place, _), found in zip(others, cells, strict=True)
        ]
        if others:
            bad[[place - 1 for place, _ in others]] = True
            table = table.take(pa.array(np.cumsum(~bad) - 1, mask=bad))
        if self.damaged and _REPLACEMENT.encode() in text:
            unreadable = np.zeros(width, dtype=np.bool_)
            for column in table.columns:
                found = pc.match_substring(column, _REPLACEMENT).fill_null(False)
                unreadable |= found.to_numpy()
            rows = table.filter(pa.array(unreadable)).to_pydict().values()
            numbers = (first + np.flatnonzero(unreadable)).tolist()
            spoilt += [
                self._unreadable(row, cells)
                for row, cells in zip(numbers, zip(*rows, strict=True), strict=True)
            ]
            nothing, mask = pa.scalar(None, pa.string()), pa.array(unreadable)
            if numbers:
                blanked = [pc.if_else(mask, nothing, column) for column in table.columns]
                table = pa.table(blanked, names=table.column_names)
        return Batch(table, first, tuple(sorted(spoilt, key=lambda entry: entry.row)), sound=True)

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
        if len(cells) != len(self.columns):
            return self._width_problem(self.row, cells)
        if self.damaged and any(_REPLACEMENT in cell for cell in cells):
            return self._unreadable(self.row, tuple(cells))
        return None

    def _width_problem(self, row: int, cells: list[str]) -> Spoilt:
        rule, message = _width_words(len(cells), len(self.columns))
        return Spoilt(row, tuple(cells), rule, message)

    def _unreadable(self, row: int, cells: tuple[str, ...]) -> Spoilt:
        return Spoilt(
            row, cells, "encoding-error", "the row has bytes that are not UTF-8; save the file as UTF-8"
        )


@lru_cache
def _width_words(found: int, wanted: int) -> tuple[str, str]:
    """The rule broken by a row of `found` cells where the header has `wanted`, and what is wrong."""
    rule = "missing-cell" if found < wanted else "extra-cell"
    return rule, f"the row has {found} cells and the header {wanted}; is a separator missing or not quoted?"


def _before_end(records: Iterator[list[str]], reader: _Reader) -> Iterator[list[str]]:
    """The records before the end mark.

    `csv` takes what follows an open quotation mark for one last cell, in silence; then the mark does not come out
    as a record of its own.
    """
    ended = False
    for cells in records:
        ended = cells == [END]
        if not ended:
            if cells and cells[-1].endswith(END):
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
