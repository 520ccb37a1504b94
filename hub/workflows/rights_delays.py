"""Delays: an investigation may keep people from seeing its own entries about them, for a while and on the record.

An investigating officer names an entry of their own organisation (the one that the household page shows), a reason and
for how many months; somebody who answers for people's rights approves or turns it down. The delay covers that entry and
what the same organisation does about the same people until it ends, by itself at the latest. Then the people see every
entry with its true time, and that it was held back. Nobody else's entries are covered, and no bulk use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from hub.audit import log as audit_log
from hub.audit.log import Entry
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.identity.actors import actor_of
from hub.identity.principal import Principal
from hub.policy.roles import Permission
from hub.policy.scope import may_act_for, whole_hub
from hub.rights import delays
from hub.rights.delays import Delay
from hub.rights.due import months_after
from hub.workflows.hub import Hub, authorise, holds, note
from hub.workflows.rights_people import check_text

__all__ = ["COVERED", "ShownDelay", "ask", "decide", "end", "list_delays"]

#: The acts that can be delayed: looks at single people.
COVERED: Final = ("household.read", "people.searched", "person.reidentified")


@dataclass(frozen=True, repr=False)
class ShownDelay:
    """A delay with its reason in the clear, for those who ask for and decide about it."""

    delay: Delay
    reason: str
    in_force: bool
    may_decide: bool
    may_end: bool


def ask(hub: Hub, principal: Principal, entry_id: int, reason: str, months: int) -> Delay:
    """Ask for a delay of an entry of one's own organisation, and of what follows about the same people.

    Raises:
        NotFound: when there is no such entry of this organisation about people.
        Invalid: when the reason says nothing or the time is too long.
    """
    authorise(principal, Permission.DELAY_ENTRIES)
    said = check_text(reason, "reason", "telling the person now would warn a suspect, case 2041")
    most = hub.settings.delay_months
    if not 1 <= months <= most:
        raise Invalid(f"A delay lasts 1 to {most} months here.", fields={"months": [f"must be 1 to {most}"]})
    with hub.database.write() as session:
        entry = _own_entry(session, principal, entry_id)
        until = min(_later(hub.clock(), months), _later(entry.at, most))
        if until <= hub.clock():
            raise Conflict(
                f"The entry is older than {most} months: nothing keeps people from seeing it any longer than that."
            )
        delay = delays.add_delay(
            session, principal.organisation, entry.content["subjects"], entry.at, until,
            hub.vault.seal_text(said), principal.reference,
        )  # fmt: skip
        note(
            session, principal, "delay.asked", delay.id, reason=hub.vault.seal_text(said),
            detail={"entry": entry_id, "until": until.isoformat(timespec="seconds"), "months": months},
        )  # fmt: skip
    return delay


def _later(now: datetime, months: int) -> datetime:
    day = months_after(now.date(), months)
    return now.replace(year=day.year, month=day.month, day=day.day)


def _own_entry(session: Session, principal: Principal, entry_id: int) -> Entry:
    entries = audit_log.recent(session, limit=1, before=entry_id + 1)
    entry = entries[0] if entries and entries[0].id == entry_id else None
    actor = actor_of(session, entry.actor) if entry is not None else None
    if (
        entry is None
        or actor is None
        or actor.slug != principal.organisation
        or entry.action not in COVERED
        or not entry.content.get("subjects")
    ):
        raise NotFound(
            f"Your organisation has no entry {entry_id} about people. The household page shows the number of its entry."
        )
    return entry


def list_delays(hub: Hub, principal: Principal) -> list[ShownDelay]:
    """Delays of one's own organisation, newest first; at the hub, for those who decide about them, all."""
    authorise(principal, Permission.READ_DELAYS)
    everything = whole_hub(principal, Permission.APPROVE_DELAYS)
    with hub.database.read() as session:
        found = delays.list_delays(session, None if everything else principal.organisation)
    return [
        ShownDelay(
            item, hub.vault.open_text(item.reason), item.holds(hub.clock()),
            item.state == "asked" and not _why_not(principal, item), item.holds(hub.clock()),
        )
        for item in found
    ]  # fmt: skip


def _why_not(principal: Principal, delay: Delay) -> str:
    if not holds(principal, Permission.APPROVE_DELAYS):
        return "You may not decide about delays: that needs the role rights officer."
    if principal.reference == delay.asked_by:
        return "You asked for this delay, so somebody else decides about it."
    return ""


def decide(hub: Hub, principal: Principal, delay_id: str, *, approve: bool, reason: str) -> Delay:
    """Approve a delay or turn it down; never by the one who asked.

    Raises:
        NotFound: when it is not there for this organisation.
        Forbidden: for the one who asked.
        Conflict: when it was decided already, or its time is over.
    """
    authorise(principal, Permission.APPROVE_DELAYS)
    said = check_text(reason, "reason", "looked at the case with the investigator; two months are enough")
    with hub.database.write() as session:
        delay = _seen(session, principal, delay_id)
        if why := _why_not(principal, delay):
            raise Forbidden(why)
        if approve and delay.until <= hub.clock():
            raise Conflict("The time that was asked for is over already; turn it down.")
        decided = delays.decide_delay(
            session, delay_id, "approve" if approve else "turn down", principal.reference
        )
        note(
            session, principal, f"delay.{'approved' if approve else 'turned-down'}", delay_id,
            reason=hub.vault.seal_text(said), detail={"asked_by": delay.asked_by},
        )  # fmt: skip
    return decided


def end(hub: Hub, principal: Principal, delay_id: str) -> Delay:
    """End a delay before its time: by those who may ask for one, or decide, in its organisation.

    Raises:
        NotFound: when it is not there for this organisation.
        Conflict: when it does not hold (any more).
    """
    authorise(principal, Permission.READ_DELAYS)
    with hub.database.write() as session:
        _seen(session, principal, delay_id)
        ended = delays.decide_delay(session, delay_id, "end", principal.reference)
        note(session, principal, "delay.ended", delay_id)
    return ended


def _seen(session: Session, principal: Principal, delay_id: str) -> Delay:
    delay = delays.get_delay(session, delay_id)
    if not may_act_for(principal, delay.organisation, Permission.APPROVE_DELAYS):
        raise NotFound(f"There is no delay {delay_id}.")
    return delay
