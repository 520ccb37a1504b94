"""Finding datasets: words, filters, sorting, paging and counts, each in one query however many datasets there are.

Everything goes through `condition_of`, which says whom a dataset is there for: what somebody may not find is in no
list and no count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, true, tuple_
from sqlalchemy.orm import Session

from hub.catalogue.entries import Entry, read
from hub.catalogue.store import Dataset, Version, dataset_of, version_of
from hub.catalogue.tables import ContractRow, DatasetRow, EntryRow, ProposalRow, PublicationRow, VersionRow
from hub.catalogue.terms import FREQUENCIES
from hub.catalogue.wording import patterns
from hub.errors import Invalid
from hub.policy.listing import Sight, Visibility
from hub.storage.database import UtcDateTime

__all__ = [
    "FACETS", "LISTED", "Facets", "Filters", "Freshness", "Line", "Sort", "batch", "condition_of", "count", "facets",
    "find", "freshness_of", "place_of", "published", "text_is_seen",
]  # fmt: skip

#: Which datasets everybody finds, as a condition of queries.
LISTED: Final = DatasetRow.visibility == Visibility.LISTED.value
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Freshness(StrEnum):
    """Whether the last accepted version came when it was due."""

    ON_TIME = "on time"
    LATE = "late"
    NOT_STATED = "not stated"


class Sort(StrEnum):
    """In which order datasets are listed."""

    TITLE = "title"
    ORGANISATION = "organisation"
    UPDATED = "updated"


@dataclass(frozen=True)
class Filters:
    """What is looked for; None or "" leaves it open. `organisation` is an id, `current` whether there is a version."""

    text: str = ""
    contract: str = ""
    organisation: str | None = None
    domain: str | None = None
    sensitivity: str | None = None
    current: bool | None = None
    freshness: Freshness | None = None
    frequency: str | None = None


#: The filters that are counted for.
FACETS: Final = ("organisation", "domain", "sensitivity", "current", "freshness", "frequency")
#: Filter -> its values with how many datasets each would leave, the other filters being as they are.
Facets = Mapping[str, Mapping[Any, int]]


@dataclass(frozen=True)
class Line:
    """A dataset as lists show it."""

    dataset: Dataset
    version: Version | None
    domain: str
    sensitivity: str
    frequency: str
    freshness: Freshness
    title_key: str
    publisher_key: str


def condition_of(session: Session, sight: Sight, organisations: Mapping[str, str]) -> ColumnElement[bool]:
    """Which datasets somebody finds, as a condition of queries; `organisations` are ids by slug.

    It says in SQL what `Sight.sees` says of one dataset.
    """
    if sight.everything:
        return true()
    found: list[ColumnElement[bool]] = [LISTED]
    if (mine := organisations.get(sight.organisation)) is not None:
        found.append(DatasetRow.organisation_id == mine)
    if pairs := {(name, organisations[slug]) for name, slug in sight.named if slug in organisations}:
        query = select(DatasetRow.id, DatasetRow.contract, DatasetRow.organisation_id).where(
            DatasetRow.visibility != Visibility.LISTED.value,
            DatasetRow.contract.in_(sorted({name for name, _ in pairs})),
        )
        private = [row.id for row in session.execute(query) if (row.contract, row.organisation_id) in pairs]
        found.append(DatasetRow.id.in_(private))
    return or_(*found)


def find(
    session: Session, condition: ColumnElement[bool], filters: Filters, now: datetime, *,
    sort: Sort = Sort.TITLE, after: Sequence[str] = (), limit: int = 50,
) -> list[Line]:  # fmt: skip
    """Datasets in order, from the one after the place `after` (of `place_of`).

    Raises:
        Invalid: when the place is none of this order.
    """
    fresh = _freshness(now)
    query = _narrowed(
        select(
            DatasetRow, VersionRow, fresh, EntryRow.domain, EntryRow.sensitivity, EntryRow.frequency,
            EntryRow.title_key, EntryRow.publisher_key,
        ),
        condition, filters,
    )  # fmt: skip
    for name, value in _by_facet(filters).items():
        query = query.where(_columns(fresh)[name] == value)
    query = _ordered(query, sort, after).limit(limit)
    return [
        Line(
            dataset_of(row[0]), version_of(row[1]) if row[1] is not None else None, row.domain, row.sensitivity,
            row.frequency, Freshness(row[2]), row.title_key, row.publisher_key,
        )
        for row in session.execute(query)
    ]  # fmt: skip


def facets(
    session: Session, condition: ColumnElement[bool], filters: Filters, now: datetime
) -> tuple[int, Facets]:
    """How many datasets are found, and how many each value of each filter would leave."""
    columns = _columns(_freshness(now))
    inner = _narrowed(select(*(columns[name].label(name) for name in FACETS)), condition, filters).subquery()
    query = select(*inner.c, func.count().label("datasets")).group_by(*inner.c)
    chosen = _by_facet(filters)
    total, counts = 0, {name: Counter[Any]() for name in FACETS}
    for *values, datasets in session.execute(query):
        of = dict(zip(FACETS, values, strict=True))
        off = [name for name, value in chosen.items() if of[name] != value]
        if not off:
            total += datasets
        for name in FACETS:
            if not off or off == [name]:
                counts[name][of[name]] += datasets
    return total, counts


def count(session: Session, condition: ColumnElement[bool]) -> int:
    """How many datasets somebody finds."""
    return int(session.scalar(select(func.count()).select_from(DatasetRow).where(condition)) or 0)


def place_of(line: Line, sort: Sort) -> tuple[str, ...]:
    """Where a list goes on after a line, as texts that can stand in an address."""
    if sort is Sort.UPDATED:
        return ((line.version.accepted_at if line.version else _NEVER).isoformat(), line.dataset.id)
    keys = (line.title_key,) if sort is Sort.TITLE else (line.publisher_key, line.title_key)
    return (*keys, line.dataset.id)


def freshness_of(frequency: str, updated: datetime, now: datetime) -> tuple[Freshness, datetime | None]:
    """Whether a dataset is late, and by when its next version is due; `updated` is when the last came, or it was made.

    The same as `find` says in SQL.
    """
    wait = FREQUENCIES[frequency].late_after if frequency in FREQUENCIES else None
    if wait is None:
        return Freshness.NOT_STATED, None
    return Freshness.LATE if updated < now - wait else Freshness.ON_TIME, updated + wait


def _freshness(now: datetime) -> ColumnElement[str]:
    updated = func.coalesce(VersionRow.accepted_at, DatasetRow.created_at)
    late = case(
        *(
            (EntryRow.frequency == code, updated < literal(now - item.late_after, UtcDateTime))
            for code, item in FREQUENCIES.items()
            if item.late_after is not None
        ),
        else_=None,
    )
    return case(
        (late.is_(None), literal(Freshness.NOT_STATED.value)), (late, literal(Freshness.LATE.value)),
        else_=literal(Freshness.ON_TIME.value),
    )  # fmt: skip


def _columns(fresh: ColumnElement[str]) -> dict[str, Any]:
    return {
        "organisation": DatasetRow.organisation_id, "domain": EntryRow.domain, "sensitivity": EntryRow.sensitivity,
        "current": VersionRow.id.is_not(None), "freshness": fresh, "frequency": EntryRow.frequency,
    }  # fmt: skip


def _by_facet(filters: Filters) -> dict[str, Any]:
    found = {name: getattr(filters, name) for name in FACETS}
    plain = {name: value.value if isinstance(value, Freshness) else value for name, value in found.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _narrowed(query: Select[Any], condition: ColumnElement[bool], filters: Filters) -> Select[Any]:
    """By what is not counted for: who looks, the words, the contract."""
    query = (
        query.select_from(DatasetRow)
        .join(EntryRow, EntryRow.dataset_id == DatasetRow.id)
        .outerjoin(VersionRow, VersionRow.id == DatasetRow.current_version)
        .where(condition)
    )
    if filters.contract:
        query = query.where(DatasetRow.contract == filters.contract)
    looked_for = patterns(filters.text)
    if looked_for == []:
        return query.where(~true())
    return query.where(and_(true(), *_matches(looked_for or ())))


def _matches(looked_for: Iterable[str]) -> Iterable[ColumnElement[bool]]:
    for pattern in looked_for:
        yield EntryRow.words.contains(pattern, autoescape=True)


def _ordered(query: Select[Any], sort: Sort, after: Sequence[str]) -> Select[Any]:
    keys: dict[Sort, tuple[Any, ...]] = {
        Sort.TITLE: (EntryRow.title_key, DatasetRow.id),
        Sort.ORGANISATION: (EntryRow.publisher_key, EntryRow.title_key, DatasetRow.id),
        Sort.UPDATED: (func.coalesce(VersionRow.accepted_at, literal(_NEVER, UtcDateTime)), DatasetRow.id),
    }
    columns = keys[sort]
    if after and len(after) != len(columns):
        raise Invalid("This place in the list is none of this order; open the list anew.")
    if sort is not Sort.UPDATED:
        if after:
            query = query.where(tuple_(*columns) > tuple_(*(literal(text) for text in after)))
        return query.order_by(*columns)
    moment, ident = columns
    if after:
        at = _moment(after[0])
        query = query.where(or_(moment < at, and_(moment == at, ident < after[1])))
    return query.order_by(moment.desc(), ident.desc())


def _moment(text: str) -> ColumnElement[datetime]:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("without a zone")
        return literal(at.astimezone(UTC), UtcDateTime)
    except (ValueError, OverflowError):
        raise Invalid("This place in the list is not one that the hub gave; open the list anew.") from None


def batch(
    session: Session,
    condition: ColumnElement[bool],
    *,
    after: str = "",
    limit: int = 500,
    ident: str | None = None,
) -> list[tuple[Dataset, Entry, Version | None]]:
    """Datasets by id with all that is known of them, from the one after `after`; only one when `ident` is given."""
    query = (
        select(DatasetRow, EntryRow, VersionRow)
        .join(EntryRow, EntryRow.dataset_id == DatasetRow.id)
        .outerjoin(VersionRow, VersionRow.id == DatasetRow.current_version)
        .where(condition, DatasetRow.id > after)
        .order_by(DatasetRow.id)
        .limit(limit)
    )
    if ident is not None:
        query = query.where(DatasetRow.id == ident)
    return [
        (dataset_of(row), read(entry), version_of(version) if version is not None else None)
        for row, entry, version in session.execute(query)
    ]


def published(
    session: Session, condition: ColumnElement[bool], contracts: Sequence[str] | None = None
) -> list[tuple[Dataset, str]]:
    """Datasets by id, each with the version of its contract in force; only those under `contracts` if ids are given."""
    query = (
        select(DatasetRow, ContractRow.version)
        .join(ContractRow, ContractRow.digest == DatasetRow.contract_digest)
        .where(condition)
        .order_by(DatasetRow.id)
    )
    if contracts is not None:
        query = query.where(DatasetRow.contract.in_(contracts))
    return [(dataset_of(row), version) for row, version in session.execute(query)]


def text_is_seen(session: Session, condition: ColumnElement[bool], contract: str, digest: str) -> bool:
    """Whether one of the datasets somebody finds has, had or was proposed to have this text of its contract."""
    had = select(PublicationRow.organisation_id).where(
        PublicationRow.contract == contract, PublicationRow.digest == digest
    )
    proposed = select(ProposalRow.dataset_id).where(ProposalRow.digest == digest)
    query = select(DatasetRow.id).where(
        condition, DatasetRow.contract == contract,
        or_(
            DatasetRow.contract_digest == digest, DatasetRow.organisation_id.in_(had), DatasetRow.id.in_(proposed)
        ),
    )  # fmt: skip
    return session.scalars(query.limit(1)).first() is not None
