"""Writing and sealing the audit log; what reads and verifies it is named here too, so that one import serves.

An entry is written in the transaction of the act it records, so neither exists without the other. Entries get
their place in the tree a moment later, when a batch is sealed under a signed checkpoint: writers never wait for
each other's hashes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.orm import Session

from hub.audit.checkpoint import Checkpoint, CheckpointError, read_unverified, sign, verify_any
from hub.audit.merkle import CompactRange, leaf_hash
from hub.audit.reading import (
    Consistency,
    Entry,
    Inclusion,
    about,
    checkpoint_at,
    consistency,
    count,
    for_subjects,
    has_entry,
    inclusion,
    is_sealed,
    latest_checkpoint,
    length,
    place_of,
    recent,
    sealed_size,
    with_actions,
)
from hub.audit.subtrees import keep
from hub.audit.tables import CheckpointRow, EntryRow, SubjectRow
from hub.audit.verify import Verification, verify_log
from hub.audit.vouching import vouch
from hub.storage.database import utc_now

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "BATCH", "Consistency", "Entry", "Inclusion", "Verification", "about", "checkpoint_at", "consistency", "count",
    "for_subjects", "has_entry", "inclusion", "is_sealed", "latest_checkpoint", "length", "place_of", "recent",
    "record", "seal", "sealed_size", "thin", "verify_log", "with_actions",
]  # fmt: skip

#: So many entries are sealed in one transaction; a checkpoint follows each.
BATCH: Final = 5000
#: PostgreSQL: who holds this lock seals. Any number will do that nothing else of a hub uses.
_SEALER: Final = 0x6A6F_696E_6564
_ENTRIES: Final = EntryRow.__table__
#: Made once: to make a statement takes as long as to run it, and every act of the hub pays for its entry.
_ADD: Final = insert(_ENTRIES)
_ADD_SUBJECT: Final = insert(SubjectRow.__table__)
_canonical = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


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
    named = sorted(set(subjects))
    entry = _canonical(
        {
            "at": now.isoformat(timespec="milliseconds"),
            "actor": actor,
            "action": action,
            "target": target,
            "agreement": agreement,
            "purpose": purpose,
            "reason": reason,
            "subjects": named,
            "detail": dict(detail or {}),
            "request": request_id,
        }
    )
    entry = vouch(session, entry)
    row = {
        "at": now,
        "actor": actor,
        "action": action,
        "entry": entry,
        "leaf_hash": leaf_hash(entry.encode()),
    }
    connection = session.connection()
    entry_id = int(connection.execute(_ADD, row).inserted_primary_key[0])
    if named:
        connection.execute(_ADD_SUBJECT, [{"entry_id": entry_id, "subject": item} for item in named])
    return entry_id


def seal(
    session: Session,
    origin: str,
    key: Ed25519PrivateKey,
    *,
    limit: int = BATCH,
    known: Sequence[Ed25519PublicKey] = (),
) -> Checkpoint | None:
    """Give the first `limit` unsealed entries their places and sign a checkpoint; None when nothing waits.

    With `known`, every key that ever signed this log, it goes on only from a checkpoint that one of them signed.

    Two sealers at once follow one another: on SQLite every writer does, on PostgreSQL a lock is held to the end of the
    transaction.

    Raises:
        CheckpointError: when the newest checkpoint is not the hub's, or its root not that of the hashes kept with it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:sealer)"), {"sealer": _SEALER})
    last = session.scalars(select(CheckpointRow).order_by(CheckpointRow.size.desc()).limit(1)).first()
    tree = _range_of(last, origin, known)
    waiting = session.execute(
        select(EntryRow.id, EntryRow.leaf_hash)
        .where(EntryRow.leaf_index.is_(None))
        .order_by(EntryRow.id)
        .limit(limit)
    ).all()
    if not waiting:
        return None
    places, tiles = [], []
    for entry_id, digest in waiting:
        places.append({"row": entry_id, "place": tree.size})
        tiles += tree.append(bytes(digest))
    given = update(_ENTRIES).where(_ENTRIES.c.id == bindparam("row")).values(leaf_index=bindparam("place"))
    session.execute(given, places)
    keep(session, tiles)
    checkpoint = Checkpoint(origin, tree.size, tree.root())
    session.add(
        CheckpointRow(size=tree.size, at=utc_now(), roots=b"".join(tree.roots), note=sign(checkpoint, key))
    )
    session.flush()
    return checkpoint


def thin(session: Session, now: datetime) -> int:
    """Forget checkpoints that later ones cover: after an hour all but the last of a minute, after a day of an hour.

    What they said can be computed from the entries at any time, and one kept elsewhere is compared as before; but each
    signature costs a tenth of a millisecond whenever the log is verified. The first and last of each key stay. Returns
    how many were forgotten.
    """
    query = select(CheckpointRow.size, CheckpointRow.at, CheckpointRow.note)
    rows = session.execute(
        query.where(CheckpointRow.at < now - timedelta(hours=1)).order_by(CheckpointRow.size)
    ).all()
    slots = [(*_signer(row.note), *_slot(row.at, now)) for row in rows]
    gone = [
        rows[place].size
        for place in range(1, len(rows) - 1)
        if slots[place] == slots[place + 1] and slots[place][:2] == slots[place - 1][:2]
    ]
    for start in range(0, len(gone), BATCH):
        session.execute(delete(CheckpointRow).where(CheckpointRow.size.in_(gone[start : start + BATCH])))
    return len(gone)


def _signer(note: str) -> tuple[str, str]:
    """The log's name and the beginning of its key's id, which stand before the signature itself."""
    _, _, signature = note.rstrip("\n").rpartition("\n")
    _, _, rest = signature.partition(" ")
    name, _, encoded = rest.partition(" ")
    return name, encoded[:5]


def _slot(at: datetime, now: datetime) -> tuple[datetime, bool]:
    old = at < now - timedelta(days=1)
    return at.replace(minute=0 if old else at.minute, second=0, microsecond=0), old


def _range_of(row: CheckpointRow | None, origin: str, known: Sequence[Ed25519PublicKey]) -> CompactRange:
    if row is None:
        return CompactRange()
    if known:
        verify_any(row.note, origin, known)
    try:
        tree = CompactRange(row.size, [row.roots[i : i + 32] for i in range(0, len(row.roots), 32)])
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    said = read_unverified(row.note)
    if (said.size, said.root) != (tree.size, tree.root()):
        raise CheckpointError("the hashes kept with the newest checkpoint are not those it was signed for")
    return tree
