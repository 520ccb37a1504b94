"""How many could be the second person."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.identity.states import Registration
from hub.identity.tables import ClientRow, OrganisationRow, UserRow

__all__ = ["count_operators"]

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
