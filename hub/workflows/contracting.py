"""Contracts: an organisation publishes one, and its dataset under it."""

from __future__ import annotations

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset
from hub.errors import Invalid
from hub.identity.principal import Principal
from hub.policy.roles import Permission
from hub.workflows.hub import Hub, authorise, note
from hub_schemas import Contract

__all__ = ["put_dataset"]


def put_dataset(
    hub: Hub, principal: Principal, contract_id: str, text: str
) -> tuple[Dataset, Contract, bool]:
    """Publish a contract and make the organisation's dataset under it; True when the dataset is new.

    Raises:
        Invalid: when the contract cannot be used, or has another id than the address says.
    """
    authorise(principal, Permission.PUSH_DELIVERIES)
    with hub.database.write() as session:
        contract = catalogue.add_contract(session, text)
        if contract.id != contract_id:
            raise Invalid(f"The contract's id is {contract.id}, the address says {contract_id}.")
        if contract.id.startswith("hub."):
            raise Invalid("Contracts that start with hub. are the hub's own.")
        dataset, made = catalogue.put_dataset(session, principal.organisation_id, contract)
        note(
            session, principal, "dataset.made" if made else "dataset.contract", dataset.id,
            detail={"contract": contract.id, "version": contract.version, "digest": contract.digest},
        )  # fmt: skip
    return dataset, contract, made
