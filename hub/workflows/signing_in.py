"""People signing in: password, second factor, one-time codes, sessions.

Whoever tries is slowed down before a password is looked at (`hub.identity.throttle`); whoever is refused gets one
sentence for every cause, after the same work. Entries about refusals are written by the worker, gathered: a flood of
attempts makes no flood of entries, and writing one takes nobody longer than another.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.errors import Forbidden, Unauthorised
from hub.identity import codes, devices, factors, people, sessions, throttle
from hub.identity.people import Account
from hub.identity.principal import Principal, system
from hub.identity.sessions import SignedIn, Stage
from hub.storage.database import utc_now
from hub.workflows.hub import Hub, note

__all__ = [
    "COMMAND_LINE", "UNKNOWN", "Caller", "Entry", "Pending", "check_code", "check_password", "enter", "give_code",
    "note_refusals", "open_secret", "pending", "prove", "remember_device", "seal_secret", "session_of", "sign_in",
    "sign_out", "tidy", "use_code",
]  # fmt: skip

_WRONG = "The username or the password is not right."
_WRONG_CODE = "This code is not right, or was used before. Wait for the next one, or use a recovery code."


@dataclass(frozen=True)
class Caller:
    """From where somebody tries: source (`throttle.network_of`), the known-devices cookie, the browser in words."""

    source: str = "unknown"
    devices: str = ""
    browser: str = ""
    nonce: str | None = None


UNKNOWN = Caller()
#: The person at the machine: nobody far away slows them down.
COMMAND_LINE = Caller("command line", nonce="command line")


@dataclass(frozen=True)
class Entry:
    """A session that was begun or went a step further. `devices` is the cookie to keep; "" leaves it as it is."""

    token: str
    stage: Stage
    devices: str = ""


@dataclass(frozen=True)
class Pending:
    """Somebody whose password was right and who has not come further yet."""

    account: Account
    stage: Stage


# --- the steps


def sign_in(hub: Hub, username: str, password: str, caller: Caller = UNKNOWN) -> Entry:
    """A session for who knows the password; whole, or waiting for the second factor.

    Raises:
        Unauthorised: with one message for every cause.
        TooMany: after too many tries.
    """
    account, pots = check_password(hub, username, password, caller)
    with hub.database.write() as session:
        throttle.give_back(session, pots)
        people.rehash(session, account.id, password)
        return enter(hub, session, account, caller, "password")


def give_code(hub: Hub, token: str, code: str, caller: Caller = UNKNOWN) -> Entry:
    """The second step: a code of the app, or a recovery code. The session gets a new token.

    Raises:
        Unauthorised: when it is wrong, or the first step is too long ago.
        TooMany: after too many tries.
    """
    waiting = pending(hub, token)
    if waiting is None or waiting.stage is not Stage.CODE:
        raise Unauthorised("You took too long. Sign in again.")
    how = check_code(hub, waiting.account, code, caller)
    with hub.database.write() as session:
        new = sessions.rotate(session, token, Stage.FULL)
        if new is None:
            raise Unauthorised("You took too long. Sign in again.")
        _signed_in(session, waiting.account, how)
    return Entry(new, Stage.FULL, remember_device(hub, waiting.account, caller))


def use_code(hub: Hub, code: str, password: str, caller: Caller = UNKNOWN) -> None:
    """Choose a password with a one-time code from an operator; sessions end. What the code is not good for leaves it.

    Raises:
        Unauthorised: when the code is unknown, used or too old.
        Invalid: when the password cannot be used.
    """
    pots = throttle.source_pot(_key(hub), caller.source)
    with hub.database.write() as session:
        throttle.admit(session, pots)
    with hub.database.write() as session:
        found = codes.take(session, code)
        person = people.user_principal(session, found.user_id) if found is not None else None
        if found is None or person is None:
            raise Unauthorised("This code is unknown, used or too old. Ask the hub's operator for a new one.")
        people.set_password(session, found.user_id, password)
        if found.clears_factor:
            factors.remove(session, found.user_id)
        sessions.end_all(session, found.user_id)
        throttle.give_back(session, pots)
        note(
            session, person, "person.password-chosen", found.user_id,
            detail={"code_from": found.made_by, "second_factor_removed": found.clears_factor},
        )  # fmt: skip


# --- sessions


def session_of(hub: Hub, token: str) -> Principal | None:
    """Whose whole session a token is; None when it is over, or waits for the second factor."""
    settings = hub.settings
    with hub.database.read() as session:
        found = sessions.find(session, token, settings.session_minutes, settings.session_hours)
        if found is None or found.stage is not Stage.FULL:
            return None
        person = people.user_principal(session, found.user_id)
    if person is not None and found.stale:
        with hub.database.write() as session:
            sessions.touch(session, token)
    return person


def pending(hub: Hub, token: str) -> Pending | None:
    """Who has taken the first step of signing in and waits at the second."""
    settings = hub.settings
    with hub.database.read() as session:
        found = sessions.find(session, token, settings.session_minutes, settings.session_hours)
        if (
            found is None
            or found.stage is Stage.FULL
            or people.user_principal(session, found.user_id) is None
        ):
            return None
        return Pending(people.find(session, found.user_id), found.stage)


def sign_out(hub: Hub, token: str) -> SignedIn | None:
    """End a session, whole or waiting; returns what it was."""
    settings = hub.settings
    with hub.database.write() as session:
        found = sessions.find(session, token, settings.session_minutes, settings.session_hours)
        sessions.end(session, token)
        person = people.user_principal(session, found.user_id) if found is not None else None
        if found is not None and person is not None and found.stage is Stage.FULL:
            note(session, person, "person.signed-out", person.id)
    return found


# --- at the command line


def prove(hub: Hub, username: str, password: str, ask_code: Callable[[], str]) -> Principal:
    """Who somebody at the hub's machine is; `ask_code` is called where the account has a second factor.

    Raises:
        Unauthorised: with one message for every cause.
        Forbidden: when their role needs a second factor and they have none yet.
    """
    account, pots = check_password(hub, username, password, COMMAND_LINE)
    how = "password"
    with hub.database.read() as session:
        stage = _stage(hub, session, account)
    if stage is Stage.ENROL:
        raise Forbidden(
            "Your role needs a second factor, and you have none yet. Sign in on the hub's pages once, or run: "
            f"hub users second-factor --as {account.username}"
        )
    if stage is Stage.CODE:
        how = f"password, {check_code(hub, account, ask_code(), COMMAND_LINE)}"
    with hub.database.write() as session:
        throttle.give_back(session, pots)
        people.rehash(session, account.id, password)
        _signed_in(session, account, how)
        person = people.user_principal(session, account.id)
    if person is None:
        raise Unauthorised(_WRONG)
    return person


# --- what the steps share


def check_password(
    hub: Hub, username: str, password: str, caller: Caller
) -> tuple[Account, list[tuple[str, throttle.Limit]]]:
    """The account with this username and password, and the pots to give the attempt back to.

    Raises:
        Unauthorised: with one message for every cause.
        TooMany: after too many tries.
    """
    pots = throttle.pots(_key(hub), _attempt(hub, "password", username, username, caller))
    with hub.database.write() as session:
        account = people.find_by_name(session, username)
        if throttle.admit(session, pots):
            throttle.count_refusal(session, account.id if account else "", "slowed down")
    with hub.database.read() as session:
        right = people.verify(session, account.id if account else None, password)
        person = people.user_principal(session, account.id) if account else None
    if account is None or person is None or not right:
        _refuse(hub, account, "password")
        raise Unauthorised(_WRONG)
    return account, pots


def check_code(hub: Hub, account: Account, code: str, caller: Caller) -> str:
    """Whether a code is one of the account's; uses it up and says what it was ("code" or "recovery code").

    Raises:
        Unauthorised: when it is none, or was used before.
        TooMany: after too many tries.
    """
    pots = throttle.pots(_key(hub), _attempt(hub, "code", account.id, account.username, caller))
    with hub.database.write() as session:
        if throttle.admit(session, pots):
            throttle.count_refusal(session, account.id, "slowed down")
    how = ""
    with hub.database.write() as session:
        factor = factors.factor_of(session, account.id)
        secret = open_secret(hub, account.id, factor.secret)
        step = factors.matching_step(secret, code, utc_now()) if secret else None
        if step is not None:
            how = "code" if factors.take_step(session, account.id, step) else ""
        elif secret and factors.take_recovery_code(session, account.id, code):
            how = "recovery code"
        if how:
            throttle.give_back(session, pots)
    if not how:
        _refuse(hub, account, "code")
        raise Unauthorised(_WRONG_CODE)
    return how


def seal_secret(hub: Hub, user_id: str, secret: str) -> str:
    """An authenticator's secret as it is kept: readable by the hub only, and for this account only."""
    return hub.vault.seal_text(json.dumps({"for": user_id, "totp": secret}))


