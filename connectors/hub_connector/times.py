"""When a dataset's turn comes: intervals such as 6h, and cron lines read in a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from .errors import ConfigError

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

__all__ = ["DEFAULT_ZONE", "check_zone", "cron_trigger", "read_interval", "span_words"]

DEFAULT_ZONE: Final = "Europe/London"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_WORDS: Final = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
#: Weekdays by their numbers in cron, where 0 and 7 are Sunday; APScheduler counts from Monday, so names are used.
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NUMBERS: Final = re.compile(r"([0-7])(?:-([0-7]))?(?:/([1-7]))?\Z")


def read_interval(text: str) -> int:
    """Seconds of an interval such as 30m, 6h, 1d or 1w.

    Raises:
        ConfigError: when it is none, or shorter than ten seconds.
    """
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if seconds < 10:
        raise ConfigError(
            f"{text!r} is no interval.", "Write for example 30m, 6h or 1d (ten seconds at least)."
        )
    return seconds


def span_words(seconds: float) -> str:
    """A span of time in one unit, for people: "3 hours", "1 day"."""
    for word, size in _WORDS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "a moment"


def check_zone(name: str) -> str:
    """A time zone's name, when there is one of that name.

    Raises:
        ConfigError: when there is none.
    """
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ConfigError(f"{name!r:.60} is no time zone.", "Write it as Europe/London, or UTC.") from None
    return name


def cron_trigger(cron: str, zone: str) -> CronTrigger:
    """APScheduler's trigger for a cron line (minute hour day month weekday) in a time zone.

    Weekdays may be names or cron's own numbers (0 and 7 are Sunday).

    Raises:
        ConfigError: when the line cannot be read, or names a day that never comes.
    """
    from apscheduler.triggers.cron import CronTrigger

    try:
        minute, hour, day, month, weekday = cron.split()
        if day != "*" and weekday != "*":
            raise ValueError("give a day of the month or a weekday, not both")
        trigger = CronTrigger(
            minute=minute,
            hour=hour,
            day=day,
            month=month,
            day_of_week=_named(weekday),
            timezone=check_zone(zone),
        )
    except (ValueError, TypeError) as error:
        reason = "it needs five fields" if len(cron.split()) != 5 else str(error)
        raise ConfigError(
            f"The times {cron!r:.80} cannot be read: {reason}.",
            'The fields are minute, hour, day, month and weekday: "0 6 * * MON-FRI" is six in the morning on workdays.',
        ) from None
    if trigger.get_next_fire_time(None, datetime.now(UTC)) is None:
        raise ConfigError(f"The times {cron!r:.80} never come.", "Look at the day and the month.")
    return trigger


def _named(weekday: str) -> str:
    """Cron's weekday numbers as names."""
    names: list[str] = []
    for given in weekday.split(","):
        item = f"0-6{given[1:]}" if given.startswith("*/") else given
        match = _DAY_NUMBERS.match(item)
        if match is None:
            names.append(item)  # a name, or *: the same for both
            continue
        first, last, step = match.groups()
        end = last or ("7" if step else first)
        if end < first:
            raise ValueError(f"the weekdays {item} end before they begin")
        names += _DAYS[int(first) : int(end) + 1 : int(step or 1)]
    return ",".join(names)
