"""Contracts: an organisation publishes one and its dataset under it; breaking changes wait for a data steward.

What is new is classified against the contract in force. The first contract and compatible changes are in force at
once, and so is any change before the first accepted delivery. A breaking change of a dataset that has data is held as
proposed until a data steward of somebody concerned decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.catalogue import proposals
from hub.catalogue import store as catalogue
from hub.catalogue.proposals import Proposal
from hub.catalogue.states import ProposalState
from hub.catalogue.store import Dataset
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.policy.roles import Permission
from hub.workflows.hub import Hub, authorise, holds, note
from hub.workflows.judging import Judged, judge, judge_proposal, shipped_as
from hub.workflows.naming import who
from hub.workflows.visible import only_visible, visible_dataset
from hub_schemas import Contract
from hub_schemas.changes import next_version

__all__ = [
    "Published", "ShownProposal", "check", "decide", "list_proposals", "names_of", "other_contract", "put_dataset",
    "read_proposal",
]  # fmt: skip

_LONGEST_REASON = 2000


@dataclass(frozen=True)
class Published:
    """What became of a contract: the dataset with the contract now in force, and the proposal where it waits."""

    dataset: Dataset
    contract: Contract
    made: bool
    judged: Judged
    proposal: Proposal | None = None


@dataclass(frozen=True)
class ShownProposal:
    """A proposal with all that it takes to decide, as its reader may see it.

    `publisher` and `proposed_by` are in words; `events` is what the reader may decide now, `why_not` why a data steward
    may not; `reason` is what the one who decided said.
    """

    proposal: Proposal
    dataset: Dataset
    publisher: str
    judged: Judged
    proposed_by: str
    decided_by: str = ""
    reason: str = ""
    events: tuple[str, ...] = ()
    why_not: str = ""


# --- publishing


def check(hub: Hub, principal: Principal, contract_id: str, text: str) -> Judged:
    """What publishing this contract would do, and whom it touches; nothing is kept.

    Raises:
        Invalid: when the text is no contract, or has another id than the address says.
    """
    authorise(principal, Permission.PUSH_DELIVERIES)
    contract = _read(contract_id, text)
    with hub.database.read() as session:
        dataset = catalogue.find_dataset(session, principal.organisation_id, contract.id)
        judged = judge(hub, session, principal.organisation, dataset, contract)
        if judged.outcome == "proposed" and dataset is not None:
            known = proposals.find(session, dataset.id, contract.digest)
            if known is not None and known.state is ProposalState.REJECTED:
                problem = _rejected(hub, session, known, contract)
                return replace(judged, outcome="refused", waits_for=(), problem=problem)
    return judged


def put_dataset(hub: Hub, principal: Principal, contract_id: str, text: str) -> Published:
    """Publish a contract and make the organisation's dataset under it; the same again changes nothing.

    Raises:
        Invalid: when the contract cannot be used, or has another id than the address says.
        Conflict: when its version number does not fit the change, it does not hold what the library's contract
            promises, or it was rejected before.
    """
    authorise(principal, Permission.PUSH_DELIVERIES)
    contract = _read(contract_id, text)
    with hub.database.write() as session:
        dataset = catalogue.find_dataset(session, principal.organisation_id, contract.id, lock=True)
        judged = judge(hub, session, principal.organisation, dataset, contract)
        if dataset is not None and judged.effect == "same":
            return Published(dataset, contract, False, judged)
        if judged.outcome == "refused":
            raise Conflict(judged.problem)
        shipped = shipped_as(contract)  # comments in what was sent are not shown to others
        catalogue.add_contract(session, (shipped or contract).text)
        if dataset is not None and judged.outcome == "proposed":
            return _propose(hub, session, principal, dataset, judged)
        dataset, made = catalogue.put_dataset(session, principal.organisation_id, contract)
        if (aside := proposals.set_aside(session, dataset.id, principal.reference)) is not None:
            note(session, principal, "contract.replaced", aside.id, detail={"dataset": dataset.id})
        note(
            session, principal, "dataset.made" if made else "dataset.contract", dataset.id,
            detail=_detail(contract) | {"effect": judged.effect},
        )  # fmt: skip
    return Published(dataset, contract, made, judged)


def _propose(hub: Hub, session: Session, principal: Principal, dataset: Dataset, judged: Judged) -> Published:
    current = catalogue.contract_by_digest(session, dataset.contract_digest)
    known = proposals.find(session, dataset.id, judged.contract.digest)
    if known is not None and known.state is ProposalState.PROPOSED:
        return Published(dataset, current, False, judged, known)
    if known is not None and known.state is ProposalState.REJECTED:
        raise Conflict(_rejected(hub, session, known, judged.contract))
    before = proposals.open_of(session, dataset.id)
    proposal = proposals.propose(session, dataset, judged.contract, principal.reference)
    if before is not None:
        note(session, principal, "contract.replaced", before.id, detail={"dataset": dataset.id})
    note(
        session, principal, "contract.proposed", proposal.id,
        detail=_detail(judged.contract) | {"dataset": dataset.id, "waits_for": list(judged.waits_for)},
    )  # fmt: skip
    return Published(dataset, current, False, judged, proposal)


def _read(contract_id: str, text: str) -> Contract:
    contract = catalogue.read_contract(text)
    if contract.id != contract_id:
        raise Invalid(f"The contract's id is {contract.id}, the address says {contract_id}.")
    if contract.id.startswith("hub."):
        raise Invalid("Contracts that start with hub. are the hub's own.")
    return contract


def _detail(contract: Contract) -> dict[str, str]:
    return {"contract": contract.id, "version": contract.version, "digest": contract.digest}


# --- proposals


def other_contract(hub: Hub, session: Session, dataset: Dataset, digest: str) -> str:
    """Why a delivery under another contract than the one in force is not taken, and what to do: for its refusal."""
    current = catalogue.contract_by_digest(session, dataset.contract_digest)
    in_force = f"In force for {dataset.contract} is version {current.version}."
    known = proposals.find(session, dataset.id, digest)
    if known is not None and known.state is ProposalState.PROPOSED:
        judged = judge_proposal(
            hub, session, dataset, current.digest, catalogue.contract_by_digest(session, digest)
        )
        return (
            f"Contract {dataset.contract} {known.version} is proposed and not in force yet: the change is breaking, so "
            f"it waits for a data steward of {names_of(session, judged.waits_for)} to accept it (proposal {known.id}). "
            f"{in_force} Deliver under that meanwhile, or wait."
        )
    if known is not None and known.state is ProposalState.REJECTED:
        refused = catalogue.contract_by_digest(session, digest)
        return f"{_rejected(hub, session, known, refused)} {in_force}"
    return (
        f"The delivery was made under another contract than the one published for {dataset.contract}. {in_force} "
        "Publish the new contract first (hub-connector push does it with --contract)."
    )


def _rejected(hub: Hub, session: Session, proposal: Proposal, contract: Contract) -> str:
    reason = hub.vault.open_text(proposal.reason) if proposal.reason else ""
    by = who(session, proposal.decided_by) if proposal.decided_by else "a data steward"
    return (
        f"Contract {contract.id} {proposal.version} was proposed and rejected by {by}"
        f"{': ' + reason.rstrip('.') if reason else ''}. Change it and propose it anew, for example as "
        f"{next_version(contract, ())}."
    )


def names_of(session: Session, slugs: Iterable[str]) -> str:
    """Organisations by their names, joined with "or"; a slug that is none of the hub's stands for itself."""
    known = {item.slug: item.name for item in identities.list_organisations(session)}
    return " or ".join(known.get(slug, slug) for slug in slugs)


