"""Signing agreements: organisations' keys, what is signed, and the signature that puts an agreement into force."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from hub.errors import Conflict, Forbidden, NotFound
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.policy import scope, signing
from hub.policy import store as agreements
from hub.policy.agreement import Agreement, AgreementState
from hub.policy.roles import Permission
from hub.policy.signing import SigningKey
from hub.policy.statement import Statement
from hub.workflows.hub import Hub, authorise, note, today
from hub.workflows.scoping import agreement_seen

__all__ = [
    "add_key", "approve_key", "list_keys", "may_approve", "may_hand_in", "may_register", "revoke_key", "sign",
    "statement",
]  # fmt: skip

#: The command line at the hub's machine: whoever can read the hub's folder is its operator in any case.
_CONSOLE: Final = "system:command-line"


def add_key(hub: Hub, principal: Principal, organisation: str, public_key: str, name: str = "") -> SigningKey:
    """Register a public key with which an organisation (slug) signs agreements.

    It waits until a second person approves it, unless it is registered at the hub's machine.

    Raises:
        NotFound: when there is no such organisation, or none for which the principal may act.
        Invalid: when it is no Ed25519 public key.
        Conflict: when it is registered already.
    """
    authorise(principal, Permission.MANAGE_SIGNING_KEYS)
    with hub.database.write() as session:
        _home(session, principal, organisation)
        key = signing.add_key(
            session, organisation, public_key, name, principal.reference, principal.organisation,
            approved=principal.reference == _CONSOLE,
        )  # fmt: skip
        note(
            session, principal, "agreement-key.added", key.id,
            detail={"organisation": organisation, "fingerprint": key.fingerprint, "state": key.state},
        )  # fmt: skip
    return key


def may_register(principal: Principal, organisation: str) -> bool:
    """Whether somebody may register and revoke keys of an organisation (slug)."""
    return scope.may_act_for(principal, organisation, Permission.MANAGE_SIGNING_KEYS)


def may_hand_in(principal: Principal, organisation: str) -> bool:
    """Whether somebody may hand in an organisation's signature."""
    return scope.may_act_for(principal, organisation, Permission.MANAGE_AGREEMENTS)


def _home(session: Session, principal: Principal, organisation: str) -> None:
    if not scope.may_act_for(principal, organisation, Permission.MANAGE_SIGNING_KEYS):
        raise NotFound(f"There is no organisation {organisation!r}; `hub orgs list` shows those there are.")
    identities.find_organisation(session, organisation)


def approve_key(hub: Hub, principal: Principal, key_id: str) -> SigningKey:
    """Let a registered key be used: by somebody else than who registered it, and one of the two of the organisation.

    Raises:
        NotFound: when there is none that this principal may see.
        Forbidden: saying who may.
        Conflict: when it does not wait.
    """
    authorise(principal, Permission.MANAGE_SIGNING_KEYS)
    with hub.database.write() as session:
        key = _seen_key(session, principal, key_id)
        if why := may_approve(principal, key):
            raise Forbidden(why)
        key = signing.approve_key(session, key_id, principal.reference)
        note(
            session, principal, "agreement-key.approved", key.id,
            detail={"organisation": key.organisation, "fingerprint": key.fingerprint},
        )  # fmt: skip
    return key


def may_approve(principal: Principal, key: SigningKey) -> str:
    """Why somebody may not approve a key, in words; empty when they may."""
    if principal.reference == _CONSOLE:
        return ""
    if principal.reference == key.added_by:
        return "You registered this key, so somebody else must approve it."
    if key.organisation not in (key.added_for, principal.organisation):
        return f"Another organisation registered this key, so somebody of {key.organisation} must approve it."
    return ""


def revoke_key(hub: Hub, principal: Principal, key_id: str, *, compromised: bool = False) -> SigningKey:
    """Let a key sign nothing any more; when it is `compromised`, what it signed stops counting at once.

    Raises:
        NotFound: when there is none that this principal may see.
        Conflict: when it is at its end already.
    """
    authorise(principal, Permission.MANAGE_SIGNING_KEYS)
    with hub.database.write() as session:
        _seen_key(session, principal, key_id)
        key = signing.revoke_key(session, key_id, principal.reference, compromised=compromised)
        note(
            session, principal, "agreement-key.revoked", key.id,
            detail={"organisation": key.organisation, "compromised": compromised},
        )  # fmt: skip
    return key


def _seen_key(session: Session, principal: Principal, key_id: str) -> SigningKey:
    key = signing.get_key(session, key_id)
    if not scope.may_act_for(principal, key.organisation, Permission.MANAGE_SIGNING_KEYS):
        raise NotFound(f"There is no signing key {key_id}.")
    return key


def list_keys(hub: Hub, principal: Principal, organisation: str = "") -> list[SigningKey]:
    """Signing keys, of one organisation or of all: public keys, so that everybody can check a signature."""
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        return signing.list_keys(session, organisation)


def statement(hub: Hub, principal: Principal, agreement_id: str, organisation: str, signer: str) -> Statement:
    """What an organisation signs: its text goes, exactly as it is, under the organisation's key.

    Raises:
        NotFound: when the agreement is not there for this principal.
        Conflict: when it does not wait for this organisation's signature.
        Invalid: when nobody is named as the one who signs.
    """
    authorise(principal, Permission.READ_AGREEMENTS)
    with hub.database.read() as session:
        agreement_seen(session, principal, agreement_id)
        return signing.statement(session, agreement_id, organisation, signer)


def sign(
    hub: Hub, principal: Principal, agreement_id: str, organisation: str, signer: str, signature: str
) -> Agreement:
    """Keep an organisation's signature; the last that is needed puts the agreement into force.

    Raises:
        NotFound: when the agreement is not there for this principal.
        Forbidden: when the principal acts for another organisation.
        Conflict: when it does not wait for this organisation's signature, or is over already.
        Invalid: when no registered key of the organisation made the signature over this very statement.
    """
    authorise(principal, Permission.MANAGE_AGREEMENTS)
    with hub.database.write() as session:
        found = agreement_seen(session, principal, agreement_id)
        if not scope.may_act_for(principal, organisation, Permission.MANAGE_AGREEMENTS):
            raise Forbidden(f"A data steward of {organisation}, or of the hub, hands in its signature.")
        if found.end < today(hub):
            raise Conflict(
                f"The last day of agreement {agreement_id} is over. Draft it anew with other dates."
            )
        said = signing.statement(session, agreement_id, organisation, signer)
        key = signing.add_signature(session, said, signature, principal.reference)
        agreement = agreements.change_state(session, agreement_id, "sign", principal.reference)
        note(
            session, principal, "agreement.signed", agreement_id, agreement=agreement_id,
            detail={"organisation": organisation, "key": key.id, "version": agreement.version},
        )  # fmt: skip
        awaited = set(agreements.record(session, agreement_id).parties) - (agreement.signed_by or frozenset())
        if agreement.state is AgreementState.AGREED and not awaited:
            agreement = agreements.change_state(session, agreement_id, "activate", principal.reference)
            note(session, principal, "agreement.active", agreement_id, agreement=agreement_id)
    return agreement
