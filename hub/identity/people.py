"""Accounts of people: making them, their passwords, roles, and who signs in through a provider."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.errors import Conflict, Invalid, NotFound
from hub.identity.organisations import organisation
from hub.identity.principal import Principal
from hub.identity.tables import OrganisationRow, ProviderAccountRow, UserRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "Account", "add_user", "bind", "check_password", "find", "find_by_name", "find_by_subject", "has_password",
    "list_users", "rehash", "set_active", "set_password", "set_roles", "subject_of", "user_principal", "verify",
]  # fmt: skip

_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{1,98}\Z")
_MIN_PASSWORD = 12
_MAX_PASSWORD = 500


@dataclass(frozen=True)
class Account:
    """An account as those see it who manage accounts, and the hub itself while somebody signs in."""

    id: str
    username: str
    name: str
    organisation_id: str
    organisation: str
    roles: tuple[str, ...]
    active: bool
    has_password: bool


@cache
def _hasher() -> Any:
    from argon2 import PasswordHasher

    return PasswordHasher()  # argon2id with the library's own parameters (RFC 9106, low-memory profile)


@cache
def _decoy() -> str:
    return str(_hasher().hash(secrets.token_hex(16)))


def check_password(username: str, password: str) -> None:
    """Whether a password can be used for an account.

    Raises:
        Invalid: saying what it must be.
    """
    if not _MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise Invalid(
            f"The password must have {_MIN_PASSWORD} to {_MAX_PASSWORD} characters; three random words do well."
        )
    if (len(username) > 4 and username.lower() in password.lower()) or len(set(password)) < 5:
        raise Invalid(
            "The password is too easy to guess. Take three random words, without the username in it."
        )


def add_user(
    session: Session,
    username: str,
    name: str,
    organisation_id: str,
    roles: Iterable[str],
    password: str | None = None,
) -> str:
    """Make an account; returns its id. Without a password nobody signs in with one until a one-time code sets it.

    Raises:
        Invalid: when the name or password cannot be used.
        Conflict: when the username is taken.
    """
    if not _USERNAME.match(username):
        raise Invalid("The username must be 2 to 99 of letters, digits and . _ @ -")
    if password is not None:
        check_password(username, password)
    if session.scalars(select(UserRow.id).where(func.lower(UserRow.username) == username.lower())).first():
        raise Conflict(f"There is an account {username} already.")
    organisation(session, organisation_id)
    row = UserRow(
        id=new_id("usr"), username=username, name=name.strip()[:200] or username, organisation_id=organisation_id,
        roles=_joined(roles), password_hash="" if password is None else _hasher().hash(password), active=True,
        created_at=utc_now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


def list_users(session: Session) -> list[Account]:
    """All accounts by username."""
    query = select(UserRow, OrganisationRow.slug).join(
        OrganisationRow, OrganisationRow.id == UserRow.organisation_id
    )
    return [
        _account(row, slug) for row, slug in session.execute(query.order_by(func.lower(UserRow.username)))
    ]


def find(session: Session, user_id: str) -> Account:
    """One account.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(UserRow, user_id)
    if row is None:
        raise NotFound("There is no such account.")
    return _account(row, organisation(session, row.organisation_id).slug)


def find_by_name(session: Session, username: str) -> Account | None:
    """The account with a username, in whatever capitals."""
    row = session.scalars(
        select(UserRow).where(func.lower(UserRow.username) == username.lower()[:200])
    ).first()
    return _account(row, organisation(session, row.organisation_id).slug) if row is not None else None


def has_password(session: Session, user_id: str) -> bool:
    """Whether somebody can sign in with a password."""
    row = session.get(UserRow, user_id)
    return row is not None and bool(row.password_hash)


