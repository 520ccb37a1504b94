"""Machine clients: how they are registered, the keys they prove themselves with, and what becomes of both."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from hub.errors import Conflict, Invalid, NotFound, Unauthorised
from hub.identity.jwks import key_set, public_jwk, thumbprint
from hub.identity.organisations import Organisation, organisation
from hub.identity.principal import Principal
from hub.identity.states import Registration, move
from hub.identity.tables import ClientKeyRow, ClientRow, EnrolmentRow, OrganisationRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "ClientRecord", "KeySource", "add_client", "client_principal", "client_record", "client_records", "decide_client",
    "earlier_keys", "enrol", "key_source", "list_clients", "new_enrolment", "public_jwk", "put_keys", "registered_keys",
    "replace_client_key", "revoke_client", "signing_keys", "thumbprint", "try_keys",
]  # fmt: skip


@dataclass(frozen=True)
class ClientRecord:
    """A machine client as its registration stands; `organisation` is a slug, `thumbprints` those of its keys now."""

    id: str
    name: str
    organisation: str
    roles: tuple[str, ...]
    state: Registration
    registered_at: datetime
    registered_by: str
    invited_by: str
    decided_at: datetime | None
    decided_by: str | None
    jwks_url: str | None
    thumbprints: tuple[str, ...]


@dataclass(frozen=True)
class KeySource:
    """Where the keys of a client with a published set come from, which of them are known, and when they were read."""

    client_id: str
    url: str
    kids: frozenset[str]
    read_at: datetime | None
    tried_at: datetime | None


def _digest(code: str) -> str:
    return sha256(code.encode()).hexdigest()


# --- enrolment


def new_enrolment(session: Session, organisation_id: str, hours: int = 72, *, invited_by: str = "") -> str:
    """A one-time code with which a connector of the organisation registers; only its hash is kept."""
    organisation(session, organisation_id)
    code = "-".join(secrets.token_hex(2) for _ in range(6))
    session.add(
        EnrolmentRow(
            code_hash=_digest(code), organisation_id=organisation_id, client_id=None,
            expires_at=utc_now() + timedelta(hours=hours), invited_by=invited_by,
        )
    )  # fmt: skip
    session.flush()
    return code


def enrol(
    session: Session, code: str, name: str, signing_key: dict[str, Any], *, approved: bool = True
) -> tuple[str, Organisation]:
    """Use a code: registers the connector's public key; returns the client id and its organisation.

    The same code with the same key again gives the same client: the first answer may have been lost on its way.

    Raises:
        Invalid: when the key cannot be used.
        Unauthorised: when the code is unknown, used or too old.
    """
    row = session.get(EnrolmentRow, _digest(code.strip().lower()), with_for_update=True)
    if row is not None and row.client_id is not None and row.expires_at >= utc_now():
        known = session.get(ClientRow, row.client_id)
        if known is not None and known.active and _same_key(known, signing_key):
            return row.client_id, organisation(session, row.organisation_id)
    if row is None or row.client_id is not None or row.expires_at < utc_now():
        raise Unauthorised(
            "This enrolment code is unknown, used or too old. Ask the hub's operator for a new one."
        )
    row.client_id = add_client(
        session,
        row.organisation_id,
        name,
        ["connector"],
        signing_key,
        approved=approved,
        invited_by=row.invited_by or "",
    )
    return row.client_id, organisation(session, row.organisation_id)


def _same_key(row: ClientRow, signing_key: dict[str, Any]) -> bool:
    return bool(row.signing_key) and json.loads(row.signing_key).get("x") == signing_key.get("x")


def add_client(
    session: Session, organisation_id: str, name: str, roles: Iterable[str], signing_key: dict[str, Any] | None = None,
    *, jwks: Any = None, jwks_url: str | None = None, approved: bool = True, registered_by: str = "",
    invited_by: str = "",
) -> str:  # fmt: skip
    """Register a machine client; returns its id.

    Its keys are one public Ed25519 JWK, a JWK Set by value, or the address of a set that is fetched when it signs in.

    Raises:
        Invalid: when a key cannot be used, or not exactly one of the three is given.
    """
    given = [item for item in (signing_key, jwks, jwks_url) if item is not None]
    if len(given) != 1:
        raise Invalid(
            "Give a client one of: signing_key (one public key), jwks (a set), jwks_url (where a set is)."
        )
    kept = json.dumps(public_jwk(signing_key)) if signing_key is not None else ""
    row = ClientRow(
        id=new_id("cli"), organisation_id=organisation_id, name=name.strip()[:200] or "connector",
        roles=",".join(sorted(set(roles))), signing_key=kept, active=True, created_at=utc_now(), jwks_url=jwks_url,
        state=Registration.APPROVED if approved else Registration.WAITING, registered_by=registered_by,
        invited_by=invited_by,
    )  # fmt: skip
    session.add(row)
    session.flush()
    if jwks is not None:
        put_keys(session, row.id, key_set(jwks, strict=True))
    return row.id


# --- who it is


def client_principal(session: Session, client_id: str) -> tuple[Principal, dict[str, Any]] | None:
    """A client that may act, and its public key as a JWK ({} for one with a set); see `signing_keys` for all keys.

    None for one that is not there, waits for approval, was refused or revoked, or whose organisation was.
    """
    row = session.get(ClientRow, client_id)
    if row is None or not row.active or row.state != Registration.APPROVED:
        return None
    home = organisation(session, row.organisation_id)
    if home.state != Registration.APPROVED:
        return None
    return _principal(row, home), json.loads(row.signing_key or "{}")


def _principal(row: ClientRow, home: Organisation) -> Principal:
    roles = frozenset(filter(None, row.roles.split(",")))
    return Principal("client", row.id, row.name, home.id, home.slug, roles)


def client_record(session: Session, client_id: str) -> ClientRecord:
    """One client, whatever its state.

    Raises:
        NotFound: when there is none.
    """
    found = client_records(session, client_id=client_id)
    if not found:
        raise NotFound(f"There is no client {client_id}.")
    return found[0]


def client_records(
    session: Session, *, state: Registration | None = None, client_id: str | None = None
) -> list[ClientRecord]:
    """Clients as their registrations stand, oldest first."""
    query = select(ClientRow, OrganisationRow.slug).join(
        OrganisationRow, OrganisationRow.id == ClientRow.organisation_id
    )
    if state is not None:
        query = query.where(ClientRow.state == state)
    if client_id is not None:
        query = query.where(ClientRow.id == client_id)
    rows = session.execute(query.order_by(ClientRow.id)).all()
    keys = _keys_now(session, [row for row, _ in rows])
    return [
        ClientRecord(
            row.id, row.name, slug, tuple(filter(None, row.roles.split(","))), Registration(row.state),
            row.created_at, row.registered_by or "", row.invited_by or "", row.decided_at, row.decided_by, row.jwks_url,
            tuple(thumbprint(key) for key in keys[row.id]),
        )
        for row, slug in rows
    ]  # fmt: skip


def _keys_now(session: Session, rows: Sequence[ClientRow]) -> dict[str, list[dict[str, Any]]]:
    """The keys that some clients are registered with, without those that only hold a while longer."""
    found = {row.id: [json.loads(row.signing_key)] if row.signing_key else [] for row in rows}
    query = select(ClientKeyRow).where(ClientKeyRow.client_id.in_(found), ClientKeyRow.until.is_(None))
    for row in session.scalars(query.order_by(ClientKeyRow.thumbprint)):
        found[row.client_id].append(json.loads(row.signing_key))
    return found


def list_clients(session: Session) -> list[tuple[str, str, str, str, bool]]:
    """All clients as (id, name, organisation slug, roles, active)."""
    query = select(ClientRow, OrganisationRow.slug).join(
        OrganisationRow, OrganisationRow.id == ClientRow.organisation_id
    )
    return [
        (
            row.id,
            row.name,
            slug,
            row.roles.replace(",", ", "),
            row.active and row.state == Registration.APPROVED,
        )
        for row, slug in session.execute(query.order_by(ClientRow.id))
    ]


# --- what a second person decides


def decide_client(session: Session, client_id: str, event: str, decided_by: str) -> Registration:
    """Approve or refuse a client that waits; returns its new state. Who may is the caller's to know.

    Raises:
        NotFound: when there is none.
        Conflict: when it does not wait, or its organisation was not approved.
    """
    row = session.get(ClientRow, client_id, with_for_update=True)
    if row is None:
        raise NotFound(f"There is no client {client_id}.")
    after = move(row.state, event)
    home = organisation(session, row.organisation_id)
    if after is Registration.APPROVED and home.state != Registration.APPROVED:
        raise Conflict(f"Its organisation, {home.name}, is {home.state}. Approve the organisation first.")
    row.state, row.decided_at, row.decided_by = after, utc_now(), decided_by
    row.active = after is Registration.APPROVED
    session.flush()
    return after


def revoke_client(session: Session, client_id: str) -> None:
    """Stop a client: its tokens no longer work.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(ClientRow, client_id)
    if row is None:
        raise NotFound(f"There is no client {client_id}.")
    row.active = False
    if row.state != Registration.REFUSED:
        row.state = Registration.REVOKED
    session.flush()


