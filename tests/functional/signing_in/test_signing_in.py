"""Signing in: second factors, codes, sessions and accounts."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.app import create_app, open_hub
from hub.errors import ConfigurationError, Conflict, Forbidden, Invalid, NotFound, Unauthorised
from hub.identity import codes, factors, people, sessions
from hub.identity.sessions import Stage
from hub.identity.tables import AttemptPotRow, SecondFactorRow, SessionRow
from hub.web.sessions import COOKIE
from hub.workflows import accounts, own_account, signing_in
from hub.workflows.hub import Hub
from support.entering import (
    NOW,
    OTHER,
    code_now,
    cookie,
    enrolled,
    entries,
    form,
    guess,
    home_of,
    id_of,
    main_of,
)
from support.hubs import PASSWORD, make_hub, principal_of, signed_in

# --- second factor


def test_a_role_that_needs_a_second_factor_is_led_to_set_one_up_and_nowhere_else(
    hub: Hub, web: Any, clock: Any
) -> None:
    client = web()
    answer = form(client, "/sign-in?next=/users", username="olga", password=PASSWORD)
    assert answer.location == "/sign-in/second-factor?next=/users"
    first = cookie(client)
    assert client.get("/").location.startswith("/sign-in"), "a password alone opens nothing"
    page = client.get(answer.location)
    assert '<svg role="img"' in page.text
    key = re.search(r'id="key">([^<]+)<', page.text)[1]
    assert len(key.replace(" ", "")) == 32
    assert "script" not in page.headers["Content-Security-Policy"].replace("script-src 'self'", "")
    wrong = form(client, answer.location, code="000000")
    assert (wrong.status_code, "not one of your app" in main_of(wrong)) == (422, True)
    assert key in wrong.text, "the same secret is offered again"
    done = form(client, answer.location, code=code_now(key))
    recovery = re.findall(r'<li class="hub-code">([^<]+)</li>', done.text)
    assert len(recovery) == len(set(recovery)) == 10
    assert 'href="/users"' in done.text
    assert cookie(client) != first, "the token changes with the second factor"
    assert client.get("/users").status_code == 200
    thief = web()
    thief.set_cookie(COOKIE, first)
    assert thief.get("/users").status_code == 302, "the token of the first step is worth nothing"


def test_afterwards_a_code_is_asked_for_and_works_once(hub: Hub, web: Any, clock: Any) -> None:
    secret, _ = enrolled(hub, "olga")
    clock(seconds=30)
    code = code_now(secret, NOW + timedelta(seconds=30))
    client, other = web(), web()
    for browser in (client, other):
        answer = form(browser, "/sign-in", username="olga", password=PASSWORD)
        assert answer.location == "/sign-in/code"
    assert form(client, "/sign-in/code", code=f"{code[:3]} {code[3:]}").location == "/"
    again = form(other, "/sign-in/code", code=code)
    assert (again.status_code, "was used before" in main_of(again)) == (422, True)
    assert other.get("/users").status_code == 302


@pytest.mark.parametrize(
    ("seconds", "taken"), [(-30, True), (0, True), (59, True), (-31, False), (60, False)]
)
def test_a_clock_may_be_one_step_off_and_no_more(hub: Hub, clock: Any, seconds: int, taken: bool) -> None:
    secret, _ = enrolled(hub, "olga")
    clock(hours=1)
    entry = signing_in.sign_in(hub, "olga", PASSWORD)
    code = code_now(secret, NOW + timedelta(hours=1, seconds=seconds))
    if taken:
        assert signing_in.give_code(hub, entry.token, code).stage is Stage.FULL
    else:
        with pytest.raises(Unauthorised):
            signing_in.give_code(hub, entry.token, code)


def test_a_recovery_code_works_once_however_it_is_typed(hub: Hub, clock: Any) -> None:
    _, recovery = enrolled(hub, "olga")
    typed = recovery[3].upper().replace("-", " ")
    entry = signing_in.sign_in(hub, "olga", PASSWORD)
    assert signing_in.give_code(hub, entry.token, typed).stage is Stage.FULL
    entry = signing_in.sign_in(hub, "olga", PASSWORD)
    with pytest.raises(Unauthorised):
        signing_in.give_code(hub, entry.token, recovery[3])
    with hub.database.read() as session:
        assert factors.recovery_left(session, id_of(hub, "olga")) == 9
    assert entries(hub)[-1].content["detail"] == {"with": "recovery code"}


def test_neither_secrets_nor_codes_nor_tokens_stand_in_the_database(
    hub: Hub, clock: Any, tmp_path: Path
) -> None:
    secret, recovery = enrolled(hub, "olga")
    token, _ = signed_in(hub, "ana")
    operator = principal_of(hub, "hub", "operator")
    code = accounts.reset(hub, operator, id_of(hub, "ana"))
    hub.database.close()
    everything = b"".join(path.read_bytes() for path in tmp_path.glob("only.db*")).decode("latin-1")
    for hidden in (secret, token, code, code.replace("-", ""), *recovery, recovery[0].replace("-", "")):
        assert hidden not in everything


def test_a_sealed_secret_of_one_account_is_none_of_anothers(hub: Hub, clock: Any) -> None:
    """Who writes the database cannot put their own second factor on somebody else's account."""
    secret, _ = enrolled(hub, "olga")
    with hub.database.write() as session:
        sealed = session.get_one(SecondFactorRow, id_of(hub, "olga")).secret
        session.add(
            SecondFactorRow(
                user_id=id_of(hub, "ana"), secret=sealed, last_step=0, proposed=None, proposed_at=None
            )
        )
    entry = signing_in.sign_in(hub, "ana", PASSWORD)
    assert entry.stage is Stage.CODE
    with pytest.raises(Unauthorised):
        signing_in.give_code(hub, entry.token, code_now(secret))


