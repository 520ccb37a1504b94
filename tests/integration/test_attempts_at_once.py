"""Many attempts at the same moment are as many attempts; a code is used once; the same on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher

from hub.audit import log as audit
from hub.errors import HubError, TooMany, Unauthorised
from hub.identity import people, throttle
from hub.identity.organisations import add_organisation
from hub.identity.sessions import Stage
from hub.storage.database import utc_now
from hub.workflows import accounts, own_account, signing_in
from hub.workflows.hub import Hub
from hub.workflows.signing_in import Caller
from support.hubs import PASSWORD, principal_of

CALLER = Caller("198.51.100.1")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", lambda: cheap)
    people._decoy.cache_clear()
    yield
    people._decoy.cache_clear()


@pytest.fixture
def sam(hub: Hub) -> str:
    with hub.database.write() as session:
        home = add_organisation(session, "police", "Wexbourne Police").id
        return people.add_user(session, "sam", "Sam", home, ["analyst"], PASSWORD)


def at_once(act: Callable[[int], Any], times: int) -> Counter[str]:
    """Do something so often at the same time; what became of it, by the name of the error."""

    def one(number: int) -> str:
        try:
            act(number)
        except HubError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(6) as pool:
        return Counter(pool.map(one, range(times)))


def test_guessing_at_the_same_moment_gives_no_more_guesses(hub: Hub, sam: str) -> None:
    seen = at_once(lambda _: signing_in.sign_in(hub, "sam", "a-wrong-password", CALLER), 18)
    assert seen == {
        "Unauthorised": throttle.ACCOUNT_AND_SOURCE.most,
        "TooMany": 18 - throttle.ACCOUNT_AND_SOURCE.most,
    }
    with pytest.raises(TooMany):
        signing_in.sign_in(hub, "sam", PASSWORD, CALLER)
    assert signing_in.note_refusals(hub) == 2
    assert signing_in.note_refusals(hub) == 0
    with hub.database.read() as session:
        noted = {item.action: item.content["detail"] for item in audit.recent(session)}
    assert noted["person.sign-in-refused"] == {"step": "password", "times": 5}


def test_a_second_factor_from_setting_it_up_to_losing_it(hub: Hub, sam: str) -> None:
    token = signing_in.sign_in(hub, "sam", PASSWORD, CALLER).token
    me = signing_in.session_of(hub, token)
    assert me is not None
    secret = own_account.offer_factor(hub, me).secret
    assert own_account.offer_factor(hub, me).secret == secret
    now = pyotp.TOTP(secret).at(utc_now())
    token, recovery = own_account.confirm_factor(hub, me, token, PASSWORD, now, CALLER)
    entry = signing_in.sign_in(hub, "sam", PASSWORD, CALLER)
    with pytest.raises(Unauthorised):
        signing_in.give_code(hub, entry.token, now, CALLER)  # it was used to set it up
    waiting = [signing_in.sign_in(hub, "sam", PASSWORD, CALLER).token for _ in range(4)]
    seen = at_once(lambda number: signing_in.give_code(hub, waiting[number], recovery[0], CALLER), 4)
    assert (seen["done"], seen["Unauthorised"] + seen["TooMany"]) == (1, 3), "a recovery code is used once"
    operator = principal_of(hub, "hub", "operator")
    code = accounts.reset(hub, operator, sam, clear_factor=True)
    seen = at_once(lambda number: signing_in.use_code(hub, code, f"{PASSWORD}-{number}", CALLER), 4)
    assert seen == {"done": 1, "Unauthorised": 3}, "and so is a one-time code"
    assert signing_in.session_of(hub, token) is None
    new = next(
        number for number in range(4)
        if signing_in_works(hub, f"{PASSWORD}-{number}", Caller(f"192.0.2.{number}"))
    )  # fmt: skip
    entry = signing_in.sign_in(hub, "sam", f"{PASSWORD}-{new}", Caller("192.0.2.9"))
    assert entry.stage is Stage.FULL
    signing_in.tidy(hub)
    assert signing_in.session_of(hub, entry.token) is not None


def signing_in_works(hub: Hub, password: str, caller: Caller) -> bool:
    try:
        signing_in.sign_in(hub, "sam", password, caller)
    except Unauthorised:
        return False
    return True
