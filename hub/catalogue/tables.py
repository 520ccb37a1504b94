"""Tables of the catalogue."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class ContractRow(Base):
    """One version of a contract, as its YAML."""

    __tablename__ = "contracts"
    __table_args__ = (UniqueConstraint("contract", "version"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    contract: Mapped[str] = mapped_column(String(200), index=True)
    version: Mapped[str] = mapped_column(String(50))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class DatasetRow(Base):
    """A dataset: what one organisation publishes under one contract."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("organisation_id", "contract"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    contract: Mapped[str] = mapped_column(String(200), index=True)
    contract_digest: Mapped[str] = mapped_column(ForeignKey("contracts.digest"))
    title: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime]
    current_version: Mapped[str | None] = mapped_column(String(40))


class VersionRow(Base):
    """An accepted version: immutable."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    number: Mapped[int]
    contract_digest: Mapped[str] = mapped_column(ForeignKey("contracts.digest"))
    object_key: Mapped[str] = mapped_column(String(200))
    origin: Mapped[str] = mapped_column(String(64))  # the delivery or run it came from
    rows: Mapped[int] = mapped_column(BigInteger)
    accepted_at: Mapped[datetime]
    period_start: Mapped[str | None] = mapped_column(String(10))
    period_end: Mapped[str | None] = mapped_column(String(10))


class LineageRow(Base):
    """A version that was made from others."""

    __tablename__ = "lineage"

    child: Mapped[str] = mapped_column(String(40), primary_key=True)
    parent: Mapped[str] = mapped_column(String(40), primary_key=True, index=True)
