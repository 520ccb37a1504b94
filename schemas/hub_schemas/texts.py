"""Typed cells back to text, whatever they hold: rows refused on receipt are kept as text, like all refused rows."""

from __future__ import annotations

from typing import Final

import polars as pl

__all__ = ["as_text", "out_of_calendar"]

#: The first and last day, and microsecond, of the years 1 to 9999 (UTC), counted from 1970-01-01.
FIRST_DAY: Final = -719_162
LAST_DAY: Final = 2_932_896
FIRST_MICROSECOND: Final = FIRST_DAY * 86_400_000_000
LAST_MICROSECOND: Final = (LAST_DAY + 1) * 86_400_000_000 - 1


def out_of_calendar(values: pl.Series) -> pl.Series:
    """Which dates or timestamps lie outside the years 1 to 9999; null where missing.

    A sender can write any number as a date. Most programs fail on years beyond 9999, so they are found by their
    number, before anything reads them as a date.
    """
    bounds = (FIRST_DAY, LAST_DAY) if values.dtype == pl.Date else (FIRST_MICROSECOND, LAST_MICROSECOND)
    return ~values.to_physical().is_between(*bounds)


def as_text(values: pl.Series) -> pl.Series:
    """The cells as text: ISO 8601 for dates and timestamps, their bare number where that is out of the calendar."""
    if not values.dtype.is_temporal():
        return values.cast(pl.String)
    outside = out_of_calendar(values).fill_null(False)
    within = values.zip_with(~outside, pl.Series([None], dtype=values.dtype))
    text = (
        within.cast(pl.String) if values.dtype == pl.Date else within.dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")
    )
    return text.zip_with(~outside, values.to_physical().cast(pl.String)) if outside.any() else text
