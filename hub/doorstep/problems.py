"""Problem details (RFC 9457) for every error under /api and /oauth."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

from hub.errors import HubError, TooMany

__all__ = ["ProblemSchema", "is_api_request", "problem"]


class ProblemSchema(Schema):
    """An error: what went wrong, in words, and what to do next."""

    type = fields.String(metadata={"description": "Kind of problem; about:blank where the status says all."})
    title = fields.String(metadata={"description": "Short and the same for each problem of the kind."})
    status = fields.Integer(metadata={"description": "The HTTP status."})
    detail = fields.String(metadata={"description": "What went wrong here, and what to do next."})
    instance = fields.String(metadata={"description": "The request's id; name it when you ask for help."})
    errors = fields.Dict(metadata={"description": "Fields at fault, where there are any."})
    error = fields.String(metadata={"description": "At /oauth/token: the code of RFC 6749 section 5.2."})
    error_description = fields.String(metadata={"description": "At /oauth/token: the same as detail."})


def is_api_request() -> bool:
    """Whether a machine asked, so that it gets problem details and not a page."""
    return request.path.startswith(("/api/", "/oauth/"))


def _oauth_error(status: int, errors: Any) -> str:
    """The error code that OAuth clients know (RFC 6749 section 5.2)."""
    if status == 401:
        return "invalid_client"
    fields_at_fault = errors.get("form", {}) if isinstance(errors, dict) else {}
    if "grant_type" in fields_at_fault and request.form.get("grant_type"):
        return "unsupported_grant_type"
    if status == 429:
        return "temporarily_unavailable"
    return "invalid_request" if status < 500 else "server_error"


def problem(error: HubError | HTTPException, request_id: str) -> Response:
    """The problem document of an error; the token endpoint's also says what RFC 6749 section 5.2 asks for."""
    errors: Any = None
    if isinstance(error, HubError):
        status, title, detail, errors = error.status, error.title, error.detail, error.fields or None
    else:
        status, title, detail = error.code or 500, error.name, error.description or error.name
        data = getattr(error, "data", None) or {}
        if errors := data.get("errors") or data.get("messages"):
            detail = "Some fields are missing or not valid; see errors."
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request_id}
    if errors:
        body["errors"] = errors
    if request.path.startswith("/oauth/"):
        status = body["status"] = 400 if status == 422 else status
        code = getattr(error, "oauth_error", "") or _oauth_error(status, errors)
        body |= {"error": code, "error_description": detail}
    response = jsonify(body)
    response.status_code = status
    response.content_type = "application/problem+json"
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="hub"'
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.fields.get("retry_after", error.retry_after))
    if isinstance(error, HTTPException):
        for name, value in error.get_headers():
            if name.lower() in ("allow", "retry-after"):
                response.headers[name] = value
    return response
