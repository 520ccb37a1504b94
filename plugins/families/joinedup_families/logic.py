"""The three-valued expressions that rules are made of.

A comparison with an empty cell is neither true nor false. Polars' boolean operators work that way (null and
false is false, null and true is null), so a row whose empty cell cannot matter is ruled out, and one whose
empty cell matters stays unclear: it turns an answer into "no data", never silently into "not met".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import reduce
from typing import Any

import polars as pl

from joinedup_families.dates import COMPULSORY_FROM, COMPULSORY_TO, eve_of_school_year

TRUE = pl.lit(value=True)
LOCAL_TIME = "Europe/London"


def where(conditions: Mapping[str, tuple[Any, ...]]) -> pl.Expr:
    """True where every column has one of its values, false where one has another, null where it is open."""
    clauses = (_one_of(column, values) for column, values in conditions.items())
    return reduce(lambda left, right: left & right, clauses, TRUE)


def _one_of(column: str, values: tuple[Any, ...]) -> pl.Expr:
    if all(isinstance(value, str) for value in values):
        # Departments differ in capitals and stray spaces; neither changes the meaning.
        return (
            pl.col(column)
            .cast(pl.String)
            .str.strip_chars()
            .str.to_lowercase()
            .is_in([v.lower() for v in values])
        )
    return pl.col(column).is_in(list(values))


def calendar_day(column: str, kind: pl.DataType) -> pl.Expr:
    """A column of dates or timestamps as days. Instants become days on the clock of the United Kingdom.

    Otherwise what happens in the hour after midnight, in summer, would count for the day before.
    """
    when = pl.col(column)
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        # `dt.date`, not a cast: a cast gives the day in UTC whatever the time zone.
        return when.dt.convert_time_zone(LOCAL_TIME).dt.date()
    return when.cast(pl.Date)


def age_in_years(born: str, on: pl.Expr) -> pl.Expr:
    """Age in whole years on a day, null where the date of birth is. Born on 29 February: older on 1 March."""
    birthday = pl.col(born).dt.month().cast(pl.Int32) * 100 + pl.col(born).dt.day()
    today = on.dt.month().cast(pl.Int32) * 100 + on.dt.day()
    return on.dt.year() - pl.col(born).dt.year() - (today < birthday).cast(pl.Int32)


def age_fits(under: int | None, at_least: int | None, age: pl.Expr) -> pl.Expr:
    """Whether an age lies within the bounds that are given; true where none is."""
    fits = TRUE
    if under is not None:
        fits = fits & (age < under)
    if at_least is not None:
        fits = fits & (age >= at_least)
    return fits


def compulsory_school_age(born: str, term_start: date) -> pl.Expr:
    """Whether a child must be in education in a term that starts on `term_start`.

    See `dates` for the rule.
    """
    return (age_in_years(born, pl.lit(term_start)) >= COMPULSORY_FROM) & (
        age_in_years(born, pl.lit(eve_of_school_year(term_start))) < COMPULSORY_TO
    )
