"""What the sources of a run hold, and how far they reach.

The part of a rule that comes before any row is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from joinedup_families.dates import look_back, months_back
from joinedup_families.ruleset import Events, Indicator, Register, Terms

if TYPE_CHECKING:
    import polars as pl

# A window counts as covered when the source starts within a week of its first day (the first row of a busy
# source rarely falls on the day itself) and reaches to within 45 days of its last (departments deliver a
# month in arrear).
START_SLACK = timedelta(days=7)
END_SLACK = timedelta(days=45)
# School terms start 3 to 5 months apart, so three in a row start within 10 months of each other; and the
# newest term that a school can have delivered started at most 10 months ago.
TERMS_SPAN_MONTHS = 10
TERMS_STALE_MONTHS = 10


@dataclass(frozen=True)
class Reach:
    """Whether a source reaches where a rule looks: the days (and terms) looked at, and why it does not."""

    covered: bool
    first: date | None = None
    last: date | None = None
    why_not: str = ""
    terms: tuple[date, ...] = ()


@dataclass(frozen=True)
class Source:
    """A dataset of the run: its rows (None when not supplied) and the period it is said to cover.

    `rows` has `person_id` and `household_id` besides the columns that the rules read.
    """

    name: str
    rows: pl.DataFrame | None = None
    period_start: date | None = None
    period_end: date | None = None
    as_at: date | None = None


@dataclass(frozen=True)
class Sources:
    """The datasets of a run by name; one that is not here was not supplied."""

    by_name: Mapping[str, Source] = field(default_factory=dict)

    def get(self, name: str) -> Source:
        """The source, or an empty one that covers nothing."""
        return self.by_name.get(name, Source(name))


def reach(indicator: Indicator, source: Source, as_at: date) -> Reach:
    """How far a source reaches for one indicator on the as-at date. Raises TypeError for an unknown kind."""
    if source.rows is None:
        return Reach(False, why_not=f"{source.name} was not supplied to this run")
    if isinstance(indicator, Events):
        return _events(indicator, source, source.rows, as_at)
    if isinstance(indicator, Register):
        return _register(indicator, source, source.rows, as_at)
    if isinstance(indicator, Terms):
        return _terms(indicator, source, source.rows, as_at)
    raise TypeError(f"no coverage rule for {type(indicator).__name__}")


def _events(indicator: Events, source: Source, rows: pl.DataFrame, as_at: date) -> Reach:
    first, last = look_back(as_at, indicator.look_back_months)
    held_from = source.period_start or _end_of(rows, indicator.date, "min")
    held_to = source.period_end or source.as_at or _end_of(rows, indicator.date, "max")
    if held_from is None or held_to is None:
        return Reach(False, first, last, f"{source.name} says no period it covers and holds no dated row")
    if held_from > first + START_SLACK:
        return Reach(False, first, last, f"{source.name} starts on {day(held_from)}, after {day(first)}")
    if held_to < last - END_SLACK:
        return Reach(False, first, last, f"{source.name} ends on {day(held_to)}, too long before {day(last)}")
    return Reach(True, first, last)


def _register(indicator: Register, source: Source, rows: pl.DataFrame, as_at: date) -> Reach:
    known = [source.as_at, source.period_end, _end_of(rows, indicator.start, "max")]
    # A register that knows of claims starting in the future is not thereby up to date in the future.
    fresh = max((min(one, as_at) for one in known if one is not None), default=None)
    if fresh is None:
        return Reach(False, as_at, as_at, f"{source.name} does not say as at which date it stands")
    if fresh < months_back(as_at, indicator.stale_after_months):
        return Reach(
            False, as_at, as_at, f"{source.name} stands as at {day(fresh)}, too long before {day(as_at)}"
        )
    return Reach(True, as_at, as_at)


def _terms(indicator: Terms, source: Source, rows: pl.DataFrame, as_at: date) -> Reach:
    """The last terms in a row.

    Terms that are too old to be the last ones are not looked at, whatever they hold.
    """
    starts = [
        one for one in rows[indicator.term_start].drop_nulls().unique().sort().to_list() if one <= as_at
    ]
    if not starts:
        return Reach(False, why_not=f"{source.name} holds no term that started by {day(as_at)}")
    newest = starts[-1]
    if newest < months_back(as_at, TERMS_STALE_MONTHS):
        return Reach(
            False,
            why_not=f"the last term in {source.name} started on {day(newest)}, too long before {day(as_at)}",
        )
    recent = [one for one in starts if one >= months_back(newest, TERMS_SPAN_MONTHS)]
    terms = tuple(recent[-indicator.terms :])
    if len(terms) < indicator.terms:
        why = f"{source.name} holds {len(terms)} of the {indicator.terms} consecutive terms of the rule"
        return Reach(False, terms[0], newest, why, terms)
    return Reach(True, terms[0], newest, terms=terms)


def _end_of(rows: pl.DataFrame, column: str, which: str) -> date | None:
    """The first or last date in a column of dates or timestamps."""
    from joinedup_families.logic import calendar_day

    dates = rows.select(calendar_day(column, rows.schema[column])).to_series()
    found = dates.min() if which == "min" else dates.max()
    return found if isinstance(found, date) else None


def day(value: date) -> str:
    """A date in words: 4 March 2026."""
    return f"{value.day} {value:%B %Y}"