def test_changing_the_app_asks_for_the_password_and_ends_other_sessions(
    hub: Hub, web: Any, clock: Any
) -> None:
    client = web()
    form(client, "/sign-in", username="ana", password=PASSWORD)
    elsewhere, _ = signed_in(hub, "ana")
    before = cookie(client)
    page = client.get("/account/second-factor")
    key = re.search(r'id="key">([^<]+)<', page.text)[1]
    refused = form(client, "/account/second-factor", proof="wrong-wrong-wrong", code=code_now(key))
    assert (refused.status_code, "The password is not right" in main_of(refused)) == (422, True)
    done = form(client, "/account/second-factor", proof=PASSWORD, code=code_now(key))
    assert "Your recovery codes" in main_of(done)
    assert signing_in.session_of(hub, elsewhere) is None
    assert cookie(client) != before
    assert signing_in.session_of(hub, before) is None
    assert "An authenticator app" in main_of(client.get("/account"))
    renewed = form(client, "/account/recovery-codes", proof=PASSWORD)
    assert len(re.findall(r'<li class="hub-code">', renewed.text)) == 10


def test_the_command_line_asks_for_the_code_too(hub: Hub, clock: Any) -> None:
    asked: list[str] = []
    with pytest.raises(Forbidden, match="hub users second-factor --as olga"):
        signing_in.prove(hub, "olga", PASSWORD, lambda: asked.append("x") or "")
    _, recovery = enrolled(hub, "olga")
    with pytest.raises(Unauthorised):
        signing_in.prove(hub, "olga", PASSWORD, lambda: "000000")
    assert signing_in.prove(hub, "olga", PASSWORD, lambda: recovery[0]).roles == {"operator"}
    assert signing_in.prove(hub, "ana", PASSWORD, lambda: asked.append("x") or "").roles == {"analyst"}
    assert asked == []


# --- one-time codes


def test_an_invited_person_chooses_a_password_that_nobody_else_knows(hub: Hub, web: Any, clock: Any) -> None:
    operator = principal_of(hub, "hub", "operator")
    user, code = accounts.invite(hub, operator, "sam", "Sam", "hub", ["analyst"])
    with pytest.raises(Unauthorised):
        signing_in.sign_in(hub, "sam", "")
    client = web()
    short = form(client, "/sign-in/one-time-code", code=code, password="short")
    assert "between 12 and 500" in main_of(short)
    done = form(client, "/sign-in/one-time-code", code=f" {code.upper()} ", password=OTHER)
    assert (done.status_code, done.location) == (303, "/sign-in")
    assert "Your password is set" in main_of(client.get("/sign-in"))
    assert signed_in(hub, "sam", OTHER)[1].id == user
    again = form(client, "/sign-in/one-time-code", code=code, password=PASSWORD)
    assert "unknown, used or too old" in main_of(again)


def test_a_code_that_is_too_old_or_replaced_or_of_a_closed_account_says_the_same(
    hub: Hub, clock: Any
) -> None:
    operator, ana = principal_of(hub, "hub", "operator"), id_of(hub, "ana")
    said = set()

    def refused(code: str) -> None:
        with pytest.raises(Unauthorised) as error:
            signing_in.use_code(hub, code, OTHER)
        said.add(error.value.detail)

    refused("0000-0000-0000-0000-0000")
    first = accounts.reset(hub, operator, ana)
    second = accounts.reset(hub, operator, ana)
    refused(first)
    clock(hours=hub.settings.code_hours, seconds=1)
    refused(second)
    third = accounts.reset(hub, operator, ana)
    accounts.set_active(hub, operator, ana, False)
    refused(third)
    assert len(said) == 1


