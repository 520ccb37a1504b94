"""Organisations and machine clients: registering them, and proving who they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from hub.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorised
from hub.identity import store as identities
from hub.identity.jwks import shown
from hub.identity.organisations import Organisation
from hub.identity.principal import Principal
from hub.identity.states import Registration
from hub.policy.roles import ROLES, Permission
from hub.policy.scope import REACH_ALL, may_act_for, whole_hub
from hub.storage.database import utc_now
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.machines import fetch_keys, note_refusal, token_for, token_principal

__all__ = [
    "add_client", "add_organisation", "change_client_key", "enrol", "invite_connector", "list_clients",
    "list_organisations", "registration_of", "revoke_client", "token_for", "token_principal",
]  # fmt: skip


def add_organisation(hub: Hub, principal: Principal, slug: str, name: str) -> Organisation:
    """Register an organisation; where registrations need two people, it waits for the second."""
    authorise(principal, Permission.MANAGE_ORGANISATIONS)
    if not whole_hub(principal, Permission.MANAGE_ORGANISATIONS):
        raise Forbidden("Only the hub's own operators register organisations. Ask one of them.")
    with hub.database.write() as session:
        organisation = identities.add_organisation(
            session, slug, name, approved=not hub.settings.two_person_registration,
            registered_by=principal.reference,
        )  # fmt: skip
        detail = {"slug": slug, "state": organisation.state}
        note(session, principal, "organisation.registered", organisation.id, detail=detail)
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
        organisation = _served(session, principal, slug)
        code = identities.new_enrolment(session, organisation.id, invited_by=principal.reference)
        note(session, principal, "connector.invited", organisation.id)
    return code


def _served(session: Session, principal: Principal, slug: str) -> Organisation:
    """An organisation whose clients the principal looks after, unless it was turned away.

    Raises:
        NotFound: when there is none, or it is another's.
        Conflict: when it was refused or revoked.
    """
    organisation = identities.find_organisation(session, slug)
    if not may_act_for(principal, slug, Permission.MANAGE_CLIENTS):
        raise NotFound(f"There is no organisation {slug!r}; `hub orgs list` shows those there are.")
    if organisation.state in (Registration.REFUSED, Registration.REVOKED):
        raise Conflict(f"The organisation {organisation.name} was {organisation.state}: it gets no clients.")
    return organisation


def enrol(hub: Hub, code: str, name: str, signing_key: dict[str, Any]) -> tuple[str, Organisation]:
    """A connector uses its code: its public key is registered. Needs no identity but the code."""
    approved = not hub.settings.two_person_registration
    try:
        with hub.database.write() as session:
            client_id, organisation = identities.enrol(session, code, name, signing_key, approved=approved)
            record = identities.client_record(session, client_id)
            who = Principal(
                "client", client_id, name, organisation.id, organisation.slug, frozenset(record.roles)
            )
            detail = {
                "organisation": organisation.slug,
                "state": record.state,
                "keys": list(record.thumbprints),
            }
            note(session, who, "connector.registered", client_id, detail=detail)
    except Unauthorised:
        note_refusal(hub, "connector.enrolment-refused", "", "code")
        raise
    return client_id, organisation


def registration_of(hub: Hub, client_id: str) -> tuple[str, str]:
    """How far the registration of a connector is that has just used its code, and the thumbprint to read out.

    "approved" only when its organisation is, too. Needs no identity but the code.
    """
    with hub.database.read() as session:
        record = identities.client_record(session, client_id)
        home = identities.find_organisation(session, record.organisation)
    state = record.state if home.state is Registration.APPROVED else home.state
    return state.value, " and ".join(shown(record.thumbprints))


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
    hub: Hub, principal: Principal, slug: str, name: str, roles: Sequence[str],
    signing_key: dict[str, Any] | None = None, *, jwks: Any = None, jwks_url: str | None = None,
) -> str:  # fmt: skip
    """Register a machine client with roles; where registrations need two people, it waits for the second.

    Its keys are one public key, a set of keys, or the address of a set, which is fetched now and again when needed.

    Raises:
        Invalid: when roles or keys cannot be used.
    """
    authorise(principal, Permission.MANAGE_CLIENTS)
    _check_roles(roles, tuple(ROLES))
    if (far := sorted(REACH_ALL & set(roles))) and not whole_hub(principal, Permission.MANAGE_CLIENTS):
        raise Forbidden(f"The role {far[0]} reaches the whole hub: only the hub's own operators give it.")
    fetched = fetch_keys(hub, jwks_url) if jwks_url is not None else None
    with hub.database.write() as session:
        organisation = _served(session, principal, slug)
        client_id = identities.add_client(
            session, organisation.id, name, roles, signing_key, jwks=jwks, jwks_url=jwks_url,
            approved=not hub.settings.two_person_registration, registered_by=principal.reference,
        )  # fmt: skip
        if fetched is not None:
            identities.put_keys(session, client_id, fetched)
        record = identities.client_record(session, client_id)
        detail = {"roles": sorted(roles), "state": record.state, "keys": list(record.thumbprints)}
        note(session, principal, "client.registered", client_id, detail=detail)
    return client_id


def revoke_client(hub: Hub, principal: Principal, client_id: str) -> None:
    """Stop a machine client at once."""
    authorise(principal, Permission.MANAGE_CLIENTS)
    with hub.database.write() as session:
        record = identities.client_record(session, client_id)
        if not may_act_for(principal, record.organisation, Permission.MANAGE_CLIENTS):
            raise NotFound(f"There is no client {client_id}.")
        identities.revoke_client(session, client_id)
        note(session, principal, "client.revoked", client_id)


def list_clients(hub: Hub, principal: Principal) -> list[tuple[str, str, str, str, bool]]:
    """All machine clients that the principal looks after, as (id, name, organisation, roles, whether it may act)."""
    authorise(principal, Permission.MANAGE_CLIENTS)
    with hub.database.read() as session:
        rows = identities.list_clients(session)
    return [row for row in rows if may_act_for(principal, row[2], Permission.MANAGE_CLIENTS)]


def _check_roles(roles: Sequence[str], known: Sequence[str]) -> None:
    unknown = sorted(set(roles) - set(known))
    if unknown or not roles:
        raise Invalid(f"Roles are {', '.join(known)}; unknown: {', '.join(unknown) or 'none given'}.")
