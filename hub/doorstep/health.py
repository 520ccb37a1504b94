"""Health: alive (the process answers) and ready (it can do its work)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify

from hub import __version__
from hub.errors import HubError
from hub.logs import where_it_broke

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["health_blueprint"]


def health_blueprint(hub: Hub) -> Blueprint:
    """The blueprint with /healthz and /readyz."""
    views = Blueprint("health", __name__)

    @views.get("/healthz")
    def alive() -> Any:
        """The process answers."""
        return jsonify(status="alive", version=__version__)

    @views.get("/readyz")
    def ready() -> Any:
        """Database and object store answer; 503 with the part that does not."""
        parts = {}
        for name, check in (("database", hub.database.ping), ("objects", hub.objects.ping)):
            try:
                check()
                parts[name] = "ready"
            except HubError:
                parts[name] = "does not answer"
            except Exception as error:
                parts[name] = f"does not answer ({where_it_broke(error)['error']})"
        good = all(state == "ready" for state in parts.values())
        return jsonify(status="ready" if good else "not ready", parts=parts), 200 if good else 503

    return views
