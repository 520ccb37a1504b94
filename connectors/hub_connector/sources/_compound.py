"""The compound files of old Office programs (.xls, and locked .xlsx), as far as needed to see what is in them.

Values are read by a library; this looks for what the library does not tell: that a workbook is locked with a
password, and which of its cells hold an error. Layouts: [MS-CFB] and [MS-XLS] of Microsoft's Open Specifications.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from ._cell_errors import ERROR_NAMES, CellErrors

__all__ = ["MAGIC", "CompoundFile", "has_workbook", "is_locked", "xls_errors"]

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_U16: Final = Struct("<H")
_U32: Final = Struct("<I")
_ENDS: Final = 0xFFFFFFFA
_HEADER_SECTORS: Final = 109
_ENTRY: Final = 128
_SMALL: Final = 64
_STREAM, _ROOT = 2, 5

_FORMULA, _BOOLERR, _BOUNDSHEET, _FILEPASS, _EOF, _BOF = 0x0006, 0x0205, 0x0085, 0x002F, 0x000A, 0x0809
_FORMULA_WITH_ERROR: Final = 2


class CompoundFile:
    """The streams of a compound file by name. A damaged one gives as much of a stream as can be found.

    Raises:
        ValueError: when it is no compound file at all.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) < 512 or not data.startswith(MAGIC):
            raise ValueError("no compound file")
        self._data = data
        shift = _U16.unpack_from(data, 30)[0]
        self._sector = 1 << shift if shift in (9, 12) else 512
        self._most = len(data) // self._sector + 1
        self._fat = self._allocation()
        directory = self._chain(_U32.unpack_from(data, 48)[0])
        self.entries = {name: (kind, start, size) for name, kind, start, size in self._directory(directory)}
        small = self._chain(_U32.unpack_from(data, 60)[0])
        self._small_fat = [number for (number,) in _U32.iter_unpack(small[: len(small) // 4 * 4])]
        self._cutoff = _U32.unpack_from(data, 56)[0]

    def stream(self, name: str) -> bytes:
        """The bytes of a stream, empty when there is none of that name."""
        kind, start, size = self.entries.get(name.lower(), (0, 0, 0))
        if kind != _STREAM:
            return b""
        if size >= self._cutoff:
            return self._chain(start)[:size]
        container = next(
            (self._chain(first) for what, first, _ in self.entries.values() if what == _ROOT), b""
        )
        found, number, seen = bytearray(), start, 0
        while number < _ENDS and number < len(self._small_fat) and seen <= len(self._small_fat):
            found += container[number * _SMALL : (number + 1) * _SMALL]
            number, seen = self._small_fat[number], seen + 1
        return bytes(found[:size])

    def _at(self, number: int) -> bytes:
        begin = (number + 1) * self._sector
        return self._data[begin : begin + self._sector]

    def _allocation(self) -> list[int]:
        """The sector that follows each."""
        sectors = list(Struct(f"<{_HEADER_SECTORS}I").unpack_from(self._data, 76))
        more, seen = _U32.unpack_from(self._data, 68)[0], 0
        while more < _ENDS and seen <= self._most:
            block = self._at(more)
            numbers = [number for (number,) in _U32.iter_unpack(block[: len(block) // 4 * 4])]
            if not numbers:
                break
            sectors += numbers[:-1]
            more, seen = numbers[-1], seen + 1
        table: list[int] = []
        for number in sectors[: self._most]:
            block = self._at(number) if number < _ENDS else b""
            table += [following for (following,) in _U32.iter_unpack(block[: len(block) // 4 * 4])]
        return table

    def _chain(self, number: int) -> bytes:
        found, seen = [], 0
        while number < _ENDS and number < len(self._fat) and seen <= self._most:
            found.append(self._at(number))
            number, seen = self._fat[number], seen + 1
        return b"".join(found)

    def _directory(self, data: bytes) -> Iterator[tuple[str, int, int, int]]:
        for begin in range(0, len(data) - _ENTRY + 1, _ENTRY):
            length = min(64, _U16.unpack_from(data, begin + 64)[0])
            name = data[begin : begin + max(0, length - 2)].decode("utf-16-le", "replace")
            start, size = _U32.unpack_from(data, begin + 116)[0], _U32.unpack_from(data, begin + 120)[0]
            yield name.lower(), data[begin + 66], start, size


def is_locked(file: CompoundFile) -> bool:
    """Whether a password is needed: an encrypted .xlsx lies in a compound file, an .xls says so at its beginning."""
    if "encryptedpackage" in file.entries:
        return True
    for kind, _ in _records(_book(file), 0):
        if kind in (_FILEPASS, _EOF):
            return kind == _FILEPASS
    return False


def has_workbook(file: CompoundFile) -> bool:
    """Whether there is an Excel workbook inside."""
    return "workbook" in file.entries or "book" in file.entries


def xls_errors(file: CompoundFile) -> list[CellErrors]:
    """The cells with errors of each sheet, in the order of the sheets."""
    book = _book(file)
    places = []
    for kind, body in _records(book, 0):
        if kind == _BOUNDSHEET and len(body) >= 4:
            places.append(_U32.unpack_from(body)[0])
        if kind == _EOF:
            break
    return [_sheet_errors(book, place) for place in places]


def _book(file: CompoundFile) -> bytes:
    return file.stream("Workbook") or file.stream("Book")


def _records(data: bytes, begin: int) -> Iterator[tuple[int, bytes]]:
    """(kind, body) of each record from `begin` on."""
    while begin + 4 <= len(data):
        kind, size = _U16.unpack_from(data, begin)[0], _U16.unpack_from(data, begin + 2)[0]
        yield kind, data[begin + 4 : begin + 4 + size]
        begin += 4 + size


def _sheet_errors(book: bytes, place: int) -> CellErrors:
    errors: CellErrors = {}
    depth = 0
    for kind, body in _records(book, place):
        # A chart inside a sheet has a beginning and an end of its own.
        depth += (kind == _BOF) - (kind == _EOF)
        if depth <= 0:
            break
        code = None
        if kind == _BOOLERR and len(body) >= 8 and body[7] == 1:
            code = body[6]
        elif (
            kind == _FORMULA
            and len(body) >= 14
            and body[12:14] == b"\xff\xff"
            and body[6] == _FORMULA_WITH_ERROR
        ):
            code = body[8]
        if code is not None:
            cell = (_U16.unpack_from(body)[0], _U16.unpack_from(body, 2)[0])
            errors[cell] = ERROR_NAMES.get(code, "an error")
    return errors
