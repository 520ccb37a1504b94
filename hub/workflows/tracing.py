"""What a dataset came from and what came of it: deliveries, versions, linkings, runs and results.

Each thing that is named is one that the reader may see; what they may not see is not there, and no number tells of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from sqlalchemy.orm import Session

from hub.catalogue import lineage
from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Version
from hub.errors import NotFound
from hub.identity.principal import Principal
from hub.intake import store as intake
from hub.policy.roles import Permission
from hub.runs import lists as run_lists
from hub.workflows.hub import Hub, authorise, holds
from hub.workflows.publish import scope
from hub.workflows.scoping import agreements_of_runs, kept_since
from hub.workflows.visible import only_visible, visible_dataset

__all__ = ["Lineage", "Place", "trace"]

Kind = Literal["delivery", "version", "run", "result"]
#: So many of the newest versions are followed, so many newest ones of other datasets named, and so many of the newest
#: runs looked through.
VERSIONS: Final = 20
OTHERS: Final = 50
RUNS: Final = 500


@dataclass(frozen=True)
class Place:
    """Something in a lineage. `title` is the dataset's or the plugin's; `dataset_id` where it is a version."""

    id: str
    kind: Kind
    title: str
    at: datetime
    state: str = ""
    dataset_id: str = ""
    number: int | None = None


@dataclass
class Lineage:
    """What came before a dataset's versions, these versions, and what came after; `edges` lead from cause to effect."""

    upstream: list[Place] = field(default_factory=list)
    versions: list[Place] = field(default_factory=list)
    downstream: list[Place] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)


def trace(hub: Hub, principal: Principal, dataset_id: str) -> Lineage:
    """The lineage of a dataset's newest versions.

    Raises:
        NotFound: when there is no dataset that this principal finds.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        dataset = visible_dataset(hub, session, principal, dataset_id)
        versions = catalogue.versions(session, dataset_id, limit=VERSIONS)
        found = Lineage(versions=[_version(item, dataset) for item in versions])
        ours = {item.id for item in versions}
        _deliveries(session, principal, dataset, versions, found)
        parents = lineage.edges_into(session, ours)
        kept = _other_versions(
            hub, session, principal, {parent for _, parent in parents} - ours, found.upstream
        )
        found.edges += [(parent, child) for child, parent in parents if parent in kept | ours]
        made = _children(hub, session, principal, ours, found)
        _runs(hub, session, principal, ours | made, found)
    return found


def _version(item: Version, dataset: Dataset) -> Place:
    return Place(
        item.id, "version", dataset.title, item.accepted_at, dataset_id=dataset.id, number=item.number,
        state="current" if item.id == dataset.current_version else "",
    )  # fmt: skip


def _deliveries(
    session: Session, principal: Principal, dataset: Dataset, versions: Iterable[Version], found: Lineage
) -> None:
    """The deliveries that became versions, for those who may see the dataset's deliveries."""
    mine = scope(principal) in (None, dataset.organisation_id)
    if not (mine and holds(principal, Permission.READ_DELIVERIES)):
        return
    for item in versions:
        try:
            delivery = intake.get(session, item.origin)
        except NotFound:
            continue  # made by the hub itself
        found.upstream.append(
            Place(delivery.id, "delivery", dataset.title, delivery.created_at, delivery.state.value)
        )
        found.edges.append((delivery.id, item.id))


def _other_versions(
    hub: Hub, session: Session, principal: Principal, ids: set[str], into: list[Place]
) -> set[str]:
    """Adds the versions of datasets that the principal finds; returns their ids."""
    versions = catalogue.versions_by_id(session, sorted(ids)) if ids else {}
    datasets = catalogue.datasets_by_id(session, [item.dataset_id for item in versions.values()])
    seen = {item.id: item for item in only_visible(hub, session, principal, datasets.values())}
    shown = [item for item in versions.values() if item.dataset_id in seen]
    shown.sort(key=lambda item: (item.accepted_at, item.id), reverse=True)
    shown = shown[:OTHERS]
    into += [_version(item, seen[item.dataset_id]) for item in shown]
    return {item.id for item in shown}


def _children(hub: Hub, session: Session, principal: Principal, ours: set[str], found: Lineage) -> set[str]:
    """The versions that were made from ours, at any remove; what the principal does not find ends the trail."""
    every = lineage.edges_below(session, ours)
    children = {child for _, child in every} - ours
    shown = _other_versions(hub, session, principal, children, found.downstream)
    found.edges += [(parent, child) for parent, child in every if child in shown and parent in shown | ours]
    return shown


def _runs(hub: Hub, session: Session, principal: Principal, versions: set[str], found: Lineage) -> None:
    """Runs that read one of the versions, and their results, as far as the principal sees them."""
    if not holds(principal, Permission.READ_RUNS) or not versions:
        return
    under = agreements_of_runs(session, principal)
    kept = kept_since(hub, session, principal) if holds(principal, Permission.READ_RESULTS) else {}
    for run, result in run_lists.runs(session, under=under, limit=RUNS):
        read = sorted(versions & {item for ids in run.inputs.values() for item in ids})
        if not read:
            continue
        found.downstream.append(Place(run.id, "run", run.plugin, run.queued_at, run.state.value))
        found.edges += [(item, run.id) for item in read]
        since = kept.get(run.agreement_id)
        if result is not None and result.state == "released" and since and result.created_at >= since:
            found.downstream.append(
                Place(result.id, "result", run.plugin, result.created_at, result.state.value)
            )
            found.edges.append((run.id, result.id))
