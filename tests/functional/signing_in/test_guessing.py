"""Slowing down who guesses without locking anybody out; nothing says who is there; what is noted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from hub.errors import TooMany, Unauthorised
from hub.identity import people, throttle
from hub.identity.sessions import Stage
from hub.identity.tables import AttemptPotRow
from hub.identity.throttle import ACCOUNT, ACCOUNT_AND_SOURCE, DEVICE, SOURCE, network_of
from hub.web.sessions import DEVICES
from hub.workflows import accounts, signing_in
from hub.workflows.hub import Hub
from hub.workflows.signing_in import Caller
from support.entering import (
    cookie,
    enrolled,
    entries,
    form,
    guess,
    id_of,
    main_of,
)
from support.hubs import PASSWORD, principal_of, signed_in

# --- guessing


def test_who_guesses_is_slowed_down_from_one_place_and_from_many(hub: Hub, clock: Any) -> None:
    assert guess(hub, "ana", 20, Caller("198.51.100.1")) == ACCOUNT_AND_SOURCE.most
    many = [Caller(f"198.51.100.{place}") for place in range(2, 30)]
    looked = sum(guess(hub, "ana", 1, caller) for caller in many)
    assert looked == ACCOUNT.most - ACCOUNT_AND_SOURCE.most
    looked = 0
    for place in range(30):  # a quarter of an hour, from as many addresses as they like
        clock(seconds=30)
        looked += sum(guess(hub, "ana", 1, Caller(f"203.0.113.{place}-{more}")) for more in range(2))
    assert looked == 30
    clock(minutes=50)
    again = sum(guess(hub, "ana", 1, Caller(f"192.0.2.{place}")) for place in range(40))
    assert again == ACCOUNT.most, "the next hour begins anew"


def test_the_owner_gets_in_on_a_known_device_while_others_guess(hub: Hub, web: Any, clock: Any) -> None:
    owner, attacker = web(), web()
    assert form(owner, "/sign-in", username="ana", password=PASSWORD).location == "/"
    owner.post(
        "/sign-out", data={"csrf_token": re.search(r'csrf_token" value="([^"]+)', owner.get("/").text)[1]}
    )
    assert cookie(owner) == ""
    assert cookie(owner, DEVICES) != ""
    for _ in range(6):
        answer = form(attacker, "/sign-in", username="ana", password="a-wrong-password")
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (429, True)
    assert "too many tries. Wait 15 minutes" in main_of(answer)
    stranger = form(web(), "/sign-in", username="ana", password=PASSWORD)
    assert stranger.status_code == 429, "even the right password, from where nobody was before"
    assert form(owner, "/sign-in", username="ANA", password=PASSWORD).location == "/"


def test_a_known_device_that_was_stolen_does_not_guess_for_long_either(hub: Hub, clock: Any) -> None:
    known = signing_in.sign_in(hub, "ana", PASSWORD).devices
    thief = Caller("198.51.100.1", known)
    assert guess(hub, "ana", 30, thief) == DEVICE.most
    other = signing_in.sign_in(hub, "ana", PASSWORD, Caller("192.0.2.1")).devices
    assert signing_in.sign_in(hub, "ana", PASSWORD, Caller("192.0.2.1", other)).stage is Stage.FULL
    assert guess(hub, "olga", 30, Caller("198.51.100.9", known)) == ACCOUNT_AND_SOURCE.most, (
        "one account's only"
    )


@pytest.mark.parametrize("change", ["", "x", "é", ".", "AAAA", "flip"])
def test_a_device_cookie_that_was_made_up_is_none(hub: Hub, clock: Any, change: str) -> None:
    known = signing_in.sign_in(hub, "ana", PASSWORD).devices
    forged = known[:-2] + ("AA" if known[-2:] != "AA" else "BB") if change == "flip" else change
    assert guess(hub, "ana", 30, Caller("198.51.100.1", forged)) == ACCOUNT_AND_SOURCE.most


def test_a_source_that_tries_many_accounts_is_slowed_down_whether_they_exist_or_not(
    hub: Hub, clock: Any
) -> None:
    sprayer = Caller("198.51.100.1")
    assert sum(guess(hub, f"name{number}", 1, sprayer) for number in range(80)) == SOURCE.most
    assert signing_in.sign_in(hub, "ana", PASSWORD, Caller("198.51.100.2")).stage is Stage.FULL


def test_rest_makes_good_and_so_does_the_right_password(hub: Hub, clock: Any) -> None:
    caller = Caller("198.51.100.1")
    for _ in range(10):
        assert guess(hub, "ana", 4, caller) == 4
        assert signing_in.sign_in(hub, "ana", PASSWORD, caller).stage is Stage.FULL
        clock(minutes=20)
    assert guess(hub, "ana", 6, caller) == 5
    clock(minutes=14)
    assert guess(hub, "ana", 1, caller) == 0
    clock(minutes=1, seconds=1)
    assert signing_in.sign_in(hub, "ana", PASSWORD, caller).stage is Stage.FULL


def test_codes_are_guessed_as_slowly_and_by_nobody_without_the_password(hub: Hub, clock: Any) -> None:
    enrolled(hub, "olga")
    looked = 0
    for place in range(40):
        caller = Caller(f"198.51.100.{place}")
        entry = signing_in.sign_in(hub, "olga", PASSWORD, caller)
        try:
            signing_in.give_code(hub, entry.token, "000000", caller)
        except Unauthorised:
            looked += 1
        except TooMany:
            pass
    assert looked == throttle.ACCOUNT_CODE.most


def test_what_was_typed_is_not_kept(hub: Hub, clock: Any, tmp_path: Path) -> None:
    guess(hub, "a-password-in-the-wrong-box", 6, Caller("198.51.100.77"))
    signing_in.note_refusals(hub)
    hub.database.close()
    everything = b"".join(path.read_bytes() for path in tmp_path.glob("only.db*"))
    assert b"wrong-box" not in everything
    assert b"198.51.100" not in everything


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, "unknown"), ("nonsense", "unknown"),
    ],
)  # fmt: skip
def test_a_subscriber_is_one_source(address: str | None, network: str) -> None:
    assert network_of(address) == network


# --- who is there


def test_nothing_says_whether_an_account_exists(
    hub: Hub, web: Any, clock: Any, verifications: list[str]
) -> None:
    """Neither words nor the work done: one hash is verified for each attempt that is looked at."""
    operator = principal_of(hub, "hub", "operator")
    accounts.invite(hub, operator, "new", "New", "hub", ["analyst"])
    closed = accounts.invite(hub, operator, "closed", "Closed", "hub", ["analyst"])[0]
    signing_in.use_code(hub, accounts.reset(hub, operator, closed), PASSWORD)
    accounts.set_active(hub, operator, closed, False)
    pages, counts = set(), set()
    for name, password in (
        ("ana", "a-wrong-password"), ("nobody", PASSWORD), ("new", PASSWORD), ("closed", PASSWORD),
        ("olga", "a-wrong-password"),
    ):  # fmt: skip
        verifications.clear()
        seen = []
        for _ in range(7):  # until it is slowed down, and then
            answer = form(web(), "/sign-in", username=name, password=password)
            seen.append((answer.status_code, main_of(answer)))
        pages.add(tuple(seen))
        counts.add(len(verifications))
        with hub.database.write() as session:
            session.query(AttemptPotRow).delete()
    assert len(pages) == 1
    assert counts == {5}
    assert "The username or the password is not right" in str(pages)


def test_hashes_made_with_older_parameters_are_made_anew_at_signing_in(hub: Hub) -> None:

    old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    with hub.database.write() as session:
        session.execute(text("UPDATE users SET password_hash = :old WHERE username = 'ana'"), {"old": old})
    signed_in(hub, "ana")
    with hub.database.read() as session:
        new = session.execute(text("SELECT password_hash FROM users WHERE username = 'ana'")).scalar_one()
    assert new != old
    assert new.startswith("$argon2id$")
    assert not people._hasher().check_needs_rehash(new)
    signed_in(hub, "ana")


# --- audit


def test_refused_sign_ins_are_noted_by_account_gathered_and_without_what_was_typed(
    hub: Hub, clock: Any
) -> None:
    for place in range(4):
        guess(hub, "ana", 5, Caller(f"198.51.100.{place}"))
        guess(hub, f"nobody{place}", 5, Caller(f"198.51.100.{place}"))
    assert [item.action for item in entries(hub)] == [], "a flood writes no entries"
    signing_in.note_refusals(hub)
    noted = [(item.action, item.content["target"], item.content["detail"]) for item in entries(hub)]
    assert sorted(noted, key=str) == sorted(
        [
            ("person.sign-in-refused", "", {"step": "password", "times": 20}),
            ("person.sign-in-refused", id_of(hub, "ana"), {"step": "password", "times": 20}),
            ("person.slowed-down", "", {"times": 4}), ("person.slowed-down", id_of(hub, "ana"), {"times": 4}),
        ],
        key=str,
    )  # fmt: skip
    assert "nobody" not in str(noted)
    for _ in range(20):
        clock(seconds=40)
        guess(hub, "ana", 1, Caller("203.0.113.1"))
        signing_in.note_refusals(hub)
    assert len(entries(hub)) == 4, "gathered for a quarter of an hour"
    clock(minutes=16)
    signing_in.note_refusals(hub)
    more = [item.content["detail"] for item in entries(hub)[4:]]
    assert more
    assert len(more) <= 2
    clock(minutes=16)
    signing_in.note_refusals(hub)
    assert len(entries(hub)) == 4 + len(more)
