"""When an answer is due: one calendar month, with the rules of the UK's regulator for ends of months and holidays.

UK GDPR Article 12(3): without undue delay and at the latest within one month of receipt, extendable by two months where
needed, of which the person is told within the first month. The Information Commissioner counts to the corresponding
date of the next month; where there is none, to its last day; where that is no working day, to the next one.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from hub.errors import Invalid

__all__ = ["EXTENSION_MONTHS", "bank_holidays", "due_on", "easter", "months_after", "parse_days"]

#: So many months may be added once.
EXTENSION_MONTHS: Final = 2


def due_on(received: date, *, extended: bool = False, holidays: Collection[date] = ()) -> date:
    """The day on which an answer is due; `holidays` are days off beyond those of `bank_holidays`."""
    day = months_after(received, 1 + EXTENSION_MONTHS * extended)
    while day.weekday() >= 5 or day in bank_holidays(day.year) or day in holidays:
        day += timedelta(1)
    return day


def months_after(day: date, months: int) -> date:
    """The corresponding day so many months later, or the last of that month where there is none."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def easter(year: int) -> date:
    """Easter Sunday in the Gregorian calendar (the anonymous algorithm of 1876, as in Meeus)."""
    a, b, c = year % 19, *divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    lean = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * lean) // 451
    month, day = divmod(h + lean - 7 * m + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=64)
def bank_holidays(year: int) -> frozenset[date]:
    """The bank holidays of England and Wales by rule (Banking and Financial Dealings Act 1971, with substitute days).

    Days that are proclaimed for one year only are not in it: a setting names them.
    """
    sunday, off = easter(year), set()
    for month, number in ((1, 1), (12, 25), (12, 26)):
        day = date(year, month, number)
        while day.weekday() >= 5 or day in off:
            day += timedelta(1)
        off.add(day)
    may = date(year, 5, 1)
    off |= {sunday - timedelta(2), sunday + timedelta(1), may + timedelta(-may.weekday() % 7)}
    for month in (5, 8):
        last = date(year, month, 31)
        off.add(last - timedelta(last.weekday()))
    return frozenset(off)


def parse_days(text: str) -> frozenset[date]:
    """The days in a setting: ISO dates with commas between.

    Raises:
        Invalid: naming what is no date.
    """
    days = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            days.add(date.fromisoformat(part))
        except ValueError:
            raise Invalid(f"The setting extra_holidays holds {part!r}; write days as 2026-06-01.") from None
    return frozenset(days)
