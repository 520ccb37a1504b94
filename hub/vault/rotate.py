"""Rotating the root key, as the database sees it: owners' keys move from the old root to the new one in small batches.

No data is touched. A key is changed only where it is still what was read, so one that was destroyed meanwhile stays
destroyed. While it lasts both roots open; new keys go under the new one from its first moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from hub.storage.database import utc_now
from hub.vault.tables import KeyRow, RootRow

__all__ = [
    "Moved",
    "Waiting",
    "current_root",
    "end_roots",
    "ensure_root",
    "make_current",
    "move",
    "under_others",
    "waiting",
]  # fmt: skip

_CURRENT, _RETIRING, _DESTROYED = "current", "retiring", "destroyed"


@dataclass(frozen=True, repr=False)
class Waiting:
    """An owner's key that is under another root than the current one."""

    owner: str
    root: str
    wrapped: bytes


@dataclass(frozen=True, repr=False)
class Moved:
    """The same key, wrapped by the new root."""

    before: Waiting
    wrapped: bytes


def current_root(session: Session, *, lock: bool = False) -> str | None:
    """The name of the root that new keys go under; None in a hub that was never asked.

    With `lock` a rotation waits until this transaction has ended (SQLite has one writer at a time anyway).
    """
    query = select(RootRow.name).where(RootRow.state == _CURRENT)
    found = session.scalars(query.with_for_update(read=True) if lock else query).first()
    # Who waited for a rotation to begin finds the row it waited for no longer current, and asks again for the new one.
    return found if found or not lock else session.scalars(query.with_for_update(read=True)).first()


def ensure_root(session: Session, name: str) -> None:
    """Note the root of a hub that has none noted yet."""
    if current_root(session) is None:
        session.merge(RootRow(name=name, state=_CURRENT, since=utc_now(), until=None))
        session.flush()


def make_current(session: Session, name: str) -> bool:
    """New keys go under this root from now on; False when they do already."""
    rows = list(session.scalars(select(RootRow).where(RootRow.state == _CURRENT).with_for_update()))
    if [row.name for row in rows] == [name]:
        return False
    for row in rows:
        row.state = _RETIRING
    session.flush()
    session.merge(RootRow(name=name, state=_CURRENT, since=utc_now(), until=None))
    session.flush()
    return True


def waiting(session: Session, name: str, limit: int, after: str = "") -> list[Waiting]:
    """Keys under other roots than this one, by owner, from the one after `after`."""
    query = (
        select(KeyRow.owner, KeyRow.root, KeyRow.wrapped)
        .where(KeyRow.root != name, KeyRow.wrapped.is_not(None), KeyRow.owner > after)
        .order_by(KeyRow.owner)
        .limit(limit)
    )
    return [Waiting(row.owner, row.root, bytes(row.wrapped)) for row in session.execute(query)]


def under_others(session: Session, name: str) -> int:
    """How many keys are under other roots than this one."""
    query = select(func.count()).select_from(KeyRow).where(KeyRow.root != name, KeyRow.wrapped.is_not(None))
    return int(session.scalar(query) or 0)


def move(session: Session, name: str, moved: Sequence[Moved]) -> int:
    """Put keys under the new root, where they are still what they were; returns how many."""
    if not moved:
        return 0
    keys = KeyRow.__table__.c
    change = (
        update(KeyRow.__table__)
        .where(
            keys.owner == bindparam("was_owner"),
            keys.root == bindparam("was_root"),
            keys.wrapped == bindparam("was_wrapped"),
        )
        .values(root=name, wrapped=bindparam("is_wrapped"))
    )
    values = [
        {
            "was_owner": item.before.owner, "was_root": item.before.root, "was_wrapped": item.before.wrapped,
            "is_wrapped": item.wrapped,
        }
        for item in moved
    ]  # fmt: skip
    return int(session.connection().execute(change, values).rowcount)


def end_roots(session: Session, name: str) -> list[str]:
    """Note that every root but this one is destroyed; returns their names."""
    rows = list(session.scalars(select(RootRow).where(RootRow.name != name, RootRow.state != _DESTROYED)))
    for row in rows:
        row.state, row.until = _DESTROYED, utc_now()
    session.flush()
    return [row.name for row in rows]
