"""Keeping linkings, and which sorted copies serve which of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hub.insights.tables import CopyRow, LinkingRow
from hub.storage.database import utc_now

__all__ = ["Linking", "add_copies", "add_linking", "linking_of", "retire_copies"]


@dataclass(frozen=True)
class Linking:
    """One linking; `copies` are its sorted copies (name -> object), none until all of them are there."""

    id: str
    people: str
    person_index: str
    made_at: datetime
    copies: Mapping[str, str]


def add_linking(session: Session, linking_id: str, people: str, person_index: str) -> None:
    """Note which people and which index one linking made."""
    session.add(LinkingRow(id=linking_id, people=people, person_index=person_index, made_at=utc_now()))
    session.flush()


def linking_of(session: Session, people: str) -> Linking | None:
    """The linking that made a version of the people table, with its copies, as one statement sees them."""
    rows = session.execute(
        select(LinkingRow.id, LinkingRow.person_index, LinkingRow.made_at, CopyRow.name, CopyRow.object_key)
        .outerjoin(CopyRow, CopyRow.owner == LinkingRow.people)
        .where(LinkingRow.people == people)
    ).all()
    if not rows:
        return None
    copies = {row.name: row.object_key for row in rows if row.name is not None}
    return Linking(rows[0].id, people, rows[0].person_index, rows[0].made_at, copies)


def add_copies(session: Session, owner: str, copies: Mapping[str, str]) -> None:
    """Note an owner's copies, all at once; somebody else's for the same owner stand in the way (Conflict)."""
    session.add_all(
        CopyRow(owner=owner, name=name, object_key=object_key) for name, object_key in copies.items()
    )
    session.flush()


def retire_copies(session: Session, owner: str) -> list[str]:
    """Forget the copies of every linking but that of `owner`; returns their objects."""
    others = select(LinkingRow.people).where(LinkingRow.people != owner)
    gone = list(session.scalars(select(CopyRow.object_key).where(CopyRow.owner.in_(others))))
    session.execute(delete(CopyRow).where(CopyRow.owner.in_(others)))
    return gone
