"""Typed columns as the text a contract expects, so that every source is checked in the same way.

A date or timestamp is written in the first layout the contract declares for its column that loses nothing of it,
and in ISO 8601 where none does: what then breaks the contract is refused for what it is, not cut to fit. Numbers are
written in full, without an exponent; booleans as true and false.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from .errors import SourceError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from hub_schemas import Column, Contract

__all__ = ["as_text", "plain_number"]

_DIRECTIVE: Final = re.compile("%-?[A-Za-z]")
#: What must be at its beginning for a layout without these directives to say all of it; alternatives in one entry.
_NEEDED: Final = (
    (("%d", "%-d"), "day", 1),
    (("%H",), "hour", 0),
    (("%M",), "minute", 0),
    (("%S",), "second", 0),
    (("%f",), "microsecond", 0),
)
#: Years that two digits can say (POSIX).
_SHORT_YEARS: Final = (1969, 2068)
#: What is written for a date that no calendar holds; no contract accepts it as one.
_NO_DATE: Final = "(no date of the years 1 to 9999)"
_ISO_DATE: Final = "%Y-%m-%d"
_ISO_TIMES: Final = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f")


def as_text(
    table: pa.Table, contract: Contract | None = None, names: Sequence[str | None] | None = None
) -> pa.Table:
    """The table with every column as text, "" where a typed column is null; text columns as they are.

    Args:
        table: as a source gave it.
        contract: what the text is to be checked against; without one dates are written in ISO 8601.
        names: for each column the header by which the contract knows it, None for one that it does not know.

    Raises:
        SourceError: when a column is of a type that has no text, such as a list.
    """
    import pyarrow as pa

    if all(pa.types.is_string(field.type) for field in table.schema):
        return table
    known = {column.source_name: column for column in contract.columns} if contract else {}
    wanted = [known.get(name) if name is not None else None for name in names or [None] * table.num_columns]
    columns = [
        _column(label, column, meant)
        for label, column, meant in zip(table.column_names, table.columns, wanted, strict=True)
    ]
    return pa.table(columns, names=table.column_names)


def _column(label: str, column: pa.ChunkedArray, wanted: Column | None) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type):
        return column
    return pc.fill_null(_written(label, column, wanted), "")


def _written(label: str, column: pa.ChunkedArray, wanted: Column | None) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, is_a = column.type, pa.types
    if is_a.is_dictionary(kind):
        return _written(label, column.cast(kind.value_type), wanted)
    if is_a.is_struct(kind):
        parts = [pc.struct_field(column, name) for name in ("text", "date", "time") if _has(kind, name)]
        if len(parts) == kind.num_fields:
            return pc.coalesce(*[_written(label, part, wanted) for part in parts])
    for fits, write in (
        (lambda: is_a.is_null(kind) or is_a.is_large_string(kind) or is_a.is_string_view(kind), _cast),
        (lambda: is_a.is_string(kind) or is_a.is_boolean(kind) or is_a.is_integer(kind), _cast),
        (lambda: is_a.is_floating(kind), _floats),
        (lambda: is_a.is_decimal(kind), _decimals),
        (lambda: is_a.is_date(kind), _dates),
        (lambda: is_a.is_timestamp(kind), _times),
        (lambda: is_a.is_time(kind), _clock),
        (lambda: is_a.is_duration(kind), _durations),
    ):
        if fits():
            return write(column, wanted)
    raise SourceError(
        f"The column {label!r:.60} holds values of the type {kind!s:.60}, which no contract can check.",
        "Leave it out of the export, or write its values as text, numbers or dates.",
    )


def _has(kind: pa.DataType, name: str) -> bool:
    return kind.get_field_index(name) >= 0


def _cast(column: pa.ChunkedArray, _wanted: Column | None) -> pa.ChunkedArray:
    import pyarrow as pa

    return column.cast(pa.string())


def plain_number(text: str) -> str:
    """A number's text without exponent, as long as that stays of a reasonable length."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond all bounds
        return text
    if not number.is_finite() or abs(number.adjusted()) > 400:
        return text
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _each(column: pa.ChunkedArray, pattern: str, change: Callable[[str], str]) -> pa.ChunkedArray:
    """The texts, with those that a pattern finds changed one by one; they are few."""
    import pyarrow as pa
    import pyarrow.compute as pc

    odd = pc.fill_null(pc.match_substring_regex(column, pattern), False)
    if not pc.any(odd).as_py():
        return column
    changed = [change(text) for text in column.filter(odd).to_pylist()]
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    mask = odd.combine_chunks() if isinstance(odd, pa.ChunkedArray) else odd
    return pa.chunked_array([pc.replace_with_mask(whole, mask, pa.array(changed, pa.string()))])


def _floats(column: pa.ChunkedArray, _wanted: Column | None) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_float64(column.type):
        return _each(column.cast(pa.string()), "e", plain_number)
    # Whole numbers by way of integers: Arrow writes large ones with an exponent.
    is_whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 1e15))
    zero = pa.scalar(0.0)
    whole = pc.if_else(is_whole, column, zero).cast(pa.int64()).cast(pa.string())
    if pc.all(is_whole).as_py():
        return whole
    return pc.if_else(is_whole, whole, _each(column.cast(pa.string()), "e", plain_number))


def _decimals(column: pa.ChunkedArray, wanted: Column | None) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = _each(column.cast(pa.string()), "E", lambda value: format(Decimal(value), "f"))
    if wanted is not None and wanted.type == "integer":
        return pc.replace_substring_regex(text, r"\.0+$", "")
    return text


