"""Organisations and machine clients, together; people are in `hub.identity.people`."""

from __future__ import annotations

from hub.identity.clients import (
    add_client,
    client_principal,
    client_record,
    client_records,
    decide_client,
    earlier_keys,
    enrol,
    list_clients,
    new_enrolment,
    public_jwk,
    put_keys,
    replace_client_key,
    revoke_client,
    signing_keys,
    thumbprint,
)
from hub.identity.organisations import (
    Organisation,
    add_organisation,
    decide_organisation,
    find_organisation,
    list_organisations,
    organisation,
    organisation_records,
)

__all__ = [
    "Organisation", "add_client", "add_organisation", "client_principal", "client_record", "client_records",
    "decide_client", "decide_organisation", "earlier_keys", "enrol", "find_organisation", "list_clients",
    "list_organisations", "new_enrolment", "organisation", "organisation_records", "public_jwk", "put_keys",
    "replace_client_key", "revoke_client", "signing_keys", "thumbprint",
]  # fmt: skip
