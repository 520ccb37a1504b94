"""Keeping requests and restrictions. What is given here as `person`, `wish`, `answer` and so on is sealed already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hub.errors import Conflict, NotFound
from hub.rights.states import OPEN, RequestKind, RequestState, move_request
from hub.rights.tables import RequestRow, RestrictionRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "Request", "Restriction", "add_request", "begin_restriction", "end_restrictions", "extend", "get_request",
    "in_force", "list_requests", "move", "requests_of", "restrictions_ever", "restrictions_of",
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What a person asked for; `organisation` is the slug of the one whose officers answer."""

    id: str
    kind: RequestKind
    subject: str
    person: str
    state: RequestState
    organisation: str
    opened_by: str
    opened_at: datetime
    received_on: date
    due_on: date
    wish: str
    agreement_id: str | None
    handled_by: str | None
    extended_at: datetime | None
    extension_reason: str | None
    answered_at: datetime | None
    answer: str | None

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.state in OPEN

    def overdue(self, on: date) -> bool:
        """Whether an answer should have been given before this day."""
        return self.is_open and self.due_on < on


@dataclass(frozen=True)
class Restriction:
    """A person whose rows are left out, for one agreement or (None) for all."""

    id: str
    request_id: str
    subject: str
    person: str
    agreement_id: str | None
    began_at: datetime
    ended_at: datetime | None

    def covers(self, agreement: str, at: datetime | None = None) -> bool:
        """Whether what an agreement is for is covered, now or at a moment."""
        if self.agreement_id not in (None, agreement):
            return False
        if at is None:
            return self.ended_at is None
        return self.began_at <= at and (self.ended_at is None or at < self.ended_at)


