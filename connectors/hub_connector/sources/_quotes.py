"""Where records end, and quotation marks put right.

Between quotation marks that stand as RFC 4180 has them, counting is enough to find the ends of records, and Arrow
reads what `csv` reads. A mark in the middle of a cell (24" wide) upsets both, so a record that holds one is read by
`csv` and written again with all its cells in quotation marks; the others stay as they are.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import numpy as np

from ._dialect import Dialect

__all__ = ["END", "Quotes"]

#: Stands after the last line; no text holds it by chance.
# No NUL in it: csv drops those inside quotation marks before Python 3.11.4. Random, so that no file can hold it.
END: Final = f"end of source {secrets.token_hex(16)}"
_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")

Places = np.ndarray[Any, np.dtype[np.int64]]


class Quotes:
    """One dialect's quotation marks."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._quote = dialect.quote.encode() if dialect.quote else None
        self._edges = np.zeros(256, dtype=np.bool_)
        self._edges[list(f"{dialect.delimiter}\r\n{dialect.quote or ''}".encode())] = True

    def whole_records(self, text: bytes, *, last: bool) -> tuple[bytes, int]:
        """(the whole records at the start of `text`, with quotation marks only as RFC 4180 has them, their length).

        The length is that in `text`; what follows is the beginning of another record. last: nothing comes after
        `text`, so that its end is the end of a record, unless a quotation mark is open.

        Raises:
            UnicodeDecodeError, csv.Error: when a record with marks in odd places cannot be read.
        """
        if self._quote is None or self._quote not in text:
            end = len(text) if last else _line_end_before(text, 0, len(text))
            return _part(text, 0, end), end
        marks = _Marks(text, self._quote, self._edges)
        pieces, start = [], 0
        while (odd := marks.first_odd(start, last=last)) is not None:
            record = marks.record_start(start, odd)
            pieces.append(_part(text, start, record))
            cells, after = self._record(text, record)
            if cells is None or (after == len(text) and not last and not text.endswith((b"\n", b"\r"))):
                return b"".join(pieces), record
            pieces.append(self._written(cells))
            start = after
        end = len(text) if last else marks.last_record_end(start)
        pieces.append(_part(text, start, end))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), end

    def _record(self, text: bytes, start: int) -> tuple[list[str] | None, int]:
        """(cells of the record at `start`, where it ends); None for the cells when it does not end in `text`."""
        after = start

        def lines() -> Iterator[str]:
            nonlocal after
            while after < len(text):
                line = _LINE.match(text, after)
                after = line.end() if line else len(text)
                yield text[line.start() : after].decode() if line else ""
            yield END

        cells = next(self._dialect.reader(lines()))
        return (None if cells and cells[-1].endswith(END) else cells), after

    def _written(self, cells: list[str]) -> bytes:
        quote = self._dialect.quote or ""
        quoted = (quote + cell.replace(quote, quote * 2) + quote for cell in cells)
        return self._dialect.delimiter.join(quoted).encode() + b"\n"


class _Marks:
    """The quotation marks of one text: from any start of a record on, they open and close in turn."""

    def __init__(self, text: bytes, quote: bytes, edges: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        self.text, self.signs = text, np.frombuffer(text, dtype=np.uint8)
        self.places: Places = np.flatnonzero(self.signs == quote[0])
        # Beyond both ends of the text a cell may begin and end.
        opens = edges.take(self.signs.take(self.places - 1)) | (self.places == 0)
        after = np.minimum(self.places + 1, len(text) - 1)
        closes = edges.take(self.signs.take(after)) | (self.places == len(text) - 1)
        even = np.arange(len(self.places)) % 2 == 0
        # Marks in odd places, for a record that begins before a mark of even number, and of uneven number.
        self._odd = [np.flatnonzero(~np.where(opening, opens, closes)) for opening in (even, ~even)]

    @cached_property
    def line_ends(self) -> Places:
        """Where lines end: after each of these."""
        return np.flatnonzero((self.signs == ord("\n")) | (self.signs == ord("\r")))

    def before(self, place: int) -> int:
        """How many marks stand before a place."""
        return int(np.searchsorted(self.places, place))

    def first_odd(self, start: int, *, last: bool) -> int | None:
        """The number of the first mark in an odd place in the records from `start` on.

        At the end of everything (`last`) a mark that is left open is in an odd place as well.
        """
        first = self.before(start)
        odd = self._odd[first % 2]
        at = int(np.searchsorted(odd, first))
        if at < len(odd):
            return int(odd[at])
        return len(self.places) - 1 if last and (len(self.places) - first) % 2 else None

    def record_start(self, start: int, odd: int) -> int:
        """Where the record with the mark of that number begins, the first in an odd place from `start` on."""
        first = self.before(start)
        place = int(self.places[odd - (odd - first) % 2])
        while (at := int(np.searchsorted(self.line_ends, place))) > 0:
            end = int(self.line_ends[at - 1]) + 1
            if end <= start:
                break
            inside = self.before(end) - first
            if inside % 2 == 0:
                return end
            place = int(self.places[first + inside - 1])
        return start

    def last_record_end(self, start: int) -> int:
        """Where the last whole record ends, when all marks from `start` on are in their places."""
        first, place = self.before(start), len(self.text)
        while (end := _line_end_before(self.text, start, place)) > start:
            inside = self.before(end) - first
            if inside % 2 == 0:
                return end
            place = int(self.places[first + inside - 1])
        return start


def _line_end_before(text: bytes, start: int, end: int) -> int:
    """After the last line end within those bounds, `start` when there is none.

    A carriage return as the very last byte may be half of a CR LF, so it does not count.
    """
    found = max(text.rfind(b"\n", start, end), text.rfind(b"\r", start, min(end, len(text) - 1)))
    return found + 1 if found >= 0 else start


def _part(text: bytes, start: int, end: int) -> bytes:
    return text if start == 0 and end == len(text) else text[start:end]
