"""Root keys inside the keyring file: AES-256-GCM in this process."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import Invalid
from hub.vault.providers.base import LOCAL

__all__ = ["LocalProvider"]

_NONCE = 12


class LocalProvider:
    """The handle is the key itself, in base64: it lives in the encrypted keyring and nowhere else."""

    name = LOCAL

    def create_root(self) -> str:
        """A new key; it is kept by whoever keeps the handle."""
        return base64.b64encode(secrets.token_bytes(32)).decode()

    def wrap(self, handle: str, plain: bytes, context: bytes) -> bytes:
        """Nonce, ciphertext and tag."""
        nonce = os.urandom(_NONCE)
        return nonce + _cipher(handle).encrypt(nonce, plain, context)

    def unwrap(self, handle: str, wrapped: bytes, context: bytes) -> bytes:
        """What `wrap` wrapped; raises Invalid."""
        try:
            return _cipher(handle).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise Invalid("A wrapped key does not open: it was changed, or belongs elsewhere.") from None

    def rewrap(self, old: str, new: str, items: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """One after the other."""
        return [self.wrap(new, self.unwrap(old, wrapped, context), context) for wrapped, context in items]

    def destroy_root(self, handle: str) -> str:
        """The key is gone when the keyring is written without it."""
        return "It stood in the keyring only: it is gone, except from copies of the keyring made before."

    def ping(self, handle: str) -> str:
        """Always there."""
        _cipher(handle)
        return "in the keyring"

    def close(self) -> None:
        """Nothing is open."""


def _cipher(handle: str) -> AESGCM:
    return AESGCM(base64.b64decode(handle))
