"""Tables of identities."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class OrganisationRow(Base):
    """A department, council, force or NHS body."""

    __tablename__ = "organisations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class UserRow(Base):
    """A person with a local account. `roles` is a comma-separated list."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    username: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    roles: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    active: Mapped[bool]
    created_at: Mapped[datetime]


Index("uq_users_username_lower", func.lower(UserRow.username), unique=True)


class SessionRow(Base):
    """A signed-in browser, by the hash of its token."""

    __tablename__ = "user_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class ClientRow(Base):
    """A machine client: a connector, or an operator's tool. `signing_key` is a public JWK."""

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(String(200))
    roles: Mapped[str] = mapped_column(Text)
    signing_key: Mapped[str] = mapped_column(Text)
    active: Mapped[bool]
    created_at: Mapped[datetime]


class ClientKeyRow(Base):
    """A public key that a client had before its present one; assertions signed with it are taken until `until`."""

    __tablename__ = "client_keys"

    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    thumbprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    signing_key: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime]


class EnrolmentRow(Base):
    """A one-time code with which a connector of an organisation registers its key; kept as a hash."""

    __tablename__ = "enrolments"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    expires_at: Mapped[datetime]
    client_id: Mapped[str | None] = mapped_column(String(40))


class AssertionRow(Base):
    """Ids of client assertions already used (RFC 7523 section 3, point 7), until they expire."""

    __tablename__ = "used_assertions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
