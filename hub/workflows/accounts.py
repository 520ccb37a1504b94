"""Accounts: operators invite people, change their roles and let them out; people look after their own.

Nobody sets another's password: an operator makes a one-time code, and the person chooses. (At the hub's own machine a
first account can be made with a password.) Nobody gives themselves a role.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.identity import codes, factors, people, sessions
from hub.identity.organisations import find_organisation, list_organisations
from hub.identity.people import Account
from hub.identity.principal import Principal
from hub.identity.sessions import SignedIn
from hub.policy.roles import PERSON_ROLES, Permission
from hub.policy.scope import REACH_ALL, may_act_for, whole_hub
from hub.workflows.hub import Hub, authorise, note

__all__ = [
    "AccountLine", "account", "add_user", "bind", "change", "check_roles", "end_sessions_of", "invite", "list_users",
    "reset", "set_active", "set_roles",
]  # fmt: skip


@dataclass(frozen=True)
class AccountLine:
    """An account with what else an operator should know; `subject` is the provider's reference, where there is one."""

    account: Account
    organisation_name: str
    second_factor: bool
    invited: bool
    subject: str | None = None
    sessions: tuple[SignedIn, ...] = ()


def list_users(hub: Hub, principal: Principal) -> list[AccountLine]:
    """The accounts that the principal looks after: their organisation's, or all for the hub's own operators."""
    authorise(principal, Permission.MANAGE_USERS)
    with hub.database.read() as session:
        names = {item.id: item.name for item in list_organisations(session)}
        with_factor, invited = factors.have_factor(session), codes.outstanding(session)
        return [
            AccountLine(item, names[item.organisation_id], item.id in with_factor, item.id in invited)
            for item in people.list_users(session)
            if may_act_for(principal, item.organisation, Permission.MANAGE_USERS)
        ]


def account(hub: Hub, principal: Principal, user_id: str) -> AccountLine:
    """One account.

    Raises:
        NotFound: when there is none, or it is another organisation's.
    """
    authorise(principal, Permission.MANAGE_USERS)
    settings = hub.settings
    with hub.database.read() as session:
        found = _theirs(session, principal, user_id)
        names = {item.id: item.name for item in list_organisations(session)}
        return AccountLine(
            found, names[found.organisation_id], factors.factor_of(session, user_id).secret is not None,
            user_id in codes.outstanding(session),
            people.subject_of(session, settings.oidc_issuer, user_id) if settings.oidc_issuer else None,
            tuple(sessions.list_for(session, user_id, settings.session_minutes, settings.session_hours)),
        )  # fmt: skip


def add_user(
    hub: Hub, principal: Principal, username: str, name: str, slug: str, roles: Sequence[str], password: str
) -> str:
    """Make an account with a password; returns its id. Rather `invite`: then nobody else knows the password."""
    authorise(principal, Permission.MANAGE_USERS)
    return _add(hub, principal, username, name, slug, roles, password)[0]


def invite(
    hub: Hub,
    principal: Principal,
    username: str,
    name: str,
    slug: str,
    roles: Sequence[str],
    *,
    code: bool = True,
) -> tuple[str, str]:
    """Make an account; returns its id and a one-time code with which the person chooses a password.

    Without `code`, for who signs in through a provider only, it is "".

    Raises:
        Conflict: when the username is taken.
        Invalid: when something cannot be used.
    """
    authorise(principal, Permission.MANAGE_USERS)
    return _add(hub, principal, username, name, slug, roles, None, code=code)


def _add(
    hub: Hub,
    principal: Principal,
    username: str,
    name: str,
    slug: str,
    roles: Sequence[str],
    password: str | None,
    *,
    code: bool = False,
) -> tuple[str, str]:
    check_roles(roles)
    _may_give(principal, roles)
    with hub.database.write() as session:
        if not may_act_for(principal, slug, Permission.MANAGE_USERS):
            raise NotFound(f"There is no organisation {slug!r}.")
        home = find_organisation(session, slug)
        if home.state != "approved":
            raise Conflict(f"{home.name} is not approved, so nobody of it gets an account yet.")
        user_id = people.add_user(session, username, name, home.id, roles, password)
        made = codes.new_code(session, user_id, principal.reference, hub.settings.code_hours) if code else ""
        action = "person.added" if password is not None else "person.invited"
        note(session, principal, action, user_id, detail={"roles": sorted(set(roles))})
    return user_id, made


def reset(hub: Hub, principal: Principal, user_id: str, *, clear_factor: bool = False) -> str:
    """A one-time code for somebody who forgot their password, or lost their second factor as well.

    Nothing changes until it is used, so that nobody is locked out by a code that somebody asked for.

    Raises:
        Forbidden: for one's own account.
        NotFound: when there is no such account, or it is closed.
    """
    authorise(principal, Permission.MANAGE_USERS)
    _not_oneself(principal, user_id, "reset your own account; change your password on your account's page")
    with hub.database.write() as session:
        found = _theirs(session, principal, user_id)
        _may_give(principal, found.roles)
        if not found.active:
            raise Conflict("This account is closed. Open it first.")
        code = codes.new_code(
            session, user_id, principal.reference, hub.settings.code_hours, clears_factor=clear_factor
        )
        note(session, principal, "person.reset", user_id, detail={"second_factor": clear_factor})
    return code


