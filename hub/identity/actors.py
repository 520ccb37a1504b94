"""Who is behind an actor of the audit log, as far as the people concerned are told: organisation and roles, no name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.identity.tables import ClientRow, OrganisationRow, UserRow

__all__ = ["Actor", "actor_of"]


@dataclass(frozen=True)
class Actor:
    """The organisation (slug and name) for which an account or a machine acts, and its roles; closed ones included."""

    slug: str
    organisation: str
    roles: frozenset[str]


def actor_of(session: Session, reference: str) -> Actor | None:
    """The actor behind a reference such as `person:usr_…`; None for the hub's own parts and for what is not known."""
    kind, _, ident = reference.partition(":")
    row: UserRow | ClientRow | None = None
    if kind == "person":
        row = session.get(UserRow, ident)
    elif kind == "client":
        row = session.get(ClientRow, ident)
    if row is None:
        return None
    home = session.get_one(OrganisationRow, row.organisation_id)
    return Actor(home.slug, home.name, frozenset(filter(None, row.roles.split(","))))
