"""Tables of the catalogue."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base

#: Sorts the same on both databases: by code points, whatever language the server was set up for.
_KEY = String(200).with_variant(String(200, collation="C"), "postgresql")


class ContractRow(Base):
    """The text of a contract, by its digest. Whose it is stands in the publications."""

    __tablename__ = "contracts"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    contract: Mapped[str] = mapped_column(String(200), index=True)
    version: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class PublicationRow(Base):
    """A version of a contract that an organisation put into force: the number stands for this text for ever."""

    __tablename__ = "publications"

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    contract: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey("contracts.digest"), index=True)
    published_at: Mapped[datetime]


class ProposalRow(Base):
    """A breaking change of a dataset's contract that waits, or waited, for somebody's decision."""

    __tablename__ = "proposals"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    digest: Mapped[str] = mapped_column(ForeignKey("contracts.digest"))
    base: Mapped[str] = mapped_column(ForeignKey("contracts.digest"))  # in force when this was proposed
    version: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[str] = mapped_column(String(64))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(Text)  # sealed


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
    visibility: Mapped[str] = mapped_column(String(16), default="listed", server_default="listed")


class EntryRow(Base):
    """What the catalogue knows of a dataset beyond its contract: how it is found, sorted and described.

    All but `record` follows from the contract, the publisher and the record, and is made anew when one of them changes;
    `form` says by which version of the code, so that an older hub's entries are made anew when it is upgraded.
    """

    __tablename__ = "dataset_entries"

    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    form: Mapped[int]
    words: Mapped[str] = mapped_column(Text)  # " word word ", small letters, each once
    title_key: Mapped[str] = mapped_column(_KEY, index=True)
    publisher_key: Mapped[str] = mapped_column(_KEY)
    domain: Mapped[str] = mapped_column(String(200))
    sensitivity: Mapped[str] = mapped_column(String(20))
    frequency: Mapped[str] = mapped_column(String(20))
    described: Mapped[str] = mapped_column(Text)  # JSON: what contract and record say together
    record: Mapped[str] = mapped_column(Text)  # JSON: what the publisher's data steward says
    changed_at: Mapped[datetime]


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
