"""Agreements and why something is allowed or refused."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import Strict, closed_blueprint, principal
from hub.policy.agreement import OPERATIONS
from hub.policy.decide import Asked
from hub.workflows import agreeing
from hub.workflows.hub import today

if TYPE_CHECKING:
    from hub.workflows.hub import Hub


class NewAgreement(Strict):
    """An agreement as YAML."""

    text = fields.String(required=True, validate=validate.Length(1, 200_000))


class Terms(Schema):
    """What an agreement gives of a dataset."""

    contract = fields.String()
    columns = fields.Function(lambda terms: sorted(terms.columns))
    generalise = fields.Function(lambda terms: {item.column: item.words for item in terms.generalise})
    why = fields.String()
    publishers = fields.List(
        fields.String(),
        metadata={
            "description": "Whose data it is: slugs. Empty: the controllers that are slugs; the hub for hub.*."
        },
    )


class AgreementAnswer(Schema):
    """An agreement."""

    id = fields.String()
    title = fields.String()
    state = fields.Function(lambda agreement: agreement.state.value)
    purpose = fields.String()
    legal_power = fields.String()
    start = fields.Date()
    end = fields.Date()
    organisations = fields.List(fields.String())
    operations = fields.Function(lambda agreement: sorted(agreement.operations))
    plugins = fields.Function(lambda agreement: sorted(agreement.plugins))
    datasets = fields.List(fields.Nested(Terms))


class AgreementList(Schema):
    """All agreements."""

    items = fields.List(fields.Nested(AgreementAnswer))


class Question(Strict):
    """A question to policy."""

    operation = fields.String(required=True, validate=validate.OneOf(OPERATIONS))
    contract = fields.String(required=True, validate=validate.Length(1, 200))
    organisation = fields.String(required=True, validate=validate.Length(1, 64))
    columns = fields.List(fields.String(), load_default=list)
    plugin = fields.String(load_default="")
    publisher = fields.String(
        load_default="",
        metadata={"description": "Whose data; any publisher the agreement names if left out."},
    )
    on = fields.Date(load_default=None, allow_none=True)


class Answer(Schema):
    """Policy's answer in words."""

    allowed = fields.Boolean()
    reason = fields.String()
    columns = fields.List(fields.String())


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of agreements."""
    views = closed_blueprint("agreements", hub, "Agreements")

    @views.get("/agreements")
    @views.response(200, AgreementList)
    def list_agreements() -> Any:
        """All agreements."""
        return {"items": agreeing.list_agreements(hub, principal())}

    @views.post("/agreements")
    @views.arguments(NewAgreement)
    @views.response(201, AgreementAnswer)
    def draft(body: dict[str, Any]) -> Any:
        """Draft an agreement (data steward)."""
        return agreeing.draft(hub, principal(), body["text"])

    @views.get("/agreements/<string:agreement_id>")
    @views.response(200, AgreementAnswer)
    def read(agreement_id: str) -> Any:
        """One agreement."""
        return agreeing.read(hub, principal(), agreement_id)[0]

    @views.post("/agreements/<string:agreement_id>/activate")
    @views.response(200, AgreementAnswer)
    def activate(agreement_id: str) -> Any:
        """Put an agreement into force (data steward, not the one who drafted it)."""
        return agreeing.change(hub, principal(), agreement_id, "activate")

    @views.post("/agreements/<string:agreement_id>/withdraw")
    @views.response(200, AgreementAnswer)
    def withdraw(agreement_id: str) -> Any:
        """End an agreement at once (data steward)."""
        return agreeing.change(hub, principal(), agreement_id, "withdraw")

    @views.post("/agreements/explain")
    @views.arguments(Question)
    @views.response(200, Answer)
    def explain(body: dict[str, Any]) -> Any:
        """Why an operation is allowed or refused."""
        on: date = body["on"] or today(hub)
        asked = Asked(
            body["operation"], body["contract"], body["organisation"], on, frozenset(body["columns"]),
            plugin=body["plugin"], publisher=body["publisher"],
        )  # fmt: skip
        decision = agreeing.explain(hub, principal(), asked)
        columns = sorted(decision.grant.columns) if decision.grant else []
        return {"allowed": decision.allowed, "reason": decision.reason, "columns": columns}

    return views
