"""One's own account: password, second factor, recovery codes, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import flash, redirect, request, session, url_for

from hub.errors import Forbidden, Invalid, TooMany, Unauthorised
from hub.policy.roles import Permission, permissions_of
from hub.web import pages
from hub.web.account_forms import ChangePasswordForm, FactorForm, ProofForm
from hub.web.qr import qr_svg
from hub.web.rendering import render
from hub.web.sessions import caller, keep, me, token_of_session
from hub.web.views.common import organisation_name
from hub.web.views.signing_in import QR_TITLE, refused
from hub.workflows import own_account

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]


def account(hub: Hub) -> Any:
    """Who I am, what I may do, how I sign in and where I am signed in."""
    principal = me()
    mine = own_account.own_account(hub, principal, token_of_session(hub))
    held = permissions_of(principal.roles)
    return render(
        pages.AccountPage(
            name=principal.name,
            username=mine.account.username,
            organisation=organisation_name(hub, principal),
            roles=tuple(sorted(principal.roles)),
            permissions=tuple(item.value for item in Permission if item in held),
            session_minutes=hub.settings.session_minutes,
            session_hours=hub.settings.session_hours,
            has_password=mine.account.has_password,
            second_factor=mine.second_factor,
            required=mine.required,
            recovery_left=mine.recovery_left,
            sessions=tuple(
                pages.SessionLine(
                    item.id,
                    item.device or "A browser",
                    item.created_at,
                    item.seen_at,
                    item.id == mine.current,
                )
                for item in mine.sessions
            ),
        )
    )


def account_password(hub: Hub) -> Any:
    """Change my password."""
    mine = own_account.own_account(hub, me(), token_of_session(hub))
    if not mine.account.has_password:
        raise Forbidden("You sign in through your organisation, so there is no password here to change.")
    form = ChangePasswordForm()
    page = pages.ChangePasswordPage(form=form)
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    try:
        token = own_account.change_password(
            hub, me(), token_of_session(hub), form.old.data, form.new.data, caller(hub)
        )
    except (Unauthorised, TooMany) as error:
        return refused(page, form.old, error)
    except Invalid as error:
        return refused(page, form.new, error)
    session.clear()
    flash("Your password is changed. You are signed out everywhere else.")
    return keep(redirect(url_for("web.account"), 303), hub, token)  # type: ignore[arg-type]


def account_factor(hub: Hub) -> Any:
    """Set up my second factor, or another app in its place."""
    mine = own_account.own_account(hub, me(), token_of_session(hub))
    form = FactorForm()
    form.ask_for(mine.proof)
    offer = own_account.offer_factor(hub, me())
    page = pages.FactorPage(
        form=form, secret=offer.secret, picture=qr_svg(offer.address, QR_TITLE), replaces=mine.second_factor
    )
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    proof = form.proof.data if mine.proof else ""
    try:
        token, codes = own_account.confirm_factor(
            hub, me(), token_of_session(hub), proof, form.code.data, caller(hub)
        )
    except (Unauthorised, TooMany) as error:
        return refused(page, form.proof if mine.proof else form.code, error)
    except Invalid as error:
        return refused(page, form.code, error)
    session.clear()
    made = pages.RecoveryCodesPage(codes=tuple(codes), goal=url_for("web.account"))
    return keep(render(made), hub, token)


def account_recovery(hub: Hub) -> Any:
    """Make new recovery codes and show them once."""
    mine = own_account.own_account(hub, me(), token_of_session(hub))
    if not mine.proof:
        raise Invalid("Set up a second factor first: recovery codes stand in for it.")
    form = ProofForm().ask_for(mine.proof)
    page = pages.RecoveryCodesPage(form=form)
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    try:
        codes = own_account.renew_recovery_codes(hub, me(), form.proof.data, caller(hub))
    except (Unauthorised, TooMany, Invalid) as error:
        return refused(page, form.proof, error)
    return render(pages.RecoveryCodesPage(codes=tuple(codes), goal=url_for("web.account")))


def account_sessions(hub: Hub) -> Any:
    """End one of my sessions, or all of them."""
    which = request.form.get("session", "")
    if which == "all":
        own_account.sign_out_everywhere(hub, me())
        session.clear()
        return keep(redirect(url_for("web.sign_in"), 303), hub, None)  # type: ignore[arg-type]
    if not which.startswith("ses_"):
        raise Invalid("Use the buttons on your account's page.")
    own_account.end_session(hub, me(), which[:40])
    flash("That session is ended.")
    return redirect(url_for("web.account"), 303)


VIEWS = {
    "account": account, "account_password": account_password, "account_factor": account_factor,
    "account_recovery": account_recovery, "account_sessions": account_sessions,
}  # fmt: skip
