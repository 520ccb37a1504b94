"""The audit log from outside: reading, sealing, verifying."""

from __future__ import annotations

from collections.abc import Sequence

from hub.audit import log as audit_log
from hub.audit.log import Entry, Verification
from hub.identity.principal import Principal
from hub.policy.roles import Permission
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.naming import who

__all__ = ["explain", "read_log", "seal_log", "verify"]

_FOLDER = "audit/checkpoints"


def seal_log(hub: Hub) -> bool:
    """Seal what was written since the last checkpoint, and put the checkpoint beside the database too.

    The copy outside the database shows when the database was rolled back.
    """
    with hub.database.read() as session:
        if audit_log.is_sealed(session):
            return False
    with hub.database.write() as session:
        checkpoint = audit_log.seal(session, hub.audit_origin, hub.keyring.checkpoint_private_key)
        note = audit_log.latest_checkpoint(session)
    if checkpoint is None or note is None:
        return False
    hub.objects.put_bytes(f"{_FOLDER}/latest", note.encode())
    return True


def read_log(
    hub: Hub, principal: Principal, *, limit: int = 50, before: int | None = None, action: str | None = None
) -> tuple[list[Entry], str | None, int]:
    """Entries (newest first), the latest checkpoint and the number of entries."""
    authorise(principal, Permission.READ_AUDIT)
    with hub.database.read() as session:
        entries = audit_log.recent(session, limit=limit, before=before, action=action)
        return entries, audit_log.latest_checkpoint(session), audit_log.count(session)


def explain(hub: Hub, principal: Principal, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """For each entry, in words: who acted, and the reason they gave. That the reasons were read is logged too."""
    authorise(principal, Permission.READ_AUDIT)
    with hub.database.read() as session:
        names = {reference: who(session, reference) for reference in {entry.actor for entry in entries}}
    found = [
        (names[entry.actor], hub.vault.open_text(sealed) if (sealed := entry.content.get("reason")) else "")
        for entry in entries
    ]
    if read := sum(bool(reason) for _, reason in found):
        with hub.database.write() as session:
            note(session, principal, "audit.reasons-read", detail={"entries": read})
    return found


def verify(hub: Hub, published: list[str] | None = None) -> Verification:
    """Recompute the whole log and compare it with its checkpoints, the copy outside the database included."""
    notes = list(published or [])
    if hub.objects.size(f"{_FOLDER}/latest") is not None:
        notes.append(hub.objects.get_bytes(f"{_FOLDER}/latest").decode())
    with hub.database.read() as session:
        return audit_log.verify_log(session, hub.audit_origin, hub.keyring.checkpoint_public_keys, notes)
