"""Short-lived secrets that a browser carries for the hub: which household a link opens, what was last searched for.

A handle is a Fernet token (AES with HMAC, and the time it was made) under a key of the hub: whoever finds one in a
browser's history or a proxy's log can neither read it, nor change it, nor tell whether two lead to one household. It
opens for the person it was made for, for a quarter of an hour.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import Fernet, InvalidToken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.identity.principal import Principal
    from hub.workflows.hub import Hub

__all__ = ["MINUTES", "make_handle", "open_handle"]

MINUTES: Final = 15
_LONGEST: Final = 8000


def make_handle(hub: Hub, use: str, principal: Principal, content: Mapping[str, Any]) -> str:
    """Seal something for a person; `use` keeps handles for one thing from opening as another."""
    text = json.dumps({**content, "for": principal.reference})
    return _sealer(hub, use).encrypt(text.encode()).decode()


def open_handle(hub: Hub, use: str, principal: Principal, handle: object) -> dict[str, Any] | None:
    """What was sealed; None when it is too old, was changed, or belongs to somebody else."""
    if not isinstance(handle, str) or not handle.isascii() or len(handle) > _LONGEST:
        return None
    try:
        content: dict[str, Any] = json.loads(_sealer(hub, use).decrypt(handle, ttl=MINUTES * 60))
    except InvalidToken:
        return None
    # base64 forgives a changed last letter and signs that are not its own; a handle has one spelling only.
    if base64.urlsafe_b64encode(base64.urlsafe_b64decode(handle)).decode() != handle:
        return None
    return content if content.pop("for") == principal.reference else None


def _sealer(hub: Hub, use: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hub.vault.derived_key(f"handles|{use}")))
