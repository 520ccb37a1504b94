"""Destroying keys: what an owner had can never be read again, and what is left of it are objects to remove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hub.storage.database import utc_now
from hub.vault.tables import FileRow, KeyRow

__all__ = ["Held", "destroy", "destroyed", "held", "leftovers", "note_removed", "objects_alive"]

_SOME = 500  # values in one IN list


@dataclass(frozen=True)
class Held:
    """A key that an owner has, by the digest of its wrapped form, and the objects it opens."""

    owner: str
    root: str
    digest: str
    created_at: datetime
    objects: tuple[str, ...]
    rows: int


def held(session: Session, owners: Sequence[str]) -> list[Held]:
    """Those of some owners that have a key that is not destroyed yet, by owner."""
    found = []
    for start in range(0, len(owners), _SOME):
        some = sorted(owners)[start : start + _SOME]
        files: dict[str, list[FileRow]] = {}
        for file in session.scalars(
            select(FileRow).where(FileRow.owner.in_(some)).order_by(FileRow.object_key)
        ):
            files.setdefault(file.owner, []).append(file)
        query = (
            select(KeyRow).where(KeyRow.owner.in_(some), KeyRow.wrapped.is_not(None)).order_by(KeyRow.owner)
        )
        found += [
            Held(
                row.owner, row.root, sha256(bytes(row.wrapped or b"")).hexdigest(), row.created_at,
                tuple(file.object_key for file in files.get(row.owner, ())),
                sum(file.rows for file in files.get(row.owner, ())),
            )
            for row in session.scalars(query)
        ]  # fmt: skip
    return found


def destroy(session: Session, owners: Sequence[str]) -> list[Held]:
    """Overwrite the keys of some owners and the key material of their files; returns what was destroyed."""
    gone = held(session, owners)
    for start in range(0, len(gone), _SOME):
        some = [item.owner for item in gone[start : start + _SOME]]
        session.execute(
            update(KeyRow).where(KeyRow.owner.in_(some)).values(wrapped=None, destroyed_at=utc_now())
        )
        session.execute(update(FileRow).where(FileRow.owner.in_(some)).values(material=""))
    session.expire_all()
    return gone


def destroyed(session: Session, prefix: str) -> list[str]:
    """The owners whose names begin so and whose keys are destroyed."""
    query = select(KeyRow.owner).where(
        KeyRow.wrapped.is_(None), KeyRow.owner.startswith(prefix, autoescape=True)
    )
    return list(session.scalars(query.order_by(KeyRow.owner)))


def objects_alive(session: Session) -> list[str]:
    """Every registered file whose keys are there, by its object's key."""
    query = (
        select(FileRow.object_key)
        .join(KeyRow, KeyRow.owner == FileRow.owner)
        .where(KeyRow.wrapped.is_not(None))
        .order_by(FileRow.object_key)
    )
    return list(session.scalars(query))


def leftovers(session: Session, limit: int = 1000) -> list[str]:
    """Objects whose keys are destroyed and that were not removed yet."""
    query = (
        select(FileRow.object_key)
        .join(KeyRow, KeyRow.owner == FileRow.owner)
        .where(KeyRow.wrapped.is_(None), FileRow.removed_at.is_(None))
        .order_by(FileRow.object_key)
        .limit(limit)
    )
    return list(session.scalars(query))


def note_removed(session: Session, object_keys: Sequence[str]) -> None:
    """Note that objects are removed."""
    for start in range(0, len(object_keys), _SOME):
        some = object_keys[start : start + _SOME]
        session.execute(update(FileRow).where(FileRow.object_key.in_(some)).values(removed_at=utc_now()))
