"""Organisations, people and machine clients: registering them, and proving who they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hub.errors import Forbidden, Invalid
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.identity.store import Organisation
from hub.policy.roles import PERSON_ROLES, ROLES, Permission
from hub.storage.database import utc_now
from hub.workflows.hub import Hub, authorise, note

__all__ = [
    "add_client", "add_organisation", "add_user", "change_client_key", "enrol", "invite_connector", "list_clients",
    "list_organisations", "list_users", "revoke_client", "session_of", "sign_in", "sign_out", "token_for",
    "token_principal",
]  # fmt: skip


def add_organisation(hub: Hub, principal: Principal, slug: str, name: str) -> Organisation:
    """Register an organisation."""
    authorise(principal, Permission.MANAGE_ORGANISATIONS)
    with hub.database.write() as session:
        organisation = identities.add_organisation(session, slug, name)
        note(session, principal, "organisation.registered", organisation.id, detail={"slug": slug})
    return organisation


def list_organisations(hub: Hub, principal: Principal) -> list[Organisation]:
    """All organisations."""
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        return identities.list_organisations(session)


def invite_connector(hub: Hub, principal: Principal, slug: str) -> str:
    """A one-time code with which a connector of the organisation registers its key."""
    authorise(principal, Permission.MANAGE_CLIENTS)
    with hub.database.write() as session:
        organisation = identities.find_organisation(session, slug)
        code = identities.new_enrolment(session, organisation.id)
        note(session, principal, "connector.invited", organisation.id)
    return code


def enrol(hub: Hub, code: str, name: str, signing_key: dict[str, Any]) -> tuple[str, Organisation]:
    """A connector uses its code: its public key is registered. Needs no identity but the code."""
    with hub.database.write() as session:
        client_id, organisation = identities.enrol(session, code, name, signing_key)
        known = identities.client_principal(session, client_id)
        if known is None:
            raise Invalid("The connector could not be registered; ask for a new code.")
        note(session, known[0], "connector.registered", client_id, detail={"organisation": organisation.slug})
    return client_id, organisation


def change_client_key(
    hub: Hub,
    principal: Principal,
    signing_key: dict[str, Any],
    assertion: str,
    proof: str,
    *,
    keep_old: bool = True,
) -> datetime:
    """A client puts a new public key in place of its own; returns until when the old one is taken.

    Without `keep_old`, for a key that was stolen, it is not taken any more from now on.

    Raises:
        Invalid: when its present key does not say so, or the new one is not in its hands.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    if principal.kind != "client":
        raise Forbidden("Only a machine client has a signing key to change.")
    until = utc_now() + timedelta(days=hub.settings.key_overlap_days if keep_old else 0)
    with hub.database.write() as session:
        hub.tokens.check_key_change(session, principal, signing_key, assertion, proof)
        identities.replace_client_key(session, principal.id, signing_key, until)
        note(
            session, principal, "client.key-changed", principal.id,
            detail={"new_key": identities.thumbprint(signing_key), "old_until": until.isoformat()},
        )  # fmt: skip
    return until


def add_client(
    hub: Hub, principal: Principal, slug: str, name: str, roles: Sequence[str], signing_key: dict[str, Any]
) -> str:
    """Register a machine client with roles."""
    authorise(principal, Permission.MANAGE_CLIENTS)
    _check_roles(roles, tuple(ROLES))
    with hub.database.write() as session:
        organisation = identities.find_organisation(session, slug)
        client_id = identities.add_client(session, organisation.id, name, roles, signing_key)
        note(session, principal, "client.registered", client_id, detail={"roles": sorted(roles)})
    return client_id


def revoke_client(hub: Hub, principal: Principal, client_id: str) -> None:
    """Stop a machine client at once."""
    authorise(principal, Permission.MANAGE_CLIENTS)
    with hub.database.write() as session:
        identities.revoke_client(session, client_id)
        note(session, principal, "client.revoked", client_id)


def list_clients(hub: Hub, principal: Principal) -> list[tuple[str, str, str, str, bool]]:
    """All machine clients."""
    authorise(principal, Permission.MANAGE_CLIENTS)
    with hub.database.read() as session:
        return identities.list_clients(session)


def add_user(
    hub: Hub, principal: Principal, username: str, name: str, slug: str, roles: Sequence[str], password: str
) -> str:
    """Make a local account."""
    authorise(principal, Permission.MANAGE_USERS)
    _check_roles(roles, PERSON_ROLES)
    with hub.database.write() as session:
        organisation = identities.find_organisation(session, slug)
        user_id = identities.add_user(session, username, name, organisation.id, roles, password)
        note(session, principal, "person.added", user_id, detail={"roles": sorted(roles)})
    return user_id


def list_users(hub: Hub, principal: Principal) -> list[tuple[str, str, str, str, bool]]:
    """All local accounts."""
    authorise(principal, Permission.MANAGE_USERS)
    with hub.database.read() as session:
        return identities.list_users(session)


def _check_roles(roles: Sequence[str], known: Sequence[str]) -> None:
    unknown = sorted(set(roles) - set(known))
    if unknown or not roles:
        raise Invalid(f"Roles are {', '.join(known)}; unknown: {', '.join(unknown) or 'none given'}.")


def sign_in(hub: Hub, username: str, password: str) -> tuple[str, Principal]:
    """A session token for a person.

    Raises:
        Unauthorised: with one message for every cause.
    """
    with hub.database.read() as session:
        principal = identities.authenticate(session, username, password)
    with hub.database.write() as session:
        token = identities.start_session(session, principal.id)
        note(session, principal, "person.signed-in", principal.id)
    return token, principal


def session_of(hub: Hub, token: str) -> Principal | None:
    """Whose session a token is; None when it is over."""
    with hub.database.read() as session:
        found = identities.session_principal(session, token, hub.settings.session_minutes)
    if found is None:
        return None
    principal, stale = found
    if stale:
        with hub.database.write() as session:
            identities.touch_session(session, token)
    return principal


def sign_out(hub: Hub, principal: Principal, token: str) -> None:
    """End a session."""
    with hub.database.write() as session:
        identities.end_session(session, token)
        note(session, principal, "person.signed-out", principal.id)


def token_for(hub: Hub, assertion: str) -> tuple[str, int]:
    """An access token for a client assertion, and its lifetime in seconds."""
    with hub.database.write() as session:
        token, seconds, principal = hub.tokens.exchange(session, assertion)
        note(session, principal, "client.token", principal.id)
    return token, seconds


def token_principal(hub: Hub, token: str) -> Principal:
    """Whose access token this is."""
    with hub.database.read() as session:
        return hub.tokens.principal(session, token)