def decide(hub: Hub, principal: Principal, proposal_id: str, event: str, reason: str) -> Proposal:
    """Accept or reject a proposed contract.

    Raises:
        Forbidden: for those who may not decide about it, with the reason.
        Invalid: when no reason is given, or the event is another.
        Conflict: when it is decided already, or the dataset has moved on since.
    """
    authorise(principal, Permission.DECIDE_CONTRACTS)
    if event not in ("accept", "reject"):
        raise Invalid("One can accept or reject a proposal.")
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise Invalid(
            f"Say in a few words (at most {_LONGEST_REASON:,} characters) why you decide so; the publisher reads it.",
            fields={"reason": ["missing or too long"]},
        )
    with hub.database.write() as session:
        proposal = _seen(hub, session, principal, proposal_id)
        dataset = catalogue.dataset(session, proposal.dataset_id, lock=True)
        contract = catalogue.contract_by_digest(session, proposal.digest)
        judged = judge_proposal(hub, session, dataset, dataset.contract_digest, contract)
        if proposal.state is ProposalState.PROPOSED:
            if why_not := _why_not(session, principal, proposal, dataset, judged):
                raise Forbidden(why_not)
            if event == "accept" and judged.problem:
                raise Conflict(f"The dataset has moved on since this was proposed. {judged.problem}")
        sealed = hub.vault.seal_text(reason.strip())
        decided = proposals.decide(session, proposal_id, event, principal.reference, sealed)
        if event == "accept":
            catalogue.put_dataset(session, dataset.organisation_id, contract)
        note(
            session, principal, f"contract.{decided.state.value}", proposal_id, reason=sealed,
            detail=_detail(contract)
            | {
                "dataset": dataset.id, "effect": judged.effect,
                "agreements": [item.id for item in judged.touched if item.kind == "agreement"],
                "plugins": [item.id for item in judged.touched if item.kind == "plugin"],
            },
        )  # fmt: skip
    return decided


