"""Linking people and households across the newest versions, under the agreements that allow it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import structlog

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Version
from hub.identity import store as identities
from hub.identity.principal import Principal, system
from hub.logs import where_it_broke
from hub.policy import store as agreements
from hub.policy.decide import Asked, Grant, decide, whole_file
from hub.policy.roles import Permission
from hub.runs.prepare import INDEX_CONTRACT
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.vault.store import SealedFile, StoredFile
from hub.workflows.hub import Hub, authorise, note, today
from hub_schemas import Contract, library
from hub_schemas.delivery import ROW_NUMBER

__all__ = ["HUB_ORGANISATION", "PEOPLE_CONTRACT", "link_if_needed", "link_now", "linkable", "linked_state"]

HUB_ORGANISATION = "hub"
PEOPLE_CONTRACT = "hub.people"
_WORKER = system("linkage")
_RETRY_SECONDS = 300.0
#: Per hub and set of versions: when a linkage that broke may be tried again, in seconds of the monotonic clock.
_not_before: dict[tuple[str, frozenset[str]], float] = {}
_ROLES = ("forename", "surname", "date_of_birth", "sex", "postcode", "uprn", "nhs_number", "nino", "upn")


@dataclass(frozen=True)
class Linkable:
    """A version that an agreement lets the hub link, with its role columns (role -> column)."""

    dataset: Dataset
    version: Version
    contract: Contract
    roles: dict[str, str]
    grant: Grant
    file: StoredFile


def link_if_needed(hub: Hub) -> bool:
    """Link when a linkable dataset has a version that the person index does not know; False when there is none.

    A linkage that breaks is noted and tried again after a while, so that it does not keep everything else from work.
    """
    wanted = _pending(hub)
    key = (str(hub.settings.dir), wanted)
    if not wanted or time.monotonic() < _not_before.get(key, 0.0):
        return False
    try:
        link_now(hub, _WORKER)
    except Exception as error:
        _not_before[key] = time.monotonic() + _RETRY_SECONDS
        structlog.get_logger().error("people.linking-broke", **where_it_broke(error))
        with hub.database.write() as session:
            note(session, _WORKER, "people.not-linked", detail={"error": type(error).__name__})
        return False
    _not_before.pop(key, None)
    return True


def _pending(hub: Hub) -> frozenset[str]:
    """The versions to link, when the person index was not made from just these; else none."""
    with hub.database.read() as session:
        wanted = frozenset(item.version.id for item in linkable(hub, session, locate=False))
        index = catalogue.current_version(session, INDEX_CONTRACT) if wanted else None
        known = set(catalogue.parents(session, index.id)) if index else set()
    return wanted if wanted != known else frozenset()


def linked_state(hub: Hub) -> dict[str, Any] | None:
    """What the newest linking found, as its audit-safe summary; None when people were never linked."""
    with hub.database.read() as session:
        index = catalogue.current_version(session, INDEX_CONTRACT)
        people = catalogue.current_version(session, PEOPLE_CONTRACT)
        if index is None or people is None:
            return None
        return {
            "version": index.id, "number": index.number, "at": index.accepted_at, "rows": index.rows,
            "people": people.rows, "datasets": len(catalogue.parents(session, index.id)),
        }  # fmt: skip


def link_now(hub: Hub, principal: Principal) -> dict[str, Any]:
    """Link all linkable versions anew; ids of people and households carry over. Returns the summary."""
    from hub.linkage.households import form_households
    from hub.linkage.people import link_people

    if principal.kind != "system":
        authorise(principal, Permission.RUN_LINKAGE)
    started = time.monotonic()
    with hub.database.read() as session:
        sources = linkable(hub, session, locate=True)
        previous = _previous(hub, session)
    if not sources:
        return {"records": 0, "people": 0, "datasets": 0}
    records = pa.concat_tables([_records(hub, source) for source in sources])
    log = structlog.get_logger()
    linked = link_people(
        records, previous.get(INDEX_CONTRACT), progress=lambda text: log.debug("link", step=text),
        memory_mb=hub.settings.linkage_memory_mb,
    )  # fmt: skip
    formed = form_households(linked.people, previous.get(PEOPLE_CONTRACT))
    people = linked.people.join(
        formed.membership.select(["person_id", "household_id"]), keys="person_id", join_type="left outer"
    ).sort_by("person_id")
    index = linked.index.rename_columns(
        ["source_row" if name == ROW_NUMBER else name for name in linked.index.column_names]
    )
    summary = _plain(linked.summary) | {f"households_{k}": v for k, v in _plain(formed.summary).items()}
    summary |= {"datasets": len(sources), "seconds": round(time.monotonic() - started, 1)}
    _keep(hub, principal, people, index, [source.version.id for source in sources], summary)
    log.info("people.linked", **summary)
    return summary


def linkable(hub: Hub, session: Any, *, locate: bool) -> list[Linkable]:
    """Current versions whose contract has linkage roles and which an agreement in force allows to link."""
    found = []
    in_force = agreements.active(session, today(hub))
    for contract_id in sorted({terms.contract for item in in_force for terms in item.datasets}):
        if contract_id.startswith("hub."):
            continue
        for dataset, version in catalogue.current_versions(session, [contract_id])[contract_id]:
            contract = catalogue.contract_by_digest(session, version.contract_digest)
            decision = decide(Asked("link", contract_id, HUB_ORGANISATION, today(hub)), in_force)
            if decision.grant is None:
                continue
            roles = {
                column.linkage_role: column.name
                for column in contract.columns
                if column.linkage_role in _ROLES and decision.grant.permits(column.name)
            }
            if "surname" not in roles:
                continue
            file = hub.vault.locate(session, version.object_key, version.binding) if locate else None
            found.append(Linkable(dataset, version, contract, roles, decision.grant, file))  # type: ignore[arg-type]
    return found


def _records(hub: Hub, source: Linkable) -> pa.Table:
    """A version's rows in the form that linking reads; rows about nobody are left out."""
    import pyarrow.compute as pc

    from hub.linkage.prepare import RECORDS

    keys = [name for name in source.contract.primary_key if source.grant.permits(name)]
    as_at = source.contract.coverage_column
    extra = [as_at] if as_at and source.grant.permits(as_at) else []
    wanted = list(dict.fromkeys([ROW_NUMBER, *source.roles.values(), *keys, *extra]))
    table = hub.vault.read(source.file, wanted, source.grant)
    somebody: Any = pa.array([False] * table.num_rows, pa.bool_())
    for role in ("surname", "nhs_number", "nino", "upn"):
        if role in source.roles:
            somebody = pc.or_(somebody, pc.is_valid(table[source.roles[role]]))
    table = table.filter(somebody)
    key_columns = keys or [ROW_NUMBER]
    columns: dict[str, Any] = {
        "record_key": hub.vault.row_keys(
            source.dataset.id, [table[name].combine_chunks() for name in key_columns]
        ),
        "dataset": pa.array([source.contract.id] * table.num_rows),
        "version_id": pa.array([source.version.id] * table.num_rows),
        ROW_NUMBER: table[ROW_NUMBER],
    }
    for field in RECORDS:
        if field.name in columns:
            continue
        name = source.roles.get(field.name) or (extra[0] if field.name == "as_at" and extra else None)
        values = table[name] if name else pa.nulls(table.num_rows, field.type)
        columns[field.name] = pc.cast(values, field.type) if values.type != field.type else values
    return pa.table(columns).select(RECORDS.names).cast(RECORDS)


