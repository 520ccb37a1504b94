"""Who is signed in: the cookie, its look-up once a request, and where to go after signing in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from hub.workflows import enrolling

if TYPE_CHECKING:
    from flask import Response

    from hub.identity.principal import Principal
    from hub.workflows.hub import Hub

__all__ = ["COOKIE", "find_principal", "keep", "local_address", "me", "way_back"]

COOKIE: Final = "hub_session"


def find_principal(hub: Hub) -> Principal | None:
    """Who this browser is signed in as; asked of the database once a request."""
    if "principal" not in g:
        token = request.cookies.get(COOKIE, "")
        g.principal = enrolling.session_of(hub, token) if token else None
    found: Principal | None = g.principal
    return found


def me() -> Principal:
    """Who is signed in, on a page that is not public."""
    found: Principal = g.principal
    return found


def keep(response: Response, hub: Hub, token: str | None) -> Response:
    """Let the browser keep a session's token until it is closed; None makes it forget."""
    options: dict[str, Any] = {
        "httponly": True, "samesite": "Lax", "path": "/", "secure": hub.settings.secure_cookies,
    }  # fmt: skip
    if token is None:
        response.delete_cookie(COOKIE, **options)
    else:
        response.set_cookie(COOKIE, token, **options)
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
