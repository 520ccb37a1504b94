"""Who is touched when a dataset's contract changes: agreements, plugins, and the linking of people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from hub.policy import store as agreements
from hub.policy.agreement import HUB_PUBLISHER
from hub.runs import store as runs
from hub.workflows.fitting import LINKED_ROLES
from hub.workflows.hub import Hub, today
from hub_schemas import Contract
from hub_schemas.changes import Change
from hub_sdk import Manifest

__all__ = ["Consumer", "deciders", "touched"]


@dataclass(frozen=True)
class Consumer:
    """Somebody who reads what changes: an agreement in force, a plugin, or linking.

    `columns` are those of the changed ones that it names, in order; `organisations` the slugs of those who use it.
    """

    kind: Literal["agreement", "plugin", "linking"]
    id: str
    title: str
    columns: tuple[str, ...]
    organisations: tuple[str, ...] = ()


def touched(
    hub: Hub, session: Session, publisher: str, old: Contract, new: Contract, changes: Iterable[Change]
) -> tuple[Consumer, ...]:
    """Who names a column that changes of what `publisher` (slug) publishes under this contract.

    Changes in words touch nobody; a change of the contract as a whole (its key, a rule across columns) touches all.
    """
    concerned = _concerned(old, new, changes)
    if not concerned:
        return ()
    found = []
    for agreement in agreements.active(session, today(hub)):
        named = agreement.columns_from(old.id, publisher)
        if columns := _of(concerned, named):
            found.append(
                Consumer("agreement", agreement.id, agreement.title, columns, agreement.organisations)
            )
    for plugin in runs.list_plugins(session):
        manifest = Manifest.from_json(plugin.manifest)
        reads = {name for item in manifest.inputs if item.contract == old.id for name in item.columns}
        if columns := _of(concerned, reads):
            found.append(Consumer("plugin", plugin.name, manifest.title, columns))
    roles = {
        column.name
        for contract in (old, new)
        for column in contract.columns
        if column.linkage_role in LINKED_ROLES
    }
    if roles and (columns := _of(concerned, roles | set(old.primary_key) | set(new.primary_key))):
        found.append(Consumer("linking", "linking", "Linking of people and households", columns))
    return tuple(found)


def deciders(publisher: str, consumers: Iterable[Consumer]) -> tuple[str, ...]:
    """Whose data stewards may decide: slugs, those most concerned first.

    Where agreements that others use are touched, they decide, or the hub: not the one who publishes. Where nobody else
    is touched, the publisher's own stewards may, and the hub's.
    """
    using = [
        slug
        for item in consumers
        if item.kind == "agreement"
        for slug in item.organisations
        if slug != publisher
    ]
    return tuple(dict.fromkeys([*(using or [publisher]), HUB_PUBLISHER]))


def _concerned(old: Contract, new: Contract, changes: Iterable[Change]) -> tuple[str, ...]:
    """The columns that changes other than in words are about, in the contract's order."""
    real = [change for change in changes if change.effect != "words"]
    names = {change.column for change in real}
    every = dict.fromkeys(column.name for contract in (old, new) for column in contract.columns)
    return tuple(every) if None in names else tuple(name for name in every if name in names)


def _of(concerned: tuple[str, ...], named: Iterable[str]) -> tuple[str, ...]:
    named = set(named)
    return tuple(name for name in concerned if name in named)
