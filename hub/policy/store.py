"""Keeping agreements. Whoever reads one here learns whether its record can be believed (`Agreement.trouble`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from hub.errors import Conflict, NotFound
from hub.policy import seals
from hub.policy.agreement import Agreement, AgreementState, load_agreement, move
from hub.policy.believing import SIGNED, KeptAgreement, KeptSignature, believed, facts
from hub.policy.tables import AgreementRow, SignatureRow, SigningKeyRow
from hub.storage.database import utc_now

__all__ = [
    "Record", "active", "add", "adopt", "change_state", "get", "get_text", "list_all", "over", "parties_of", "record",
    "replace_text",
]  # fmt: skip

_MANY = 500


@dataclass(frozen=True)
class Record:
    """What the hub knows about an agreement besides its text. References are those of the audit log.

    `parties` are the slugs that must sign with their parts, empty before it is approved; `note` is the sealed reason
    of the last step.
    """

    id: str
    version: int
    created_at: datetime
    authors: tuple[str, ...]
    approved_by: str
    decided_at: datetime | None
    decided_by: str
    parties: Mapping[str, tuple[str, ...]]
    unsigned: bool
    note: str


def add(session: Session, text: str, by: str, *, also: str = "") -> Agreement:
    """Store a draft; the same text again is the same agreement. `also` are others who wrote on it.

    Raises:
        Invalid: when the text is no agreement.
        Conflict: when the id is taken by another text.
    """
    agreement = load_agreement(text)
    row = session.get(AgreementRow, agreement.id)
    if row is not None:
        if row.text == text:
            return _read(session, row)
        raise Conflict(
            f"There is an agreement {agreement.id} already, with another text. Agreements are not edited once they "
            "are agreed: give the new one an id of its own and withdraw the old."
        )
    row = AgreementRow(
        id=agreement.id, text=text, state=agreement.state.value, created_at=utc_now(), created_by=by,
        decided_at=None, decided_by=None, version=1, authors=_authors(by, also), approved_by=None, parties=None,
        unsigned=False, note=None,
    )  # fmt: skip
    row.seal = _seal(session, row)
    session.add(row)
    session.flush()
    return agreement


def replace_text(session: Session, agreement_id: str, text: str, by: str, *, also: str = "") -> Agreement:
    """Give a draft another text: its next version. Everybody who wrote a version is one of its authors.

    Raises:
        NotFound: when there is no such agreement.
        Invalid: when the text is no agreement.
        Conflict: when it is no draft any more, or the text has another id.
    """
    row = _own(session, agreement_id)
    if row.state != AgreementState.DRAFT:
        raise Conflict(f"Agreement {agreement_id} is {row.state}: only the text of a draft can be changed.")
    agreement = load_agreement(text)
    if agreement.id != agreement_id:
        raise Conflict(f"The text has the id {agreement.id}; the id of {agreement_id} stays what it is.")
    if text != row.text:
        row.text, row.version = text, row.version + 1
        row.authors = _authors(*row.authors.split(","), by, also)
        row.seal = _seal(session, row)
        session.flush()
    return _read(session, row)


def change_state(
    session: Session, agreement_id: str, act: str, by: str, *, parties: Mapping[str, Sequence[str]] | None = None,
    note: str = "",
) -> Agreement:  # fmt: skip
    """Take one step of the table of states; `parties` are who must sign, given when it is approved.

    Raises:
        NotFound: when there is no such agreement.
        Conflict: when its state does not allow the act, or the hub does not believe its own record of it and the act
            is another than ending it.
    """
    row = _row(session, agreement_id) if act in ("withdraw", "expire") else _own(session, agreement_id)
    try:
        row.state = move(AgreementState(row.state), act).value
    except (KeyError, ValueError):
        raise Conflict(f"Agreement {agreement_id} is {row.state}: one cannot {act} it.") from None
    row.decided_at, row.decided_by, row.note = utc_now(), by, note or None
    if act == "approve":
        row.approved_by = by
        row.parties = json.dumps({slug: list(parts) for slug, parts in sorted((parties or {}).items())})
    row.seal = _seal(session, row)
    session.flush()
    return _read(session, row)


def get(session: Session, agreement_id: str) -> Agreement:
    """One agreement.

    Raises:
        NotFound: when there is none.
    """
    return _read(session, _row(session, agreement_id))


def get_text(session: Session, agreement_id: str) -> str:
    """Its YAML as given."""
    return _row(session, agreement_id).text


def record(session: Session, agreement_id: str) -> Record:
    """What the hub knows about an agreement besides its text."""
    row = _row(session, agreement_id)
    return Record(
        row.id, row.version, row.created_at, tuple(row.authors.split(",")), row.approved_by or "", row.decided_at,
        row.decided_by or "", parties_of(row), row.unsigned, row.note or "",
    )  # fmt: skip


def list_all(session: Session) -> list[Agreement]:
    """All agreements by id."""
    return _found(session)


def active(session: Session, on: date) -> list[Agreement]:
    """The agreements in force on a day, whose records can be believed."""
    found = _found(session, AgreementRow.state == AgreementState.ACTIVE)
    return [agreement for agreement in found if agreement.in_force(on)]


def over(session: Session, on: date) -> list[Agreement]:
    """Agreements that are still active though their last day is over."""
    return [item for item in _found(session, AgreementRow.state == AgreementState.ACTIVE) if item.end < on]


def adopt(session: Session) -> int:
    """Seal the records of a hub from before there were seals; returns how many. Done once in a hub's life."""
    rows = list(session.scalars(select(AgreementRow).where(AgreementRow.seal.is_(None))))
    for row in rows:
        row.seal = _seal(session, row)
    session.flush()
    return len(rows)


