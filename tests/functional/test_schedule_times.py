"""Cron lines mean what cron means by them, in the hub's own time zone; those that never come are refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.errors import Invalid
from hub.scheduler.times import check_times, cron_trigger

LONDON = ZoneInfo("Europe/London")


def _next(cron: str, after: datetime, count: int) -> list[str]:
    trigger, found, moment = cron_trigger(cron, "Europe/London"), [], after
    for _ in range(count):
        moment = trigger.get_next_fire_time(None, moment + timedelta(seconds=1))
        assert moment is not None
        found.append(moment.strftime("%a %H:%M"))
    return found


@pytest.mark.parametrize(
    ("weekday", "days"),
    [
        ("0", "Sun Sun"),
        ("7", "Sun Sun"),
        ("1", "Mon Mon"),
        ("1-5", "Mon Tue Wed Thu Fri Mon"),
        ("6,0", "Sat Sun Sat"),
        ("0-2", "Mon Tue Sun Mon"),
        ("5-7", "Fri Sat Sun Fri"),
        ("1-5/2", "Mon Wed Fri Mon"),
        ("MON-FRI", "Mon Tue Wed Thu Fri Mon"),
        ("sun", "Sun Sun"),
        ("*", "Mon Tue Wed Thu Fri Sat Sun Mon"),
        ("MON,3", "Mon Wed Mon"),
        ("1/2", "Mon Wed Fri Sun Mon"),
    ],
)
def test_weekdays_are_counted_as_cron_counts_them(weekday: str, days: str) -> None:
    """Sunday is 0 and 7 (POSIX crontab(5)); APScheduler by itself would take 0 for Monday."""
    monday = datetime(2026, 6, 1, 5, 0, tzinfo=LONDON)
    names = [found.split()[0] for found in _next(f"0 6 * * {weekday}", monday, len(days.split()))]
    assert names == days.split()


def test_times_are_read_where_the_hub_is_in_summer_and_winter() -> None:
    trigger = cron_trigger("0 6 * * *", "Europe/London")
    for day, hour in ((datetime(2026, 7, 1, tzinfo=UTC), 5), (datetime(2026, 12, 1, tzinfo=UTC), 6)):
        found = trigger.get_next_fire_time(None, day)
        assert found is not None
        assert found.astimezone(UTC).hour == hour


@pytest.mark.parametrize(
    "cron", ["0 6 * * MON", "*/15 * * * *", "0 0 1 1 *", "0 0 29 2 *", "5,35 8-17 * * 1-5"]
)
def test_times_that_come_are_taken(cron: str) -> None:
    check_times(cron)


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "x",
        "@daily",
        "0 6 * *",
        "0 6 * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "* * * * 5-1",
        "*/0 * * * *",
        "1-0 * * * *",
        "0 0 30 2 *",
        "0 0 31 6 *",
    ],
)
def test_times_that_cannot_be_followed_or_never_come_are_refused(cron: str) -> None:
    with pytest.raises(Invalid, match=r"five fields|never come"):
        check_times(cron)
