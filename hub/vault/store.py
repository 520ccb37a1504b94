"""The vault: writes, accepts, reads and destroys encrypted files.

Files are written (or taken over from a delivery) outside any transaction under an `OwnerKey` that exists in memory
only; `register` puts the wrapped keys and the key material into the database in the transaction that makes the
version. Until then nobody can read the file, the hub included.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from sqlalchemy.orm import Session

from hub.errors import HubError, Invalid, NotFound
from hub.policy.decide import Grant
from hub.storage.database import utc_now
from hub.vault.kms import OwnerClient, SealedClient, decryption, encryption, wrap
from hub.vault.material import rewrap
from hub.vault.tables import FileRow, KeyRow

if TYPE_CHECKING:
    from hub.storage.objects import ObjectStore
    from hub.vault.keyring import Keyring

__all__ = ["OwnerKey", "SealedFile", "StoredFile", "Vault"]

_NONCE = 12
_BATCH_ROWS = 65_536


@dataclass(frozen=True, repr=False)
class OwnerKey:
    """The key of everything that one owner (a version, a delivery, a result) has."""

    owner: str
    key: bytes


@dataclass(frozen=True)
class SealedFile:
    """An encrypted file that is not registered yet."""

    object_key: str
    binding: str
    material: str
    rows: int


@dataclass(frozen=True, repr=False)
class StoredFile:
    """A registered file with its owner's key, ready to be read under a grant."""

    object_key: str
    binding: str
    material: bytes
    rows: int
    key: bytes


