"""Agreements: drafted by one person, put into force by another, ended by either."""

from __future__ import annotations

from hub.catalogue import store as catalogue
from hub.errors import Forbidden, Invalid
from hub.identity.principal import Principal
from hub.policy import store as agreements
from hub.policy.agreement import Agreement
from hub.policy.decide import Asked, Decision, decide
from hub.policy.roles import Permission
from hub.workflows.hub import Hub, authorise, note, today
from hub_schemas import library

__all__ = ["change", "draft", "explain", "list_agreements", "read"]


def draft(hub: Hub, principal: Principal, text: str) -> Agreement:
    """Keep a draft, when every dataset and column it names exists.

    Raises:
        Invalid: naming what does not exist.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        agreement = agreements.add(session, text, principal.reference)
        unknown = []
        for terms in agreement.datasets:
            known = _known_columns(session, terms.contract)
            if known is None:
                unknown.append(f"no contract {terms.contract}")
            elif missing := terms.columns - known:
                unknown.append(f"{terms.contract} has no column {', '.join(sorted(missing))}")
        if unknown:
            raise Invalid(f"The agreement names what is not there: {'; '.join(unknown)}.")
        note(session, principal, "agreement.drafted", agreement.id, agreement=agreement.id)
    return agreement


def _known_columns(session: object, contract_id: str) -> frozenset[str] | None:
    datasets = catalogue.datasets_of_contract(session, contract_id)  # type: ignore[arg-type]
    if datasets:
        contract = catalogue.contract_by_digest(session, datasets[0].contract_digest)  # type: ignore[arg-type]
    elif contract_id in library.names():
        contract = library.load(contract_id)
    else:
        return None
    return frozenset(column.name for column in contract.columns)


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
    """Why something is allowed or refused, today."""
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        in_question = agreements.list_all(session)
    return decide(asked if asked.on else Asked(**asked.__dict__ | {"on": today(hub)}), in_question)
