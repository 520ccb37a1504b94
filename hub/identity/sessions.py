"""Signed-in browsers. A session's token lies in the browser's cookie and nowhere else; the hub keeps its hash."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from hub.identity.tables import SessionRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "PENDING_MINUTES", "SignedIn", "Stage", "end", "end_all", "end_one", "find", "list_for", "purge", "rotate",
    "start", "touch",
]  # fmt: skip

#: For so long somebody may take over the second step of signing in.
PENDING_MINUTES = 10
_NOTED_SECONDS = 30


class Stage(StrEnum):
    """How far somebody has come with signing in."""

    FULL = "full"
    CODE = "code"  # the code of the second factor is still to come
    ENROL = "enrol"  # a second factor is to be set up first


@dataclass(frozen=True)
class SignedIn:
    """A session. `device` says in words what it was opened with; `stale`: its last use should be noted."""

    id: str
    user_id: str
    stage: Stage
    method: str
    device: str
    created_at: datetime
    seen_at: datetime
    stale: bool = False


def start(session: Session, user_id: str, stage: Stage, *, method: str, device: str = "") -> str:
    """A new session's token (256 random bits); only its hash is kept."""
    return _add(session, user_id, stage, method, device, utc_now())


def find(session: Session, token: str, minutes: int, hours: int) -> SignedIn | None:
    """The session of a token; None when it is over: `minutes` after its last use, `hours` after signing in."""
    row = session.get(SessionRow, _digest(token))
    now = utc_now()
    if row is None:
        return None
    idle = minutes if row.stage == Stage.FULL else min(minutes, PENDING_MINUTES)
    since = row.seen_at if row.stage == Stage.FULL else row.created_at
    if since < now - timedelta(minutes=idle) or row.created_at < now - timedelta(hours=hours):
        return None
    return _signed_in(row, row.seen_at < now - timedelta(seconds=_NOTED_SECONDS))


def touch(session: Session, token: str) -> None:
    """Note that a session was used."""
    session.execute(
        update(SessionRow).where(SessionRow.token_hash == _digest(token)).values(seen_at=utc_now())
    )


def rotate(session: Session, token: str, stage: Stage) -> str | None:
    """A new token in place of an old one, at another stage; None when the old one is gone (used twice at once)."""
    row = session.get(SessionRow, _digest(token), with_for_update=True)
    if row is None:
        return None
    # Who has just proved more starts anew; who only gets another token does not live longer by it.
    since = row.created_at if row.stage == stage else utc_now()
    new = _add(session, row.user_id, stage, row.method, row.device, since)
    session.delete(row)
    session.flush()
    return new


def end(session: Session, token: str) -> None:
    """End one session by its token."""
    session.execute(delete(SessionRow).where(SessionRow.token_hash == _digest(token)))


def end_one(session: Session, user_id: str, session_id: str) -> bool:
    """End one of somebody's sessions by its id; False when it is not theirs or over."""
    query = delete(SessionRow).where(SessionRow.id == session_id, SessionRow.user_id == user_id)
    return bool(session.execute(query.returning(SessionRow.id)).first())


def end_all(session: Session, user_id: str, *, but: str = "") -> int:
    """End all of somebody's sessions, but for that of one token; returns how many."""
    query = delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.token_hash != _digest(but))
    return len(session.execute(query.returning(SessionRow.id)).all())


def list_for(session: Session, user_id: str, minutes: int, hours: int) -> list[SignedIn]:
    """Somebody's sessions that are not over, the last used first."""
    now = utc_now()
    query = select(SessionRow).where(
        SessionRow.user_id == user_id,
        SessionRow.stage == Stage.FULL,
        SessionRow.seen_at >= now - timedelta(minutes=minutes),
        SessionRow.created_at >= now - timedelta(hours=hours),
    )
    return [_signed_in(row) for row in session.scalars(query.order_by(SessionRow.seen_at.desc()))]


def purge(session: Session, minutes: int, hours: int) -> int:
    """Forget sessions that are over; returns how many."""
    now = utc_now()
    query = delete(SessionRow).where(
        or_(
            SessionRow.seen_at < now - timedelta(minutes=minutes),
            SessionRow.created_at < now - timedelta(hours=hours),
            (SessionRow.stage != Stage.FULL)
            & (SessionRow.created_at < now - timedelta(minutes=PENDING_MINUTES)),
        )
    )
    return len(session.execute(query.returning(SessionRow.id)).all())


def _add(session: Session, user_id: str, stage: Stage, method: str, device: str, created_at: datetime) -> str:
    token = secrets.token_urlsafe(32)
    session.add(
        SessionRow(
            token_hash=_digest(token), id=new_id("ses"), user_id=user_id, stage=stage.value, method=method,
            device=device[:80], created_at=created_at, seen_at=utc_now(),
        )
    )  # fmt: skip
    session.flush()
    return token


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _signed_in(row: SessionRow, stale: bool = False) -> SignedIn:
    return SignedIn(
        row.id, row.user_id, Stage(row.stage), row.method, row.device, row.created_at, row.seen_at, stale
    )
