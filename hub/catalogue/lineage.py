"""What came from what, and what becomes of a dataset when versions of it are destroyed."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hub.catalogue.tables import DatasetRow, LineageRow, VersionRow

__all__ = ["descendants", "edges_below", "edges_into", "origins", "set_current", "versions_of_origins"]

_SOME = 500  # values in one IN list


def descendants(session: Session, version_ids: Iterable[str]) -> dict[str, str]:
    """Every version that was made from one of these, at any remove, with the version it was directly made from."""
    known = set(version_ids)
    found: dict[str, str] = {}
    front = sorted(known)
    while front:
        fresh: dict[str, str] = {}
        for start in range(0, len(front), _SOME):
            query = select(LineageRow.child, LineageRow.parent).where(
                LineageRow.parent.in_(front[start : start + _SOME])
            )
            for child, parent in session.execute(query.order_by(LineageRow.child, LineageRow.parent)):
                if child not in known:
                    fresh.setdefault(child, parent)
        found |= fresh
        known |= fresh.keys()
        front = sorted(fresh)
    return found


def origins(session: Session, version_ids: Iterable[str]) -> dict[str, str]:
    """What each of some versions came from: a delivery's id, or the hub's own part that made it."""
    ids = sorted(version_ids)
    found: dict[str, str] = {}
    for start in range(0, len(ids), _SOME):
        query = select(VersionRow.id, VersionRow.origin).where(VersionRow.id.in_(ids[start : start + _SOME]))
        found |= {row.id: row.origin for row in session.execute(query)}
    return found


def versions_of_origins(session: Session, deliveries: Iterable[str]) -> list[str]:
    """The versions that some deliveries became."""
    query = select(VersionRow.id).where(VersionRow.origin.in_(sorted(deliveries))).order_by(VersionRow.id)
    return list(session.scalars(query))


def set_current(session: Session, dataset_id: str, version_id: str | None) -> None:
    """Make a version a dataset's current one, or none."""
    session.execute(update(DatasetRow).where(DatasetRow.id == dataset_id).values(current_version=version_id))


def edges_into(session: Session, children: Iterable[str]) -> list[tuple[str, str]]:
    """What some versions were directly made from: pairs of (version, what it was made from)."""
    query = select(LineageRow.child, LineageRow.parent).where(LineageRow.child.in_(sorted(children)))
    found = session.execute(query.order_by(LineageRow.child, LineageRow.parent))
    return [(row.child, row.parent) for row in found]


def edges_below(session: Session, version_ids: Iterable[str]) -> list[tuple[str, str]]:
    """All that was made from some versions, at any remove: pairs of (version, what was made from it)."""
    found: list[tuple[str, str]] = []
    known = set(version_ids)
    front = sorted(known)
    while front:
        fresh: set[str] = set()
        for start in range(0, len(front), _SOME):
            some = front[start : start + _SOME]
            query = select(LineageRow.parent, LineageRow.child).where(LineageRow.parent.in_(some))
            pairs = [(row.parent, row.child) for row in session.execute(query.order_by(LineageRow.child))]
            found += pairs
            fresh |= {child for _, child in pairs} - known
        known |= fresh
        front = sorted(fresh)
    return found
