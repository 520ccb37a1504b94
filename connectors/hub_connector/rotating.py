"""Changing this connector's signing key, so that being killed at any point loses nothing.

The new key is on the disk before the hub hears of it, and takes the old one's place once the hub has said yes. Between
the two, the same command goes on: it asks again with both keys, and the hub gives the same answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub_schemas.delivery import sign_manifest

from .client import HubClient
from .config import Config
from .errors import HubRefused
from .files import exclusive
from .keys import SigningKey, next_file
from .packing import Package
from .state import SEALED, State

__all__ = ["Rotated", "rotate"]

_UNAUTHORISED = 401
_TAKEN = 409


@dataclass(frozen=True)
class Rotated:
    """What `rotate` did: until when the old key is taken, the new key's thumbprint, whether it went on after a cut."""

    old_key_until: str
    thumbprint: str
    resumed: bool
    signed_anew: int


def rotate(
    config: Config,
    *,
    lost: bool = False,
    connect: Callable[[str, Any, SigningKey], HubClient] = HubClient,
) -> Rotated:
    """Make a new signing key, let the hub take it in place of the present one, and use it from now on.

    lost: the present key may be in other hands; the hub does not take it any more from that moment.

    Raises:
        ConfigError: when a key file cannot be used, or another process of this connector is at work.
        HubRefused: when the hub does not take the new key.
        HubUnreachable: when it cannot be asked; run it again.
    """
    path, state = config.hub.signing_key, State(config.state)
    waiting = next_file(path)
    with exclusive(state.lock, "this connector's outbox"):
        old = SigningKey.load(path)
        old.set_digests_apart(path)
        resumed = waiting.exists()
        new = SigningKey.load(waiting) if resumed else SigningKey.create(waiting)
        _settle(path.parent)
        try:
            answer = _tell(config, old, new, keep_old=not lost, connect=connect)
        except HubRefused as error:
            if error.status == _TAKEN:
                waiting.unlink()  # it can never be taken; the next turn makes another
            raise
        count = _sign_anew(state, new)
        os.replace(waiting, path)
        _settle(path.parent)
    return Rotated(str(answer["old_key_until"]), new.spoken_thumbprint(), resumed, count)


def _tell(
    config: Config,
    old: SigningKey,
    new: SigningKey,
    *,
    keep_old: bool,
    connect: Callable[[str, Any, SigningKey], HubClient],
) -> dict[str, Any]:
    """Let the hub know. Signs in with the old key, and with the new one where the hub has it already."""
    hub = config.hub
    audience = f"{hub.audience.removesuffix('/oauth/token')}/api"

    def ask(signing_in: SigningKey) -> dict[str, Any]:
        now = int(time.time())
        with connect(hub.url, hub, signing_in) as client:
            return client.change_key(
                new.public_jwk(),
                old.key_change(hub.client_id, audience, new, now),
                new.key_change(hub.client_id, audience, new, now),
                keep_old=keep_old,
            )

    try:
        return ask(old)
    except HubRefused as refused:
        if refused.status != _UNAUTHORISED:
            raise
        try:
            return ask(new)  # the answer to an earlier turn was lost, and the old key ended with it
        except HubRefused:
            raise refused from None


def _sign_anew(state: State, key: SigningKey) -> int:
    """Sign the manifests of deliveries that are not through yet with the new key; returns how many."""
    count = 0
    for record in state.records():
        package = Package.load(state.folder_of(record.id)) if record.state == SEALED else None
        if package is not None:
            replace(package, signature=sign_manifest(package.manifest, key.private)).save()
            count += 1
    return count


def _settle(folder: Path) -> None:
    """Wait until the folder's names are on the disk."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
