"""The pages: GOV.UK Design System, complete without JavaScript, nothing from other hosts.

A view asks a workflow, fills a page (`hub.web.pages`) and returns ``render(page)``; `hub.web.routes` says
where each page lives. `create_blueprint` puts the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hub.doorstep.limits import count_stranger
from hub.web.routes import ROUTES, Route

if TYPE_CHECKING:
    from flask import Blueprint

__all__ = ["create_blueprint"]


def create_blueprint(
    views: Mapping[str, Callable[..., Any]],
    guard: Callable[[Route], Any | None],
    *,
    static_url: str = "/assets",
) -> Blueprint:
    """The blueprint "web" with a view for each route.

    guard is asked before every page that is not public; it returns None to go on, or the response to give
    instead, such as a redirect to sign in.

    Raises:
        ValueError: naming routes without a view and views without a route.
    """
    from flask import Blueprint, request

    names = {route.name for route in ROUTES}
    if names != set(views):
        raise ValueError(
            f"views and routes differ: no view for {sorted(names - set(views))}, "
            f"no route for {sorted(set(views) - names)}"
        )
    blueprint = Blueprint("web", __name__, static_folder="static", static_url_path=static_url)
    by_endpoint = {f"web.{route.name}": route for route in ROUTES}
    for route in ROUTES:
        blueprint.add_url_rule(route.rule, route.name, views[route.name], methods=list(route.methods))

    @blueprint.before_request
    def _guard() -> Any | None:
        route = by_endpoint.get(request.endpoint or "")
        if route is None:
            return None
        if route.public:
            count_stranger()
            return None
        return guard(route)

    return blueprint
