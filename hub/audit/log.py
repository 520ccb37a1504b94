"""Writing, sealing, reading and verifying the audit log.

An entry is written in the transaction of the act it records, so neither exists without the other. Entries get
their place in the tree a moment later, when a batch is sealed under a signed checkpoint: writers never wait for
each other's hashes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from hub.audit.checkpoint import Checkpoint, CheckpointError, sign, verify_any
from hub.audit.merkle import CompactRange, leaf_hash
from hub.audit.tables import CheckpointRow, EntryRow, SubjectRow
from hub.storage.database import utc_now

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "Entry",
    "Verification",
    "count",
    "is_sealed",
    "latest_checkpoint",
    "recent",
    "record",
    "seal",
    "verify_log",
]

_BATCH = 5000


@dataclass(frozen=True)
class Entry:
    """One entry as read back; `place` is its index in the tree, None until it is sealed."""

    id: int
    at: datetime
    actor: str
    action: str
    place: int | None
    content: dict[str, Any]


@dataclass
class Verification:
    """What `verify_log` found; `problems` is empty when everything holds."""

    entries: int = 0
    sealed: int = 0
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.problems


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    target: str = "",
    agreement: str = "",
    purpose: str = "",
    reason: str = "",
    subjects: Sequence[str] = (),
    detail: Mapping[str, Any] | None = None,
    request_id: str = "",
) -> int:
    """Append an entry in the caller's transaction; returns its id.

    `reason` is sealed text (the vault's), never what a person typed; `subjects` are keyed references.
    """
    now = utc_now()
    content = {
        "at": now.isoformat(timespec="milliseconds"),
        "actor": actor,
        "action": action,
        "target": target,
        "agreement": agreement,
        "purpose": purpose,
        "reason": reason,
        "subjects": sorted(set(subjects)),
        "detail": dict(detail or {}),
        "request": request_id,
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    row = EntryRow(at=now, actor=actor, action=action, entry=text, leaf_hash=leaf_hash(text.encode()))
    session.add(row)
    session.flush()
    if content["subjects"]:
        session.execute(
            insert(SubjectRow.__table__),
            [{"entry_id": row.id, "subject": item} for item in content["subjects"]],
        )
    return row.id


def seal(session: Session, origin: str, key: Ed25519PrivateKey) -> Checkpoint | None:
    """Give unsealed entries their places and sign a checkpoint over them; None when there was nothing to seal.

    Two sealers at once cannot both commit: places and sizes are unique.
    """
    last = session.scalars(select(CheckpointRow).order_by(CheckpointRow.size.desc()).limit(1)).first()
    tree = _range_of(last)
    waiting = session.execute(
        select(EntryRow.id, EntryRow.leaf_hash).where(EntryRow.leaf_index.is_(None)).order_by(EntryRow.id)
    ).all()
    if not waiting:
        return None
    places = []
    for entry_id, digest in waiting:
        places.append({"id": entry_id, "leaf_index": tree.size})
        tree.append(bytes(digest))
    session.execute(update(EntryRow), places)
    checkpoint = Checkpoint(origin, tree.size, tree.root())
    session.add(
        CheckpointRow(size=tree.size, at=utc_now(), roots=b"".join(tree.roots), note=sign(checkpoint, key))
    )
    session.flush()
    return checkpoint


def _range_of(row: CheckpointRow | None) -> CompactRange:
    if row is None:
        return CompactRange()
    return CompactRange(row.size, [row.roots[i : i + 32] for i in range(0, len(row.roots), 32)])


def is_sealed(session: Session) -> bool:
    """Whether every entry has its place in the tree."""
    return session.scalars(select(EntryRow.id).where(EntryRow.leaf_index.is_(None)).limit(1)).first() is None


def latest_checkpoint(session: Session) -> str | None:
    """The newest checkpoint as a signed note."""
    return session.scalars(select(CheckpointRow.note).order_by(CheckpointRow.size.desc()).limit(1)).first()


def count(session: Session) -> int:
    """How many entries there are, sealed or not."""
    return session.scalar(select(func.count()).select_from(EntryRow)) or 0


def recent(
    session: Session,
    *,
    limit: int = 50,
    before: int | None = None,
    action: str | None = None,
    subject: str | None = None,
) -> list[Entry]:
    """Entries, newest first; `before` is the id to go on from."""
    query = select(EntryRow).order_by(EntryRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(EntryRow.id < before)
    if action:
        query = query.where(EntryRow.action == action)
    if subject:
        query = query.join(SubjectRow, SubjectRow.entry_id == EntryRow.id).where(
            SubjectRow.subject == subject
        )
    return [
        Entry(row.id, row.at, row.actor, row.action, row.leaf_index, json.loads(row.entry))
        for row in session.scalars(query)
    ]


def verify_log(
    session: Session,
    origin: str,
    keys: Ed25519PublicKey | Sequence[Ed25519PublicKey],
    published: Iterable[str] = (),
) -> Verification:
    """Recompute every hash and compare with every checkpoint, stored and `published` (signed notes).

    `keys` is the key that signs this log, or all that did, oldest first. Once one has signed, no earlier one may: who
    steals an old key can neither extend the log nor sign another past of the part that newer keys cover.

    Detected: entries edited, deleted, reordered or inserted; checkpoints forged or removed; a database rolled
    back behind a published checkpoint.
    """
    known = list(keys) if isinstance(keys, Sequence) else [keys]
    found = Verification()
    roots: dict[int, bytes] = {}
    notes = {
        row.size: row.note for row in session.scalars(select(CheckpointRow).order_by(CheckpointRow.size))
    }
    found.checkpoints = len(notes)
    ends: dict[int, int] = {}
    expected = _read_notes(list(notes.items()), origin, known, ends, found)
    outside = _read_notes([(None, note) for note in published], origin, known, ends, found)
    wanted = {checkpoint.size for checkpoint in (*expected, *outside)}
    tree = CompactRange()
    query = select(*EntryRow.__table__.columns).where(EntryRow.leaf_index.is_not(None))
    for row in session.execute(query.order_by(EntryRow.leaf_index).execution_options(yield_per=_BATCH)):
        digest = leaf_hash(row.entry.encode())
        _check_entry(row, digest, tree.size, found)
        tree.append(digest)
        if tree.size in wanted:
            roots[tree.size] = tree.root()
    found.sealed, found.entries = tree.size, count(session)
    if tree.size and tree.size not in notes:
        found.problems.append(f"No checkpoint covers the {tree.size} sealed entries: one was removed.")
    for kind, checkpoints in (("The checkpoint", expected), ("The published checkpoint", outside)):
        for checkpoint in checkpoints:
            if checkpoint.size > tree.size:
                found.problems.append(
                    f"{kind} of size {checkpoint.size} covers entries that are gone: the log has {tree.size}."
                )
            elif roots.get(checkpoint.size) != checkpoint.root:
                found.problems.append(
                    f"{kind} of size {checkpoint.size} does not match the entries before it."
                )
    return found


def _read_notes(
    notes: list[tuple[int | None, str]], origin: str, keys: list[Ed25519PublicKey], ends: dict[int, int],
    found: Verification,
) -> list[Checkpoint]:  # fmt: skip
    """The checkpoints in some notes; `ends` says, and is told, at which size each key was followed by a newer one."""
    checkpoints = []
    for size, note in notes:
        try:
            checkpoint, signer = verify_any(note, origin, keys)
        except CheckpointError as error:
            found.problems.append(f"A checkpoint (size {size if size is not None else 'unknown'}): {error}.")
            continue
        if size is not None and checkpoint.size != size:
            found.problems.append(f"The checkpoint stored for size {size} says {checkpoint.size}.")
        if checkpoint.size > ends.get(signer, checkpoint.size):
            found.problems.append(
                f"The checkpoint of size {checkpoint.size} is signed with a key that had been followed by another."
            )
        if size is not None:
            for earlier in range(signer):
                ends.setdefault(earlier, checkpoint.size)
        checkpoints.append(checkpoint)
    return checkpoints


def _check_entry(row: Any, digest: bytes, place: int, found: Verification) -> None:
    if row.leaf_index != place:
        found.problems.append(f"An entry is missing or out of place at {place}.")
    try:
        content = json.loads(row.entry)
        same = (
            content["at"] == row.at.isoformat(timespec="milliseconds")
            and content["actor"] == row.actor
            and content["action"] == row.action
        )
    except (ValueError, KeyError):
        same = False
    if not same:
        found.problems.append(f"Entry {row.id} does not say what its columns say.")
    if digest != bytes(row.leaf_hash):
        found.problems.append(f"Entry {row.id} was changed after it was written.")
