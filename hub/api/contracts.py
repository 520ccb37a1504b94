"""Changes of contracts: what one would do, those that wait, and deciding about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import Strict, closed_blueprint, principal
from hub.api.datasets import ContractRef, PutDataset
from hub.catalogue.states import ProposalState
from hub.workflows import contracting

if TYPE_CHECKING:
    from hub.workflows.contracting import ShownProposal
    from hub.workflows.hub import Hub


class ChangeAnswer(Schema):
    """One difference between two versions of a contract."""

    column = fields.String(allow_none=True, metadata={"description": "Null for the contract as a whole."})
    what = fields.String()
    effect = fields.String(metadata={"description": "breaking, compatible or words"})
    readers = fields.Boolean(metadata={"description": "Whether readers can be hurt, not only senders."})


class ConsumerAnswer(Schema):
    """Somebody who reads what changes."""

    kind = fields.String(metadata={"description": "agreement, plugin or linking"})
    id = fields.String()
    title = fields.String()
    columns = fields.List(fields.String())
    organisations = fields.List(fields.String())


class JudgedAnswer(Schema):
    """What a contract would do to your dataset."""

    contract = fields.Nested(ContractRef)
    current = fields.Nested(ContractRef, allow_none=True)
    effect = fields.String(metadata={"description": "new, same, words, compatible or breaking"})
    outcome = fields.String(metadata={"description": "in force, proposed or refused"})
    problem = fields.String(metadata={"description": "Why it is refused, and what to do; else empty."})
    changes = fields.List(fields.Nested(ChangeAnswer))
    touched = fields.List(fields.Nested(ConsumerAnswer))
    waits_for = fields.List(fields.String(), metadata={"description": "Whose data stewards would decide."})


class ProposalAnswer(Schema):
    """A proposed contract."""

    id = fields.String()
    state = fields.String()
    dataset = fields.String()
    publisher = fields.String()
    contract = fields.Nested(ContractRef)
    current = fields.Nested(ContractRef, metadata={"description": "What it is compared with."})
    effect = fields.String()
    problem = fields.String(metadata={"description": "Why it cannot be accepted any more; else empty."})
    changes = fields.List(fields.Nested(ChangeAnswer))
    touched = fields.List(fields.Nested(ConsumerAnswer))
    waits_for = fields.List(fields.String())
    proposed_at = fields.AwareDateTime(format="iso")
    proposed_by = fields.String()
    decided_at = fields.AwareDateTime(format="iso", allow_none=True)
    decided_by = fields.String()
    reason = fields.String()


class ProposalList(Schema):
    """Proposals, newest first."""

    items = fields.List(fields.Nested(ProposalAnswer))


class ProposalQuery(Strict):
    """Which proposals."""

    state = fields.String(
        load_default=None, allow_none=True, validate=validate.OneOf([state.value for state in ProposalState])
    )


class ProposalVerdict(Strict):
    """Why it is decided so."""

    reason = fields.String(required=True, validate=validate.Length(1, 2000))


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of contracts."""
    views = closed_blueprint("contracts", hub, "Changes of contracts")

    @views.post("/datasets/<string:dataset>/contract/check")
    @views.arguments(PutDataset)
    @views.response(200, JudgedAnswer)
    def check(body: dict[str, Any], dataset: str) -> Any:
        """What publishing this contract would do to your dataset, and whom it touches; nothing is changed."""
        return contracting.check(hub, principal(), dataset, body["contract"])

    @views.get("/contracts/proposals")
    @views.arguments(ProposalQuery, location="query")
    @views.response(200, ProposalList)
    def list_proposals(query: dict[str, Any]) -> Any:
        """Proposed contracts, newest first."""
        found = contracting.list_proposals(hub, principal())
        return {
            "items": [_plain(item) for item in found if query["state"] in (None, item.proposal.state.value)]
        }

    @views.get("/contracts/proposals/<string:proposal_id>")
    @views.response(200, ProposalAnswer)
    def read_proposal(proposal_id: str) -> Any:
        """One proposed contract: what it changes and whom it touches."""
        return _plain(contracting.read_proposal(hub, principal(), proposal_id))

    @views.post("/contracts/proposals/<string:proposal_id>/<any(accept,reject):verdict>")
    @views.arguments(ProposalVerdict)
    @views.response(200, ProposalAnswer)
    def decide(body: dict[str, Any], proposal_id: str, verdict: str) -> Any:
        """Accept or reject a proposed contract (data steward of those concerned, not who proposed it)."""
        contracting.decide(hub, principal(), proposal_id, verdict, body["reason"])
        return _plain(contracting.read_proposal(hub, principal(), proposal_id))

    return views


def _plain(shown: ShownProposal) -> dict[str, Any]:
    proposal, judged = shown.proposal, shown.judged
    return {
        "id": proposal.id, "state": proposal.state.value, "dataset": shown.dataset.id, "publisher": shown.publisher,
        "contract": judged.contract, "current": judged.current, "effect": judged.effect, "problem": judged.problem,
        "changes": judged.changes, "touched": judged.touched, "waits_for": judged.waits_for,
        "proposed_at": proposal.proposed_at, "proposed_by": shown.proposed_by, "decided_at": proposal.decided_at,
        "decided_by": shown.decided_by, "reason": shown.reason,
    }  # fmt: skip
