"""CSV and its kin: any delimiter, quotation mark, line end and encoding, detected and reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from ..errors import ConfigError, SourceError
from ._dialect import NAMES, Dialect, Head, find_head
from ._encoding import Encoding, checked_encoding, detect_encoding, utf8_blocks
from ._file import BlobSource, column_labels
from ._options import known_only, whole_number
from .base import Batch, Reading, Recognise
from .blob import Blob

__all__ = ["OPTIONS", "DelimitedSource", "open_delimited"]

#: What can be said about a file, and what each option means.
OPTIONS: Final = {
    "encoding": "text encoding, for example utf-8 or cp1252",
    "delimiter": "what separates cells: one character, or comma, semicolon, tab or bar",
    "quote": "the quotation mark, or none",
    "escape": "the character that takes the meaning off the next one",
    "header_row": "which row is the header, counted from 1 without blank lines",
}
_SAMPLE: Final = 256 * 1024


def open_delimited(blob: Blob, options: Mapping[str, object]) -> DelimitedSource:
    """A file of delimited text.

    Raises:
        ConfigError: when an option is unknown or has no sense.
        SourceError: when there is no such text encoding.
    """
    return DelimitedSource(blob, _checked_options(options))


@dataclass(frozen=True)
class _Options:
    encoding: Encoding | None
    dialect: Dialect | None
    quote: str | None
    header_row: int | None


def _checked_options(options: Mapping[str, object]) -> _Options:
    known_only(options, OPTIONS, "CSV")
    quote = _character(options.get("quote", '"'), "quote")
    escape = _character(options.get("escape", "none"), "escape")
    delimiter = options.get("delimiter")
    dialect = (
        Dialect(_character(delimiter, "delimiter") or ",", quote, escape) if delimiter is not None else None
    )
    if dialect is None and escape is not None:
        raise ConfigError("An escape character needs to know the delimiter as well.", "Add --delimiter.")
    row = whole_number(options, "header_row", "1 is the first row that is not blank.")
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


class DelimitedSource(BlobSource):
    """A file of delimited text. Reading it twice is fine; each reading opens it anew."""

    def __init__(self, blob: Blob, options: _Options) -> None:
        super().__init__(blob, options)
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
        columns = column_labels(head.columns, self.name)
        return Reading(
            columns,
            _notes(encoding, dialect, head),
            self._batches(chain(taken, blocks), encoding, dialect, head, columns),
        )

    def _detect(self) -> Encoding:
        with self.blob.open() as stream:
            try:
                return detect_encoding(stream, self.name)
            except OSError as error:
                raise self._unreadable(error) from None

    def _blocks(self, encoding: Encoding) -> Iterator[bytes]:
        with self.blob.open() as stream:
            try:
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


def _notes(encoding: Encoding, dialect: Dialect, head: Head) -> tuple[str, ...]:
    notes = [encoding.note, dialect.note]
    if head.line > 1:
        notes.append(f"header on line {head.line}")
    return tuple(notes)
