"""Clients that the hub keeps for itself, one for an organisation: under it, the hub brings in what people upload."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.errors import Conflict
from hub.identity.clients import client_principal, public_jwk
from hub.identity.principal import Principal
from hub.identity.tables import ClientRow
from hub.storage.database import utc_now

__all__ = ["HUBS_OWN", "own_client", "own_client_id"]

#: Role of these clients. It stands in no table of permissions, so it gives nothing; and they get no tokens.
HUBS_OWN: Final = "hub's own"


def own_client_id(organisation_id: str) -> str:
    """The id of the client that the hub keeps for an organisation, whether or not it is there."""
    return f"own_{organisation_id.partition('_')[2]}"


def own_client(
    session: Session, organisation_id: str, name: str, signing_key: dict[str, Any]
) -> Principal | None:
    """The client under which the hub itself brings an organisation's data in; made when it is not there.

    Its id follows from the organisation's, so that there is one. None when an operator has stopped it.

    Raises:
        Conflict: when another key is registered for it than the hub's own.
    """
    ident, jwk = own_client_id(organisation_id), json.dumps(public_jwk(signing_key))
    row = session.get(ClientRow, ident)
    if row is None:
        try:
            with session.begin_nested():
                session.add(
                    ClientRow(
                        id=ident, organisation_id=organisation_id, name=name, roles=HUBS_OWN, signing_key=jwk,
                        active=True, created_at=utc_now(),
                    )
                )  # fmt: skip
        except IntegrityError:
            pass  # another request was quicker
        row = session.get_one(ClientRow, ident)
    if row.signing_key != jwk or row.organisation_id != organisation_id or row.roles != HUBS_OWN:
        raise Conflict(
            f"The records of the hub's own client {ident} do not fit its keyring. Tell the hub's operator: they were "
            "changed, or belong to another hub."
        )
    known = client_principal(session, ident)
    return known[0] if known else None