def _why_not(
    session: Session, principal: Principal, proposal: Proposal, dataset: Dataset, judged: Judged
) -> str:
    """Why a data steward may not decide about a proposal; empty when they may."""
    if principal.reference == proposal.proposed_by:
        return "You proposed this, so somebody else decides about it."
    if principal.organisation not in judged.waits_for:
        others = names_of(session, judged.waits_for)
        return f"This is not yours to decide: a data steward of {others} decides about it."
    if principal.kind == "client" and principal.organisation_id == dataset.organisation_id:
        return "A machine of the organisation that publishes the dataset does not decide about it; a person does."
    return ""


def list_proposals(
    hub: Hub,
    principal: Principal,
    *,
    dataset_id: str | None = None,
    all_states: bool = True,
    limit: int = 100,
) -> list[ShownProposal]:
    """Proposals, newest first: of one dataset if it is named, only those that wait if asked."""
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        state = None if all_states else ProposalState.PROPOSED
        if dataset_id is not None:
            visible_dataset(hub, session, principal, dataset_id)
        found = proposals.list_proposals(session, dataset_id=dataset_id, state=state, limit=limit)
        about = catalogue.datasets_by_id(session, [item.dataset_id for item in found])
        seen = {item.id for item in only_visible(hub, session, principal, about.values())}
        return [_shown(hub, session, principal, item) for item in found if item.dataset_id in seen]


def read_proposal(hub: Hub, principal: Principal, proposal_id: str) -> ShownProposal:
    """One proposal with all that it takes to decide.

    Raises:
        NotFound: when there is none.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        return _shown(hub, session, principal, _seen(hub, session, principal, proposal_id))


def _seen(hub: Hub, session: Session, principal: Principal, proposal_id: str) -> Proposal:
    """A proposal about a dataset that the principal finds; any other does not exist."""
    proposal = proposals.get(session, proposal_id)
    if not only_visible(hub, session, principal, [catalogue.dataset(session, proposal.dataset_id)]):
        raise NotFound(f"There is no proposal {proposal_id}; `hub contracts changes` lists those there are.")
    return proposal


def _shown(hub: Hub, session: Session, principal: Principal, proposal: Proposal) -> ShownProposal:
    dataset = catalogue.dataset(session, proposal.dataset_id)
    contract = catalogue.contract_by_digest(session, proposal.digest)
    waits, steward = (
        proposal.state is ProposalState.PROPOSED,
        holds(principal, Permission.DECIDE_CONTRACTS),
    )
    base = dataset.contract_digest if waits else proposal.base
    judged = judge_proposal(hub, session, dataset, base, contract)
    why_not = _why_not(session, principal, proposal, dataset, judged) if waits and steward else ""
    return ShownProposal(
        proposal, dataset, identities.organisation(session, dataset.organisation_id).name, judged,
        who(session, proposal.proposed_by), who(session, proposal.decided_by) if proposal.decided_by else "",
        hub.vault.open_text(proposal.reason) if proposal.reason else "",
        ("accept", "reject") if waits and steward and not why_not else (), why_not,
    )  # fmt: skip
