"""Puts the pages on the application: templates, sessions, protection against cross-site requests, and all views."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, redirect, url_for
from flask_wtf import CSRFProtect
from werkzeug.exceptions import default_exceptions

from hub.doorstep.limits import count_principal, count_stranger
from hub.errors import HubError
from hub.policy.roles import may, require
from hub.web import create_blueprint, pages
from hub.web.rendering import install, render
from hub.web.routes import NAVIGATION, ROUTES, Route
from hub.web.sessions import find_principal, way_back
from hub.web.views import VIEWS
from hub.web.views.common import organisation_name

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["error_page", "register_web"]

_NEEDS = {route.name: route.needs for route in ROUTES}


def register_web(app: Flask, hub: Hub) -> None:
    """Put the pages on the application. The API is registered before: it is left out of the cross-site check."""
    protect = CSRFProtect(app)
    for blueprint in app.blueprints.values():
        # Machines send a bearer token with each request; no browser adds that by itself.
        if (blueprint.url_prefix or "").startswith(("/api", "/oauth")):
            protect.exempt(blueprint)

    @cache
    def unsandboxed() -> bool:
        """Whether plugins run without a sandbox; tried out once, and only where an operator allowed that."""
        return hub.settings.allow_unsandboxed_plugins and hub.sandbox().isolation().level == "none"

    install(app, lambda: _shell(hub, unsandboxed()), hub.settings.schedule_timezone)

    def guard(route: Route) -> Response | None:
        """Nobody goes on without a session, nor without the permission that the page needs."""
        principal = find_principal(hub)
        if principal is None:
            count_stranger()
            return redirect(url_for("web.sign_in", next=way_back()))  # type: ignore[return-value]
        count_principal(principal)
        if route.needs is not None:
            require(principal.roles, route.needs)
        return None

    views = {name: _with_hub(view, hub) for name, view in VIEWS.items()}
    app.register_blueprint(create_blueprint(views, guard, static_url="/static"))


def _with_hub(view: Callable[..., Any], hub: Hub) -> Callable[..., Any]:
    @wraps(view)
    def bound(**arguments: str) -> Any:
        return view(hub, **arguments)

    return bound


def _shell(hub: Hub, unsandboxed: bool) -> pages.Shell:
    """What stands around every page, error pages included: so nothing here may fail."""
    settings = hub.settings
    user, offered = None, frozenset[str]()
    try:
        if (principal := find_principal(hub)) is not None:
            user = pages.SignedIn(principal.name, organisation_name(hub, principal))
            offered = frozenset(
                name for name, _ in NAVIGATION if (need := _NEEDS[name]) is None or may(principal.roles, need)
            )
    except HubError:
        pass  # the database is away: the page is shown as to a stranger
    return pages.Shell(settings.name, user, offered, settings.synthetic, unsandboxed, settings.crown)


def error_page(status: int, title: str, detail: str, request_id: str) -> Response:
    """An error as a page. Only the hub's own sentences are shown, not those that the web framework brings."""
    framework = default_exceptions.get(status)
    own = framework is None or title != framework().name
    return render(pages.error_page(status, detail if own else "", request_id), status)
