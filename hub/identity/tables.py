"""Tables of identities."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class OrganisationRow(Base):
    """A department, council, force or NHS body. `state` is that of its registration, see states.py."""

    __tablename__ = "organisations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16), server_default="approved")
    registered_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(64))


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
    """A signed-in browser, by the hash of its token; `device` says in words what it is ("Firefox on Linux")."""

    __tablename__ = "user_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    stage: Mapped[str] = mapped_column(String(8))
    method: Mapped[str] = mapped_column(String(20))
    device: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class SecondFactorRow(Base):
    """A person's authenticator app: the shared secret, sealed; `last_step` is the time step of the last code used."""

    __tablename__ = "second_factors"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    secret: Mapped[str | None] = mapped_column(Text)
    last_step: Mapped[int]
    proposed: Mapped[str | None] = mapped_column(Text)
    proposed_at: Mapped[datetime | None]


class RecoveryCodeRow(Base):
    """A recovery code that was not used yet, as a hash."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)


class PasswordCodeRow(Base):
    """A one-time code with which a person chooses a password; kept as a hash until it is used."""

    __tablename__ = "password_codes"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    made_by: Mapped[str] = mapped_column(String(64))
    clears_factor: Mapped[bool]
    expires_at: Mapped[datetime]


class ProviderAccountRow(Base):
    """Whom an OpenID provider calls `subject` signs in to this account."""

    __tablename__ = "provider_accounts"

    issuer: Mapped[str] = mapped_column(String(200), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    bound_at: Mapped[datetime]


class AttemptPotRow(Base):
    """Attempts at signing in, counted under a keyed digest (`hub.identity.throttle`)."""

    __tablename__ = "attempt_pots"

    pot: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class RefusalRow(Base):
    """Refused sign-ins of one account (or "" for names that are none) since the last audit entry about them."""

    __tablename__ = "sign_in_refusals"

    who: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime]


class ClientRow(Base):
    """A machine client: a connector, or an operator's tool.

    `signing_key` is its one public JWK; empty for a client with a set of keys, which stands in `client_keys`.
    """

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(String(200))
    roles: Mapped[str] = mapped_column(Text)
    signing_key: Mapped[str] = mapped_column(Text)
    active: Mapped[bool]
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16), server_default="approved")
    registered_by: Mapped[str | None] = mapped_column(String(64))
    invited_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    jwks_url: Mapped[str | None] = mapped_column(Text)
    jwks_read_at: Mapped[datetime | None]
    jwks_tried_at: Mapped[datetime | None]


class ClientKeyRow(Base):
    """A public key of a client beside its `signing_key`: one it had before, or one of its set.

    It holds from `since` (None: always) until `until` (None: as long as the set has it).
    """

    __tablename__ = "client_keys"

    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    thumbprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    signing_key: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime | None]
    until: Mapped[datetime | None]


class EnrolmentRow(Base):
    """A one-time code with which a connector of an organisation registers its key; kept as a hash."""

    __tablename__ = "enrolments"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisations.id"))
    expires_at: Mapped[datetime]
    client_id: Mapped[str | None] = mapped_column(String(40))
    invited_by: Mapped[str | None] = mapped_column(String(64))


class AssertionRow(Base):
    """Ids of client assertions already used (RFC 7523 section 3, point 7), until they expire."""

    __tablename__ = "used_assertions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
