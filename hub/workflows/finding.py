"""Finding datasets in the catalogue: search, filters and counts, and all that one dataset's page says.

However many datasets there are, a page of the list costs the same few queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hub.catalogue import entries, search
from hub.catalogue import store as catalogue
from hub.catalogue.entries import Entry
from hub.catalogue.search import Facets, Filters, Freshness, Line, Sort
from hub.catalogue.store import Dataset, Version
from hub.errors import Invalid
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.identity.store import Organisation
from hub.policy.listing import may_describe
from hub.policy.roles import Permission
from hub.workflows import visible
from hub.workflows.hub import Hub, authorise

__all__ = ["Coverage", "Found", "Known", "find", "known"]

_UNKNOWN = "unknown"  # an organisation that there is not


@dataclass(frozen=True)
class Found:
    """A page of the list: datasets, whose they are, how many there are, and what each filter would leave.

    `after` is the place from which the next page goes on, None on the last. Facets are None where nobody asked for
    them; organisations in them are ids.
    """

    lines: list[Line]
    organisations: Mapping[str, Organisation]
    total: int | None
    facets: Facets | None
    after: tuple[str, ...] | None


@dataclass(frozen=True)
class Coverage:
    """What a dataset holds now, and whether it came when it was due; `due` is by when the next version is due."""

    rows: int | None
    period_start: str | None
    period_end: str | None
    updated: datetime | None
    freshness: Freshness
    due: datetime | None


@dataclass(frozen=True)
class Known:
    """A dataset with what the catalogue knows of it; `may_describe`: whether this reader may change that."""

    dataset: Dataset
    organisation: Organisation
    entry: Entry
    coverage: Coverage
    may_describe: bool


def find(
    hub: Hub, principal: Principal, filters: Filters | None = None, *, organisation: str = "", sort: str = "title",
    after: Sequence[str] = (), limit: int = 50, counts: bool = False,
) -> Found:  # fmt: skip
    """Datasets that fit, as far as this principal finds them; `organisation` is a slug.

    Raises:
        Invalid: when there is no such order, or the place is none of it.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    try:
        order = Sort(sort)
    except ValueError:
        raise Invalid(f"One can sort by {', '.join(Sort)}.") from None
    now, filters = hub.clock(), filters or Filters()
    with hub.database.read() as session:
        homes = {item.id: item for item in identities.list_organisations(session)}
        if organisation:
            ids = {item.slug: item.id for item in homes.values()}
            filters = replace(filters, organisation=ids.get(organisation, _UNKNOWN))
        condition = visible.condition(hub, session, principal)
        lines = search.find(session, condition, filters, now, sort=order, after=after, limit=limit + 1)
        total, facets = search.facets(session, condition, filters, now) if counts else (None, None)
    more = len(lines) > limit
    lines = lines[:limit]
    return Found(lines, homes, total, facets, search.place_of(lines[-1], order) if more else None)


def known(hub: Hub, principal: Principal, dataset_id: str) -> Known:
    """One dataset with what the catalogue knows of it.

    Raises:
        NotFound: when there is none that this principal finds.
    """
    authorise(principal, Permission.READ_CATALOGUE)
    with hub.database.read() as session:
        dataset = visible.visible_dataset(hub, session, principal, dataset_id)
        organisation = identities.organisation(session, dataset.organisation_id)
        entry = entries.entry(session, dataset_id)
        version = catalogue.version(session, dataset.current_version) if dataset.current_version else None
    return Known(
        dataset, organisation, entry, _coverage(entry, dataset, version, hub.clock()),
        may_describe(principal, organisation.slug),
    )  # fmt: skip


def _coverage(entry: Entry, dataset: Dataset, version: Version | None, now: datetime) -> Coverage:
    updated = version.accepted_at if version else None
    freshness, due = search.freshness_of(entry.frequency, updated or dataset.created_at, now)
    if version is None:
        return Coverage(None, None, None, None, freshness, due)
    return Coverage(version.rows, version.period_start, version.period_end, updated, freshness, due)
