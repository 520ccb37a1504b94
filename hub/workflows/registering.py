"""Registrations of organisations and machine clients that wait for a second person, and that person's decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.errors import Conflict, Forbidden, NotFound
from hub.identity import clients, organisations
from hub.identity.approvers import count_operators, hands
from hub.identity.jwks import shown
from hub.identity.organisations import Organisation
from hub.identity.principal import Principal
from hub.identity.states import Registration
from hub.policy.roles import Permission
from hub.policy.scope import whole_hub
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.naming import who

__all__ = [
    "Waiting", "decide_client", "decide_organisation", "problem_of_one_operator", "revoke_organisation", "waiting",
    "waiting_one",
]  # fmt: skip


_BY_CODE: Final = "Itself, with a one-time code"


@dataclass(frozen=True)
class Waiting:
    """A registration that waits. `id` is an organisation's slug or a client's id; `keys` thumbprints to compare.

    `registered_by` and `invited_by` are names where the hub knows them; `mine` says that the reader registered or
    invited it, so that somebody else has to approve.
    """

    kind: str
    id: str
    name: str
    organisation: str
    roles: tuple[str, ...]
    keys: tuple[str, ...]
    jwks_url: str
    registered_by: str
    invited_by: str
    registered_at: datetime
    mine: bool


def waiting(hub: Hub, principal: Principal) -> list[Waiting]:
    """All registrations that wait, organisations first, oldest first. For the hub's own operators."""
    authorise(principal, Permission.MANAGE_CLIENTS)
    _only_the_hubs(principal)
    with hub.database.read() as session:
        found = [
            Waiting(
                "organisation", item.slug, item.name, item.slug, (), (), "", who(session, item.registered_by), "",
                item.registered_at, _is_first(session, principal, item.registered_by),
            )
            for item in organisations.organisation_records(session, Registration.WAITING)
        ]  # fmt: skip
        found += [
            Waiting(
                "client", item.id, item.name, item.organisation, item.roles, shown(item.thumbprints),
                item.jwks_url or "", who(session, item.registered_by) if item.registered_by else _BY_CODE,
                who(session, item.invited_by) if item.invited_by else "", item.registered_at,
                _is_first(session, principal, item.registered_by, item.invited_by),
            )
            for item in clients.client_records(session, state=Registration.WAITING)
        ]  # fmt: skip
    return found


def waiting_one(hub: Hub, principal: Principal, kind: str, ident: str) -> Waiting:
    """One registration that waits.

    Raises:
        NotFound: when there is none, or it was decided.
    """
    for item in waiting(hub, principal):
        if (item.kind, item.id) == (kind, ident):
            return item
    raise NotFound("This registration does not wait (any more). The list shows those that do.")


def decide_organisation(hub: Hub, principal: Principal, slug: str, event: str) -> Organisation:
    """Approve or refuse an organisation that waits.

    Raises:
        Forbidden: when the one who registered it would approve it.
        Conflict: when it does not wait.
    """
    authorise(principal, Permission.MANAGE_ORGANISATIONS)
    _only_the_hubs(principal)
    with hub.database.write() as session:
        organisation = organisations.find_organisation(session, slug)
        record = next(
            item for item in organisations.organisation_records(session) if item.id == organisation.id
        )
        _second(hub, session, principal, event, record.registered_by)
        _waits(record.state, event)
        after = organisations.decide_organisation(session, slug, event, principal.reference)
        _note(session, principal, "organisation", after.id, after.state)
    return after


def decide_client(
    hub: Hub, principal: Principal, client_id: str, event: str, thumbprint: str | None = None
) -> Registration:
    """Approve or refuse a machine client that waits.

    `thumbprint` is what the other side read out: all of it, or the part that the hub shows; blanks do not matter.

    Raises:
        Forbidden: when one who registered or invited it would approve it.
        Conflict: when it does not wait, its organisation was not approved, or its key is another one.
    """
    authorise(principal, Permission.MANAGE_CLIENTS)
    _only_the_hubs(principal)
    with hub.database.write() as session:
        record = clients.client_record(session, client_id)
        _second(hub, session, principal, event, record.registered_by, record.invited_by)
        _waits(record.state, event)
        if thumbprint is not None and not _is_of(thumbprint, record.thumbprints):
            raise Conflict(
                "That is not the thumbprint of this client's key. Do not approve it: somebody else may have used the "
                "enrolment code. Refuse it and invite the connector again."
            )
        after = clients.decide_client(session, client_id, event, principal.reference)
        _note(session, principal, "client", client_id, after, {"keys": list(record.thumbprints)})
    return after


def revoke_organisation(hub: Hub, principal: Principal, slug: str) -> None:
    """Stop an organisation at once: its clients' tokens and its people's sessions no longer work.

    Raises:
        Conflict: for the hub's own organisation, and one that was refused.
    """
    authorise(principal, Permission.MANAGE_ORGANISATIONS)
    _only_the_hubs(principal)
    if slug == principal.organisation:
        raise Conflict("Nobody revokes the organisation they act for.")
    with hub.database.write() as session:
        after = organisations.decide_organisation(session, slug, "revoke", principal.reference)
        note(session, principal, "organisation.revoked", after.id)


def problem_of_one_operator(hub: Hub) -> str | None:
    """What stands in the way of a second person; None when nothing does. Says nothing that needs a permission."""
    if not hub.settings.two_person_registration:
        return (
            "New organisations and clients are approved by nobody but who registers them (two_person_registration is "
            "off)."
        )
    with hub.database.read() as session:
        if count_operators(session) >= 2:
            return None
    return (
        "There are fewer than two operators, so nobody can approve what the other registers. Add one (hub users add), "
        "or set two_person_registration = false in hub.toml."
    )


def _only_the_hubs(principal: Principal) -> None:
    if not whole_hub(principal, Permission.MANAGE_CLIENTS):
        raise Forbidden("Only the hub's own operators decide about registrations.")


def _second(hub: Hub, session: Any, principal: Principal, event: str, *first: str) -> None:
    """Nobody approves what they registered or invited, themselves or with a tool of theirs; anybody may refuse it."""
    if event != "approve" or not hub.settings.two_person_registration:
        return
    if principal.kind == "system":
        raise Forbidden("An approval is somebody's own: sign it with your account (--as USERNAME).")
    if _is_first(session, principal, *first):
        raise Forbidden(
            "You registered or invited this yourself, or with a tool of yours. Ask another operator to approve it: "
            "Waiting for approval, or hub clients approve, hub orgs approve."
        )


def _is_first(session: Any, principal: Principal, *first: str) -> bool:
    """Whether those who registered or invited something are the same hands as the principal's."""
    own = hands(session, principal.reference)
    return any(own & hands(session, item) for item in first if item)


def _waits(state: Registration, event: str) -> None:
    if state is not Registration.WAITING:
        raise Conflict(f"It does not wait for approval: it is {state}. One cannot {event} it now.")


def _is_of(text: str, thumbprints: tuple[str, ...]) -> bool:
    given = "".join(text.split()).lower()
    return len(given) >= 32 and any(item.startswith(given) for item in thumbprints)


def _note(
    session: Any,
    principal: Principal,
    kind: str,
    ident: str,
    state: Registration,
    detail: dict[str, Any] | None = None,
) -> None:
    note(session, principal, f"{kind}.{state}", ident, detail=detail or {})
