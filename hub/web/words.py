"""States, times and periods in words, the same on every page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.web.text import number

__all__ = [
    "ANSWERS",
    "MODES",
    "STATES",
    "act",
    "acts",
    "ago",
    "cell",
    "day",
    "duration",
    "effect",
    "moment",
    "period",
    "state_tag",
]

#: State -> (words, colour of the GOV.UK tag).
STATES: Final[dict[str, tuple[str, str]]] = {
    # deliveries
    "uploading": ("Uploading", "purple"),
    "received": ("Waiting", "purple"),
    "checking": ("Being checked", "purple"),
    "accepted": ("Accepted", "green"),
    "refused": ("Refused", "red"),
    # runs
    "queued": ("Waiting", "purple"),
    "running": ("Running", "purple"),
    "succeeded": ("Finished", "green"),
    "failed": ("Failed", "red"),
    "cancelled": ("Cancelled", "grey"),
    # results
    "held": ("Waiting for a decision", "yellow"),
    "released": ("Released", "green"),
    "rejected": ("Not released", "red"),
    "withdrawn": ("Withdrawn", "grey"),
    # proposed contracts
    "proposed": ("Waiting for a decision", "yellow"),
    "replaced": ("Replaced", "grey"),
    "turned down": ("Rejected", "red"),
    # eligibility
    "yes": ("Yes", "green"),
    "no": ("No", "grey"),
    "cannot tell": ("Cannot tell", "grey"),
    # agreements
    "draft": ("Draft", "yellow"),
    "active": ("In force", "green"),
    "expired": ("Expired", "grey"),
}

#: Answer of a needs rule -> (words, colour).
ANSWERS: Final[dict[str, tuple[str, str]]] = {
    "met": ("Met", "orange"),
    "not met": ("Not met", "teal"),
    "no data": ("No data", "grey"),
    "source not covered": ("Source not covered", "grey"),
}


#: Mode of a delivery -> what it holds, in words.
MODES: Final[dict[str, str]] = {
    "full": "The whole dataset anew",
    "append": "Rows to add",
    "upsert": "Rows to add or replace",
    "delete": "Rows to remove",
}


def effect(found: Mapping[str, int] | None) -> str:
    """What a delivery did to its dataset, in words; "" when it did nothing (yet)."""
    if found is None:
        return ""
    parts = [
        f"{number(found[name])} {words}"
        for name, words in (
            ("added", "added"), ("replaced", "replaced"), ("removed", "removed"), ("unmatched", "not found"),
        )
        if found.get(name)
    ]  # fmt: skip
    rows = found["after"]
    return f"{', '.join(parts) or 'nothing changed'}; {number(rows)} {'row' if rows == 1 else 'rows'} now"


def state_tag(state: object) -> tuple[str, str]:
    """Words and colour of a state or an answer; one that is not known shows as it is, in grey."""
    name = str(state)
    return STATES.get(name) or ANSWERS.get(name) or (name[:1].upper() + name[1:], "grey")


def day(value: date | datetime | str | None, zone: ZoneInfo | None = None) -> str:
    """A day as in 3 March 2026; text in ISO form is read, other text is shown as it is."""
    if value is None or value == "":
        return "not known"
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(zone)
    return f"{value.day} {value:%B %Y}"


def moment(value: datetime | None, zone: ZoneInfo | None = None) -> str:
    """A moment as in 3 March 2026 at 4:05pm, in the hub's time zone."""
    if value is None:
        return "not known"
    local = value.astimezone(zone) if value.tzinfo is not None else value
    hour = local.hour % 12 or 12
    clock = {(12, 0): "midday", (0, 0): "midnight"}.get((local.hour, local.minute))
    half = "am" if local.hour < 12 else "pm"
    return f"{day(local)} at {clock or f'{hour}:{local:%M}{half}'}"


