"""People signing in through an OpenID provider (`hub.identity.oidc`): whose account it is, and with which roles."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from hub.errors import NotFound, Unauthorised
from hub.identity import people, sessions, throttle
from hub.identity.oidc import Flow, Provider
from hub.identity.oidc import Person as ProviderPerson
from hub.identity.principal import Principal, system
from hub.policy.roles import PERSON_ROLES
from hub.workflows.hub import Hub, note
from hub.workflows.signing_in import UNKNOWN, Caller, Entry, enter

__all__ = ["begin_at_provider", "come_from_provider", "sign_out_address"]


def sign_out_address(hub: Hub, back: str) -> str | None:
    """Where a person ends their session at the provider; None where there is no provider, or it offers none."""
    return hub.oidc.sign_out_address(back) if hub.oidc is not None else None


def begin_at_provider(hub: Hub) -> tuple[str, Flow]:
    """Where the browser goes, and what it must bring back.

    Raises:
        NotFound: when no provider is set.
    """
    return _provider(hub).begin()


def come_from_provider(
    hub: Hub, flow: Flow, answer: Mapping[str, str], caller: Caller = UNKNOWN
) -> Entry:  # fmt: skip
    """A session for whom the provider vouches for, if an account here is theirs.

    Raises:
        Unauthorised: when the answer does not fit, or there is no account.
    """
    provider = _provider(hub)
    found = provider.finish(flow, answer)
    with hub.database.write() as session:
        user_id = people.find_by_subject(session, provider.issuer, found.subject)
        if user_id is None:
            user_id = _bind_by_claim(hub, session, provider, found)
        person = people.user_principal(session, user_id) if user_id is not None else None
        if person is None:
            throttle.count_refusal(session, user_id or "", "provider")
        else:
            _roles_from(hub, session, person, found)
            strong = bool(hub.settings.oidc_acr.strip())
            return enter(hub, session, people.find(session, person.id), caller, "provider", strong=strong)
    raise Unauthorised(
        "You signed in there, but no account of this hub is yours. Give the hub's operator this reference: "
        f"{found.subject}"
    )


def _bind_by_claim(hub: Hub, session: Session, provider: Provider, found: ProviderPerson) -> str | None:
    """The account whose username a claim holds, bound to the subject from now on; never one bound to another."""
    claim = hub.settings.oidc_account_claim.strip()
    name = found.claims.get(claim) if claim else None
    if not isinstance(name, str) or (claim == "email" and found.claims.get("email_verified") is not True):
        return None
    account = people.find_by_name(session, name)
    if account is None or people.subject_of(session, provider.issuer, account.id) is not None:
        return None
    people.bind(session, account.id, provider.issuer, found.subject)
    note(session, system("provider"), "person.bound", account.id, detail={"by": "claim"})
    return account.id


def _roles_from(hub: Hub, session: Session, person: Principal, found: ProviderPerson) -> None:
    """Roles come from the provider only where both settings say so; then from nowhere else."""
    claim = hub.settings.oidc_roles_claim.strip()
    pairs = (part.partition("=") for part in hub.settings.oidc_roles.split(",") if "=" in part)
    given = {group.strip(): role.strip() for group, _, role in pairs}
    if not claim or not given:
        return
    groups = found.claims.get(claim)
    held = groups if isinstance(groups, list) else [groups]
    roles = {given[group] for group in held if isinstance(group, str) and group in given} & set(PERSON_ROLES)
    if roles != set(person.roles):
        people.set_roles(session, person.id, roles)
        sessions.end_all(session, person.id)
        note(session, system("provider"), "person.roles-changed", person.id, detail={"roles": sorted(roles)})


def _provider(hub: Hub) -> Provider:
    if hub.oidc is None:
        raise NotFound("This hub has no other way of signing in.")
    return hub.oidc
