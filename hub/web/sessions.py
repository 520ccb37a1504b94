"""Who is signed in: the cookies, their look-up once a request, and where to go after signing in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from flask import current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from hub.identity.devices import DAYS
from hub.identity.throttle import network_of
from hub.workflows import signing_in
from hub.workflows.signing_in import Caller, Entry

if TYPE_CHECKING:
    from flask import Response

    from hub.identity.principal import Principal
    from hub.workflows.hub import Hub

__all__ = [
    "COOKIE", "DEVICES", "caller", "cookie_name", "find_principal", "keep", "local_address", "me", "token_of_session",
    "way_back",
]  # fmt: skip

COOKIE: Final = "hub_session"
DEVICES: Final = "hub_device"

_BROWSERS = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "Mac"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def cookie_name(hub: Hub, plain: str) -> str:
    """A cookie's name: over HTTPS with a prefix by which browsers refuse it from other hosts and without HTTPS."""
    return f"__Host-{plain}" if hub.settings.secure_cookies else plain


def token_of_session(hub: Hub) -> str:
    """The token that the browser came with; "" without one."""
    return request.cookies.get(cookie_name(hub, COOKIE), "")


def find_principal(hub: Hub) -> Principal | None:
    """Who this browser is signed in as; asked of the database once a request."""
    if "principal" not in g:
        token = token_of_session(hub)
        g.principal = signing_in.session_of(hub, token) if token else None
    found: Principal | None = g.principal
    return found


def me() -> Principal:
    """Who is signed in, on a page that is not public."""
    found: Principal = g.principal
    return found


def caller(hub: Hub) -> Caller:
    """From where this request tries to sign in."""
    known = request.cookies.get(cookie_name(hub, DEVICES), "")
    return Caller(network_of(request.remote_addr), known, _browser(request.headers.get("User-Agent", "")))


def _browser(agent: str) -> str:
    """A browser in two words, as its owner would call it: nothing by which one could be told from others."""
    name = next((words for sign, words in _BROWSERS if sign in agent), "A browser")
    system = next((words for sign, words in _SYSTEMS if re.search(rf"\b{sign}\b", agent)), "")
    return f"{name} on {system}" if system else name


def keep(response: Response, hub: Hub, entry: Entry | str | None) -> Response:
    """Let the browser keep a session's token until it is closed; None makes it forget.

    A device that somebody signed in from is known for longer (`hub.identity.devices`).
    """
    options: dict[str, Any] = {
        "httponly": True, "samesite": "Lax", "path": "/", "secure": hub.settings.secure_cookies,
    }  # fmt: skip
    name = cookie_name(hub, COOKIE)
    if entry is None:
        response.delete_cookie(name, **options)
        return response
    token = entry if isinstance(entry, str) else entry.token
    response.set_cookie(name, token, **options)
    if isinstance(entry, Entry) and entry.devices:
        response.set_cookie(cookie_name(hub, DEVICES), entry.devices, max_age=DAYS * 86400, **options)
    return response


def way_back() -> str | None:
    """Where somebody who has to sign in first wanted to go; None where that is no page to be opened."""
    return local_address(request.full_path.removesuffix("?"))


def local_address(address: str | None) -> str | None:
    """An address if it is one of our own pages, so that no link can send people elsewhere after signing in."""
    if not address or not address.startswith("/") or not address.isprintable() or not address.isascii():
        return None
    path = address.partition("?")[0]
    if path.startswith("//") or "\\" in path or "#" in address:
        return None
    try:
        endpoint, _ = current_app.url_map.bind("hub").match(path, "GET")
    except (HTTPException, RequestRedirect):
        return None
    return address if endpoint.startswith("web.") and not endpoint.endswith("static") else None