def ago(value: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits: 5 minutes ago; a moment to come reads "in 2 days"."""
    seconds = (now - value).total_seconds()
    size = abs(seconds)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if size >= length:
            count = int(size // length)
            text = f"{count:,} {unit}{'' if count == 1 else 's'}"
            return f"{text} ago" if seconds >= 0 else f"in {text}"
    return "just now" if seconds >= 0 else "in a moment"


def period(start: date | str | None, end: date | str | None) -> str:
    """From one day to another, as in 1 September 2024 to 31 August 2025."""
    if not start and not end:
        return "not known"
    if not start or not end:
        return f"from {day(start)}" if start else f"to {day(end)}"
    return f"{day(start)} to {day(end)}" if day(start) != day(end) else day(start)


#: Act in the audit log -> what was done, in words. Others show as they are written.
_ACTS: Final[dict[str, str]] = {
    "household.read": "Opened a household",
    "people.searched": "Searched for people",
    "people.linked": "Linked people and households",
    "people.not-linked": "Could not link people",
    "data.read": "Read data for a run",
    "dataset.made": "Published a dataset",
    "dataset.contract": "Published a contract",
    "dataset.not-linked": "Left a dataset out of linking",
    "contract.proposed": "Proposed a contract",
    "contract.accepted": "Accepted a proposed contract",
    "contract.rejected": "Rejected a proposed contract",
    "contract.replaced": "Replaced a proposed contract",
    "delivery.offered": "Offered a delivery",
    "delivery.received": "Sent a delivery",
    "delivery.accepted": "Accepted a delivery",
    "delivery.refused": "Refused a delivery",
    "delivery.failed": "Could not check a delivery",
    "upload.begun": "Uploaded a file",
    "upload.sent": "Sent an uploaded file",
    "upload.withdrawn": "Withdrew an uploaded file",
    "refused-rows.read": "Downloaded rows at fault",
    "faults.read": "Read a quarantine report",
    "agreement.drafted": "Drafted an agreement",
    "agreement.active": "Put an agreement into force",
    "agreement.withdrawn": "Withdrew an agreement",
    "plugin.registered": "Registered a plugin",
    "schedule.set": "Set a schedule",
    "schedule.paused": "Paused a schedule",
    "schedule.resumed": "Resumed a schedule",
    "schedule.not-run": "Did not run what was scheduled",
    "run.requested": "Asked for a run",
    "run.started": "Started a run",
    "run.succeeded": "Finished a run",
    "run.failed": "Broke off a run",
    "run.cancelled": "Cancelled a run",
    "result.read": "Read a result",
    "result.downloaded": "Downloaded a table",
    "result.released": "Released a result",
    "result.rejected": "Did not release a result",
    "result.withdrawn": "Withdrew a result",
    "audit.reasons-read": "Read the reasons in this log",
    "person.added": "Added a person",
    "person.signed-in": "Signed in",
    "person.signed-out": "Signed out",
    "organisation.registered": "Registered an organisation",
    "connector.invited": "Invited a connector",
    "connector.registered": "Registered itself as a connector",
    "client.registered": "Registered a machine client",
    "client.revoked": "Revoked a machine client",
    "client.token": "Signed in as a machine",
}


def act(action: str) -> str:
    """An act of the audit log in words: result.read is "Read a result", thing.done becomes "Thing done"."""
    return _ACTS.get(action) or action.replace(".", " ").replace("-", " ").capitalize()


def acts() -> tuple[tuple[str, str], ...]:
    """All acts that are known, as they are written in the log and in words, by their words."""
    return tuple(sorted(_ACTS.items(), key=lambda pair: pair[1]))


def cell(value: object) -> str:
    """A value of a record as people read it: dates in words, yes and no, nothing as "not recorded"."""
    if value is None or value == "":
        return "not recorded"
    if isinstance(value, datetime):
        return moment(value)
    return day(value) if isinstance(value, date) else number(value)


def duration(seconds: float | None) -> str:
    """A length of time: 0.4 seconds, 12 seconds, 3 minutes."""
    if seconds is None:
        return "not known"
    if seconds < 60:
        shown = f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
        return f"{shown} {'second' if shown == '1' else 'seconds'}"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s" if rest else f"{minutes:,} min"
