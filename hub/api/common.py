"""What the API's modules share: who is asking, cursors, and a blueprint that is closed by default."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flask import g, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, missing, validate
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from hub.doorstep.limits import count_principal, count_stranger
from hub.errors import Invalid, Unauthorised
from hub.workflows import machines

if TYPE_CHECKING:
    from hub.identity.principal import Principal
    from hub.workflows.hub import Hub

__all__ = ["CursorQuery", "Strict", "closed_blueprint", "decode_cursor", "encode_cursor", "principal"]


class StrictParser(FlaskParser):
    """Reads JSON as RFC 8259 means it, and I-JSON (RFC 7493) where that leaves a choice to the reader."""

    DEFAULT_UNKNOWN_BY_LOCATION: ClassVar = {}  # each schema says itself what it does with unknown fields

    def _raw_load_json(self, req: Any) -> Any:
        """The body as Python values.

        Raises:
            UnsupportedMediaType: when it is not announced as JSON.
            BadRequest: when it is not JSON, nests too deeply, names a member twice, or holds what cannot be stored.
        """
        body = req.get_data(cache=True)
        if not is_json(req.mimetype):
            if body:
                raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
            return missing
        try:
            return json.loads(body.decode(), parse_constant=_no_constant, object_pairs_hook=_members)
        except RecursionError:
            raise BadRequest("The JSON nests too deeply.") from None
        except ValueError as error:  # not UTF-8, not JSON, or refused by the two functions below
            reason = str(error) if isinstance(error, _Refused) else "The body is not JSON in UTF-8."
            raise BadRequest(reason) from None


class _Refused(ValueError):
    """JSON that the hub does not take; the text says why."""


def _no_constant(name: str) -> Any:
    raise _Refused(f"JSON has no {name}.")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused("The JSON names a member twice.")
    if any(not _clean(part) for pair in pairs for part in pair):
        raise _Refused("The JSON holds a text with a NUL character or half a character.")
    return members


def _clean(value: Any) -> bool:
    """Whether texts can be stored: PostgreSQL takes no NUL, and nothing encodes a lone surrogate."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
        return "\0" not in value
    return all(map(_clean, value)) if isinstance(value, list) else True


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
    blueprint = Blueprint(name, __name__, url_prefix="/api/v1", description=description)
    blueprint.ARGUMENTS_PARSER = StrictParser()

    @blueprint.before_request
    def _identify() -> None:
        view = (request.endpoint or "").rpartition(".")[2]
        if view in public:
            count_stranger()
            return
        try:
            g.principal = machines.token_principal(hub, _bearer())
        except Unauthorised:
            count_stranger()
            raise
        count_principal(g.principal)

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
        if not _clean(values) or any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
            raise ValueError("nothing that was ever stored")
    except (binascii.Error, ValueError, RecursionError):
        raise Invalid("This cursor is not one that the hub gave; start without a cursor.") from None
    return values