def set_roles(hub: Hub, principal: Principal, user_id: str, roles: Sequence[str]) -> None:
    """Give somebody these roles and no others; they sign in anew.

    Raises:
        Forbidden: when it gives oneself a role.
    """
    change(hub, principal, user_id, roles=roles)


def set_active(hub: Hub, principal: Principal, user_id: str, active: bool) -> None:
    """Close an account, at once, or open it again.

    Raises:
        Forbidden: for one's own account.
    """
    change(hub, principal, user_id, active=active)


def change(
    hub: Hub,
    principal: Principal,
    user_id: str,
    *,
    roles: Sequence[str] | None = None,
    active: bool | None = None,
) -> None:
    """Change roles and whether the account is open, both or neither; None leaves either as it is.

    Raises:
        Forbidden: when it gives oneself a role, or closes or opens one's own account.
        Invalid: when a role is none.
    """
    authorise(principal, Permission.MANAGE_USERS)
    with hub.database.write() as session:
        found = _theirs(session, principal, user_id)
        if roles is not None:
            _change_roles(session, principal, found, roles)
        if active is not None:
            _change_active(session, principal, found, active)


def _change_roles(session: Session, principal: Principal, found: Account, roles: Sequence[str]) -> None:
    check_roles(roles)
    added = set(roles) - set(found.roles)
    if added:
        _not_oneself(principal, found.id, "give yourself a role; another operator has to")
    _may_give(principal, added)
    if set(roles) == set(found.roles):
        return
    people.set_roles(session, found.id, roles)
    sessions.end_all(session, found.id)
    note(
        session, principal, "person.roles-changed", found.id,
        detail={"from": sorted(found.roles), "roles": sorted(set(roles))},
    )  # fmt: skip


def _change_active(session: Session, principal: Principal, found: Account, active: bool) -> None:
    _not_oneself(principal, found.id, "close or open your own account; another operator has to")
    if found.active == active:
        return
    people.set_active(session, found.id, active)
    sessions.end_all(session, found.id)
    codes.forget(session, found.id)
    note(session, principal, "person.opened" if active else "person.closed", found.id)


def end_sessions_of(hub: Hub, principal: Principal, user_id: str) -> int:
    """Sign somebody out everywhere; returns of how many sessions."""
    authorise(principal, Permission.MANAGE_USERS)
    with hub.database.write() as session:
        _theirs(session, principal, user_id)
        count = sessions.end_all(session, user_id)
        note(session, principal, "person.sessions-ended", user_id, detail={"sessions": count})
    return count


def bind(hub: Hub, principal: Principal, user_id: str, subject: str) -> None:
    """Let somebody sign in through the provider, who is called `subject` there.

    Raises:
        Conflict: when no provider is set, or the subject is another account's.
        Forbidden: for one's own account.
    """
    authorise(principal, Permission.MANAGE_USERS)
    _not_oneself(principal, user_id, "bind your own account; another operator has to")
    if not hub.settings.oidc_issuer:
        raise Conflict("No provider is set (setting oidc_issuer), so there is nothing to bind to.")
    with hub.database.write() as session:
        _may_give(principal, _theirs(session, principal, user_id).roles)
        people.bind(session, user_id, hub.settings.oidc_issuer, subject.strip())
        sessions.end_all(session, user_id)
        note(session, principal, "person.bound", user_id, detail={"by": "operator"})


def check_roles(roles: Sequence[str]) -> None:
    """Whether people may hold these roles.

    Raises:
        Invalid: naming those that are none.
    """
    unknown = sorted(set(roles) - set(PERSON_ROLES))
    if unknown or not roles:
        raise Invalid(f"Roles are {', '.join(PERSON_ROLES)}; unknown: {', '.join(unknown) or 'none given'}.")


def _theirs(session: Session, principal: Principal, user_id: str) -> Account:
    found = people.find(session, user_id)
    if not may_act_for(principal, found.organisation, Permission.MANAGE_USERS):
        raise NotFound("There is no such account.")
    return found


def _may_give(principal: Principal, roles: Collection[str]) -> None:
    """Some roles reach the whole hub wherever they work: only who looks after it gives them, or opens such accounts."""
    far = sorted(REACH_ALL & set(roles))
    if far and not whole_hub(principal, Permission.MANAGE_USERS):
        raise Forbidden(
            f"You may not make somebody an {far[0]}, or reset such an account: they see the whole hub. Ask the hub's "
            "own operator."
            if far[0] == "auditor"
            else f"You may not make somebody a {far[0]}, or reset such an account: they find everybody whom the hub "
            "knows. Ask the hub's own operator."
        )


def _not_oneself(principal: Principal, user_id: str, what: str) -> None:
    if (principal.kind, principal.id) == ("person", user_id):
        raise Forbidden(f"You may not {what}.")
