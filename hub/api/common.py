"""What the API's modules share: who is asking, cursors, and a blueprint that is closed by default."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import g, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from hub.errors import Invalid, Unauthorised
from hub.workflows import enrolling

if TYPE_CHECKING:
    from hub.identity.principal import Principal
    from hub.workflows.hub import Hub

__all__ = ["CursorQuery", "Strict", "closed_blueprint", "decode_cursor", "encode_cursor", "principal"]


class Strict(Schema):
    """A request body or query in which unknown fields are refused."""

    class Meta:
        unknown = RAISE


class CursorQuery(Strict):
    """Paging: pass `next` of one answer as `cursor` of the next request."""

    cursor = fields.String(
        validate=validate.Length(max=500), metadata={"description": "`next` of the page before."}
    )
    limit = fields.Integer(
        load_default=50, validate=validate.Range(1, 500), metadata={"description": "Page size."}
    )


def closed_blueprint(name: str, hub: Hub, description: str, *, public: Sequence[str] = ()) -> Blueprint:
    """A blueprint whose endpoints need a bearer token, but for the view functions named in `public`."""
    blueprint = Blueprint(name, name, url_prefix="/api/v1", description=description)

    @blueprint.before_request
    def _identify() -> None:
        view = (request.endpoint or "").rpartition(".")[2]
        if view not in public:
            g.principal = enrolling.token_principal(hub, _bearer())

    return blueprint


def principal() -> Principal:
    """Who is asking; set before the view runs."""
    found: Principal = g.principal
    return found


def _bearer() -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorised("Send an access token: Authorization: Bearer TOKEN (get one at /oauth/token).")
    return token.strip()


def encode_cursor(*values: Any) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(values, default=str).encode()).decode().rstrip("=")


def decode_cursor(text: str | None, types: tuple[type, ...]) -> list[Any] | None:
    """The values in a cursor; None without one.

    Raises:
        Invalid: when it is not one of ours.
    """
    if not text:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(values, list) or [type(value) for value in values] != list(types):
            raise ValueError("another shape")
    except (binascii.Error, ValueError, RecursionError):
        raise Invalid("This cursor is not one that the hub gave; start without a cursor.") from None
    return values
