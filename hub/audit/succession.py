"""One key of the audit log follows another: who signed until when, and how a later key vouches for an earlier one.

The statement of a change is signed by both keys: whoever pinned the old one sees that its holder handed over, and
whoever knows the new one sees that it stands for what was signed before.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["PastKey", "SuccessionError", "hand_over", "public_keys"]


class SuccessionError(ValueError):
    """A change of keys is not signed as it must be."""


@dataclass(frozen=True)
class PastKey:
    """A public key that signed earlier, the key that followed it, and both signatures over the change."""

    public: bytes
    next: bytes
    ended_at: datetime
    by_old: bytes
    by_next: bytes

    def to_json(self) -> dict[str, Any]:
        """In base64, for the keyring and for the audit log; nothing in it is secret."""
        return {
            "old": _text(self.public), "next": _text(self.next), "ended_at": self.ended_at.isoformat(),
            "by_old": _text(self.by_old), "by_next": _text(self.by_next),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PastKey:
        """What `to_json` gave."""
        raw = base64.b64decode
        return cls(
            raw(data["old"]), raw(data["next"]), datetime.fromisoformat(data["ended_at"]), raw(data["by_old"]),
            raw(data["by_next"]),
        )  # fmt: skip


def hand_over(origin: str, old: Ed25519PrivateKey, new: Ed25519PrivateKey, at: datetime) -> PastKey:
    """The statement that `new` follows `old` in the log named `origin`."""
    before, after = old.public_key().public_bytes_raw(), new.public_key().public_bytes_raw()
    said = _statement(origin, before, after, at)
    return PastKey(before, after, at, old.sign(said), new.sign(said))


def public_keys(origin: str, past: tuple[PastKey, ...], current: Ed25519PublicKey) -> list[Ed25519PublicKey]:
    """Every key that ever signed this log, oldest first, when each change is signed on both sides.

    Raises:
        SuccessionError: when the chain does not lead to `current`.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found, wanted = [current], current.public_bytes_raw()
    for item in reversed(past):
        key = Ed25519PublicKey.from_public_bytes(item.public)
        said = _statement(origin, item.public, item.next, item.ended_at)
        try:
            if item.next != wanted:
                raise SuccessionError("the keys of the audit log do not follow one another")
            found[0].verify(item.by_next, said)
            key.verify(item.by_old, said)
        except InvalidSignature:
            raise SuccessionError("a change of the audit log's key is not signed by both keys") from None
        found.insert(0, key)
        wanted = item.public
    return found


def _statement(origin: str, old: bytes, new: bytes, at: datetime) -> bytes:
    return f"joinedup-audit-key\n{origin}\n{_text(old)}\n{_text(new)}\n{at.isoformat()}\n".encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
