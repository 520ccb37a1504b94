"""JSON: an array of objects, an object with such an array somewhere inside, or an object on every line."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from ..errors import SourceError
from ._encoding import BLOCK, checked_encoding
from ._file import BlobSource, shown
from ._json_text import LARGEST, Decoder, JsonText, record_of
from ._members import Record, read_members, too_deep
from ._options import known_only, text_of

if TYPE_CHECKING:
    from .base import Reading, Recognise
    from .blob import Blob

__all__ = ["OPTIONS", "JsonSource", "open_json"]

OPTIONS: Final = {
    "encoding": "text encoding, for example utf-8",
    "rows_path": "where the array of rows is, as names of members joined by dots",
}
_SAMPLE: Final = 1 << 20
_MOST_LEVELS: Final = 6
_BLANK: Final = " \t\n\r"


@dataclass(frozen=True)
class _JsonOptions:
    encoding: str | None
    rows_path: str | None
    lines: bool


@dataclass(frozen=True)
class _Layout:
    """How records follow each other. `path`: names of the members that lead to the array of rows."""

    kind: Literal["array", "lines", "values"]
    path: tuple[str, ...] = ()
    note: str = ""


def open_json(blob: Blob, options: Mapping[str, object]) -> JsonSource:
    """A file of JSON.

    Raises:
        ConfigError: when an option is unknown or has no sense.
        SourceError: when there is no such text encoding.
    """
    known_only(options, OPTIONS, "JSON")
    encoding = options.get("encoding")
    codec = checked_encoding(str(encoding)).codec if encoding is not None else None
    path = text_of(options, "rows_path", "For example --rows-path records.items")
    return JsonSource(blob, _JsonOptions(codec, path, blob.name.lower().endswith((".jsonl", ".ndjson"))))


class JsonSource(BlobSource):
    """A file of JSON. Reading it twice is fine; each reading opens it anew."""

    def __init__(self, blob: Blob, options: _JsonOptions) -> None:
        super().__init__(blob, options)
        self._options = options

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Find where the rows are and under which columns, and read them in batches.

        Raises:
            SourceError: when it is no JSON, or holds no rows.
        """
        codec = self._codec()
        layout = self._layout(codec, recognise)
        notes = [f"JSON{layout.note}"]
        if codec not in ("utf-8", "utf-8-sig"):
            notes.append(f"encoding {codec.upper() if codec.startswith('utf') else codec}")
        records = partial(self._records, codec, layout)
        return read_members(records, recognise, self.name, notes, streamed=self.streamed)

    def _codec(self) -> str:
        if self._options.encoding is not None:
            return "utf-8-sig" if self._options.encoding == "utf-8" else self._options.encoding
        with self.blob.open() as stream:
            return json.detect_encoding(stream.read(4))

    def _pieces(self, codec: str, size: int = BLOCK) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(codec)("strict")
        with self.blob.open() as stream:
            try:
                while block := stream.read(size):
                    yield decoder.decode(block)
                yield decoder.decode(b"", True)
            except UnicodeError:
                # The text of the error would show bytes of the file.
                raise SourceError(
                    f"{self.name} is not {codec.upper()} throughout, as JSON must be.",
                    "Export it again as UTF-8, or say which encoding it is with --encoding.",
                ) from None
            except OSError as error:
                raise SourceError(f"{self.name} cannot be read: {error.strerror}.", "Try again.") from None

    def _layout(self, codec: str, recognise: Recognise | None) -> _Layout:
        pieces = self._pieces(codec, _SAMPLE)
        sample = next(pieces, "")
        whole = not next(pieces, "") and not next(pieces, "")
        pieces.close()  # type: ignore[attr-defined]
        begin = sample.lstrip(_BLANK)[:1]
        if not begin:
            raise SourceError(f"{self.name} is empty.", "Export it again.")
        if self._options.rows_path is not None:
            path = tuple(part for part in self._options.rows_path.split(".") if part)
            return _Layout("array", path, f", rows at {shown('.'.join(path))}" if path else "")
        first, more = _first_line(sample)
        if self._options.lines and (begin != "[" or _is_value(first)):
            return _Layout("lines", (), " Lines")
        if begin == "[":
            return _Layout("array")
        if begin != "{":
            raise SourceError(
                f"{self.name} is no JSON with rows: it begins with neither [ nor {{.",
                "Export a list of objects.",
            )
        if more and _is_value(first):
            return _Layout("lines", (), " Lines")
        return self._inside(sample, whole, recognise)

    def _inside(self, sample: str, whole: bool, recognise: Recognise | None) -> _Layout:
        """One object: with the rows in it, or one of several that follow each other."""
        found: list[_Array] = []
        text = JsonText(iter([sample]), self.name, Decoder())
        ended = _walk(text, (), found)
        if ended and text.peek():
            return _Layout("values", (), ", one object after the other")
        if not found:
            if ended and whole:
                return _Layout("values", (), ", one object, read as one row")
            raise SourceError(
                f"{self.name} is one JSON object, and no list of rows is seen near its beginning.",
                "Say where the rows are, for example --rows-path records.items",
            )
        best = max(found, key=lambda array: (recognise(array.names) if recognise else 0, array.size))
        others = f" (other lists: {', '.join('.'.join(one.path) for one in found[:5] if one is not best)})"
        path, others = shown(".".join(best.path)), shown(others)
        return _Layout("array", best.path, f", rows at {path}{others if len(found) > 1 else ''}")

    def _records(self, codec: str, layout: _Layout) -> Iterator[Record]:
        decoder, pieces = Decoder(), self._pieces(codec)
        if layout.kind == "lines":
            return _lines(pieces, decoder, self.name)
        text = JsonText(pieces, self.name, decoder)
        if layout.kind == "values":
            return _values(text, decoder)
        return _array(text, layout.path, decoder, self.name)