def parties_of(row: AgreementRow) -> dict[str, tuple[str, ...]]:
    """Who must sign, with their parts."""
    try:
        return {slug: tuple(parts) for slug, parts in json.loads(row.parties or "{}").items()}
    except (ValueError, AttributeError, TypeError):
        return {}  # not the hub's doing, and noticed by the seal


def _authors(*references: str) -> str:
    return ",".join(dict.fromkeys(one for item in references for one in item.split(",") if one))


def _row(session: Session, agreement_id: str) -> AgreementRow:
    row = session.get(AgreementRow, agreement_id)
    if row is None:
        raise NotFound(f"There is no agreement {agreement_id}.")
    return row


def _own(session: Session, agreement_id: str) -> AgreementRow:
    """The row of an agreement whose record can be believed."""
    row = _row(session, agreement_id)
    if trouble := _read(session, row).trouble:
        raise Conflict(
            f"Agreement {agreement_id} cannot go on: {trouble}. Withdraw it and draft it anew under another id."
        )
    return row


def _seal(session: Session, row: AgreementRow) -> str:
    return seals.seal(session, "agreement", *facts(row))


_AGREEMENT: Final = [getattr(AgreementRow, name) for name in KeptAgreement._fields]
_SIGNATURE: Final = [
    SignatureRow.agreement_id, SignatureRow.version, SignatureRow.organisation, SignatureRow.key_id,
    SignatureRow.signer, SignatureRow.statement, SignatureRow.signature, SignatureRow.by, SignatureRow.seal,
    SigningKeyRow.organisation, SigningKeyRow.public_key, SigningKeyRow.state, SigningKeyRow.added_by,
    SigningKeyRow.added_for, SigningKeyRow.decided_by, SigningKeyRow.seal,
]  # fmt: skip


def _found(session: Session, *conditions: ColumnElement[bool]) -> list[Agreement]:
    """Agreements by id, with the signatures that hold and what is wrong with their records: two questions at most."""
    query = select(*_AGREEMENT).where(*conditions).order_by(AgreementRow.id)
    kept = [KeptAgreement(*row) for row in session.execute(query)]
    signed = _signatures(session, [item.id for item in kept if item.state in SIGNED])
    key = seals.key_of(session)
    return [believed(key, item, tuple(signed.get(item.id, ()))) for item in kept]


def _read(session: Session, row: AgreementRow) -> Agreement:
    """One agreement from a row that is at hand."""
    kept = KeptAgreement(*(getattr(row, name) for name in KeptAgreement._fields))
    signed = _signatures(session, [row.id]) if row.state in SIGNED else {}
    return believed(seals.key_of(session), kept, tuple(signed.get(row.id, ())))


def _signatures(session: Session, ids: Sequence[str]) -> dict[str, list[KeptSignature]]:
    """Signatures with their keys, by agreement: one question to the database, however many agreements."""
    if not ids:
        return {}
    query = select(*_SIGNATURE).join(SigningKeyRow, SigningKeyRow.id == SignatureRow.key_id)
    if len(ids) <= _MANY:
        query = query.where(SignatureRow.agreement_id.in_(ids))
    found: dict[str, list[KeptSignature]] = {}
    for row in session.execute(query.order_by(SignatureRow.agreement_id, SignatureRow.organisation)):
        found.setdefault(row[0], []).append(KeptSignature(*row))
    return found
