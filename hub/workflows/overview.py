"""Looking around: what is happening, the catalogue, deliveries and runs, as far as the principal may see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from hub.audit import log as audit_log
from hub.catalogue import search
from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Version
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.identity.store import Organisation
from hub.intake import history
from hub.intake import store as intake
from hub.intake.ledger import unpack
from hub.intake.store import Delivery, FaultCount
from hub.intake.verify import quarantine_binding
from hub.policy.decide import whole_file
from hub.policy.roles import Permission
from hub.policy.scope import may_see_log, whole_hub
from hub.rights.leftout import left_out
from hub.runs import lists as run_lists
from hub.runs import store as runs
from hub.runs.states import ResultState
from hub.runs.store import Plugin, Result, Run
from hub.workflows import visible
from hub.workflows.granting import slugs
from hub.workflows.hub import Hub, authorise, holds, note
from hub.workflows.linking import linked_state
from hub.workflows.naming import who
from hub.workflows.publish import own_delivery, scope
from hub.workflows.scoping import agreements_of_runs, held_under, run_seen
from hub_schemas import FAULT_SCHEMA, Contract, library

if TYPE_CHECKING:
    from hub.runs.sandbox import Isolation

__all__ = ["DatasetPage", "DeliveryPage", "Home", "contracts", "dataset_page", "deliveries",
           "delivery_page", "faults", "home", "isolation", "opted_out", "plugins", "run_page", "runs_page", "versions",
           "waiting"]  # fmt: skip


@dataclass
class Home:
    """What is happening."""

    deliveries: list[tuple[Delivery, Dataset, Organisation]] = field(default_factory=list)
    runs: list[tuple[Run, Result | None]] = field(default_factory=list)
    linked: dict[str, Any] | None = None
    held: list[tuple[Run, Result]] = field(default_factory=list)
    datasets: int = 0
    waiting: int | None = None


@dataclass(frozen=True)
class DatasetPage:
    """A dataset with its contract, its versions and its last deliveries (None for those who may not see them)."""

    dataset: Dataset
    organisation: Organisation
    contract: Contract
    versions: list[Version]
    deliveries: list[Delivery] | None


@dataclass(frozen=True)
class DeliveryPage:
    """A delivery with what was wrong in it, by rule and column, its contract, and who sent it in words."""

    delivery: Delivery
    dataset: Dataset
    organisation: Organisation
    version: Version | None
    faults: list[FaultCount]
    contract: Contract
    sender: str
    replays: list[str]


def home(hub: Hub, principal: Principal) -> Home:
    """What is happening, as far as the principal's roles show it."""
    page = Home()
    with hub.database.read() as session:
        page.datasets = search.count(session, visible.condition(hub, session, principal))
        if whole_hub(principal, Permission.READ_RUNS):
            page.waiting = history.waiting(session) + runs.waiting(session)
        if holds(principal, Permission.READ_DELIVERIES):
            recent = history.list_recent(session, limit=10, organisation_id=scope(principal))
            known = catalogue.datasets_by_id(session, [item.dataset_id for item in recent])
            homes = {item.id: item for item in identities.list_organisations(session)}
            page.deliveries = [(item, known[item.dataset_id], homes[item.organisation_id]) for item in recent]
        if holds(principal, Permission.READ_RUNS):
            page.runs = run_lists.runs(session, under=agreements_of_runs(session, principal), limit=5)
        if holds(principal, Permission.REVIEW_RESULTS):
            page.held = run_lists.results(
                session, kept={}, held=held_under(session, principal), author=principal.reference,
                state=ResultState.HELD,
            )  # fmt: skip
        linked = audit_log.recent(session, limit=1, action="people.linked")
    page.linked = linked_state(hub)
    if page.linked is not None and linked:
        page.linked["households"] = linked[0].content["detail"].get("households_households")
    return page


