"""Tables of the intake."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class DeliveryRow(Base):
    """A delivery, under the id its connector chose."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), index=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    mode: Mapped[str] = mapped_column(String(16), server_default="full")
    replays: Mapped[str | None] = mapped_column(String(40), index=True)
    manifest: Mapped[str] = mapped_column(Text)  # without its key material once the delivery is decided
    manifest_digest: Mapped[str | None] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(Text)
    source_digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    problem: Mapped[str | None] = mapped_column(Text)
    sent: Mapped[int] = mapped_column(BigInteger)
    accepted: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)
    replayed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    checked: Mapped[int] = mapped_column(BigInteger, server_default="0")  # rows looked at so far
    effect: Mapped[str | None] = mapped_column(Text)  # JSON: what it did to the dataset, in rows
    open_rows: Mapped[bytes | None] = mapped_column(LargeBinary)  # numbers of refused rows, see ledger.py
    version_id: Mapped[str | None] = mapped_column(String(40))
    quarantine: Mapped[str | None] = mapped_column(Text)  # JSON: role -> object key and rows
    made_at: Mapped[datetime | None]  # by the connector's clock
    created_at: Mapped[datetime] = mapped_column(index=True)
    changed_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    attempts: Mapped[int]  # how often a worker that checked it went away
    put_off: Mapped[int] = mapped_column(server_default="0")  # how often the hub could not check it


Index("ix_deliveries_same_source", DeliveryRow.dataset_id, DeliveryRow.source_digest)


class PartRow(Base):
    """A part of a delivery's file that has arrived."""

    __tablename__ = "delivery_parts"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))


class FaultCountRow(Base):
    """How many faults of which rule in which column a delivery had; no values."""

    __tablename__ = "delivery_fault_counts"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rule: Mapped[str] = mapped_column(String(100))
    column: Mapped[str] = mapped_column(String(200))
    count: Mapped[int] = mapped_column(BigInteger)
    first_row: Mapped[int | None] = mapped_column(BigInteger)
