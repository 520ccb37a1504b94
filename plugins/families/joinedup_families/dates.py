"""Dates as the rules use them."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

# In England a child must be in education from the term after the fifth birthday to the end of the school year
# in which they turn 16; a child born on 1 September belongs to the younger year (Education Act 1996, section
# 8, and the orders made under it). So: five by the start of the term, and not yet 16 on the eve of the school
# year.
COMPULSORY_FROM = 5
COMPULSORY_TO = 16


def months_back(day: date, months: int) -> date:
    """The same day `months` months earlier, or the last day of that month where it has no such day."""
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def look_back(as_at: date, months: int) -> tuple[date, date]:
    """First and last day of a window of `months` months that ends on `as_at`; both days belong to it."""
    return months_back(as_at, months) + timedelta(days=1), as_at


def eve_of_school_year(day: date) -> date:
    """31 August before the school year that a day falls in (a school year starts on 1 September)."""
    return date(day.year if day.month >= 9 else day.year - 1, 8, 31)
