"""Which format a file is in, and the reader for it.

What a file begins with says more than its name: an export called .xls is often a web page or plain text. The name
decides between formats of text, where CSV may begin with anything.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from ..errors import SourceError
from .blob import LocalBlob

if TYPE_CHECKING:
    from .base import Reading, Recognise, Source
    from .blob import Blob

__all__ = ["SUFFIXES", "open_blob", "open_file"]

#: The formats that are read, by file extension. Any other file is read as delimited text, if it is text.
SUFFIXES: Final = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".psv", ".ssv", ".dat"), "delimited"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "spreadsheet"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"),
    ".xml": "xml",
    ".parquet": "parquet",
}
#: First bytes of the formats that are read, and of those that people take for one of them.
_MAGIC: Final = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "spreadsheet"),
    (b"PAR1", "parquet"),
    (b"\x1f\x8b", "gz"),
)
_OTHERS: Final = (
    (
        b"PARE",
        "an encrypted Parquet file",
        "Export it without encryption; what is pushed is encrypted anyway.",
    ),
    (b"%PDF", "a PDF", "Export the table itself, as CSV or a spreadsheet."),
    (b"{\\rtf", "a text document (RTF)", "Export the table itself, as CSV or a spreadsheet."),
    (b"SQLite format 3", "an SQLite database", "Read it as a database: sqlite:///FILE."),
    (b"\x00\x01\x00\x00Standard Jet DB", "an Access database", "Export the table as CSV or Excel."),
    (b"\x00\x01\x00\x00Standard ACE DB", "an Access database", "Export the table as CSV or Excel."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it, and give the file inside."),
    (b"Rar!", "a RAR archive", "Unpack it, and give the file inside."),
    (b"BZh", "a bzip2 file", "Unpack it, or pack it as .gz."),
    (b"\xfd7zXZ", "an xz file", "Unpack it, or pack it as .gz."),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "Unpack it, or pack it as .gz."),
    (b"ARROW1", "an Arrow file", "Save it as Parquet."),
    (b"FEA1", "a Feather file", "Save it as Parquet."),
    (b"ORC", "an ORC file", "Save it as Parquet."),
    (b"Obj\x01", "an Avro file", "Save it as Parquet."),
    (b"$FL2", "an SPSS file", "Export it as CSV."),
    (b"\x89PNG", "a picture", "Export the table itself, as CSV or a spreadsheet."),
    (b"\xff\xd8\xff", "a picture", "Export the table itself, as CSV or a spreadsheet."),
)
_HTML: Final = (b"<!doctype html", b"<html", b"<table", b"<head", b"<body", b"<meta")
_TAR: Final = (257, b"ustar")
_HEAD: Final = 4096


def open_file(location: str, options: Mapping[str, object]) -> Source | None:
    """A file on this machine, or None when the location is an address.

    Raises:
        ConfigError: when an option is unknown or has no sense.
        SourceError: when there is no such file, or it is of no kind that can be read.
    """
    if "://" in location:
        return None
    path = Path(location)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise SourceError(f"{location} {what}.", "Give the path of the exported file.")
    return open_blob(LocalBlob(path), options)


def open_blob(blob: Blob, options: Mapping[str, object]) -> Source:
    """The reader for a file, by what it begins with and by its name.

    Args:
        blob: the file, wherever it lies.
        options: how to read it; every format has its own, what is left out is detected.

    Raises:
        ConfigError: when an option is unknown or has no sense.
        SourceError: when it is of no kind that can be read, or an archive without one data file.
    """
    return _opened(blob, options, packed=False)


def _opened(blob: Blob, options: Mapping[str, object], *, packed: bool) -> Source:
    kind = _kind(blob)
    if kind in ("gz", "zip"):
        from .archives import unpacked_gz, unpacked_zip

        if packed:
            raise SourceError(
                f"{blob.name} is an archive inside an archive.", "Unpack it, and give the file inside."
            )
        inner = unpacked_gz(blob) if kind == "gz" else unpacked_zip(blob)
        return _Unpacked(
            _opened(inner, options, packed=True), f"{_last(inner.name)} unpacked from {blob.name}"
        )
    if kind == "spreadsheet":
        from .spreadsheet import open_spreadsheet

        return open_spreadsheet(blob, options)
    if kind == "json":
        from .json_rows import open_json

        return open_json(blob, options)
    if kind == "xml":
        from .xml_rows import open_xml

        return open_xml(blob, options)
    if kind == "parquet":
        from .parquet_rows import open_parquet

        return open_parquet(blob, options)
    from .delimited import open_delimited

    return open_delimited(blob, options)


class _Unpacked:
    """A source that came out of an archive, and says so."""

    def __init__(self, source: Source, note: str) -> None:
        self._source, self._note = source, note
        self.name, self.streamed, self.fingerprint = source.name, source.streamed, source.fingerprint

    def read(self, recognise: Recognise | None = None) -> Reading:
        """See `Source.read`."""
        reading = self._source.read(recognise)
        return replace(reading, notes=(self._note, *reading.notes))


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _kind(blob: Blob) -> str:
    with blob.open() as stream:
        try:
            head = stream.read(_HEAD)
        except OSError as error:
            raise SourceError(f"{blob.name} cannot be read: {error.strerror}.", "Try again.") from None
    named = SUFFIXES.get(PurePosixPath(blob.name).suffix.lower())
    for magic, what, hint in _OTHERS:
        # Letters and a brace may begin a table of text; its name says that it is one.
        if head.startswith(magic) and not (named == "delimited" and magic.isascii() and magic[:4].isalpha()):
            raise SourceError(f"{blob.name} is {what}, not a table that can be read here.", hint)
    if head[_TAR[0] :].startswith(_TAR[1]):
        raise SourceError(f"{blob.name} is a tar archive.", "Unpack it, and give the file inside.")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return _zip_kind(blob) if kind == "zip" else kind
    text = _beginning(head)
    if text.startswith(_HTML):
        raise SourceError(
            f"{blob.name} is a web page (HTML), whatever its name says.",
            "Open it in a spreadsheet program and save it as .xlsx or CSV.",
        )
    if named in ("delimited", "json", "xml", "parquet") and (named != "parquet" or b"\0" in head or not head):
        return named
    if text.startswith(b"<"):
        return "xml"
    return "json" if text.startswith((b"{", b"[")) else "delimited"


def _beginning(head: bytes) -> bytes:
    """The first letters, in small ones, without byte order marks, blanks and the zeros of UTF-16."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\xff\xfe\x00 \t\r\n").replace(b"\0", b"")[:64].lower()


def _zip_kind(blob: Blob) -> str:
    """Spreadsheets are ZIP archives too; what is inside tells."""
    with blob.open() as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                names = set(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
            # Damaged: the reader that its name asks for says so.
            named = SUFFIXES.get(PurePosixPath(blob.name).suffix.lower())
            return "spreadsheet" if named == "spreadsheet" else "zip"
    if any(name.startswith("word/") for name in names) and "[Content_Types].xml" in names:
        raise SourceError(
            f"{blob.name} is a Word document.", "Copy its table to a spreadsheet, or export CSV."
        )
    if {"mimetype", "content.xml"} <= names or any(name.lower().startswith("xl/workbook.") for name in names):
        return "spreadsheet"
    return "zip"
