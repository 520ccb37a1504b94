"""The token endpoint: OAuth 2.0 client credentials with private_key_jwt (RFC 6749, RFC 7523)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import EXCLUDE, Schema, fields, validate

from hub.workflows import machines

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenRequest(Schema):
    """Form fields of a token request."""

    class Meta:
        unknown = EXCLUDE

    grant_type = fields.String(required=True, validate=validate.Equal("client_credentials"))
    client_assertion_type = fields.String(required=True, validate=validate.Equal(_ASSERTION))
    client_assertion = fields.String(
        required=True,
        validate=validate.Length(1, 4000),
        metadata={"description": "JWT signed with the client's key."},
    )
    scope = fields.String(
        validate=validate.Length(max=1000),
        metadata={"description": "Scopes with blanks between; without it, all that the client's roles give."},
    )


class TokenAnswer(Schema):
    """An access token, how long it lasts, in seconds, and the scopes it carries."""

    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True)
    scope = fields.String(required=True)


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint with the token endpoint."""
    views = Blueprint("oauth", __name__, url_prefix="/oauth", description="Signing in as a machine")

    @views.post("/token")
    @views.arguments(TokenRequest, location="form")
    @views.response(200, TokenAnswer)
    @views.doc(security=[])
    def token(form: dict[str, Any]) -> Any:
        """Exchange a client assertion for an access token.

        The assertion names the client as `iss` and `sub`, this endpoint's URL as `aud`, a fresh `jti`, and `exp` at
        most five minutes ahead. It is signed with a key registered for the client, with that key's algorithm: Ed25519,
        or for keys of other kinds ES256, PS256 or RS512. A client that waits for approval gets `unauthorized_client`.
        """
        access_token, seconds, who = machines.issue(hub, form["client_assertion"], form.get("scope"))
        body = {
            "access_token": access_token, "token_type": "Bearer", "expires_in": seconds,
            "scope": " ".join(sorted(who.scopes or ())),
        }  # fmt: skip
        return body, 200, {"Cache-Control": "no-store"}

    return views
