"""Agreements put into force the way they are: drafted, reviewed by somebody else, signed by every party."""

from __future__ import annotations

import base64
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.identity.principal import Principal
from hub.policy.agreement import Agreement, AgreementState, load_agreement
from hub.policy.statement import sign
from hub.storage.database import Database
from hub.workflows import agreeing, signing
from hub.workflows.hub import Hub
from support.hubs import principal_of

__all__ = ["CONSOLE", "agree_to", "put_in_force", "sign_for", "signing_key"]

#: The operator at the hub's machine, who registers keys without a second person.
CONSOLE = Principal("system", "command-line", "command line", "", "hub", frozenset({"operator"}))

_KEYS: WeakKeyDictionary[Database, dict[str, bytes]] = WeakKeyDictionary()


def signing_key(hub: Hub, slug: str) -> bytes:
    """The raw private key of an organisation, made and registered when it is first asked for."""
    known = _KEYS.setdefault(hub.database, {})
    if slug not in known:
        made = Ed25519PrivateKey.generate()
        known[slug] = made.private_bytes_raw()
        signing.add_key(hub, CONSOLE, slug, _public(made), f"key of {slug}")
    return known[slug]


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def agree_to(hub: Hub, text: str, *, steward: Principal | None = None) -> Agreement:
    """Draft an agreement, as a steward of the hub unless told otherwise, and have another approve it."""
    first = steward or principal_of(hub, "hub", "data steward", name="steward-one")
    second = principal_of(hub, "hub", "data steward", name="steward-two")
    agreement = agreeing.draft(hub, first, text)
    agreeing.change(hub, first, agreement.id, "submit")
    return agreeing.change(hub, second, agreement.id, "approve")


def sign_for(
    hub: Hub, agreement_id: str, slug: str, signer: str = "Nobody, data protection officer"
) -> Agreement:
    """Sign for an organisation with its own key."""
    steward = principal_of(hub, slug, "data steward")
    said = signing.statement(hub, steward, agreement_id, slug, signer)
    return signing.sign(hub, steward, agreement_id, slug, signer, sign(said.text, signing_key(hub, slug)))


def put_in_force(
    hub: Hub, text: str, *, steward: Principal | None = None, register: bool = True
) -> Agreement:
    """The whole way; returns the agreement, active. With `register`, those who may use it are organisations before."""
    for slug in load_agreement(text).organisations if register else ():
        principal_of(hub, slug)
    agreement = agree_to(hub, text, steward=steward)
    console = principal_of(hub, "hub", "data steward", name="steward-one")
    for slug in agreeing.standing(hub, console, agreement.id).missing:
        agreement = sign_for(hub, agreement.id, slug)
    assert agreement.state is AgreementState.ACTIVE, agreement
    assert not agreement.trouble
    return agreement