def verify(session: Session, user_id: str | None, password: str) -> bool:
    """Whether this is the account's password. One verification, whether or not there is an account or a password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    row = session.get(UserRow, user_id) if user_id is not None else None
    known = row.password_hash if row is not None else ""
    try:
        _hasher().verify(known or _decoy(), password[:_MAX_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return bool(known)


def rehash(session: Session, user_id: str, password: str) -> bool:
    """Hash a password anew where its hash was made with other parameters than today's; whether that was so."""
    row = session.get(UserRow, user_id)
    if row is None or not row.password_hash or not _hasher().check_needs_rehash(row.password_hash):
        return False
    row.password_hash = _hasher().hash(password[:_MAX_PASSWORD])
    return True


def set_password(session: Session, user_id: str, password: str) -> None:
    """Give an account a password.

    Raises:
        Invalid: when it cannot be used.
        NotFound: when there is no such account.
    """
    row = _row(session, user_id)
    check_password(row.username, password)
    row.password_hash = _hasher().hash(password)


def set_roles(session: Session, user_id: str, roles: Iterable[str]) -> None:
    """Give an account these roles and no others.

    Raises:
        NotFound: when there is no such account.
    """
    _row(session, user_id).roles = _joined(roles)


def set_active(session: Session, user_id: str, active: bool) -> None:
    """Let somebody sign in, or not.

    Raises:
        NotFound: when there is no such account.
    """
    _row(session, user_id).active = active


def user_principal(session: Session, user_id: str) -> Principal | None:
    """The person behind an account that is active, of an organisation that was approved."""
    row = session.get(UserRow, user_id)
    if row is None or not row.active:
        return None
    home = organisation(session, row.organisation_id)
    if home.state != "approved":
        return None
    return Principal("person", row.id, row.name, home.id, home.slug, frozenset(_split(row.roles)))


# --- accounts at an OpenID provider


def bind(session: Session, user_id: str, issuer: str, subject: str) -> None:
    """Let whom a provider calls `subject` sign in to this account; takes the place of what was bound before.

    Raises:
        Conflict: when the subject belongs to another account.
        Invalid: when the subject is empty or too long.
        NotFound: when there is no such account.
    """
    if not 0 < len(subject) <= 255 or not subject.isprintable():
        raise Invalid("The provider's reference for a person has 1 to 255 printable characters.")
    _row(session, user_id)
    if find_by_subject(session, issuer, subject) not in (None, user_id):
        raise Conflict("Somebody else signs in with this reference. Look who, and unbind that account first.")
    session.execute(
        delete(ProviderAccountRow).where(
            ProviderAccountRow.user_id == user_id, ProviderAccountRow.issuer == issuer
        )
    )
    try:
        with session.begin_nested():
            session.add(
                ProviderAccountRow(issuer=issuer, subject=subject, user_id=user_id, bound_at=utc_now())
            )
    except IntegrityError:
        raise Conflict("Somebody bound this reference at the same moment; look again.") from None


def find_by_subject(session: Session, issuer: str, subject: str) -> str | None:
    """The id of the account that a provider's subject signs in to."""
    row = session.get(ProviderAccountRow, (issuer, subject))
    return row.user_id if row is not None else None


def subject_of(session: Session, issuer: str, user_id: str) -> str | None:
    """What a provider calls the holder of an account."""
    return session.scalars(
        select(ProviderAccountRow.subject).where(
            ProviderAccountRow.user_id == user_id, ProviderAccountRow.issuer == issuer
        )
    ).first()


def _row(session: Session, user_id: str) -> UserRow:
    row = session.get(UserRow, user_id)
    if row is None:
        raise NotFound("There is no such account.")
    return row


def _account(row: UserRow, slug: str) -> Account:
    return Account(
        row.id, row.username, row.name, row.organisation_id, slug, tuple(_split(row.roles)), row.active,
        bool(row.password_hash),
    )  # fmt: skip


def _joined(roles: Iterable[str]) -> str:
    return ",".join(sorted(set(roles)))


def _split(roles: str) -> list[str]:
    return [role for role in roles.split(",") if role]
