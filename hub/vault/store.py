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
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.errors import Forbidden, HubError, Invalid, NotFound, Unavailable
from hub.policy.decide import Grant, whole_file
from hub.storage.database import utc_now
from hub.vault.files import open_parquet, write_parquet
from hub.vault.generalise import generalise
from hub.vault.geography import Areas
from hub.vault.kms import OwnerClient, SealedClient, wrap
from hub.vault.material import rewrap, wrapped_keys
from hub.vault.rotate import current_root
from hub.vault.tables import FileRow, KeyRow

if TYPE_CHECKING:
    from hub.storage.objects import ObjectStore
    from hub.vault.keyring import Keyring

__all__ = ["OwnerKey", "SealedFile", "StoredFile", "Vault"]

_NONCE = 12
_BATCH_ROWS = 65_536


@dataclass(frozen=True, repr=False)
class OwnerKey:
    """The key of everything that one owner (a version, a delivery, a result) has, wrapped already by a root key."""

    owner: str
    key: bytes
    root: str
    wrapped: bytes


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
        self.areas = Areas(objects, lambda: self.derived_key("geography"))

    # --- writing

    def new_owner(self, owner: str) -> OwnerKey:
        """A fresh key for an owner, in memory only until `register`.

        Raises:
            Unavailable: when the provider of the root key does not answer: then nothing was begun.
        """
        key, root = secrets.token_bytes(32), self._keyring.current_root
        return OwnerKey(owner, key, root, self._keyring.wrap(root, key, owner.encode()))

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
        with self._objects.writer(object_key) as stream:
            material, rows = write_parquet(stream, owner.key, binding, batches, schema, classes)
        return SealedFile(object_key, binding, material, rows)

    def take_over(
        self,
        owner: OwnerKey,
        object_key: str,
        binding: str,
        keys: Mapping[str, bytes],
        material: Mapping[str, str],
        rows: int,
    ) -> SealedFile:
        """Accept a delivery's file as it lies: its data keys (from `sealed_keys`) are wrapped for the new owner."""
        changed = rewrap(material, lambda key_id, _: wrap(owner.key, keys[key_id], binding, key_id))
        return SealedFile(object_key, binding, json.dumps(changed), rows)

    def register(self, session: Session, owner: OwnerKey, files: Sequence[SealedFile]) -> None:
        """Make an owner's key and files known, in the caller's transaction.

        Raises:
            Unavailable: when the root keys were changed meanwhile and cannot be used now.
        """
        root, wrapped = self._under_current_root(session, owner)
        session.add(
            KeyRow(owner=owner.owner, root=root, wrapped=wrapped, created_at=utc_now(), destroyed_at=None)
        )
        session.flush()
        for file in files:
            session.add(
                FileRow(
                    object_key=file.object_key, owner=owner.owner, binding=file.binding, material=file.material,
                    rows=file.rows, removed_at=None,
                )
            )  # fmt: skip
        session.flush()

    def _under_current_root(self, session: Session, owner: OwnerKey) -> tuple[str, bytes]:
        """The owner's key under the root that is current in this transaction: a rotation may have begun since."""
        root = current_root(session, lock=True) or self._keyring.current_root
        if root == owner.root:
            return root, owner.wrapped
        try:
            return root, self._keyring.wrap(root, owner.key, owner.owner.encode())
        except KeyError:
            raise Unavailable(
                "This process does not have the hub's newest root key. Every process of a hub needs the same "
                "keys/ folder; restart it with the settings that the others have."
            ) from None

    def is_registered(self, session: Session, object_key: str) -> bool:
        """Whether a file belongs to somebody; one that does not is left over from work that broke off."""
        return session.get(FileRow, object_key) is not None

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
        found = _wrapped_key(session, owner)
        try:
            return self._keyring.unwrap(*found, owner.encode())
        except (KeyError, HubError) as error:
            # A rotation may have ended since this transaction began to see the database as it was.
            with Session(session.get_bind().engine.execution_options(hub_write=False)) as fresh:
                newer = _wrapped_key(fresh, owner)
            if newer == found:
                raise self._why_not(owner, error) from None
        try:
            return self._keyring.unwrap(*newer, owner.encode())
        except (KeyError, HubError) as error:
            raise self._why_not(owner, error) from None

    @staticmethod
    def _why_not(owner: str, error: Exception) -> HubError:
        if isinstance(error, HubError) and not isinstance(error, Invalid):
            return error
        return Invalid(f"The key of {owner} does not open with this hub's keyring.")

    def probe(self, session: Session, object_key: str) -> None:
        """Open a registered file to see whether it can be read: its keys, its place, its number of rows.

        Raises:
            NotFound: when it is not there or its keys were destroyed.
            Invalid: when it does not open or is not what was registered.
        """
        row = session.get(FileRow, object_key)
        if row is None:
            raise NotFound(f"There is no encrypted file {object_key}.")
        file = self.locate(session, object_key, row.binding)
        with self._opened(file, whole_file(object_key, "whether it can be read")) as parquet:
            if parquet.metadata.num_rows != row.rows:
                raise Invalid(f"The file {object_key} does not have the rows it was registered with.")

    def read(self, file: StoredFile, columns: Sequence[str], grant: Grant) -> pa.Table:
        """Some columns of a file, decrypted in memory; those that the grant gives coarsely are coarse, and text.

        Raises:
            Forbidden: when a column lies outside the grant (its key is not unwrapped).
            Invalid: when the file was changed.
            Conflict: when a column cannot be given as coarsely as the agreement says.
        """
        with self._opened(file, grant) as parquet:
            return generalise(parquet.read(columns=list(columns)), grant, self.areas)

    def batches(self, file: StoredFile, columns: Sequence[str], grant: Grant) -> Iterator[pa.RecordBatch]:
        """The same in batches, in bounded memory."""
        with self._opened(file, grant) as parquet:
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
                yield from generalise(pa.Table.from_batches([batch]), grant, self.areas).to_batches()

    @contextmanager
    def _opened(self, file: StoredFile, grant: Grant) -> Iterator[pq.ParquetFile]:
        client = OwnerClient(file.key, file.binding, grant)
        with (
            self._objects.open(file.object_key) as stream,
            open_parquet(client, stream, file.material, file.object_key) as parquet,
        ):
            yield parquet

    def sealed_keys(
        self, sealing_key_id: str, delivery_id: str, role: str, material: Mapping[str, str]
    ) -> dict[str, bytes]:
        """The data keys of a delivery's file by key id; they were sealed to the hub.

        Raises:
            Invalid: when the delivery was sealed to a key the hub does not have, or a data key does not open.
        """
        try:
            private = self._keyring.sealing_private_key(sealing_key_id)
        except KeyError:
            raise Invalid(
                "The delivery is sealed to a key this hub does not have (any more). Fetch the hub's current key "
                "(hub-connector does it at the next push) and send it again."
            ) from None
        client = SealedClient(private, delivery_id, role)
        return {key: client.unwrap_key(wrapped, key) for key, wrapped in wrapped_keys(material).items()}

    def data_keys(self, file: StoredFile, grant: Grant) -> dict[str, bytes]:
        """The data keys of a file by key id, as far as the grant permits: for a process that may hold no others.

        Raises:
            Invalid: when the key material belongs to something else.
        """
        client, found = OwnerClient(file.key, file.binding, grant), {}
        for key_id, wrapped in wrapped_keys(json.loads(file.material)).items():
            try:
                found[key_id] = client.unwrap_key(wrapped, key_id)
            except Forbidden:
                continue
        return found

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

    def seal_text(self, text: str, owner: OwnerKey | None = None) -> str:
        """A short text (a reason someone typed) that only the hub can read back; with an owner, until its key goes."""
        nonce, key = os.urandom(_NONCE), owner.key if owner else self._text_key
        return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), b"text")).decode()

    def open_text_of(self, session: Session, owner: str, sealed: str) -> str:
        """The text that `seal_text` sealed for an owner, or for nobody, before texts had owners.

        Raises:
            NotFound: when the owner's key was destroyed.
            Invalid: when it was changed.
        """
        if session.get(KeyRow, owner) is None:
            return self.open_text(sealed)
        return self._open_text(self._owner_key(session, owner), sealed)

    def open_text(self, sealed: str) -> str:
        """The text that `seal_text` sealed for nobody in particular.

        Raises:
            Invalid: when it was changed.
        """
        return self._open_text(self._text_key, sealed)

    @staticmethod
    def _open_text(key: bytes, sealed: str) -> str:
        try:
            raw = base64.b64decode(sealed, validate=True)
            return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], b"text").decode()
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


def _wrapped_key(session: Session, owner: str) -> tuple[str, bytes]:
    """The root and the wrapped key of an owner.

    Raises:
        NotFound: when there is none, or it was destroyed.
    """
    found = session.execute(select(KeyRow.root, KeyRow.wrapped).where(KeyRow.owner == owner)).first()
    if found is None or found.wrapped is None:
        raise NotFound(f"The keys of {owner} were destroyed; nothing can read its data any more.")
    return found.root, bytes(found.wrapped)


def _expand(key: bytes, info: bytes) -> bytes:
    return HKDFExpand(SHA256(), 32, info).derive(key)
