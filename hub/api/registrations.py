"""Registrations that wait for a second operator, and that operator's decision."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import Strict, closed_blueprint, principal
from hub.identity.states import Registration
from hub.workflows import registering

if TYPE_CHECKING:
    from hub.workflows.hub import Hub


class WaitingAnswer(Schema):
    """A registration that waits."""

    kind = fields.String(validate=validate.OneOf(["organisation", "client"]))
    id = fields.String(metadata={"description": "An organisation's slug, or a client's id."})
    name = fields.String()
    organisation = fields.String()
    roles = fields.List(fields.String())
    keys = fields.List(
        fields.String(),
        metadata={"description": "Thumbprints of its keys, to be compared with what they read out."},
    )
    jwks_url = fields.String(metadata={"description": "Where its set of keys is published, if it is."})
    registered_by = fields.String()
    invited_by = fields.String()
    registered_at = fields.AwareDateTime()
    mine = fields.Boolean(
        metadata={"description": "You registered or invited it, so somebody else must approve."}
    )


class WaitingList(Schema):
    """All registrations that wait."""

    items = fields.List(fields.Nested(WaitingAnswer))


class Compared(Strict):
    """What was compared before a client is approved."""

    thumbprint = fields.String(
        validate=validate.Length(1, 100),
        metadata={
            "description": "As read out by whoever has the key; another one than the hub has is refused."
        },
    )


class Decided(Schema):
    """How a registration stands now."""

    id = fields.String()
    state = fields.String(validate=validate.OneOf([item.value for item in Registration]))


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint for a second operator."""
    views = closed_blueprint("registrations", hub, "Registrations that wait for a second operator")

    @views.get("/registrations")
    @views.response(200, WaitingList)
    def list_waiting() -> Any:
        """Organisations and clients that wait for approval (operator)."""
        return {"items": [asdict(item) for item in registering.waiting(hub, principal())]}

    @views.post("/organisations/<string:slug>/approve")
    @views.response(200, Decided)
    def approve_organisation(slug: str) -> Any:
        """Approve an organisation that somebody else registered (operator)."""
        return _organisation(slug, "approve")

    @views.post("/organisations/<string:slug>/refuse")
    @views.response(200, Decided)
    def refuse_organisation(slug: str) -> Any:
        """Refuse an organisation that waits (operator)."""
        return _organisation(slug, "refuse")

    @views.delete("/organisations/<string:slug>")
    @views.response(204)
    def revoke_organisation(slug: str) -> None:
        """Stop an organisation at once: its machines and its people (operator)."""
        registering.revoke_organisation(hub, principal(), slug)

    @views.post("/clients/<string:client_id>/approve")
    @views.arguments(Compared)
    @views.response(200, Decided)
    def approve_client(body: dict[str, Any], client_id: str) -> Any:
        """Approve a client that somebody else registered or invited (operator)."""
        state = registering.decide_client(hub, principal(), client_id, "approve", body.get("thumbprint"))
        return {"id": client_id, "state": state.value}

    @views.post("/clients/<string:client_id>/refuse")
    @views.response(200, Decided)
    def refuse_client(client_id: str) -> Any:
        """Refuse a client that waits (operator)."""
        state = registering.decide_client(hub, principal(), client_id, "refuse")
        return {"id": client_id, "state": state.value}

    def _organisation(slug: str, event: str) -> dict[str, str]:
        decided = registering.decide_organisation(hub, principal(), slug, event)
        return {"id": decided.slug, "state": decided.state.value}

    return views
