"""JSON read value by value from a stream of text, with memory bounded by the largest record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..errors import SourceError
from ..rendering import plain_number
from ._members import MOST_DEPTH, Record, storable, too_deep

__all__ = ["LARGEST", "Decoder", "JsonText", "record_of"]

#: Characters of one record.
LARGEST: Final = 16 << 20
_BLANK: Final = " \t\n\r"
_BLANKS: Final = re.compile(r"[ \t\n\r]*")
#: What matters for the end of a value: whole strings, brackets, or the beginning of a string that is cut.
_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]]|"', re.DOTALL)
_PLAIN: Final = re.compile(r'[^\s,{}\[\]"]+')
#: How close to the end of the text an error must be for more text to mend it: the length of "-Infinity" and more.
_NEAR_END: Final = 16


class Decoder:
    """JSON values with numbers as they are written, and a list of what RFC 8259 leaves open or forbids.

    `problems` holds what was found since it was emptied.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=str, parse_float=_decimal, parse_constant=self._constant
        )

    def decode(self, text: str, start: int = 0) -> tuple[Any, int]:
        """The value that begins at `start`, and where it ends.

        Raises:
            ValueError: when there is none.
            RecursionError: when it is nested too deeply.
        """
        return self._decoder.raw_decode(text, start)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            self.problems.append(
                f"the member {storable(twice)!r:.60} stands more than once in the row; which one counts cannot be told"
            )
        return members

    def _constant(self, name: str) -> str:
        self.problems.append(f"{name} is no JSON number; write null where there is no value")
        return name


def _decimal(literal: str) -> str:
    """A number as it is written, but without an exponent, and without a fraction of noughts: 2.0 is 2."""
    if "e" in literal or "E" in literal:
        return plain_number(literal)
    whole, _, fraction = literal.partition(".")
    return literal if fraction.strip("0") else whole


class JsonText:
    """A place in JSON text that comes in pieces."""

    def __init__(self, pieces: Iterator[str], name: str, decoder: Decoder) -> None:
        self._pieces, self._name, self.decoder = pieces, name, decoder
        self._text, self._at, self._before, self._ended = "", 0, 0, False

    @property
    def position(self) -> int:
        """Characters read so far."""
        return self._before + self._at

    def peek(self) -> str:
        """The next character that is not blank, "" at the end."""
        while True:
            blank = _BLANKS.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, sign: str) -> None:
        """Step over a character that must come next.

        Raises:
            SourceError: when another one does.
        """
        found = self.peek()
        if found != sign:
            raise self.broken(f"{sign!r} is missing" if found else "it ends too early")
        self._at += 1

    def value(self) -> Any:
        """The value that comes next.

        Raises:
            SourceError: when there is none, or it is too large.
            RecursionError: when it is nested too deeply; it can be skipped.
        """
        self.peek()
        while True:
            try:
                value, end = self.decoder.decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _NEAR_END
                if not cut or not self._longer():
                    self._at = min(error.pos, len(self._text))
                    raise self.broken(_reason(error.msg)) from None
            else:
                # A number may go on: what was read of 1.5e+7 so far can be as little as 1 and a point, or 1.5 and e+
                if self._text[end - 1] in '"}]' or end + 2 < len(self._text) or not self._longer():
                    self._at = end
                    return value
            self.decoder.problems.clear()

    def skip(self) -> None:
        """Step over the value that comes next, however large or deep, looking at its brackets only.

        Raises:
            SourceError: when it does not end.
        """
        depth, begin = 0, self.peek()
        if begin not in ("{", "[", '"'):
            plain = _PLAIN.match(self._text, self._at)
            if plain is None:
                raise self.broken("a value is missing")
            while plain is not None and plain.end() == len(self._text) and self._more():
                plain = _PLAIN.match(self._text, self._at)
            self._at = plain.end() if plain else self._at
            return
        while True:
            found = _STRUCTURE.search(self._text, self._at)
            if found is None or found[0] == '"':
                self._at = len(self._text) if found is None else found.start()
                if not (self._more() if found is None else self._longer()):
                    raise self.broken("it ends too early")
                continue
            self._at = found.end()
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
            if depth <= 0:
                return

    def broken(self, why: str) -> SourceError:
        """The error that the text is no JSON, from this place on."""
        return SourceError(
            f"{self._name} is not valid JSON: {why} (at character {self.position + 1:,}).",
            "Export it again; if it was cut short, wait until the export has finished.",
        )

    def _more(self) -> bool:
        """Drop what was read, and go on to the next piece."""
        piece = next(self._pieces, None)
        self._before += self._at
        self._text, self._at = self._text[self._at :] + (piece or ""), 0
        self._ended = piece is None
        return not self._ended

    def _longer(self) -> bool:
        """Read on to twice as much text, so that a long value is not tried too often; False when there is no more."""
        have = len(self._text) - self._at
        if have > LARGEST:
            raise SourceError(
                f"{self._name} has a value of more than {LARGEST >> 20} million characters "
                f"(at character {self.position + 1:,}).",
                "Rows must be smaller than that: is this the right file, and --rows-path where its rows are?",
            )
        more = False
        while not self._ended and len(self._text) - self._at <= 2 * have:
            more = self._more() or more
        return more


def _reason(message: str) -> str:
    """What Python's decoder found, in plain words."""
    known: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Expecting value", lambda: "a value is missing or not written as JSON"),
        (
            "Expecting property name",
            lambda: "the name of a member is missing or not in double quotation marks",
        ),
        ("Expecting ':'", lambda: "a colon is missing"),
        ("Expecting ','", lambda: "a comma is missing"),
        ("Unterminated string", lambda: "a quotation mark is never closed"),
        (
            "Invalid control character",
            lambda: "a text holds a line end or control character that is not escaped",
        ),
        ("Invalid \\", lambda: "a text holds a backslash that escapes nothing"),
        ("Illegal trailing comma", lambda: "there is a comma after the last entry"),
    )
    return next(
        (words() for begin, words in known if message.startswith(begin)), "it breaks the rules of JSON"
    )


def record_of(value: Any, decoder: Decoder) -> Record:
    """A decoded value as a record; takes the decoder's problems with it."""
    problems, decoder.problems = decoder.problems, []
    if not isinstance(value, dict):
        return Record(problem="the row is no object with named members")
    record = Record(problem=problems[0] if problems else "")
    _flatten(value, "", 1, record)
    return record


def _flatten(members: dict[str, Any], prefix: str, depth: int, record: Record) -> None:
    for name, member in members.items():
        path = prefix + (name if name.isascii() else storable(name))
        if isinstance(member, str):
            text = member
        elif isinstance(member, dict) and member:
            if depth < MOST_DEPTH:
                _flatten(member, f"{path}.", depth + 1, record)
            else:
                record.problem = record.problem or too_deep()
            continue
        elif isinstance(member, list) and member:
            record.lists.add(path)
            continue
        else:
            text = str(member).lower() if isinstance(member, bool) else ""
        if path in record.cells:
            record.problem = record.problem or f"the row has two members that are both called {path!r:.60}"
        record.cells[path] = text
