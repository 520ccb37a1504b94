"""What every key provider can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

__all__ = ["LOCAL", "KeyProvider"]

LOCAL: Final = "local"


class KeyProvider(Protocol):
    """Keeps root keys and uses them; all of it is safe to call from several threads.

    A `handle` is what the provider needs to find a root key again. That of the local provider is the key itself, so
    handles stay inside the encrypted keyring and are never shown. A `context` is authenticated with what is wrapped:
    under another context it does not open.

    Every method raises `Unavailable` when the provider does not answer or refuses the hub; trying again later is safe.
    """

    name: str

    def create_root(self) -> str:
        """Make a new root key; returns its handle."""

    def wrap(self, handle: str, plain: bytes, context: bytes) -> bytes:
        """Wrap a key of 32 bytes."""

    def unwrap(self, handle: str, wrapped: bytes, context: bytes) -> bytes:
        """What `wrap` wrapped.

        Raises:
            Invalid: when it was changed, or wrapped under another root or context.
        """

    def rewrap(self, old: str, new: str, items: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """(wrapped, context) pairs from one root to another, in the same order.

        Raises:
            Invalid: when one of them does not open.
        """

    def destroy_root(self, handle: str) -> str:
        """Destroy a root key; one that is gone already is no error. Says in a sentence what that means here."""

    def ping(self, handle: str) -> str:
        """Use the root key once, and say in a few words where it is."""

    def close(self) -> None:
        """Close connections."""
