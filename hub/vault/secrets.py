"""What a keyring holds, as a value that never changes, and its form in JSON."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from hub.audit.succession import PastKey
from hub.storage.ids import new_id

__all__ = ["Root", "SealingPair", "Secrets", "TimedKey", "origin_of"]


@dataclass(frozen=True, repr=False)
class Root:
    """A root key: who keeps it, and what that provider needs to find it (the local one: the key itself)."""

    provider: str
    handle: str


@dataclass(frozen=True, repr=False)
class SealingPair:
    """A private key that deliveries are sealed to: ML-KEM-768 seed and X25519 key; `until` ends its overlap."""

    seed: bytes
    exchange: bytes
    until: datetime | None = None

    @classmethod
    def new(cls) -> SealingPair:
        """A fresh pair."""
        return cls(secrets.token_bytes(64), secrets.token_bytes(32))


@dataclass(frozen=True, repr=False)
class TimedKey:
    """A raw private key; `until` ends its overlap, None while it is the current one."""

    key: bytes
    until: datetime | None = None


@dataclass(frozen=True, repr=False)
class Secrets:
    """All secrets of a hub. Byte strings are raw keys; nothing here is ever printed.

    `doomed` are roots that nothing is under any more and whose provider has yet to destroy them; `token_keys` has the
    current key first; `origin` is the name under which the audit log signs, made from its first key;
    `agreements_sealed` says that agreements of an older hub were taken over: since then no unsealed one is believed.
    """

    roots: dict[str, Root]
    current_root: str
    doomed: dict[str, Root]
    sealing: dict[str, SealingPair]
    current_sealing: str
    token_keys: tuple[TimedKey, ...]
    checkpoint_key: bytes
    past_checkpoint_keys: tuple[PastKey, ...]
    origin: str
    pseudonym_key: bytes
    reference_key: bytes
    agreements_sealed: bool = False

    @classmethod
    def new(cls, root: Root) -> Secrets:
        """Fresh secrets under a root that was made for them."""
        name, sealing, checkpoint = new_id("kek"), new_id("hpk"), secrets.token_bytes(32)
        return cls(
            roots={name: root}, current_root=name, doomed={}, sealing={sealing: SealingPair.new()},
            current_sealing=sealing, token_keys=(TimedKey(secrets.token_bytes(32)),), checkpoint_key=checkpoint,
            past_checkpoint_keys=(), origin=origin_of(checkpoint), pseudonym_key=secrets.token_bytes(32),
            reference_key=secrets.token_bytes(32), agreements_sealed=True,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Everything, in the clear: only for encrypting."""
        return {
            "roots": {name: [root.provider, root.handle] for name, root in self.roots.items()},
            "current_root": self.current_root,
            "doomed": {name: [root.provider, root.handle] for name, root in self.doomed.items()},
            "sealing": {
                name: [_text(pair.seed), _text(pair.exchange), _moment(pair.until)]
                for name, pair in self.sealing.items()
            },
            "current_sealing": self.current_sealing,
            "token_keys": [[_text(item.key), _moment(item.until)] for item in self.token_keys],
            "past_checkpoint_keys": [item.to_json() for item in self.past_checkpoint_keys],
            "origin": self.origin,
            "agreements_sealed": self.agreements_sealed,
            **{name: _text(getattr(self, name)) for name in _SINGLE},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Secrets:
        """What `to_json` gave."""
        return cls(
            roots={name: Root(*item) for name, item in data["roots"].items()},
            current_root=data["current_root"],
            doomed={name: Root(*item) for name, item in data["doomed"].items()},
            sealing={
                name: SealingPair(_raw(seed), _raw(exchange), _when(until))
                for name, (seed, exchange, until) in data["sealing"].items()
            },
            current_sealing=data["current_sealing"],
            token_keys=tuple(TimedKey(_raw(key), _when(until)) for key, until in data["token_keys"]),
            past_checkpoint_keys=tuple(PastKey.from_json(item) for item in data["past_checkpoint_keys"]),
            origin=data["origin"],
            agreements_sealed=data.get("agreements_sealed", False),
            **{name: _raw(data[name]) for name in _SINGLE},
        )

    @classmethod
    def from_first_form(cls, data: dict[str, Any]) -> Secrets:
        """The form of joinedup-keyring/1: local roots only, one key of each kind."""
        checkpoint = _raw(data["checkpoint_key"])
        return cls(
            roots={name: Root("local", text) for name, text in data["root_keys"].items()},
            current_root=data["current_root"],
            doomed={},
            sealing={
                name: SealingPair(_raw(pair[0]), _raw(pair[1])) for name, pair in data["sealing"].items()
            },
            current_sealing=data["current_sealing"],
            token_keys=(TimedKey(_raw(data["token_key"])),),
            checkpoint_key=checkpoint,
            past_checkpoint_keys=(),
            origin=origin_of(checkpoint),
            pseudonym_key=_raw(data["pseudonym_key"]),
            reference_key=_raw(data["reference_key"]),
        )


_SINGLE = ("checkpoint_key", "pseudonym_key", "reference_key")


def origin_of(checkpoint_key: bytes) -> str:
    """The name under which an audit log signs its checkpoints; it stays when addresses and keys change."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(checkpoint_key).public_key().public_bytes_raw()
    return f"joinedup-hub/{sha256(public).hexdigest()[:16]}"


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def _when(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
