"""Root keys in HashiCorp Vault's transit secrets engine (or OpenBao, which speaks the same).

Each root is a transit key of its own (aes256-gcm96, not exportable). The context goes along as `associated_data`, so a
wrapped key opens in its place only. Its handle is the key's name.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigurationError, HubError, Invalid, Unavailable
from hub.storage.ids import new_id

if TYPE_CHECKING:
    from hub.config import Settings

__all__ = ["TransitProvider"]

_TIMEOUT = (3.05, 15)  # seconds to connect, to answer
_BATCH = 250
_NOT_OPEN = "A wrapped key does not open: it was changed, or belongs elsewhere."


class TransitProvider:
    """A client of one transit mount; `token` is asked again when Vault refuses the last one (agents renew the file)."""

    name = "vault"

    def __init__(self, address: str, token: Callable[[], str], mount: str, namespace: str = "") -> None:
        import hvac

        self._token, self._mount = token, mount
        self._address = address
        self._lock = threading.Lock()
        self._client = hvac.Client(
            url=address, token=token(), timeout=_TIMEOUT, namespace=namespace or None, allow_redirects=False
        )

    @classmethod
    def of(cls, settings: Settings) -> TransitProvider:
        """From the hub's settings.

        Raises:
            ConfigurationError: when one of them is missing.
        """
        if not (settings.vault_address and (settings.vault_token or settings.vault_token_file)):
            raise ConfigurationError(
                "The keys are in Vault: give vault_address, and a token in HUB_VAULT_TOKEN or the file in which "
                "Vault's agent keeps one (vault_token_file)."
            )

        def token() -> str:
            if settings.vault_token:
                return settings.vault_token
            try:
                return Path(settings.vault_token_file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Unavailable(
                    f"The file of Vault's token (vault_token_file) cannot be read ({type(error).__name__})."
                ) from None

        return cls(settings.vault_address, token, settings.vault_mount, settings.vault_namespace)

    def create_root(self) -> str:
        """A new transit key; returns its name."""
        name = new_id("hub-root").replace("_", "-")
        self._call(
            "make a root key",
            lambda transit: transit.create_key(
                name=name, key_type="aes256-gcm96", exportable=False, allow_plaintext_backup=False,
                mount_point=self._mount,
            ),
        )  # fmt: skip
        return name

    def wrap(self, handle: str, plain: bytes, context: bytes) -> bytes:
        """Vault's own ciphertext, as bytes."""
        return self._encrypt(handle, [(plain, context)])[0]

    def unwrap(self, handle: str, wrapped: bytes, context: bytes) -> bytes:
        """What `wrap` wrapped; raises Invalid."""
        return self._decrypt(handle, [(wrapped, context)])[0]

    def rewrap(self, old: str, new: str, items: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """In batches, two requests each; the keys between the two roots are in this process's memory for a moment."""
        found: list[bytes] = []
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            plain = self._decrypt(old, batch)
            found += self._encrypt(
                new, [(key, context) for key, (_, context) in zip(plain, batch, strict=True)]
            )
        return found

    def destroy_root(self, handle: str) -> str:
        """Allow the key's deletion, then delete it."""
        import hvac

        try:
            self._call(
                "destroy a root key",
                lambda transit: (
                    transit.update_key_configuration(
                        name=handle, deletion_allowed=True, mount_point=self._mount
                    ),
                    transit.delete_key(name=handle, mount_point=self._mount),
                ),
            )
        except (hvac.exceptions.InvalidRequest, hvac.exceptions.InvalidPath) as error:
            if self._exists(handle):
                raise Unavailable(
                    f"Vault does not delete the old root key ({type(error).__name__}): the hub's policy needs update "
                    f"on {self._mount}/keys/*/config and delete on {self._mount}/keys/*."
                ) from None
        return "Vault deleted it: gone for good, except from backups of Vault's own storage."

    def ping(self, handle: str) -> str:
        """Wrap something and open it again."""
        if self.unwrap(handle, self.wrap(handle, b"ping", b"ping"), b"ping") != b"ping":
            raise Unavailable("Vault gives wrong answers.")
        return f"{self._address}, transit at {self._mount}/"

    def close(self) -> None:
        """Close the connections."""
        self._client.adapter.close()

    def _exists(self, handle: str) -> bool:
        import hvac

        try:
            self._call(
                "look at a root key", lambda transit: transit.read_key(name=handle, mount_point=self._mount)
            )
        except hvac.exceptions.InvalidPath:
            return False
        return True

    def _encrypt(self, handle: str, items: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        import hvac

        asked = [{"plaintext": _text(plain), "associated_data": _text(aad)} for plain, aad in items]
        try:
            answer = self._call(
                "wrap a key",
                lambda transit: transit.encrypt_data(
                    name=handle, plaintext=None, batch_input=asked, mount_point=self._mount
                ),
            )
            return [str(item["ciphertext"]).encode() for item in answer["data"]["batch_results"]]
        except (hvac.exceptions.InvalidRequest, hvac.exceptions.InvalidPath, KeyError, TypeError) as error:
            raise Unavailable(
                f"Vault does not wrap a key ({type(error).__name__}); is the root there?"
            ) from None

    def _decrypt(self, handle: str, items: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        import hvac

        try:
            asked = [
                {"ciphertext": sealed.decode("ascii"), "associated_data": _text(aad)} for sealed, aad in items
            ]
            answer = self._call(
                "unwrap a key",
                lambda transit: transit.decrypt_data(
                    name=handle, ciphertext=None, batch_input=asked, mount_point=self._mount
                ),
            )
            results = answer["data"]["batch_results"]
            return [base64.b64decode(item["plaintext"], validate=True) for item in results]
        # Vault says 400 for a batch of which nothing opens, and an `error` beside the item for others.
        except (hvac.exceptions.InvalidRequest, UnicodeDecodeError, KeyError, TypeError, ValueError):
            if not self._exists(handle):
                raise Unavailable(_gone(handle)) from None
            raise Invalid(_NOT_OPEN) from None
        except hvac.exceptions.InvalidPath:
            raise Unavailable(_gone(handle)) from None

    def _call(self, what: str, act: Callable[[Any], Any]) -> Any:
        """One request; again with the token read anew when Vault refuses the one in hand."""
        import hvac
        import requests

        try:
            try:
                return act(self._client.secrets.transit)
            except (hvac.exceptions.Forbidden, hvac.exceptions.Unauthorized):
                with self._lock:
                    self._client.token = self._token()
                return act(self._client.secrets.transit)
        except (HubError, hvac.exceptions.InvalidRequest, hvac.exceptions.InvalidPath):
            raise
        except (hvac.exceptions.Forbidden, hvac.exceptions.Unauthorized):
            raise Unavailable(
                f"Vault refuses to {what}: the hub's token has ended, or its policy does not allow it on "
                f"{self._mount}/."
            ) from None
        except (hvac.exceptions.VaultError, requests.RequestException) as error:
            raise Unavailable(
                f"Vault does not answer ({type(error).__name__}): look at vault_address, and whether it is sealed. "
                "Nothing is lost; try again."
            ) from None


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _gone(handle: str) -> str:
    return f"Vault has no key {handle} for the hub: it was deleted, or this is another Vault or mount."
