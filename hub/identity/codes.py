"""One-time codes with which somebody chooses a password of their own: for a new account, or when it was forgotten."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hub.identity.tables import EnrolmentRow, PasswordCodeRow
from hub.storage.database import utc_now

__all__ = ["PasswordCode", "forget", "new_code", "outstanding", "purge", "take"]


@dataclass(frozen=True)
class PasswordCode:
    """Whose code it was, who made it, and whether it also takes the second factor off."""

    user_id: str
    made_by: str
    clears_factor: bool


def new_code(session: Session, user_id: str, made_by: str, hours: int, *, clears_factor: bool = False) -> str:
    """A code of 80 random bits in place of older ones of this account; only its hash is kept."""
    forget(session, user_id)
    code = "-".join(secrets.token_hex(2) for _ in range(5))
    session.add(
        PasswordCodeRow(
            code_hash=_digest(code), user_id=user_id, made_by=made_by, clears_factor=clears_factor,
            expires_at=utc_now() + timedelta(hours=hours),
        )
    )  # fmt: skip
    session.flush()
    return code


def take(session: Session, code: str) -> PasswordCode | None:
    """Use a code up; None when it is none, was used, or is too old."""
    query = delete(PasswordCodeRow).where(
        PasswordCodeRow.code_hash == _digest(code), PasswordCodeRow.expires_at > utc_now()
    )
    row = session.execute(
        query.returning(PasswordCodeRow.user_id, PasswordCodeRow.made_by, PasswordCodeRow.clears_factor)
    ).first()
    return PasswordCode(*row) if row is not None else None


def outstanding(session: Session) -> frozenset[str]:
    """The ids of the accounts with a code that can still be used."""
    query = select(PasswordCodeRow.user_id).where(PasswordCodeRow.expires_at > utc_now())
    return frozenset(session.scalars(query))


def forget(session: Session, user_id: str) -> None:
    """Make an account's codes useless."""
    session.execute(delete(PasswordCodeRow).where(PasswordCodeRow.user_id == user_id))


def purge(session: Session) -> int:
    """Forget codes that are too old, people's and connectors'; returns how many of people."""
    session.execute(delete(EnrolmentRow).where(EnrolmentRow.expires_at < utc_now()))
    query = delete(PasswordCodeRow).where(PasswordCodeRow.expires_at < utc_now())
    return len(session.execute(query.returning(PasswordCodeRow.user_id)).all())


def _digest(code: str) -> str:
    """Spaces, hyphens and capitals do not count."""
    plain = "".join(code.lower().replace("-", "").split())
    return sha256(f"password code|{plain}".encode()).hexdigest()
