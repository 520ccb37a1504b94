"""How far incremental loads have come: the mark that one load leaves for the next.

What is promised, with W the watermark column and the rows in order of W:

- a row whose W is at or above the mark is sent, and sent once: rows that stood at the mark already are remembered by
  a hash of all their values and left out, so a row that is added there later, or changed, is still found;
- above 50,000 rows at the mark itself, they are remembered as one: unchanged they are left out, and when one of them
  is added or changes all of them are sent once more;
- a row that turns up later with a W below the mark is not found. Rows do, when a long transaction writes the time it
  began: the option `overlap` looks back that far each time, and what was sent before is left out in the same way.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from ...errors import ConfigError, SourceError

__all__ = ["MOST_REMEMBERED", "Follower", "Mark", "read_mark", "row_hash"]

#: Rows at the mark that are told apart one by one.
MOST_REMEMBERED: Final = 50_000
_HASH_BYTES: Final = 8


@dataclass(frozen=True)
class Mark:
    """What a load leaves: the largest value, the rows at it (by hash, with how often), or their number and sum."""

    column: str
    value: Any
    seen: Counter[int] = field(default_factory=Counter)
    many: tuple[int, int] | None = None
    columns: tuple[str, ...] = ()

    def text(self) -> str:
        """The mark as text: the value for people in the first line, all of it for `read_mark` in the second."""
        hashes = b"".join(one.to_bytes(_HASH_BYTES, "big") for one in sorted(self.seen.elements()))
        whole = {
            "value": _written(self.value), "column": self.column, "columns": list(self.columns),
            "seen": b64encode(hashes).decode(), "many": self.many,
        }  # fmt: skip
        shown = " ".join(_written(self.value)[1].split())[:60]
        return f"{shown}\n{json.dumps(whole)}"


def read_mark(text: str, column: str, name: str) -> Mark:
    """The mark in a text that `Mark.text` made.

    Raises:
        ConfigError: when it is none, or of another column.
    """
    try:
        found = json.loads(text.partition("\n")[2])
        packed = b64decode(found["seen"])
        hashes = [
            int.from_bytes(packed[at : at + _HASH_BYTES], "big") for at in range(0, len(packed), _HASH_BYTES)
        ]
        many = (int(found["many"][0]), int(found["many"][1])) if found["many"] else None
        mark = Mark(
            str(found["column"]), _read(found["value"]), Counter(hashes), many, tuple(found["columns"])
        )
    except (ValueError, KeyError, TypeError, ArithmeticError):
        raise ConfigError(f"The mark kept for {name} cannot be read.", "Start anew without it.") from None
    if mark.column != column:
        raise ConfigError(
            f"The mark kept for {name} is of the column {mark.column!r:.80}, not of {column!r:.80}.",
            "Put the option watermark back, or start anew without the mark.",
        )
    return mark


class Follower:
    """Follows the rows of one load: leaves out those sent before, and finds where the next load begins.

    Args:
        before: the mark of the load before, None for the first.
        column: the watermark's name.
        name: of the source, for messages.
        newer: whether a value is beyond another.
        overlap: how far the next load looks back; None for not at all.
        fold: whether very many rows at the mark may be remembered as one; else they are an error.
    """

    def __init__(
        self,
        before: Mark | None,
        column: str,
        name: str,
        newer: Callable[[Any, Any], bool],
        overlap: Any = None,
        *,
        fold: bool = True,
    ) -> None:
        self._fold = fold
        self.before, self.column, self.name, self.newer, self.overlap = before, column, name, newer, overlap
        self.columns: tuple[str, ...] = before.columns if before else ()
        self._left = Counter(before.seen) if before else Counter()
        self._value: Any = None
        self._window: deque[tuple[Any, Sequence[Any]]] = deque()
        self._many: list[int] | None = None

    def is_new(self, value: Any, row: Sequence[Any]) -> bool:
        """Whether a row was not sent before; every row of a load passes here once, in order."""
        self._follow(value, row)
        if not self._left or self.before is None or self.newer(value, self.before.value):
            return True
        found = row_hash(row)
        if self._left[found] > 0:
            self._left[found] -= 1
            return False
        return True

    def mark(self) -> Mark | None:
        """Where the next load begins; None when no row had a value."""
        if self._value is None:
            return None
        if self._many is not None:
            return Mark(self.column, self._value, many=(self._many[0], self._many[1]), columns=self.columns)
        hashes = Counter(row_hash(row) for _, row in self._window)
        return Mark(self.column, self._value, hashes, columns=self.columns)

    def _follow(self, value: Any, row: Sequence[Any]) -> None:
        if value is None:
            return
        if self._value is None or self.newer(value, self._value):
            self._value = value
            self._forget(value)
        elif self.overlap is None and self.newer(self._value, value):
            return
        if self._many is not None:
            self._add(row)
            return
        self._window.append((value, row))
        if len(self._window) > MOST_REMEMBERED:
            self._give_up()

    def _forget(self, value: Any) -> None:
        """Let go of rows that the next load does not look at again."""
        if self.overlap is None:
            self._window.clear()
            self._many = None
            return
        floor = below(value, self.overlap, self.name)
        while self._window and self._window[0][0] < floor:
            self._window.popleft()

    def _give_up(self) -> None:
        if not self._fold:
            raise SourceError(
                f"More than {MOST_REMEMBERED:,} rows of {self.name} have the same {self.column}.",
                "Use a watermark with finer values.",
            )
        if self.overlap is not None:
            raise SourceError(
                f"More than {MOST_REMEMBERED:,} rows of {self.name} lie within the overlap.",
                "Make the option overlap shorter.",
            )
        self._many = [0, 0]
        for _, row in self._window:
            self._add(row)
        self._window.clear()

    def _add(self, row: Sequence[Any]) -> None:
        assert self._many is not None  # noqa: S101 (the caller has looked)
        self._many[0] += 1
        self._many[1] = (self._many[1] + row_hash(row)) % (1 << 8 * _HASH_BYTES)


def below(value: Any, overlap: Any, name: str) -> Any:
    """A value less the overlap: seconds for times, whole days for dates, the number itself for numbers.

    Raises:
        ConfigError: when the watermark's values have no distance.
    """
    try:
        if isinstance(value, datetime):
            return value - timedelta(seconds=float(overlap))
        if isinstance(value, date):
            return value - timedelta(days=-(-float(overlap) // 86400))
        if isinstance(value, int | float | Decimal):
            return value - type(value)(overlap)
    except OverflowError:
        return value
    raise ConfigError(
        f"The watermark of {name} is text, so the option overlap means nothing.",
        "Leave overlap out, or use a column of dates, times or numbers.",
    )


def row_hash(row: Sequence[Any]) -> int:
    """A short hash of all values of a row, the same whatever zone a session shows times in."""
    plain = [
        value.astimezone(UTC)
        if isinstance(value, datetime) and value.tzinfo and 1 < value.year < 9999
        else value
        for value in row
    ]
    text = "\x1f".join(f"{type(value).__name__}:{value}" for value in plain)
    return int.from_bytes(
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest(), "big"
    )


def _written(value: Any) -> list[str]:
    """A value with its kind, so that it can be bound again as what it was."""
    if isinstance(value, datetime | date):
        return [type(value).__name__, value.isoformat()]
    if type(value) in (int, float, Decimal, str):
        return [type(value).__name__, str(value)]
    raise ConfigError(
        "The column in the option watermark holds values that have no order to go by.",
        "Use a column of times, dates, numbers or text that sorts.",
    )


def _read(written: list[str]) -> Any:
    kind, text = written
    kinds: dict[str, Callable[[str], Any]] = {
        "int": int, "float": float, "Decimal": Decimal, "str": str,
        "datetime": datetime.fromisoformat, "date": date.fromisoformat,
    }  # fmt: skip
    return kinds[kind](text)
