"""One-time codes with which people open their own page, and the short sessions that follow.

A code has 80 random bits, so a fast keyed hash keeps it; what guards it is that it works once, for a few days, with
the date of birth, and that a few wrong dates of birth end it. Nobody can use up another's attempts without the code.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hub.rights.tables import CitizenSessionRow, CodeRow

__all__ = [
    "MOST_ATTEMPTS", "Code", "Visit", "add_code", "codes_of", "end_visit", "find_code", "forget_old", "new_code",
    "note_attempt", "plain", "start_visit", "use_code", "visit",
]  # fmt: skip

#: So many wrong dates of birth end a code.
MOST_ATTEMPTS: Final = 5
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: nothing that looks like something else
_LETTERS: Final = 16
_LOOKALIKES: Final = str.maketrans("OIL", "011")


@dataclass(frozen=True)
class Code:
    """A code that was given out; `person` and `born` are sealed."""

    code_hash: str
    subject: str
    person: str
    born: str
    organisation: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    attempts: int
    used_at: datetime | None

    def usable(self, now: datetime) -> bool:
        """Whether it still opens anything."""
        return self.used_at is None and now < self.expires_at and self.attempts < MOST_ATTEMPTS


@dataclass(frozen=True)
class Visit:
    """Somebody reading their own page; `person` is sealed."""

    subject: str
    person: str
    organisation: str
    began_at: datetime
    expires_at: datetime


def new_code() -> str:
    """A new code in four groups of four."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
    return "-".join(letters[place : place + 4] for place in range(0, _LETTERS, 4))


def plain(typed: str) -> str:
    """A code as it was typed, in the one form that is hashed; empty when it cannot be one."""
    letters = "".join(typed.split()).replace("-", "").upper().translate(_LOOKALIKES)
    return letters if len(letters) == _LETTERS and set(letters) <= set(_ALPHABET) else ""


def add_code(session: Session, code: Code) -> None:
    """Keep a code; those that the same person had before end."""
    for row in session.scalars(
        select(CodeRow).where(CodeRow.subject == code.subject, CodeRow.used_at.is_(None))
    ):
        row.expires_at = min(row.expires_at, code.made_at)
    session.add(CodeRow(**code.__dict__))
    session.flush()


def find_code(session: Session, code_hash: str) -> Code | None:
    """A code by its keyed hash; nobody else counts its attempts until this transaction ends."""
    row = session.get(CodeRow, code_hash, with_for_update=True, populate_existing=True)
    return _code(row) if row else None


def codes_of(session: Session, subject: str) -> list[Code]:
    """The codes that were made for a person, newest first."""
    query = select(CodeRow).where(CodeRow.subject == subject).order_by(CodeRow.made_at.desc())
    return [_code(row) for row in session.scalars(query)]


def note_attempt(session: Session, code_hash: str) -> int:
    """Count a wrong date of birth; returns how many there were."""
    row = session.get_one(CodeRow, code_hash)
    row.attempts += 1
    session.flush()
    return row.attempts


def use_code(session: Session, code_hash: str, at: datetime) -> None:
    """The code has opened a session and opens nothing any more."""
    session.get_one(CodeRow, code_hash).used_at = at
    session.flush()


def start_visit(session: Session, code: Code, now: datetime, minutes: int) -> str:
    """A session's token; only its hash is kept."""
    token = secrets.token_urlsafe(32)
    session.add(
        CitizenSessionRow(
            token_hash=_digest(token), subject=code.subject, person=code.person, organisation=code.organisation,
            began_at=now, expires_at=now + timedelta(minutes=minutes),
        )
    )  # fmt: skip
    session.flush()
    return token


def visit(session: Session, token: str, now: datetime) -> Visit | None:
    """Whose session a token is; None when it is over."""
    row = session.get(CitizenSessionRow, _digest(token))
    if row is None or row.expires_at <= now:
        return None
    return Visit(row.subject, row.person, row.organisation, row.began_at, row.expires_at)


def end_visit(session: Session, token: str) -> None:
    """End a session."""
    session.execute(delete(CitizenSessionRow).where(CitizenSessionRow.token_hash == _digest(token)))


def forget_old(session: Session, now: datetime, days: int) -> int:
    """Remove sessions that are over, and codes that ended so many days ago; how many."""
    sessions = session.execute(delete(CitizenSessionRow).where(CitizenSessionRow.expires_at <= now))
    codes = session.execute(delete(CodeRow).where(CodeRow.expires_at <= now - timedelta(days=days)))
    return int(sessions.rowcount + codes.rowcount)


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _code(row: CodeRow) -> Code:
    return Code(
        row.code_hash, row.subject, row.person, row.born, row.organisation, row.made_by, row.made_at, row.expires_at,
        row.attempts, row.used_at,
    )  # fmt: skip
