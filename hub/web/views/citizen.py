"""Pages without an account: a person's own page behind a one-time code, and what everybody can know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from flask import Response, flash, redirect, request, url_for

from hub.errors import Conflict, Invalid, Unauthorised
from hub.rights.states import RequestKind
from hub.rights.uses import gather
from hub.web import pages
from hub.web.rendering import render
from hub.web.rights_forms import AskForm, MyCodeForm
from hub.web.sessions import cookie_name
from hub.workflows import rights_citizen

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS", "cookie", "zip_response"]

#: The cookie of a person's own page: another than that of the people who work here.
_COOKIE: Final = "hub_my_data"


def your_rights(hub: Hub) -> Any:
    """What the hub holds and how to ask, for everybody."""
    services, purposes = rights_citizen.what_is_held(hub)
    return render(pages.YourRightsPage(services=tuple(services), purposes=tuple(purposes)))


def my_data(hub: Hub) -> Any:
    """Ask for code and date of birth; then show the person's own page."""
    token = _token(hub)
    if request.method == "GET" and token and rights_citizen.is_open(hub, token):
        return _page(hub, token)
    form = MyCodeForm()
    if not form.validate_on_submit():
        closed = request.method == "GET" and bool(token)
        return render(pages.MyCodePage(form=form, closed=closed), 422 if form.errors else 200)
    try:
        token = rights_citizen.open_page(hub, form.code.data, form.born.data)
    except Unauthorised as error:
        form.code.errors = [error.detail.rstrip(".")]
        return render(pages.MyCodePage(form=form), 422)
    return _keep(redirect(url_for("web.my_data"), 303), hub, token)


def _page(hub: Hub, token: str) -> Any:
    mine = rights_citizen.my_page(hub, token)
    lines = gather(mine.uses, ZoneInfo(hub.settings.schedule_timezone))
    return render(
        pages.MyDataPage(
            lines=tuple(lines), requests=mine.requests, until=mine.visit.expires_at, made=hub.clock()
        )
    )


def my_data_ask(hub: Hub) -> Any:
    """The person asks for something."""
    token = _token(hub)
    try:
        form = AskForm().offer(rights_citizen.purposes(hub, token))
        if not form.validate_on_submit():
            return render(pages.MyDataAskPage(form=form), 422 if form.errors else 200)
        kind = RequestKind(form.kind.data)
        agreement = form.agreement.data if kind is RequestKind.OBJECTION else ""
        made = rights_citizen.ask(hub, token, kind, form.wish.data, agreement or "")
    except Unauthorised:
        return redirect(url_for("web.my_data"))
    except (Conflict, Invalid) as error:
        form.form_errors = [error.detail.rstrip(".")]
        return render(pages.MyDataAskPage(form=form), 422)
    flash(
        f"We have your request. We answer by {made.due_on.day} {made.due_on:%B %Y}. Its number is {made.id}."
    )
    return redirect(url_for("web.my_data"), 303)


def my_data_copy(hub: Hub, rights_id: str) -> Any:
    """The copy that the person was given."""
    try:
        data = rights_citizen.fetch_copy(hub, _token(hub), rights_id)
    except Unauthorised:
        return redirect(url_for("web.my_data"))
    return zip_response(data, "my-data")


def my_data_close(hub: Hub) -> Any:
    """The person has finished: the page closes, here and in the hub."""
    if token := _token(hub):
        rights_citizen.close(hub, token)
    return _keep(redirect(url_for("web.my_data"), 303), hub, None)


def zip_response(data: bytes, name: str) -> Response:
    """A zip file to take away, which no cache keeps."""
    return Response(
        data,
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}.zip"', "Cache-Control": "no-store"},
    )


def _token(hub: Hub) -> str:
    return request.cookies.get(cookie(hub), "")


def cookie(hub: Hub) -> str:
    """The name of the cookie; over HTTPS with a prefix by which browsers refuse it without."""
    return cookie_name(hub, _COOKIE).replace("__Host-", "__Secure-")  # it is for its own pages only


def _keep(response: Any, hub: Hub, token: str | None) -> Any:
    options: dict[str, Any] = {
        "httponly": True, "samesite": "Strict", "path": url_for("web.my_data"),
        "secure": hub.settings.secure_cookies,
    }  # fmt: skip
    if token is None:
        response.delete_cookie(cookie(hub), **options)
    else:
        response.set_cookie(cookie(hub), token, **options)
    return response


VIEWS = {
    "your_rights": your_rights, "my_data": my_data, "my_data_ask": my_data_ask, "my_data_copy": my_data_copy,
    "my_data_close": my_data_close,
}  # fmt: skip
