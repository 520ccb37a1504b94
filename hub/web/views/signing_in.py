"""Signing in, step by step, and out."""

from __future__ import annotations

import hmac
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flask import Response, flash, redirect, request, session, url_for

from hub.errors import HubError, Invalid, TooMany, Unauthorised
from hub.identity.oidc import Flow
from hub.identity.principal import system
from hub.identity.sessions import Stage
from hub.web import pages
from hub.web.account_forms import CodeForm, FactorForm, OneTimeCodeForm, SignInForm
from hub.web.handles import make_handle, open_handle
from hub.web.qr import qr_svg
from hub.web.rendering import render
from hub.web.sessions import caller, find_principal, keep, local_address, token_of_session
from hub.workflows import own_account, provider, signing_in

if TYPE_CHECKING:
    from wtforms import Field

    from hub.web.pages import Page
    from hub.workflows.hub import Hub
    from hub.workflows.signing_in import Entry

__all__ = ["QR_TITLE", "VIEWS", "refused"]

QR_TITLE = "QR code for your authenticator app. The key below says the same."
_FLOW = "provider flow"
_SOMEBODY = system("sign-in")


def sign_in(hub: Hub) -> Any:
    """Ask for name and password; go on to the second step, or to where the person wanted to go."""
    goal = _goal()
    if request.method == "GET" and find_principal(hub) is not None:
        return redirect(goal)
    form = SignInForm()
    page = pages.SignInPage(form=form, **_other_way(hub))
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    try:
        entry = signing_in.sign_in(hub, form.username.data, form.password.data, caller(hub))
    except (Unauthorised, TooMany) as error:
        return refused(page, form.username, error)
    return _go_on(hub, entry, goal)


def sign_in_code(hub: Hub) -> Any:
    """The second step: a code of the app, or a recovery code."""
    waiting = signing_in.pending(hub, token_of_session(hub))
    if waiting is None or waiting.stage is not Stage.CODE:
        return _from_the_start()
    form = CodeForm()
    page = pages.SignInCodePage(form=form)
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    try:
        entry = signing_in.give_code(hub, token_of_session(hub), form.code.data, caller(hub))
    except (Unauthorised, TooMany) as error:
        form.code.data = ""
        return refused(page, form.code, error)
    return _whole(hub, entry, redirect(_goal(), 303))


def sign_in_set_up(hub: Hub) -> Any:
    """The second step for who has none yet: set it up, and see the recovery codes."""
    token = token_of_session(hub)
    waiting = signing_in.pending(hub, token)
    if waiting is None or waiting.stage is not Stage.ENROL:
        return _from_the_start()
    form = FactorForm()
    form.ask_for("")
    offer = own_account.offer_to_pending(hub, token)
    page = pages.FactorPage(
        form=form, secret=offer.secret, picture=qr_svg(offer.address, QR_TITLE), required=True
    )
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    try:
        entry, codes = own_account.finish_enrolment(hub, token, form.code.data, caller(hub))
    except Invalid as error:
        return refused(page, form.code, error)
    except Unauthorised:
        return _from_the_start()
    _whole(hub, entry, None)
    return keep(render(pages.RecoveryCodesPage(codes=tuple(codes), goal=_goal())), hub, entry)


def sign_in_one_time(hub: Hub) -> Any:
    """Choose a password with a one-time code from an operator."""
    form = OneTimeCodeForm()
    page = pages.OneTimeCodePage(form=form)
    if not form.validate_on_submit():
        return render(page, 422 if form.errors else 200)
    try:
        signing_in.use_code(hub, form.code.data, form.password.data, caller(hub))
    except (Unauthorised, TooMany) as error:
        return refused(page, form.code, error)
    except Invalid as error:
        return refused(page, form.password, error)
    _end_session(hub)
    flash("Your password is set. Sign in with it now.")
    return keep(redirect(url_for("web.sign_in"), 303), hub, None)  # type: ignore[arg-type]


# --- through a provider


