"""People's accounts at the command line and over the API."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from hub.__main__ import main
from hub.app import create_app
from hub.errors import Unauthorised
from hub.identity import people
from hub.identity.organisations import find_organisation
from hub.storage.database import utc_now
from hub.workflows import signing_in
from hub.workflows.hub import Hub
from support.callers import client_of
from support.hubs import PASSWORD, make_hub, migrate, signed_in

CODE = re.compile(r"^  ((?:[0-9a-f]{4}-){4}[0-9a-f]{4})$", re.MULTILINE)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("users")
    url = f"sqlite:///{folder / 'hub' / 'hub.db'}"
    (folder / "hub").mkdir()
    migrate(url)
    made = make_hub(folder / "hub", url)
    yield made
    made.database.close()


def run(hub: Hub, *words: str, text: str = "", **environ: str) -> Result:
    variables = (
        {name: None for name in os.environ if name.startswith("HUB_")} | {"HUB_LOG_LEVEL": "error"} | environ
    )
    return CliRunner().invoke(
        main, [*words, "--dir", str(hub.settings.dir)], input=text, env=variables, prog_name="hub"
    )


def ok(hub: Hub, *words: str, **more: str) -> str:
    result = run(hub, *words, **more)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_operator_looks_after_people_at_the_command_line(hub: Hub) -> None:
    code = CODE.search(ok(hub, "users", "invite", "ravi", "--org", "hub", "--role", "analyst"))
    assert code is not None
    signing_in.use_code(hub, code[1], PASSWORD)
    token, _ = signed_in(hub, "ravi")
    assert "1 session of RAVI" in ok(hub, "users", "sign-out", "RAVI")
    assert signing_in.session_of(hub, token) is None
    assert "auditor" in ok(hub, "users", "roles", "ravi", "--role", "auditor")
    assert "cannot sign in" in ok(hub, "users", "close", "ravi")
    with pytest.raises(Unauthorised):
        signing_in.sign_in(hub, "ravi", PASSWORD)
    assert "can sign in" in ok(hub, "users", "open", "ravi")
    again = CODE.search(ok(hub, "users", "reset", "ravi", "--second-factor"))
    assert again is not None
    (line,) = [
        item
        for item in json.loads(ok(hub, "users", "list", "--format", "json"))
        if item["username"] == "ravi"
    ]
    assert line == {
        "username": "ravi", "organisation": "hub", "roles": "auditor", "active": True, "second factor": False,
        "invited": True,
    }  # fmt: skip
    for words, said in (
        (("reset", "nobody"), "There is no account 'nobody'"), (("roles", "ravi", "--role", "god"), "unknown: god"),
        (("bind", "ravi", "--subject", "x"), "No provider is set"),
        (("invite", "ravi", "--org", "hub", "--role", "analyst"), "already"),
    ):  # fmt: skip
        result = run(hub, "users", *words)
        assert (result.exit_code, said in result.stderr, "Traceback" in result.output) == (1, True, False)


@pytest.mark.parametrize("required", ["operator", ""])
def test_a_second_factor_is_set_up_at_the_terminal_and_then_asked_for(
    hub: Hub, required: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"olga{required}"
    with hub.database.write() as session:
        home = find_organisation(session, "hub").id
        people.add_user(session, name, "Olga", home, ["operator"], PASSWORD)
    monkeypatch.setattr("pyotp.random_base32", lambda length: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"[:length])
    code = pyotp.TOTP("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").at(utc_now())
    environ = {"HUB_PASSWORD": PASSWORD, "HUB_REQUIRE_SECOND_FACTOR": required}
    said = ok(hub, "users", "second-factor", "--as", name, text=f"{code}\n", **environ)
    recovery = re.findall(r"^  (\S{4}-\S{4}-\S{4}-\S{4})$", said, re.MULTILINE)
    assert (len(recovery), "JBSWY3DP" in said, "█" in said or "▄" in said) == (10, True, True)
    again = run(hub, "users", "second-factor", "--as", name, **environ)
    assert (again.exit_code, "You have a second factor" in again.stderr) == (1, True)
    asked = signing_in.prove(hub, name, PASSWORD, lambda: recovery[0])
    assert asked.roles == {"operator"}
    with hub.database.read() as session:
        count = session.connection().exec_driver_sql("SELECT count(*) FROM user_sessions").scalar()
    assert count == 0, "the command leaves nobody signed in"


@pytest.fixture(scope="module")
def api(hub: Hub) -> FlaskClient:
    client: FlaskClient = create_app(hub.settings, hub).test_client()
    return client


def test_an_operators_program_does_it_over_the_api(hub: Hub, api: FlaskClient) -> None:
    headers = client_of(hub, "hub", "operator").headers()

    def call(method: str, address: str, body: Any = None) -> Any:
        return api.open(f"/api/v1{address}", method=method, json=body, headers=headers)

    new = {"username": "pat", "name": "Pat", "organisation": "hub", "roles": ["analyst"]}
    made = call("POST", "/users", new)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    signing_in.use_code(hub, made.json["code"], PASSWORD)
    address = f"/users/{made.json['id']}"
    token, _ = signed_in(hub, "pat")
    assert call("DELETE", f"{address}/sessions").status_code == 204
    assert signing_in.session_of(hub, token) is None
    assert call("PATCH", address, {"roles": ["auditor"], "active": False}).json | {"id": ""} == {
        "id": "", "username": "pat", "name": "Pat", "organisation": "hub", "roles": ["auditor"], "active": False,
        "has_password": True, "second_factor": False, "invited": False,
    }  # fmt: skip
    assert call("POST", f"{address}/codes", {}).status_code == 409
    assert call("PATCH", address, {"active": True}).json["active"] is True
    assert call("POST", f"{address}/codes", {"clear_second_factor": True}).status_code == 201
    assert call("PUT", f"{address}/subject", {"subject": "x"}).status_code == 409, "no provider is set"
    assert call("GET", "/users/usr_none").status_code == 404
    seen, cursor = [], ""
    while True:
        page = call("GET", f"/users?limit=1{cursor}").json
        seen += [item["username"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) >= 2


@pytest.mark.parametrize(
    "extra",
    [
        {"password_hash": "x"}, {"id": "usr_x"}, {"active": True, "username": "other"}, {"organisation": "hub"},
        {"second_factor": False}, {"roles": ["connector"]}, {"roles": []}, {"roles": "operator"}, {"active": "maybe"},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_else_of_an_account_is_set_over_the_api(
    hub: Hub, api: FlaskClient, extra: dict[str, Any]
) -> None:
    with hub.database.read() as session:
        found = people.find_by_name(session, "sam")
    if found is None:
        with hub.database.write() as session:
            home = find_organisation(session, "hub").id
            people.add_user(session, "sam", "Sam", home, ["analyst"], PASSWORD)
            found = people.find_by_name(session, "sam")
    assert found is not None
    headers = client_of(hub, "hub", "operator").headers()
    assert api.patch(f"/api/v1/users/{found.id}", json=extra, headers=headers).status_code == 422
    with hub.database.read() as session:
        assert people.find_by_name(session, "sam") == found