def test_a_reset_changes_nothing_until_it_is_used_and_then_signs_out_everywhere(hub: Hub, clock: Any) -> None:
    operator, olga = principal_of(hub, "hub", "operator"), id_of(hub, "olga")
    enrolled(hub, "olga")
    token, _ = signed_in(hub, "ana")
    code = accounts.reset(hub, operator, id_of(hub, "ana"))
    assert signing_in.session_of(hub, token) is not None
    signing_in.use_code(hub, code, OTHER)
    assert signing_in.session_of(hub, token) is None
    with pytest.raises(Unauthorised):
        signing_in.sign_in(hub, "ana", PASSWORD)
    signing_in.use_code(hub, accounts.reset(hub, operator, olga), OTHER)
    assert signing_in.sign_in(hub, "olga", OTHER).stage is Stage.CODE, "the second factor stays"
    signing_in.use_code(hub, accounts.reset(hub, operator, olga, clear_factor=True), PASSWORD)
    assert signing_in.sign_in(hub, "olga", PASSWORD).stage is Stage.ENROL, "unless it was lost as well"


# --- sessions


def test_a_session_fixed_by_somebody_else_is_not_the_one_that_is_opened(
    hub: Hub, web: Any, clock: Any
) -> None:
    attacker, victim = web(), web()
    form(attacker, "/sign-in", username="olga", password=PASSWORD)
    planted = cookie(attacker)
    victim.set_cookie(COOKIE, planted)
    form(victim, "/sign-in", username="ana", password=PASSWORD)
    assert cookie(victim) != planted
    assert signing_in.pending(hub, planted) is None, "what was planted is ended"
    assert attacker.get("/").status_code == 302


