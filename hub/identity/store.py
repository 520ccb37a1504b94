"""Keeping organisations, people, sessions, clients and enrolments."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from hub.errors import Conflict, Invalid, NotFound, Unauthorised
from hub.identity.principal import Principal
from hub.identity.tables import ClientKeyRow, ClientRow, EnrolmentRow, OrganisationRow, SessionRow, UserRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "Organisation", "add_client", "add_organisation", "add_user", "authenticate", "client_principal", "earlier_keys",
    "end_session", "enrol", "find_organisation", "list_clients", "list_organisations", "list_users", "new_enrolment",
    "organisation", "public_jwk", "replace_client_key", "revoke_client", "session_principal", "signing_keys",
    "start_session", "thumbprint", "touch_session", "user_principal",
]  # fmt: skip

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,62}\Z")
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{1,98}\Z")
_MIN_PASSWORD = 12


@dataclass(frozen=True)
class Organisation:
    """An organisation as others see it."""

    id: str
    slug: str
    name: str


def add_organisation(session: Session, slug: str, name: str) -> Organisation:
    """Register an organisation; the same slug and name again is the same organisation.

    Raises:
        Invalid: when the slug or name cannot be used.
        Conflict: when the slug belongs to another name.
    """
    if not _SLUG.match(slug):
        raise Invalid(
            "The slug must be 2 to 63 of a-z, 0-9 and -, a letter first, for example wexbourne-housing."
        )
    if not name.strip() or len(name) > 200:
        raise Invalid("The name must have 1 to 200 characters.")
    row = session.scalars(select(OrganisationRow).where(OrganisationRow.slug == slug)).first()
    if row is None:
        row = OrganisationRow(id=new_id("org"), slug=slug, name=name, created_at=utc_now())
        session.add(row)
        session.flush()
    elif row.name != name:
        raise Conflict(f"The slug {slug} belongs to {row.name}.")
    return Organisation(row.id, row.slug, row.name)


def organisation(session: Session, organisation_id: str) -> Organisation:
    """One organisation by id.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(OrganisationRow, organisation_id)
    if row is None:
        raise NotFound(f"There is no organisation {organisation_id}.")
    return Organisation(row.id, row.slug, row.name)


def find_organisation(session: Session, slug: str) -> Organisation:
    """One organisation by slug.

    Raises:
        NotFound: when there is none.
    """
    row = session.scalars(select(OrganisationRow).where(OrganisationRow.slug == slug)).first()
    if row is None:
        raise NotFound(f"There is no organisation {slug!r}; `hub orgs list` shows those there are.")
    return Organisation(row.id, row.slug, row.name)


def list_organisations(session: Session) -> list[Organisation]:
    """All organisations by slug."""
    rows = session.scalars(select(OrganisationRow).order_by(OrganisationRow.slug))
    return [Organisation(row.id, row.slug, row.name) for row in rows]


@cache
def _hasher() -> Any:
    from argon2 import PasswordHasher

    return PasswordHasher()  # argon2id with the library's own parameters (RFC 9106, low-memory profile)


