"""Organisations, connectors' invitations, machine clients and accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import Strict, closed_blueprint, principal
from hub.api.enrolment import OrganisationRef, SigningKey
from hub.workflows import enrolling

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

_SLUG = validate.Length(1, 64)


class NewOrganisation(Strict):
    """An organisation to register."""

    slug = fields.String(required=True, validate=_SLUG)
    name = fields.String(required=True, validate=validate.Length(1, 200))


class Organisations(Schema):
    """All organisations."""

    items = fields.List(fields.Nested(OrganisationRef))


class Invitation(Schema):
    """A one-time code, valid for three days."""

    code = fields.String()


class NewClient(Strict):
    """A machine client to register."""

    organisation = fields.String(required=True, validate=_SLUG)
    name = fields.String(required=True, validate=validate.Length(1, 200))
    roles = fields.List(fields.String(), required=True, validate=validate.Length(1, 10))
    signing_key = fields.Nested(SigningKey, required=True)


class NewUser(Strict):
    """A local account to make."""

    username = fields.String(required=True, validate=validate.Length(2, 99))
    name = fields.String(required=True, validate=validate.Length(1, 200))
    organisation = fields.String(required=True, validate=_SLUG)
    roles = fields.List(fields.String(), required=True, validate=validate.Length(1, 10))
    password = fields.String(required=True, load_only=True, validate=validate.Length(12, 500))


class Made(Schema):
    """The id of what was made."""

    id = fields.String()


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint for operators."""
    views = closed_blueprint("registry", hub, "Organisations, clients and accounts")

    @views.get("/organisations")
    @views.response(200, Organisations)
    def list_organisations() -> Any:
        """All organisations."""
        return {"items": enrolling.list_organisations(hub, principal())}

    @views.post("/organisations")
    @views.arguments(NewOrganisation)
    @views.response(201, OrganisationRef)
    def add_organisation(body: dict[str, Any]) -> Any:
        """Register an organisation (operator)."""
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
        """Register a machine client with roles (operator)."""
        made = enrolling.add_client(
            hub, principal(), body["organisation"], body["name"], body["roles"], body["signing_key"]
        )
        return {"id": made}

    @views.delete("/clients/<string:client_id>")
    @views.response(204)
    def revoke_client(client_id: str) -> None:
        """Stop a machine client at once (operator)."""
        enrolling.revoke_client(hub, principal(), client_id)

    @views.post("/users")
    @views.arguments(NewUser)
    @views.response(201, Made)
    def add_user(body: dict[str, Any]) -> Any:
        """Make a local account (operator)."""
        made = enrolling.add_user(
            hub,
            principal(),
            body["username"],
            body["name"],
            body["organisation"],
            body["roles"],
            body["password"],
        )
        return {"id": made}

    return views
