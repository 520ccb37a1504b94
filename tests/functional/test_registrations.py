"""New organisations and machine clients do nothing until a second operator has approved them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient

from hub.__main__ import main
from hub.app import create_app
from hub.audit import log as audit
from hub.errors import Conflict, Forbidden, HubError
from hub.identity import clients, people
from hub.identity import store as identities
from hub.identity.jwks import shown, thumbprint
from hub.identity.principal import Principal, system
from hub.identity.states import TRANSITIONS, Registration, move
from hub.identity.tokens import NotApproved
from hub.policy.roles import SCOPES, Permission, scopes_of
from hub.web.sessions import COOKIE
from hub.workflows import accounts, enrolling, registering
from hub.workflows.hub import Hub, authorise, holds
from support.callers import Client, b64
from support.hubs import PASSWORD, make_hub, migrate, principal_of, signed_in


@pytest.fixture
def careful(tmp_path: Path) -> Iterator[Hub]:
    """A hub in which registrations need two people."""
    url = f"sqlite:///{tmp_path / 'careful.db'}"
    migrate(url)
    made = make_hub(tmp_path / "careful", url, two_person_registration=True)
    yield made
    made.database.close()


def _operator(hub: Hub, name: str) -> Principal:
    return principal_of(hub, "hub", "operator", name=name)


def _console() -> Principal:
    return Principal("system", "command-line", "command line", "", "hub", frozenset({"operator"}))


def _jwk(key: Ed25519PrivateKey) -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}


def _enrolled(hub: Hub, who: Principal, slug: str = "schools") -> Client:
    key = Ed25519PrivateKey.generate()
    code = enrolling.invite_connector(hub, who, slug)
    return Client(hub, enrolling.enrol(hub, code, "night export", _jwk(key))[0], key)


def test_the_whole_way_of_an_organisation_and_its_connector(careful: Hub) -> None:
    hub, olga, otto = careful, _operator(careful, "olga"), _operator(careful, "otto")
    assert enrolling.add_organisation(hub, olga, "schools", "Schools").state is Registration.WAITING
    client = _enrolled(hub, olga)
    told = shown([thumbprint(_jwk(client.key))])[0]
    with pytest.raises(NotApproved) as refused:
        client.headers()
    assert told in refused.value.detail and "organisation Schools waits for approval" in refused.value.detail
    with pytest.raises(Conflict, match="Approve the organisation first"):
        registering.decide_client(hub, otto, client.id, "approve")
    registering.decide_organisation(hub, otto, "schools", "approve")
    with pytest.raises(NotApproved, match="This client waits for approval"):
        client.headers()
    waiting = registering.waiting(hub, otto)
    assert [(item.kind, item.keys, item.registered_by, item.mine) for item in waiting] == [
        ("client", (told,), "Itself, with a one-time code", False)
    ]
    assert registering.waiting(hub, olga)[0].mine, "she invited it"
    registering.decide_client(hub, otto, client.id, "approve", told.upper())
    assert client.headers()
    assert registering.waiting(hub, otto) == []
    with hub.database.read() as session:
        acts = {(entry.action, entry.actor) for entry in audit.recent(session)}
        record = clients.client_record(session, client.id)
    assert {("organisation.approved", otto.reference), ("client.approved", otto.reference)} <= acts
    assert (record.invited_by, record.decided_by) == (olga.reference, otto.reference)


def test_nobody_approves_what_they_registered_or_invited(careful: Hub) -> None:
    hub, olga, otto = careful, _operator(careful, "olga"), _operator(careful, "otto")
    enrolling.add_organisation(hub, olga, "schools", "Schools")
    with pytest.raises(Forbidden, match="another operator"):
        registering.decide_organisation(hub, olga, "schools", "approve")
    registering.decide_organisation(hub, otto, "schools", "approve")
    own = enrolling.add_client(hub, olga, "schools", "tool", ["analyst"], _jwk(Ed25519PrivateKey.generate()))
    invited = _enrolled(hub, olga).id
    for ident in (own, invited):
        with pytest.raises(Forbidden, match="another operator"):
            registering.decide_client(hub, olga, ident, "approve")
        registering.decide_client(hub, otto, ident, "approve")


def test_nobody_approves_with_a_tool_of_their_own(careful: Hub) -> None:
    hub, olga, otto = careful, _operator(careful, "olga"), _operator(careful, "otto")
    ident = enrolling.add_client(hub, olga, "hub", "tool", ["operator"], _jwk(Ed25519PrivateKey.generate()))
    registering.decide_client(hub, otto, ident, "approve")
    tool = principal_of(hub, "hub", "operator", kind="client", name=ident)
    for slug, first, second in (("one", olga, tool), ("two", tool, olga)):
        enrolling.add_organisation(hub, first, slug, slug)
        assert next(item.mine for item in registering.waiting(hub, second) if item.id == slug)
        with pytest.raises(Forbidden, match="a tool of yours"):
            registering.decide_organisation(hub, second, slug, "approve")
        registering.decide_organisation(hub, otto, slug, "approve")


def test_the_console_registers_and_a_person_approves(careful: Hub) -> None:
    hub, console = careful, _console()
    enrolling.add_organisation(hub, console, "schools", "Schools")
    client = _enrolled(hub, console)
    for act in (
        lambda who: registering.decide_organisation(hub, who, "schools", "approve"),
        lambda who: registering.decide_client(hub, who, client.id, "approve"),
    ):
        with pytest.raises(Forbidden, match="--as USERNAME"):
            act(console)
        with pytest.raises(Forbidden):
            act(system("worker"))
        act(_operator(hub, "olga"))


def test_only_the_hubs_own_operators_decide(careful: Hub) -> None:
    hub = careful
    enrolling.add_organisation(hub, _console(), "schools", "Schools")
    client = _enrolled(hub, _console()).id
    others = [
        principal_of(hub, "schools", "operator"),
        principal_of(hub, "hub", "data steward", "auditor", "analyst"),
    ]
    for who, event in itertools.product(others, ("approve", "refuse")):
        for act in (
            lambda: registering.decide_organisation(hub, who, "schools", event),  # noqa: B023
            lambda: registering.decide_client(hub, who, client, event),  # noqa: B023
            lambda: registering.revoke_organisation(hub, who, "schools"),  # noqa: B023
            lambda: registering.waiting(hub, who),  # noqa: B023
        ):
            with pytest.raises(Forbidden):
                act()
    with pytest.raises(Forbidden, match="auditor"):
        enrolling.add_client(hub, others[0], "schools", "x", ["auditor"], _jwk(Ed25519PrivateKey.generate()))
    with pytest.raises(Forbidden):
        enrolling.add_organisation(hub, others[0], "mine", "Mine")


def test_a_thumbprint_that_is_another_stops_the_approval(careful: Hub) -> None:
    """Somebody else used the code: what the department reads out is not what the hub has."""
    hub, otto = careful, _operator(careful, "otto")
    enrolling.add_organisation(hub, _console(), "schools", "Schools")
    registering.decide_organisation(hub, otto, "schools", "approve")
    client = _enrolled(hub, _console())
    right = thumbprint(_jwk(client.key))
    for wrong in (
        thumbprint(_jwk(Ed25519PrivateKey.generate())),
        right[:31],
        "",
        right[:8],
        right[1:],
        "x" * 32,
    ):
        with pytest.raises(Conflict, match="Do not approve it"):
            registering.decide_client(hub, otto, client.id, "approve", wrong)
    registering.decide_client(hub, otto, client.id, "approve", right)


def test_what_was_refused_never_comes_to_life(careful: Hub) -> None:
    hub, otto = careful, _operator(careful, "otto")
    enrolling.add_organisation(hub, _console(), "schools", "Schools")
    client = _enrolled(hub, _console())
    registering.decide_client(hub, otto, client.id, "refuse")
    with pytest.raises(NotApproved, match="organisation Schools waits"):
        client.headers()
    registering.decide_organisation(hub, otto, "schools", "refuse")
    with pytest.raises(NotApproved, match="was refused"):
        client.headers()
    for act in (
        lambda: registering.decide_client(hub, otto, client.id, "approve"),
        lambda: registering.decide_organisation(hub, otto, "schools", "approve"),
        lambda: enrolling.invite_connector(hub, otto, "schools"),
        lambda: enrolling.add_client(
            hub, otto, "schools", "x", ["connector"], _jwk(Ed25519PrivateKey.generate())
        ),
    ):
        with pytest.raises(Conflict):
            act()


def test_the_table_of_states_is_all_there_is() -> None:
    for state, event in itertools.product(Registration, ("approve", "refuse", "revoke", "wait", "")):
        if (state, event) in TRANSITIONS:
            assert move(state, event) is TRANSITIONS[state, event]
        else:
            with pytest.raises(Conflict):
                move(state, event)
    assert not [to for (start, _), to in TRANSITIONS.items() if start in ("refused", "revoked")], (
        "these are ends"
    )


def test_people_of_an_organisation_that_waits_or_was_revoked_are_out(careful: Hub) -> None:
    hub, otto = careful, _operator(careful, "otto")
    enrolling.add_organisation(hub, _console(), "schools", "Schools")
    with pytest.raises(Conflict, match="not approved"):
        accounts.add_user(hub, otto, "sam", "Sam", "schools", ["analyst"], PASSWORD)
    registering.decide_organisation(hub, otto, "schools", "approve")
    user = accounts.add_user(hub, otto, "sam", "Sam", "schools", ["analyst"], PASSWORD)
    assert signed_in(hub, "sam")[1].organisation == "schools"
    registering.revoke_organisation(hub, otto, "schools")
    with hub.database.read() as session:
        assert people.user_principal(session, user) is None
    with pytest.raises(Conflict, match="they act for"):
        registering.revoke_organisation(hub, otto, "hub")


def test_an_old_hub_goes_on_and_one_operator_may_say_so(sqlite_hub: Hub, careful: Hub) -> None:
    one = _operator(sqlite_hub, "olga")
    assert enrolling.add_organisation(sqlite_hub, one, "schools", "Schools").state is Registration.APPROVED
    assert _enrolled(sqlite_hub, one).headers()
    assert "approved by nobody" in (registering.problem_of_one_operator(sqlite_hub) or "")
    assert "fewer than two operators" in (registering.problem_of_one_operator(careful) or "")
    for name in ("olga", "otto"):
        accounts.add_user(careful, _console(), name, name, "hub", ["operator"], PASSWORD)
    assert registering.problem_of_one_operator(careful) is None


# --- doors


def _api(hub: Hub, name: str) -> tuple[FlaskClient, dict[str, str]]:
    key = Ed25519PrivateKey.generate()
    with hub.database.write() as session:
        home = identities.find_organisation(session, "hub").id
        ident = identities.add_client(session, home, name, ["operator"], _jwk(key))
    found: FlaskClient = create_app(hub.settings, hub).test_client()
    return found, Client(hub, ident, key).headers()


def test_the_same_over_the_api(careful: Hub) -> None:
    door, one = _api(careful, "one")
    _, two = _api(careful, "two")
    assert (
        door.post(
            "/api/v1/organisations", json={"slug": "schools", "name": "Schools"}, headers=one
        ).get_json()["state"]
        == "waiting"
    )
    key = Ed25519PrivateKey.generate()
    code = door.post("/api/v1/organisations/schools/invitations", headers=one).get_json()["code"]
    made = door.post(
        "/api/v1/enrolments", json={"code": code, "name": "x", "signing_key": _jwk(key)}
    ).get_json()
    assert made["state"] == "waiting"
    assert made["thumbprint"] == shown([thumbprint(_jwk(key))])[0]
    client = Client(careful, made["client_id"], key)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    said = door.post("/oauth/token", data=form | {"client_assertion": client.assertion()})
    assert (said.status_code, said.get_json()["error"]) == (400, "unauthorized_client")
    assert said.get_json()["errors"] == {"registration": "waiting"}
    assert made["thumbprint"] in said.get_json()["detail"]
    thief = Client(careful, made["client_id"], Ed25519PrivateKey.generate())
    assert (
        door.post("/oauth/token", data=form | {"client_assertion": thief.assertion()}).status_code == 401
    ), "tells nothing"
    items = door.get("/api/v1/registrations", headers=two).get_json()["items"]
    assert [(item["kind"], item["mine"]) for item in items] == [("organisation", False), ("client", False)]
    assert door.post("/api/v1/organisations/schools/approve", headers=one).status_code == 403
    assert door.post("/api/v1/organisations/schools/approve", headers=two).get_json() == {
        "id": "schools",
        "state": "approved",
    }
    wrong = door.post(f"/api/v1/clients/{client.id}/approve", json={"thumbprint": "0" * 32}, headers=two)
    assert wrong.status_code == 409
    right = door.post(
        f"/api/v1/clients/{client.id}/approve", json={"thumbprint": made["thumbprint"]}, headers=two
    )
    assert right.get_json()["state"] == "approved"
    assert door.post("/oauth/token", data=form | {"client_assertion": client.assertion()}).status_code == 200
    assert door.delete("/api/v1/organisations/schools", headers=two).status_code == 204
    assert door.post("/oauth/token", data=form | {"client_assertion": client.assertion()}).status_code == 400
    sets = door.post(
        "/api/v1/clients",
        headers=one,
        json={
            "organisation": "hub",
            "name": "x",
            "roles": ["auditor"],
            "jwks": {"keys": [_jwk(key) | {"kid": "a"}]},
        },
    )
    assert sets.get_json()["state"] == "waiting"
    for body in (
        {},
        {"jwks": {"keys": []}},
        {"jwks_url": "http://10.0.0.1/"},
        {"jwks": {"keys": [{}]}, "jwks_url": "https://a.b/"},
    ):
        answer = door.post(
            "/api/v1/clients",
            headers=one,
            json={"organisation": "hub", "name": "x", "roles": ["auditor"]} | body,
        )
        assert answer.status_code == 422, body


def _token_in(page: Any) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.get_data(as_text=True))
    assert found
    return found[1]


def test_operators_decide_on_a_page(careful: Hub) -> None:
    hub = careful
    for name in ("olga", "otto"):
        accounts.add_user(hub, _console(), name, name.title(), "hub", ["operator"], PASSWORD)
    browser = create_app(hub.settings, hub).test_client()
    token, olga = signed_in(hub, "olga")
    enrolling.add_organisation(hub, olga, "mine", "Registered by Olga")
    enrolling.add_organisation(hub, _console(), "schools", "Wexbourne Schools")
    browser.set_cookie(COOKIE, token)
    home = browser.get("/").get_data(as_text=True)
    assert "Wexbourne Schools waits for approval" in home
    assert "Registered by Olga waits" not in home, "she cannot do anything about it"
    listed = browser.get("/registrations").get_data(as_text=True)
    assert "Waiting for approval" in listed and "Registered by Olga" in listed
    page = browser.get("/registrations/organisation/schools")
    nothing = browser.post("/registrations/organisation/schools", data={"csrf_token": _token_in(page)})
    assert nothing.status_code == 422 and "Select your decision" in nothing.get_data(as_text=True)
    assert "<title>Error: " in nothing.get_data(as_text=True)
    own = browser.get("/registrations/organisation/mine")
    assert "another operator has to approve it" in own.get_data(as_text=True)
    form = {"csrf_token": _token_in(own), "decision": "approve"}
    assert browser.post("/registrations/organisation/mine", data=form).status_code == 422
    assert (
        browser.post("/registrations/organisation/schools", data={"decision": "approve"}).status_code == 400
    ), "CSRF"
    done = browser.post("/registrations/organisation/schools", data=form, follow_redirects=True)
    assert "Wexbourne Schools is approved." in done.get_data(as_text=True)
    assert browser.get("/registrations/organisation/schools").status_code == 404
    assert browser.get("/registrations/nonsense/schools").status_code == 404


def test_the_same_at_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "hub"

    def run(*words: str, code: int = 0, **environ: str) -> str:
        settings = {
            "HUB_DIR": str(folder),
            "HUB_REQUIRE_SECOND_FACTOR": "",
            "HUB_PASSWORD": PASSWORD,
            **environ,
        }
        result = CliRunner().invoke(main, list(words), env=settings)
        assert result.exit_code == code, result.output
        return result.output

    assert "fewer than two operators" in run("init", "--admin", "olga")
    init = run("init", "--second-admin", "otto", HUB_SECOND_PASSWORD=PASSWORD)
    assert "Sign in as otto" in init and "fewer than two" not in init
    assert "waits for an operator to approve it: hub orgs approve schools" in run(
        "orgs", "add", "schools", "Schools"
    )
    assert json.loads(run("orgs", "list", "--format", "json"))[-1]["state"] == "waiting"
    assert "is approved" in run("orgs", "approve", "schools", "--as", "olga")
    assert "does not wait" in run("orgs", "approve", "schools", "--as", "otto", code=1)
    (tmp_path / "keys.json").write_text(
        json.dumps({"keys": [_jwk(Ed25519PrivateKey.generate()) | {"kid": "a"}]})
    )
    made = run(
        "clients",
        "add",
        "schools",
        "--name",
        "Night",
        "--role",
        "connector",
        "--jwks",
        str(tmp_path / "keys.json"),
    )
    ident = re.search(r"cli_\w+", made)[0]  # type: ignore[index]
    (item,) = json.loads(run("clients", "waiting", "--format", "json"))
    assert (item["id"], item["registered by"]) == (ident, "An operator at the hub's machine")
    assert "not the thumbprint" in run(
        "clients", "approve", ident, "--as", "olga", "--thumbprint", "0" * 32, code=1
    )
    said = run("clients", "approve", ident, "--as", "olga", "--thumbprint", item["key's thumbprint"])
    assert "is approved" in said and item["key's thumbprint"] in said
    assert "(none)" in run("clients", "waiting")
    assert "can do nothing any more" in run("orgs", "revoke", "schools")
    assert "approvals   ok   two people" in run("doctor", code=1, HUB_PLUGIN_PYTHON="/none")
    assert "approved by nobody" in run(
        "doctor", code=1, HUB_PLUGIN_PYTHON="/none", HUB_TWO_PERSON_REGISTRATION="false"
    )


# --- scopes


def test_every_permission_has_one_scope_and_no_two_the_same() -> None:
    assert set(SCOPES) == set(Permission)
    assert len(set(SCOPES.values())) == len(SCOPES)
    for name in SCOPES.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*:[a-z]+(-[a-z]+)*", name), name


@pytest.mark.parametrize("permission", list(Permission))
def test_a_token_without_the_scope_cannot_do_what_the_role_could(permission: Permission) -> None:
    from hub.policy.roles import ROLES

    roles = frozenset(ROLES)
    whole, others = scopes_of(roles), frozenset(SCOPES.values()) - {SCOPES[permission]}

    def who(scopes: frozenset[str] | None) -> Principal:
        return Principal("client", "c", "c", "o", "o", roles, scopes)

    for scopes in (None, whole, frozenset({SCOPES[permission]})):
        authorise(who(scopes), permission)
        assert holds(who(scopes), permission)
    for scopes in (frozenset(), others, frozenset({SCOPES[permission].upper(), "*", permission.value})):
        with pytest.raises(Forbidden, match=SCOPES[permission]):
            authorise(who(scopes), permission)
        assert not holds(who(scopes), permission)


def test_a_scope_gives_nothing_that_the_role_does_not() -> None:
    every = frozenset(SCOPES.values())
    for permission in Permission:
        with pytest.raises(HubError):
            authorise(Principal("client", "c", "c", "o", "o", frozenset(), every), permission)
