"""Tables of the vault: wrapped keys and key material. Nothing here opens anything without the keyring."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


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
    material: Mapped[str] = mapped_column(Text)
    rows: Mapped[int]