def open_secret(hub: Hub, user_id: str, sealed: str | None) -> str | None:
    """What `seal_secret` sealed for this account; None where there is nothing."""
    if sealed is None:
        return None
    content = json.loads(hub.vault.open_text(sealed))
    return str(content["totp"]) if content["for"] == user_id else None


def enter(
    hub: Hub, session: Session, account: Account, caller: Caller, method: str, *, strong: bool = False
) -> Entry:
    """A session for who has proved who they are; whole where no second factor is needed, or `strong` stands for it."""
    stage = Stage.FULL if strong else _stage(hub, session, account)
    token = sessions.start(session, account.id, stage, method=method, device=caller.browser)
    if stage is not Stage.FULL:
        return Entry(token, stage)
    _signed_in(session, account, method)
    return Entry(token, stage, remember_device(hub, account, caller))


def _stage(hub: Hub, session: Session, account: Account) -> Stage:
    """What is still to come after the first step."""
    if factors.factor_of(session, account.id).secret is not None:
        return Stage.CODE
    needed = hub.settings.second_factor_roles & set(account.roles)
    return Stage.ENROL if needed else Stage.FULL


def _signed_in(session: Session, account: Account, how: str) -> None:
    person = people.user_principal(session, account.id)
    if person is None:
        raise Unauthorised(_WRONG)
    note(session, person, "person.signed-in", person.id, detail={"with": how})


