"""Who counts as a second person, and how many there are."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.identity.states import Registration
from hub.identity.tables import ClientRow, OrganisationRow, UserRow

__all__ = ["count_operators", "hands"]

_OPERATOR = "operator"


def count_operators(session: Session, organisation: str = "hub") -> int:
    """Operators of the hub's own organisation, people and machines, that may act."""
    people = select(UserRow.roles).join(OrganisationRow, OrganisationRow.id == UserRow.organisation_id)
    machines = select(ClientRow.roles).join(OrganisationRow, OrganisationRow.id == ClientRow.organisation_id)
    found = [
        *session.scalars(people.where(UserRow.active.is_(True), OrganisationRow.slug == organisation)),
        *session.scalars(
            machines.where(
                ClientRow.active.is_(True), ClientRow.state == Registration.APPROVED,
                OrganisationRow.slug == organisation,
            )
        ),
    ]  # fmt: skip
    return sum(_OPERATOR in roles.split(",") for roles in found)


def hands(session: Session, reference: str) -> frozenset[str]:
    """In whose hands somebody is who acts: for a machine client also whoever registered or invited it.

    So that nobody approves with a tool what they registered themselves, or the other way round. What was registered at
    the hub's machine is in nobody else's hands.
    """
    kind, _, ident = reference.partition(":")
    row = session.get(ClientRow, ident) if kind == "client" else None
    more = (row.registered_by, row.invited_by) if row is not None else ()
    return frozenset((reference, *(item for item in more if item and not item.startswith("system:"))))
