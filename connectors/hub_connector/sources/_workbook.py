"""A workbook's sheets as columns of Arrow. Runs in a process of its own (`_workbook_process.py`).

The library behind it lays out a sheet as a full grid in memory, and a hostile or damaged file can make it ask for
more memory than there is, or panic: neither may take down the program that wants the rows.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ..errors import SourceError
from ._cell_errors import CellErrors, Ranges, SheetMarks, WorkbookTooLarge, ZippedWorkbook
from ._compound import MAGIC, CompoundFile, has_workbook, is_locked, xls_errors

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MOST_UNPACKED", "Part", "Sheet", "Workbook", "in_words", "look"]

#: Bytes that a workbook's archive may unpack to, and how many for each of its own when it is more than some.
MOST_UNPACKED: Final = 2 << 30
_MOST_RATIO: Final = 400
_PLENTY: Final = 256 << 20
_BATCH_ROWS: Final = 20_000
#: Digits of a number that a spreadsheet keeps; beyond, what it shows is rounded.
_DIGITS: Final = 15
_MOST_WHOLE: Final = 10**_DIGITS
#: Beyond this not every whole number can be stored: the last digits are lost.
_EXACT: Final = 2**53
#: How OpenDocument says hours, minutes and seconds of more than a day.
_DURATION: Final = re.compile(r"PT([0-9]{1,6})H([0-9]{1,2})M([0-9]{1,2})(?:[.,]0*)?S")

Row = list[Any]


@dataclass(frozen=True)
class Sheet:
    """One sheet: its name, and whether people see it."""

    name: str
    visible: bool


@dataclass(frozen=True)
class Part:
    """Some rows. `errors`: (place of the row in `columns`, row and column in the sheet from 0, name of the error)."""

    columns: list[pa.Array]
    rows: int
    errors: list[tuple[int, int, int, str]]


class Workbook:
    """A workbook from its bytes.

    Raises:
        SourceError: when it is locked, damaged, too large, or no workbook.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        with in_words(name):
            errors, self._marks, self._is_ods = look(data, name)
            from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

            self._book = CalamineWorkbook.from_filelike(io.BytesIO(data))
            known = self._book.sheets_metadata
            for sheet, found in zip(known, errors, strict=False):
                self._marks[sheet.name] = SheetMarks(found)
            self.sheets = tuple(
                Sheet(sheet.name, sheet.visible == SheetVisibleEnum.Visible)
                for sheet in known
                if sheet.typ == SheetTypeEnum.WorkSheet
            )
        self._loaded: tuple[str, Any] = ("", None)

    def head(self, name: str, rows: int) -> tuple[int, list[list[str]]]:
        """The first rows of a sheet that has any, as text, and the place of the first in the sheet (from 0)."""
        sheet = self._sheet(name)
        if sheet.start is None:
            return 0, []
        top, left = sheet.start
        errors = self._marks_of(name).errors
        shown = []
        with in_words(self._name):
            # The library begins with the first row of the sheet, blank or not, and with the first column in use.
            for place, row in islice(enumerate(sheet.iter_rows()), top, top + rows):
                cells = [""] * left + [_text(cell) for cell in row]
                shown.append([errors.get((place, column), cell) for column, cell in enumerate(cells)])
        return top, shown

    def survey(self, name: str, first: int) -> tuple[list[int], list[int]]:
        """Which columns (from 0) have a value from row `first` on, and which numbers too long for a spreadsheet."""
        sheet = self._sheet(name)
        used = {column for (row, column) in self._marks_of(name).errors if row >= first}
        long: set[int] = set()
        if sheet.start is not None:
            for rows in _some(self._rows(sheet, first, [], 0)):
                for column, cells in enumerate(zip(*(row for _, row in rows), strict=True)):
                    if column not in used and cells.count("") != len(cells):
                        used.add(column)
                    if column not in long and any(
                        type(cell) is float and abs(cell) > _EXACT for cell in cells
                    ):
                        long.add(column)
        return sorted(used), sorted(long)

    def merged(self, name: str) -> Ranges:
        """The merged cells of a sheet: first and last (row, column), counted from 0."""
        known = self._sheet(name).merged_cell_ranges
        return [*(known or []), *self._marks_of(name).merged]

    def _as_shown(self, rows: list[tuple[int, Row]]) -> list[tuple[Any, ...]]:
        """The columns of some rows; durations of OpenDocument as hours, minutes and seconds."""
        columns = list(zip(*(row for _, row in rows), strict=True))
        if not self._is_ods:
            return columns
        return [
            tuple(map(_duration, cells))
            if any(type(cell) is str and cell[:2] == "PT" for cell in cells)
            else cells
            for cells in columns
        ]

    def parts(self, name: str, first: int, columns: Sequence[int], fill: bool) -> Iterator[Part]:
        """The rows from `first` on that are not blank, some at a time.

        Args:
            name: of the sheet.
            first: row of the sheet, from 0.
            columns: which columns, from 0.
            fill: whether a merged cell's value stands for all it covers.
        """
        sheet, errors = self._sheet(name), self._marks_of(name).errors
        if sheet.start is None:
            return
        ranges = self.merged(name) if fill else []
        wanted = frozenset(columns)
        by_row: dict[int, list[tuple[int, str]]] = {}
        for (row, column), error in errors.items():
            by_row.setdefault(row, []).append((column, error))
        for rows in _some(self._rows(sheet, first, ranges, max(columns, default=0) + 1, by_row)):
            found = [
                (at, row, column, error)
                for at, (row, _) in enumerate(rows)
                for column, error in by_row.get(row, ())
                if column in wanted
            ]
            cells = self._as_shown(rows)
            yield Part([_column(cells[column]) for column in columns], len(rows), found)

    def _marks_of(self, name: str) -> SheetMarks:
        return self._marks.get(name) or SheetMarks()

    def _sheet(self, name: str) -> Any:
        if self._loaded[0] != name or self._loaded[1] is None:
            self._loaded = ("", None)  # two sheets at once would need memory for both
            with in_words(self._name):
                self._loaded = (name, self._book.get_sheet_by_name(name))
        return self._loaded[1]

    def _rows(
        self, sheet: Any, first: int, ranges: Ranges, width: int, wanted: dict[int, Any] | None = None
    ) -> Iterator[tuple[int, Row]]:
        """(place in the sheet, cells from the first column on) of each row that is not blank."""
        left = sheet.start[1]
        wide = max(width, left + sheet.width)
        filled = _Filled(ranges)
        margin, kept = [""] * left, wanted or {}
        with in_words(self._name):
            for place, row in enumerate(sheet.iter_rows()):
                if place < first and not ranges:
                    continue
                cells = margin + row if left else row
                if len(cells) < wide:
                    cells = cells + [""] * (wide - len(cells))
                filled.apply(place, cells)
                if place >= first and (cells.count("") != len(cells) or place in kept):
                    yield place, cells


