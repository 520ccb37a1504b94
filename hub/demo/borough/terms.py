"""The school year and the months and weeks of the borough, counted back from the day it is made for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from hub.demo.borough.population import Dates

MONTHS_OF_HISTORY = 36
WEEKS_OF_HISTORY = 156


@dataclass(frozen=True)
class Term:
    """A school term: its name ("2025/26 Autumn"), first and last day and number of half-day sessions."""

    name: str
    start: date
    end: date
    sessions: int
    school_year: int


def last_terms(today: date, count: int = 3) -> list[Term]:
    """The last `count` terms that ended before `today`, oldest first."""
    terms: list[Term] = []
    for year in range(today.year - count, today.year + 1):
        terms += _terms_of(year)
    return [term for term in terms if term.end < today][-count:]


def _terms_of(year: int) -> list[Term]:
    """The three terms of the school year that begins in September `year`."""
    name = f"{year}/{(year + 1) % 100:02d}"
    autumn = _next_weekday(date(year, 9, 1))
    spring = _next_monday(date(year + 1, 1, 3))
    summer = _next_monday(date(year + 1, 4, 11))
    return [
        Term(f"{name} Autumn", autumn, date(year, 12, 19), 142, year),
        Term(f"{name} Spring", spring, spring + timedelta(days=81), 112, year),
        Term(f"{name} Summer", summer, date(year + 1, 7, 21), 126, year),
    ]


def _next_weekday(day: date) -> date:
    return day if day.weekday() < 5 else _next_monday(day)


def _next_monday(day: date) -> date:
    return day + timedelta(days=-day.weekday() % 7)


def last_months(today: date, count: int = MONTHS_OF_HISTORY) -> Dates:
    """First days of the last `count` whole months before `today`, oldest first (`datetime64[M]`)."""
    this = np.datetime64(today, "M")
    return np.arange(this - count, this)


def last_mondays(today: date, count: int = WEEKS_OF_HISTORY) -> Dates:
    """Mondays of the last `count` whole weeks before `today`, oldest first (`datetime64[D]`)."""
    end = np.datetime64(today - timedelta(days=today.weekday()), "D")
    return end - np.arange(count, 0, -1) * np.timedelta64(7, "D")