def add_user(
    session: Session, username: str, name: str, organisation_id: str, roles: Iterable[str], password: str
) -> str:
    """Make a local account; returns its id.

    Raises:
        Invalid: when the name or password cannot be used.
        Conflict: when the username is taken.
    """
    if not _USERNAME.match(username):
        raise Invalid("The username must be 2 to 99 of letters, digits and . _ @ -")
    if len(password) < _MIN_PASSWORD or len(password) > 500:
        raise Invalid(
            f"The password must have {_MIN_PASSWORD} to 500 characters; three random words do well."
        )
    if session.scalars(select(UserRow.id).where(func.lower(UserRow.username) == username.lower())).first():
        raise Conflict(f"There is an account {username} already.")
    organisation(session, organisation_id)
    row = UserRow(
        id=new_id("usr"), username=username, name=name.strip() or username, organisation_id=organisation_id,
        roles=",".join(sorted(set(roles))), password_hash=_hasher().hash(password), active=True,
        created_at=utc_now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


def list_users(session: Session) -> list[tuple[str, str, str, str, bool]]:
    """All accounts as (id, username, organisation slug, roles, active)."""
    query = select(UserRow, OrganisationRow.slug).join(
        OrganisationRow, OrganisationRow.id == UserRow.organisation_id
    )
    return [
        (row.id, row.username, slug, row.roles.replace(",", ", "), row.active)
        for row, slug in session.execute(query.order_by(UserRow.username))
    ]


def authenticate(session: Session, username: str, password: str) -> Principal:
    """The person with this username and password; takes as long whether or not the account exists.

    Raises:
        Unauthorised: with one message for every cause.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    row = session.scalars(
        select(UserRow).where(func.lower(UserRow.username) == username.lower()[:200])
    ).first()
    try:
        _hasher().verify(row.password_hash if row else _decoy(), password[:500])
        genuine = row is not None and row.active
    except (VerificationError, InvalidHashError):
        genuine = False
    if not genuine or row is None:
        raise Unauthorised("The username or the password is not right.")
    return _person(session, row)


@cache
def _decoy() -> str:
    return str(_hasher().hash(secrets.token_hex(16)))


def user_principal(session: Session, user_id: str) -> Principal | None:
    """The person behind an account that is active."""
    row = session.get(UserRow, user_id)
    return _person(session, row) if row is not None and row.active else None


def _person(session: Session, row: UserRow) -> Principal:
    home = organisation(session, row.organisation_id)
    return Principal(
        "person", row.id, row.name, home.id, home.slug, frozenset(filter(None, row.roles.split(",")))
    )


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def start_session(session: Session, user_id: str) -> str:
    """A new session's token; only its hash is kept."""
    token = secrets.token_urlsafe(32)
    now = utc_now()
    session.add(SessionRow(token_hash=_digest(token), user_id=user_id, created_at=now, seen_at=now))
    session.flush()
    return token


def session_principal(session: Session, token: str, minutes: int) -> tuple[Principal, bool] | None:
    """Whose session this is, and whether its last use should be noted (not on every request); None if over."""
    row = session.get(SessionRow, _digest(token))
    now = utc_now()
    if row is None or row.seen_at < now - timedelta(minutes=minutes):
        return None
    principal = user_principal(session, row.user_id)
    return (principal, row.seen_at < now - timedelta(seconds=30)) if principal else None


def touch_session(session: Session, token: str) -> None:
    """Note that a session was used."""
    session.execute(
        update(SessionRow).where(SessionRow.token_hash == _digest(token)).values(seen_at=utc_now())
    )


def end_session(session: Session, token: str) -> None:
    """Sign out."""
    session.execute(delete(SessionRow).where(SessionRow.token_hash == _digest(token)))


def new_enrolment(session: Session, organisation_id: str, hours: int = 72) -> str:
    """A one-time code with which a connector of the organisation registers; only its hash is kept."""
    organisation(session, organisation_id)
    code = "-".join(secrets.token_hex(2) for _ in range(6))
    session.add(
        EnrolmentRow(
            code_hash=_digest(code), organisation_id=organisation_id, client_id=None,
            expires_at=utc_now() + timedelta(hours=hours),
        )
    )  # fmt: skip
    session.flush()
    return code


def enrol(session: Session, code: str, name: str, signing_key: dict[str, Any]) -> tuple[str, Organisation]:
    """Use a code: registers the connector's public key; returns the client id and its organisation.

    The same code with the same key again gives the same client: the first answer may have been lost on its way.

    Raises:
        Invalid: when the key cannot be used.
        Unauthorised: when the code is unknown, used or too old.
    """
    row = session.get(EnrolmentRow, _digest(code.strip().lower()), with_for_update=True)
    if row is not None and row.client_id is not None and row.expires_at >= utc_now():
        known = client_principal(session, row.client_id)
        if known is not None and known[1].get("x") == signing_key.get("x"):
            return row.client_id, organisation(session, row.organisation_id)
    if row is None or row.client_id is not None or row.expires_at < utc_now():
        raise Unauthorised(
            "This enrolment code is unknown, used or too old. Ask the hub's operator for a new one."
        )
    row.client_id = add_client(session, row.organisation_id, name, ["connector"], signing_key)
    return row.client_id, organisation(session, row.organisation_id)


def add_client(
    session: Session, organisation_id: str, name: str, roles: Iterable[str], signing_key: dict[str, Any]
) -> str:
    """Register a machine client with its public Ed25519 JWK; returns its id.

    Raises:
        Invalid: when the key is not a public Ed25519 JWK.
    """
    row = ClientRow(
        id=new_id("cli"), organisation_id=organisation_id, name=name.strip()[:200] or "connector",
        roles=",".join(sorted(set(roles))), signing_key=json.dumps(public_jwk(signing_key)), active=True,
        created_at=utc_now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


def public_jwk(signing_key: dict[str, Any]) -> dict[str, Any]:
    """A public Ed25519 JWK with the members that make it one, and no others.

    Raises:
        Invalid: when it is none, or holds the private part.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import OKPKey

    if "d" in signing_key:
        raise Invalid(
            "The signing key holds its private part. Send only the public part, and make a new pair now."
        )
    try:
        key = OKPKey.import_key({name: signing_key[name] for name in ("kty", "crv", "x")})
        if (signing_key["kty"], signing_key["crv"]) != ("OKP", "Ed25519"):
            raise ValueError("kty must be OKP and crv Ed25519")
        return {"kty": "OKP", "crv": "Ed25519", "x": key.as_dict(private=False)["x"]}
    except (JoseError, KeyError, TypeError, ValueError) as error:
        raise Invalid(f"The signing key is not a public Ed25519 JWK ({error}).") from None


def client_principal(session: Session, client_id: str) -> tuple[Principal, dict[str, Any]] | None:
    """An active client and its public key as a JWK."""
    row = session.get(ClientRow, client_id)
    if row is None or not row.active:
        return None
    home = organisation(session, row.organisation_id)
    roles = frozenset(filter(None, row.roles.split(",")))
    return Principal("client", row.id, row.name, home.id, home.slug, roles), json.loads(row.signing_key)


def earlier_keys(session: Session, client_id: str, at: datetime | None = None) -> list[dict[str, Any]]:
    """Keys that a client had before its present one and that hold at a moment (default: now), as JWKs."""
    query = select(ClientKeyRow).where(
        ClientKeyRow.client_id == client_id, ClientKeyRow.until > (at or utc_now())
    )
    return [json.loads(row.signing_key) for row in session.scalars(query.order_by(ClientKeyRow.until.desc()))]


def signing_keys(session: Session, client_id: str, at: datetime | None = None) -> list[dict[str, Any]]:
    """All keys of a client that hold at a moment, the present one first; none for one that is not active.

    A delivery is signed when it is offered and may be decided after its connector changed keys: ask with that moment.
    """
    known = client_principal(session, client_id)
    return [known[1], *earlier_keys(session, client_id, at)] if known else []


def replace_client_key(
    session: Session, client_id: str, signing_key: dict[str, Any], until: datetime
) -> None:
    """Give a client a new public key; the old one is taken until a moment. The present key again changes nothing.

    Raises:
        Invalid: when the key is not a public Ed25519 JWK.
        NotFound: when there is no such client.
        Conflict: when the client had this key before, or another client has it.
    """
    row = session.get(ClientRow, client_id, with_for_update=True)
    if row is None or not row.active:
        raise NotFound(f"There is no client {client_id}.")
    new = public_jwk(signing_key)
    text = json.dumps(new)
    if row.signing_key == text:
        return
    used = session.scalars(select(ClientRow.id).where(ClientRow.signing_key == text)).first()
    before = select(ClientKeyRow.client_id).where(ClientKeyRow.signing_key == text)
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


def thumbprint(jwk: dict[str, Any]) -> str:
    """The thumbprint of an Ed25519 JWK (RFC 7638 with RFC 8037 section 2), in hex."""
    members = {name: jwk[name] for name in ("crv", "kty", "x")}
    return sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def revoke_client(session: Session, client_id: str) -> None:
    """Stop a client: its tokens no longer work.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(ClientRow, client_id)
    if row is None:
        raise NotFound(f"There is no client {client_id}.")
    row.active = False


def list_clients(session: Session) -> list[tuple[str, str, str, str, bool]]:
    """All clients as (id, name, organisation slug, roles, active)."""
    query = select(ClientRow, OrganisationRow.slug).join(
        OrganisationRow, OrganisationRow.id == ClientRow.organisation_id
    )
    return [
        (row.id, row.name, slug, row.roles.replace(",", ", "), row.active)
        for row, slug in session.execute(query.order_by(ClientRow.id))
    ]