def look(data: bytes, name: str) -> tuple[list[CellErrors], dict[str, SheetMarks], bool]:
    """What the library would not tell: errors of an .xls in the order of its sheets, else marks; whether it is .ods.

    Raises:
        SourceError: when the workbook is locked, or is none.
    """
    if data.startswith(MAGIC):
        file = CompoundFile(data)
        if is_locked(file):
            raise _locked(name)
        if not has_workbook(file):
            raise SourceError(
                f"{name} is a file of an old Office program, but no Excel workbook.",
                "Export the table as CSV or a spreadsheet.",
            )
        return xls_errors(file), {}, False
    archive = ZippedWorkbook(data, MOST_UNPACKED, _MOST_RATIO, _PLENTY)
    if archive.locked or "EncryptedPackage" in archive.names:
        raise _locked(name)
    return [], archive.marks(), archive.kind == "ods"


class _Filled:
    """Writes the value of merged cells into all that they cover."""

    def __init__(self, ranges: Ranges) -> None:
        self._begin: dict[int, list[tuple[int, int, int]]] = {}
        for (top, left), (bottom, right) in ranges:
            self._begin.setdefault(top, []).append((bottom, left, right))
        self._open: list[tuple[int, int, int, Any]] = []

    def apply(self, place: int, cells: Row) -> None:
        """Change the cells of a row; rows come in order."""
        if not self._begin and not self._open:
            return
        self._open = [entry for entry in self._open if entry[0] >= place]
        for bottom, left, right in self._begin.pop(place, ()):
            if left < len(cells):
                self._open.append((bottom, left, right, cells[left]))
        for _, left, right, value in self._open:
            for column in range(left, min(right + 1, len(cells))):
                cells[column] = value


