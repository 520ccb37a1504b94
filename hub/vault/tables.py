"""Tables of the vault: wrapped keys and key material. Nothing here opens anything without the keyring."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class RootRow(Base):
    """A root key by its name in the keyring: `current` (new keys go under it), `retiring` or `destroyed`.

    Whoever registers a key locks the current row for reading, so a rotation begins after them or before them.
    """

    __tablename__ = "vault_roots"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class KeyRow(Base):
    """The key of one owner (a version, a delivery's quarantine, a result), wrapped by a root key.

    Destroying `wrapped` makes everything the owner has unreadable for good.
    """

    __tablename__ = "vault_keys"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    root: Mapped[str] = mapped_column(String(40), index=True)
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class FileRow(Base):
    """An encrypted Parquet file: where it lies and its data keys, each wrapped by the owner's key."""

    __tablename__ = "vault_files"

    object_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("vault_keys.owner"), index=True)
    binding: Mapped[str] = mapped_column(Text)
    material: Mapped[str] = mapped_column(Text)  # empty once the owner's key is destroyed
    rows: Mapped[int]
    removed_at: Mapped[datetime | None]  # when the object itself was removed, after its keys were destroyed