def test_a_session_ends_when_idle_and_after_a_working_day_whatever_is_done(hub: Hub, clock: Any) -> None:
    token, _ = signed_in(hub, "ana")
    for _ in range(hub.settings.session_hours * 60 // 20):
        assert signing_in.session_of(hub, token) is not None
        clock(minutes=20)
    clock(seconds=1)
    assert signing_in.session_of(hub, token) is None
    token, _ = signed_in(hub, "ana")
    clock(minutes=hub.settings.session_minutes, seconds=1)
    assert signing_in.session_of(hub, token) is None


def test_who_waits_at_the_second_step_does_not_wait_for_ever(hub: Hub, clock: Any) -> None:
    secret, _ = enrolled(hub, "olga")
    entry = signing_in.sign_in(hub, "olga", PASSWORD)
    assert signing_in.session_of(hub, entry.token) is None
    clock(minutes=sessions.PENDING_MINUTES, seconds=1)
    with pytest.raises(Unauthorised, match="too long"):
        signing_in.give_code(hub, entry.token, code_now(secret, NOW + timedelta(minutes=11)))


def test_changing_the_password_asks_for_the_old_one_and_ends_other_sessions(
    hub: Hub, web: Any, clock: Any
) -> None:
    client = web()
    form(client, "/sign-in", username="ana", password=PASSWORD)
    elsewhere, before = signed_in(hub, "ana")[0], cookie(client)
    pending = accounts.reset(hub, principal_of(hub, "hub", "operator"), id_of(hub, "ana"))
    assert "password is not right" in main_of(form(client, "/account/password", old="wrong", new=OTHER))
    assert "the old one" in main_of(form(client, "/account/password", old=PASSWORD, new=PASSWORD))
    assert form(client, "/account/password", old=PASSWORD, new=OTHER).location == "/account"
    assert signing_in.session_of(hub, elsewhere) is None
    assert signing_in.session_of(hub, before) is None
    assert client.get("/account").status_code == 200
    with pytest.raises(Unauthorised):
        signing_in.use_code(hub, pending, PASSWORD)
    signed_in(hub, "ana", OTHER)


def test_the_account_page_lists_sessions_and_ends_one_or_all_but_nobody_elses(
    hub: Hub, web: Any, clock: Any
) -> None:
    client = web()
    client.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0"
    form(client, "/sign-in", username="ana", password=PASSWORD)
    token, person = signed_in(hub, "ana")
    page = main_of(client.get("/account"))
    assert "Firefox on Windows This one" in page
    assert page.count("Use “Sign out”") == 1
    mine = own_account.own_account(hub, person, token)
    assert mine.current in {item.id for item in mine.sessions}
    csrf = re.search(r'csrf_token" value="([^"]+)', client.get("/account").text)[1]
    others = enrolled(hub, "olga") and signing_in.sign_in(hub, "olga", PASSWORD)
    with hub.database.read() as session:
        foreign = session.query(SessionRow).filter_by(user_id=id_of(hub, "olga")).one().id
    assert client.post("/account/sessions", data={"csrf_token": csrf, "session": foreign}).status_code == 404
    assert signing_in.pending(hub, others.token) is not None
    data = {"csrf_token": csrf, "session": mine.current}
    assert client.post("/account/sessions", data=data).status_code == 303
    assert signing_in.session_of(hub, token) is None
    assert client.get("/account").status_code == 200
    data = {"csrf_token": csrf, "session": "all"}
    assert client.post("/account/sessions", data=data).location == "/sign-in"
    assert client.get("/account").status_code == 302


def test_cookies_over_https_are_bound_to_this_host(tmp_path: Path, template: Path, quick: None) -> None:
    shutil.copyfile(template, tmp_path / "only.db")
    hub = make_hub(tmp_path / "hub", f"sqlite:///{tmp_path / 'only.db'}", secure_cookies=True)
    with hub.database.write() as session:
        people.add_user(session, "ana", "Ana", home_of(hub), ["analyst"], PASSWORD)
    client = create_app(hub.settings, hub).test_client()
    address = "https://hub.test/sign-in"
    token = re.search(r'value="([^"]+)"', client.get(address, base_url="https://hub.test").text)[1]
    data = {"username": "ana", "password": PASSWORD, "csrf_token": token}
    answer = client.post(address, data=data, headers={"Referer": address}, base_url="https://hub.test")
    assert answer.status_code == 303
    for line in answer.headers.getlist("Set-Cookie"):
        assert line.startswith("__Host-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(line.split("; "))
        assert "Domain" not in line
    assert len(answer.headers.getlist("Set-Cookie")) == 3
    assert client.get("https://hub.test/account").status_code == 200
    hub.database.close()


def test_tidying_forgets_what_is_over_and_keeps_what_is_not(hub: Hub, clock: Any) -> None:
    signed_in(hub, "ana")
    guess(hub, "ana", 3)
    accounts.reset(hub, principal_of(hub, "hub", "operator"), id_of(hub, "ana"))
    clock(days=5)
    kept, _ = signed_in(hub, "ana")
    signing_in.tidy(hub)
    with hub.database.read() as session:
        assert session.query(SessionRow).count() == 1
        assert not codes.outstanding(session)
        assert session.execute(text("SELECT count(*) FROM password_codes")).scalar() == 0
        assert session.query(AttemptPotRow).filter(AttemptPotRow.count > 0).count() == 0
    assert signing_in.session_of(hub, kept) is not None


# --- accounts


def test_nobody_gives_themselves_a_role_or_resets_or_closes_their_own_account(hub: Hub, clock: Any) -> None:
    enrolled(hub, "olga")
    olga = id_of(hub, "olga")
    with hub.database.read() as session:
        me = people.user_principal(session, olga)
    assert me is not None
    for act in (
        lambda: accounts.set_roles(hub, me, olga, ["operator", "data steward"]),
        lambda: accounts.reset(hub, me, olga), lambda: accounts.set_active(hub, me, olga, False),
        lambda: accounts.bind(hub, me, olga, "x"),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            act()
    accounts.set_roles(hub, me, olga, ["operator"])
    accounts.set_roles(hub, me, id_of(hub, "ana"), ["analyst", "auditor"])
    with hub.database.read() as session:
        assert people.find(session, id_of(hub, "ana")).roles == ("analyst", "auditor")


def test_new_roles_and_a_closed_account_end_sessions_at_once(hub: Hub, clock: Any) -> None:
    operator, ana = principal_of(hub, "hub", "operator"), id_of(hub, "ana")
    token, _ = signed_in(hub, "ana")
    accounts.set_roles(hub, operator, ana, ["auditor"])
    assert signing_in.session_of(hub, token) is None
    token, person = signed_in(hub, "ana")
    assert person.roles == {"auditor"}
    accounts.set_active(hub, operator, ana, False)
    assert signing_in.session_of(hub, token) is None
    with pytest.raises(Unauthorised):
        signing_in.sign_in(hub, "ana", PASSWORD)
    accounts.set_active(hub, operator, ana, True)
    assert signing_in.session_of(hub, token) is None, "what was ended stays so"
    signed_in(hub, "ana")


def test_an_operator_of_another_organisation_looks_after_its_people_only(hub: Hub, clock: Any) -> None:
    theirs = principal_of(hub, "police", "operator")
    ana = id_of(hub, "ana")
    user, _ = accounts.invite(hub, theirs, "pat", "Pat", "police", ["analyst"])
    assert [item.account.id for item in accounts.list_users(hub, theirs)] == [user]
    for act in (
        lambda: accounts.set_roles(hub, theirs, user, ["auditor"]),
        lambda: accounts.invite(hub, theirs, "all-seeing", "X", "police", ["auditor"]),
    ):
        with pytest.raises(Forbidden, match="auditor"):
            act()
    for act in (
        lambda: accounts.account(hub, theirs, ana), lambda: accounts.reset(hub, theirs, ana),
        lambda: accounts.set_roles(hub, theirs, ana, ["auditor"]),
        lambda: accounts.set_active(hub, theirs, ana, False), lambda: accounts.end_sessions_of(hub, theirs, ana),
        lambda: accounts.invite(hub, theirs, "x-x", "X", "hub", ["analyst"]),
        lambda: accounts.add_user(hub, theirs, "x-x", "X", "hub", ["analyst"], PASSWORD),
        lambda: accounts.account(hub, theirs, "usr_none"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            act()


@pytest.mark.parametrize("roles", [[], ["god"], ["connector"], ["analyst", "Operator"]])
def test_roles_are_those_that_people_can_have(hub: Hub, roles: list[str]) -> None:
    operator = principal_of(hub, "hub", "operator")
    with pytest.raises(Invalid, match="Roles are"):
        accounts.set_roles(hub, operator, id_of(hub, "ana"), roles)
    with pytest.raises(Invalid, match="Roles are"):
        accounts.invite(hub, operator, "sam", "Sam", "hub", roles)
    with pytest.raises(Conflict):
        accounts.bind(hub, operator, id_of(hub, "ana"), "x")


def test_operators_do_all_this_on_pages(hub: Hub, web: Any, clock: Any) -> None:
    _, recovery = enrolled(hub, "olga")
    client = web()
    form(client, "/sign-in", username="olga", password=PASSWORD)
    assert form(client, "/sign-in/code", code=recovery[0]).location == "/"
    assert "Select at least one role" in main_of(
        form(client, "/users/new", username="sam", name="Sam Sample")
    )
    made = form(
        client,
        "/users/new",
        username="sam",
        name="Sam Sample",
        organisation="hub",
        roles="analyst",
        way="password",
    )
    code = re.search(r'id="code">([^<]+)<', made.text)[1]
    assert made.headers["Cache-Control"] == "no-store"
    signing_in.use_code(hub, code, OTHER)
    sam = id_of(hub, "sam")
    address = f"/users/{sam}"
    taken = form(
        client, "/users/new", username="SAM", name="x", organisation="hub", roles="analyst", way="password"
    )
    assert "There is an account SAM already" in main_of(taken)
    assert "Select at least one role" in main_of(form(client, address, act="roles"))
    assert form(client, address, act="roles", roles="auditor").location == address
    assert "The roles are changed" in main_of(client.get(address))
    assert re.search(r'id="code">[^<]+<', form(client, address, act="code").text)
    assert form(client, address, act="close").status_code == 303
    assert "Closed" in main_of(client.get("/users"))
    assert form(client, address, act="open").status_code == 303
    assert form(client, address, act="sign out").status_code == 303
    assert form(client, address, act="delete").status_code == 422
    mine = client.get(f"/users/{id_of(hub, 'olga')}")
    assert "This is your own account" in main_of(mine)
    token = re.search(r'csrf_token" value="([^"]+)', mine.text)[1]
    for data in ({"act": "roles", "roles": ["operator", "auditor"]}, {"act": "close"}, {"act": "code"}):
        answer = client.post(f"/users/{id_of(hub, 'olga')}", data={"csrf_token": token, **data})
        assert answer.status_code in (403, 422), data
    assert signing_in.session_of(hub, cookie(client)).roles == {"operator"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"require_second_factor": "operater"}, "require_second_factor names roles that are none: operater"),
        ({"require_second_factor": "operator, connector"}, "connector"),
        ({"oidc_roles": "admins=god"}, "oidc_roles names roles that are none: god"),
        ({"oidc_roles": "admins"}, "oidc_roles"), ({"oidc_issuer": "https://x.example"}, "oidc_client_id is needed"),
    ],
    ids=str,
)  # fmt: skip
def test_a_misspelt_role_does_not_quietly_take_protection_away(
    hub: Hub, settings: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        open_hub(replace(hub.settings, **settings))