def _clock(column: pa.ChunkedArray, _wanted: Column | None) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.replace_substring_regex(column.cast(pa.string()), r"\.0+$", "")


def _durations(column: pa.ChunkedArray, _wanted: Column | None) -> pa.ChunkedArray:
    """Hours, minutes and seconds; more than a day is more than 24 hours."""
    import pyarrow as pa

    unit = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    texts = []
    for value in column.cast(pa.int64()).to_pylist():
        if value is None:
            texts.append(None)
            continue
        seconds, rest = divmod(abs(value), unit)
        fraction = f".{rest * 10**9 // unit:09d}".rstrip("0") if rest else ""
        sign = "-" if value < 0 else ""
        texts.append(f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}")
    return pa.chunked_array([pa.array(texts, pa.string())])


def _dates(column: pa.ChunkedArray, wanted: Column | None) -> pa.ChunkedArray:
    import pyarrow as pa

    moments = _series(column.cast(pa.date32()).cast(pa.timestamp("s")))
    timed = wanted is not None and wanted.type == "timestamp"
    formats = wanted.formats if wanted is not None and wanted.type in ("date", "timestamp") else ()
    return _arrow(_text_series(moments, formats, (_ISO_TIMES[0],) if timed else (_ISO_DATE,)), column)


def _times(column: pa.ChunkedArray, wanted: Column | None) -> pa.ChunkedArray:
    """Moments: those that know their time zone are written with it, or as local time of the contract's zone."""
    import pyarrow as pa

    zone = column.type.tz
    formats = wanted.formats if wanted is not None and wanted.type in ("date", "timestamp") else ()
    # Without its zone a moment is in universal time. A contract's moments are exact to the microsecond.
    moments = _series(column.cast(pa.timestamp(column.type.unit)))
    if zone is None:
        return _arrow(_text_series(moments, formats, _ISO_TIMES), column)
    in_universal = [layout.replace("%z", "+00:00") for layout in formats if "%z" in layout]
    iso = tuple(f"{layout}+00:00" for layout in _ISO_TIMES)
    if in_universal or not formats or wanted is None:
        return _arrow(_text_series(moments, in_universal, iso), column)
    local = moments.dt.replace_time_zone("UTC").dt.convert_time_zone(wanted.timezone)
    plain_local = local.dt.replace_time_zone(None)
    # Of an hour that comes twice in autumn a contract takes the first; the second can only be said with its offset.
    back = plain_local.dt.replace_time_zone(wanted.timezone, ambiguous="earliest", non_existent="null")
    first = (back == local).fill_null(value=False)
    written = _text_series(plain_local, formats, _ISO_TIMES)
    return _arrow(written.zip_with(first, _text_series(moments, (), iso)), column)


def _series(column: pa.ChunkedArray) -> pl.Series:
    """Moments without time zone in microseconds, null for those outside the years 1 to 9999."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc

    from hub_schemas.texts import FIRST_MICROSECOND, LAST_MICROSECOND

    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    number = column.cast(pa.int64())
    # Nanoseconds of 64 bits stay within these years.
    first, last = (
        max(-(2**63), min(2**63 - 1, bound * scale // 10**6))
        for bound in (FIRST_MICROSECOND, LAST_MICROSECOND)
    )
    known = pc.and_(pc.greater_equal(number, pa.scalar(first)), pc.less_equal(number, pa.scalar(last)))
    inside = pc.if_else(known, column, pa.scalar(None, column.type))
    return pl.Series(inside.cast(pa.timestamp("us"), safe=False)).cast(pl.Datetime("us"))


def _arrow(written: pl.Series, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as Arrow; a moment that has none is one no calendar holds, and says so."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.chunked_array([written.to_arrow().cast(pa.string())])
    lost = pc.and_(pc.is_valid(column), pc.is_null(text))
    return pc.if_else(lost, _NO_DATE, text) if pc.any(lost).as_py() else text


def _text_series(moments: pl.Series, formats: Sequence[str], otherwise: Sequence[str]) -> pl.Series:
    """Moments without time zone in the first layout that says all of each; the last of all layouts says what it can."""
    import polars as pl

    text = pl.Series([None] * len(moments), dtype=pl.String)
    left = moments.is_not_null()
    layouts = [layout for layout in formats if "%z" not in layout] + list(otherwise)
    for place, layout in enumerate(layouts, start=1):
        says_all = left if place == len(layouts) else left & _says_all(moments, layout)
        if says_all.any():
            written = moments.dt.strftime(layout.replace("%f", "%6f"))
            text = written.zip_with(says_all, text)
            left = left & ~says_all
            if not left.any():
                break
    return text


def _says_all(moments: pl.Series, layout: str) -> pl.Series:
    """Which moments a layout writes without losing anything."""
    there = set(_DIRECTIVE.findall(layout))
    years = moments.dt.year()
    first, last = (1, 9999) if "%Y" in there else _SHORT_YEARS
    fits = years.is_between(first, last)
    for part, beginning in _missing(there):
        fits &= getattr(moments.dt, part)() == beginning
    return fits.fill_null(value=False)


def _missing(there: set[str]) -> Iterator[tuple[str, int]]:
    """What a layout leaves out, and what it must be for that not to matter."""
    for names, part, beginning in _NEEDED:
        if there.isdisjoint(names):
            yield part, beginning
