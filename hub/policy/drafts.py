"""Agreements that are being written on pages: answers to questions, kept until they are handed in or thrown away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.errors import NotFound, TooLarge
from hub.policy.tables import DraftRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = ["Draft", "add_draft", "drafts_of", "get_draft", "remove_draft", "save_answers"]

_MOST = 200_000


@dataclass(frozen=True)
class Draft:
    """Answers by field of the agreement; `agreement_id` is the agreement whose next version this will be.

    `writers` are all who saved an answer: authors of the agreement when it is handed in.
    """

    id: str
    organisation: str
    answers: Mapping[str, Any]
    agreement_id: str
    writers: tuple[str, ...]
    changed_at: datetime


def add_draft(
    session: Session, organisation: str, by: str, answers: Mapping[str, Any], agreement_id: str = ""
) -> Draft:
    """Begin one."""
    now = utc_now()
    row = DraftRow(
        id=new_id("drf"), organisation=organisation, answers=_text(answers), agreement_id=agreement_id or None,
        created_at=now, created_by=by, changed_at=now, writers=by,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _draft(row)


def save_answers(session: Session, draft_id: str, answers: Mapping[str, Any], by: str) -> Draft:
    """Put some answers in place of those there were; whoever does is one of its writers.

    Raises:
        NotFound: when there is no such draft.
        TooLarge: when it grows beyond what an agreement may hold.
    """
    row = _row(session, draft_id)
    row.writers = ",".join(dict.fromkeys([*row.writers.split(","), by]))
    row.answers, row.changed_at = _text({**json.loads(row.answers), **answers}), utc_now()
    session.flush()
    return _draft(row)


def get_draft(session: Session, draft_id: str) -> Draft:
    """One draft.

    Raises:
        NotFound: when there is none.
    """
    return _draft(_row(session, draft_id))


def drafts_of(session: Session, organisation: str) -> list[Draft]:
    """What an organisation is writing, the newest first."""
    query = select(DraftRow).where(DraftRow.organisation == organisation).order_by(DraftRow.id.desc())
    return [_draft(row) for row in session.scalars(query)]


def remove_draft(session: Session, draft_id: str) -> None:
    """Throw a draft away."""
    session.delete(_row(session, draft_id))
    session.flush()


def _row(session: Session, draft_id: str) -> DraftRow:
    row = session.get(DraftRow, draft_id)
    if row is None:
        raise NotFound(f"There is no draft {draft_id}.")
    return row


def _text(answers: Mapping[str, Any]) -> str:
    text = json.dumps(answers)
    if len(text) > _MOST:
        raise TooLarge("These answers are too long for one agreement. Shorten them, or make two agreements.")
    return text


def _draft(row: DraftRow) -> Draft:
    return Draft(
        row.id, row.organisation, json.loads(row.answers), row.agreement_id or "", tuple(row.writers.split(",")),
        row.changed_at,
    )  # fmt: skip
