"""CSV and its kin: any delimiter, quotation mark, line end and encoding, detected and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from ..errors import ConfigError, SourceError
from ._dialect import NAMES, Dialect, Head, find_head
from ._encoding import BLOCK, Encoding, checked_encoding, detect_encoding, utf8_blocks
from .base import Batch, Reading, Recognise, Update

__all__ = ["OPTIONS", "SUFFIXES", "DelimitedSource", "open_delimited"]

#: File extensions read as delimited text; a file with none is tried as well.
SUFFIXES: Final = (".csv", ".tsv", ".tab", ".txt", ".psv", ".ssv", ".dat", "")
#: What can be said about a file, and what each option means.
OPTIONS: Final = {
    "encoding": "text encoding, for example utf-8 or cp1252",
    "delimiter": "what separates cells: one character, or comma, semicolon, tab or bar",
    "quote": "the quotation mark, or none",
    "escape": "the character that takes the meaning off the next one",
    "header_row": "which row is the header, counted from 1 without blank lines",
}
_SAMPLE: Final = 256 * 1024


def open_delimited(location: str, options: Mapping[str, object]) -> DelimitedSource | None:
    """A file of delimited text, or None when the location has another file extension or is an address.

    Raises:
        ConfigError: when an option is unknown or has no sense.
        SourceError: when there is no such file.
    """
    path = Path(location)
    if "://" in location or path.suffix.lower() not in SUFFIXES:
        return None
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise SourceError(f"{location} {what}.", "Give the path of the exported file.")
    return DelimitedSource(path, _checked_options(options))


@dataclass(frozen=True)
class _Options:
    encoding: Encoding | None
    dialect: Dialect | None
    quote: str | None
    header_row: int | None


def _checked_options(options: Mapping[str, object]) -> _Options:
    for name in options:
        if name not in OPTIONS:
            raise ConfigError(f"CSV sources have no option {name!r}.", f"They have: {', '.join(OPTIONS)}.")
    quote = _character(options.get("quote", '"'), "quote")
    escape = _character(options.get("escape", "none"), "escape")
    delimiter = options.get("delimiter")
    dialect = (
        Dialect(_character(delimiter, "delimiter") or ",", quote, escape) if delimiter is not None else None
    )
    if dialect is None and escape is not None:
        raise ConfigError("An escape character needs to know the delimiter as well.", "Add --delimiter.")
    row = options.get("header_row")
    if row is not None and (isinstance(row, bool) or not isinstance(row, int) or row < 1):
        raise ConfigError("header_row is a whole number from 1.", "1 is the first row that is not blank.")
    encoding = options.get("encoding")
    return _Options(checked_encoding(str(encoding)) if encoding is not None else None, dialect, quote, row)


def _character(value: object, name: str) -> str | None:
    """One ASCII character from itself or its name; None for "none"."""
    text = str(value)
    named = {word: sign for sign, word in NAMES.items()} | {"pipe": "|", "\\t": "\t"}
    text = named.get(text.lower(), text)
    if text.lower() == "none" and name != "delimiter":
        return None
    if len(text) != 1 or not text.isascii() or text in "\r\n\0":
        raise ConfigError(
            f"{name} must be one character, not {value!r}.",
            f"For example --{name} {'semicolon' if name == 'delimiter' else 'none'}.",
        )
    return text


class DelimitedSource:
    """A file of delimited text. Reading it twice is fine; each reading opens it anew."""

    def __init__(self, path: Path, options: _Options) -> None:
        self.path = path
        self.name = path.name
        self._options = options

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Find encoding, dialect and header, and read the rows in batches of about 8 MiB of text.

        Raises:
            SourceError: when there is no header, a column name stands twice, or the file is no delimited text.
        """
        encoding = self._options.encoding or self._detect()
        blocks = self._blocks(encoding)
        sample, taken = bytearray(), []
        for block in blocks:
            taken.append(block)
            sample += block
            if len(sample) >= _SAMPLE:
                break
        options = self._options
        dialect, head = find_head(
            bytes(sample[:_SAMPLE]), options.dialect, options.quote, options.header_row, recognise, self.name
        )
        columns = _labels(head.columns, self.name)
        return Reading(
            columns,
            _notes(encoding, dialect, head),
            self._batches(chain(taken, blocks), encoding, dialect, head, columns),
        )

    def fingerprint(self, update: Update) -> None:
        """The bytes of the file, and how they are to be read."""
        update(repr(self._options).encode() + b"\n")
        try:
            with self.path.open("rb") as stream:
                while block := stream.read(BLOCK):
                    update(block)
        except OSError as error:
            raise self._unreadable(error) from None

    def _detect(self) -> Encoding:
        try:
            with self.path.open("rb") as stream:
                return detect_encoding(stream, self.name)
        except OSError as error:
            raise self._unreadable(error) from None

    def _blocks(self, encoding: Encoding) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as stream:
                yield from utf8_blocks(stream, encoding, self.name)
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> SourceError:
        return SourceError(
            f"{self.name} cannot be read: {error.strerror}.", "Check its permissions and its place."
        )

    def _batches(
        self,
        blocks: Iterable[bytes],
        encoding: Encoding,
        dialect: Dialect,
        head: Head,
        columns: tuple[str, ...],
    ) -> Iterator[Batch]:
        from ._records import read_records

        return read_records(_skip(blocks, head.offset), dialect, columns, self.name, damaged=encoding.damaged)


def _skip(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    for block in blocks:
        if count >= len(block):
            count -= len(block)
            continue
        yield block[count:] if count else block
        count = 0


def _labels(cells: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The header's names without blanks around them. Nameless columns beyond the first get their place as name.

    Raises:
        SourceError: when a name stands twice.
    """
    labels = [cell.strip() for cell in cells]
    twice = [label for label, count in Counter(labels).items() if count > 1 and label]
    if twice:
        named = "; ".join(f"{label!r:.60} {labels.count(label)} times" for label in twice[:5])
        raise SourceError(
            f"The header of {name} has a column name more than once: {named}.",
            "Give each column its own name in the export. If this is not the header, say which row is: --header-row.",
        )
    nameless = [index for index, label in enumerate(labels) if not label]
    for index in nameless[1:]:
        labels[index] = f"(column {index + 1})"
    return tuple(labels)


def _notes(encoding: Encoding, dialect: Dialect, head: Head) -> tuple[str, ...]:
    notes = [encoding.note, dialect.note]
    if head.line > 1:
        notes.append(f"header on line {head.line}")
    return tuple(notes)