def provider_begin(hub: Hub) -> Any:
    """Send the browser to the provider; what it must bring back stays with it, sealed."""
    address, flow = provider.begin_at_provider(hub)
    session[_FLOW] = make_handle(hub, _FLOW, _SOMEBODY, {**flow.to_json(), "goal": _goal()})
    return redirect(address)


def provider_back(hub: Hub) -> Any:
    """The browser comes back from the provider. What it took along works once, whatever comes of it."""
    kept = open_handle(hub, _FLOW, _SOMEBODY, session.pop(_FLOW, None))
    if kept is None or not hmac.compare_digest(
        request.args.get("state", "").encode(), kept["state"].encode()
    ):
        raise Unauthorised(
            "This answer does not belong to a sign-in that this browser began, or it took too long. "
            "Begin again from the sign-in page."
        )
    flow = Flow(kept["state"], kept["nonce"], kept["verifier"])
    answer = {name: request.args[name] for name in ("state", "code", "iss", "error") if name in request.args}
    entry = provider.come_from_provider(hub, flow, answer, caller(hub))
    return _go_on(hub, entry, local_address(kept["goal"]) or url_for("web.home"))


# --- out


def sign_out(hub: Hub) -> Any:
    """End the session, here and in the browser."""
    ended = _end_session(hub)
    through = ended is not None and ended.method == "provider"
    goal = url_for("web.signed_out" if through else "web.sign_in")
    return keep(redirect(goal, 303), hub, None)  # type: ignore[arg-type]


def signed_out(hub: Hub) -> Any:
    """For who came through a provider: a link to end the session there, too."""
    address = None
    with suppress(HubError):  # the provider cannot be asked: the person is signed out here all the same
        address = provider.sign_out_address(hub, hub.settings.resolved_public_url + url_for("web.sign_in"))
    return render(pages.SignedOutPage(provider=hub.settings.oidc_name, provider_href=address or ""))


# --- what the steps share


def refused(page: Page, field: Field, error: HubError) -> Response:
    """The page again, with an error at a field; after too many tries it says how long to wait."""
    field.errors = [error.detail.rstrip(".")]
    response = render(page, error.status if isinstance(error, TooMany) else 422)
    if "retry_after" in error.fields:
        response.headers["Retry-After"] = str(error.fields["retry_after"])
    return response


def _goal() -> str:
    return local_address(request.args.get("next")) or url_for("web.home")


def _go_on(hub: Hub, entry: Entry, goal: str) -> Any:
    """After the first step: to the second, or into the hub."""
    step = {Stage.CODE: "web.sign_in_code", Stage.ENROL: "web.sign_in_set_up"}.get(entry.stage)
    if step is None:
        return _whole(hub, entry, redirect(goal, 303))
    more = {} if goal == url_for("web.home") else {"next": goal}
    return _whole(hub, entry, redirect(url_for(step, **more), 303))


def _whole(hub: Hub, entry: Entry, response: Any) -> Any:
    """Nothing of what the browser had before outlives a step: neither its session here nor its form tokens."""
    if token_of_session(hub) != entry.token:
        _end_session(hub)
    return keep(response, hub, entry) if response is not None else None


def _end_session(hub: Hub) -> Any:
    """End the session that the browser came with, so that none outlives signing in again or out."""
    token = token_of_session(hub)
    ended = signing_in.sign_out(hub, token) if token else None
    session.clear()
    return ended


def _from_the_start() -> Any:
    goal = local_address(request.args.get("next"))
    return redirect(url_for("web.sign_in", next=goal))


def _other_way(hub: Hub) -> dict[str, str]:
    if hub.oidc is None:
        return {}
    goal = _goal()
    more = {} if goal == url_for("web.home") else {"next": goal}
    return {"provider": hub.settings.oidc_name, "provider_href": url_for("web.provider_begin", **more)}


VIEWS = {
    "sign_in": sign_in, "sign_in_code": sign_in_code, "sign_in_set_up": sign_in_set_up,
    "sign_in_one_time": sign_in_one_time, "provider_begin": provider_begin, "provider_back": provider_back,
    "sign_out": sign_out, "signed_out": signed_out,
}  # fmt: skip
