"""Tables of agreements, of what was signed and with which keys, and of drafts that are being written."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class AgreementRow(Base):
    """An agreement: its YAML as given, and its state. `seal` is the hub's mark on all of it.

    `authors` are all who wrote its text, `parties` (JSON) who must sign, as found when it was approved; `unsigned`
    marks one that was put into force before signatures were kept; `note` is a sealed reason for the last step.
    """

    __tablename__ = "agreements"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    version: Mapped[int]
    authors: Mapped[str] = mapped_column(Text)
    approved_by: Mapped[str | None] = mapped_column(String(64))
    parties: Mapped[str | None] = mapped_column(Text)
    unsigned: Mapped[bool]
    note: Mapped[str | None] = mapped_column(Text)
    seal: Mapped[str | None] = mapped_column(String(64))


class SigningKeyRow(Base):
    """A public key with which an organisation signs agreements: waiting, active, revoked or compromised."""

    __tablename__ = "agreement_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.slug"), index=True)
    public_key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    added_at: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(64))
    added_for: Mapped[str] = mapped_column(String(64))  # slug of the organisation of who added it
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(64))


class SignatureRow(Base):
    """An organisation's signature under one version of an agreement, with the statement it is about."""

    __tablename__ = "agreement_signatures"

    agreement_id: Mapped[str] = mapped_column(ForeignKey("agreements.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    organisation: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("agreement_keys.id"))
    signer: Mapped[str] = mapped_column(String(200))
    statement: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(64))


class DraftRow(Base):
    """Answers to the questions of an agreement that is being written on pages, saved to come back to."""

    __tablename__ = "agreement_drafts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation: Mapped[str] = mapped_column(String(64), index=True)
    answers: Mapped[str] = mapped_column(Text)  # JSON: question -> what was answered
    agreement_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))
    changed_at: Mapped[datetime]
    writers: Mapped[str] = mapped_column(Text)


class RequestRow(Base):
    """A request for data. `answers` are sealed; organisations are slugs; `asked_by` is a reference of the audit log."""

    __tablename__ = "access_requests"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(String(40), index=True)
    contract: Mapped[str] = mapped_column(String(200))
    publisher: Mapped[str] = mapped_column(String(64), index=True)
    organisation: Mapped[str] = mapped_column(String(64), index=True)
    asked_by: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    answers: Mapped[str] = mapped_column(Text)
    agreement_id: Mapped[str | None] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class RequestStepRow(Base):
    """One step in the life of a request: who did what, and their words, sealed."""

    __tablename__ = "access_request_steps"

    request_id: Mapped[str] = mapped_column(ForeignKey("access_requests.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    act: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    words: Mapped[str | None] = mapped_column(Text)
