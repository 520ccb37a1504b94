"""What people do with their own account: password, second factor, recovery codes, sessions.

Whoever changes how they sign in proves once more who they are, so that a browser left open is no way in for good;
their other sessions end with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.errors import Forbidden, Invalid, NotFound, Unauthorised
from hub.identity import codes, factors, people, sessions, throttle
from hub.identity.people import Account
from hub.identity.principal import Principal
from hub.identity.sessions import SignedIn, Stage
from hub.storage.database import utc_now
from hub.workflows.hub import Hub, note
from hub.workflows.signing_in import (
    UNKNOWN,
    Caller,
    Entry,
    check_code,
    check_password,
    open_secret,
    pending,
    remember_device,
    seal_secret,
)

__all__ = [
    "Offer", "OwnAccount", "change_password", "confirm_factor", "end_session", "finish_enrolment", "offer_factor",
    "offer_to_pending", "own_account", "renew_recovery_codes", "sign_out_everywhere",
]  # fmt: skip


@dataclass(frozen=True)
class OwnAccount:
    """One's account; `current` is the id of the session that asks, `proof` what to prove oneself with."""

    account: Account
    second_factor: bool
    required: bool
    recovery_left: int
    sessions: tuple[SignedIn, ...]
    current: str
    proof: str


@dataclass(frozen=True)
class Offer:
    """A secret to put into an authenticator app: as text, and as the address that its QR code holds."""

    secret: str
    address: str


def own_account(hub: Hub, principal: Principal, token: str) -> OwnAccount:
    """One's account as its page shows it."""
    settings = hub.settings
    with hub.database.read() as session:
        found = _own(session, principal)
        current = sessions.find(session, token, settings.session_minutes, settings.session_hours)
        factor = factors.factor_of(session, found.id).secret is not None
        return OwnAccount(
            found, factor, bool(settings.second_factor_roles & set(found.roles)),
            factors.recovery_left(session, found.id),
            tuple(sessions.list_for(session, found.id, settings.session_minutes, settings.session_hours)),
            current.id if current is not None and current.user_id == found.id else "",
            "password" if found.has_password else "code" if factor else "",
        )  # fmt: skip


def change_password(
    hub: Hub, principal: Principal, token: str, old: str, new: str, caller: Caller = UNKNOWN
) -> str:
    """Change one's password; other sessions end, and this one gets a new token, which is returned.

    Raises:
        Unauthorised: when the old password is not right.
        Invalid: when the new one cannot be used.
    """
    with hub.database.read() as session:
        found = _own(session, principal)
    if not found.has_password:
        raise Forbidden("You sign in through your organisation, so there is no password here to change.")
    people.check_password(found.username, new)
    if new == old:
        raise Invalid("The new password is the old one. Choose another.")
    _prove(hub, found, old, caller)
    with hub.database.write() as session:
        people.set_password(session, found.id, new)
        codes.forget(session, found.id)
        fresh = _only_this_session(session, found.id, token)
        note(session, principal, "person.password-changed", found.id)
    return fresh


def offer_factor(hub: Hub, principal: Principal) -> Offer:
    """A secret for one's authenticator app; the same for half an hour, until a code confirms it."""
    with hub.database.write() as session:
        return _offer(hub, session, _own(session, principal))


def confirm_factor(
    hub: Hub, principal: Principal, token: str, proof: str, code: str, caller: Caller = UNKNOWN
) -> tuple[str, list[str]]:
    """Put the offered secret into use; returns this session's new token and ten recovery codes.

    `proof` is the password, or a code of the second factor in use where there is no password.

    Raises:
        Unauthorised: when the proof is not right.
        Invalid: when the code is not one of the new app.
    """
    with hub.database.read() as session:
        found = _own(session, principal)
    _prove(hub, found, proof, caller)
    with hub.database.write() as session:
        _confirm(hub, session, found, code)
        made = factors.new_recovery_codes(session, found.id)
        fresh = _only_this_session(session, found.id, token)
        note(session, principal, "person.second-factor-set", found.id)
    return fresh, made


def offer_to_pending(hub: Hub, token: str) -> Offer:
    """A secret for who signs in and has to set up a second factor first.

    Raises:
        Unauthorised: when the first step is too long ago.
    """
    waiting = pending(hub, token)
    if waiting is None or waiting.stage is not Stage.ENROL:
        raise Unauthorised("You took too long. Sign in again.")
    with hub.database.write() as session:
        return _offer(hub, session, waiting.account)