# --- keys


def earlier_keys(session: Session, client_id: str, at: datetime | None = None) -> list[dict[str, Any]]:
    """Keys of a client beside its one present key that hold at a moment (default: now), as JWKs, the newest first.

    Those it had before, for as long as they are taken, and those of its set.
    """
    moment = at or utc_now()
    query = select(ClientKeyRow).where(
        ClientKeyRow.client_id == client_id,
        or_(ClientKeyRow.until.is_(None), ClientKeyRow.until > moment),
        or_(ClientKeyRow.since.is_(None), ClientKeyRow.since <= moment),
    )
    rows = sorted(
        session.scalars(query), key=lambda row: (row.until is None, row.until or moment), reverse=True
    )
    return [json.loads(row.signing_key) for row in rows]


def signing_keys(session: Session, client_id: str, at: datetime | None = None) -> list[dict[str, Any]]:
    """All keys of a client that hold at a moment, the present one first; none for one that is not active.

    A delivery is signed when it is offered and may be decided after its connector changed keys: ask with that moment.
    """
    return registered_keys(session, client_id, at) if client_principal(session, client_id) else []


def registered_keys(session: Session, client_id: str, at: datetime | None = None) -> list[dict[str, Any]]:
    """As `signing_keys`, whatever the state of the registration: for one that must prove itself before it is told."""
    row = session.get(ClientRow, client_id)
    present = [json.loads(row.signing_key)] if row is not None and row.signing_key else []
    return [*present, *earlier_keys(session, client_id, at)]


