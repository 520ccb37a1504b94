"""Signing agreements: what is signed, signatures, and organisations' signing keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.agreements import AgreementAnswer
from hub.api.common import Strict, closed_blueprint, principal
from hub.workflows import agreeing, signing

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

_SLUG = validate.Length(1, 64)


class WhoSigns(Strict):
    """For whom a statement is."""

    organisation = fields.String(required=True, validate=_SLUG)
    signer = fields.String(
        required=True, validate=validate.Length(2, 200),
        metadata={"description": "Who signs for the organisation: name and office."},
    )  # fmt: skip


class StatementAnswer(Schema):
    """What is signed: the UTF-8 bytes of `statement`, exactly as they are."""

    statement = fields.String(attribute="text")
    agreement = fields.String()
    version = fields.Integer()
    text_sha256 = fields.String()
    organisation = fields.String()
    signer = fields.String()


class NewSignature(WhoSigns):
    """A signature over the statement of this organisation and signer."""

    signature = fields.String(
        required=True, validate=validate.Length(1, 200), metadata={"description": "Ed25519, base64."}
    )


class SignatureAnswer(Schema):
    """A signature under an agreement; `holds` says whether it counts."""

    organisation = fields.String()
    signer = fields.String()
    key = fields.String(attribute="key_id")
    at = fields.DateTime()
    statement = fields.String()
    signature = fields.String()
    holds = fields.Boolean()


class Signatures(Schema):
    """Who signed an agreement, and whose signature is awaited."""

    items = fields.List(fields.Nested(SignatureAnswer))
    missing = fields.List(fields.String())
    kept = fields.Boolean(
        metadata={
            "description": "False for an agreement that was put into force before signatures were kept."
        }
    )


class NewKey(Strict):
    """A public key with which an organisation signs agreements."""

    public_key = fields.String(
        required=True,
        validate=validate.Length(1, 200),
        metadata={"description": "Raw Ed25519 public key, base64."},
    )
    name = fields.String(load_default="", validate=validate.Length(max=200))


class Revocation(Strict):
    """How a key ends."""

    compromised = fields.Boolean(
        load_default=False, truthy={True}, falsy={False},
        metadata={"description": "Somebody else had it: what it signed stops counting, too."},
    )  # fmt: skip


class KeyAnswer(Schema):
    """A signing key: waiting, active, revoked or compromised."""

    id = fields.String()
    organisation = fields.String()
    public_key = fields.String()
    fingerprint = fields.String()
    name = fields.String()
    state = fields.String()
    added_at = fields.DateTime()


class KeyList(Schema):
    """Signing keys."""

    items = fields.List(fields.Nested(KeyAnswer))


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of signatures and signing keys."""
    views = closed_blueprint("signing", hub, "Signing agreements")
    _signatures(views, hub)
    _keys(views, hub)
    return views


def _signatures(views: Blueprint, hub: Hub) -> None:
    @views.get("/agreements/<string:agreement_id>/statement")
    @views.arguments(WhoSigns, location="query")
    @views.response(200, StatementAnswer)
    def statement(query: dict[str, Any], agreement_id: str) -> Any:
        """What an organisation signs."""
        return signing.statement(hub, principal(), agreement_id, query["organisation"], query["signer"])

    @views.get("/agreements/<string:agreement_id>/signatures")
    @views.response(200, Signatures)
    def list_signatures(agreement_id: str) -> Any:
        """Who signed an agreement, and whose signature is awaited."""
        found = agreeing.standing(hub, principal(), agreement_id)
        return {"items": found.signatures, "missing": found.missing, "kept": not found.record.unsigned}

    @views.post("/agreements/<string:agreement_id>/signatures")
    @views.arguments(NewSignature)
    @views.response(201, AgreementAnswer)
    def sign(body: dict[str, Any], agreement_id: str) -> Any:
        """Hand in an organisation's signature; the last that is needed puts the agreement into force."""
        return signing.sign(
            hub, principal(), agreement_id, body["organisation"], body["signer"], body["signature"]
        )


def _keys(views: Blueprint, hub: Hub) -> None:
    @views.get("/organisations/<string:slug>/signing-keys")
    @views.response(200, KeyList)
    def list_keys(slug: str) -> Any:
        """An organisation's signing keys, so that its signatures can be checked elsewhere."""
        return {"items": signing.list_keys(hub, principal(), slug)}

    @views.post("/organisations/<string:slug>/signing-keys")
    @views.arguments(NewKey)
    @views.response(201, KeyAnswer)
    def add_key(body: dict[str, Any], slug: str) -> Any:
        """Register a signing key; somebody else approves it."""
        return signing.add_key(hub, principal(), slug, body["public_key"], body["name"])

    @views.post("/signing-keys/<string:key_id>/approve")
    @views.response(200, KeyAnswer)
    def approve_key(key_id: str) -> Any:
        """Let a registered key be used: not by the one who registered it, and one of the two of the organisation."""
        return signing.approve_key(hub, principal(), key_id)

    @views.post("/signing-keys/<string:key_id>/revoke")
    @views.arguments(Revocation)
    @views.response(200, KeyAnswer)
    def revoke_key(body: dict[str, Any], key_id: str) -> Any:
        """Let a key sign nothing any more."""
        return signing.revoke_key(hub, principal(), key_id, compromised=body["compromised"])
