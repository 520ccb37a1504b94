"""What a connector needs to get started: the hub's public key, and registering its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from hub import __version__
from hub.api.common import Strict, closed_blueprint, principal
from hub.workflows import enrolling
from hub_schemas.delivery import SEALING_SUITE

if TYPE_CHECKING:
    from hub.workflows.hub import Hub


class SealingKey(Schema):
    """The public key to which connectors seal data keys."""

    id = fields.String()
    suite = fields.String()
    public_key = fields.String(metadata={"description": "Base64 of the ML-KEM-768 and X25519 public keys."})


class EarlierSealingKey(SealingKey):
    """A sealing key that was followed by another; deliveries sealed to it are still taken for a while."""

    until = fields.AwareDateTime(
        metadata={"description": "Deliveries offered after this moment are refused."}
    )


class HubAnswer(Schema):
    """Which hub this is."""

    name = fields.String()
    version = fields.String()
    synthetic = fields.Boolean(metadata={"description": "Whether this hub holds invented people only."})
    token_url = fields.String()
    audience = fields.String(metadata={"description": "What a client assertion names as `aud`."})
    part_size = fields.Integer(metadata={"description": "Largest part of a file, in bytes."})
    sealing_key = fields.Nested(SealingKey)
    earlier_sealing_keys = fields.List(fields.Nested(EarlierSealingKey))


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


class KeyChange(Strict):
    """A client that changes its signing key.

    `assertion` and `proof` are JWTs (header typ `key-change+jwt`, alg `Ed25519`) with the claims iss and sub (the
    client's id), aud (the hub's address followed by /api), iat, exp (at most five minutes), jti and new_key (the
    RFC 7638 thumbprint of the new key, SHA-256 in hex); the first is signed with the present key, the second with the
    new one.
    """

    signing_key = fields.Nested(SigningKey, required=True)
    assertion = fields.String(required=True, validate=validate.Length(1, 4000))
    proof = fields.String(required=True, validate=validate.Length(1, 4000))
    keep_old = fields.Boolean(
        load_default=True, metadata={"description": "False for a key that was stolen: it ends at once."}
    )


class KeyChanged(Schema):
    """A changed signing key."""

    old_key_until = fields.AwareDateTime(metadata={"description": "Until then the old key is taken as well."})


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
    state = fields.String(
        validate=validate.OneOf(["waiting", "approved"]),
        metadata={"description": "waiting: another operator has to approve it before it gets tokens."},
    )
    thumbprint = fields.String(
        metadata={"description": "Of its key, as whoever approves sees it: to be read out to them."}
    )


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
            "earlier_sealing_keys": [
                {"id": name, "suite": SEALING_SUITE, "public_key": text, "until": until}
                for name, text, until in hub.keyring.earlier_sealing
            ],
        }

    @views.post("/enrolments")
    @views.arguments(Enrolment)
    @views.response(201, Enrolled)
    @views.doc(security=[])
    def enrol(body: dict[str, Any]) -> Any:
        """Register a connector's public key with a one-time code from the hub's operator."""
        client_id, organisation = enrolling.enrol(hub, body["code"], body["name"], body["signing_key"])
        state, thumbprint = enrolling.registration_of(hub, client_id)
        return {
            "client_id": client_id,
            "organisation": organisation,
            "token_url": hub.tokens.token_url,
            "audience": hub.tokens.token_url,
            "state": state,
            "thumbprint": thumbprint,
        }

    @views.put("/signing-key")
    @views.arguments(KeyChange)
    @views.response(200, KeyChanged)
    def change_signing_key(body: dict[str, Any]) -> Any:
        """Put a new public key in place of the client's own; the old one is taken for a while longer."""
        until = enrolling.change_client_key(
            hub, principal(), body["signing_key"], body["assertion"], body["proof"], keep_old=body["keep_old"]
        )
        return {"old_key_until": until}

    return views