def _first_line(sample: str) -> tuple[str, bool]:
    """The first line that is not blank, and whether anything comes after it."""
    first, _, rest = sample.lstrip(_BLANK).partition("\n")
    return first, bool(rest.strip(_BLANK))


def _is_value(text: str) -> bool:
    try:
        _, end = Decoder().decode(text)
    except (ValueError, RecursionError):
        return False
    return not text[end:].strip(_BLANK)


@dataclass
class _Array:
    path: tuple[str, ...]
    names: tuple[str, ...]
    size: int = 0


def _walk(text: JsonText, path: tuple[str, ...], found: list[_Array]) -> bool:
    """Find arrays of objects inside an object; False when the text ends before it does, or is no JSON."""
    try:
        for name in _members(text):
            begin = text.peek()
            if begin == "{" and len(path) < _MOST_LEVELS:
                if not _walk(text, (*path, name), found):
                    return False
            elif begin == "[":
                _look_into(text, (*path, name), found)
            else:
                text.skip()
    except (SourceError, RecursionError):
        return False
    return True


def _look_into(text: JsonText, path: tuple[str, ...], found: list[_Array]) -> None:
    begin = text.position
    text.take("[")
    if text.peek() == "{":
        decoder = text.decoder
        found.append(_Array(path, tuple(record_of(text.value(), decoder).cells)))
        array = found[-1]
        array.size = text.position - begin
        while text.peek() == ",":
            text.take(",")
            text.skip()
            array.size = text.position - begin
        text.take("]")
        return
    while text.peek() not in ("]", ""):
        text.skip()
        if text.peek() == ",":
            text.take(",")
    text.take("]")


def _members(text: JsonText) -> Iterator[str]:
    """The names of an object's members; whoever asks for the next has stepped over the value of the last."""
    text.take("{")
    if text.peek() == "}":
        text.take("}")
        return
    while True:
        if text.peek() != '"':
            raise text.broken("the name of a member is missing or not in double quotation marks")
        name = text.value()
        text.take(":")
        yield name
        if text.peek() != ",":
            text.take("}")
            return
        text.take(",")


def _lines(pieces: Iterator[str], decoder: Decoder, name: str) -> Iterator[Record]:
    """A record a line; a line that is no JSON is at fault, and no other."""
    tail = ""
    for piece in pieces:
        lines = (tail + piece).split("\n")
        tail = lines.pop()
        if len(tail) > LARGEST:
            raise SourceError(
                f"{name} has a line of more than {LARGEST >> 20} million characters: these are no JSON Lines.",
                "If it is one JSON document, give it a name that ends in .json",
            )
        yield from (_line(line, decoder) for line in lines if line.strip(_BLANK))
    if tail.strip(_BLANK):
        yield _line(tail, decoder)


def _line(line: str, decoder: Decoder) -> Record:
    line = line.strip(_BLANK)
    try:
        value, end = decoder.decode(line)
        if end == len(line):
            return record_of(value, decoder)
    except (ValueError, RecursionError):
        pass  # why, the next lines find out
    decoder.problems.clear()
    text = JsonText(iter([line]), "the line", decoder)
    try:
        record = record_of(text.value(), decoder)
        if text.peek():
            raise text.broken("something follows its value")
    except SourceError as error:
        decoder.problems.clear()
        return Record(problem=error.message.rstrip("."))
    except RecursionError:
        decoder.problems.clear()
        return Record(problem=too_deep())
    return record


def _next(text: JsonText, decoder: Decoder) -> Record:
    try:
        return record_of(text.value(), decoder)
    except RecursionError:
        decoder.problems.clear()
        text.skip()
        return Record(problem=too_deep())


def _values(text: JsonText, decoder: Decoder) -> Iterator[Record]:
    while text.peek():
        yield _next(text, decoder)


def _array(text: JsonText, path: tuple[str, ...], decoder: Decoder, name: str) -> Iterator[Record]:
    """The records of the array at `path`; what is around it is only looked at for its brackets."""
    if not path:
        yield from _entries(text, decoder, name)
        if text.peek():
            raise text.broken("something follows the end of the list")
        return
    yield from _below(text, path, (), decoder, name)
    if text.peek():
        raise text.broken("something follows its end")


def _below(
    text: JsonText, path: tuple[str, ...], above: tuple[str, ...], decoder: Decoder, name: str
) -> Iterator[Record]:
    here = ".".join(above) or "its beginning"
    if text.peek() != "{":
        raise SourceError(f"{name} has no object at {here}.", "Look at --rows-path.")
    names, times = [], 0
    for member in _members(text):
        if member != path[0]:
            names.append(member)
            text.skip()
            continue
        times += 1
        if times > 1:
            raise SourceError(
                f"{name} has {path[0]!r:.60} more than once at {here}; which rows count cannot be told.",
                "Export it again with one of them.",
            )
        if len(path) > 1:
            yield from _below(text, path[1:], (*above, member), decoder, name)
        else:
            yield from _entries(text, decoder, name)
    if not times:
        has = ", ".join(f"{one!r:.40}" for one in names[:8]) or "nothing"
        raise SourceError(
            f"{name} has no {path[0]!r:.60} at {here}.", f"There is {has}. Look at --rows-path."
        )


def _entries(text: JsonText, decoder: Decoder, name: str) -> Iterator[Record]:
    if text.peek() != "[":
        raise SourceError(
            f"The rows of {name} are no list.", "Say where the list of rows is: --rows-path records.items"
        )
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield _next(text, decoder)
        if text.peek() != ",":
            text.take("]")
            return
        text.take(",")
