"""Which cells of a workbook in a ZIP archive (.xlsx, .xlsm, .xlsb, .ods) hold an error such as #REF!, or no result.

The library that reads the values gives such a cell as an empty one, and data would be lost without a word. So the
sheets are searched for the mark of an error, which is fast; only where there is one is its place worked out. Files of
OpenDocument are also searched for merged cells, which the library does not tell of.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import IO, Any, Final

__all__ = [
    "ERROR_NAMES",
    "MOST_ROWS",
    "NO_RESULT",
    "CellErrors",
    "Ranges",
    "SheetMarks",
    "WorkbookTooLarge",
    "ZippedWorkbook",
]

#: (row, column) counted from 0 -> the error's name.
CellErrors = dict[tuple[int, int], str]
#: Merged cells: ((first row, first column), (last row, last column)), counted from 0.
Ranges = list[tuple[tuple[int, int], tuple[int, int]]]

#: Codes of the binary formats ([MS-XLS] 2.5.10, BErr).
ERROR_NAMES: Final = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip
#: Stands for a formula that was never worked out, as programs leave it that only write files.
NO_RESULT: Final = "a formula whose result was not saved"
_U32: Final = Struct("<I")
_BLOCK: Final = 1 << 18
#: A cell of the type "e", or a formula with nothing after it.
_MARKS_XLSX: Final = re.compile(
    rb"""\bt\s*=\s*["']e["']|(?:</(?:\w{1,9}:)?f|<(?:\w{1,9}:)?f(?:\s[^<>]{0,150})?/)>\s*"""
    rb"""(?:<(?:\w{1,9}:)?v\s*/>|<(?:\w{1,9}:)?v>\s*</|</(?:\w{1,9}:)?c)"""
)
_MARKS_ODS: Final = re.compile(rb"value-type\s*=\s*[\"']error|string-value\s*=\s*[\"'][\"']|-spanned\s*=")
_LONGEST_MARK: Final = 256
_CELL: Final = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
#: Most that a sheet may have, in Excel and LibreOffice alike (the latter by choice).
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384
_ROW, _CELL_ERROR, _FORMULA_ERROR, _BUNDLE = 0, 3, 11, 156


class WorkbookTooLarge(Exception):
    """More comes out of the archive than a workbook can be; the text says it in words."""


@dataclass
class _Part:
    """One file of the archive."""

    name: str
    has_marks: bool = False


@dataclass
class SheetMarks:
    """What was found in one sheet."""

    errors: CellErrors = field(default_factory=dict)
    merged: Ranges = field(default_factory=list)


