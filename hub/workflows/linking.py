"""Linking people and households across the newest versions, under the agreements that allow it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import structlog

from hub.audit import log as audit_log
from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Version
from hub.identity import store as identities
from hub.identity.principal import Principal, system
from hub.insights import serving
from hub.insights import store as insights
from hub.logs import where_it_broke
from hub.policy import store as agreements
from hub.policy.agreement import HUB_PUBLISHER
from hub.policy.decide import Asked, Grant, whole_file
from hub.policy.roles import Permission
from hub.runs.prepare import INDEX_CONTRACT
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.vault.serving import add_files
from hub.vault.store import SealedFile, StoredFile
from hub.workflows.fitting import linkage_roles, misfit
from hub.workflows.granting import Readable, readable, slugs
from hub.workflows.hub import Hub, authorise, note, today
from hub_schemas import Contract, library
from hub_schemas.delivery import ROW_NUMBER

__all__ = [
    "HUB_ORGANISATION", "PEOPLE_CONTRACT", "left_out", "link_if_needed", "link_now", "linkable", "linked_state",
    "linked_versions",
]  # fmt: skip

HUB_ORGANISATION = HUB_PUBLISHER
PEOPLE_CONTRACT = "hub.people"
_WORKER = system("linkage")
_RETRY_SECONDS = 300.0
#: Per hub and set of versions: when a linkage that broke may be tried again, in seconds of the monotonic clock.
_not_before: dict[tuple[str, frozenset[str]], float] = {}
#: Per hub: versions that do not fit and of which the audit log says so already.
_told: set[tuple[str, str]] = set()
_MISFIT = "dataset.not-linked"


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

    Datasets that do not fit are left out, and the audit log says so once for each version. A linkage that
    breaks is noted and tried again after a while, so that it does not keep everything else from work.
    """
    wanted = _pending(hub)
    key = (str(hub.settings.dir), wanted)
    if not wanted or time.monotonic() < _not_before.get(key, 0.0):
        return _serve_if_needed(hub)
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
        fitting, misfits = _sorted_out(hub, session)
        wanted = frozenset(item.version.id for item, _ in fitting)
        index = catalogue.current_version(session, INDEX_CONTRACT) if wanted else None
        known = set(catalogue.parents(session, index.id)) if index else set()
    _tell(hub, misfits)
    return wanted if wanted != known else frozenset()


def _serve_if_needed(hub: Hub) -> bool:
    """Make the copies for look-ups of a linking that has none: made before there were any, or they broke."""
    with hub.database.read() as session:
        linked = linked_versions(session)
        linking = insights.linking_of(session, linked[0].id) if linked else None
    if linked is None or linking is None or linking.copies:
        return False
    key = (str(hub.settings.dir), frozenset({linking.id}))
    if time.monotonic() < _not_before.get(key, 0.0):
        return False
    _not_before[key] = time.monotonic() + _RETRY_SECONDS
    try:
        _serve(hub, linking.id, *linked)
    except Exception as error:
        structlog.get_logger().error("serving.broke", **where_it_broke(error))
        return False
    del _not_before[key]
    return True


def _serve(hub: Hub, linking_id: str, people: Version, index: Version) -> None:
    """Make the copies of a linking that is there already."""
    with hub.database.read() as session:
        files = [hub.vault.locate(session, item.object_key, item.binding) for item in (people, index)]
        sources = serving.sources_of(hub.vault, session, index.id)
    everybody, links = (
        hub.vault.read(
            file,
            [column.name for column in library.load(contract_id).columns],
            whole_file(contract_id, "copies for look-ups"),
        )
        for contract_id, file in zip((PEOPLE_CONTRACT, INDEX_CONTRACT), files, strict=True)
    )
    copies = serving.build(
        hub.vault, hub.objects, files[0].key, linking_id, people.id, everybody, links, sources
    )
    with hub.database.write() as session:
        add_files(session, people.id, list(copies.values()))
        retired = serving.put_into_use(session, people.id, copies)
    serving.remove(hub.objects, retired)


def linked_versions(session: Any) -> tuple[Version, Version] | None:
    """The people table and the person index of the newest linking, never of two; None when nobody was linked.

    The index is found by the people table: between two statements a newer linking may have come in.
    """
    people = catalogue.current_version(session, PEOPLE_CONTRACT)
    if people is None:
        return None
    linking = insights.linking_of(session, people.id)
    if linking is not None:
        return people, catalogue.version(session, linking.person_index)
    index = catalogue.current_version(session, INDEX_CONTRACT)  # of a hub that came from elsewhere
    return (people, index) if index else None


def linked_state(hub: Hub) -> dict[str, Any] | None:
    """What the newest linking found, as its audit-safe summary; None when people were never linked."""
    with hub.database.read() as session:
        if (linked := linked_versions(session)) is None:
            return None
        people, index = linked
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
        misfits = _sorted_out(hub, session)[1]
        previous = _previous(hub, session)
    _tell(hub, misfits)
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
    if misfits:
        summary["left_out"] = {item.name: reason for item, reason in misfits}
    _keep(hub, principal, people, index, sources, summary)
    log.info("people.linked", **summary)
    return summary


