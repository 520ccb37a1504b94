"""Dates and timestamps, a column at a time: the same layouts as `layouts.py`, read from grids of bytes.

Every layout has one width, so the cells of that width are one grid, and each field is a table look-up or two.
Days are looked up too: a table holds the first day of every month of the years 1 to 9999.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl

from hub_schemas.bytegrid import Grid, Mask, Numbers, looked_up
from hub_schemas.layouts import MONTHS, Layout, layouts
from hub_schemas.model import Column
from hub_schemas.texts import FIRST_MICROSECOND, LAST_MICROSECOND

__all__ = ["parse_series"]

Moments = np.ndarray[Any, np.dtype[np.int64]]

_MINUTE: Final = 60_000_000


@cache
def _month_of() -> Numbers:
    """Three small letters at five bits each -> the month, 0 for none."""
    table = np.zeros(2**15, dtype=np.int32)
    for index, name in enumerate(MONTHS, start=1):
        bits = [ord(letter) & 31 for letter in name[:3]]
        table[(bits[0] << 10) | (bits[1] << 5) | bits[2]] = index
    return table


@cache
def _calendar() -> tuple[Numbers, Numbers]:
    """For year * 16 + month: the day before its first (days since 1970-01-01) and how many days it has."""
    months = np.arange(0, 9999 * 12 + 1, dtype=np.int64) - 1969 * 12
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int32)
    index = (np.arange(9999 * 12) // 12 + 1) * 16 + np.arange(9999 * 12) % 12 + 1
    before, length = np.zeros(10_000 * 16, dtype=np.int32), np.zeros(10_000 * 16, dtype=np.int32)
    before[index], length[index] = first[:-1] - 1, np.diff(first)
    return before, length


def _month_by_name(grid: Grid, start: int, fits: Mask) -> Numbers:
    """The month of Jan..Dec in any case: setting bit 5 makes small letters of capitals only."""
    code = np.zeros(grid.rows, dtype=np.int32)
    for position in range(start, start + 3):
        small = grid.byte(position) | np.uint8(32)
        fits &= (small >= ord("a")) & (small <= ord("z"))
        code = (code << 5) | (small & np.uint8(31))
    return np.asarray(looked_up(_month_of(), code))


def _match_text(grid: Grid, start: int, text: str, fits: Mask, *, any_case: bool) -> None:
    for position, sign in enumerate(text.encode(), start):
        cell = grid.byte(position)
        fits &= (cell | np.uint8(32) if any_case else cell) == sign


def _offset(grid: Grid, start: int, width: int, fits: Mask) -> Numbers:
    """Minutes east of UTC from +hh:mm or +hhmm."""
    minus, plus = grid.byte(start) == ord("-"), grid.byte(start) == ord("+")
    fits &= minus | plus
    if width == 6:
        fits &= grid.byte(start + 3) == ord(":")
    hours, minutes = grid.number(start + 1, 2), grid.number(start + width - 2, 2)
    fits &= (hours >= 0) & (hours < 24) & (minutes >= 0) & (minutes < 60)
    east: Numbers = hours * 60 + minutes
    return np.where(minus, -east, east)


def _fields(grid: Grid, layout: Layout, fits: Mask) -> dict[str, Numbers]:
    values: dict[str, Numbers] = {}
    for part in layout.parts:
        if part.field in ("literal", "name"):
            _match_text(grid, part.start, part.text, fits, any_case=part.field == "name")
            if part.field == "name":
                values["month"] = np.full(grid.rows, MONTHS.index(part.text) + 1, dtype=np.int32)
        elif part.field == "month3":
            values["month"] = _month_by_name(grid, part.start, fits)
        elif part.field == "zulu":
            fits &= grid.byte(part.start) == ord("Z")
            values["offset"] = np.zeros(grid.rows, dtype=np.int32)
        elif part.field == "offset":
            values["offset"] = _offset(grid, part.start, part.width, fits)
        elif part.field == "fraction":
            values["fraction"] = _fraction(grid, part.start, part.width)
        elif part.field == "year2":
            short = grid.number(part.start, 2)
            values["year"] = short + np.where(
                short >= 69, np.int32(1900), np.where(short >= 0, np.int32(2000), 0)
            )
        else:
            values[part.field] = grid.number(part.start, part.width)
    return values


def _fraction(grid: Grid, start: int, width: int) -> Numbers:
    """Microseconds from one to six digits of a second."""
    high = grid.number(start, min(width, 4))
    low = grid.number(start + 4, width - 4) if width > 4 else np.zeros(grid.rows, dtype=np.int32)
    digits = high if width < 5 else high * np.int32(10 ** (width - 4)) + low
    # Bytes that are no digits are struck before scaling, which would carry them past 32 bits.
    return np.where((high < 0) | (low < 0), np.int32(-1), digits * np.int32(10 ** (6 - width)))


def _days(values: dict[str, Numbers], fits: Mask) -> Numbers:
    """Days since 1970-01-01; rows that are no date of the calendar are struck from `fits`."""
    year, month = values["year"], values["month"]
    before, length = _calendar()
    fits &= (year >= 1) & (month >= 1) & (month <= 12)
    index = year * np.int32(16) + month
    first: Numbers = looked_up(before, index)
    day = values.get("day")
    if day is None:
        return first + np.int32(1)
    fits &= (day >= 1) & (day <= looked_up(length, index))
    return np.asarray(first + day)


def _moments(values: dict[str, Numbers], fits: Mask) -> Moments:
    """Microseconds since 1970-01-01T00:00 of whatever clock the fields are of."""
    seconds = _days(values, fits).astype(np.int64) * 86_400
    for name, most, scale in (("hour", 24, 3600), ("minute", 60, 60), ("second", 60, 1)):
        if name in values:
            fits &= (values[name] >= 0) & (values[name] < most)
            seconds += values[name] * np.int32(scale)
    moments: Moments = seconds * 1_000_000
    if "fraction" in values:
        fits &= values["fraction"] >= 0
        moments += values["fraction"]
    return moments


def _read(grid: Grid, layout: Layout, column: Column) -> tuple[Numbers | Moments, Mask]:
    """Days or microseconds of each row, and whether it fits."""
    fits = np.ones(grid.rows, dtype=np.bool_)
    values = _fields(grid, layout, fits)
    if column.type == "date":
        return _days(values, fits), fits
    moments = _moments(values, fits)
    if "offset" in values:
        moments = moments - values["offset"] * np.int64(_MINUTE)
    elif column.timezone != "UTC":
        moments, real = _from_local(np.where(fits, moments, 0), column.timezone)
        fits &= real
    return moments, fits & (moments >= FIRST_MICROSECOND) & (moments <= LAST_MICROSECOND)


def _from_local(moments: Moments, zone: str) -> tuple[Moments, Mask]:
    """UTC microseconds of local times, and which of them exist; of an hour that comes twice, the first."""
    local = pl.Series(moments).cast(pl.Datetime("us"))
    there = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    utc = there.dt.convert_time_zone("UTC").to_physical()
    return utc.fill_null(0).to_numpy(), utc.is_not_null().to_numpy()


def parse_series(column: Column, text: pl.Series) -> pl.Series:
    """Texts -> Date or Datetime("us", "UTC"); null where missing or in none of the column's formats."""
    with_time = column.type == "timestamp"
    lengths = text.str.len_bytes()
    found = np.zeros(len(text), dtype=np.int64 if with_time else np.int32)
    done = np.zeros(len(text), dtype=np.bool_)
    left = text.is_not_null().to_numpy(writable=True)
    for pattern in column.formats:
        for layout in layouts(pattern, with_time=with_time):
            at = left & (lengths == layout.width).fill_null(False).to_numpy()
            whole = bool(at.all())
            if not whole and not at.any():
                continue
            values, fits = _read(
                Grid(text if whole else text.filter(pl.Series(at)), layout.width), layout, column
            )
            if whole and fits.all():
                return _typed(pl.Series(text.name, values), with_time=with_time)
            index = np.flatnonzero(at)[fits]
            found[index] = values[fits]
            done[index] = True
            left[index] = False
    nothing = pl.Series([None], dtype=pl.Int64 if with_time else pl.Int32)
    return _typed(pl.Series(text.name, found).zip_with(pl.Series(done), nothing), with_time=with_time)


def _typed(values: pl.Series, *, with_time: bool) -> pl.Series:
    if with_time:
        return values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return values.cast(pl.Date)