def finish_enrolment(hub: Hub, token: str, code: str, caller: Caller = UNKNOWN) -> tuple[Entry, list[str]]:
    """The second step for who had none: the session becomes whole; also returns ten recovery codes.

    Raises:
        Unauthorised: when the first step is too long ago.
        Invalid: when the code is not one of the new app.
    """
    waiting = pending(hub, token)
    if waiting is None or waiting.stage is not Stage.ENROL:
        raise Unauthorised("You took too long. Sign in again.")
    found = waiting.account
    with hub.database.write() as session:
        if factors.factor_of(session, found.id).secret is not None:
            raise Unauthorised("A second factor was set up meanwhile. Sign in again.")
        _confirm(hub, session, found, code)
        made = factors.new_recovery_codes(session, found.id)
        fresh = _only_this_session(session, found.id, token)
        person = people.user_principal(session, found.id)
        if person is None:
            raise Unauthorised("You took too long. Sign in again.")
        note(session, person, "person.second-factor-set", found.id)
        note(session, person, "person.signed-in", found.id, detail={"with": "new second factor"})
    return Entry(fresh, Stage.FULL, remember_device(hub, found, caller)), made


def renew_recovery_codes(hub: Hub, principal: Principal, proof: str, caller: Caller = UNKNOWN) -> list[str]:
    """Ten new recovery codes in place of the old ones.

    Raises:
        Unauthorised: when the proof is not right.
        Invalid: when there is no second factor that they could stand for.
    """
    with hub.database.read() as session:
        found = _own(session, principal)
        if factors.factor_of(session, found.id).secret is None:
            raise Invalid("Set up a second factor first: recovery codes stand in for it.")
    _prove(hub, found, proof, caller)
    with hub.database.write() as session:
        made = factors.new_recovery_codes(session, found.id)
        note(session, principal, "person.recovery-codes-made", found.id)
    return made


def end_session(hub: Hub, principal: Principal, session_id: str) -> None:
    """End one of one's own sessions.

    Raises:
        NotFound: when it is none of one's own, or over.
    """
    with hub.database.write() as session:
        if not sessions.end_one(session, _own(session, principal).id, session_id):
            raise NotFound("There is no such session; it may have ended by itself.")
        note(session, principal, "person.sessions-ended", principal.id, detail={"sessions": 1})


def sign_out_everywhere(hub: Hub, principal: Principal) -> int:
    """End all of one's sessions, this one too; returns how many."""
    with hub.database.write() as session:
        count = sessions.end_all(session, _own(session, principal).id)
        note(session, principal, "person.sessions-ended", principal.id, detail={"sessions": count})
    return count


def _own(session: Session, principal: Principal) -> Account:
    if principal.kind != "person":
        raise Forbidden("Only people have an account.")
    return people.find(session, principal.id)


def _prove(hub: Hub, found: Account, proof: str, caller: Caller) -> None:
    """Password, else a code of the second factor; who has neither came through the provider and has no more to give."""
    if found.has_password:
        try:
            _, pots = check_password(hub, found.username, proof, caller)
        except Unauthorised:
            raise Unauthorised("The password is not right.") from None
        with hub.database.write() as session:
            throttle.give_back(session, pots)
        return
    with hub.database.read() as session:
        factor = factors.factor_of(session, found.id)
    if factor.secret is not None:
        check_code(hub, found, proof, caller)


def _offer(hub: Hub, session: Session, found: Account) -> Offer:
    secret = open_secret(hub, found.id, factors.factor_of(session, found.id).proposed)
    if secret is None:
        secret = factors.new_secret()
        factors.propose(session, found.id, seal_secret(hub, found.id, secret))
    return Offer(secret, factors.address(secret, found.username, hub.settings.name))


def _confirm(hub: Hub, session: Session, found: Account, code: str) -> None:
    sealed = factors.factor_of(session, found.id).proposed
    secret = open_secret(hub, found.id, sealed)
    step = factors.matching_step(secret, code, utc_now()) if secret else None
    if sealed is None or step is None or not factors.confirm(session, found.id, sealed, step):
        raise Invalid(
            "This code is not one of your app. Check that the clock of your phone is right, and try the next code."
        )


def _only_this_session(session: Session, user_id: str, token: str) -> str:
    fresh = sessions.rotate(session, token, Stage.FULL)
    if fresh is None:
        raise Unauthorised("Your session ended meanwhile. Sign in again.")
    sessions.end_all(session, user_id, but=fresh)
    return fresh