def linkable(hub: Hub, session: Any, *, locate: bool) -> list[Linkable]:
    """Current versions that fit and that an agreement in force, naming their publisher, allows to link."""
    return [
        Linkable(
            item.dataset, item.version, contract, linkage_roles(contract, item.grant), item.grant,
            hub.vault.locate(session, item.version.object_key, item.version.binding) if locate else None,  # type: ignore[arg-type]
        )
        for item, contract in _sorted_out(hub, session)[0]
    ]  # fmt: skip


def left_out(hub: Hub, session: Any, dataset: Dataset) -> str:
    """Why a dataset that an agreement allows to link is left out of linking; empty when it is not."""
    misfits = _sorted_out(hub, session, dataset.contract)[1]
    return next((reason for item, reason in misfits if item.dataset.id == dataset.id), "")


def _sorted_out(
    hub: Hub, session: Any, only: str = ""
) -> tuple[list[tuple[Readable, Contract]], list[tuple[Readable, str]]]:
    """What agreements allow to link: what fits, with its contract, and what does not, with the reason.

    `only` is the contract to look at, all if empty.
    """
    in_force, publishers = agreements.active(session, today(hub)), slugs(session)
    fitting, misfits = [], []
    for contract_id in sorted({terms.contract for item in in_force for terms in item.datasets}):
        if contract_id.startswith("hub.") or only not in ("", contract_id):
            continue
        asked = Asked("link", contract_id, HUB_ORGANISATION, today(hub))
        for item in readable(session, asked, in_force, publishers):
            contract = catalogue.contract_by_digest(session, item.version.contract_digest)
            if reason := misfit(contract, item.grant):
                misfits.append((item, reason))
            else:
                fitting.append((item, contract))
    return fitting, misfits


def _tell(hub: Hub, misfits: Sequence[tuple[Readable, str]]) -> None:
    """Say in the audit log which versions are left out of linking and why, once for each."""
    home = str(hub.settings.dir)
    fresh = [(item, reason) for item, reason in misfits if (home, item.version.id) not in _told]
    if not fresh:
        return
    with hub.database.write() as session:
        said = {entry.content["target"] for entry in audit_log.recent(session, limit=1000, action=_MISFIT)}
        for item, reason in fresh:
            if item.version.id not in said:
                detail = {"dataset": item.name, "reason": reason}
                note(
                    session, _WORKER, _MISFIT, item.version.id, agreement=item.grant.agreement, detail=detail
                )
                structlog.get_logger().warning(_MISFIT, version=item.version.id, **detail)
    _told.update((home, item.version.id) for item, _ in fresh)


def _records(hub: Hub, source: Linkable) -> pa.Table:
    """A version's rows in the form that linking reads; rows about nobody are left out."""
    import pyarrow.compute as pc

    from hub.linkage.prepare import RECORDS

    keys = [name for name in source.contract.primary_key if source.grant.exact(name)]
    as_at = source.contract.coverage_column
    extra = [as_at] if as_at and source.grant.exact(as_at) else []
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
            source.dataset.id
            if keys
            else source.version.id,  # the next version's row of this number is another's
            [table[name].combine_chunks() for name in key_columns],
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
    found: dict[str, pa.Table] = {}
    if (linked := linked_versions(session)) is None:
        return found
    people, index = linked
    for contract, version, columns in (
        (
            INDEX_CONTRACT,
            index,
            ["record_key", "dataset", "version_id", "source_row", "person_id", "method", "probability"],
        ),
        (PEOPLE_CONTRACT, people, ["person_id", "household_id", "uprn"]),
    ):
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
    sources: Sequence[Linkable],
    summary: dict[str, Any],
) -> None:
    """Both tables become versions of the hub's own datasets, with the copies for look-ups, in one transaction."""
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
    linking, (version, owner, _) = new_id("lnk"), prepared[0]
    copies = _copies(hub, linking, version.id, owner.key, people, index, sources)
    with hub.database.write() as session:
        for number, (version, owner, file) in enumerate(prepared):
            hub.vault.register(session, owner, [file, *(copies.values() if number == 0 else ())])
            catalogue.add_version(
                session,
                Version(**version.__dict__ | {"object_key": file.object_key}),
                [source.version.id for source in sources],
            )
        insights.add_linking(session, linking, prepared[0][0].id, prepared[1][0].id)
        retired = serving.put_into_use(session, prepared[0][0].id, copies)
        note(session, principal, "people.linked", prepared[1][0].id, detail=summary)
    serving.remove(hub.objects, retired)


def _copies(
    hub: Hub, linking: str, people_version: str, key: bytes, people: pa.Table, index: pa.Table,
    sources: Sequence[Linkable],
) -> dict[str, SealedFile]:  # fmt: skip
    """The copies for look-ups; none when they cannot be made, for linking must not wait for them."""
    try:
        return serving.build(
            hub.vault, hub.objects, key, linking, people_version, people, index,
            [(source.version.id, source.contract, source.file) for source in sources],
        )  # fmt: skip
    except Exception as error:
        structlog.get_logger().error("serving.broke", **where_it_broke(error))
        return {}


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
