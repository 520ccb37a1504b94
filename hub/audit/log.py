"""Writing and sealing the audit log; what reads and verifies it is named here too, so that one import serves.

An entry is written in the transaction of the act it records, so neither exists without the other. Entries get
their place in the tree a moment later, when a batch is sealed under a signed checkpoint: writers never wait for
each other's hashes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.orm import Session

from hub.audit.checkpoint import Checkpoint, CheckpointError, read_unverified, sign
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
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "BATCH", "Consistency", "Entry", "Inclusion", "Verification", "about", "checkpoint_at", "consistency", "count",
    "for_subjects", "has_entry", "inclusion", "is_sealed", "latest_checkpoint", "length", "place_of", "recent",
    "record", "seal", "sealed_size", "verify_log", "with_actions",
]  # fmt: skip

#: So many entries are sealed in one transaction; a checkpoint follows each.
BATCH: Final = 5000
#: PostgreSQL: who holds this lock seals. Any number will do that nothing else of a hub uses.
_SEALER: Final = 0x6A6F_696E_6564
_ENTRIES: Final = EntryRow.__table__
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
    written = session.execute(insert(_ENTRIES), row)
    entry_id = int(written.inserted_primary_key[0])  # type: ignore[attr-defined]
    if named:
        session.execute(
            insert(SubjectRow.__table__), [{"entry_id": entry_id, "subject": item} for item in named]
        )
    return entry_id


def seal(session: Session, origin: str, key: Ed25519PrivateKey, *, limit: int = BATCH) -> Checkpoint | None:
    """Give the first `limit` unsealed entries their places and sign a checkpoint; None when nothing waits.

    Two sealers at once follow one another: on SQLite every writer does, on PostgreSQL a lock is held to the end of the
    transaction.

    Raises:
        CheckpointError: when the newest checkpoint's root is not that of the hashes kept with it: the log was bent.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:sealer)"), {"sealer": _SEALER})
    last = session.scalars(select(CheckpointRow).order_by(CheckpointRow.size.desc()).limit(1)).first()
    tree = _range_of(last)
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


def _range_of(row: CheckpointRow | None) -> CompactRange:
    if row is None:
        return CompactRange()
    try:
        tree = CompactRange(row.size, [row.roots[i : i + 32] for i in range(0, len(row.roots), 32)])
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    if read_unverified(row.note).root != tree.root():
        raise CheckpointError("the hashes kept with the newest checkpoint are not those it was signed for")
    return tree
