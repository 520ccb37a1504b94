"""XML: the elements at one path are the rows; their attributes and child elements are the columns.

No document type definition is read, so there are no entities to expand and nothing outside the file is ever fetched.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..errors import SourceError
from ._encoding import BLOCK, checked_encoding
from ._file import BlobSource, shown
from ._members import MOST_DEPTH, Record, read_members, too_deep
from ._options import known_only, text_of
from .base import Reading

if TYPE_CHECKING:
    from .base import Recognise
    from .blob import Blob

__all__ = ["OPTIONS", "TEXT", "XmlSource", "open_xml"]

OPTIONS: Final = {
    "encoding": "text encoding, where the file does not say it or says it wrongly",
    "rows_path": "where the rows are: names of elements from the outermost, joined by slashes",
}
#: The column that holds the text of a row element itself.
TEXT: Final = "text()"
_SAMPLE: Final = 1 << 20
_FEED: Final = 1 << 16
#: Characters of one row, and levels of elements of a whole file.
_LARGEST: Final = 16 << 20
_DEEPEST: Final = 200
#: Paths and names that are looked at to find the rows.
_MOST_PATHS: Final = 300
_MOST_NAMES: Final = 3_000
_EXCEL_2003: Final = "urn:schemas-microsoft-com:office:spreadsheet"
_NIL: Final = "@nil"


@dataclass(frozen=True)
class _XmlOptions:
    encoding: str | None
    rows_path: str | None


def open_xml(blob: Blob, options: Mapping[str, object]) -> XmlSource:
    """A file of XML.

    Raises:
        ConfigError: when an option is unknown or has no sense.
        SourceError: when there is no such text encoding.
    """
    known_only(options, OPTIONS, "XML")
    encoding = options.get("encoding")
    codec = checked_encoding(str(encoding)).codec if encoding is not None else None
    return XmlSource(
        blob, _XmlOptions(codec, text_of(options, "rows_path", "For example --rows-path export/row"))
    )


class XmlSource(BlobSource):
    """A file of XML. Reading it twice is fine; each reading opens it anew."""

    def __init__(self, blob: Blob, options: _XmlOptions) -> None:
        super().__init__(blob, options)
        self._options = options

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Find which elements are the rows and what columns they have, and read them in batches.

        Raises:
            SourceError: when it is no well-formed XML, has a document type definition, or holds no rows.
        """
        asked = self._options.rows_path
        path = tuple(part for part in asked.split("/") if part) if asked else self._find(recognise)
        notes = [f"XML, rows at {shown('/'.join(path))}"]
        if self._options.encoding is not None:
            notes.append(f"encoding {self._options.encoding}")
        records = partial(self._records, path)
        known = recognise and _with_attributes(recognise)
        reading = read_members(records, known, self.name, notes, streamed=self.streamed)
        return _without_signs(reading, recognise) if recognise is not None else reading

    def _records(self, path: tuple[str, ...]) -> Iterator[Record]:
        rows = _Rows(path, self.name)
        for _ in self._parsed(rows, _FEED):
            yield from rows.taken()
        if rows.seen_root != path[0] or not rows.count:
            has = f"Its outermost element is {rows.seen_root!r:.60}. " if rows.seen_root != path[0] else ""
            raise SourceError(
                f"{self.name} has no rows at {'/'.join(path)!r:.200}.", f"{has}Look at --rows-path."
            )

    def _find(self, recognise: Recognise | None) -> tuple[str, ...]:
        shape = _Shape(self.name)
        parsed = self._parsed(shape, BLOCK)
        next(parsed, None)
        if shape.root_namespace == _EXCEL_2003:
            raise SourceError(
                f"{self.name} is an Excel 2003 XML spreadsheet.", "Open it and save it as .xlsx or CSV."
            )
        if next(parsed, None) is not None:
            parsed.close()
        best = shape.best(recognise)
        if best is None:
            raise SourceError(
                f"{self.name} shows no rows near its beginning.",
                "Say where they are, for example --rows-path export/row",
            )
        return best

    def _parsed(self, target: _Rows | _Shape, size: int) -> Iterator[bool]:
        """Feed the file to a target, pausing after each piece and at the end.

        Raises:
            SourceError: when it is no well-formed XML.
        """
        from xml.etree.ElementTree import ParseError

        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import DefusedXMLParser

        encoding = "utf-8" if self._options.encoding else None
        parser = DefusedXMLParser(target=target, encoding=encoding, forbid_dtd=True)
        try:
            for piece in self._pieces(size):
                parser.feed(piece)
                target.waited(len(piece))
                yield True
            parser.close()
        except DefusedXmlException:
            raise SourceError(
                f"{self.name} has a document type definition (<!DOCTYPE ...>), which is never read.",
                "Export it without one.",
            ) from None
        except ParseError as error:
            raise self._malformed(error) from None
        except (ValueError, LookupError):
            raise SourceError(
                f"{self.name} says that it is in a text encoding that XML readers do not know.",
                "Say which it is with --encoding, or export it as UTF-8.",
            ) from None

    def _malformed(self, error: Any) -> SourceError:
        from xml.parsers.expat import errors

        line, column = error.position
        # The texts of the errors name no content, but for an entity's name.
        what = errors.messages.get(error.code, "not well-formed")
        return SourceError(
            f"{self.name} is not well-formed XML: {what} (line {line:,}, character {column + 1:,}).",
            "Export it again; if it was cut short, wait until the export has finished. If its text encoding is at "
            "fault, say which it is: --encoding.",
        )

    def _pieces(self, size: int) -> Iterator[bytes]:
        codec = self._options.encoding
        decoder = codecs.getincrementaldecoder(codec)("strict") if codec else None
        with self.blob.open() as stream:
            try:
                while block := stream.read(size):
                    yield decoder.decode(block).encode() if decoder else block
                if decoder:
                    yield decoder.decode(b"", True).encode()
            except UnicodeError:
                raise SourceError(
                    f"{self.name} is not {codec} throughout.", "Say which encoding it is with --encoding."
                ) from None
            except OSError as error:
                raise SourceError(f"{self.name} cannot be read: {error.strerror}.", "Try again.") from None


