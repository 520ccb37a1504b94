"""Keeping the keys: rotating the root, the sealing key and the signing keys, while the hub serves."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from hub.audit import log as audit_log
from hub.audit.succession import hand_over
from hub.errors import Conflict, Invalid
from hub.identity.principal import Principal, system
from hub.intake import history as intake
from hub.policy.roles import Permission
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.vault import rotate
from hub.vault.keyfile import locked
from hub.vault.keyring import Keyring
from hub.vault.secrets import SealingPair, Secrets, TimedKey
from hub.workflows import auditing
from hub.workflows.hub import Hub, authorise, note

__all__ = [
    "KeysState", "Rotation", "keys_state", "prune_keys", "rotate_root", "rotate_sealing", "rotate_signing",
]  # fmt: skip

_BATCH = 500
_BUSY = "Another rotation of this hub's keys is under way; wait until it has ended."
_SIGNING = "keys.signing-rotated"


@dataclass(frozen=True)
class Rotation:
    """What a rotation of the root key did; `said` is what the providers say about the old roots."""

    root: str
    keys: int
    ended: tuple[str, ...]
    said: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class KeysState:
    """How the keys stand: where the root is, how many owners' keys are under it, and what does not fit."""

    kind: str
    root: str
    place: str
    elsewhere: int
    problems: tuple[str, ...]


def keys_state(hub: Hub) -> KeysState:
    """Use the root key once and compare keyring and database.

    Raises:
        Unavailable: when the provider of the root key does not answer.
    """
    place, known = hub.keyring.ping(), hub.keyring.current_root
    with hub.database.read() as session:
        noted = rotate.current_root(session)
        elsewhere = rotate.under_others(session, known)
        waiting = rotate.waiting(session, known, _BATCH)
    problems = []
    if noted is not None and noted != known and not hub.keyring.has_root(noted):
        problems.append(
            "The database was written under a root key that this keyring does not have: the keyring is a copy from "
            "before a rotation, or the database from another hub or a backup."
        )
    elif lost := {item.root for item in waiting if not hub.keyring.has_root(item.root)}:
        problems.append(
            f"Keys under {len(lost)} root keys that are gone cannot be opened: the database is a backup from before a "
            "rotation. With a copy of the keyring from then they can."
        )
    elif elsewhere:
        problems.append(
            f"A rotation was broken off with {elsewhere:,} keys to go: hub keys rotate finishes it."
        )
    return KeysState(hub.keyring.kind, known, place, elsewhere, tuple(problems))