class Vault:
    """All access to encrypted data. One for a process; safe to use from several threads."""

    def __init__(self, keyring: Keyring, objects: ObjectStore) -> None:
        self._keyring, self._objects = keyring, objects

    # --- writing

    def new_owner(self, owner: str) -> OwnerKey:
        """A fresh key for an owner, in memory only until `register`."""
        return OwnerKey(owner, secrets.token_bytes(32))

    def write(
        self,
        owner: OwnerKey,
        object_key: str,
        binding: str,
        batches: Iterable[pa.RecordBatch | pa.Table],
        schema: pa.Schema,
        classes: Mapping[str, str],
    ) -> SealedFile:
        """Encrypt a stream of batches into an object; `classes` maps every column to its classification."""
        properties, material = encryption(OwnerClient(owner.key, binding, None), dict(classes))
        rows = 0
        with (
            self._objects.writer(object_key) as stream,
            pq.ParquetWriter(stream, schema, compression="zstd", encryption_properties=properties) as writer,
        ):
            for batch in batches:
                table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
                writer.write_table(table.cast(schema))
                rows += table.num_rows
        return SealedFile(object_key, binding, material().decode(), rows)

    def take_over(
        self,
        owner: OwnerKey,
        object_key: str,
        binding: str,
        sealed: SealedClient,
        material: dict[str, str],
        rows: int,
    ) -> SealedFile:
        """Accept a delivery's file as it lies: its data keys are opened and wrapped for the new owner.

        Raises:
            Invalid: when a data key does not open.
        """
        changed = rewrap(
            material, lambda key_id, old: wrap(owner.key, sealed.unwrap_key(old, key_id), binding, key_id)
        )
        return SealedFile(object_key, binding, json.dumps(changed), rows)

    def register(self, session: Session, owner: OwnerKey, files: Sequence[SealedFile]) -> None:
        """Make an owner's key and files known, in the caller's transaction."""
        root = self._keyring.current_root
        nonce = os.urandom(_NONCE)
        wrapped = nonce + AESGCM(self._keyring.root_keys[root]).encrypt(
            nonce, owner.key, owner.owner.encode()
        )
        session.add(
            KeyRow(owner=owner.owner, root=root, wrapped=wrapped, created_at=utc_now(), destroyed_at=None)
        )
        session.flush()
        for file in files:
            session.add(
                FileRow(
                    object_key=file.object_key, owner=owner.owner, binding=file.binding, material=file.material,
                    rows=file.rows,
                )
            )  # fmt: skip
        session.flush()

    def remove_object(self, object_key: str) -> None:
        """Remove a file that was never registered."""
        self._objects.delete(object_key)

    # --- reading

    def locate(self, session: Session, object_key: str, binding: str) -> StoredFile:
        """A registered file with its owner's key; `binding` is what the caller believes the file to be.

        Raises:
            NotFound: when there is no such file or its keys were destroyed.
            Invalid: when the file is bound to something else.
        """
        row = session.get(FileRow, object_key)
        if row is None:
            raise NotFound(f"There is no encrypted file {object_key}.")
        if row.binding != binding:
            raise Invalid(f"The file {object_key} belongs to another version: its records were changed.")
        return StoredFile(
            row.object_key, binding, row.material.encode(), row.rows, self._owner_key(session, row.owner)
        )

    def _owner_key(self, session: Session, owner: str) -> bytes:
        row = session.get(KeyRow, owner)
        if row is None or row.wrapped is None:
            raise NotFound(f"The keys of {owner} were destroyed; nothing can read its data any more.")
        try:
            root = self._keyring.root_keys[row.root]
            return AESGCM(root).decrypt(row.wrapped[:_NONCE], row.wrapped[_NONCE:], owner.encode())
        except (KeyError, InvalidTag):
            raise Invalid(f"The key of {owner} does not open with this hub's keyring.") from None

    def read(self, file: StoredFile, columns: Sequence[str], grant: Grant) -> pa.Table:
        """Some columns of a file, decrypted in memory.

        Raises:
            Forbidden: when a column lies outside the grant (its key is not unwrapped).
            Invalid: when the file was changed.
        """
        with self._opened(file, grant) as parquet:
            return parquet.read(columns=list(columns))

    def batches(self, file: StoredFile, columns: Sequence[str], grant: Grant) -> Iterator[pa.RecordBatch]:
        """The same in batches, in bounded memory."""
        with self._opened(file, grant) as parquet:
            yield from parquet.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns))

    @contextmanager
    def _opened(self, file: StoredFile, grant: Grant) -> Iterator[pq.ParquetFile]:
        client = OwnerClient(file.key, file.binding, grant)
        with self._parquet(client, file.object_key, file.material) as parquet:
            yield parquet

    @contextmanager
    def open_sealed(
        self, client: SealedClient, object_key: str, material: dict[str, str]
    ) -> Iterator[pq.ParquetFile]:
        """A delivery's file before it is accepted.

        Raises:
            Invalid: when it is no encrypted Parquet file, was changed, or its keys do not open.
        """
        with self._parquet(client, object_key, json.dumps(material).encode()) as parquet:
            yield parquet

    def sealed_client(self, sealing_key_id: str, delivery_id: str, role: str) -> SealedClient:
        """The client that opens a delivery's data keys.

        Raises:
            Invalid: when the delivery was sealed to a key the hub does not have.
        """
        try:
            private = self._keyring.sealing_private_key(sealing_key_id)
        except KeyError:
            raise Invalid(
                "The delivery is sealed to a key this hub does not have (any more). Fetch the hub's current key "
                "(hub-connector does it at the next push) and send it again."
            ) from None
        return SealedClient(private, delivery_id, role)

    @contextmanager
    def _parquet(
        self, client: OwnerClient | SealedClient, object_key: str, material: bytes
    ) -> Iterator[pq.ParquetFile]:
        try:
            properties, alive = decryption(client, material)
            with self._objects.open(object_key) as stream:
                yield pq.ParquetFile(stream, decryption_properties=properties)
            del alive
        except HubError:
            raise
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            kind = (
                str(error).split("\n", 1)[0][:200]
                if isinstance(error, pa.ArrowInvalid)
                else type(error).__name__
            )
            raise Invalid(
                f"The encrypted file {object_key} cannot be read: damaged or changed ({kind})."
            ) from None

    # --- small things

    def write_blob(self, owner: OwnerKey, object_key: str, binding: str, data: bytes) -> None:
        """Encrypt a small document (a report) for an owner."""
        nonce = os.urandom(_NONCE)
        aad = f"{binding}|{object_key}".encode()
        self._objects.put_bytes(object_key, nonce + AESGCM(owner.key).encrypt(nonce, data, aad))

    def read_blob(self, session: Session, owner: str, object_key: str, binding: str) -> bytes:
        """The document that `write_blob` wrote.

        Raises:
            Invalid: when it was changed or belongs to something else.
        """
        raw = self._objects.get_bytes(object_key)
        try:
            aad = f"{binding}|{object_key}".encode()
            return AESGCM(self._owner_key(session, owner)).decrypt(raw[:_NONCE], raw[_NONCE:], aad)
        except InvalidTag:
            raise Invalid(f"The encrypted document {object_key} was changed.") from None

    def seal_text(self, text: str) -> str:
        """A short text (a reason someone typed) that only the hub can read back."""
        nonce = os.urandom(_NONCE)
        return base64.b64encode(
            nonce + AESGCM(self._text_key).encrypt(nonce, text.encode(), b"text")
        ).decode()

    def open_text(self, sealed: str) -> str:
        """The text that `seal_text` sealed.

        Raises:
            Invalid: when it was changed.
        """
        try:
            raw = base64.b64decode(sealed, validate=True)
            return AESGCM(self._text_key).decrypt(raw[:_NONCE], raw[_NONCE:], b"text").decode()
        except (InvalidTag, ValueError):
            raise Invalid("The sealed text was changed.") from None

    def derived_key(self, use: str) -> bytes:
        """A key for something small of the hub's own (signing form tokens), named by its use."""
        return _expand(self._keyring.reference_key, f"use|{use}".encode())

    @property
    def _text_key(self) -> bytes:
        return _expand(self._keyring.reference_key, b"text")

    def reference(self, kind: str, value: str) -> str:
        """A keyed reference to a person or household, for the audit log: stable, never readable."""
        key = _expand(self._keyring.reference_key, f"reference|{kind}".encode())
        return hmac.digest(key, value.encode(), sha256).hex()

    def pseudonyms(self, agreement: str, kind: str, values: pa.ChunkedArray | pa.Array) -> pa.Array:
        """Pseudonyms of identifiers under one agreement: keyed HMAC-SHA-256, 128 bits in hex, null stays null.

        Two agreements give two unrelated pseudonyms, so their results cannot be joined behind the hub's back.
        """
        key = _expand(self._keyring.pseudonym_key, f"pseudonym|{agreement}|{kind}".encode())
        array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        encoded = array.dictionary_encode()
        dictionary = [
            None if value is None else hmac.digest(key, value.encode(), "sha256")[:16].hex()
            for value in encoded.dictionary.to_pylist()
        ]
        return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(dictionary, pa.string())).cast(
            pa.string()
        )

    def pseudonym(self, agreement: str, kind: str, value: str) -> str:
        """The pseudonym of one identifier."""
        return str(self.pseudonyms(agreement, kind, pa.array([value]))[0].as_py())

    def row_keys(self, dataset: str, values: Sequence[pa.Array]) -> pa.Array:
        """Stable keys of rows from their primary key values, so that a person is followed across versions."""
        key = _expand(self._keyring.reference_key, f"row|{dataset}".encode())
        columns = [column.cast(pa.string()).to_pylist() for column in values]
        return pa.array(
            [
                hmac.digest(
                    key, "\x1f".join("" if part is None else part for part in row).encode(), "sha256"
                )[:16].hex()
                for row in zip(*columns, strict=True)
            ],
            pa.string(),
        )


def _expand(key: bytes, info: bytes) -> bytes:
    return HKDFExpand(SHA256(), 32, info).derive(key)
