"""What a connector needs to get started: the hub's public key, and registering its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from hub import __version__
from hub.api.common import Strict, closed_blueprint
from hub.workflows import enrolling
from hub_schemas.delivery import SEALING_SUITE

if TYPE_CHECKING:
    from hub.workflows.hub import Hub


class SealingKey(Schema):
    """The public key to which connectors seal data keys."""

    id = fields.String()
    suite = fields.String()
    public_key = fields.String(metadata={"description": "Base64 of the ML-KEM-768 and X25519 public keys."})


class HubAnswer(Schema):
    """Which hub this is."""

    name = fields.String()
    version = fields.String()
    synthetic = fields.Boolean(metadata={"description": "Whether this hub holds invented people only."})
    token_url = fields.String()
    audience = fields.String(metadata={"description": "What a client assertion names as `aud`."})
    part_size = fields.Integer(metadata={"description": "Largest part of a file, in bytes."})
    sealing_key = fields.Nested(SealingKey)


class SigningKey(Schema):
    """A public Ed25519 JWK (RFC 8037)."""

    class Meta:
        unknown = RAISE

    kty = fields.String(required=True, validate=validate.Equal("OKP"))
    crv = fields.String(required=True, validate=validate.Equal("Ed25519"))
    x = fields.String(required=True, validate=validate.Length(1, 100))
    kid = fields.String(validate=validate.Length(max=200))
    use = fields.String(validate=validate.Length(max=20))
    alg = fields.String(validate=validate.Length(max=20))


class Enrolment(Strict):
    """A connector that registers."""

    code = fields.String(required=True, validate=validate.Length(1, 100))
    name = fields.String(required=True, validate=validate.Length(1, 200))
    signing_key = fields.Nested(SigningKey, required=True)


class OrganisationRef(Schema):
    """An organisation."""

    id = fields.String()
    slug = fields.String()
    name = fields.String()


class Enrolled(Schema):
    """A registered connector."""

    client_id = fields.String()
    organisation = fields.Nested(OrganisationRef)
    token_url = fields.String()
    audience = fields.String()


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint with the open endpoints."""
    views = closed_blueprint("enrolment", hub, "Getting started", public=("read_hub", "enrol"))

    @views.get("/hub")
    @views.response(200, HubAnswer)
    @views.doc(security=[])
    def read_hub() -> Any:
        """Which hub this is, and its public sealing key."""
        return {
            "name": hub.settings.name,
            "version": __version__,
            "synthetic": hub.settings.synthetic,
            "token_url": hub.tokens.token_url,
            "audience": hub.tokens.token_url,
            "part_size": hub.settings.part_size,
            "sealing_key": {
                "id": hub.keyring.current_sealing,
                "suite": SEALING_SUITE,
                "public_key": hub.keyring.sealing_public_text,
            },
        }

    @views.post("/enrolments")
    @views.arguments(Enrolment)
    @views.response(201, Enrolled)
    @views.doc(security=[])
    def enrol(body: dict[str, Any]) -> Any:
        """Register a connector's public key with a one-time code from the hub's operator."""
        client_id, organisation = enrolling.enrol(hub, body["code"], body["name"], body["signing_key"])
        return {
            "client_id": client_id,
            "organisation": organisation,
            "token_url": hub.tokens.token_url,
            "audience": hub.tokens.token_url,
        }

    return views
