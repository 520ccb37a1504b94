"""Organisations: departments, councils, forces, NHS bodies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.errors import Conflict, Invalid, NotFound
from hub.identity.states import Registration, move
from hub.identity.tables import OrganisationRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "Organisation", "OrganisationRecord", "add_organisation", "decide_organisation", "find_organisation",
    "list_organisations", "organisation", "organisation_records",
]  # fmt: skip

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,62}\Z")


@dataclass(frozen=True)
class Organisation:
    """An organisation as others see it; `state` is that of its registration."""

    id: str
    slug: str
    name: str
    state: Registration = Registration.APPROVED


@dataclass(frozen=True)
class OrganisationRecord:
    """An organisation as its registration stands."""

    id: str
    slug: str
    name: str
    state: Registration
    registered_at: datetime
    registered_by: str
    decided_at: datetime | None
    decided_by: str | None


def _shown(row: OrganisationRow) -> Organisation:
    return Organisation(row.id, row.slug, row.name, Registration(row.state))


def add_organisation(
    session: Session, slug: str, name: str, *, approved: bool = True, registered_by: str = ""
) -> Organisation:
    """Register an organisation; the same slug and name again is the same organisation.

    Raises:
        Invalid: when the slug or name cannot be used.
        Conflict: when the slug belongs to another name.
    """
    if not _SLUG.match(slug):
        raise Invalid(
            "The slug must be 2 to 63 of a-z, 0-9 and -, a letter first, for example wexbourne-housing."
        )
    if not name.strip() or len(name) > 200:
        raise Invalid("The name must have 1 to 200 characters.")
    row = session.scalars(select(OrganisationRow).where(OrganisationRow.slug == slug)).first()
    if row is None:
        row = OrganisationRow(
            id=new_id("org"), slug=slug, name=name, created_at=utc_now(), registered_by=registered_by,
            state=Registration.APPROVED if approved else Registration.WAITING,
        )  # fmt: skip
        session.add(row)
        session.flush()
    elif row.name != name:
        raise Conflict(f"The slug {slug} belongs to {row.name}.")
    return _shown(row)


def organisation(session: Session, organisation_id: str) -> Organisation:
    """One organisation by id.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(OrganisationRow, organisation_id)
    if row is None:
        raise NotFound(f"There is no organisation {organisation_id}.")
    return _shown(row)


def find_organisation(session: Session, slug: str) -> Organisation:
    """One organisation by slug.

    Raises:
        NotFound: when there is none.
    """
    row = session.scalars(select(OrganisationRow).where(OrganisationRow.slug == slug)).first()
    if row is None:
        raise NotFound(f"There is no organisation {slug!r}; `hub orgs list` shows those there are.")
    return _shown(row)


def list_organisations(session: Session) -> list[Organisation]:
    """All organisations by slug."""
    rows = session.scalars(select(OrganisationRow).order_by(OrganisationRow.slug))
    return [_shown(row) for row in rows]


def organisation_records(session: Session, state: Registration | None = None) -> Sequence[OrganisationRecord]:
    """Organisations as their registrations stand, oldest first."""
    query = select(OrganisationRow).order_by(OrganisationRow.id)
    if state is not None:
        query = query.where(OrganisationRow.state == state)
    return [
        OrganisationRecord(
            row.id, row.slug, row.name, Registration(row.state), row.created_at, row.registered_by or "",
            row.decided_at, row.decided_by,
        )
        for row in session.scalars(query)
    ]  # fmt: skip


def decide_organisation(session: Session, slug: str, event: str, decided_by: str) -> Organisation:
    """Approve, refuse or revoke an organisation. Who may is the caller's to know.

    Raises:
        NotFound: when there is none.
        Conflict: when its state does not allow it.
    """
    found = find_organisation(session, slug)
    row = session.get_one(OrganisationRow, found.id, with_for_update=True)
    row.state, row.decided_at, row.decided_by = move(row.state, event), utc_now(), decided_by
    session.flush()
    return _shown(row)