def _some(rows: Iterator[tuple[int, Row]]) -> Iterator[list[tuple[int, Row]]]:
    """Rows in lots of equal width."""
    lot: list[tuple[int, Row]] = []
    for row in rows:
        if lot and (len(lot) == _BATCH_ROWS or len(row[1]) != len(lot[0][1])):
            yield lot
            lot = []
        lot.append(row)
    if lot:
        yield lot


def _column(cells: Sequence[Any]) -> pa.Array:
    """One column of a lot, typed where all its cells are of one type, null where it is empty."""
    import pyarrow as pa

    from .base import mixed_type

    kinds = set(map(type, cells))
    if kinds == {str}:
        return pa.array(cells, pa.string())
    if str not in kinds or all(type(cell) is not str or not cell for cell in cells):
        kinds.discard(str)
        filled = (
            [None if cell == "" and type(cell) is str else cell for cell in cells]
            if cells.count("")
            else cells
        )
        if kinds <= {float, int}:
            numbers = [None if cell is None else _rounded(cell) for cell in filled]
            return pa.array(numbers, pa.float64())
        if kinds == {bool}:
            return pa.array(filled, pa.bool_())
        if kinds == {dt.date}:
            return pa.array(filled, pa.date32())
        if kinds <= {dt.date, dt.datetime}:
            return pa.array([None if cell is None else _moment(cell) for cell in filled], pa.timestamp("us"))
    if kinds.isdisjoint((dt.date, dt.datetime)):
        return pa.array([_text(cell) for cell in cells], pa.string())
    mixed = []
    for cell in cells:
        kind = {dt.date: "date", dt.datetime: "time"}.get(type(cell), "text")
        mixed.append({kind: _text(cell) if kind == "text" else cell})
    return pa.array(mixed, mixed_type())


def _duration(cell: Any) -> Any:
    found = _DURATION.fullmatch(cell) if type(cell) is str else None
    return f"{int(found[1]):02d}:{int(found[2]):02d}:{int(found[3]):02d}" if found else cell


def _rounded(number: float) -> float:
    """A number as a spreadsheet shows it: with 15 digits, so that 3 times 1.1 is 3.3."""
    return number if number.is_integer() else float(f"{number:.{_DIGITS}g}")


def _moment(value: dt.date) -> dt.datetime:
    return value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day)


def _text(cell: Any) -> str:
    """A cell as text, dates in ISO 8601."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        return _number(float(cell))
    if isinstance(cell, dt.timedelta):
        seconds = round(cell.total_seconds())
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if isinstance(cell, (dt.datetime, dt.time)):
        return cell.isoformat(timespec="seconds" if not cell.microsecond else "auto")
    return cell.isoformat() if isinstance(cell, dt.date) else str(cell)


def _number(number: float) -> str:
    from ..rendering import plain_number

    if number.is_integer() and abs(number) < _MOST_WHOLE:
        return str(int(number))
    return plain_number(repr(_rounded(number)))


def _locked(name: str) -> SourceError:
    return SourceError(
        f"{name} is locked with a password.",
        "Open it, take the password off (File, Info, Protect Workbook), and save it again.",
    )


class in_words:
    """Errors of the library, its panics among them, in words of ours; theirs may quote the file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, (SourceError, GeneratorExit, KeyboardInterrupt, SystemExit)):
            return
        if isinstance(error, WorkbookTooLarge):
            raise SourceError(
                f"{self._name} {error}, more than is read of a workbook.",
                "Save the one sheet as CSV and use that.",
            ) from None
        if isinstance(error, MemoryError):
            raise SourceError(
                f"{self._name} needs more memory than a workbook may take.",
                "Save the one sheet as CSV and use that.",
            ) from None
        if type(error).__name__ == "PasswordError":
            raise _locked(self._name) from None
        raise SourceError(
            f"{self._name} is damaged, or no workbook of Excel or OpenDocument.",
            "Open it in a spreadsheet program and save it anew as .xlsx, .ods or CSV.",
        ) from None
