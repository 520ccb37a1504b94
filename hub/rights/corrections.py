"""Corrections that departments are asked for, and copies of a person's data that were made. All texts are sealed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.errors import NotFound
from hub.rights.states import CorrectionState, move_correction
from hub.rights.tables import CopyRow, CorrectionRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "Copy", "Correction", "add_correction", "copies_made_from", "copy_of", "correction", "corrections_of", "decide",
    "forget_copies", "give_copy", "is_kept", "keep_copy", "old_copies", "open_corrections",
]  # fmt: skip


@dataclass(frozen=True)
class Correction:
    """A value that is said to be wrong; `content` (sealed) says which, `found_in` is the version that has it right."""

    id: str
    request_id: str
    dataset_id: str
    version_id: str
    organisation_id: str
    content: str
    state: CorrectionState
    sent_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    found_in: str | None


@dataclass(frozen=True)
class Copy:
    """A copy of what the hub holds about a person, made for a request; `contents` (sealed) lists what is in it."""

    request_id: str
    owner: str
    object_key: str
    sources: tuple[str, ...]
    contents: str
    size: int
    made_at: datetime
    made_by: str
    given_at: datetime | None
    expires_at: datetime
    destroyed_at: datetime | None

    @property
    def binding(self) -> str:
        """What its file is bound to."""
        return f"copy={self.owner};request={self.request_id}"


def add_correction(
    session: Session,
    request_id: str,
    dataset_id: str,
    version_id: str,
    organisation_id: str,
    content: str,
    by: str,
) -> Correction:
    """Send a correction to the department that publishes the dataset."""
    row = CorrectionRow(
        id=new_id("cor"), request_id=request_id, dataset_id=dataset_id, version_id=version_id,
        organisation_id=organisation_id, content=content, state=CorrectionState.SENT.value, sent_at=utc_now(),
        sent_by=by, decided_at=None, decided_by=None, reason=None, found_in=None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _correction(row)


def correction(session: Session, correction_id: str) -> Correction:
    """One correction.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(CorrectionRow, correction_id)
    if row is None:
        raise NotFound(f"There is no correction {correction_id}.")
    return _correction(row)


def corrections_of(session: Session, request_id: str) -> list[Correction]:
    """The corrections of a request, oldest first."""
    query = select(CorrectionRow).where(CorrectionRow.request_id == request_id).order_by(CorrectionRow.id)
    return [_correction(row) for row in session.scalars(query)]


def open_corrections(session: Session, organisation_id: str | None = None) -> list[Correction]:
    """Corrections that wait for a department, oldest first."""
    query = (
        select(CorrectionRow)
        .where(CorrectionRow.state == CorrectionState.SENT.value)
        .order_by(CorrectionRow.id)
    )
    if organisation_id is not None:
        query = query.where(CorrectionRow.organisation_id == organisation_id)
    return [_correction(row) for row in session.scalars(query)]


def decide(
    session: Session, correction_id: str, event: str, by: str, *, reason: str | None = None, found_in: str | None = None
) -> Correction:  # fmt: skip
    """Note what came of a correction.

    Raises:
        Conflict: when its state does not allow the event.
    """
    row = session.get(CorrectionRow, correction_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no correction {correction_id}.")
    row.state = move_correction(row.state, event).value
    row.decided_at, row.decided_by = utc_now(), by
    row.reason, row.found_in = reason or row.reason, found_in
    session.flush()
    return _correction(row)


def keep_copy(session: Session, copy: Copy) -> None:
    """Keep a copy in place of the one that the request had before, whose key the caller has destroyed."""
    session.merge(CopyRow(**(copy.__dict__ | {"sources": json.dumps(sorted(copy.sources))})))
    session.flush()


def copy_of(session: Session, request_id: str) -> Copy | None:
    """The copy that was made for a request, destroyed or not."""
    row = session.get(CopyRow, request_id)
    return _copy(row) if row else None


def give_copy(session: Session, request_id: str, at: datetime) -> None:
    """Note that the person may fetch the copy from now on."""
    session.get_one(CopyRow, request_id).given_at = at
    session.flush()


def old_copies(session: Session, now: datetime) -> list[Copy]:
    """Copies whose time is over and that are still there."""
    query = select(CopyRow).where(CopyRow.destroyed_at.is_(None), CopyRow.expires_at <= now)
    return [_copy(row) for row in session.scalars(query)]


def is_kept(session: Session, object_key: str) -> bool:
    """Whether an object is a copy that is still there."""
    query = select(CopyRow.owner).where(CopyRow.object_key == object_key, CopyRow.destroyed_at.is_(None))
    return session.scalars(query.limit(1)).first() is not None


def copies_made_from(session: Session, version_ids: Iterable[str]) -> list[Copy]:
    """Copies that are still there and hold rows of one of these versions."""
    wanted = set(version_ids)
    query = select(CopyRow).where(CopyRow.destroyed_at.is_(None)).order_by(CopyRow.request_id)
    return [copy for row in session.scalars(query) if wanted & set((copy := _copy(row)).sources)]


def forget_copies(session: Session, owners: Iterable[str], at: datetime) -> None:
    """Note that the keys of some copies are destroyed; what was in them is forgotten too."""
    query = select(CopyRow).where(CopyRow.owner.in_(sorted(owners)), CopyRow.destroyed_at.is_(None))
    for row in session.scalars(query):
        row.destroyed_at, row.contents = at, ""
    session.flush()


def _correction(row: CorrectionRow) -> Correction:
    return Correction(
        row.id, row.request_id, row.dataset_id, row.version_id, row.organisation_id, row.content,
        CorrectionState(row.state), row.sent_at, row.decided_at, row.decided_by, row.reason, row.found_in,
    )  # fmt: skip


def _copy(row: CopyRow) -> Copy:
    return Copy(
        row.request_id, row.owner, row.object_key, tuple(json.loads(row.sources)), row.contents, row.size,
        row.made_at, row.made_by, row.given_at, row.expires_at, row.destroyed_at,
    )  # fmt: skip
