"""Other people's accounts, for operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flask import flash, redirect, request, url_for

from hub.errors import Conflict, Forbidden, Invalid
from hub.policy.roles import Permission
from hub.policy.scope import may_act_for
from hub.web import pages
from hub.web.account_forms import BindForm, InviteForm, RolesForm
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.views.common import organisations
from hub.web.views.signing_in import refused
from hub.workflows import accounts

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]


def users(hub: Hub) -> Any:
    """The accounts."""
    return render(pages.UsersPage(users=tuple(accounts.list_users(hub, me()))))


def user_new(hub: Hub) -> Any:
    """Invite somebody: the code is shown once."""
    homes = [
        (item.slug, item.name)
        for item in organisations(hub, me()).values()
        if may_act_for(me(), item.slug, Permission.MANAGE_USERS)
    ]
    form = InviteForm().offer(homes, hub.settings.oidc_name if hub.oidc is not None else "")
    page = pages.InvitePage(form=form)
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    through = form.way.data == "provider"
    try:
        user_id, code = accounts.invite(
            hub, me(), form.username.data, form.name.data, form.organisation.data, form.roles.data,
            code=not through,
        )  # fmt: skip
    except Conflict as error:
        return refused(page, form.username, error)
    return _code_page(hub, user_id, form.name.data, code)


def user(hub: Hub, user_id: str) -> Any:
    """One account, and what is done about it."""
    line = accounts.account(hub, me(), user_id)
    roles_form = RolesForm()
    roles_form.offer_roles(line.account.roles)
    bind_form = BindForm(data={"subject": line.subject or ""}) if hub.oidc is not None else None
    page = pages.UserPage(
        user=line, roles_form=roles_form, bind_form=bind_form, provider=hub.settings.oidc_name,
        mine=user_id == me().id,
    )  # fmt: skip
    if request.method == "GET":
        return render(page)
    act = request.form.get("act", "")
    if act not in _ACTS:
        raise Invalid("Use the buttons on the account's page.")
    return _ACTS[act](hub, page)


def _change_roles(hub: Hub, page: pages.UserPage) -> Any:
    form, found = page.roles_form, page.user.account
    if not form.validate():
        return render(page, 422)
    try:
        accounts.set_roles(hub, me(), found.id, form.roles.data)
    except Forbidden as error:
        return refused(page, form.roles, error)
    return _done(found.id, "The roles are changed. The person signs in anew.")


def _make_code(hub: Hub, page: pages.UserPage) -> Any:
    found = page.user.account
    code = accounts.reset(hub, me(), found.id, clear_factor=request.form.get("clear_factor") == "yes")
    return _code_page(hub, found.id, found.name, code)


def _sign_out(hub: Hub, page: pages.UserPage) -> Any:
    accounts.end_sessions_of(hub, me(), page.user.account.id)
    return _done(page.user.account.id, "The person is signed out everywhere.")


def _close(hub: Hub, page: pages.UserPage) -> Any:
    accounts.set_active(hub, me(), page.user.account.id, False)
    return _done(page.user.account.id, "The account is closed. Nobody can sign in with it.")


def _open(hub: Hub, page: pages.UserPage) -> Any:
    accounts.set_active(hub, me(), page.user.account.id, True)
    return _done(page.user.account.id, "The account is open again.")


def _bind(hub: Hub, page: pages.UserPage) -> Any:
    form = page.bind_form
    if form is None or not form.validate():
        return render(page, 422)
    try:
        accounts.bind(hub, me(), page.user.account.id, form.subject.data or "")
    except (Conflict, Invalid) as error:
        return refused(page, form.subject, error)
    return _done(page.user.account.id, f"The person can sign in through {page.provider}.")


def _done(user_id: str, said: str) -> Any:
    flash(said)
    return redirect(url_for("web.user", user_id=user_id), 303)


def _code_page(hub: Hub, user_id: str, name: str, code: str) -> Any:
    settings = hub.settings
    return render(
        pages.UserCodePage(
            user_id=user_id, name=name, code=code, hours=settings.code_hours, provider=settings.oidc_name,
            address=settings.resolved_public_url + url_for("web.sign_in_one_time"),
        )
    )  # fmt: skip


_ACTS: Final[dict[str, Callable[[Hub, pages.UserPage], Any]]] = {
    "roles": _change_roles, "code": _make_code, "sign out": _sign_out, "close": _close, "open": _open, "bind": _bind,
}  # fmt: skip

VIEWS = {"users": users, "user_new": user_new, "user": user}
