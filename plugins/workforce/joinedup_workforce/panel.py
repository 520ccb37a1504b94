"""Monthly counts by area and category: the panel that the forecast works on."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

YEAR = 12
LOCAL_TIME = "Europe/London"


@dataclass(frozen=True)
class Panel:
    """Counts of series (`areas[i]`, `categories[i]`) in consecutive whole months.

    `counts`: float array, series by months; `first`: first day of the first month.
    """

    areas: tuple[str, ...]
    categories: tuple[str, ...]
    first: date
    counts: NDArray[np.float64]

    @property
    def length(self) -> int:
        """Number of months."""
        return int(self.counts.shape[1])

    def months(self, ahead: int = 0) -> list[date]:
        """First days of the months of the panel, or of the `ahead` months after it."""
        start, count = (self.length, ahead) if ahead else (0, self.length)
        return [add_months(self.first, number) for number in range(start, start + count)]


def add_months(month: date, number: int) -> date:
    """The first day of the month that lies `number` months after (or before) a month."""
    years, index = divmod(month.month - 1 + number, YEAR)
    return date(month.year + years, index + 1, 1)


def days_in(month: date) -> int:
    """Days of the month that a date falls in."""
    return calendar.monthrange(month.year, month.month)[1]


def whole_months(first: date, last: date) -> tuple[date, int]:
    """The first whole month within a period of days, and how many whole months the period holds."""
    start = first if first.day == 1 else add_months(first.replace(day=1), 1)
    end = (last + timedelta(days=1)).replace(day=1)
    return start, max(0, (end.year - start.year) * YEAR + end.month - start.month)


def calendar_day(incidents: pl.DataFrame) -> pl.Expr:
    """The day of `occurred_at`, dates or timestamps. Instants are taken on the clock of the United Kingdom.

    Otherwise what happens in the hour after midnight, in summer, would count for the day before.
    """
    import polars as pl

    kind = incidents.schema["occurred_at"]
    when = pl.col("occurred_at")
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        # `dt.date`, not a cast: a cast gives the day in UTC whatever the time zone.
        return when.dt.convert_time_zone(LOCAL_TIME).dt.date()
    return when.cast(pl.Date)


def monthly_panel(incidents: pl.DataFrame, first: date, last: date) -> Panel:
    """Count incidents by area, category and month over the whole months of a covered period.

    `incidents`: columns `occurred_at` (date or timestamp), `area`, `category` (empty ones become "not
    recorded"). A month without incidents counts 0: the source covers it.
    """
    import polars as pl

    start, length = whole_months(first, last)
    when = calendar_day(incidents)
    month = (when.dt.year() - start.year) * YEAR + when.dt.month().cast(pl.Int32) - start.month
    counted = (
        incidents.select(
            pl.col("area").fill_null("not recorded"),
            pl.col("category").fill_null("not recorded"),
            month=month,
        )
        .filter(pl.col("month").is_between(0, length - 1))
        .group_by("area", "category", "month")
        .len()
        .sort("area", "category", "month")
    )
    keys = counted.select("area", "category").unique(maintain_order=True)
    counts = np.zeros((keys.height, length))
    places = counted.join(keys.with_row_index("series"), on=["area", "category"], how="left")
    counts[places["series"].to_numpy(), places["month"].to_numpy()] = places["len"].to_numpy()
    return Panel(tuple(keys["area"]), tuple(keys["category"]), start, counts)
