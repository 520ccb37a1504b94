"""Keeping contracts, datasets, versions and lineage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.catalogue import entries
from hub.catalogue.tables import ContractRow, DatasetRow, LineageRow, PublicationRow, VersionRow
from hub.errors import Conflict, Invalid, NotFound
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub_schemas import Contract, ContractError, load_contract

__all__ = [
    "Dataset",
    "Publication",
    "Version",
    "add_contract",
    "add_version",
    "contract_by_digest",
    "current_version",
    "current_versions",
    "dataset",
    "dataset_of",
    "datasets_by_id",
    "datasets_of_contract",
    "find_dataset",
    "list_datasets",
    "next_number",
    "parents",
    "publications",
    "put_dataset",
    "read_contract",
    "version",
    "version_of",
    "versions",
    "versions_by_id",
    "was_published",
]  # fmt: skip


_LONGEST_ID = 200


@dataclass(frozen=True)
class Dataset:
    """A dataset with the slug of its organisation and its current version, if it has one."""

    id: str
    organisation_id: str
    contract: str
    contract_digest: str
    title: str
    created_at: datetime
    current_version: str | None
    visibility: str = "listed"


@dataclass(frozen=True)
class Publication:
    """A version of a contract that an organisation put into force."""

    version: str
    digest: str
    published_at: datetime


@dataclass(frozen=True)
class Version:
    """An accepted, immutable version of a dataset."""

    id: str
    dataset_id: str
    number: int
    contract_digest: str
    object_key: str
    origin: str
    rows: int
    accepted_at: datetime
    period_start: str | None
    period_end: str | None

    @property
    def binding(self) -> str:
        """What the version's file is cryptographically bound to: moved anywhere else, it does not open."""
        return f"version={self.id};dataset={self.dataset_id};contract={self.contract_digest};rows"


@lru_cache(maxsize=256)
def _parsed(text: str) -> Contract:
    return load_contract(text)


def add_contract(session: Session, text: str) -> Contract:
    """Keep a contract's text; the same text again is the same contract. Nobody has put it into force by that.

    Raises:
        Invalid: listing every problem of a text that is no contract.
    """
    contract = read_contract(text)
    if session.get(ContractRow, contract.digest) is None:
        session.add(
            ContractRow(
                digest=contract.digest, contract=contract.id, version=contract.version, text=text,
                created_at=utc_now(),
            )
        )  # fmt: skip
        session.flush()
    return contract


def read_contract(text: str) -> Contract:
    """A contract from its text, kept nowhere.

    Raises:
        Invalid: listing every problem of a text that is no contract.
    """
    try:
        contract = _parsed(text)
    except ContractError as error:
        raise Invalid(f"The contract cannot be used: {error}") from None
    if len(contract.id) > _LONGEST_ID:
        raise Invalid(f"The contract's id has more than {_LONGEST_ID} characters; give it a shorter one.")
    return contract


def contract_by_digest(session: Session, digest: str) -> Contract:
    """A known contract.

    Raises:
        NotFound: when there is none with this digest.
    """
    row = session.get(ContractRow, digest)
    if row is None:
        raise NotFound("There is no contract with this digest.")
    return _parsed(row.text)


def put_dataset(session: Session, organisation_id: str, contract: Contract) -> tuple[Dataset, bool]:
    """Put a contract into force for the organisation's dataset under it, made when it is not there (then True).

    Raises:
        Conflict: when this organisation's number stands for another text.
    """
    _publish(session, organisation_id, contract)
    query = select(DatasetRow).where(
        DatasetRow.organisation_id == organisation_id, DatasetRow.contract == contract.id
    )
    row = session.scalars(query).first()
    made = row is None
    if row is None:
        row = DatasetRow(
            id=new_id("dat"), organisation_id=organisation_id, contract=contract.id, title=contract.title,
            contract_digest=contract.digest, created_at=utc_now(), current_version=None, visibility="listed",
        )  # fmt: skip
        session.add(row)
    row.contract_digest, row.title = contract.digest, contract.title
    session.flush()
    entries.keep(session, row, contract)
    return dataset_of(row), made


def _publish(session: Session, organisation_id: str, contract: Contract) -> None:
    known = session.get(PublicationRow, (organisation_id, contract.id, contract.version))
    if known is None:
        session.add(
            PublicationRow(
                organisation_id=organisation_id, contract=contract.id, version=contract.version,
                digest=contract.digest, published_at=utc_now(),
            )
        )  # fmt: skip
    elif known.digest != contract.digest:
        raise Conflict(
            f"You have published contract {contract.id} {contract.version} with another content. A published version "
            "is never changed: raise its version number."
        )


def publications(session: Session, organisation_id: str, contract: str) -> list[Publication]:
    """The versions of a contract that an organisation put into force, newest first."""
    query = select(PublicationRow).where(
        PublicationRow.organisation_id == organisation_id, PublicationRow.contract == contract
    )
    rows = session.scalars(query.order_by(PublicationRow.published_at.desc(), PublicationRow.version.desc()))
    return [Publication(row.version, row.digest, row.published_at) for row in rows]


