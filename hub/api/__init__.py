"""The API: JSON over HTTP under /api/v1, described at /api/openapi.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Api

from hub import __version__
from hub.api import (
    agreements,
    audit,
    catalogue,
    contracts,
    datasets,
    deliveries,
    enrolment,
    oauth,
    plugins,
    registrations,
    registry,
    requests,
    rights,
    signing,
    uploads,
    users,
)
from hub.api.docs import docs_blueprint
from hub.doorstep.problems import ProblemSchema

if TYPE_CHECKING:
    from flask import Flask

    from hub.workflows.hub import Hub

__all__ = ["register_api"]

_DESCRIPTION = """\
Departments publish datasets, operators register organisations, analysts run plugins.

Machines sign in with OAuth 2.0 client credentials and private_key_jwt (RFC 7523) at /oauth/token and send the
access token as a bearer token. Errors are problem details (RFC 9457). Lists are paged with an opaque cursor. Moments
are ISO 8601 in UTC.
"""


class HubApi(Api):
    """flask-smorest with problem details in place of its own error body."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Errors are handled for the whole application in `hub.doorstep`."""

    def _register_responses(self) -> None:
        """Every error response is a problem document (they are noted now and put into the document when used)."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = "application/problem+json"
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE  # the class's again, for answers


def register_api(app: Flask, hub: Hub) -> HubApi:
    """Put the API on the application."""
    app.config |= {
        "API_TITLE": "JoinedUp Hub",
        "API_VERSION": "v1",
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api",
        "OPENAPI_JSON_PATH": "openapi.json",
    }
    bearer: dict[str, Any] = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    api = HubApi(
        app,
        spec_kwargs={
            "info": {"description": _DESCRIPTION, "version": __version__},
            "components": {"securitySchemes": {"bearer": bearer}},
            "security": [{"bearer": []}],
        },
    )
    for module in (
        oauth,
        enrolment,
        registry,
        registrations,
        users,
        datasets,
        catalogue,
        contracts,
        deliveries,
        uploads,
        requests,
        agreements,
        signing,
        plugins,
        audit,
        rights,
    ):
        api.register_blueprint(module.blueprint(hub))
    app.register_blueprint(docs_blueprint(api))
    return api
