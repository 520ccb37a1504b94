"""The connector's own key: an Ed25519 pair that proves who sends, kept in a file only its owner may read.

The key that makes source digests is derived from the first of them, so a digest tells nobody but this connector whether
two sources are the same. When the pair is changed, that key stays, in a file of its own beside the new pair: what was
sent before is still recognised.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import ConfigError
from .files import is_private, write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["PASSPHRASE_VARIABLE", "SigningKey", "fingerprint", "next_file"]

#: Environment variable with the passphrase of the key file, where one is wanted.
PASSPHRASE_VARIABLE: Final = "HUB_CONNECTOR_KEY_PASSPHRASE"  # noqa: S105  the name of one
_DIGEST_INFO: Final = b"joinedup connector source digest v1"


class SigningKey:
    """An Ed25519 private key with what the connector does with it; `digests`: the key for digests, if it is apart."""

    def __init__(self, private: Ed25519PrivateKey, digests: bytes | None = None) -> None:
        self.private, self._digests = private, digests

    @classmethod
    def create(cls, path: Path) -> SigningKey:
        """Make a key and write it to a new file (PKCS#8 PEM, mode 0600), whole or not at all.

        Raises:
            FileExistsError: when the file is there already.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if path.exists():
            raise FileExistsError(path)
        private = Ed25519PrivateKey.generate()
        write_private(path, _pem(private))
        return cls(private)

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a key file, and the key for digests beside it, if there is one.

        Raises:
            ConfigError: when it is missing, readable by others, or no such key.
        """
        apart = _digest_file(path)
        return cls(cls._read(path), cls._read(apart).private_bytes_raw() if apart.exists() else None)

    @staticmethod
    def _read(path: Path) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            pem = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"The private key {path} cannot be read: {error.strerror}.",
                "Run `hub-connector init`, or put the key file back where the configuration says.",
            ) from None
        if not is_private(path):
            raise ConfigError(f"Others may read the private key {path}.", f"Run: chmod 600 {path}")
        try:
            key = load_pem_private_key(pem, _passphrase())
        except (TypeError, ValueError):
            raise ConfigError(
                f"The private key {path} cannot be opened.",
                f"If it has a passphrase, put it into the environment variable {PASSPHRASE_VARIABLE}.",
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(
                f"{path} is not an Ed25519 key.", "Use the key file that `hub-connector init` made."
            )
        return key

    def set_digests_apart(self, path: Path) -> None:
        """Write the key for digests beside this key file, for the pair that will follow; it stays as it is if there."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        apart = _digest_file(path)
        if not apart.exists():
            # In the form of a key file, so that a passphrase guards it as well; it signs nothing.
            write_private(apart, _pem(Ed25519PrivateKey.from_private_bytes(self._digest_key())))

    def public_jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key (RFC 8037) whose `kid` is its thumbprint (RFC 7638)."""
        key = self._jwk()
        return {**key.as_dict(private=False), "kid": key.thumbprint()}

    def assertion(self, client_id: str, audience: str, now: int) -> str:
        """A client assertion (RFC 7523) good for one request within two minutes of `now` (Unix seconds)."""
        from uuid import uuid4

        from joserfc import jwt

        key = self._jwk()
        claims = {
            "iss": client_id, "sub": client_id, "aud": audience, "jti": uuid4().hex, "iat": now, "exp": now + 120,
        }  # fmt: skip
        return jwt.encode(
            {"alg": "Ed25519", "typ": "JWT", "kid": key.thumbprint()}, claims, key, algorithms=["Ed25519"]
        )

    def key_change(self, client_id: str, audience: str, new: SigningKey, now: int) -> str:
        """A statement that a client changes its key to `new`, good for two minutes of `now` (Unix seconds)."""
        from uuid import uuid4

        from joserfc import jwt

        claims = {
            "iss": client_id, "sub": client_id, "aud": audience, "jti": uuid4().hex, "iat": now, "exp": now + 120,
            "new_key": new.thumbprint(),
        }  # fmt: skip
        return jwt.encode(
            {"alg": "Ed25519", "typ": "key-change+jwt"}, claims, self._jwk(), algorithms=["Ed25519"]
        )

    def thumbprint(self) -> str:
        """The thumbprint of the public key (RFC 7638), SHA-256 in hex."""
        text = self._jwk().thumbprint()
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()

    def spoken_thumbprint(self) -> str:
        """The thumbprint as people read it out, and as the hub shows it: 32 digits in groups of four."""
        text = self.thumbprint()
        return " ".join(text[place : place + 4] for place in range(0, 32, 4))

    def source_mac(self) -> hmac.HMAC:
        """A fresh HMAC-SHA-256 under the key for source digests."""
        return hmac.new(self._digest_key(), digestmod=sha256)

    def _digest_key(self) -> bytes:
        """The key for digests: the one that stands apart, else made of the private key (HKDF, RFC 5869)."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        if self._digests is not None:
            return self._digests
        return HKDF(SHA256(), 32, None, _DIGEST_INFO).derive(self.private.private_bytes_raw())

    def _jwk(self) -> Any:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
        from joserfc.jwk import OKPKey

        pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return OKPKey.import_key(pem)


def fingerprint(sealing_key: Mapping[str, str]) -> str:
    """What people compare to know a hub's sealing key: 32 hexadecimal digits of SHA-256 in groups of four."""
    from hub_schemas.delivery import sealing_fingerprint

    return sealing_fingerprint(sealing_key["public_key"])


def next_file(path: Path) -> Path:
    """Where the next key waits until the hub knows it."""
    return path.with_name(f"{path.name}.next")


def _digest_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.digests")


def _pem(private: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    phrase = _passphrase()
    protection = serialization.BestAvailableEncryption(phrase) if phrase else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


def _passphrase() -> bytes | None:
    return os.environ.get(PASSPHRASE_VARIABLE, "").encode() or None
