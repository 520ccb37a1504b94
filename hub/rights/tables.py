"""Tables of people's rights. Who a row is about stands there as a keyed reference and sealed, never readable."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class RequestRow(Base):
    """What a person asked for: a copy, a correction, a restriction, or an objection. Free text is sealed."""

    __tablename__ = "rights_requests"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64), index=True)
    person: Mapped[str] = mapped_column(Text)  # sealed
    state: Mapped[str] = mapped_column(String(16), index=True)
    organisation: Mapped[str] = mapped_column(String(64), index=True)
    opened_by: Mapped[str] = mapped_column(String(64))
    opened_at: Mapped[datetime]
    received_on: Mapped[str] = mapped_column(String(10))
    due_on: Mapped[str] = mapped_column(String(10), index=True)
    wish: Mapped[str] = mapped_column(Text)  # sealed
    agreement_id: Mapped[str | None] = mapped_column(String(64))
    handled_by: Mapped[str | None] = mapped_column(String(64))
    extended_at: Mapped[datetime | None]
    extension_reason: Mapped[str | None] = mapped_column(Text)  # sealed
    answered_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(Text)  # sealed


class CodeRow(Base):
    """A one-time code for a person's own page; kept as a keyed hash."""

    __tablename__ = "rights_codes"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), index=True)
    person: Mapped[str] = mapped_column(Text)  # sealed
    born: Mapped[str] = mapped_column(Text)  # sealed
    organisation: Mapped[str] = mapped_column(String(64))
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    attempts: Mapped[int]
    used_at: Mapped[datetime | None]


class CitizenSessionRow(Base):
    """A browser in which somebody reads their own page, by the hash of its token."""

    __tablename__ = "citizen_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(Text)  # sealed
    organisation: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class RestrictionRow(Base):
    """A person whose rows are left out: of everything, or of what one agreement is for."""

    __tablename__ = "restrictions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("rights_requests.id"), index=True)
    subject: Mapped[str] = mapped_column(String(64), index=True)
    person: Mapped[str] = mapped_column(Text)  # sealed
    agreement_id: Mapped[str | None] = mapped_column(String(64))
    began_at: Mapped[datetime]
    began_by: Mapped[str] = mapped_column(String(64))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(64))


class CorrectionRow(Base):
    """A value that a person says is wrong, sent to the department that it came from. Which row and value is sealed."""

    __tablename__ = "rights_corrections"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("rights_requests.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(String(40), index=True)
    version_id: Mapped[str] = mapped_column(String(40))
    organisation_id: Mapped[str] = mapped_column(String(40), index=True)
    content: Mapped[str] = mapped_column(Text)  # sealed
    state: Mapped[str] = mapped_column(String(16), index=True)
    sent_at: Mapped[datetime]
    sent_by: Mapped[str] = mapped_column(String(64))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(Text)  # sealed
    found_in: Mapped[str | None] = mapped_column(String(40))


class CopyRow(Base):
    """The copy of a person's data that was made for a request; encrypted, for as long as it may be fetched."""

    __tablename__ = "rights_copies"

    request_id: Mapped[str] = mapped_column(ForeignKey("rights_requests.id"), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), unique=True)
    object_key: Mapped[str] = mapped_column(String(200))
    sources: Mapped[str] = mapped_column(Text)  # JSON: the versions it was made from
    contents: Mapped[str] = mapped_column(Text)  # sealed: what is in it, in words
    size: Mapped[int]
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(64))
    given_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class DelayRow(Base):
    """Entries about some people, of one organisation, that they see later. `subjects` are keyed references."""

    __tablename__ = "entry_delays"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation: Mapped[str] = mapped_column(String(64), index=True)
    subjects: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]
    until: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(Text)  # sealed
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class LeftOutRow(Base):
    """What the national data opt-out took out of a run, in figures that point at nobody."""

    __tablename__ = "run_opt_outs"

    run_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    inputs: Mapped[str] = mapped_column(Text)  # JSON: names of the inputs it was applied to
    lists: Mapped[str] = mapped_column(Text)  # JSON: the versions of the lists
    rows: Mapped[str] = mapped_column(String(40))  # "none", "fewer than 10", "about 120"
    noted_at: Mapped[datetime]
