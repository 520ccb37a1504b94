"""Agreements: drafted by one person, put into force by another, ended by either."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.errors import Forbidden, Invalid
from hub.identity.principal import Principal
from hub.policy import store as agreements
from hub.policy.agreement import Agreement, DatasetTerms
from hub.policy.decide import Asked, Decision, decide_for_any
from hub.policy.roles import Permission
from hub.workflows.coarseness import coarse_problems
from hub.workflows.granting import slugs
from hub.workflows.hub import Hub, authorise, note, today
from hub_schemas import Contract, library

__all__ = ["change", "draft", "explain", "list_agreements", "read"]


def draft(hub: Hub, principal: Principal, text: str) -> Agreement:
    """Keep a draft, when every dataset, column and publisher it names exists.

    Raises:
        Invalid: naming what does not exist.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        agreement = agreements.add(session, text, principal.reference)
        publishers = slugs(session)
        unknown, contracts = [], {}
        for terms in agreement.datasets:
            if nobody := _nobody(agreement, terms, set(publishers.values())):
                unknown.append(nobody)
            contracts[terms.contract] = _known_contracts(session, terms.contract, agreement, publishers)
            known = {column.name for contract in contracts[terms.contract] for column in contract.columns}
            if not contracts[terms.contract]:
                unknown.append(f"no contract {terms.contract}")
            elif missing := terms.columns - known:
                unknown.append(f"{terms.contract} has no column {', '.join(sorted(missing))}")
        if unknown:
            raise Invalid(f"The agreement names what is not there: {'; '.join(unknown)}.")
        if problems := coarse_problems(agreement, contracts):
            raise Invalid(f"The agreement cannot generalise so: {'; '.join(problems)}.")
        note(session, principal, "agreement.drafted", agreement.id, agreement=agreement.id)
    return agreement


def _nobody(agreement: Agreement, terms: DatasetTerms, registered: set[str]) -> str:
    """What is wrong with whom an entry names as publishers; empty when it names organisations of this hub."""
    if terms.contract.startswith("hub."):
        return ""
    if unknown := sorted(set(terms.publishers) - registered):
        return f"no organisation {', '.join(unknown)}, named as a publisher of {terms.contract}"
    if not terms.publishers and not set(agreement.controllers) & registered:
        return (
            f"nobody who publishes {terms.contract} (none of the controllers is the slug of an organisation of this "
            "hub; add `publishers:` with the slugs of those whose data it is)"
        )
    return ""


def _known_contracts(
    session: Session, contract_id: str, agreement: Agreement, publishers: Mapping[str, str]
) -> list[Contract]:
    """What the library or the publishers an agreement names know under a contract id."""
    named = agreement.publishers_of(contract_id)
    contracts = [
        catalogue.contract_by_digest(session, dataset.contract_digest)
        for dataset in catalogue.datasets_of_contract(session, contract_id)
        if publishers[dataset.organisation_id] in named
    ]
    if contract_id in library.names():
        contracts.append(library.load(contract_id))
    return contracts


def change(hub: Hub, principal: Principal, agreement_id: str, act: str) -> Agreement:
    """Activate or withdraw an agreement; nobody activates their own draft.

    Raises:
        Forbidden: for the one who drafted it.
        Conflict: when its state does not allow the act.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        if act == "activate" and agreements.drafted_by(session, agreement_id) == principal.reference:
            raise Forbidden("You drafted this agreement, so somebody else must put it into force.")
        agreement = agreements.change_state(session, agreement_id, act, principal.reference)
        note(session, principal, f"agreement.{agreement.state.value}", agreement_id, agreement=agreement_id)
    return agreement


def read(hub: Hub, principal: Principal, agreement_id: str) -> tuple[Agreement, str]:
    """An agreement and its YAML."""
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        return agreements.get(session, agreement_id), agreements.get_text(session, agreement_id)


def list_agreements(hub: Hub, principal: Principal) -> list[Agreement]:
    """All agreements."""
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        return agreements.list_all(session)


def explain(hub: Hub, principal: Principal, asked: Asked) -> Decision:
    """Why something is allowed or refused, today; for any publisher where the question names none."""
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        in_question = agreements.list_all(session)
    return decide_for_any(asked if asked.on else Asked(**asked.__dict__ | {"on": today(hub)}), in_question)