def replace_client_key(
    session: Session, client_id: str, signing_key: dict[str, Any], until: datetime
) -> None:
    """Give a client a new public key; those before it are taken until a moment at most.

    The present key again only lets those before it end, when that moment is earlier than was said.

    Raises:
        Invalid: when the key is not a public Ed25519 JWK.
        NotFound: when there is no such client.
        Conflict: when the client had this key before, another client has it, or its keys are a set.
    """
    row = session.get(ClientRow, client_id, with_for_update=True)
    if row is None or not row.active:
        raise NotFound(f"There is no client {client_id}.")
    if not row.signing_key:
        raise Conflict(
            "The keys of this client are a set: change them where the set is published, or ask the hub's operator to "
            "register it anew."
        )
    new = public_jwk(signing_key)
    text = json.dumps(new)
    session.execute(
        update(ClientKeyRow)
        .where(ClientKeyRow.client_id == client_id, ClientKeyRow.until > until)
        .values(until=until)
    )
    if row.signing_key == text:
        return
    used = session.scalars(select(ClientRow.id).where(ClientRow.signing_key == text)).first()
    before = select(ClientKeyRow.client_id).where(ClientKeyRow.thumbprint == thumbprint(new))
    if used is not None or session.scalars(before).first() is not None:
        raise Conflict("This key was registered before. Make a new pair of keys for each change.")
    old = json.loads(row.signing_key)
    session.add(
        ClientKeyRow(
            client_id=client_id, thumbprint=thumbprint(old), signing_key=row.signing_key, until=until
        )
    )
    row.signing_key = text
    session.flush()


def key_source(session: Session, client_id: str) -> KeySource | None:
    """Where a client's set of keys is published; None for a client that may not act or whose keys are given here."""
    row = session.get(ClientRow, client_id)
    if row is None or not row.active or not row.jwks_url or row.state != Registration.APPROVED:
        return None
    kids = frozenset(str(key.get("kid", "")) for key in earlier_keys(session, client_id))
    return KeySource(row.id, row.jwks_url, kids, row.jwks_read_at, row.jwks_tried_at)


def try_keys(session: Session, client_id: str, before: datetime) -> bool:
    """Take the turn to fetch a client's set; False when somebody did after `before`."""
    done = session.execute(
        update(ClientRow)
        .where(
            ClientRow.id == client_id, or_(ClientRow.jwks_tried_at.is_(None), ClientRow.jwks_tried_at < before)
        )
        .values(jwks_tried_at=utc_now())
    )  # fmt: skip
    return bool(done.rowcount)  # type: ignore[attr-defined]


def put_keys(session: Session, client_id: str, keys: Sequence[dict[str, Any]]) -> None:
    """Let a client's set be these keys from now on: what is new holds from now, what is gone ends now."""
    now, wanted = utc_now(), {thumbprint(key): json.dumps(key) for key in keys}
    session.execute(
        delete(ClientKeyRow).where(
            ClientKeyRow.client_id == client_id, ClientKeyRow.until < now - timedelta(days=366)
        )
    )
    held = {
        row.thumbprint: row
        for row in session.scalars(select(ClientKeyRow).where(ClientKeyRow.client_id == client_id))
    }
    for name, row in held.items():
        if name not in wanted and row.until is None:
            row.until = now
    for name, text in wanted.items():
        if name not in held:
            session.add(ClientKeyRow(client_id=client_id, thumbprint=name, signing_key=text, since=now))
        elif held[name].until is not None or held[name].signing_key != text:
            held[name].signing_key, held[name].until = text, None
    client = session.get_one(ClientRow, client_id)
    client.jwks_read_at = now
    session.flush()