def dataset_page(hub: Hub, principal: Principal, dataset_id: str) -> DatasetPage:
    """One dataset; its deliveries only for its own organisation and those who serve the whole hub.

    Raises:
        NotFound: when there is none that this principal finds.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        dataset = visible.visible_dataset(hub, session, principal, dataset_id)
        mine = scope(principal) in (None, dataset.organisation_id)
        shown = mine and holds(principal, Permission.READ_DELIVERIES)
        return DatasetPage(
            dataset,
            identities.organisation(session, dataset.organisation_id),
            catalogue.contract_by_digest(session, dataset.contract_digest),
            catalogue.versions(session, dataset_id),
            history.list_recent(session, limit=20, dataset_id=dataset_id) if shown else None,
        )


def deliveries(
    hub: Hub, principal: Principal, *, before: tuple[datetime, str] | None = None, limit: int = 50
) -> list[tuple[Delivery, Dataset]]:
    """Deliveries, newest first."""
    authorise(principal, Permission.READ_DELIVERIES)
    with hub.database.read() as session:
        found = history.list_recent(session, limit=limit, before=before, organisation_id=scope(principal))
        known = catalogue.datasets_by_id(session, [item.dataset_id for item in found])
        return [(item, known[item.dataset_id]) for item in found]


def delivery_page(hub: Hub, principal: Principal, delivery_id: str) -> DeliveryPage:
    """One delivery.

    Raises:
        NotFound: when it is not there for this principal.
    """
    authorise(principal, Permission.READ_DELIVERIES)
    with hub.database.read() as session:
        delivery = own_delivery(session, principal, delivery_id)
        dataset = catalogue.dataset(session, delivery.dataset_id)
        return DeliveryPage(
            delivery, dataset, identities.organisation(session, delivery.organisation_id),
            catalogue.version(session, delivery.version_id) if delivery.version_id else None,
            history.fault_counts(session, delivery_id),
            catalogue.contract_by_digest(session, delivery.manifest["contract"]["digest"]),
            who(session, f"client:{delivery.client_id}"), history.replays_of(session, delivery_id),
        )  # fmt: skip


def faults(hub: Hub, principal: Principal, delivery_id: str) -> pa.Table:
    """Every fault of a delivery (FAULT_SCHEMA, personal values masked), by row; for its own organisation.

    Rows that came mended since, in a replay, are left out: what is listed is what is still to be done.
    """
    authorise(principal, Permission.READ_DELIVERIES)
    with hub.database.read() as session:
        delivery = own_delivery(session, principal, delivery_id)
        files = [
            hub.vault.locate(
                session, delivery.quarantine[role]["object"], quarantine_binding(delivery_id, role)
            )
            for role in ("faults", "faults-by-hub")
            if role in delivery.quarantine
        ]
        packed = intake.open_rows(session, delivery_id) if delivery.replayed else None
    grant = whole_file("faults", "the department reads its own fault report")
    tables = [hub.vault.read(file, FAULT_SCHEMA.names, grant) for file in files]
    with hub.database.write() as session:
        note(session, principal, "faults.read", delivery_id)
    table = pa.concat_tables(tables) if tables else FAULT_SCHEMA.empty_table()
    if packed is not None:
        still_open = pa.array(unpack(packed, delivery.sent))
        table = table.filter(pc.or_(pc.is_null(table["row"]), pc.is_in(table["row"], still_open)))
    return table.sort_by([("row", "ascending"), ("column", "ascending")])


def plugins(hub: Hub, principal: Principal) -> list[Plugin]:
    """The plugins that are registered."""
    authorise(principal, Permission.READ_RUNS)
    with hub.database.read() as session:
        return runs.list_plugins(session)


def isolation(hub: Hub, principal: Principal) -> Isolation:
    """How well plugins are kept apart on this machine, found by trying (once)."""
    authorise(principal, Permission.READ_RUNS)
    return hub.sandbox().isolation()


def contracts(
    hub: Hub, principal: Principal, ids: Iterable[str], publishers: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Contract]:
    """Contracts by id; those that nobody knows, or the principal may not know of, are left out.

    With `publishers` (contract id -> slugs, as an agreement names them) as one of these has it now, else as the library
    has it; without, the library's comes first, so that nobody's text stands for it.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    found = {}
    with hub.database.read() as session:
        slug_of = slugs(session)
        wanted = sorted(set(ids))
        seen: dict[str, list[Dataset]] = {}
        for item, _ in search.published(session, visible.condition(hub, session, principal), wanted):
            seen.setdefault(item.contract, []).append(item)
        for contract_id in wanted:
            known = contract_id in library.names()
            datasets = [
                item
                for item in seen.get(contract_id, ())
                if publishers is None or slug_of[item.organisation_id] in publishers.get(contract_id, ())
            ]
            if datasets and (publishers is not None or not known):
                found[contract_id] = catalogue.contract_by_digest(session, datasets[-1].contract_digest)
            elif known:
                found[contract_id] = library.load(contract_id)
    return found


def versions(
    hub: Hub, principal: Principal, ids: Sequence[str]
) -> dict[str, tuple[Version, Dataset, Organisation]]:
    """Versions by id, with their datasets and who publishes them; of datasets that the principal finds."""
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        homes = {item.id: item for item in identities.list_organisations(session)}
        known = catalogue.versions_by_id(session, ids)
        about = catalogue.datasets_by_id(session, [item.dataset_id for item in known.values()])
        seen = {item.id: item for item in visible.only_visible(hub, session, principal, about.values())}
    return {
        version.id: (version, dataset, homes[dataset.organisation_id])
        for version in known.values()
        if (dataset := seen.get(version.dataset_id)) is not None
    }


def runs_page(
    hub: Hub, principal: Principal, *, before: str | None = None, limit: int = 50, plugin: str | None = None
) -> list[tuple[Run, Result | None]]:
    """Runs that the principal sees, with their results, newest first; of one plugin if it is named."""
    authorise(principal, Permission.READ_RUNS)
    with hub.database.read() as session:
        under = agreements_of_runs(session, principal)
        return run_lists.runs(session, under=under, limit=limit, before=before, plugin=plugin)


def run_page(hub: Hub, principal: Principal, run_id: str) -> tuple[Run, Result | None]:
    """One run and its result; with the plugin's log in the clear for those it ran for.

    Raises:
        NotFound: when it is not there for this principal.
    """
    authorise(principal, Permission.READ_RUNS)
    with hub.database.read() as session:
        run, result = run_seen(session, principal, run_id), runs.result_of_run(session, run_id)
        shown = run.log and may_see_log(principal, run.organisation)
        log = hub.vault.open_text_of(session, run.id, run.log) if shown else ""
    return replace(run, log=log), result


def opted_out(hub: Hub, principal: Principal, run_id: str) -> str:
    """How many rows the national data opt-out took out of a run, in words that point at nobody; empty without it."""
    authorise(principal, Permission.READ_RUNS)
    with hub.database.read() as session:
        run_seen(session, principal, run_id)
        found = left_out(session, run_id)
    return found.rows if found is not None else ""


def waiting(hub: Hub) -> dict[str, int]:
    """How much work waits, for health and metrics."""
    with hub.database.read() as session:
        return {"deliveries": history.waiting(session), "runs": runs.waiting(session)}
