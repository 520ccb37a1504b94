"""Organisations' signing keys, and the signatures under agreements."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.errors import Conflict, Invalid, NotFound
from hub.policy import seals
from hub.policy import store as agreements
from hub.policy.agreement import Agreement, AgreementState
from hub.policy.believing import COMPROMISED, key_facts, signature_facts
from hub.policy.statement import Statement, fingerprint, read_public_key, verify
from hub.policy.tables import AgreementRow, SignatureRow, SigningKeyRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "Signature", "SigningKey", "add_key", "add_signature", "approve_key", "get_key", "list_keys", "revoke_key",
    "signatures", "statement",
]  # fmt: skip


@dataclass(frozen=True)
class SigningKey:
    """A public key of an organisation (slug); `added_for` is the organisation of the one who registered it."""

    id: str
    organisation: str
    public_key: str
    name: str
    state: str
    added_at: datetime
    added_by: str
    added_for: str
    decided_at: datetime | None
    decided_by: str | None

    @property
    def fingerprint(self) -> str:
        """How people compare it."""
        return fingerprint(base64.b64decode(self.public_key))


@dataclass(frozen=True)
class Signature:
    """A signature under an agreement as pages show it; `holds` says whether it counts."""

    organisation: str
    signer: str
    key_id: str
    at: datetime
    by: str
    statement: str
    signature: str
    holds: bool


def add_key(
    session: Session, organisation: str, public_key: str, name: str, by: str, by_organisation: str, *, approved: bool
) -> SigningKey:  # fmt: skip
    """Register a key; it waits for a second person unless it is `approved`.

    Raises:
        Invalid: when it is no Ed25519 public key.
        Conflict: when it is registered already.
    """
    text = base64.b64encode(read_public_key(public_key)).decode()
    if session.scalars(select(SigningKeyRow.id).where(SigningKeyRow.public_key == text)).first():
        raise Conflict("This key is registered already. Make a new pair for each registration.")
    now = utc_now()
    row = SigningKeyRow(
        id=new_id("agk"), organisation=organisation, public_key=text, name=" ".join(name.split())[:200] or "key",
        state="active" if approved else "waiting", added_at=now, added_by=by, added_for=by_organisation,
        decided_at=now if approved else None, decided_by=by if approved else None,
    )  # fmt: skip
    row.seal = seals.seal(session, "key", *key_facts(row))
    session.add(row)
    session.flush()
    return _key(row)


def approve_key(session: Session, key_id: str, by: str) -> SigningKey:
    """Let a waiting key be used.

    Raises:
        NotFound: when there is none.
        Conflict: when it does not wait, or its record was changed by something else than the hub.
    """
    return _decide(session, key_id, by, "active", ("waiting",))


def revoke_key(session: Session, key_id: str, by: str, *, compromised: bool = False) -> SigningKey:
    """Let a key sign nothing any more. What it signed holds, unless it is `compromised`: then that counts no more.

    Raises:
        NotFound: when there is none.
        Conflict: when it is at its end already.
    """
    before = ("waiting", "active", "revoked") if compromised else ("waiting", "active")
    return _decide(session, key_id, by, COMPROMISED if compromised else "revoked", before)


def _decide(session: Session, key_id: str, by: str, state: str, before: Sequence[str]) -> SigningKey:
    row = _key_row(session, key_id)
    if row.state not in before:
        raise Conflict(f"The key is {row.state}.")
    if state == "active" and not seals.holds(seals.key_of(session), row.seal, "key", *key_facts(row)):
        raise Conflict("The record of this key was changed by something else than the hub. Revoke it.")
    row.state, row.decided_at, row.decided_by = state, utc_now(), by
    row.seal = seals.seal(session, "key", *key_facts(row))
    session.flush()
    return _key(row)


def get_key(session: Session, key_id: str) -> SigningKey:
    """One key.

    Raises:
        NotFound: when there is none.
    """
    return _key(_key_row(session, key_id))


def list_keys(session: Session, organisation: str = "") -> list[SigningKey]:
    """All keys, or those of an organisation, oldest first."""
    query = select(SigningKeyRow).order_by(SigningKeyRow.organisation, SigningKeyRow.id)
    if organisation:
        query = query.where(SigningKeyRow.organisation == organisation)
    return [_key(row) for row in session.scalars(query)]


def statement(session: Session, agreement_id: str, organisation: str, signer: str) -> Statement:
    """What an organisation signs of an agreement that waits for signatures.

    Raises:
        NotFound: when there is no such agreement.
        Conflict: when it does not wait for this organisation's signature.
        Invalid: when nobody is named as the one who signs.
    """
    agreement = agreements.get(session, agreement_id)
    if agreement.trouble and agreement.state is not AgreementState.ACTIVE:
        raise Conflict(f"Agreement {agreement_id} cannot be signed: {agreement.trouble}.")
    if agreement.state not in (AgreementState.AGREED, AgreementState.ACTIVE) or agreement.signed_by is None:
        raise Conflict(
            f"Agreement {agreement_id} is {agreement.state.value}: it does not wait for signatures."
        )
    if organisation not in agreement.parties():
        raise Conflict(f"{organisation} is no party to agreement {agreement_id}.")
    if organisation in agreement.signed_by:
        raise Conflict(f"{organisation} has signed agreement {agreement_id} already.")
    row = session.get_one(AgreementRow, agreement_id)
    return Statement.about(row.id, row.version, row.text, agreements.parties_of(row), organisation, signer)


def add_signature(session: Session, said: Statement, signature: str, by: str) -> SigningKey:
    """Keep an organisation's signature over a statement; returns the key that made it.

    Raises:
        Invalid: when no registered key of the organisation made it over exactly this statement.
    """
    signature = "".join(signature.split())
    query = select(SigningKeyRow).where(
        SigningKeyRow.organisation == said.organisation, SigningKeyRow.state == "active"
    )
    keys = [
        row
        for row in session.scalars(query)
        if seals.holds(seals.key_of(session), row.seal, "key", *key_facts(row))
    ]
    if not keys:
        raise Invalid(
            f"No signing key of {said.organisation} is registered and approved. Register one: hub agreements keys add.",
            fields={"signature": ["no key to check it with"]},
        )
    key = next((row for row in keys if verify(said.text, signature, base64.b64decode(row.public_key))), None)
    if key is None:
        raise Invalid(
            f"The signature was not made with a registered key of {said.organisation} over this very statement. Fetch "
            "the statement anew, name the same signer, and sign it as it is.",
            fields={"signature": ["does not fit"]},
        )
    _keep(session, said, signature, key, by)
    return _key(key)


def _keep(session: Session, said: Statement, signature: str, key: SigningKeyRow, by: str) -> None:
    at = (said.agreement, said.version, said.organisation)
    row = session.get(SignatureRow, at)
    if row is None:  # one that holds no more is replaced
        row = SignatureRow(agreement_id=said.agreement, version=said.version, organisation=said.organisation)
        session.add(row)
    row.key_id, row.signer, row.statement, row.signature = key.id, said.signer, said.text, signature
    row.at, row.by = utc_now(), by
    row.seal = seals.seal(session, "signature", *signature_facts(row))
    session.flush()


def signatures(session: Session, agreement: Agreement) -> list[Signature]:
    """The signatures under an agreement's present version, by organisation."""
    query = (
        select(SignatureRow)
        .where(SignatureRow.agreement_id == agreement.id, SignatureRow.version == agreement.version)
        .order_by(SignatureRow.organisation)
    )
    held = agreement.signed_by or frozenset()
    return [
        Signature(
            row.organisation, row.signer, row.key_id, row.at, row.by, row.statement, row.signature,
            row.organisation in held,
        )
        for row in session.scalars(query)
    ]  # fmt: skip


def _key_row(session: Session, key_id: str) -> SigningKeyRow:
    row = session.get(SigningKeyRow, key_id)
    if row is None:
        raise NotFound(f"There is no signing key {key_id}.")
    return row


def _key(row: SigningKeyRow) -> SigningKey:
    return SigningKey(
        row.id, row.organisation, row.public_key, row.name, row.state, row.added_at, row.added_by, row.added_for,
        row.decided_at, row.decided_by,
    )  # fmt: skip