class ZippedWorkbook:
    """A workbook's archive, measured as it really is.

    Raises:
        WorkbookTooLarge: when it unpacks to more than `most` bytes, or more than `ratio` times its size.
        zipfile.BadZipFile and other errors of archives: when it is damaged.
    """

    def __init__(self, data: bytes, most: int, ratio: int, plenty: int) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self.names = self._archive.namelist()
        self.kind = self._kind()
        self.locked = any(entry.flag_bits & 1 for entry in self._archive.infolist())
        limit = min(most, max(plenty, len(data) * ratio))
        declared = sum(entry.file_size for entry in self._archive.infolist())
        self._limit = limit
        if declared > limit:
            raise WorkbookTooLarge(f"unpacks to {declared >> 20:,} MiB")
        self._parts = {} if self.locked else {part.name: part for part in self._measured()}

    def marks(self) -> dict[str, SheetMarks]:
        """What is to be known of each sheet, by its name; sheets without marks are left out.

        Raises:
            ValueError: when there are errors, and which sheets they are on cannot be told.
        """
        if not any(part.has_marks for part in self._parts.values()):
            return {}
        if self.kind == "ods":
            with self._archive.open("content.xml") as stream:
                return dict(_ods_marks(stream))
        found: dict[str, SheetMarks] = {}
        left = {name for name, part in self._parts.items() if part.has_marks}
        for name, path in self._sheets():
            if path in left:
                left.discard(path)
                with self._archive.open(path) as stream:
                    errors = _xlsb_errors(stream) if self.kind == "xlsb" else _xlsx_errors(stream)
                found[name] = SheetMarks(errors)
        return found

    def _kind(self) -> str:
        names = {name.lower() for name in self.names}
        if "xl/workbook.bin" in names:
            return "xlsb"
        return "xlsx" if "xl/workbook.xml" in names else "ods"

    def _measured(self) -> Iterator[_Part]:
        """Every file of the archive, read to its end."""
        total = 0
        for entry in self._archive.infolist():
            part, tail = _Part(entry.filename), b""
            pattern = self._pattern(entry.filename)
            if pattern is None and self.kind == "xlsb":
                part.has_marks = "worksheets/" in entry.filename.lower()
            with self._archive.open(entry) as stream:
                while block := stream.read(_BLOCK):
                    total += len(block)
                    if total > self._limit:
                        raise WorkbookTooLarge(f"unpacks to more than {self._limit >> 20:,} MiB")
                    if pattern is not None and not part.has_marks:
                        part.has_marks = pattern.search(tail + block) is not None
                        tail = block[-_LONGEST_MARK:]
            yield part

    def _pattern(self, name: str) -> re.Pattern[bytes] | None:
        if self.kind == "ods":
            return _MARKS_ODS if name == "content.xml" else None
        lower = name.lower()
        return (
            _MARKS_XLSX if lower.startswith("xl/") and lower.endswith(".xml") and "sheet" in lower else None
        )

    def _sheets(self) -> Iterator[tuple[str, str]]:
        """(name, place in the archive) of each sheet."""
        book = "xl/workbook.bin" if self.kind == "xlsb" else "xl/workbook.xml"
        targets = {}
        for element in _elements(self._archive.read(f"xl/_rels/{posixpath.basename(book)}.rels")):
            if element.tag.endswith("}Relationship"):
                targets[element.get("Id")] = str(element.get("Target"))
        pairs = (
            _bundles(self._archive.read(book))
            if self.kind == "xlsb"
            else _sheet_elements(self._archive.read(book))
        )
        for name, key in pairs:
            target = targets.get(key)
            if target is not None:
                yield (
                    name,
                    target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}"),
                )


def _elements(data: bytes) -> Iterator[Any]:
    from defusedxml.ElementTree import fromstring

    yield from fromstring(data, forbid_dtd=True).iter()


def _sheet_elements(data: bytes) -> Iterator[tuple[str, str | None]]:
    for element in _elements(data):
        if element.tag.endswith("}sheet"):
            key = next((value for name, value in element.attrib.items() if name.endswith("}id")), None)
            yield str(element.get("name")), key


def _events(stream: IO[bytes]) -> Iterator[tuple[str, str, Any]]:
    """(event, local name, element) of a large XML file; elements are emptied as they end."""
    from defusedxml.ElementTree import iterparse

    for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
        yield event, element.tag.rpartition("}")[2], element
        if event == "end" and element.tag.rpartition("}")[2] in ("row", "table-row", "table"):
            element.clear()


def _xlsx_errors(stream: IO[bytes]) -> CellErrors:
    """Cells with errors or without results. Row and column may be left out, and then follow on from the last."""
    errors: CellErrors = {}
    row, column = -1, -1
    for event, name, element in _events(stream):
        if name == "row" and event == "start":
            number = element.get("r")
            row, column = (int(number) - 1 if number and number.isdigit() else row + 1), -1
        elif name == "c" and event == "end":
            place = _CELL.fullmatch(element.get("r") or "")
            column = _column(place[1]) if place else column + 1
            found = _xlsx_error(element)
            if found:
                errors[(int(place[2]) - 1 if place else row), column] = found
    return errors


def _xlsx_error(cell: Any) -> str:
    """What is wrong with a cell, empty when nothing is."""
    children = {child.tag.rpartition("}")[2]: child.text for child in cell}
    if cell.get("t") == "e":
        return _error_name(children.get("v"))
    # A formula whose result is an empty text says that it is text.
    return NO_RESULT if "f" in children and not children.get("v") and cell.get("t") != "str" else ""


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def _error_name(text: str | None) -> str:
    """The error as the sheet shows it, if it looks like one: a sheet may hold anything."""
    return text if text and re.fullmatch(r"#[A-Z0-9/_!?]{2,20}|Err:[0-9]{3}", text) else "an error"


