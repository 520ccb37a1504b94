"""Excel (.xlsx, .xlsm, .xlsb, .xls) and OpenDocument (.ods) workbooks: one sheet of one is a source.

Cells hold what the program saved; formulas are never run, macros neither. A cell that shows an error (#REF!) puts its
row at fault, if the contract knows its column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigError, SourceError
from ._cell_errors import NO_RESULT
from ._file import BlobSource, column_labels, listed
from ._options import known_only, one_of, whole_number
from .archives import in_memory
from .base import Batch, Reading, Spoilt

if TYPE_CHECKING:
    from ._workbook import Part, Sheet, Workbook
    from ._workbook_process import WorkbookProcess
    from .base import Recognise
    from .blob import Blob

    Book = Workbook | WorkbookProcess

__all__ = ["MOST_BYTES", "OPTIONS", "SpreadsheetSource", "open_spreadsheet"]

OPTIONS: Final = {
    "sheet": "the name of the sheet, or its number from 1",
    "header_row": "which row is the header, as the spreadsheet numbers them",
    "merged": "what cells are that are merged: first (the value is in the first of them) or fill (in all)",
}
#: Bytes of a workbook's file.
MOST_BYTES: Final = 512 << 20
_HEADER_WITHIN: Final = 20
_HEAD: Final = 60
#: A row number that stands for "none in this sheet".
_MOST_HEADER_ROW: Final = 100_000


@dataclass(frozen=True)
class _SpreadsheetOptions:
    sheet: str | int | None
    header_row: int | None
    merged: str


def open_spreadsheet(blob: Blob, options: Mapping[str, object]) -> SpreadsheetSource:
    """A workbook of Excel or OpenDocument.

    Raises:
        ConfigError: when an option is unknown or has no sense.
    """
    known_only(options, OPTIONS, "Spreadsheet")
    sheet = options.get("sheet")
    if sheet is not None and (
        isinstance(sheet, bool) or not isinstance(sheet, (str, int)) or not str(sheet).strip()
    ):
        raise ConfigError("sheet is the name of a sheet, or its number from 1.", "For example --sheet Data")
    row = whole_number(options, "header_row", "It is the number that the spreadsheet shows beside the row.")
    if row is not None and row > _MOST_HEADER_ROW:
        raise ConfigError(f"header_row is at most {_MOST_HEADER_ROW:,}.", "Look at --header-row.")
    return SpreadsheetSource(
        blob, _SpreadsheetOptions(sheet, row, one_of(options, "merged", ("first", "fill")))
    )


@dataclass(frozen=True)
class _Chosen:
    """A sheet, the row of its header (from 0), the header's cells, and how many cells of its first rows are filled."""

    sheet: Sheet
    row: int
    cells: tuple[str, ...]
    filled: int


