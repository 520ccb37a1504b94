"""Delays: entries of one organisation that the people concerned see later, because an investigation needs it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.errors import NotFound
from hub.rights.states import DelayState, move_delay
from hub.rights.tables import DelayRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = ["Delay", "add_delay", "decide_delay", "ever_approved", "get_delay", "list_delays"]


@dataclass(frozen=True)
class Delay:
    """Entries of an organisation (slug) about some people from `since` on, which they see from `until` on."""

    id: str
    organisation: str
    subjects: frozenset[str]
    since: datetime
    until: datetime
    state: DelayState
    reason: str
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    ended_at: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it is in force: approved, and neither ended nor over."""
        return self.state is DelayState.APPROVED and now < self.until

    def covers(self, organisation: str, subjects: Collection[str], at: datetime) -> bool:
        """Whether an entry of an organisation about these references, of this moment, is one of those delayed."""
        return organisation == self.organisation and at >= self.since and bool(self.subjects & set(subjects))


def add_delay(
    session: Session, organisation: str, subjects: Collection[str], since: datetime, until: datetime, reason: str,
    by: str,
) -> Delay:  # fmt: skip
    """Ask for a delay; it holds from when somebody else approves it."""
    row = DelayRow(
        id=new_id("dly"), organisation=organisation, subjects=json.dumps(sorted(subjects)), since=since, until=until,
        state=DelayState.ASKED.value, reason=reason, asked_by=by, asked_at=utc_now(), decided_by=None,
        decided_at=None, ended_at=None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _delay(row)


def get_delay(session: Session, delay_id: str) -> Delay:
    """One delay.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(DelayRow, delay_id)
    if row is None:
        raise NotFound(f"There is no delay {delay_id}.")
    return _delay(row)


def list_delays(session: Session, organisation: str | None = None, limit: int = 200) -> list[Delay]:
    """Delays, newest first; of one organisation if it is named."""
    query = select(DelayRow).order_by(DelayRow.id.desc()).limit(limit)
    if organisation is not None:
        query = query.where(DelayRow.organisation == organisation)
    return [_delay(row) for row in session.scalars(query)]


def ever_approved(session: Session) -> list[Delay]:
    """The delays that hold or held: what an earlier one covered says so when it is shown."""
    states = (DelayState.APPROVED.value, DelayState.ENDED.value)
    query = select(DelayRow).where(DelayRow.state.in_(states)).order_by(DelayRow.id)
    return [_delay(row) for row in session.scalars(query)]


def decide_delay(session: Session, delay_id: str, event: str, by: str) -> Delay:
    """Approve, turn down or end a delay.

    Raises:
        Conflict: when its state does not allow it.
    """
    row = session.get(DelayRow, delay_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no delay {delay_id}.")
    row.state = move_delay(row.state, event).value
    if event == "end":
        row.ended_at = utc_now()
    else:
        row.decided_by, row.decided_at = by, utc_now()
    session.flush()
    return _delay(row)


def _delay(row: DelayRow) -> Delay:
    return Delay(
        row.id, row.organisation, frozenset(json.loads(row.subjects)), row.since, row.until, DelayState(row.state),
        row.reason, row.asked_by, row.asked_at, row.decided_by, row.decided_at, row.ended_at,
    )  # fmt: skip
