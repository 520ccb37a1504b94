"""Every address of the API is closed to strangers and to those without the permission; every error is a problem."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.policy.roles import ROLES, may
from support.callers import client_of
from support.doors import KEY, NEEDED, OPEN, QUERY, RUN, operations
from support.hubs import principal_of
from support.staged import Staged


def _send(
    api: FlaskClient, operation: tuple[str, str], staged: Staged, headers: dict[str, str], **ids: str
) -> TestResponse:
    method, path = operation
    body = NEEDED[operation][1] if operation in NEEDED else None
    more: dict[str, Any] = {} if body is None else {"json": body}
    more["query_string"] = QUERY.get(operation, {})
    return api.open(path.format(**staged.ids | ids), method=method, headers=headers, **more)


def _assert_problem(response: TestResponse, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = response.get_json()
    assert {"type", "title", "status", "detail", "instance"} <= set(problem)
    assert problem["status"] == status
    assert problem["instance"] == response.headers["X-Request-ID"]
    assert len(problem["detail"]) > 10
    return problem


def test_every_operation_is_in_the_table_of_permissions_or_in_the_short_list_of_open_ones(app: Any) -> None:
    assert operations(app) == set(NEEDED) | OPEN | {("POST", "/oauth/token")}


@pytest.mark.parametrize(
    "token", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic dXNlcjpwYXNz", "Bearer a.b.c", "Bearer é.é.é"],
)  # fmt: skip
def test_nobody_gets_in_without_a_token(
    api: FlaskClient, app: Any, staged: Staged, token: str | None
) -> None:
    headers = {} if token is None else {"Authorization": token}
    for operation in operations(app) - OPEN - {("POST", "/oauth/token")}:
        response = _send(api, operation, staged, headers)
        _assert_problem(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer"), operation


@pytest.mark.parametrize("role", [*ROLES, "(none)"])
def test_a_role_is_refused_what_it_has_no_permission_for(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]], role: str
) -> None:
    headers = as_role(*[] if role == "(none)" else [role])
    refused = {operation for operation in NEEDED if not may([role], NEEDED[operation][0])}
    assert refused or role == "(none)"
    for operation in refused:
        problem = _assert_problem(_send(api, operation, staged, headers), 403)
        assert NEEDED[operation][0].value in problem["detail"], operation
        assert "Ask the hub's operator" in problem["detail"]


def test_a_permission_is_enough_to_get_past_the_door(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    gone = client_of(staged.hub, "police", "connector").id
    for operation, (permission, _) in NEEDED.items():
        role = next(role for role in ROLES if may([role], permission))
        headers = client_of(staged.hub, "hub", role).headers()  # some do what the hub's own staff may only
        response = _send(api, operation, staged, headers, agreement_id="none", client_id=gone, slug="none")
        assert response.status_code != 401 and response.status_code < 500, (operation, role)
        assert "that needs the role" not in response.get_data(as_text=True), (operation, role)


def test_a_held_result_does_not_exist_for_those_who_may_not_review_it(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    for role in ("operator", "analyst", "service user", "data steward"):
        _assert_problem(api.get(f"/api/v1/results/{staged.held}", headers=as_role(role)), 404)
    assert api.get(f"/api/v1/results/{staged.held}", headers=as_role("output checker")).status_code == 200


def test_a_connector_finds_nothing_of_another_organisation(api: FlaskClient, staged: Staged) -> None:
    stranger = client_of(staged.hub, "housing", "connector").headers()
    path = f"/api/v1/deliveries/{staged.delivery}"
    assert api.get("/api/v1/deliveries", headers=stranger).get_json()["items"] == []
    for method, address in (
        ("GET", path), ("GET", f"{path}/faults"), ("GET", f"{path}/faults.csv"), ("POST", f"{path}/complete"),
    ):  # fmt: skip
        mine = _assert_problem(api.open(address, method=method, headers=stranger), 404)
        none = _assert_problem(
            api.open(address.replace(staged.delivery, "0" * 32), method=method, headers=stranger), 404
        )
        assert mine["detail"].replace(staged.delivery, "") == none["detail"].replace("0" * 32, "")


def test_roles_cannot_be_taken_by_sending_more_fields(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    body = {"code": "x", "name": "x", "signing_key": KEY, "roles": ["operator"], "organisation": "hub"}
    assert set(_assert_problem(api.post("/api/v1/enrolments", json=body), 422)["errors"]["json"]) == {
        "roles", "organisation",
    }  # fmt: skip
    run = RUN | {"organisation": "hub", "requested_by": "somebody else"}
    _assert_problem(api.post("/api/v1/runs", json=run, headers=as_role("analyst")), 422)
    private = KEY | {"d": "secret"}
    new = {"organisation": "police", "name": "x", "roles": ["connector"], "signing_key": private}
    answer = api.post("/api/v1/clients", json=new, headers=as_role("operator"))
    assert "secret" not in answer.get_data(as_text=True)
    _assert_problem(answer, 422)
    unknown = new | {"roles": ["god"], "signing_key": KEY}
    assert (
        "god"
        in _assert_problem(api.post("/api/v1/clients", json=unknown, headers=as_role("operator")), 422)[
            "detail"
        ]
    )


def test_a_person_cannot_be_given_the_role_of_a_machine(
    api: FlaskClient, as_role: Callable[..., dict[str, str]]
) -> None:
    body = {
        "username": "robot", "name": "x", "organisation": "police", "roles": ["connector"], "password": "p" * 12,
    }  # fmt: skip
    _assert_problem(api.post("/api/v1/users", json=body, headers=as_role("operator")), 422)


def test_a_revoked_client_is_out_at_once(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    client = client_of(staged.hub, "police", "auditor")
    headers = client.headers()
    assert api.get("/api/v1/audit/entries", headers=headers).status_code == 200
    assert api.delete(f"/api/v1/clients/{client.id}", headers=as_role("operator")).status_code == 204
    _assert_problem(api.get("/api/v1/audit/entries", headers=headers), 401)


def test_errors_of_the_address_are_problems_too(
    api: FlaskClient, as_role: Callable[..., dict[str, str]]
) -> None:
    for path in ("/api/nothing", "/api/v1/nothing", "/oauth/nothing", "/api/v1/runs/%00", "/api/v1/runs/%FF"):
        _assert_problem(api.get(path, headers=as_role("everything")), 404)
    response = api.delete("/api/v1/hub")
    _assert_problem(response, 405)
    assert {"GET", "HEAD", "OPTIONS"} == set(response.headers["Allow"].split(", "))
    _assert_problem(api.open("/api/v1/hub", method="BREW"), 405)


def test_an_error_of_the_hub_itself_tells_nothing_but_its_number(
    app: Any, staged: Staged, as_role: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("Ermintrude Canary, 14 Acacia Avenue")

    monkeypatch.setattr("hub.workflows.overview.plugins", broken)
    response = app.test_client().get("/api/v1/plugins", headers=as_role("operator"))
    problem = _assert_problem(response, 500)
    assert "Canary" not in str(problem) and "Runtime" not in str(problem)


def test_head_and_options_are_answered_without_a_body(
    api: FlaskClient, as_role: Callable[..., dict[str, str]]
) -> None:
    full = api.get("/api/v1/plugins", headers=as_role("analyst"))
    head = api.head("/api/v1/plugins", headers=as_role("analyst"))
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Type"] == full.headers["Content-Type"]
    assert api.head("/api/v1/plugins").status_code == 401
    options = api.options("/api/v1/hub")
    assert (options.status_code, options.data) == (200, b"")
    assert "GET" in options.headers["Allow"]


def test_nothing_of_the_api_is_kept_by_caches(
    api: FlaskClient, as_role: Callable[..., dict[str, str]]
) -> None:
    for path in ("/api/v1/runs", "/api/v1/nothing", "/api/v1/hub"):
        assert api.get(path, headers=as_role("analyst")).headers["Cache-Control"] == "no-store"


def test_who_asked_for_a_run_does_not_release_its_result_over_the_api(
    staged: Staged, api: FlaskClient
) -> None:
    both = client_of(staged.hub, "police", "analyst", "output checker")
    headers = both.headers()
    run = api.post("/api/v1/runs", json=RUN, headers=headers).get_json()["id"]
    from hub.workflows.work import drain

    drain(staged.hub)
    found = api.get(f"/api/v1/runs/{run}", headers=headers).get_json()
    assert (found["run"]["state"], found["result"]["state"]) == ("succeeded", "held")
    address = f"/api/v1/results/{found['result']['id']}/release"
    problem = _assert_problem(api.post(address, json={"reason": "mine"}, headers=headers), 403)
    assert "somebody else" in problem["detail"]
    other = client_of(staged.hub, "police", "output checker").headers()
    assert api.post(address, json={"reason": "looked"}, headers=other).get_json()["state"] == "released"
    _assert_problem(api.post(address, json={"reason": "again"}, headers=other), 409)


def test_lists_are_read_to_their_end_page_by_page(
    staged: Staged, as_role: Callable[..., dict[str, str]], api: FlaskClient
) -> None:
    whole = api.get("/api/v1/audit/entries?limit=500", headers=as_role("auditor")).get_json()["items"]
    assert len(whole) > 10
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
        page = api.get("/api/v1/audit/entries", query_string=query, headers=as_role("auditor")).get_json()
        seen += [entry["id"] for entry in page["items"]]
        cursor = page["next"]
    assert [entry["id"] for entry in whole] == [number for number in seen if number <= whole[0]["id"]]
    assert principal_of(staged.hub, "police")  # the hub is there for other tests


def test_the_documentation_page_shows_every_operation(api: FlaskClient, app: Any) -> None:
    page = api.get("/api/docs")
    assert page.status_code == 200
    assert page.content_type.startswith("text/html")
    text = page.get_data(as_text=True)
    for _, path in operations(app) - {("GET", "/api/openapi.json"), ("GET", "/api/docs")}:
        assert path in text, path
    assert "<script" not in text
