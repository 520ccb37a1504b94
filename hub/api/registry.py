"""Organisations, connectors' invitations and machine clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from hub.api.common import Strict, closed_blueprint, principal
from hub.api.enrolment import OrganisationRef, SigningKey
from hub.identity.states import Registration
from hub.workflows import enrolling

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

_SLUG = validate.Length(1, 64)


class NewOrganisation(Strict):
    """An organisation to register."""

    slug = fields.String(required=True, validate=_SLUG)
    name = fields.String(required=True, validate=validate.Length(1, 200))


class RegisteredOrganisation(OrganisationRef):
    """An organisation and how its registration stands."""

    state = fields.String(
        validate=validate.OneOf([item.value for item in Registration]),
        metadata={"description": "waiting: another operator has to approve it."},
    )


class Organisations(Schema):
    """All organisations."""

    items = fields.List(fields.Nested(RegisteredOrganisation))


class Invitation(Schema):
    """A one-time code, valid for three days."""

    code = fields.String()


class KeySet(Strict):
    """A JWK Set (RFC 7517) of public keys, each with its own kid."""

    keys = fields.List(fields.Dict(keys=fields.String()), required=True, validate=validate.Length(1, 10))


class NewClient(Strict):
    """A machine client to register, with its keys in exactly one of three forms."""

    organisation = fields.String(required=True, validate=_SLUG)
    name = fields.String(required=True, validate=validate.Length(1, 200))
    roles = fields.List(fields.String(), required=True, validate=validate.Length(1, 10))
    signing_key = fields.Nested(SigningKey)
    jwks = fields.Nested(KeySet)
    jwks_url = fields.String(
        validate=validate.Length(1, 500),
        metadata={"description": "Where a JWK Set is published (https); fetched now and when keys change."},
    )

    @validates_schema
    def one_form(self, data: dict[str, Any], **_: Any) -> None:
        """Exactly one of signing_key, jwks and jwks_url."""
        if len({"signing_key", "jwks", "jwks_url"} & set(data)) != 1:
            raise ValidationError("Give one of signing_key, jwks and jwks_url.", "signing_key")


class Made(Schema):
    """The id of what was made, and how its registration stands."""

    id = fields.String()
    state = fields.String(validate=validate.OneOf([item.value for item in Registration]))


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint for operators."""
    views = closed_blueprint("registry", hub, "Organisations and clients")

    @views.get("/organisations")
    @views.response(200, Organisations)
    def list_organisations() -> Any:
        """All organisations."""
        return {"items": enrolling.list_organisations(hub, principal())}

    @views.post("/organisations")
    @views.arguments(NewOrganisation)
    @views.response(201, RegisteredOrganisation)
    def add_organisation(body: dict[str, Any]) -> Any:
        """Register an organisation (operator); it waits until another operator approves it."""
        return enrolling.add_organisation(hub, principal(), body["slug"], body["name"])

    @views.post("/organisations/<string:slug>/invitations")
    @views.response(201, Invitation)
    def invite(slug: str) -> Any:
        """A one-time code with which a connector of the organisation registers (operator)."""
        return (
            {"code": enrolling.invite_connector(hub, principal(), slug)},
            201,
            {"Cache-Control": "no-store"},
        )

    @views.post("/clients")
    @views.arguments(NewClient)
    @views.response(201, Made)
    def add_client(body: dict[str, Any]) -> Any:
        """Register a machine client with roles (operator); it waits until another operator approves it."""
        made = enrolling.add_client(
            hub, principal(), body["organisation"], body["name"], body["roles"], body.get("signing_key"),
            jwks=body.get("jwks"), jwks_url=body.get("jwks_url"),
        )  # fmt: skip
        return {"id": made, "state": "waiting" if hub.settings.two_person_registration else "approved"}

    @views.delete("/clients/<string:client_id>")
    @views.response(204)
    def revoke_client(client_id: str) -> None:
        """Stop a machine client at once (operator)."""
        enrolling.revoke_client(hub, principal(), client_id)

    return views
