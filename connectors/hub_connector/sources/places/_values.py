"""Rows of Python values, as database drivers give them, to batches of columns.

Dates and timestamps keep their types, so that they can be written as a contract wants them; numbers and booleans are
written out, exactly and in the one way there is. A column has one type in all batches, whatever its later rows hold.
What cannot be read is a fault of its row; binary columns are refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ...errors import SourceError
from ..base import Batch, Spoilt, mixed_type

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Rows", "as_words"]

_BINARY: Final = (bytes, bytearray, memoryview)
_NESTED: Final = (list, tuple, dict, set, frozenset)
#: Numbers with more digits than these keep their exponent.
_MOST_DIGITS: Final = 400
#: What a row's fault says; both are codes of frictionless.
_DATES: Final = ("type-error", "{}: no moment from year 1 to 9999, where the column holds moments")
_BYTES: Final = (
    "encoding-error",
    "{}: the text has bytes that are not UTF-8; say what they are: option encoding",
)


class Rows:
    """Turns rows into batches; counts the data rows from 1.

    Args:
        columns: names of the columns.
        name: of the source, for messages.
        encoding: how to read text that is not UTF-8; empty for none.
        trim: whether blanks at the end of text are dropped (columns of type CHAR are filled up with them).
    """

    def __init__(self, columns: Sequence[str], name: str, *, encoding: str = "", trim: bool = True) -> None:
        self.columns = tuple(columns)
        self.count = 0
        #: Columns in which text ended with blanks.
        self.padded: set[str] = set()
        self._name, self._encoding, self._trim = name, encoding, trim
        self._forms: dict[str, str] = {}

    def batch(self, rows: Sequence[Sequence[Any]]) -> Batch:
        """The next batch; `rows` is not empty.

        Raises:
            SourceError: when a column holds what no contract can describe.
        """
        import pyarrow as pa

        first, odd = self.count + 1, {}
        self.count += len(rows)
        arrays = [
            self._array(name, values, odd)
            for name, values in zip(self.columns, zip(*rows, strict=True), strict=True)
        ]
        spoilt = tuple(
            Spoilt(first + index, self._cells(rows[index]), rule, message)
            for index, (rule, message) in sorted(odd.items())
        )
        if odd:
            mask = pa.array([index in odd for index in range(len(rows))])
            arrays = [_blanked(array, mask) for array in arrays]
        return Batch(pa.table(arrays, names=list(self.columns)), first, spoilt)

    def nothing(self) -> pa.Table:
        """A table without rows."""
        import pyarrow as pa

        return pa.table([pa.array([], pa.string()) for _ in self.columns], names=list(self.columns))

    def _cells(self, row: Sequence[Any]) -> tuple[str, ...]:
        return tuple(as_words(self._decoded(value)[0]).encode("utf-8", "replace").decode() for value in row)

    def _array(self, name: str, values: Sequence[Any], odd: dict[int, tuple[str, str]]) -> pa.Array:
        """One column; rows whose value cannot stand are added to `odd`."""
        import pyarrow as pa

        kinds = set(map(type, values)) - {type(None)}
        form = self._forms.setdefault(name, _form(kinds, values))
        try:
            if form == "zoned":
                return self._zoned(name, values, odd)
            if form == "mixed" and len(kinds) <= 1 and kinds <= {date, datetime}:
                return _plain_dates(values, kinds)
            words = _quickly(values, kinds)
        except (pa.ArrowException, UnicodeError, OverflowError, ValueError, TypeError):
            words = None  # some value does not fit: look at each
        if words is None:
            words = pa.array(self._slowly(name, values, odd, dates=form == "text"), pa.string())
        return _mixed(words, values) if form == "mixed" else self._text(name, words)

    def _slowly(
        self, name: str, values: Sequence[Any], odd: dict[int, tuple[str, str]], *, dates: bool
    ) -> list[str | None]:
        """The text of each value; with `dates` also of dates."""
        words: list[str | None] = []
        for index, value in enumerate(values):
            if isinstance(value, _BINARY) and not self._encoding:
                raise self._unsuitable(
                    name, "binary data", "or, if it is text, say its encoding (option encoding)"
                )
            if isinstance(value, _NESTED):
                raise self._unsuitable(
                    name, "lists or documents", "or pick single values out of it in a query"
                )
            decoded, readable = self._decoded(value)
            if not readable:
                odd[index] = (_BYTES[0], _BYTES[1].format(name))
            plain = value is None or not readable or (not dates and (_is_day(value) or _is_time(value)))
            words.append(None if plain else as_words(decoded))
        return words

    def _zoned(self, name: str, values: Sequence[Any], odd: dict[int, tuple[str, str]]) -> pa.Array:
        """Moments that know their time zone."""
        import pyarrow as pa

        kept: list[Any] = []
        for index, value in enumerate(values):
            fits = value is None or (isinstance(value, datetime) and value.tzinfo is not None)
            if not fits:
                odd[index] = (_DATES[0], _DATES[1].format(name))
            kept.append(value if fits else None)
        return pa.array(kept, pa.timestamp("us", "UTC"))

    def _decoded(self, value: Any) -> tuple[Any, bool]:
        """Bytes as text, and whether the value can be read at all."""
        if isinstance(value, _BINARY):
            value = bytes(value).decode("utf-8", "surrogateescape")
        if isinstance(value, str) and not _is_clean(value):
            if self._encoding:
                raw = value.encode("utf-8", "surrogateescape")
                try:
                    return raw.decode(self._encoding), True
                except UnicodeError:
                    pass
            return value.encode("utf-8", "replace").decode(), False
        return value, True

    def _text(self, name: str, array: pa.Array) -> pa.Array:
        """Text without nulls, and without blanks at its end."""
        import pyarrow.compute as pc

        full = array.fill_null("") if array.null_count else array
        if not self._trim:
            return full
        trimmed = pc.utf8_rtrim(full, " ")
        if trimmed.nbytes != full.nbytes or not trimmed.equals(full):
            self.padded.add(name)
        return trimmed

    def _unsuitable(self, name: str, what: str, otherwise: str) -> SourceError:
        return SourceError(
            f"Column {name!r:.80} of {self._name} holds {what}, which no contract describes.",
            f"Leave it out: name the others in the option columns or in the query; {otherwise}.",
        )


def _form(kinds: set[type], values: Sequence[Any]) -> str:
    """What a column is to be in all batches, judged by the first: text, mixed (also dates), or zoned moments."""
    if not any(issubclass(kind, date) for kind in kinds):
        return "text" if kinds else "mixed"
    return "mixed" if any(_is_day(value) or _is_time(value) for value in values) else "zoned"


def _is_day(value: Any) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _is_time(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is None


def _quickly(values: Sequence[Any], kinds: set[type]) -> pa.Array | None:
    """Text of a column that holds one plain kind of value; None when each has to be looked at."""
    import pyarrow as pa

    if not kinds or kinds == {str}:
        return pa.array(values, pa.string())
    if kinds == {int}:
        return pa.array(values, pa.int64()).cast(pa.string())
    if kinds == {bool}:
        return pa.array(values, pa.bool_()).cast(pa.string())
    return None


def _plain_dates(values: Sequence[Any], kinds: set[type]) -> pa.Array:
    """Only dates, or only timestamps without a zone, as the type of a column that may hold other things as well."""
    import pyarrow as pa

    text, day, time_of = pa.string(), pa.date32(), pa.timestamp("us")
    if kinds == {datetime} and any(value is not None and value.tzinfo is not None for value in values):
        raise ValueError("not only times without a zone")
    count = len(values)
    days = pa.array(values, day) if kinds == {date} else pa.nulls(count, day)
    times = pa.array(values, time_of) if kinds == {datetime} else pa.nulls(count, time_of)
    return pa.StructArray.from_arrays([pa.nulls(count, text), days, times], fields=list(mixed_type()))


def _mixed(words: pa.Array, values: Sequence[Any]) -> pa.Array:
    """Dates beside what is none, such as the zero date of old MySQL or infinity."""
    import pyarrow as pa

    days = pa.array([value if _is_day(value) else None for value in values], pa.date32())
    times = pa.array([value if _is_time(value) else None for value in values], pa.timestamp("us"))
    return pa.StructArray.from_arrays([words, days, times], fields=list(mixed_type()))


def _blanked(array: pa.Array, mask: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(mask, pa.scalar(None, array.type), array)


def _is_clean(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


def as_words(value: Any) -> str:
    """One value as text: ISO 8601, true and false, numbers without an exponent, "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | float):
        number = value if isinstance(value, Decimal) else Decimal(repr(value))
        if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
            return str(value)
        plain = format(number, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    if isinstance(value, datetime):
        try:
            return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
        except OverflowError:
            return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
