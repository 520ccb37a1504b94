"""Keeping agreements."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.errors import Conflict, NotFound
from hub.policy.agreement import Agreement, AgreementState, load_agreement, move
from hub.policy.tables import AgreementRow
from hub.storage.database import utc_now

__all__ = ["active", "add", "change_state", "drafted_by", "get", "get_text", "list_all"]


def add(session: Session, text: str, by: str) -> Agreement:
    """Store a draft; the same text again is the same agreement.

    Raises:
        Invalid: when the text is no agreement.
        Conflict: when the id is taken by another text.
    """
    agreement = load_agreement(text)
    row = session.get(AgreementRow, agreement.id)
    if row is not None:
        if row.text == text:
            return _read(row)
        raise Conflict(
            f"There is an agreement {agreement.id} already, with another text. Agreements are not edited: "
            "give the new one an id of its own and withdraw the old."
        )
    session.add(
        AgreementRow(
            id=agreement.id, text=text, state=agreement.state.value, created_at=utc_now(), created_by=by,
            decided_at=None, decided_by=None,
        )
    )  # fmt: skip
    session.flush()
    return agreement


def change_state(session: Session, agreement_id: str, act: str, by: str) -> Agreement:
    """Activate, withdraw or expire.

    Raises:
        NotFound: when there is no such agreement.
        Conflict: when its state does not allow the act.
    """
    row = _row(session, agreement_id)
    try:
        row.state = move(AgreementState(row.state), act).value
    except KeyError:
        raise Conflict(f"Agreement {agreement_id} is {row.state}: one cannot {act} it.") from None
    row.decided_at, row.decided_by = utc_now(), by
    session.flush()
    return _read(row)


def get(session: Session, agreement_id: str) -> Agreement:
    """One agreement.

    Raises:
        NotFound: when there is none.
    """
    return _read(_row(session, agreement_id))


def get_text(session: Session, agreement_id: str) -> str:
    """Its YAML as given."""
    return _row(session, agreement_id).text


def list_all(session: Session) -> list[Agreement]:
    """All agreements by id."""
    return [_read(row) for row in session.scalars(select(AgreementRow).order_by(AgreementRow.id))]


def active(session: Session, on: date) -> list[Agreement]:
    """The agreements in force on a day."""
    rows = session.scalars(
        select(AgreementRow).where(AgreementRow.state == AgreementState.ACTIVE).order_by(AgreementRow.id)
    )
    return [agreement for row in rows if (agreement := _read(row)).start <= on <= agreement.end]


def _row(session: Session, agreement_id: str) -> AgreementRow:
    row = session.get(AgreementRow, agreement_id)
    if row is None:
        raise NotFound(f"There is no agreement {agreement_id}.")
    return row


_parsed = lru_cache(maxsize=512)(load_agreement)  # a text never changes, and every decision reads it


def _read(row: AgreementRow) -> Agreement:
    return replace(_parsed(row.text), state=AgreementState(row.state))


def drafted_by(session: Session, agreement_id: str) -> str:
    """Who drafted an agreement."""
    return _row(session, agreement_id).created_by
