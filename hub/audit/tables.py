"""Tables of the audit log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base

_ID = BigInteger().with_variant(Integer, "sqlite")


class EntryRow(Base):
    """One entry. `entry` is the canonical JSON that is hashed; the other columns only help to find it."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        # What waits to be sealed is found without a look at what is sealed.
        Index(
            "ix_audit_entries_waiting", "id",
            sqlite_where=text("leaf_index IS NULL"), postgresql_where=text("leaf_index IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(_ID, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(64), index=True)
    action: Mapped[str] = mapped_column(String(64), index=True)
    entry: Mapped[str] = mapped_column(Text)
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    leaf_index: Mapped[int | None] = mapped_column(_ID, unique=True)


class SubjectRow(Base):
    """Which entries concern a person or household, by keyed reference."""

    __tablename__ = "audit_subjects"

    entry_id: Mapped[int] = mapped_column(_ID, primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class CheckpointRow(Base):
    """A signed checkpoint and the compact range it was computed from."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(_ID, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    roots: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str] = mapped_column(Text)


class SubtreeRow(Base):
    """The root of a tile: 256 leaves (level 8), 256 tiles (level 16) and so on. Proofs are made from few of them."""

    __tablename__ = "audit_subtrees"

    level: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(_ID, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
