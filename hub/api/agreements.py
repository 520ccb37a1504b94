"""Agreements and why something is allowed or refused."""

from __future__ import annotations

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


class Text(Strict):
    """Another text for a draft."""

    text = fields.String(required=True, validate=validate.Length(1, 200_000))


class Reason(Strict):
    """Why, in a few words; kept sealed."""

    reason = fields.String(load_default="", validate=validate.Length(max=2000))


class Power(Schema):
    """The legal power as the hub knows it."""

    checked = fields.Function(
        lambda agreement: agreement.known_power is not None,
        metadata={
            "description": "Whether the hub knows the power, and holds the agreement to its objectives."
        },
    )
    title = fields.String(attribute="power_words")
    objective = fields.String(attribute="objective_words")


class AgreementAnswer(Schema):
    """An agreement."""

    id = fields.String()
    version = fields.Integer()
    title = fields.String()
    state = fields.Function(lambda agreement: agreement.state.value)
    purpose = fields.String()
    legal_power = fields.String()
    objective = fields.String()
    power = fields.Function(lambda agreement: Power().dump(agreement))
    start = fields.Date()
    end = fields.Date()
    review_date = fields.Date(allow_none=True)
    controllers = fields.List(fields.String())
    organisations = fields.List(fields.String())
    operations = fields.Function(lambda agreement: sorted(agreement.operations))
    plugins = fields.Function(lambda agreement: sorted(agreement.plugins))
    datasets = fields.List(fields.Nested(Terms))
    results_at_end = fields.String()
    retention_days = fields.Integer()
    retention_trigger = fields.String()
    opt_out = fields.String()
    trouble = fields.String(
        metadata={"description": "Why the hub does not believe its own record of it; empty when it does."}
    )
    signed_by = fields.Function(
        lambda agreement: None if agreement.signed_by is None else sorted(agreement.signed_by),
        metadata={
            "description": "Whose signatures hold; null when it was put into force before signatures were kept."
        },
    )


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
    agreement = fields.String(load_default="", validate=validate.Length(max=64))
    purpose = fields.String(load_default="", validate=validate.Length(max=4000))
    power = fields.String(load_default="", validate=validate.Length(max=4000))
    objective = fields.String(load_default="", validate=validate.Length(max=4000))
    roles = fields.List(fields.String(validate=validate.Length(max=64)), load_default=list)


class CheckAnswer(Schema):
    """One thing that must hold."""

    holds = fields.Boolean()
    words = fields.String()


class Explanation(Schema):
    """One agreement's answer, check by check."""

    agreement = fields.String()
    publisher = fields.String()
    allowed = fields.Boolean()
    checks = fields.List(fields.Nested(CheckAnswer))


class Answer(Schema):
    """Policy's answer in words."""

    allowed = fields.Boolean()
    reason = fields.String()
    columns = fields.List(fields.String())
    agreements = fields.List(fields.Nested(Explanation))


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

    @views.put("/agreements/<string:agreement_id>")
    @views.arguments(Text)
    @views.response(200, AgreementAnswer)
    def rewrite(body: dict[str, Any], agreement_id: str) -> Any:
        """Give a draft another text: its next version (data steward)."""
        return agreeing.rewrite(hub, principal(), agreement_id, body["text"])

    @views.get("/agreements/<string:agreement_id>/text")
    @views.response(200, Text)
    def text(agreement_id: str) -> Any:
        """An agreement as it was written (YAML): what the parties sign."""
        return {"text": agreeing.read(hub, principal(), agreement_id)[1]}

    @views.post("/agreements/<string:agreement_id>/submit")
    @views.response(200, AgreementAnswer)
    def submit(agreement_id: str) -> Any:
        """Hand a draft in for review (data steward)."""
        return agreeing.change(hub, principal(), agreement_id, "submit")

    @views.post("/agreements/<string:agreement_id>/return")
    @views.arguments(Reason)
    @views.response(200, AgreementAnswer)
    def send_back(body: dict[str, Any], agreement_id: str) -> Any:
        """Hand a draft back to its authors, saying what has to change (data steward)."""
        return agreeing.change(hub, principal(), agreement_id, "return", body["reason"])

    @views.post("/agreements/<string:agreement_id>/approve")
    @views.response(200, AgreementAnswer)
    def approve(agreement_id: str) -> Any:
        """Approve an agreement, so that it can be signed (data steward, none of its authors)."""
        return agreeing.change(hub, principal(), agreement_id, "approve")

    @views.post("/agreements/<string:agreement_id>/withdraw")
    @views.arguments(Reason, required=False)
    @views.response(200, AgreementAnswer)
    def withdraw(body: dict[str, Any], agreement_id: str) -> Any:
        """End an agreement at once, with its schedules and runs (data steward)."""
        return agreeing.change(hub, principal(), agreement_id, "withdraw", body["reason"])

    @views.post("/agreements/explain")
    @views.arguments(Question)
    @views.response(200, Answer)
    def explain(body: dict[str, Any]) -> Any:
        """Why an operation is allowed or refused."""
        asked = Asked(
            body["operation"], body["contract"], body["organisation"], body["on"] or today(hub),
            frozenset(body["columns"]), frozenset(body["roles"]), body["plugin"], body["agreement"], body["purpose"],
            body["publisher"], body["power"], body["objective"],
        )  # fmt: skip
        decision, explained = agreeing.explain_fully(hub, principal(), asked)
        columns = sorted(decision.grant.columns) if decision.grant else []
        return {
            "allowed": decision.allowed, "reason": decision.reason, "columns": columns, "agreements": explained,
        }  # fmt: skip

    return views
