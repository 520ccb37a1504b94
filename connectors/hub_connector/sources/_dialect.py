"""The dialect of delimited text: what separates cells, how they are quoted, where the header stands."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import SourceError
from .base import Recognise

__all__ = ["FIELD_LIMIT", "Dialect", "Head", "find_head"]

#: Characters in one cell beyond which a quotation mark was surely never closed.
FIELD_LIMIT: Final = 4 * 1024 * 1024
_DELIMITERS: Final = (",", ";", "\t", "|")
_HEADER_WITHIN: Final = 20
_LOOK_AT: Final = 200
NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space", ":": "colon"}


@dataclass(frozen=True)
class Dialect:
    """How cells are told apart. `quote` None: quotation marks stand for themselves."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    skip_space: bool = False

    @property
    def plain(self) -> bool:
        """Whether RFC 4180 describes it, but for the choice of delimiter and quotation mark."""
        return self.escape is None and not self.skip_space

    @property
    def note(self) -> str:
        """How the file was understood."""
        words = [f"{NAMES.get(self.delimiter, repr(self.delimiter))} between cells"]
        if self.quote is None:
            words.append("quotation marks mean nothing")
        elif self.quote != '"':
            words.append(f"quoted with {self.quote}")
        if self.skip_space:
            words.append("blanks after it dropped")
        return ", ".join(words)

    def reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """A `csv.reader` over lines that keep their ends."""
        csv.field_size_limit(FIELD_LIMIT)
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            quoting=csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL,
            escapechar=self.escape,
            skipinitialspace=self.skip_space,
            strict=False,
        )


@dataclass(frozen=True)
class Head:
    """The header as it stands; `offset` is the UTF-8 byte at which the data begins; `line` where the header is."""

    columns: tuple[str, ...]
    offset: int
    line: int


def find_head(
    sample: bytes,
    given: Dialect | None,
    quote: str | None,
    header_row: int | None,
    recognise: Recognise | None,
    name: str,
) -> tuple[Dialect, Head]:
    """The dialect and the header of a file from its first bytes (UTF-8, cut anywhere).

    Args:
        sample: where to look; longer is surer, 256 KiB is ample.
        given: the dialect someone asked for, or None to find it among comma, semicolon, tab and bar.
        quote: quotation mark to try the delimiters with.
        header_row: the record the header is, counted from 1 without blank lines; None to find it.
        recognise: how many columns of the contract a row names.
        name: of the file, for messages.

    Raises:
        SourceError: when there is no header.
    """
    text = sample.decode(errors="replace")
    start = 0
    if given is None and text[:4].lower() == "sep=" and _is_separator(text.splitlines()[0][4:], quote):
        # Excel writes this line for itself; it is no data.
        given = Dialect(text[4], quote)
        start = text.index("\n") + 1 if "\n" in text else len(text)
    candidates = [given] if given else [Dialect(delimiter, quote) for delimiter in _DELIMITERS]
    best: tuple[tuple[float, ...], Dialect, Head] | None = None
    for candidate in candidates:
        dialect = _with_space(candidate, text, given is not None)
        records = _records(text, start, dialect)
        if not records:
            continue
        index = _header_index(records, header_row, recognise, name)
        score = _score(records, index, recognise)
        if best is None or score > best[0]:
            end, line, cells = records[index]
            best = (score, dialect, Head(tuple(cells), end, line))
    if best is None:
        raise SourceError(
            f"{name} is empty: it has no header and no rows.", "Export it again with its column names."
        )
    return best[1], best[2]


def _is_separator(sign: str, quote: str | None) -> bool:
    """Whether a sign can stand between cells."""
    return len(sign) == 1 and sign.isascii() and not sign.isalnum() and sign not in "\r\n\0" and sign != quote


def _with_space(dialect: Dialect, text: str, given: bool) -> Dialect:
    """Some exports put a blank before each cell; a quotation mark after it shows that it means nothing."""
    if given or dialect.quote is None:
        return dialect
    spaced = text.count(f"{dialect.delimiter} {dialect.quote}")
    return (
        replace(dialect, skip_space=True)
        if spaced > text.count(dialect.delimiter + dialect.quote)
        else dialect
    )


def _records(text: str, start: int, dialect: Dialect) -> list[tuple[int, int, list[str]]]:
    """(byte after the record, line it begins on, cells) of the first records that are not blank."""
    consumed, lines = len(text[:start].encode()), text.count("\n", 0, start)
    found: list[tuple[int, int, list[str]]] = []

    def feed() -> Iterator[str]:
        nonlocal consumed, lines
        for line in io.StringIO(text[start:], newline=""):
            consumed += len(line.encode())
            lines += 1
            yield line

    before = lines
    try:
        for cells in dialect.reader(feed()):
            if cells:
                found.append((consumed, before + 1, cells))
                if len(found) == _LOOK_AT:
                    break
            before = lines
    except csv.Error:
        return found
    return found


def _header_index(
    records: Sequence[tuple[int, int, list[str]]],
    header_row: int | None,
    recognise: Recognise | None,
    name: str,
) -> int:
    if header_row is not None:
        if header_row > len(records):
            raise SourceError(f"{name} has no row {header_row} to be its header.", "Look at --header-row.")
        return header_row - 1
    first = records[:_HEADER_WITHIN]
    if recognise is not None:
        known = [recognise(cells) for _, _, cells in first]
        if max(known):
            return known.index(max(known))
    width = _usual_width(records)
    filled = [
        sum(bool(cell.strip()) for cell in cells) if len(cells) == width else 0 for _, _, cells in first
    ]
    # Titles above a table fill one or two cells of a row; the header is the first row that is mostly filled.
    return next((index for index, count in enumerate(filled) if count and count >= max(filled) / 2), 0)


def _usual_width(records: Sequence[tuple[int, int, list[str]]]) -> int:
    return Counter(len(cells) for _, _, cells in records).most_common(1)[0][0]


def _score(
    records: Sequence[tuple[int, int, list[str]]], index: int, recognise: Recognise | None
) -> tuple[float, ...]:
    """What speaks for a dialect: columns of the contract, then rows of one width, then the number of cells."""
    header = records[index][2]
    known = float(recognise(header)) if recognise is not None else 0.0
    width = len(header)
    same = sum(len(cells) == width for _, _, cells in records[index:]) / len(records[index:])
    return (known, float(width > 1), round(same, 1), width)
