"""Machines sign in: a client assertion becomes an access token; its keys are fetched where they are published."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from hub.errors import HubError
from hub.identity import clients
from hub.identity.fetching import fetch_json, read_networks
from hub.identity.jwks import key_set
from hub.identity.principal import Principal, system
from hub.identity.tokens import InvalidScope, RefusedToken, is_id, peek
from hub.policy.roles import SCOPES, scopes_of
from hub.storage.database import utc_now
from hub.workflows.hub import Hub, note
from hub.workflows.refusals import Refusal

__all__ = ["fetch_keys", "issue", "note_refusal", "settle_refusals", "token_for", "token_principal"]

_DOORSTEP: Final = system("doorstep")
#: A published set is fetched again when it is older than this, or when a token names a key that is not in it ...
_FRESH: Final = timedelta(minutes=15)
#: ... but never more often than this, whoever asks.
_PAUSE: Final = timedelta(seconds=60)
#: A set that could not be read for so long is not believed any more.
_BELIEVED: Final = timedelta(hours=24)


def token_for(hub: Hub, assertion: str) -> tuple[str, int]:
    """An access token for a client assertion, with all scopes of the client's roles, and its lifetime in seconds."""
    token, seconds, _ = issue(hub, assertion)
    return token, seconds


def issue(hub: Hub, assertion: str, scope: str | None = None) -> tuple[str, int, Principal]:
    """An access token for a client assertion, its lifetime in seconds, and whose it is with the scopes it carries.

    `scope`: names with spaces between, a part of what the client's roles give; None asks for all of it.

    Raises:
        RefusedToken: when the assertion does not prove who the client is, or the client may not act.
        InvalidScope: when the client cannot have such a scope.
    """

    def given(roles: frozenset[str]) -> frozenset[str]:
        return _scopes(roles, scope)

    try:
        _refresh_keys(hub, assertion)
        with hub.database.write() as session:
            token, seconds, principal = hub.tokens.exchange(session, assertion, given)
            note(session, principal, "client.token", principal.id)
    except RefusedToken as error:
        note_refusal(hub, "client.token-refused", error.client_id, error.cause)
        raise
    return token, seconds, principal


def _scopes(roles: frozenset[str], scope: str | None) -> frozenset[str]:
    """The scopes asked for, as far as roles give them (RFC 6749 section 3.3)."""
    most = scopes_of(roles)
    if scope is None:
        return most
    wanted = frozenset(scope.split(" ")) - {""}
    if unknown := wanted - frozenset(SCOPES.values()):
        raise InvalidScope(
            f"There is no such scope ({len(unknown)} of {len(wanted)} asked for). Known are: "
            f"{' '.join(sorted(SCOPES.values()))}."
        )
    if not wanted or (wider := wanted - most):
        named = " ".join(sorted(wider)) if wanted else "none"
        raise InvalidScope(
            f"The client's roles do not give what was asked for ({named}). They give: "
            f"{' '.join(sorted(most)) or 'none'}."
        )
    return wanted


def token_principal(hub: Hub, token: str) -> Principal:
    """Whose access token this is.

    Raises:
        RefusedToken: when it is not one of this hub's, or does not hold any more.
    """
    try:
        with hub.database.read() as session:
            return hub.tokens.principal(session, token)
    except RefusedToken as error:
        note_refusal(hub, "client.request-refused", error.client_id, error.cause)
        raise


# --- refusals in the audit log


def note_refusal(hub: Hub, action: str, target: str, cause: str) -> None:
    """Note that somebody was refused who has no identity (yet); a flood of the same is written as a few entries."""
    _write(hub, hub.refusals.count(action, target, cause))


def settle_refusals(hub: Hub) -> None:
    """Write down what was counted for long enough."""
    _write(hub, hub.refusals.due())


def _write(hub: Hub, due: list[Refusal]) -> None:
    if not due:
        return
    try:
        with hub.database.write() as session:
            for item in due:
                detail = {"cause": item.cause, "times": item.times, "seconds": item.seconds}
                note(session, _DOORSTEP, item.action, item.target, detail=detail)
    except HubError as error:  # nothing was done that would have to be undone: a refusal stays one
        for item in due:
            structlog.get_logger().warning(
                "refusal.not-noted", action=item.action, cause=item.cause, why=error.title
            )


# --- published sets of keys


def fetch_keys(hub: Hub, url: str) -> list[dict[str, object]]:
    """The keys at an address.

    Raises:
        Invalid: when they cannot be had.
    """
    return key_set(fetch_json(url, read_networks(hub.settings.jwks_networks)), strict=False)


def _refresh_keys(hub: Hub, assertion: str) -> None:
    """Fetch the set of the client that an assertion names, where that is due.

    Raises:
        RefusedToken: when the set could not be read for too long.
    """
    header, claims = peek(assertion)
    subject, now = claims.get("sub"), utc_now()
    if not is_id(subject):
        return
    with hub.database.read() as session:
        source = clients.key_source(session, subject)
    if source is None:
        return
    old = source.read_at is None or source.read_at < now - _FRESH
    resting = source.tried_at is not None and source.tried_at > now - _PAUSE
    if (old or str(header.get("kid")) not in source.kids) and not resting and _take_turn(hub, subject):
        try:
            keys = fetch_keys(hub, source.url)
            with hub.database.write() as session:
                clients.put_keys(session, subject, keys)
            return
        except HubError as error:
            structlog.get_logger().warning("keys.not-fetched", client=subject, reason=error.detail)
    if source.read_at is None or source.read_at < now - _BELIEVED:
        raise RefusedToken(
            "The set of keys at this client's address could not be read for a day. Mend the address; the hub tries it "
            "again once a minute.",
            "keys", subject,
        )  # fmt: skip


def _take_turn(hub: Hub, client_id: str) -> bool:
    with hub.database.write() as session:
        return clients.try_keys(session, client_id, utc_now() - _PAUSE)