def _previous(hub: Hub, session: Any) -> dict[str, pa.Table]:
    """The person index and the people table of the last linking."""
    found = {}
    for contract, columns in (
        (
            INDEX_CONTRACT,
            ["record_key", "dataset", "version_id", "source_row", "person_id", "method", "probability"],
        ),
        (PEOPLE_CONTRACT, ["person_id", "household_id", "uprn"]),
    ):
        version = catalogue.current_version(session, contract)
        if version is None:
            return {}
        file = hub.vault.locate(session, version.object_key, version.binding)
        table = hub.vault.read(file, columns, whole_file(contract, "linking goes on from the last linking"))
        found[contract] = table.rename_columns(
            [ROW_NUMBER if name == "source_row" else name for name in columns]
        )
    return found


def _keep(
    hub: Hub,
    principal: Principal,
    people: pa.Table,
    index: pa.Table,
    parents: Sequence[str],
    summary: dict[str, Any],
) -> None:
    """Both tables become versions of the hub's own datasets, in one transaction."""
    prepared = []
    for contract_id, table in ((PEOPLE_CONTRACT, people), (INDEX_CONTRACT, index)):
        contract = library.load(contract_id)
        with hub.database.write() as session:
            home = identities.find_organisation(session, HUB_ORGANISATION)
            catalogue.add_contract(session, contract.text)
            dataset, _ = catalogue.put_dataset(session, home.id, contract)
            number = catalogue.next_number(session, dataset.id)
        version = Version(
            id=new_id("ver"), dataset_id=dataset.id, number=number, contract_digest=contract.digest,
            object_key="", origin="linkage", rows=table.num_rows, accepted_at=utc_now(), period_start=None,
            period_end=None,
        )  # fmt: skip
        owner = hub.vault.new_owner(version.id)
        prepared.append((version, owner, _write(hub, version, owner, contract, table)))
    with hub.database.write() as session:
        for version, owner, file in prepared:
            hub.vault.register(session, owner, [file])
            catalogue.add_version(
                session, Version(**version.__dict__ | {"object_key": file.object_key}), parents
            )
        note(session, principal, "people.linked", prepared[1][0].id, detail=summary)


def _write(hub: Hub, version: Version, owner: Any, contract: Contract, table: pa.Table) -> SealedFile:
    schema = pa.schema([pa.field(ROW_NUMBER, pa.int64(), nullable=False), *contract.arrow_schema()])
    numbered = table.append_column(ROW_NUMBER, pa.array(range(1, table.num_rows + 1), pa.int64()))
    classes = {ROW_NUMBER: "open", **{column.name: column.classification for column in contract.columns}}
    return hub.vault.write(
        owner,
        f"versions/{version.id}/rows.parquet",
        version.binding,
        [numbered.select(schema.names)],
        schema,
        classes,
    )


def _plain(summary: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        name: value for name, value in asdict(summary).items() if isinstance(value, int | float | str | dict)
    }
