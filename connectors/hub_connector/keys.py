"""The connector's own key: an Ed25519 pair that proves who sends, kept in a file only its owner may read.

The key that makes source digests is derived from it, so a digest tells nobody but this connector whether two
sources are the same.
"""

from __future__ import annotations

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

__all__ = ["PASSPHRASE_VARIABLE", "SigningKey", "fingerprint"]

#: Environment variable with the passphrase of the key file, where one is wanted.
PASSPHRASE_VARIABLE: Final = "HUB_CONNECTOR_KEY_PASSPHRASE"  # noqa: S105  the name of one
_DIGEST_INFO: Final = b"joinedup connector source digest v1"


class SigningKey:
    """An Ed25519 private key with what the connector does with it."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.private = private

    @classmethod
    def create(cls, path: Path) -> SigningKey:
        """Make a key and write it to a new file (PKCS#8 PEM, mode 0600).

        Raises:
            FileExistsError: when the file is there already.
        """
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private = Ed25519PrivateKey.generate()
        phrase = _passphrase()
        protection = serialization.BestAvailableEncryption(phrase) if phrase else serialization.NoEncryption()
        pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
        write_private(path, pem, replace=False)
        return cls(private)

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a key file.

        Raises:
            ConfigError: when it is missing, readable by others, or no such key.
        """
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
        return cls(key)

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

    def source_mac(self) -> hmac.HMAC:
        """A fresh HMAC-SHA-256 under the key for source digests (HKDF, RFC 5869, of the private key)."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        key = HKDF(SHA256(), 32, None, _DIGEST_INFO).derive(self.private.private_bytes_raw())
        return hmac.new(key, digestmod=sha256)

    def _jwk(self) -> Any:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
        from joserfc.jwk import OKPKey

        pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return OKPKey.import_key(pem)


def fingerprint(sealing_key: Mapping[str, str]) -> str:
    """What people compare to know a hub's sealing key: 32 hexadecimal digits of SHA-256 in groups of four."""
    from hub_schemas.delivery import sealing_fingerprint

    return sealing_fingerprint(sealing_key["public_key"])


def _passphrase() -> bytes | None:
    return os.environ.get(PASSPHRASE_VARIABLE, "").encode() or None
