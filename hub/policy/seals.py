"""Seals: the hub's own mark on what it wrote about agreements, so that nobody can change it in the database.

A seal is an HMAC-SHA-256 under a key that is made from the keyring and never in the database; the composition root
gives it to the database's sessions. Without a key nothing is believed. What a seal cannot show is an older record, with
its older seal, put back in place of a newer one: the audit log shows that.
"""

from __future__ import annotations

import hmac
import json
from typing import Any, Final

from sqlalchemy.orm import Session

from hub.errors import ConfigurationError

__all__ = ["SESSION_KEY", "holds", "key_of", "seal"]

#: Under which name sessions carry the key.
SESSION_KEY: Final = "agreement-seals"


def seal(session: Session, kind: str, *parts: Any) -> str:
    """The seal over some plain values.

    Raises:
        ConfigurationError: when the session was made without a key.
    """
    key = key_of(session)
    if not key:
        raise ConfigurationError(
            "This database was opened without the hub's keys, so agreements cannot be kept in it."
        )
    return _made(key, kind, parts)


def key_of(session: Session) -> bytes:
    """The key that a session carries; empty without one, and then nothing is believed."""
    return bytes(session.info.get(SESSION_KEY) or b"")


def holds(key: bytes, found: str | None, kind: str, *parts: Any) -> bool:
    """Whether a seal is the hub's own over these values; never without a key."""
    return bool(key) and bool(found) and hmac.compare_digest(_made(key, kind, parts), str(found))


def _made(key: bytes, kind: str, parts: tuple[Any, ...]) -> str:
    return hmac.digest(key, json.dumps([kind, *parts]).encode(), "sha256").hex()
