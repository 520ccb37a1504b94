"""Keeping requests for data and the steps of their lives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from hub.errors import Conflict, NotFound
from hub.policy.asking import OPEN, RequestState, move
from hub.policy.tables import RequestRow, RequestStepRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "AccessRequest",
    "Step",
    "act",
    "add",
    "get",
    "keep_answers",
    "list_requests",
    "of_agreement",
    "steps",
]


@dataclass(frozen=True)
class AccessRequest:
    """A request for data. `publisher` and `organisation` (who asks) are slugs; `answers` are sealed."""

    id: str
    dataset_id: str
    contract: str
    publisher: str
    organisation: str
    asked_by: str
    state: RequestState
    answers: str
    agreement_id: str | None
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Step:
    """What was done to a request, by whom (a reference of the audit log) and with which words (sealed)."""

    number: int
    act: str
    by: str
    at: datetime
    words: str | None


def add(
    session: Session, dataset_id: str, contract: str, publisher: str, organisation: str, by: str, answers: str
) -> AccessRequest:
    """Begin a request."""
    now = utc_now()
    row = RequestRow(
        id=new_id("req"), dataset_id=dataset_id, contract=contract, publisher=publisher, organisation=organisation,
        asked_by=by, state=RequestState.DRAFT.value, answers=answers, agreement_id=None, created_at=now, changed_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _request(row)


def keep_answers(session: Session, request_id: str, answers: str) -> AccessRequest:
    """Change the answers.

    Raises:
        Conflict: when the request is with the publisher, or decided.
    """
    row = _row(session, request_id)
    if RequestState(row.state) not in OPEN:
        raise Conflict(f"The request is {row.state}: its answers cannot be changed now.")
    row.answers, row.changed_at = answers, utc_now()
    session.flush()
    return _request(row)


def act(
    session: Session, request_id: str, event: str, by: str, words: str | None, agreement_id: str | None = None
) -> AccessRequest:
    """Take a step of the table of states; `words` are sealed text.

    Raises:
        Conflict: when the table has no such step.
    """
    row = _row(session, request_id)
    row.state, row.changed_at = move(row.state, event).value, utc_now()
    if agreement_id is not None:
        row.agreement_id = agreement_id
    number = session.scalar(
        select(func.count()).select_from(RequestStepRow).where(RequestStepRow.request_id == request_id)
    )
    session.add(
        RequestStepRow(
            request_id=request_id, number=(number or 0) + 1, act=event, by=by, at=row.changed_at, words=words
        )
    )
    session.flush()
    return _request(row)


def get(session: Session, request_id: str, *, lock: bool = False) -> AccessRequest:
    """One request; with `lock` nobody else changes it until this transaction ends.

    Raises:
        NotFound: when there is none.
    """
    return _request(_row(session, request_id, lock=lock))


def steps(session: Session, request_id: str) -> list[Step]:
    """What was done to a request, in order."""
    query = select(RequestStepRow).where(RequestStepRow.request_id == request_id)
    return [
        Step(row.number, row.act, row.by, row.at, row.words)
        for row in session.scalars(query.order_by(RequestStepRow.number))
    ]


def of_agreement(session: Session, agreement_id: str) -> AccessRequest | None:
    """The request that an agreement was drafted from."""
    row = session.scalars(select(RequestRow).where(RequestRow.agreement_id == agreement_id)).first()
    return _request(row) if row else None


def list_requests(
    session: Session, *, reader: str, organisation: str | None, states: Collection[RequestState] = (),
    before: str | None = None, limit: int = 50,
) -> list[AccessRequest]:  # fmt: skip
    """Requests, newest first, from the one before `before`; in some states if they are named.

    Those that `organisation` (slug) made or is asked, None for all; a draft only for its `reader`, who writes it.
    """
    sent = RequestRow.state != RequestState.DRAFT
    if organisation is not None:
        sent = and_(sent, or_(RequestRow.organisation == organisation, RequestRow.publisher == organisation))
    query = (
        select(RequestRow)
        .where(or_(sent, RequestRow.asked_by == reader))
        .order_by(RequestRow.id.desc())
        .limit(limit)
    )
    if states:
        query = query.where(RequestRow.state.in_(sorted(states)))
    if before is not None:
        query = query.where(RequestRow.id < before)
    return [_request(row) for row in session.scalars(query)]


def _row(session: Session, request_id: str, *, lock: bool = False) -> RequestRow:
    row = session.get(RequestRow, request_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound(f"There is no request {request_id}.")
    return row


def _request(row: RequestRow) -> AccessRequest:
    return AccessRequest(
        row.id, row.dataset_id, row.contract, row.publisher, row.organisation, row.asked_by, RequestState(row.state),
        row.answers, row.agreement_id, row.created_at, row.changed_at,
    )  # fmt: skip
