"""Signed checkpoints in the C2SP tlog-checkpoint and signed-note formats, with Ed25519 signatures.

A checkpoint says: at this size the log had this root. Published outside the hub it stops anyone, the hub's own
operators included, from changing what came before without being seen.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"


class CheckpointError(ValueError):
    """A checkpoint cannot be read or its signature does not hold."""


@dataclass(frozen=True)
class Checkpoint:
    """Size and root of the log named `origin`."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """The text that is signed: origin, size and base64 root, a line each."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The checkpoint as a signed note."""
    public = key.public_key().public_bytes_raw()
    signature = _key_hash(checkpoint.origin, public) + key.sign(checkpoint.body.encode())
    return f"{checkpoint.body}\n\N{EM DASH} {checkpoint.origin} {base64.b64encode(signature).decode()}\n"


def read_unverified(note: str) -> Checkpoint:
    """What a note says, whoever signed it: to show it, or to compare it with what is known by other means.

    Raises:
        CheckpointError: when it is no checkpoint.
    """
    lines = note.split("\n")
    try:
        if len(lines) < 4 or str(int(lines[1])) != lines[1] or not 0 <= int(lines[1]) < 1 << 62:
            raise ValueError("not in its one form")
        return Checkpoint(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True))
    except ValueError:
        raise CheckpointError("this is not a checkpoint: origin, size and root are expected") from None


def verify(note: str, origin: str, key: Ed25519PublicKey) -> Checkpoint:
    """Read a signed note and check that `key` signed it for `origin`.

    Raises:
        CheckpointError: saying what does not hold.
    """
    from cryptography.exceptions import InvalidSignature

    text, separator, signatures = note.rpartition("\n\n")
    lines = (text + "\n").split("\n")
    if not separator or len(lines) < 4:
        raise CheckpointError("this is not a checkpoint: a signed note of at least three lines is expected")
    wanted = _key_hash(origin, key.public_bytes_raw())
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\N{EM DASH}" or name != origin:
            continue
        try:
            raw = base64.b64decode(encoded, validate=True)
            if raw[:4] != wanted:
                continue
            key.verify(raw[4:], (text + "\n").encode())
            size = int(lines[1])
            if lines[0] != origin or size < 0 or str(size) != lines[1]:
                raise CheckpointError("the checkpoint's text is not in its one form")
            return Checkpoint(lines[0], size, base64.b64decode(lines[2], validate=True))
        except (binascii.Error, InvalidSignature, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint's signature does not hold ({type(error).__name__})"
            ) from None
    raise CheckpointError("the checkpoint carries no signature by the hub's key")


def verify_any(note: str, origin: str, keys: Sequence[Ed25519PublicKey]) -> tuple[Checkpoint, int]:
    """The same with the keys that signed this log one after the other; also which of them signed.

    Raises:
        CheckpointError: when none of them did.
    """
    for place, key in enumerate(keys):
        try:
            return verify(note, origin, key), place
        except CheckpointError:
            continue
    return verify(note, origin, keys[-1]), len(keys) - 1


def verifier_key(origin: str, key: Ed25519PublicKey) -> str:
    """The public key as who verifies keeps it, with the name of the log: a C2SP verifier key, `name+id+base64`."""
    public = key.public_bytes_raw()
    encoded = base64.b64encode(_ED25519 + public).decode()
    return f"{origin}+{_key_hash(origin, public).hex()}+{encoded}"


def read_verifier_key(text: str) -> tuple[str, Ed25519PublicKey]:
    """Name and key of a C2SP verifier key.

    Raises:
        CheckpointError: when it is none, or of another kind than Ed25519.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, _, rest = text.strip().partition("+")
    ident, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
        if not name or raw[:1] != _ED25519 or _key_hash(name, raw[1:]).hex() != ident:
            raise ValueError("kind or id do not fit")
        return name, Ed25519PublicKey.from_public_bytes(raw[1:])
    except ValueError:
        raise CheckpointError(
            "this is not a verifier key: NAME+ID+KEY is expected, as `hub audit key` prints it"
        ) from None


def _key_hash(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
