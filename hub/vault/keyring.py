"""The local keyring: the few secrets from which everything else hangs, in one file under one more key.

The file is AES-256-GCM under a key derived from a passphrase (argon2id, RFC 9106) or read from a key file that
only the hub's user can read. Losing it loses all data; copying it beside a backup undoes crypto-shredding.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigurationError
from hub.storage.ids import new_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

__all__ = ["Keyring"]

_FORMAT = "joinedup-keyring/1"
_ARGON2 = {"lanes": 4, "memory_cost": 64 * 1024, "iterations": 3}
_FILE, _KEY_FILE = "keyring.json", "keyring.key"


@dataclass(frozen=True)
class Keyring:
    """The opened keyring. Byte strings are raw keys; nothing here is ever printed."""

    root_keys: dict[str, bytes]
    current_root: str
    sealing: dict[str, tuple[bytes, bytes]]  # id -> (ML-KEM-768 seed, X25519 private key)
    current_sealing: str
    token_key: bytes
    checkpoint_key: bytes
    pseudonym_key: bytes
    reference_key: bytes

    def __repr__(self) -> str:
        """Names no key."""
        return f"<Keyring root={self.current_root} sealing={self.current_sealing}>"

    @classmethod
    def create(cls, folder: Path, passphrase: str = "") -> Keyring:
        """Make a new keyring in `folder`.

        Raises:
            ConfigurationError: when there is one already.
        """
        if (folder / _FILE).exists():
            raise ConfigurationError(f"There is a keyring in {folder} already; it is never overwritten.")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        root, sealing = new_id("kek"), new_id("hpk")
        ring = cls(
            root_keys={root: secrets.token_bytes(32)},
            current_root=root,
            sealing={sealing: (secrets.token_bytes(64), secrets.token_bytes(32))},
            current_sealing=sealing,
            token_key=secrets.token_bytes(32),
            checkpoint_key=secrets.token_bytes(32),
            pseudonym_key=secrets.token_bytes(32),
            reference_key=secrets.token_bytes(32),
        )
        ring.save(folder, passphrase)
        return ring

    @classmethod
    def open(cls, folder: Path, passphrase: str = "") -> Keyring:
        """Read the keyring.

        Raises:
            ConfigurationError: when it is missing, damaged, open to other users, or under another passphrase.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        path = folder / _FILE
        if not path.exists():
            raise ConfigurationError(f"There is no keyring in {folder}. Make a hub there first: hub init.")
        _check_mode(path)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != _FORMAT:
                raise ValueError("unknown format")
            key = _wrapping_key(folder, passphrase, document)
            plain = AESGCM(key).decrypt(
                base64.b64decode(document["nonce"]), base64.b64decode(document["keys"]), _FORMAT.encode()
            )
        except InvalidTag:
            raise ConfigurationError(
                f"The keyring in {folder} does not open: the passphrase (HUB_KEY_PASSPHRASE) or the key file "
                "is not the one it was made with, or the file was changed."
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"The keyring {path} is damaged ({error}). Restore it from its backup."
            ) from None
        return cls._from_json(json.loads(plain))

    def save(self, folder: Path, passphrase: str = "") -> None:
        """Write the keyring whole and durably, readable by the hub's user only."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        document: dict[str, Any] = {"format": _FORMAT}
        if passphrase:
            document["kdf"] = {
                "name": "argon2id",
                **_ARGON2,
                "salt": base64.b64encode(os.urandom(16)).decode(),
            }
        elif not (folder / _KEY_FILE).exists():
            _write_private(folder / _KEY_FILE, base64.b64encode(secrets.token_bytes(32)) + b"\n")
        nonce = os.urandom(12)
        key = _wrapping_key(folder, passphrase, document)
        sealed = AESGCM(key).encrypt(nonce, json.dumps(self._to_json()).encode(), _FORMAT.encode())
        document |= {"nonce": base64.b64encode(nonce).decode(), "keys": base64.b64encode(sealed).decode()}
        _write_private(folder / _FILE, json.dumps(document, indent=2).encode())

    def _to_json(self) -> dict[str, Any]:
        def text(raw: bytes) -> str:
            return base64.b64encode(raw).decode()

        return {
            "root_keys": {name: text(raw) for name, raw in self.root_keys.items()},
            "current_root": self.current_root,
            "sealing": {name: [text(part) for part in pair] for name, pair in self.sealing.items()},
            "current_sealing": self.current_sealing,
            **{name: text(getattr(self, name)) for name in _SINGLE_KEYS},
        }

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> Keyring:
        raw = base64.b64decode
        return cls(
            root_keys={name: raw(text) for name, text in data["root_keys"].items()},
            current_root=data["current_root"],
            sealing={name: (raw(pair[0]), raw(pair[1])) for name, pair in data["sealing"].items()},
            current_sealing=data["current_sealing"],
            **{name: raw(data[name]) for name in _SINGLE_KEYS},
        )

    def sealing_private_key(self, key_id: str) -> MLKEM768X25519PrivateKey:
        """The private key that opens data keys sealed to `key_id`; KeyError when there is none."""
        from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
        from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

        seed, exchange = self.sealing[key_id]
        return MLKEM768X25519PrivateKey(
            mlkem.MLKEM768PrivateKey.from_seed_bytes(seed),
            x25519.X25519PrivateKey.from_private_bytes(exchange),
        )

    @cached_property
    def sealing_public_text(self) -> str:
        """The current public sealing key as it is announced to connectors."""
        from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

        from hub_schemas.delivery import sealing_public_text

        seed, exchange = self.sealing[self.current_sealing]
        return sealing_public_text(
            mlkem.MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw(),
            x25519.X25519PrivateKey.from_private_bytes(exchange).public_key().public_bytes_raw(),
        )

    @cached_property
    def sealing_fingerprint(self) -> str:
        """The current sealing key as people compare it."""
        from hub_schemas.delivery import sealing_fingerprint

        return sealing_fingerprint(self.sealing_public_text)

    @cached_property
    def checkpoint_private_key(self) -> Ed25519PrivateKey:
        """The key that signs the audit log's checkpoints."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.checkpoint_key)


_SINGLE_KEYS = ("token_key", "checkpoint_key", "pseudonym_key", "reference_key")


def _wrapping_key(folder: Path, passphrase: str, document: dict[str, Any]) -> bytes:
    if (kdf := document.get("kdf")) is not None:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        if not passphrase:
            raise ConfigurationError("This keyring is under a passphrase: give it in HUB_KEY_PASSPHRASE.")
        derive = Argon2id(
            salt=base64.b64decode(kdf["salt"]), length=32, iterations=kdf["iterations"], lanes=kdf["lanes"],
            memory_cost=kdf["memory_cost"],
        )  # fmt: skip
        return derive.derive(passphrase.encode())
    path = folder / _KEY_FILE
    if not path.exists():
        raise ConfigurationError(
            f"The keyring's key file {path} is missing. Put it back from where it is kept."
        )
    _check_mode(path)
    return base64.b64decode(path.read_bytes(), validate=False)


def _check_mode(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(
            f"{path} can be read by others than the hub's user. Mend it: chmod 600 {path}"
        )


def _write_private(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