def was_published(session: Session, digest: str) -> bool:
    """Whether any organisation put this text into force."""
    query = select(PublicationRow.digest).where(PublicationRow.digest == digest).limit(1)
    return session.scalars(query).first() is not None


def dataset(session: Session, dataset_id: str, *, lock: bool = False) -> Dataset:
    """One dataset; with `lock` nobody else changes it until this transaction ends.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(DatasetRow, dataset_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound(f"There is no dataset {dataset_id}.")
    return dataset_of(row)


def find_dataset(
    session: Session, organisation_id: str, contract: str, *, lock: bool = False
) -> Dataset | None:
    """An organisation's dataset under a contract id; with `lock` as for `dataset`."""
    query = select(DatasetRow).where(
        DatasetRow.organisation_id == organisation_id, DatasetRow.contract == contract
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).first()
    return dataset_of(row) if row else None


def datasets_by_id(session: Session, ids: Iterable[str]) -> dict[str, Dataset]:
    """Several datasets at once."""
    query = select(DatasetRow).where(DatasetRow.id.in_(sorted(set(ids))))
    return {row.id: dataset_of(row) for row in session.scalars(query)}


def datasets_of_contract(session: Session, contract: str) -> list[Dataset]:
    """Every dataset that is published under a contract id, whoever publishes it."""
    query = select(DatasetRow).where(DatasetRow.contract == contract).order_by(DatasetRow.id)
    return [dataset_of(row) for row in session.scalars(query)]


def list_datasets(
    session: Session, *, after: str = "", limit: int = 100, organisation_id: str | None = None
) -> list[Dataset]:
    """Datasets by id, from the one after `after`."""
    query = select(DatasetRow).where(DatasetRow.id > after).order_by(DatasetRow.id).limit(limit)
    if organisation_id is not None:
        query = query.where(DatasetRow.organisation_id == organisation_id)
    return [dataset_of(row) for row in session.scalars(query)]


def next_number(session: Session, dataset_id: str) -> int:
    """The number the next version of a dataset gets."""
    query = select(func.coalesce(func.max(VersionRow.number), 0)).where(VersionRow.dataset_id == dataset_id)
    return int(session.scalar(query) or 0) + 1


def add_version(session: Session, new: Version, came_from: Iterable[str] = ()) -> Version:
    """Add a version and make it the dataset's current one."""
    row = session.get(DatasetRow, new.dataset_id, with_for_update=True)
    if row is None:
        raise NotFound(f"There is no dataset {new.dataset_id}.")
    session.add(VersionRow(**new.__dict__))
    session.flush()
    session.add_all(LineageRow(child=new.id, parent=parent) for parent in sorted(set(came_from)))
    row.current_version = new.id
    session.flush()
    return new


def version(session: Session, version_id: str) -> Version:
    """One version.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(VersionRow, version_id)
    if row is None:
        raise NotFound(f"There is no version {version_id}.")
    return version_of(row)


def versions(session: Session, dataset_id: str, limit: int = 100) -> list[Version]:
    """A dataset's versions, newest first."""
    query = (
        select(VersionRow)
        .where(VersionRow.dataset_id == dataset_id)
        .order_by(VersionRow.number.desc())
        .limit(limit)
    )
    return [version_of(row) for row in session.scalars(query)]


def versions_by_id(session: Session, ids: Sequence[str]) -> dict[str, Version]:
    """Several versions at once."""
    query = select(VersionRow).where(VersionRow.id.in_(ids))
    return {row.id: version_of(row) for row in session.scalars(query)}


def current_version(session: Session, contract: str) -> Version | None:
    """The newest current version among the datasets under a contract id (the hub's own have exactly one)."""
    found = [
        version(session, item.current_version)
        for item in datasets_of_contract(session, contract)
        if item.current_version
    ]
    return max(found, key=lambda item: item.accepted_at, default=None)


def current_versions(session: Session, contracts: Sequence[str]) -> dict[str, list[tuple[Dataset, Version]]]:
    """For each contract id, the current version of every dataset under it."""
    query = (
        select(DatasetRow, VersionRow)
        .join(VersionRow, VersionRow.id == DatasetRow.current_version)
        .where(DatasetRow.contract.in_(contracts))
        .order_by(DatasetRow.id)
    )
    found: dict[str, list[tuple[Dataset, Version]]] = {name: [] for name in contracts}
    for row, version_row in session.execute(query):
        found[row.contract].append((dataset_of(row), version_of(version_row)))
    return found


def parents(session: Session, version_id: str) -> list[str]:
    """The versions that a version was made from."""
    query = select(LineageRow.parent).where(LineageRow.child == version_id).order_by(LineageRow.parent)
    return list(session.scalars(query))


def dataset_of(row: DatasetRow) -> Dataset:
    """A dataset from its row."""
    return Dataset(
        row.id,
        row.organisation_id,
        row.contract,
        row.contract_digest,
        row.title,
        row.created_at,
        row.current_version,
        row.visibility,
    )


def version_of(row: VersionRow) -> Version:
    """A version from its row."""
    return Version(
        row.id, row.dataset_id, row.number, row.contract_digest, row.object_key, row.origin, row.rows,
        row.accepted_at, row.period_start, row.period_end,
    )  # fmt: skip
