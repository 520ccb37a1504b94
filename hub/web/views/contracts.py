"""Contracts: the list, one of them, and a dataset with the changes of its contract, about which stewards decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import flash, redirect, request, url_for

from hub.errors import Forbidden, Invalid
from hub.policy.roles import Permission, require
from hub.web import pages
from hub.web.forms import ContractDecisionForm
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.views.common import i_may, name_of_slug
from hub.workflows import cataloguing, contracting
from hub_schemas.pages import describe

if TYPE_CHECKING:
    from hub.workflows.cataloguing import ShownContract
    from hub.workflows.consumers import Consumer
    from hub.workflows.contracting import ShownProposal
    from hub.workflows.hub import Hub

__all__ = ["VIEWS", "decided", "proposal_line"]

_DONE = {"accept": "The change is in force.", "reject": "The change was rejected."}


def contracts(hub: Hub) -> Any:
    """The library's contracts and those of organisations' own."""
    lines = cataloguing.contracts(hub, me())
    return render(
        pages.ContractsPage(
            library=tuple(line for line in lines if line.in_library and not line.id.startswith("hub.")),
            others=tuple(line for line in lines if not line.in_library),
        )
    )


def contract(hub: Hub, contract_id: str) -> Any:
    """One contract by its id."""
    return render(_page(cataloguing.contract(hub, me(), contract_id)))


def contract_version(hub: Hub, digest: str) -> Any:
    """One version of a contract, in force or proposed."""
    return render(_page(cataloguing.contract_version(hub, me(), digest)))


def _page(shown: ShownContract) -> pages.ContractPage:
    return pages.ContractPage(
        contract=describe(shown.contract),
        in_library=shown.in_library,
        used_by=tuple(
            pages.UsedBy(item.dataset.id, item.organisation.name, item.contract.version)
            for item in shown.publishers
        ),
    )


# --- changes, on the dataset's page


def proposal_line(hub: Hub, shown: ShownProposal) -> pages.ProposalLine:
    """A proposed contract as the dataset's page shows it."""
    proposal, judged = shown.proposal, shown.judged
    waits = proposal.state == "proposed"
    return pages.ProposalLine(
        proposal.id, proposal.version, proposal.digest,
        "turned down" if proposal.state == "rejected" else proposal.state.value, judged.effect, judged.changes,
        tuple(_touched(hub, item) for item in judged.touched), proposal.proposed_at, shown.proposed_by,
        " or ".join(name_of_slug(hub, slug) for slug in judged.waits_for) if waits else "",
        judged.problem if waits else "", proposal.decided_at, shown.decided_by, shown.reason,
    )  # fmt: skip


def _touched(hub: Hub, item: Consumer) -> pages.TouchedLine:
    href = ""
    if item.kind == "agreement" and i_may(Permission.READ_AGREEMENTS):
        href = url_for("web.agreement", agreement_id=item.id)
    elif item.kind == "plugin" and i_may(Permission.READ_RUNS):
        href = url_for("web.plugin", name=item.id)
    names = tuple(name_of_slug(hub, slug) for slug in item.organisations)
    return pages.TouchedLine(item.kind, item.title, href, item.columns, names)


def decided(
    hub: Hub, dataset_id: str, waiting: ShownProposal | None
) -> tuple[ContractDecisionForm | None, Any]:
    """The form for the proposal that waits, where the reader may decide; and where to go once they have."""
    form = ContractDecisionForm() if waiting is not None and waiting.events else None
    if request.method != "POST":
        return form, None
    if waiting is None:
        raise Invalid("No change of this contract waits for a decision. Open the dataset anew.")
    if form is None:
        require(me().roles, Permission.DECIDE_CONTRACTS)
        raise Forbidden(waiting.why_not)
    if form.validate_on_submit():
        contracting.decide(hub, me(), waiting.proposal.id, form.decision.data, form.reason.data)
        flash(_DONE[form.decision.data])
        return form, redirect(url_for("web.dataset", dataset_id=dataset_id), 303)
    return form, None


VIEWS = {"contracts": contracts, "contract": contract, "contract_version": contract_version}