def rotate_root(
    hub: Hub,
    principal: Principal,
    *,
    kind: str = "",
    passphrase: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Rotation:
    """Put every owner's key under a new root key and destroy the old one; goes on where an earlier one broke off.

    The hub serves meanwhile: a key is opened with whichever root it is under, new keys go under the new root. With
    `kind` the new root is made there: so a hub moves from one provider to another.

    Raises:
        Conflict: when another rotation is under way, or some keys do not open; the old root is then kept.
        Unavailable: when a provider does not answer. Nothing is lost; the same call goes on later.
    """
    authorise(principal, Permission.MANAGE_KEYS)
    started = time.monotonic()
    with locked(hub.keyring.folder, "rotation", busy=_BUSY):
        new = _begin(hub, principal, kind, passphrase)
        moved = _move_all(hub, new, progress)
        return _end(hub, principal, new, moved, started)


def _begin(hub: Hub, principal: Principal, kind: str, passphrase: str | None) -> str:
    """The root to rotate to: a new one, or that of a rotation that was broken off."""
    held = hub.keyring.secrets
    with hub.database.read() as session:
        noted = rotate.current_root(session)
    if noted is not None and noted != held.current_root and noted not in held.roots:
        raise Conflict(
            "This keyring does not have the root key that the database was written under: it is a copy from before a "
            "rotation, or the database a backup from before one. Bring the two that belong together."
        )
    broken_off = len(held.roots) > 1 or bool(held.doomed) or noted not in (None, held.current_root)
    if broken_off and kind and kind != hub.keyring.kind:
        raise Conflict("An earlier rotation was broken off. Finish it first: hub keys rotate.")
    new = held.current_root if broken_off else hub.keyring.add_root(kind, passphrase)
    with hub.database.write() as session:
        rotate.ensure_root(session, held.current_root)
        if rotate.make_current(session, new):
            note(session, principal, "keys.rotation-begun", new, detail={"provider": hub.keyring.kind})
    return new


def _move_all(hub: Hub, new: str, progress: Callable[[int, int], None]) -> int:
    """Wrap what is under other roots anew, a batch at a time; nothing is locked while a provider works."""
    with hub.database.read() as session:
        total = rotate.under_others(session, new)
    done, after, stuck = 0, "", 0
    progress(done, total)
    while True:
        with hub.database.read() as session:
            batch = rotate.waiting(session, new, _BATCH, after)
        if not batch:
            break
        after = batch[-1].owner
        moved = [
            item for root in sorted({key.root for key in batch}) for item in _rewrapped(hub, root, new, batch)
        ]
        with hub.database.write() as session:
            done += rotate.move(session, new, moved)
        stuck += len(batch) - len(moved)
        progress(min(done, total), total)
    with hub.database.read() as session:
        left = rotate.under_others(session, new)
    if left:
        raise Conflict(
            f"{left:,} keys could not be put under the new root key ({stuck:,} do not open: they were changed or their "
            "root is gone). The old root key is kept. Restore those rows from a backup or destroy them (hub keys "
            "shred), then: hub keys rotate."
        )
    return done


def _rewrapped(hub: Hub, old: str, new: str, batch: Sequence[rotate.Waiting]) -> list[rotate.Moved]:
    """Those of a batch that are under one root, wrapped anew; what does not open is left out."""
    here = [item for item in batch if item.root == old]
    if not hub.keyring.has_root(old):
        return []
    try:
        wrapped = hub.keyring.rewrap(old, new, [(item.wrapped, item.owner.encode()) for item in here])
        return [rotate.Moved(item, text) for item, text in zip(here, wrapped, strict=True)]
    except Invalid:
        if len(here) == 1:
            structlog.get_logger().error("keys.not-opened", owner=here[0].owner)
            return []
    half = len(here) // 2
    return [*_rewrapped(hub, old, new, here[:half]), *_rewrapped(hub, old, new, here[half:])]


def _end(hub: Hub, principal: Principal, new: str, moved: int, started: float) -> Rotation:
    """Nothing is under the old roots any more: they go, first from the keyring, then from their providers."""
    Keyring.open(
        hub.keyring.folder, hub.keyring.passphrase, providers=hub.keyring.providers
    )  # it does open again
    old = [name for name in hub.keyring.secrets.roots if name != new]
    said = hub.keyring.drop_roots(old)
    with hub.database.write() as session:
        ended = rotate.end_roots(session, new)
        detail = {"keys": moved, "ended": sorted({*old, *ended}), "provider": hub.keyring.kind}
        note(session, principal, "keys.rotated", new, detail=detail)
    return Rotation(new, moved, tuple(detail["ended"]), tuple(said), time.monotonic() - started)


def rotate_sealing(hub: Hub, principal: Principal, overlap: timedelta) -> tuple[str, datetime]:
    """Make a new sealing key; the old one opens deliveries until the overlap ends. Returns its id and that moment."""
    authorise(principal, Permission.MANAGE_KEYS)
    name, until = new_id("hpk"), utc_now() + overlap

    def change(held: Secrets) -> Secrets:
        older = {
            key: pair if pair.until and pair.until < until else replace(pair, until=until)
            for key, pair in held.sealing.items()
        }
        return replace(held, sealing={**older, name: SealingPair.new()}, current_sealing=name)

    hub.keyring.change(change)
    with hub.database.write() as session:
        note(session, principal, "keys.sealing-rotated", name, detail={"old_until": until.isoformat()})
    return name, until


def rotate_signing(hub: Hub, principal: Principal, overlap: timedelta) -> datetime:
    """Make new keys for access tokens and for the audit log's checkpoints; returns until when old tokens hold.

    The old checkpoint key is destroyed; its public part stays in the keyring and in the log, in a statement that both
    keys signed, so that what it signed can be verified for ever.
    """
    authorise(principal, Permission.MANAGE_KEYS)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    auditing.seal_log(hub)  # what was written so far goes under the old key
    now = utc_now()
    until = now + overlap

    def change(held: Secrets) -> Secrets:
        new = secrets.token_bytes(32)
        past = hand_over(
            held.origin, Ed25519PrivateKey.from_private_bytes(held.checkpoint_key),
            Ed25519PrivateKey.from_private_bytes(new), now,
        )  # fmt: skip
        kept = tuple(
            item if item.until and item.until < until else replace(item, until=until)
            for item in held.token_keys
        )
        return replace(
            held, checkpoint_key=new, past_checkpoint_keys=(*held.past_checkpoint_keys, past),
            token_keys=(TimedKey(secrets.token_bytes(32)), *kept),
        )  # fmt: skip

    hub.keyring.change(change)
    _announce_keys(hub, principal)
    auditing.seal_log(hub)
    return until


def _announce_keys(hub: Hub, principal: Principal) -> None:
    """Write the statements about the audit log's keys into the log, those of a rotation that broke off too."""
    past = hub.keyring.secrets.past_checkpoint_keys
    if not past:
        return
    with hub.database.write() as session:
        told = {
            item.content["detail"].get("old")
            for item in audit_log.recent(session, action=_SIGNING, limit=len(past) + 10)
        }
        for key in past:
            statement: dict[str, Any] = key.to_json()
            if statement["old"] not in told:
                note(session, principal, _SIGNING, hub.audit_origin, detail=statement)


def prune_keys(hub: Hub) -> int:
    """Destroy private keys whose overlap is over; returns how many. No delivery may still wait for one of them."""
    now, worker = utc_now(), system("keys")

    def over(item: SealingPair | TimedKey) -> bool:
        return item.until is not None and item.until <= now

    held = hub.keyring.secrets
    _announce_keys(hub, worker)
    ended = [name for name, pair in held.sealing.items() if over(pair)]
    with hub.database.read() as session:
        if ended and intake.waiting(session):
            ended = []
    tokens = sum(over(item) for item in held.token_keys)
    if not ended and not tokens:
        return 0
    hub.keyring.change(
        lambda now_held: replace(
            now_held, sealing={name: pair for name, pair in now_held.sealing.items() if name not in ended},
            token_keys=tuple(item for item in now_held.token_keys if not over(item)),
        )
    )  # fmt: skip
    with hub.database.write() as session:
        note(session, worker, "keys.ended", detail={"sealing": sorted(ended), "tokens": tokens})
    return len(ended) + tokens
