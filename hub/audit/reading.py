"""Reading the log: newest entries, those about somebody, those of some acts; the tree's size and its proofs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, false, func, or_, select
from sqlalchemy.orm import Session

from hub.audit.proofs import ProofError, consistency_proof, inclusion_proof
from hub.audit.subtrees import Hashes
from hub.audit.tables import CheckpointRow, EntryRow, SubjectRow

__all__ = [
    "Consistency", "Entry", "Inclusion", "about", "checkpoint_at", "consistency", "count", "for_subjects", "has_entry",
    "inclusion", "is_sealed", "latest_checkpoint", "length", "place_of", "recent", "sealed_size", "with_actions",
]  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One entry as read back; `place` is its index in the tree, None until it is sealed."""

    id: int
    at: datetime
    actor: str
    action: str
    place: int | None
    content: dict[str, Any]


@dataclass(frozen=True)
class Inclusion:
    """That the entry with this text is leaf `index` of the tree of `size` leaves with this root."""

    index: int
    size: int
    entry: str
    leaf: bytes
    hashes: list[bytes]
    root: bytes


@dataclass(frozen=True)
class Consistency:
    """That the tree of `second` leaves begins with the tree of `first`."""

    first: int
    second: int
    first_root: bytes
    second_root: bytes
    hashes: list[bytes]


def is_sealed(session: Session) -> bool:
    """Whether every entry has its place in the tree."""
    return session.scalars(select(EntryRow.id).where(EntryRow.leaf_index.is_(None)).limit(1)).first() is None


def latest_checkpoint(session: Session) -> str | None:
    """The newest checkpoint as a signed note."""
    return session.scalars(select(CheckpointRow.note).order_by(CheckpointRow.size.desc()).limit(1)).first()


def checkpoint_at(session: Session, size: int) -> str | None:
    """The checkpoint that was signed at this size, if one was."""
    return session.scalars(select(CheckpointRow.note).where(CheckpointRow.size == size)).first()


def sealed_size(session: Session) -> int:
    """How many entries the newest checkpoint covers."""
    return session.scalar(select(func.max(CheckpointRow.size))) or 0


def count(session: Session) -> int:
    """How many entries there are, sealed or not, counted one by one."""
    return session.scalar(select(func.count()).select_from(EntryRow)) or 0


def length(session: Session) -> int:
    """The same from the newest checkpoint and what waits, in no time; of a bent log it may be wrong."""
    waiting = select(func.count()).select_from(EntryRow).where(EntryRow.leaf_index.is_(None))
    return sealed_size(session) + (session.scalar(waiting) or 0)


def recent(
    session: Session,
    *,
    limit: int = 50,
    before: int | None = None,
    action: str | None = None,
    subject: str | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Entry]:
    """Entries, newest first; `before` is the id to go on from; from the moment `since` up to, without, `until`."""
    query = _newest(limit, before)
    if action:
        query = query.where(EntryRow.action == action)
    if actor:
        query = query.where(EntryRow.actor == actor)
    if since:
        query = query.where(EntryRow.at >= since)
    if until:
        query = query.where(EntryRow.at < until)
    if subject:
        query = query.where(EntryRow.id.in_(select(SubjectRow.entry_id).where(SubjectRow.subject == subject)))
    return _entries(session, query)


def for_subjects(
    session: Session,
    references: Iterable[str],
    *,
    limit: int = 50,
    before: int | None = None,
    actions: Iterable[str] | None = None,
) -> list[Entry]:
    """Entries about any of some people or households, newest first, each once.

    `references` are keyed (the vault's); `before` is the id to go on from; `actions` narrows to some acts.
    """
    wanted = select(SubjectRow.entry_id).where(SubjectRow.subject.in_(list(references)))
    query = _newest(limit, before).where(EntryRow.id.in_(wanted))
    if actions is not None:
        query = query.where(EntryRow.action.in_(list(actions)))
    return _entries(session, query)


def about(
    session: Session,
    *,
    actions: Iterable[str],
    targets: Iterable[str] | None = None,
    agreement: str | None = None,
    limit: int = 50,
    before: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Entry]:
    """Entries of some acts, newest first: on some targets, under an agreement, in a time.

    Acts and times are found by index; targets and the agreement by a look at each entry found so: meant for acts of
    which there are thousands (runs, linkings, releases), not millions.
    """
    query = _newest(limit, before).where(EntryRow.action.in_(list(actions)))
    if since:
        query = query.where(EntryRow.at >= since)
    if until:
        query = query.where(EntryRow.at < until)
    if targets is not None:
        # A target ends the canonical text. What a text holds cannot look like its end: quotation marks are escaped.
        said = [f',"target":{json.dumps(item, ensure_ascii=False)}' for item in targets]
        plain = [EntryRow.entry.endswith(f"{text}}}", autoescape=True) for text in said]
        vouched = [EntryRow.entry.contains(f'{text},"vouched":"', autoescape=True) for text in said]
        query = query.where(or_(false(), *plain, *vouched))
    if agreement is not None:
        named = f',"agreement":{json.dumps(agreement, ensure_ascii=False)},"at":"'
        query = query.where(EntryRow.entry.contains(named, autoescape=True))
    return _entries(session, query)


def with_actions(
    session: Session, actions: Iterable[str], *, limit: int = 50, before: int | None = None
) -> list[Entry]:
    """Entries of some acts, newest first; found by index. `before` is the id to go on from."""
    return about(session, actions=actions, limit=limit, before=before)


def _newest(limit: int, before: int | None) -> Select[tuple[EntryRow]]:
    query = select(EntryRow).order_by(EntryRow.id.desc()).limit(limit)
    return query if before is None else query.where(EntryRow.id < before)


def _entries(session: Session, query: Select[tuple[EntryRow]]) -> list[Entry]:
    return [
        Entry(row.id, row.at, row.actor, row.action, row.leaf_index, json.loads(row.entry))
        for row in session.scalars(query)
    ]


# --- the tree


def place_of(session: Session, entry_id: int) -> int | None:
    """The index of an entry in the tree; None when it is not there, or not sealed yet."""
    return session.scalars(select(EntryRow.leaf_index).where(EntryRow.id == entry_id)).first()


def has_entry(session: Session, entry_id: int) -> bool:
    """Whether there is an entry of this number."""
    return session.scalars(select(EntryRow.id).where(EntryRow.id == entry_id)).first() is not None


def inclusion(session: Session, index: int, size: int) -> Inclusion:
    """The proof that a sealed entry is in the tree of some size.

    Raises:
        ProofError: when it is not, or hashes are missing.
    """
    hashes = Hashes(session)
    proof = inclusion_proof(index, size, hashes.root_of)
    row = session.scalars(select(EntryRow).where(EntryRow.leaf_index == index)).first()
    if row is None:
        raise ProofError(f"the entry at {index} is missing; run: hub audit verify")
    return Inclusion(index, size, row.entry, bytes(row.leaf_hash), proof, hashes.root_of(0, size))


def consistency(session: Session, first: int, second: int) -> Consistency:
    """The proof that the tree of one size begins with the tree of another.

    Raises:
        ProofError: when the sizes make no sense, or hashes are missing.
    """
    hashes = Hashes(session)
    proof = consistency_proof(first, second, hashes.root_of)
    return Consistency(first, second, hashes.root_of(0, first), hashes.root_of(0, second), proof)