def _attempt(hub: Hub, step: str, who: str, username: str, caller: Caller) -> throttle.Attempt:
    nonce = caller.nonce
    if nonce is None and caller.devices:
        nonce = devices.nonce_of(_devices_key(hub), caller.devices, username, utc_now().date())
    return throttle.Attempt(step, who, caller.source, nonce)


def remember_device(hub: Hub, account: Account, caller: Caller) -> str:
    """The cookie by which this browser is known from now on."""
    return devices.remember(_devices_key(hub), caller.devices, account.username, utc_now().date())


def _key(hub: Hub) -> bytes:
    return hub.vault.derived_key("attempts at signing in")


def _devices_key(hub: Hub) -> bytes:
    return hub.vault.derived_key("known devices")


def _refuse(hub: Hub, account: Account | None, step: str) -> None:
    with hub.database.write() as session:
        throttle.count_refusal(session, account.id if account else "", step)


# --- once in a while


def note_refusals(hub: Hub) -> int:
    """Write the entries about refused sign-ins that are due; returns how many."""
    with hub.database.read() as session:
        if not throttle.are_refusals_due(session):  # most of the time: and then nothing is locked
            return 0
    with hub.database.write() as session:
        due = throttle.due_refusals(session)
        for who, kind, count in due:
            slowed = kind == "slowed down"
            note(
                session, system("sign-in"), "person.slowed-down" if slowed else "person.sign-in-refused", who,
                detail={"times": count} if slowed else {"step": kind, "times": count},
            )  # fmt: skip
    return len(due)


def tidy(hub: Hub) -> None:
    """Forget sessions that are over, codes that are too old and attempts long ago."""
    settings = hub.settings
    with hub.database.write() as session:
        sessions.purge(session, settings.session_minutes, settings.session_hours)
        codes.purge(session)
        throttle.purge(session)
