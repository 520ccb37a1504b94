"""Every request: its id, its log line, its metrics, security headers, and what becomes of its errors."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, InternalServerError

from hub.doorstep.metrics import Metrics
from hub.doorstep.problems import is_api_request, problem
from hub.errors import HubError, Invalid, NotFound
from hub.logs import where_it_broke

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["register_requests"]

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}\Z")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

#: Anything else that calls itself a method would be a new time series each.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})

#: Turns an error into a page, for people's browsers.
ErrorPage = Callable[[int, str, str, str], Any]


def register_requests(app: Flask, hub: Hub, metrics: Metrics, error_page: ErrorPage) -> None:
    """Put the doorstep before the application. `error_page` gets status, title, detail and request id."""
    log = structlog.get_logger()

    @app.before_request
    def _begin() -> None:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        if "\0" in request.path:
            raise NotFound("There is no such address.")

    @app.after_request
    def _end(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if hub.settings.secure_cookies:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        response.headers["X-Request-ID"] = g.get("request_id", "")
        if request.path.startswith(("/api/v1", "/oauth")):
            response.headers.setdefault("Cache-Control", "no-store")
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        # The rule, not the path: nothing that someone put into an address is logged or counted.
        rule = request.url_rule.rule if request.url_rule else "(no such address)"
        method = request.method if request.method in _METHODS else "(unknown)"
        metrics.observe(method, rule, response.status_code, seconds)
        if rule not in ("/healthz", "/readyz", "/metrics") and not rule.startswith("/static"):
            principal = g.get("principal")
            log.info(
                "request", method=method, rule=rule, status=response.status_code,
                ms=round(seconds * 1000, 1), principal=principal.reference if principal else None,
            )  # fmt: skip
        return response

    def answer(error: HubError | HTTPException) -> Any:
        request_id = g.get("request_id", "")
        if is_api_request():
            return problem(error, request_id)
        if isinstance(error, HubError):
            return error_page(error.status, error.title, error.detail, request_id)
        return error_page(error.code or 500, error.name, error.description or "", request_id)

    @app.errorhandler(HubError)
    def _known(error: HubError) -> Any:
        if error.status >= 500:
            log.error("request.failed", **where_it_broke(error))
        return answer(error)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Any:
        if error.code is not None and 300 <= error.code < 400:
            return error
        return answer(error)

    @app.errorhandler(RecursionError)
    @app.errorhandler(UnicodeEncodeError)
    def _monstrous(error: Exception) -> Any:
        # Documents within documents (a contract, key material) are read by parsers of their own, deep in the house.
        log.warning("request.monstrous", **where_it_broke(error))
        return answer(Invalid("What was sent nests too deeply, or holds half a character."))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Any:
        log.error("request.broke", **where_it_broke(error))
        metrics.broke()
        return answer(
            InternalServerError(
                "Something went wrong in the hub. It was noted under this request's id; try again."
            )
        )
