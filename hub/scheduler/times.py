"""Cron lines as the scheduler reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import Invalid

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

__all__ = ["check_times", "cron_trigger"]


def cron_trigger(cron: str, timezone: str) -> CronTrigger:
    """The trigger of a cron line in a time zone.

    Raises:
        Invalid: saying what the five fields are.
    """
    from apscheduler.triggers.cron import CronTrigger

    try:
        return CronTrigger.from_crontab(cron, timezone=timezone)
    except (ValueError, TypeError) as error:
        raise Invalid(
            f"The times {cron!r} cannot be read ({error}). Give five fields: minute hour day month weekday, such as "
            "'0 6 * * MON' for Mondays at six."
        ) from None


def check_times(cron: str) -> None:
    """Refuse a cron line that cannot be followed."""
    cron_trigger(cron, "UTC")
