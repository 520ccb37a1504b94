"""The audit log from outside: reading, sealing, verifying, proving, and taking it and its checkpoints elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy.orm import Session

from hub.audit import log as audit_log
from hub.audit import publishing
from hub.audit.checkpoint import CheckpointError, verifier_key
from hub.audit.export import export_lines
from hub.audit.log import Consistency, Entry, Inclusion, Verification
from hub.audit.proofs import ProofError
from hub.audit.verify import Progress
from hub.errors import Conflict, HubError, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy.roles import Permission
from hub.storage.database import utc_now
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.naming import who

__all__ = [
    "checkpoint", "explain", "export", "prove_consistency", "prove_inclusion", "publish", "read_log", "seal_log",
    "thin_log", "verifier_keys", "verify",
]  # fmt: skip

T = TypeVar("T")
_LATEST = "audit/checkpoints/latest"


def seal_log(hub: Hub) -> bool:
    """Seal what was written since the last checkpoint, batch by batch, and put the newest checkpoint outside.

    A copy lies beside the objects, and in the folder of the setting `audit_publish`. They show when the database was
    rolled back: a copy that the log contradicts is never written over.
    """
    with hub.database.read() as session:
        if audit_log.is_sealed(session):
            return False
    try:
        while _seal_some(hub):
            pass
    except (CheckpointError, Conflict) as error:  # the log was bent; the worker has other work to go on with
        structlog.get_logger().error("audit.not-sealed", reason=str(error))
        return False
    with hub.database.read() as session:
        newest = audit_log.latest_checkpoint(session)
    if newest is None:
        return False
    _put_beside(hub, newest)
    if hub.settings.audit_publish:
        try:
            publishing.publish(
                hub.database, Path(hub.settings.audit_publish), newest, hub.audit_origin, hub.clock()
            )
        except HubError as error:
            structlog.get_logger().error("audit.not-published", reason=error.detail)
    return True


def thin_log(hub: Hub) -> None:
    """Forget older checkpoints that later ones cover, so that verifying stays quick."""
    with hub.database.write() as session:
        audit_log.thin(session, hub.clock())


def _seal_some(hub: Hub) -> bool:
    """One batch; whether more waits."""
    with hub.database.write() as session:
        audit_log.seal(
            session, hub.audit_origin, hub.keyring.checkpoint_private_key, limit=audit_log.BATCH,
            known=hub.keyring.checkpoint_public_keys,
        )  # fmt: skip
        return not audit_log.is_sealed(session)


def _put_beside(hub: Hub, newest: str) -> None:
    before = _beside(hub)
    if before:
        try:
            if not publishing.is_older(hub.database, before, newest, hub.audit_origin):
                return  # another process of this hub was quicker
        except Conflict as error:
            structlog.get_logger().error("audit.contradicted", reason=error.detail)
            return
    hub.objects.put_bytes(_LATEST, newest.encode())


def _beside(hub: Hub) -> str:
    if hub.objects.size(_LATEST) is None:
        return ""
    return hub.objects.get_bytes(_LATEST).decode(errors="replace")


def read_log(
    hub: Hub,
    principal: Principal,
    *,
    limit: int = 50,
    before: int | None = None,
    action: str | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[list[Entry], str | None, int]:
    """Entries (newest first), the latest checkpoint and the number of entries."""
    authorise(principal, Permission.READ_AUDIT)
    with hub.database.read() as session:
        entries = audit_log.recent(
            session, limit=limit, before=before, action=action, actor=actor, since=since, until=until
        )
        return entries, audit_log.latest_checkpoint(session), audit_log.length(session)


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


def verify(
    hub: Hub, published: Iterable[str] | None = None, progress: Progress = lambda done, total: None
) -> Verification:
    """Recompute the whole log and compare it with its checkpoints.

    They are those stored, the one beside the database, those in the folder of the setting `audit_publish`, and those
    given.
    """
    notes = list(published or [])
    if before := _beside(hub):
        notes.append(before)
    if hub.settings.audit_publish:
        notes += publishing.published(Path(hub.settings.audit_publish))
    with hub.database.read() as session:
        return audit_log.verify_log(
            session, hub.audit_origin, hub.keyring.checkpoint_public_keys, notes, progress
        )


# --- what may leave the hub


def _may_see_tree(hub: Hub, principal: Principal | None) -> None:
    """Sizes and hashes name nobody, but show how much the hub does and when: strangers see them if that is set."""
    if principal is None and hub.settings.audit_public:
        return
    authorise(principal or Principal("system", "stranger", "", "", "", frozenset()), Permission.READ_AUDIT)


def checkpoint(hub: Hub, principal: Principal | None) -> str:
    """The newest signed checkpoint; a stranger (`principal` is None) may ask where the setting audit_public is on.

    Raises:
        NotFound: when nothing was sealed yet.
    """
    _may_see_tree(hub, principal)
    with hub.database.read() as session:
        newest = audit_log.latest_checkpoint(session)
    if newest is None:
        raise NotFound("The log has no checkpoint yet. One is signed a moment after the first entry.")
    return newest


def verifier_keys(hub: Hub, principal: Principal | None) -> list[str]:
    """Every key that signed this log, oldest first, in the form in which who verifies keeps it. Strangers as above."""
    _may_see_tree(hub, principal)
    return [verifier_key(hub.audit_origin, key) for key in hub.keyring.checkpoint_public_keys]


def prove_inclusion(
    hub: Hub,
    principal: Principal,
    *,
    entry: int | None = None,
    leaf_index: int | None = None,
    size: int | None = None,
) -> tuple[Inclusion, str | None]:
    """The proof that an entry is in the log of some size, and the checkpoint of that size if one was signed.

    The entry is named by its number or its place in the tree; the size is the newest checkpoint's unless told.

    Raises:
        Invalid: when neither or both are given, or the log of that size does not reach the entry.
        NotFound: when there is no such entry.
        Conflict: when it is not sealed yet.
    """
    authorise(principal, Permission.READ_AUDIT)
    if (entry is None) == (leaf_index is None):
        raise Invalid(
            "Name the entry by its number (entry) or by its place in the tree (leaf_index), one of the two."
        )
    with hub.database.read() as session:
        sealed = audit_log.sealed_size(session)
        if entry is not None:
            leaf_index = audit_log.place_of(session, entry)
            if leaf_index is None:
                if not audit_log.has_entry(session, entry):
                    raise NotFound(f"The log has no entry {entry}.")
                raise Conflict(f"Entry {entry} is not sealed yet; ask again in a moment.")
        index = leaf_index if leaf_index is not None else -1
        if index >= sealed:
            raise NotFound(f"The log has {sealed} sealed entries; places count from 0.")
        size = sealed if size is None else size
        if not index < size <= sealed:
            raise Invalid(f"Give a size from {index + 1} to {sealed}.", fields={"size": ["Out of range."]})
        return _proved(audit_log.inclusion, session, index, size), audit_log.checkpoint_at(session, size)


def prove_consistency(
    hub: Hub, principal: Principal | None, *, first: int, second: int | None
) -> Consistency:
    """The proof that the log of one size begins with the log of an earlier one. Strangers as for `checkpoint`.

    Raises:
        Invalid: when the sizes are not in order or the log is shorter.
    """
    _may_see_tree(hub, principal)
    with hub.database.read() as session:
        sealed = audit_log.sealed_size(session)
        second = sealed if second is None else second
        if not 0 < first <= second <= sealed:
            raise Invalid(
                f"Give two sizes in order, from 1 to {sealed}.", fields={"second": ["Out of range."]}
            )
        return _proved(audit_log.consistency, session, first, second)


def _proved(make: Callable[[Session, int, int], T], session: Session, one: int, other: int) -> T:
    try:
        return make(session, one, other)
    except ProofError as error:
        raise Conflict(f"This cannot be proved: {error}.") from None


def export(hub: Hub, principal: Principal, progress: Progress = lambda done, total: None) -> Iterator[bytes]:
    """The whole log as lines of a file that can be verified with no hub; that it was taken is noted first."""
    authorise(principal, Permission.READ_AUDIT)
    with hub.database.write() as session:
        note(session, principal, "audit.exported")
    seal_log(hub)
    return _export(hub, progress)


def _export(hub: Hub, progress: Progress) -> Iterator[bytes]:
    key, past = hub.keyring.checkpoint_public_keys[-1], hub.keyring.secrets.past_checkpoint_keys
    with hub.database.read() as session:
        yield from export_lines(session, hub.audit_origin, key, past, utc_now().isoformat(), progress)


def publish(hub: Hub, principal: Principal, folder: Path) -> Path:
    """Seal the log and write its newest checkpoint into a folder outside the hub; returns the file.

    Raises:
        Invalid: when the folder is the hub's own.
        Conflict: when the folder holds a checkpoint that this log contradicts.
        Unavailable: when the folder cannot be written.
    """
    authorise(principal, Permission.READ_AUDIT)
    if folder.resolve().is_relative_to(hub.settings.dir.resolve()):
        raise Invalid(
            "That folder lies in the hub's own. Name one outside, best on another machine: who can bend the log must "
            "not reach it."
        )
    seal_log(hub)
    return publishing.publish(hub.database, folder, checkpoint(hub, principal), hub.audit_origin, hub.clock())
