"""Signing in through a certified OpenID provider: there, back, and out."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from hub.app import create_app
from hub.audit import log as audit
from hub.errors import Conflict, Unauthorised
from hub.identity import people
from hub.identity.organisations import find_organisation
from hub.web.sessions import COOKIE
from hub.workflows import accounts, signing_in
from hub.workflows.hub import Hub
from support.hubs import PASSWORD, make_hub, migrate, principal_of
from support.openid import OpenIdServer, running_provider

TWO_FACTORS, ONE = "urn:example:two-factors", "urn:example:password"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdServer]:
    with running_provider() as server:
        yield server


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("oidc") / "template.db"
    migrate(f"sqlite:///{made}")
    return made


@pytest.fixture
def start(tmp_path: Path, template: Path, provider: OpenIdServer) -> Iterator[Callable[..., Hub]]:
    """A hub with this provider and more settings; ana (analyst) and olga (operator) have accounts in it."""
    made: list[Hub] = []

    def begin(**more: Any) -> Hub:
        shutil.copyfile(template, tmp_path / "only.db")
        hub = make_hub(
            tmp_path / "hub", f"sqlite:///{tmp_path / 'only.db'}",
            **provider.settings(require_second_factor="operator", **more),
        )  # fmt: skip
        with hub.database.write() as session:
            home = find_organisation(session, "hub").id
            for name, role in (("ana", "analyst"), ("olga", "operator")):
                people.add_user(session, name, f"Nobody {name.title()}", home, [role])
        made.append(hub)
        return hub

    yield begin
    for hub in made:
        hub.database.close()


_APPS: dict[int, Any] = {}


def browser_of(hub: Hub) -> FlaskClient:
    if id(hub) not in _APPS:
        _APPS.clear()
        _APPS[id(hub)] = create_app(hub.settings, hub)
    client: FlaskClient = _APPS[id(hub)].test_client()
    return client


def id_of(hub: Hub, name: str) -> str:
    with hub.database.read() as session:
        found = people.find_by_name(session, name)
    assert found is not None
    return found.id


def who(hub: Hub, client: FlaskClient) -> Any:
    found = client.get_cookie(COOKIE)
    return signing_in.session_of(hub, found.value) if found is not None else None


def test_a_person_whose_account_an_operator_bound_signs_in_and_out_again(
    start: Any, provider: OpenIdServer
) -> None:
    hub = start()
    client = browser_of(hub)
    assert "Sign in through Wexbourne Council" in client.get("/sign-in").text
    provider.sign_in_as("248289761001")
    refused = provider.round_trip(client)
    assert refused.status_code == 401
    assert "Give the hub&#39;s operator this reference: 248289761001" in refused.text
    accounts.bind(hub, principal_of(hub, "hub", "operator"), id_of(hub, "ana"), "248289761001")
    answer = provider.round_trip(client, "/sign-in/provider?next=/agreements")
    assert (answer.status_code, answer.location) == (303, "/agreements")
    assert who(hub, client).roles == {"analyst"}
    page = client.get("/account")
    assert "None: you sign in through your organisation" in page.text
    token = re.search(r'csrf_token" value="([^"]+)', page.text)[1]
    assert client.post("/sign-out", data={"csrf_token": token}).location == "/signed-out"
    assert who(hub, client) is None
    out = re.search(r'href="(http[^"]*)"', client.get("/signed-out").text)[1].replace("&amp;", "&")
    assert out.startswith(provider.address)
    assert parse_qs(urlsplit(out).query) == {
        "client_id": ["hub"], "post_logout_redirect_uri": ["http://hub.test/sign-in"],
    }  # fmt: skip
    with hub.database.read() as session:
        noted = [(item.action, item.content["detail"]) for item in audit.recent(session)][::-1]
    assert ("person.bound", {"by": "operator"}) in noted
    assert ("person.signed-in", {"with": "provider"}) in noted
    assert "248289761001" not in str(noted)


def test_the_request_is_made_as_it_should_be(start: Any, provider: OpenIdServer) -> None:
    hub = start(oidc_acr=f"{TWO_FACTORS} {ONE}", oidc_max_age=600)
    asked = parse_qs(urlsplit(browser_of(hub).get("/sign-in/provider").location).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://hub.test/sign-in/provider/back"]
    assert asked["acr_values"] == [f"{TWO_FACTORS} {ONE}"]
    assert asked["max_age"] == ["600"]
    assert all(len(asked[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))


def test_a_provider_that_vouches_for_two_factors_spares_the_hubs_own_and_one_that_does_not_is_refused(
    start: Any, provider: OpenIdServer
) -> None:
    hub = start(oidc_acr=TWO_FACTORS, oidc_max_age=600)
    accounts.bind(hub, principal_of(hub, "hub", "operator"), id_of(hub, "olga"), "olga-there")
    client = browser_of(hub)
    provider.sign_in_as("olga-there", ONE)
    assert provider.round_trip(client).status_code == 401
    provider.sign_in_as("olga-there", TWO_FACTORS)
    assert provider.round_trip(client).location == "/"
    assert who(hub, client).roles == {"operator"}


def test_without_such_a_demand_the_hub_asks_for_its_own_second_factor(
    start: Any, provider: OpenIdServer
) -> None:
    hub = start()
    accounts.bind(hub, principal_of(hub, "hub", "operator"), id_of(hub, "olga"), "olga-there")
    provider.sign_in_as("olga-there")
    client = browser_of(hub)
    assert provider.round_trip(client).location == "/sign-in/second-factor"
    assert who(hub, client) is None


def test_a_claim_can_name_the_account_once_and_for_all(start: Any, provider: OpenIdServer) -> None:
    hub = start(oidc_account_claim="preferred_username")
    client = browser_of(hub)
    provider.sign_in_as("first", preferred_username="nobody-here")
    assert provider.round_trip(client).status_code == 401
    provider.sign_in_as("first", preferred_username="ANA")
    assert provider.round_trip(client).status_code == 303
    provider.sign_in_as("second", preferred_username="ana")
    assert provider.round_trip(browser_of(hub)).status_code == 401, "the name went to somebody else there"
    provider.sign_in_as("first", preferred_username="renamed")
    assert provider.round_trip(browser_of(hub)).status_code == 303
    with pytest.raises(Conflict):
        accounts.bind(hub, principal_of(hub, "hub", "operator"), id_of(hub, "olga"), "first")


def test_roles_come_from_the_provider_only_where_that_is_set(start: Any, provider: OpenIdServer) -> None:
    provider.sign_in_as("ana-there", groups=["hub-auditors", "operator", "other"], roles=["operator"])
    hub = start()
    accounts.bind(hub, principal_of(hub, "hub", "operator"), id_of(hub, "ana"), "ana-there")
    client = browser_of(hub)
    provider.round_trip(client)
    assert who(hub, client).roles == {"analyst"}
    hub.database.close()
    told = replace(
        hub,
        settings=replace(
            hub.settings, oidc_roles_claim="groups", oidc_roles="hub-auditors=auditor, x=operator"
        ),
    )
    client = browser_of(told)
    provider.round_trip(client)
    assert who(told, client).roles == {"auditor"}
    provider.sign_in_as("ana-there", groups="nonsense")
    provider.round_trip(client)
    assert who(told, client).roles == set(), "who is in no group any more holds no role"


def test_new_keys_of_the_provider_are_fetched_when_a_token_names_them(
    start: Any, provider: OpenIdServer
) -> None:
    hub = start()
    accounts.bind(hub, principal_of(hub, "hub", "operator"), id_of(hub, "ana"), "ana-there")
    provider.sign_in_as("ana-there")
    client = browser_of(hub)
    assert provider.round_trip(client).status_code == 303
    provider.rotate()
    assert hub.oidc is not None
    hub.oidc._clock = lambda: time.time() + 31
    assert provider.round_trip(browser_of(hub)).status_code == 303


def test_what_a_browser_brings_back_works_in_that_browser_and_once(
    start: Any, provider: OpenIdServer
) -> None:
    hub = start()
    accounts.bind(hub, principal_of(hub, "hub", "operator"), id_of(hub, "ana"), "ana-there")
    provider.sign_in_as("ana-there")
    attacker, victim = browser_of(hub), browser_of(hub)
    back = urlsplit(provider.visit(attacker.get("/sign-in/provider").location))
    address = f"{back.path}?{back.query}"
    assert victim.get(address).status_code == 401, "nobody is signed in as somebody else by a link"
    victim.get("/sign-in/provider")
    assert victim.get(address).status_code == 401
    assert attacker.get(address + "x").status_code in (303, 401)
    assert attacker.get(address).status_code == 401
    assert who(hub, victim) is None


def test_an_answer_that_was_tampered_with_is_refused(start: Any, provider: OpenIdServer) -> None:
    hub = start()
    accounts.bind(hub, principal_of(hub, "hub", "operator"), id_of(hub, "ana"), "ana-there")
    provider.sign_in_as("ana-there")
    client = browser_of(hub)
    for name, value in (
        ("state", "x"), ("state", ""), ("iss", "https://evil.invalid"), ("iss", None), ("code", "made-up"),
        ("code", None), ("error", "access_denied"),
    ):  # fmt: skip
        back = parse_qs(urlsplit(provider.visit(client.get("/sign-in/provider").location)).query)
        answer = {key: values[0] for key, values in back.items()} | {name: value}
        told = {key: text for key, text in answer.items() if text is not None}
        refused = client.get("/sign-in/provider/back", query_string=told)
        assert refused.status_code == 401, (name, value)
        assert "evil" not in refused.text
        assert who(hub, client) is None


def test_a_provider_that_is_away_is_said_so_and_passwords_go_on(start: Any, provider: OpenIdServer) -> None:
    hub = start()
    away = replace(hub, oidc=type(hub.oidc)("http://127.0.0.1:9", "hub", "x", "http://hub.test/back"))
    client = browser_of(away)
    answer = client.get("/sign-in/provider")
    assert (answer.status_code, "cannot be reached" in answer.text) == (503, True)
    assert client.get("/signed-out").status_code == 200
    with pytest.raises(Unauthorised):
        signing_in.sign_in(away, "ana", PASSWORD)
