"""States, times and periods in words, the same on every page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.catalogue.terms import ACCESS, FREQUENCIES, THEMES
from hub.web.text import number

__all__ = [
    "ANSWERS",
    "MODES",
    "STATES",
    "THEMES",
    "access",
    "act",
    "acts",
    "ago",
    "cell",
    "day",
    "duration",
    "effect",
    "frequency",
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
    # requests for data
    "asked": ("Waiting for an answer", "yellow"),
    "returned": ("Asked back", "blue"),
    "answered": ("Waiting for an answer", "yellow"),
    # eligibility
    "yes": ("Yes", "green"),
    "no": ("No", "grey"),
    "cannot tell": ("Cannot tell", "grey"),
    # datasets
    "on time": ("On time", "green"),
    "late": ("Late", "red"),
    "not stated": ("Not stated", "grey"),
    "listed": ("Listed", "grey"),
    "private": ("Private", "purple"),
    # requests about people's own data
    "in hand": ("In hand", "purple"),
    "sent": ("Sent to the department", "purple"),
    "confirmed": ("Put right", "green"),
    "declined": ("Not changed", "grey"),
    "called off": ("Called off", "grey"),
    "ended": ("Ended", "grey"),
    # agreements
    "draft": ("Draft", "yellow"),
    "in review": ("In review", "blue"),
    "agreed": ("Waiting for signatures", "light-blue"),
    "active": ("In force", "green"),
    "not trusted": ("Not trusted", "red"),
    "waiting": ("Waiting for a second person", "yellow"),
    "revoked": ("Revoked", "grey"),
    "compromised": ("Compromised", "red"),
    "expired": ("Expired", "grey"),
}

#: Answer of a needs rule -> (words, colour).
ANSWERS: Final[dict[str, tuple[str, str]]] = {
    "met": ("Met", "orange"),
    "not met": ("Not met", "teal"),
    "no data": ("No data", "grey"),
    "source not covered": ("Source not covered", "grey"),
}


def frequency(code: str) -> str:
    """How often a dataset is renewed."""
    return FREQUENCIES[code].words if code in FREQUENCIES else code


def access(code: str) -> str:
    """Who may have a dataset's data."""
    return ACCESS[code].words if code in ACCESS else code


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
    "dataset.described": "Described a dataset",
    "dataset.visibility": "Changed who finds a dataset",
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
    "agreement.draft-begun": "Began to write an agreement",
    "agreement.draft-discarded": "Threw away what was written of an agreement",
    "agreement.submitted": "Handed in an agreement for review",
    "agreement.returned": "Handed back an agreement",
    "agreement.agreed": "Approved an agreement",
    "agreement.signed": "Signed an agreement",
    "agreement.active": "Put an agreement into force",
    "agreement.expired": "An agreement expired",
    "agreement-key.added": "Registered a signing key",
    "agreement-key.approved": "Approved a signing key",
    "agreement-key.revoked": "Revoked a signing key",
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
    "request.begun": "Began to ask for data",
    "request.asked": "Asked for data",
    "request.returned": "Asked back about a request for data",
    "request.answered": "Answered what was asked back",
    "request.accepted": "Accepted a request for data",
    "request.refused": "Refused a request for data",
    "request.withdrawn": "Withdrew a request for data",
    "rights.person-found": "Looked up a person who asks about their data",
    "rights.request-opened": "Wrote down a request about a person's own data",
    "rights.request-read": "Read a request about a person's own data",
    "rights.request-take": "Took a request in hand",
    "rights.request-ask": "Asked stewards about an objection",
    "rights.request-extended": "Extended a request",
    "rights.request-answered": "Answered a request",
    "rights.request-refused": "Refused a request",
    "rights.request-withdrawn": "Withdrew a request",
    "rights.rows-read": "Read the rows about a person who asks",
    "rights.copy-made": "Made a copy for a person",
    "rights.copy-checked": "Looked at a person's copy",
    "rights.copy-given": "Gave a person their copy",
    "rights.copy-fetched": "Fetched their copy with a code",
    "rights.copy-destroyed": "Destroyed a person's copy",
    "rights.code-made": "Made a code for a person's own page",
    "rights.code-refused": "Refused a code",
    "rights.page-opened": "Opened their own page with a code",
    "rights.restriction-began": "Restricted the use of a person's data",
    "rights.restriction-lifted": "Lifted a restriction",
    "rights.correction-sent": "Sent a correction to a department",
    "rights.correction-read": "Read a correction",
    "rights.correction-confirmed": "Found a correction made",
    "rights.correction-declined": "Declined a correction",
    "rights.objection-decided": "Decided about an objection",
    "delay.asked": "Asked for a delay of entries",
    "delay.approved": "Approved a delay of entries",
    "delay.turned-down": "Turned a delay of entries down",
    "delay.ended": "Ended a delay of entries",
    "audit.reasons-read": "Read the reasons in this log",
    "audit.exported": "Took a copy of this log",
    "person.reidentify-refused": "Was refused a person behind a pseudonym",
    "people.search-refused": "Was refused a search for people",
    "household.read-refused": "Was refused a household",
    "person.reidentified": "Turned a pseudonym back into a person",
    "keys.shredded": "Destroyed data for good",
    "keys.signing-rotated": "Changed the signing keys",
    "keys.sealing-rotated": "Changed the sealing key",
    "keys.ended": "Ended old keys",
    "keys.rotated": "Changed the root key",
    "keys.rotation-begun": "Began to change the root key",
    "hub.restored": "Brought a backup back",
    "hub.backed-up": "Made a backup",
    "geography.loaded": "Loaded a table of postcodes",
    "delivery.put-off": "Put off a delivery",
    "delivery.given-up": "Gave up an unfinished delivery",
    "person.added": "Added a person",
    "person.invited": "Invited a person",
    "person.reset": "Made a one-time code for a person",
    "person.password-chosen": "Chose a password with a one-time code",
    "person.password-changed": "Changed their password",
    "person.second-factor-set": "Set up a second factor",
    "person.recovery-codes-made": "Made new recovery codes",
    "person.roles-changed": "Changed a person's roles",
    "person.closed": "Closed a person's account",
    "person.opened": "Opened a person's account again",
    "person.bound": "Let a person sign in through the provider",
    "person.sessions-ended": "Ended sessions",
    "person.sign-in-refused": "Refused sign-ins",
    "person.slowed-down": "Slowed down attempts to sign in",
    "person.signed-in": "Signed in",
    "person.signed-out": "Signed out",
    "organisation.registered": "Registered an organisation",
    "connector.invited": "Invited a connector",
    "connector.registered": "Registered itself as a connector",
    "organisation.approved": "Approved an organisation",
    "organisation.refused": "Refused an organisation",
    "organisation.revoked": "Revoked an organisation",
    "connector.enrolment-refused": "Was refused with an enrolment code",
    "client.registered": "Registered a machine client",
    "client.approved": "Approved a machine client",
    "client.refused": "Refused a machine client",
    "client.key-changed": "Changed its signing key",
    "client.token-refused": "Was refused an access token",
    "client.request-refused": "Was refused with an access token",
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