def _ods_marks(stream: IO[bytes]) -> Iterator[tuple[str, SheetMarks]]:
    sheet, name = SheetMarks(), ""
    row, column, rows = -1, 0, 1
    for event, tag, element in _events(stream):
        if tag == "table" and event == "start":
            sheet, row, rows = SheetMarks(), -1, 1
            name = next((value for key, value in element.attrib.items() if key.endswith("}name")), "")
        elif tag == "table":
            yield name, sheet
        elif tag == "table-row" and event == "start":
            row, column = row + rows, 0
            rows = _count(element, "number-rows-repeated")
        elif tag in ("table-cell", "covered-table-cell") and event == "end":
            wide = _count(element, "number-columns-repeated")
            if tag == "table-cell":
                _ods_cell(element, sheet, row, column, min(rows, MOST_ROWS), wide)
            column += wide


def _ods_cell(element: Any, sheet: SheetMarks, row: int, column: int, rows: int, wide: int) -> None:
    """An error is a text that is empty but shown as something; LibreOffice marks it as well."""
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    down, across = _count(element, "number-rows-spanned"), _count(element, "number-columns-spanned")
    if down > 1 or across > 1:
        sheet.merged.append(((row, column), (row + down - 1, column + across - 1)))
    shown = "".join(next((child.itertext() for child in element if child.tag.endswith("}p")), ()))
    is_error = "error" in [value for key, value in element.attrib.items() if key.endswith("}value-type")]
    looks_empty = attributes.get("string-value") == "" and shown != ""
    if (is_error or looks_empty) and rows * wide <= MOST_COLUMNS:
        for extra in range(rows):
            for right in range(wide):
                sheet.errors[row + extra, column + right] = _error_name(shown)


def _count(element: Any, name: str) -> int:
    """A number of repeats, 1 when none is said."""
    value = next((value for key, value in element.attrib.items() if key.endswith(f"}}{name}")), "1")
    return (
        max(1, min(int(value), 2 * MOST_ROWS))
        if value.isascii() and value.isdigit() and len(value) < 12
        else 1
    )


def _binary_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(kind, body) of the records of a binary part ([MS-XLSB] 2.1.4)."""
    place = 0
    while place < len(data):
        kind, place = _varying(data, place, 2)
        size, place = _varying(data, place, 4)
        yield kind, data[place : place + size]
        place += size


def _varying(data: bytes, place: int, most: int) -> tuple[int, int]:
    number = 0
    for shift in range(most):
        byte = data[place] if place < len(data) else 0
        place += 1
        # A kind keeps all bits of its two bytes, as the specification numbers them.
        number |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            break
    return number, place


def _bundles(data: bytes) -> Iterator[tuple[str, str | None]]:
    """(name, relationship) of each sheet of a binary workbook."""
    for kind, body in _binary_records(data):
        if kind == _BUNDLE and len(body) >= 12:
            key, place = _wide(body, 8)
            name, _ = _wide(body, place)
            yield name, key


def _wide(body: bytes, place: int) -> tuple[str, int]:
    """A text with its length before it."""
    length = _U32.unpack_from(body, place)[0] if place + 4 <= len(body) else 0
    end = place + 4 + 2 * min(length, len(body))
    return body[place + 4 : end].decode("utf-16-le", "replace"), end


def _xlsb_errors(stream: IO[bytes]) -> CellErrors:
    errors: CellErrors = {}
    row = -1
    for kind, body in _binary_records(stream.read()):
        if kind == _ROW and len(body) >= 4:
            row = _U32.unpack_from(body)[0]
        elif kind in (_CELL_ERROR, _FORMULA_ERROR) and len(body) >= 9:
            errors[row, _U32.unpack_from(body)[0]] = ERROR_NAMES.get(body[8], "an error")
    return errors
