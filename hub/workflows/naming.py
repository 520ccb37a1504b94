"""Who is behind a reference of the audit log, in words, for pages that may tell."""

from __future__ import annotations

from sqlalchemy.orm import Session

from hub.identity import people
from hub.identity import store as identities

__all__ = ["who"]

_PARTS = {"command-line": "An operator at the hub's machine", "citizen": "The person themselves, with a code"}


def who(session: Session, reference: str) -> str:
    """A person with their organisation, a connector with its own, or the part of the hub that acted by itself."""
    kind, _, ident = reference.partition(":")
    if kind == "system":
        return _PARTS.get(ident, f"The hub itself ({ident})")
    if kind == "person":
        found = people.user_principal(session, ident)
        gone = "Somebody whose account is closed"
    else:
        known = identities.client_principal(session, ident)
        found, gone = (known[0] if known else None), "A connector that was revoked"
    if found is None:
        return gone
    return f"{found.name}, {identities.organisation(session, found.organisation_id).name}"
