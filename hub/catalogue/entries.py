"""The catalogue's entries: how each dataset is found, sorted and described; kept up where what they follow changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.catalogue.described import Described, describe, described_from, sensitivity_of
from hub.catalogue.record import Record, record_from
from hub.catalogue.tables import ContractRow, DatasetRow, EntryRow
from hub.catalogue.wording import sort_key, stored
from hub.errors import NotFound
from hub.identity import store as identities
from hub.storage.database import utc_now
from hub_schemas import Contract, ContractError, load_contract

__all__ = ["FORM", "Entry", "entry", "keep", "read", "refresh", "set_record", "set_visibility"]

#: Raise it when what an entry is made of changes; entries of an older form are made anew at the next upgrade.
FORM: Final = 1
_BATCH: Final = 200


@dataclass(frozen=True)
class Entry:
    """What the catalogue knows of a dataset beyond its contract."""

    dataset_id: str
    domain: str
    sensitivity: str
    frequency: str
    described: Described
    record: Record


def entry(session: Session, dataset_id: str) -> Entry:
    """The entry of a dataset.

    Raises:
        NotFound: when there is no such dataset.
    """
    return read(_row(session, dataset_id))


def read(row: EntryRow) -> Entry:
    """An entry from its row."""
    return Entry(
        row.dataset_id, row.domain, row.sensitivity, row.frequency, described_from(json.loads(row.described)),
        record_from(json.loads(row.record)),
    )  # fmt: skip


def keep(session: Session, dataset: DatasetRow, contract: Contract) -> None:
    """Make a dataset's entry, or make it anew after its contract changed; what its steward said stays."""
    home = identities.organisation(session, dataset.organisation_id)
    row = session.get(EntryRow, dataset.id) or EntryRow(dataset_id=dataset.id, record="{}")
    _fill(row, contract, home.name, home.slug)
    session.add(row)
    session.flush()


def set_record(session: Session, dataset_id: str, contract: Contract, record: Record) -> Entry:
    """Keep what a steward says of a dataset; `record` was checked before.

    Raises:
        NotFound: when there is no such dataset.
    """
    dataset = session.get(DatasetRow, dataset_id, with_for_update=True)
    if dataset is None:
        raise NotFound(f"There is no dataset {dataset_id}.")
    row = _row(session, dataset_id)
    row.record = json.dumps(record.to_json())
    home = identities.organisation(session, dataset.organisation_id)
    _fill(row, contract, home.name, home.slug)
    session.flush()
    return read(row)


def set_visibility(session: Session, dataset_id: str, visibility: str) -> bool:
    """Say who finds a dataset; False when that was so before.

    Raises:
        NotFound: when there is no such dataset.
    """
    row = session.get(DatasetRow, dataset_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no dataset {dataset_id}.")
    changed = row.visibility != visibility
    row.visibility = visibility
    session.flush()
    return changed


def refresh(session: Session) -> int:
    """Make the entries anew that an older version of the hub made, or none did; returns how many."""
    homes = {item.id: item for item in identities.list_organisations(session)}
    made = 0
    while True:
        query = (
            select(DatasetRow, EntryRow, ContractRow.text)
            .outerjoin(EntryRow, EntryRow.dataset_id == DatasetRow.id)
            .join(ContractRow, ContractRow.digest == DatasetRow.contract_digest)
            .where((EntryRow.form != FORM) | EntryRow.form.is_(None))
            .order_by(DatasetRow.id)
            .limit(_BATCH)
        )
        found = session.execute(query).all()
        for dataset, known, text in found:
            row = known or EntryRow(dataset_id=dataset.id, record="{}")
            home = homes[dataset.organisation_id]
            try:
                _fill(row, load_contract(text), home.name, home.slug)
            except ContractError:  # a text that today's rules refuse was published under yesterday's
                _fill_poorly(row, dataset, home.name)
            session.add(row)
        session.flush()
        made += len(found)
        if len(found) < _BATCH:
            return made


def _row(session: Session, dataset_id: str) -> EntryRow:
    row = session.get(EntryRow, dataset_id)
    if row is None:
        raise NotFound(f"There is no dataset {dataset_id}.")
    return row


def _fill(row: EntryRow, contract: Contract, publisher: str, slug: str) -> None:
    record = record_from(json.loads(row.record))
    known = describe(contract, record, publisher)
    row.words = stored(_texts(contract, known, publisher, slug))
    row.title_key, row.publisher_key = sort_key(contract.title), sort_key(publisher)
    row.domain, row.sensitivity = contract.domain[:200], sensitivity_of(contract)
    row.frequency, row.described = known.frequency, _json(known.to_json())
    row.form, row.changed_at = FORM, utc_now()


def _fill_poorly(row: EntryRow, dataset: DatasetRow, publisher: str) -> None:
    """From the title alone; as sensitive as can be, for nobody knows."""
    row.words = stored((dataset.title, dataset.contract, publisher))
    row.title_key, row.publisher_key = sort_key(dataset.title), sort_key(publisher)
    row.domain, row.sensitivity = dataset.contract.partition(".")[0], "special-category"
    row.frequency, row.form, row.changed_at = "", FORM, utc_now()
    row.described = _json({"title": dataset.title, "description": dataset.title, "contact_name": publisher})


def _texts(contract: Contract, known: Described, publisher: str, slug: str) -> Iterable[str]:
    """What is searched: what stands on the dataset's page about what it is, whose it is and what its columns are."""
    yield from (contract.title, contract.id, publisher, slug, known.summary, *known.keywords)
    yield from (
        contract.description,
        contract.usage,
        contract.limitations,
        contract.granularity,
        contract.domain,
    )
    for column in contract.columns:
        yield from (
            column.name,
            column.source_name,
            column.title,
            column.description,
            column.identifier or "",
        )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