def add_request(
    session: Session, kind: RequestKind, subject: str, person: str, organisation: str, by: str, wish: str,
    received_on: date, due_on: date, agreement_id: str | None = None,
) -> Request:  # fmt: skip
    """Note what a person asks for.

    Raises:
        Conflict: when the same was asked for already and is not answered yet.
    """
    same = select(RequestRow.id).where(
        RequestRow.subject == subject, RequestRow.kind == kind.value, RequestRow.state.in_(OPEN),
        RequestRow.agreement_id == agreement_id,
    )  # fmt: skip
    if (
        kind is not RequestKind.RECTIFICATION
        and (known := session.scalars(same.limit(1)).first()) is not None
    ):
        raise Conflict(f"The same was asked for already and waits for an answer: request {known}.")
    row = RequestRow(
        id=new_id("rgt"), kind=kind.value, subject=subject, person=person, state=RequestState.RECEIVED.value,
        organisation=organisation, opened_by=by, opened_at=utc_now(), received_on=received_on.isoformat(),
        due_on=due_on.isoformat(), wish=wish, agreement_id=agreement_id, handled_by=None, extended_at=None,
        extension_reason=None, answered_at=None, answer=None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _request(row)


def get_request(session: Session, request_id: str, *, lock: bool = False) -> Request:
    """One request; with `lock` nobody else changes it until this transaction ends.

    Raises:
        NotFound: when there is none.
    """
    return _request(_row(session, request_id, lock=lock))


def list_requests(
    session: Session, *, organisation: str | None = None, only_open: bool = False, limit: int = 50,
    after: tuple[str, str] | None = None,
) -> list[Request]:  # fmt: skip
    """Requests by the day they are due, from the one after `after` (its due day and id)."""
    query = select(RequestRow).order_by(RequestRow.due_on, RequestRow.id).limit(limit)
    if organisation is not None:
        query = query.where(RequestRow.organisation == organisation)
    if only_open:
        query = query.where(RequestRow.state.in_(OPEN))
    if after is not None:
        due, ident = after
        query = query.where(
            or_(RequestRow.due_on > due, (RequestRow.due_on == due) & (RequestRow.id > ident))
        )
    return [_request(row) for row in session.scalars(query)]


def requests_of(session: Session, subject: str) -> list[Request]:
    """A person's requests, newest first."""
    query = select(RequestRow).where(RequestRow.subject == subject).order_by(RequestRow.id.desc())
    return [_request(row) for row in session.scalars(query)]


def move(session: Session, request_id: str, event: str, by: str, answer: str | None = None) -> Request:
    """Let a request go on by an event of its table; `answer` is what the person is told, sealed.

    Raises:
        Conflict: when its state does not allow the event.
    """
    row = _row(session, request_id, lock=True)
    row.state = move_request(row.state, event).value
    row.handled_by = by
    if answer is not None:
        row.answer = answer
    if row.state not in OPEN:
        row.answered_at = utc_now()
    session.flush()
    return _request(row)


def extend(session: Session, request_id: str, due_on: date, reason: str) -> Request:
    """Put the due day off, once.

    Raises:
        Conflict: when it was put off before, or the request is closed.
    """
    row = _row(session, request_id, lock=True)
    if row.state not in OPEN:
        raise Conflict(f"The request is {row.state}: there is nothing to extend.")
    if row.extended_at is not None:
        raise Conflict(
            "The request was extended already; that can be done once. Answer it by the day it is due."
        )
    row.due_on, row.extended_at, row.extension_reason = due_on.isoformat(), utc_now(), reason
    session.flush()
    return _request(row)


def begin_restriction(session: Session, request: Request, agreement_id: str | None, by: str) -> Restriction:
    """Leave a person's rows out from now on; a second time for the same request changes nothing."""
    for known in restrictions_of(session, request.subject):
        if known.request_id == request.id and known.ended_at is None and known.agreement_id == agreement_id:
            return known
    row = RestrictionRow(
        id=new_id("rst"), request_id=request.id, subject=request.subject, person=request.person,
        agreement_id=agreement_id, began_at=utc_now(), began_by=by, ended_at=None, ended_by=None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _restriction(row)


def end_restrictions(session: Session, request_id: str, by: str) -> int:
    """Lift the restrictions of a request; how many there were."""
    query = select(RestrictionRow).where(
        RestrictionRow.request_id == request_id, RestrictionRow.ended_at.is_(None)
    )
    rows = list(session.scalars(query))
    for row in rows:
        row.ended_at, row.ended_by = utc_now(), by
    session.flush()
    return len(rows)


def in_force(session: Session, agreement_id: str) -> list[Restriction]:
    """The restrictions that cover what an agreement is for, now."""
    query = select(RestrictionRow).where(
        RestrictionRow.ended_at.is_(None),
        or_(RestrictionRow.agreement_id.is_(None), RestrictionRow.agreement_id == agreement_id),
    )
    return [_restriction(row) for row in session.scalars(query.order_by(RestrictionRow.id))]


def restrictions_of(session: Session, subject: str) -> list[Restriction]:
    """A person's restrictions, lifted ones too, newest first."""
    query = select(RestrictionRow).where(RestrictionRow.subject == subject).order_by(RestrictionRow.id.desc())
    return [_restriction(row) for row in session.scalars(query)]


def restrictions_ever(session: Session, subjects: Sequence[str]) -> list[Restriction]:
    """The restrictions of somebody who is known by several references."""
    return [item for subject in subjects for item in restrictions_of(session, subject)]


def _row(session: Session, request_id: str, *, lock: bool = False) -> RequestRow:
    row = session.get(RequestRow, request_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound(f"There is no request {request_id}.")
    return row


def _request(row: RequestRow) -> Request:
    return Request(
        row.id, RequestKind(row.kind), row.subject, row.person, RequestState(row.state), row.organisation,
        row.opened_by, row.opened_at, date.fromisoformat(row.received_on), date.fromisoformat(row.due_on), row.wish,
        row.agreement_id, row.handled_by, row.extended_at, row.extension_reason, row.answered_at, row.answer,
    )  # fmt: skip


def _restriction(row: RestrictionRow) -> Restriction:
    return Restriction(
        row.id, row.request_id, row.subject, row.person, row.agreement_id, row.began_at, row.ended_at
    )
