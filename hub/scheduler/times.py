"""Cron lines as the scheduler reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub.errors import Invalid

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

__all__ = ["check_times", "cron_of", "cron_trigger", "next_time", "stamp_of"]


#: Weekdays by their numbers in cron, where 0 and 7 are Sunday.
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBERS = re.compile(r"([0-7])(?:-([0-7]))?(?:/([1-7]))?\Z")


def cron_trigger(cron: str, timezone: str) -> CronTrigger:
    """The trigger of a cron line in a time zone.

    Raises:
        Invalid: saying what the five fields are.
    """
    from apscheduler.triggers.cron import CronTrigger

    try:
        minute, hour, day, month, weekday = cron.split()
        return CronTrigger(
            minute=minute, hour=hour, day=day, month=month, day_of_week=_named(weekday), timezone=timezone
        )
    except (ValueError, TypeError) as error:
        raise Invalid(
            f"The times {cron!r} cannot be read ({error}). Give five fields: minute hour day month weekday, such as "
            "'0 6 * * MON' for Mondays at six."
        ) from None


def _named(weekday: str) -> str:
    """Cron's weekday numbers as names: APScheduler counts from Monday where cron counts from Sunday."""
    names = []
    for item in weekday.split(","):
        match = _NUMBERS.match(item)
        if match is None:
            names.append(item)  # a name, * or */2: the same for both
            continue
        first, last, step = match.groups()
        end = last or ("7" if step else first)
        if end < first:
            raise ValueError(f"the weekdays {item} end before they begin")
        names += _DAYS[int(first) : int(end) + 1 : int(step or 1)]
    return ",".join(names)


def next_time(cron: str, timezone: str, after: datetime) -> datetime | None:
    """When a cron line comes next after a moment, read in a time zone; None when it never does.

    Raises:
        Invalid: when the line cannot be read.
    """
    return cron_trigger(cron, timezone).get_next_fire_time(None, after)


def check_times(cron: str) -> None:
    """Refuse a cron line that cannot be followed, or that names a day that never comes (30 February).

    Raises:
        Invalid: saying what the five fields are.
    """
    if cron_trigger(cron, "UTC").get_next_fire_time(None, datetime.now(UTC)) is None:
        raise Invalid(f"The times {cron!r} never come; look at the day and the month.")


def stamp_of(cron: str, first_at: datetime | None) -> str:
    """The name of a job: it changes whenever its schedule does."""
    return f"{cron}|{first_at}"


def cron_of(stamp: str) -> str:
    """The cron line in a job's name."""
    return stamp.rpartition("|")[0]
