"""Contracts as pages show them: the library's and those that organisations publish, and their versions."""

from __future__ import annotations

from dataclasses import dataclass

from hub.catalogue import search
from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Publication
from hub.errors import NotFound
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.identity.store import Organisation
from hub.policy.roles import Permission
from hub.workflows import visible
from hub.workflows.hub import Hub, authorise
from hub.workflows.linking import left_out
from hub_schemas import Contract, library

__all__ = ["ContractLine", "Publisher", "ShownContract", "contract", "contract_version", "contracts", "history",
           "why_not_linked"]  # fmt: skip


@dataclass(frozen=True)
class Publisher:
    """An organisation's dataset under a contract id, and the contract it has in force."""

    organisation: Organisation
    dataset: Dataset
    contract: Contract


@dataclass(frozen=True)
class ShownContract:
    """A contract with those who publish under its id; `in_library` when it is the library's text."""

    contract: Contract
    in_library: bool
    publishers: tuple[Publisher, ...]


@dataclass(frozen=True)
class ContractLine:
    """A contract in the list: the library's where it has one, else a publisher's; who publishes under the id."""

    id: str
    version: str
    title: str
    in_library: bool
    publishers: tuple[str, ...]


def contracts(hub: Hub, principal: Principal) -> list[ContractLine]:
    """The library's contracts and those that organisations publish, by id."""
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        homes = {item.id: item.name for item in identities.list_organisations(session)}
        published = search.published(session, visible.condition(hub, session, principal))
    found: dict[str, list[tuple[Dataset, str]]] = {}
    for dataset, version in published:
        found.setdefault(dataset.contract, []).append((dataset, version))
    lines, shipped = [], set(library.names())
    for name in sorted({*shipped, *found}):
        publishers = tuple(homes[dataset.organisation_id] for dataset, _ in found.get(name, ()))
        if name in shipped:
            shown = library.load(name)
            lines.append(ContractLine(name, shown.version, shown.title, True, publishers))
        else:
            dataset, version = found[name][0]
            lines.append(ContractLine(name, version, dataset.title, False, publishers))
    return lines


def contract(hub: Hub, principal: Principal, contract_id: str) -> ShownContract:
    """A contract by its id: the library's where it has one, else that of the first to publish under it.

    Raises:
        NotFound: when neither the library nor anybody whose dataset this principal finds has it.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    publishers = _publishers(hub, principal, contract_id)
    if contract_id in library.names():
        return ShownContract(library.load(contract_id), True, publishers)
    if not publishers:
        raise NotFound(
            f"There is no contract {contract_id:.200}: neither the library nor any organisation has one."
        )
    return ShownContract(publishers[0].contract, False, publishers)


def contract_version(hub: Hub, principal: Principal, digest: str) -> ShownContract:
    """One text of a contract, in force, once in force or proposed, by its digest.

    Raises:
        NotFound: when there is none, or only datasets that this principal does not find have or had it.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        found = catalogue.contract_by_digest(session, digest)
        known = found.id in library.names() and library.load(found.id).digest == digest
        if not known and not search.text_is_seen(
            session, visible.condition(hub, session, principal), found.id, digest
        ):
            raise NotFound("There is no contract with this digest.")
    using = tuple(item for item in _publishers(hub, principal, found.id) if item.contract.digest == digest)
    return ShownContract(found, known, using)


def _publishers(hub: Hub, principal: Principal, contract_id: str) -> tuple[Publisher, ...]:
    with hub.database.read() as session:
        homes = {item.id: item for item in identities.list_organisations(session)}
        published = search.published(session, visible.condition(hub, session, principal), [contract_id])
        texts = {
            digest: catalogue.contract_by_digest(session, digest)
            for digest in {dataset.contract_digest for dataset, _ in published}
        }
    return tuple(
        Publisher(homes[dataset.organisation_id], dataset, texts[dataset.contract_digest])
        for dataset, _ in published
    )


def history(hub: Hub, principal: Principal, dataset: Dataset) -> list[Publication]:
    """The versions of its contract that a dataset had in force, newest first."""
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        visible.visible_dataset(hub, session, principal, dataset.id)
        return catalogue.publications(session, dataset.organisation_id, dataset.contract)


def why_not_linked(hub: Hub, principal: Principal, dataset_id: str) -> str:
    """Why a dataset that an agreement allows to link is left out of linking; empty when it is not left out.

    Raises:
        NotFound: when there is none that this principal finds.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        return left_out(hub, session, visible.visible_dataset(hub, session, principal, dataset_id))
