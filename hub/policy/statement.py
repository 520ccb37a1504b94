"""What an organisation signs when it signs an agreement: a short text in one exact form, and its Ed25519 signature.

The statement names the agreement, its version and the SHA-256 of its text, everybody who must sign and in which part,
and for whom and by whom this signature is. So nobody can take a signature to another text or another agreement, nor
leave somebody out who had to sign.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from hub.errors import Invalid

__all__ = ["FORMAT", "Statement", "fingerprint", "read_public_key", "sign", "verify"]

FORMAT: Final = "joinedup-agreement/1"
#: The part of an organisation that was registered after the others had agreed.
LATER: Final = "joined later"
_MAX_SIGNER: Final = 200


@dataclass(frozen=True)
class Statement:
    """One organisation's statement: `parties` maps each slug that must sign to its parts, `signer` signs for it."""

    agreement: str
    version: int
    text_sha256: str
    parties: Mapping[str, tuple[str, ...]]
    organisation: str
    signer: str

    @classmethod
    def about(
        cls,
        agreement: str,
        version: int,
        text: str,
        parties: Mapping[str, Iterable[str]],
        organisation: str,
        signer: str,
    ) -> Statement:
        """The statement of an organisation about a text.

        Raises:
            Invalid: when nobody, or too long a name, is named as the one who signs.
        """
        signer = " ".join(signer.split())
        if not 2 <= len(signer) <= _MAX_SIGNER or not signer.isprintable():
            raise Invalid(
                "Say who signs for the organisation, with name and office, in 2 to 200 characters.",
                fields={"signer": ["say who signs"]},
            )
        parts = {slug: tuple(parties[slug]) for slug in sorted(parties)}
        return cls(agreement, version, sha256(text.encode()).hexdigest(), parts, organisation, signer)

    @property
    def text(self) -> str:
        """The statement in its one exact form: JSON in UTF-8, keys sorted, two spaces, a line break at the end."""
        content = {
            "format": FORMAT, "agreement": self.agreement, "version": self.version, "text_sha256": self.text_sha256,
            "parties": {slug: list(parts) for slug, parts in self.parties.items()},
            "organisation": self.organisation, "role": " and ".join(self.parties.get(self.organisation, (LATER,))),
            "signer": self.signer,
        }  # fmt: skip
        return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=2) + "\n"


def read_public_key(key: Any) -> bytes:
    """A raw Ed25519 public key from its base64.

    Raises:
        Invalid: when it is none.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(key, validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, TypeError, binascii.Error):
        raise Invalid(
            "The key is not the base64 of a raw Ed25519 public key (44 characters). Make one with: hub agreements "
            "keys new",
            fields={"public_key": ["not an Ed25519 public key"]},
        ) from None
    return raw


def fingerprint(public_key: bytes) -> str:
    """How people compare a key: the first 16 bytes of its SHA-256, in groups of four."""
    digits = sha256(public_key).hexdigest()[:32]
    return " ".join(digits[place : place + 4] for place in range(0, 32, 4))


def sign(statement: str, private_key: bytes) -> str:
    """The signature over a statement's text, in base64; the key is raw."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return base64.b64encode(
        Ed25519PrivateKey.from_private_bytes(private_key).sign(statement.encode())
    ).decode()


def verify(statement: str, signature: str, public_key: bytes) -> bool:
    """Whether a key made a signature over exactly this text."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            base64.b64decode(signature, validate=True), statement.encode()
        )
    except (InvalidSignature, ValueError, TypeError, binascii.Error):
        return False
    return True
