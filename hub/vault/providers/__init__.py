"""Where root keys live: in the hub's keyring, in a hardware security module, in HashiCorp Vault or in AWS KMS.

A root key wraps owners' keys and, unless it is a local one, the keyring itself. It never leaves its provider, so the
hub's folder without the provider opens nothing. Every provider passes the same tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import ConfigurationError
from hub.vault.providers.base import LOCAL, KeyProvider

if TYPE_CHECKING:
    from hub.config import Settings

__all__ = ["KINDS", "LOCAL", "KeyProvider", "Providers"]

#: How `hub init --keys` and the setting key_provider name them; file and passphrase both keep the root in the keyring.
KINDS = ("file", "passphrase", "pkcs11", "vault", "aws")


class Providers:
    """The providers that a hub's settings describe, each opened when it is first needed."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings
        self._opened: dict[str, KeyProvider] = {}

    def get(self, name: str) -> KeyProvider:
        """A provider by name: local, pkcs11, vault or aws.

        Raises:
            ConfigurationError: when its settings or its Python package are missing.
        """
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def _open(self, name: str) -> KeyProvider:
        if name == LOCAL:
            from hub.vault.providers.local import LocalProvider

            return LocalProvider()
        if self._settings is None:
            raise ConfigurationError(f"The keys are in {name}, and no settings say how to reach it.")
        try:
            if name == "pkcs11":
                from hub.vault.providers.pkcs11 import Pkcs11Provider

                return Pkcs11Provider.of(self._settings)
            if name == "vault":
                from hub.vault.providers.transit import TransitProvider

                return TransitProvider.of(self._settings)
            if name == "aws":
                from hub.vault.providers.aws import AwsProvider

                return AwsProvider.of(self._settings)
        except ImportError as error:
            raise ConfigurationError(
                f"The keys are in {name}, and the Python package {error.name} is not installed: "
                f"pip install 'joinedup-hub[{name}]'."
            ) from None
        raise ConfigurationError(f"This hub knows no key provider {name!r}; a newer hub made this keyring.")

    def close(self) -> None:
        """Close every connection."""
        for provider in self._opened.values():
            provider.close()
        self._opened.clear()
