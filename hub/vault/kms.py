"""The KMS clients that pyarrow calls: here, and only here, a data key is wrapped or unwrapped.

A reader's client carries a grant. Whatever the code above asks for, a column outside the grant keeps its key.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import Forbidden, Invalid
from hub.policy.decide import Grant
from hub.vault.material import PARQUET_PATH, MaterialHandler
from hub_schemas.delivery import FOOTER_KEY, ROW_NUMBER, column_key, seal_info, sealing_suite

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

__all__ = ["KeyTable", "OwnerClient", "SealedClient", "decryption", "encryption", "unwrap", "wrap"]

#: Bytes of every data key: 256 bits hold against quantum computers too.
DATA_KEY_BYTES = 32
_NONCE = 12


def wrap(owner_key: bytes, data_key: bytes, binding: str, key_id: str) -> str:
    """A data key under its owner's key, bound to the file's binding and the column."""
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(owner_key).encrypt(nonce, data_key, f"{binding}|{key_id}".encode())
    return base64.b64encode(nonce + sealed).decode()


def unwrap(owner_key: bytes, wrapped: str, binding: str, key_id: str) -> bytes:
    """The data key that `wrap` wrapped.

    Raises:
        Invalid: when the key material belongs to another file, version or column, or was changed.
    """
    try:
        raw = base64.b64decode(wrapped, validate=True)
        return AESGCM(owner_key).decrypt(raw[:_NONCE], raw[_NONCE:], f"{binding}|{key_id}".encode())
    except (InvalidTag, ValueError):
        raise Invalid("The key material does not belong to this file: it was changed or swapped.") from None


class OwnerClient(pe.KmsClient):
    """Wraps for an owner; unwraps what the grant permits (none without a grant)."""

    def __init__(self, owner_key: bytes, binding: str, grant: Grant | None) -> None:
        super().__init__()
        self._key, self._binding, self._grant = owner_key, binding, grant
        self.opened: set[str] = set()  # a file that nobody encrypted asks for no key

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """Called by pyarrow for each column's new data key."""
        return wrap(self._key, key_bytes, self._binding, master_key_identifier)

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """Called by pyarrow for each column that is read."""
        column = master_key_identifier.partition("/")[2]
        if (
            self._grant is None
            or not (
                master_key_identifier == FOOTER_KEY or column == ROW_NUMBER or self._grant.permits(column)
            )
            or not self._of_dataset(self._grant.dataset)
        ):
            raise Forbidden(
                f"Refused: the key of column {column or master_key_identifier} is outside the grant."
            )
        data_key = unwrap(self._key, wrapped_key, self._binding, master_key_identifier)
        self.opened.add(master_key_identifier)
        return data_key

    def _of_dataset(self, wanted: str) -> bool:
        """Whether the file is bound to the dataset that a grant is about, when it is about one."""
        return not wanted or f"dataset={wanted}" in self._binding.split(";")


class SealedClient(pe.KmsClient):
    """Opens the data keys of a delivery that were sealed to the hub."""

    def __init__(self, private_key: MLKEM768X25519PrivateKey, delivery_id: str, role: str) -> None:
        super().__init__()
        self._key, self._delivery, self._role = private_key, delivery_id, role
        self._suite = sealing_suite()
        self.opened: set[str] = set()  # which keys the file really used: an open column would use none

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """The hub never seals to itself."""
        raise Forbidden("A delivery is sealed by its connector, not by the hub.")

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """A data key.

        Raises:
            Invalid: when it was sealed for another delivery, file or column, or to another key.
        """
        try:
            data_key = self._suite.decrypt(
                base64.b64decode(wrapped_key, validate=True),
                self._key,
                info=seal_info(self._delivery, self._role, master_key_identifier),
            )
        except (InvalidTag, ValueError):
            raise Invalid(
                f"The sealed key of {master_key_identifier} does not open: it was sealed to another hub, or for "
                "another delivery, file or column."
            ) from None
        if len(data_key) != DATA_KEY_BYTES:
            raise Invalid(
                f"The sealed key of {master_key_identifier} has {len(data_key) * 8} bits, not {DATA_KEY_BYTES * 8}."
            )
        self.opened.add(master_key_identifier)
        return data_key


class KeyTable(pe.KmsClient):
    """Data keys that were opened elsewhere, for a process that may have these and no others."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        super().__init__()
        self._keys = keys
        self.opened: set[str] = set()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """A table of keys only reads."""
        raise Forbidden("Nothing is written under keys that were handed over for reading.")

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """The data key of that id.

        Raises:
            Forbidden: when it was not handed over.
        """
        try:
            key = self._keys[master_key_identifier]
        except KeyError:
            raise Forbidden(f"Refused: the key {master_key_identifier} was not handed over.") from None
        self.opened.add(master_key_identifier)
        return key


def encryption(
    client: pe.KmsClient, classes: dict[str, str]
) -> tuple[pq.FileEncryptionProperties, Callable[[], bytes]]:
    """Encryption properties with a data key for every column, and a way to get the key material afterwards.

    `classes` maps each column to its classification.
    """
    handler = MaterialHandler()
    factory = pe.CryptoFactory(lambda _config: client)
    configuration = pe.EncryptionConfiguration(
        footer_key=FOOTER_KEY,
        column_keys={column_key(kind, column): [column] for column, kind in classes.items()},
        double_wrapping=False,  # pyarrow's key encryption keys are 128 bits; wrapping directly keeps 256
        internal_key_material=False,
        data_key_length_bits=DATA_KEY_BYTES * 8,
    )
    properties = factory.file_encryption_properties(
        pe.KmsConnectionConfig(), configuration, PARQUET_PATH, pafs.PyFileSystem(handler)
    )
    return properties, lambda: handler.document


def decryption(client: pe.KmsClient, material: bytes) -> tuple[pq.FileDecryptionProperties, Iterable[object]]:
    """Decryption properties for a file with this key material, and what must stay alive while they are used."""
    factory = pe.CryptoFactory(lambda _config: client)
    filesystem = pafs.PyFileSystem(MaterialHandler(material))
    properties = factory.file_decryption_properties(
        pe.KmsConnectionConfig(), pe.DecryptionConfiguration(), PARQUET_PATH, filesystem
    )
    return properties, (factory, filesystem, client)