def _with_attributes(recognise: Recognise) -> Recognise:
    """Knows an attribute also by its name without the @."""
    return lambda names: recognise(names) or recognise([name.removeprefix("@") for name in names])


def _without_signs(reading: Reading, recognise: Recognise) -> Reading:
    """Attributes that the contract knows without the @, under that name where nothing else has it."""
    taken, columns = set(reading.columns), []
    for label in reading.columns:
        plain = label.removeprefix("@")
        better = plain not in taken and not recognise([label]) and recognise([plain])
        columns.append(plain if better else label)
        taken.add(columns[-1])
    batches = (replace(batch, table=batch.table.rename_columns(columns)) for batch in reading.batches)
    return Reading(tuple(columns), reading.notes, batches)


def _local(tag: str) -> str:
    """A name without its namespace."""
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


class _Depth:
    """What both targets of the parser watch: how deep elements stand, and how long nothing comes of what is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path: list[str] = []
        self.seen_root = ""
        self._waited = 0

    def enter(self, tag: str) -> str:
        local = _local(tag)
        self.path.append(local)
        if len(self.path) == 1:
            self.seen_root = local
        if len(self.path) > _DEEPEST:
            raise SourceError(
                f"{self.name} is nested more than {_DEEPEST} elements deep.",
                "Export it as a flat list of rows.",
            )
        return local

    def waited(self, size: int) -> None:
        self._waited += size
        if self._waited > 2 * _LARGEST:
            raise SourceError(
                f"{self.name} has an element of more than {_LARGEST >> 20} million characters.",
                "Rows must be smaller than that: is this the right file, and --rows-path where its rows are?",
            )

    def progress(self) -> None:
        self._waited = 0

    def close(self) -> None:
        """The end of the file."""


class _Open:
    """An element of a row that has not ended: its dotted path, its text, and the children it has had."""

    __slots__ = ("names", "nil", "path", "text")

    def __init__(self, path: str) -> None:
        self.path, self.nil = path, False
        self.text: list[str] = []
        self.names: set[str] = set()


class _Rows(_Depth):
    """Builds a record of each element at one path."""

    def __init__(self, path: tuple[str, ...], name: str) -> None:
        super().__init__(name)
        self._wanted, self._records = list(path), []
        self.count = 0
        self._stack: list[_Open] = []
        self._record = Record()

    def taken(self) -> list[Record]:
        records, self._records = self._records, []
        return records

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        local = self.enter(tag)
        if not self._stack:
            if len(self.path) == len(self._wanted) and self.path == self._wanted:
                self._record = Record()
                self._open("", attributes)
            return
        above = self._stack[-1]
        path = f"{above.path}.{local}" if above.path else local
        if local in above.names:
            self._record.lists.add(path)
            self._drop(path)
        above.names.add(local)
        if len(self._stack) > MOST_DEPTH:
            self._record.problem = self._record.problem or too_deep()
        self._open(path, attributes)

    def _open(self, path: str, attributes: Mapping[str, str]) -> None:
        element = _Open(path)
        self._stack.append(element)
        for name, value in attributes.items():
            local = f"@{_local(name)}"
            if local == _NIL and "XMLSchema-instance" in name:
                element.nil = value in ("true", "1")
                continue
            self._put(f"{path}.{local}" if path else local, value)

    def data(self, text: str) -> None:
        if self._stack:
            self._stack[-1].text.append(text)

    def end(self, tag: str) -> None:
        del tag
        self.path.pop()
        if not self._stack:
            self.progress()
            return
        element = self._stack.pop()
        text = "" if element.nil else "".join(element.text)
        if element.path:
            # Blanks between child elements are layout, not data.
            if not element.names or text.strip():
                self._put(element.path, text)
            return
        if text.strip():
            self._put(TEXT, text)
        self._records.append(self._record)
        self.count += 1
        self.progress()

    def _put(self, path: str, text: str) -> None:
        record = self._record
        if len(self._stack) > MOST_DEPTH:
            return
        if record.lists and any(path == one or path.startswith(f"{one}.") for one in record.lists):
            return
        if path in record.cells:
            record.problem = record.problem or f"the row has two values that are both called {path!r:.60}"
        record.cells[path] = text

    def _drop(self, path: str) -> None:
        """Forget what the first of several elements of one name said."""
        cells = self._record.cells
        for one in [name for name in cells if name == path or name.startswith(f"{path}.")]:
            del cells[one]


@dataclass
class _Seen:
    """What stands at one path: how often, and the names of its attributes and children."""

    count: int = 0
    names: dict[str, None] = field(default_factory=dict)


class _Shape(_Depth):
    """Counts what stands where, to find the rows."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.root_namespace = ""
        self._names = 0
        self._seen: dict[tuple[str, ...], _Seen] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        local = self.enter(tag)
        if len(self.path) == 1:
            self.root_namespace = tag[1:].rpartition("}")[0] if tag.startswith("{") else ""
        path = tuple(self.path)
        if len(self._seen) > _MOST_PATHS and path not in self._seen:
            return
        seen = self._seen.setdefault(path, _Seen())
        seen.count += 1
        if self._names < _MOST_NAMES:
            before = len(seen.names)
            seen.names.update(dict.fromkeys(f"@{_local(name)}" for name in attributes))
            self._names += len(seen.names) - before
            above = self._seen.get(path[:-1])
            if above is not None and local not in above.names:
                above.names[local] = None
                self._names += 1

    def end(self, tag: str) -> None:
        del tag
        self.path.pop()
        self.progress()

    def _columns_of(self, path: tuple[str, ...]) -> list[str]:
        """The columns that elements at a path would have as rows; attributes without their sign."""
        depth, found = len(path), []
        for below, seen in self._seen.items():
            if below[:depth] == path:
                prefix = "".join(f"{name}." for name in below[depth:])
                found += [f"{prefix}{name}" if prefix else name.removeprefix("@") for name in seen.names]
        return found

    def best(self, recognise: Recognise | None) -> tuple[str, ...] | None:
        """The path with the most columns of the contract; then what stands most often; then the outermost."""

        def score(path: tuple[str, ...]) -> tuple[int, int, int]:
            seen = self._seen[path]
            known = recognise(self._columns_of(path)) if recognise is not None else 0
            return known, seen.count, -len(path)

        inner = [path for path, seen in self._seen.items() if len(path) > 1 and seen.names]
        # Elements within rows repeat as often as rows do, or more: whatever repeats nearest to the top is the row.
        repeated = [path for path in inner if self._seen[path].count > 1]
        outermost = [
            path for path in repeated if not any(path[:size] in repeated for size in range(2, len(path)))
        ]
        known = [path for path in inner if recognise is not None and recognise(self._columns_of(path))]
        candidates = known or outermost or inner
        if not candidates:
            candidates = [path for path, seen in self._seen.items() if len(path) > 1 and seen.count > 1]
        return max(candidates, key=score, default=None)