class SpreadsheetSource(BlobSource):
    """A workbook. Reading it twice is fine; each reading opens it anew.

    open_book: how the workbook is opened; in a process of its own when None.
    """

    def __init__(
        self, blob: Blob, options: _SpreadsheetOptions, open_book: Callable[[bytes, str], Book] | None = None
    ) -> None:
        super().__init__(blob, options)
        self._options, self._open_book = options, open_book

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Find the sheet, the header and the columns in use, and read the rows in batches.

        Raises:
            SourceError: when it is locked, damaged or too large, or there is no such sheet, or no header.
        """
        if self._open_book is None:
            from ._workbook_process import WorkbookProcess

            book: Book = WorkbookProcess(in_memory(self.blob, MOST_BYTES), self.name)
        else:
            book = self._open_book(in_memory(self.blob, MOST_BYTES), self.name)
        chosen = self._choose(book, recognise)
        used, long = book.survey(chosen.sheet.name, chosen.row + 1)
        kept = [place for place, cell in enumerate(chosen.cells) if cell.strip() or place in used]
        kept += [place for place in used if place >= len(chosen.cells)]
        header = [chosen.cells[place] if place < len(chosen.cells) else "" for place in kept]
        columns = column_labels(header, self.name)
        merged = book.merged(chosen.sheet.name)
        below = sum(bottom > chosen.row for (_, _), (bottom, _) in merged)
        notes = self._notes(book, chosen, below)
        if lost := [label for label, place in zip(columns, kept, strict=True) if place in long]:
            notes += (f"numbers too long for a spreadsheet, their last digits are lost, in {listed(lost)}",)
        known = [recognise is None or bool(recognise([label])) for label in columns]
        parts = book.parts(chosen.sheet.name, chosen.row + 1, kept, self._options.merged == "fill")
        return Reading(columns, notes, _batches(parts, columns, kept, known))

    def _choose(self, book: Book, recognise: Recognise | None) -> _Chosen:
        """The sheet that was asked for; else the first of those people see that fits the contract best.

        Without a contract the one with the most in its first rows: the others are covers and notes.
        """
        if not book.sheets:
            raise SourceError(
                f"{self.name} has no sheet with cells.", "Save the table as a sheet of its own."
            )
        asked = self._options.sheet
        candidates = [_asked(book.sheets, asked, self.name)] if asked is not None else _seen(book.sheets)
        best: tuple[int, _Chosen] | None = None
        for sheet in candidates:
            found = self._header(book, sheet, recognise)
            if found is None:
                continue
            score = recognise(found.cells) if recognise is not None else found.filled
            if best is None or score > best[0]:
                best = (score, found)
        if best is None:
            where, row = f"The sheet {asked!r:.60} of {self.name}", self._options.header_row
            what = f"has no row {row} to be its header" if row else "is empty"
            raise SourceError(f"{self.name if asked is None else where} {what}.", self._other_sheets(book))
        return best[1]

    def _header(self, book: Book, sheet: Sheet, recognise: Recognise | None) -> _Chosen | None:
        wanted = self._options.header_row
        top, rows = book.head(sheet.name, _HEAD if wanted is None else wanted)
        if wanted is not None:
            place = wanted - 1 - top
            there = 0 <= place < len(rows) and any(cell.strip() for cell in rows[place])
            return _Chosen(sheet, wanted - 1, tuple(rows[place]), len(rows[place])) if there else None
        filled = [(top + at, row) for at, row in enumerate(rows) if any(cell.strip() for cell in row)]
        if not filled:
            return None
        row, cells = filled[_header_index([row for _, row in filled], recognise)]
        return _Chosen(sheet, row, tuple(cells), sum(bool(cell.strip()) for _, one in filled for cell in one))

    def _other_sheets(self, book: Book) -> str:
        names = [sheet.name for sheet in book.sheets]
        if len(names) < 2:
            return "Is it the right file?"
        return f"It has the sheets {listed(names, 10)}. Say which with --sheet."

    def _notes(self, book: Book, chosen: _Chosen, merged: int) -> tuple[str, ...]:
        notes = [f"sheet {chosen.sheet.name!r:.60}{'' if chosen.sheet.visible else ' (hidden)'}"]
        others = [sheet.name for sheet in book.sheets if sheet.name != chosen.sheet.name]
        if others and self._options.sheet is None:
            notes[0] += f" chosen, not {listed(others)} (say --sheet for another)"
        if chosen.row:
            notes.append(f"header in row {chosen.row + 1}")
        if merged:
            how = (
                "their value is in each of the rows and columns they cover"
                if self._options.merged == "fill"
                else "their value counts for the first cell only (--merged fill for all)"
            )
            notes.append(f"{merged:,} merged cell{'' if merged == 1 else 's'}: {how}")
        return tuple(notes)


def _seen(sheets: Sequence[Sheet]) -> list[Sheet]:
    """The sheets that people see; all when they see none."""
    return [sheet for sheet in sheets if sheet.visible] or list(sheets)


def _asked(sheets: Sequence[Sheet], asked: str | int, name: str) -> Sheet:
    """The sheet of that name, or failing that of that number."""
    text = str(asked).strip()
    for same in (
        lambda sheet: sheet.name == asked,
        lambda sheet: sheet.name.strip().casefold() == text.casefold(),
    ):
        found = next(filter(same, sheets), None)
        if found is not None:
            return found
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= len(sheets):
        return sheets[int(text) - 1]
    raise SourceError(
        f"{name} has no sheet {text!r:.60}.", f"It has: {listed([sheet.name for sheet in sheets], 20)}."
    )


def _header_index(rows: Sequence[Sequence[str]], recognise: Recognise | None) -> int:
    """Which of the first rows that are not blank is the header."""
    first = rows[:_HEADER_WITHIN]
    if recognise is not None:
        known = [recognise(cells) for cells in first]
        if max(known):
            return known.index(max(known))
    filled = [sum(bool(cell.strip()) for cell in cells) for cells in rows]
    usual = Counter(filled).most_common(1)[0][0]
    # Titles above a table fill a cell or two of a row; the header is the first row that is mostly filled, with words.
    full = [at for at, count in enumerate(filled[:_HEADER_WITHIN]) if count > max(usual, *filled) / 2]
    words = [at for at in full if not any(_is_number(cell) for cell in rows[at])]
    return next(iter(words or full), 0)


def _is_number(cell: str) -> bool:
    return cell.replace(".", "").lstrip("-").isdigit()


def _batches(
    parts: Iterator[Part], columns: tuple[str, ...], kept: Sequence[int], known: Sequence[bool]
) -> Iterator[Batch]:
    import pyarrow as pa
    import pyarrow.compute as pc

    first = 1
    for part in parts:
        table = pa.table(part.columns, names=list(columns))
        spoilt = _spoilt(table, part, kept, known, first)
        if spoilt:
            bad = {entry.row - first for entry in spoilt}
            keep = pa.array([at not in bad for at in range(part.rows)])
            blanked = [pc.if_else(keep, column, pa.scalar(None, column.type)) for column in table.columns]
            table = pa.table(blanked, names=list(columns))
        yield Batch(table, first, spoilt)
        first += part.rows


def _spoilt(
    table: Any, part: Part, kept: Sequence[int], known: Sequence[bool], first: int
) -> tuple[Spoilt, ...]:
    """The rows that hold an error in a column that matters."""
    from ..rendering import as_text

    place_of = {column: at for at, column in enumerate(kept)}
    rows: dict[int, list[tuple[int, int, str]]] = {}
    for at, row, column, error in part.errors:
        if known[place_of[column]]:
            rows.setdefault(at, []).append((row, column, error))
    spoilt = []
    for at, found in sorted(rows.items()):
        cells = list(as_text(table.slice(at, 1)).to_pylist()[0].values())
        for _, column, error in found:
            cells[place_of[column]] = error
        row, column, error = found[0]
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        cell = f"{_letters(column)}{row + 1}"
        mend = (
            "open and save the file in a spreadsheet program"
            if error == NO_RESULT
            else "mend it in the spreadsheet"
        )
        message = f"the cell {cell} of the sheet holds {_called(error)}{more}; {mend}"
        spoilt.append(Spoilt(first + at, tuple(str(cell or "") for cell in cells), "source-error", message))
    return tuple(spoilt)


def _called(error: str) -> str:
    return error if error.startswith(("a ", "an ")) else f"the error {error}"


def _letters(column: int) -> str:
    """A column's letters, from its place counted from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
