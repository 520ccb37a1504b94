"""Bad input gets a clear answer of the 400s, the same on both databases, and leaves nothing behind."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.app import create_app
from hub.policy.roles import ROLES
from hub.workflows.hub import Hub
from support.callers import ASSERTION_TYPE, b64, client_of
from support.hubs import principal_of
from support.staged import AGREEMENT, CONTRACT, ROWS, Staged

NUL, HALF = "a\0b", "a\ud800b"
_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def _refused(response: TestResponse, *statuses: int) -> str:
    """The detail of a problem with one of these statuses."""
    assert response.status_code in statuses, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    return str(response.get_json()["detail"])


def _organisations(api: FlaskClient, headers: dict[str, str]) -> set[str]:
    return {item["slug"] for item in api.get("/api/v1/organisations", headers=headers).get_json()["items"]}


@pytest.fixture
def post(api: FlaskClient, staged: Staged) -> Callable[..., TestResponse]:
    """Send bytes as an operator of the hub who registers an organisation."""
    headers = client_of(staged.hub, "hub", "operator").headers()

    def send(body: bytes, content_type: str = "application/json") -> TestResponse:
        return api.post("/api/v1/organisations", data=body, content_type=content_type, headers=headers)

    return send


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 100_000, "too deeply"),
        (b'{"slug": "new-one", "name": NaN}', "no NaN"),
        (b'{"slug": "new-one", "name": -Infinity}', "no -Infinity"),
        (b'{"slug": "new-one", "name": "x", "name": "y"}', "member twice"),
        (b'{"slug": "new-one", "name": "a\\u0000b"}', "NUL"),
        (b'{"slug": "new-one", "name": "a\\ud800b"}', "half a character"),
        (b'{"slug": "new-one", "name": ["a", ["\\u0000"]]}', "NUL"),
        (b'{"slug": "new-one", "name": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b'{"slug": "new-one", "name": "a\x00b"}', "not JSON"),
        (b'{"slug": "new-one", "name": "\xff"}', "not JSON"),
        ('{"slug": "new-one", "name": "x"}'.encode("utf-16"), "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"{'slug': 'new-one'}", "not JSON"),
        (b"", "not JSON"),
        (b'{"slug": "new-one", "name": "x"} {}', "not JSON"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_json_that_is_none_is_refused_with_the_reason(
    post: Callable[..., TestResponse],
    api: FlaskClient,
    as_role: Callable[..., dict[str, str]],
    body: bytes,
    said: str,
) -> None:
    assert said in _refused(post(body), 400)
    assert "new-one" not in _organisations(api, as_role("operator"))


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"7", b"{}", b'{"slug": 1e999, "name": true}'])
def test_json_of_another_shape_names_the_fields(post: Callable[..., TestResponse], body: bytes) -> None:
    _refused(post(body), 422)
    assert post(body).get_json()["errors"]["json"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/xml", "application/x-www-form-urlencoded", "application/jsonp", ""]
)
def test_a_body_that_is_not_announced_as_json_is_refused(
    post: Callable[..., TestResponse], kind: str
) -> None:
    assert "application/json" in _refused(post(b'{"slug": "new-one", "name": "x"}', kind), 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/ld+json"])
def test_json_under_its_other_names_is_taken(post: Callable[..., TestResponse], kind: str) -> None:
    assert post(b'{"slug": "again", "name": "x"}', kind).status_code == 201


def test_unknown_fields_and_parameters_are_refused(
    api: FlaskClient, as_role: Callable[..., dict[str, str]]
) -> None:
    body = {"slug": "new-one", "name": "x", "owner": "me"}
    answer = api.post("/api/v1/organisations", json=body, headers=as_role("operator"))
    _refused(answer, 422)
    assert answer.get_json()["errors"] == {"json": {"owner": ["Unknown field."]}}
    answer = api.get("/api/v1/runs?limt=5", headers=as_role("analyst"))
    _refused(answer, 422)
    assert answer.get_json()["errors"] == {"query": {"limt": ["Unknown field."]}}


@pytest.mark.parametrize(
    "path", ["runs", "datasets", "deliveries", "audit/entries", "deliveries/{delivery}/faults"]
)
@pytest.mark.parametrize(
    "values", [["\0"], [HALF], [10**30], [-(10**30)], [1.5], [True], [None], [], {}, 7, "x", [["x"]], ["x", "y"],
               ["0001-01-01T00:00:00+23:59", "x"], ["2026-01-01T00:00:00", "x"], [float("nan"), "x"]],
)  # fmt: skip
def test_a_cursor_that_the_hub_did_not_give_is_refused_or_finds_nothing(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]], path: str, values: Any
) -> None:
    cursor = b64(json.dumps(values).encode())
    headers = as_role("auditor")
    response = api.get(
        f"/api/v1/{path.format(delivery=staged.delivery)}", query_string={"cursor": cursor}, headers=headers
    )
    if response.status_code != 200:
        assert "cursor" in _refused(response, 422)


@pytest.mark.parametrize(
    "query",
    [
        "cursor=%00",
        "cursor=%F0%9F",
        "cursor=***",
        "cursor=" + "A" * 501,
        "cursor=W1tb",
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "limit=1e3",
        "limit=" + "9" * 5000,
    ],
)
def test_odd_paging_is_refused(api: FlaskClient, as_role: Callable[..., dict[str, str]], query: str) -> None:
    _refused(api.get(f"/api/v1/runs?{query}", headers=as_role("analyst")), 422)


def test_a_cursor_of_one_list_does_not_open_another(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    cursor = api.get("/api/v1/runs?limit=1", headers=as_role("auditor")).get_json()["next"]
    assert cursor
    for path in ("audit/entries", "deliveries", f"deliveries/{staged.delivery}/faults"):
        _refused(api.get(f"/api/v1/{path}?cursor={cursor}", headers=as_role("auditor")), 422)


@pytest.mark.parametrize(
    "odd",
    [
        "%00",
        "%FF",
        "%ED%A0%80",
        "..",
        "%2e%2e",
        "%2e%2e%5c",
        "%0d%0aSet-Cookie:x",
        "'%20OR%201=1--",
        "%F0%9F%92%A9",
        "x" * 3000,
    ],
)
def test_odd_ids_in_addresses_find_nothing(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]], odd: str
) -> None:
    for method, path in (
        ("GET", "runs/{}"), ("POST", "runs/{}/cancel"), ("GET", "datasets/{}"), ("GET", "datasets/{}/contract"),
        ("GET", "deliveries/{}"), ("GET", "deliveries/{}/faults.csv"), ("GET", "results/{}"),
        ("GET", f"results/{staged.released}/tables/{{}}.csv"), ("GET", "agreements/{}"), ("DELETE", "clients/{}"),
        ("POST", "schedules/{}/pause"), ("POST", "organisations/{}/invitations"),
        ("PUT", f"deliveries/{staged.delivery}/files/rows/parts/{{}}"),
    ):  # fmt: skip
        response = api.open(f"/api/v1/{path.format(odd)}", method=method, headers=as_role("everything"))
        assert response.status_code in (404, 405), (path, response.status_code)
        assert "Set-Cookie" not in response.headers


def test_what_is_too_large_is_refused_before_it_is_read_as_anything(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    most = staged.hub.settings.max_request_bytes
    headers = as_role("everything")
    huge = b" " * (most + 1)
    part = f"/api/v1/deliveries/{staged.delivery}/files/rows/parts/1"
    _refused(
        api.post("/api/v1/organisations", data=huge, content_type="application/json", headers=headers), 413
    )
    _refused(api.put(part, data=huge, headers=headers), 413)
    _refused(api.put(part, data=huge[: staged.hub.settings.part_size + 1], headers=headers), 413)
    _refused(api.post("/oauth/token", data=huge, content_type="application/x-www-form-urlencoded"), 413)


def test_a_part_that_is_none_of_the_manifests_is_not_taken(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    digest = {"Content-Digest": "sha-256=:LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=:"}  # of the byte x
    headers = as_role("connector")
    for role, part in (("rows", 0), ("rows", 99), ("rows", 10**30), ("..", 1), ("faults%2f..%2frows", 1)):
        address = f"/api/v1/deliveries/{staged.delivery}/files/{role}/parts/{part}"
        _refused(api.put(address, data=b"x", headers=headers | digest), 404)
    address = f"/api/v1/deliveries/{staged.delivery}/files/rows/parts/1"
    assert "accepted" in _refused(api.put(address, data=b"x", headers=headers | digest), 409)
    for wrong in (
        {},
        {"Content-Digest": "md5=:x:"},
        {"Content-Digest": digest["Content-Digest"].replace("L", "M")},
    ):
        assert "Content-Digest" in _refused(api.put(address, data=b"x", headers=headers | wrong), 422)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("start: 2026-01-01", "start: 2026-13-45"), ("start: 2026-01-01", "start: 2026-01-01T00:00:00Z"),
        ("start: 2026-01-01", "start: 2026-01-01 99:99:99"), ("retention_days: 730", "retention_days: " + "9" * 6000),
        ("retention_days: 730", "retention_days: .inf"), ("Efficient policing", '"a\\0b"'),
        ("Efficient policing", '"a\\ud800b"'), ("Efficient policing", "&a policing\ndpia: *a"),
        ("Efficient policing", "!!python/object/apply:os.system [ls]"), ("[team, area, fte]", '["te\\0am"]'),
        ("[team, area, fte]", "[" * 5000), ("contract: police.establishment", 'contract: "police\\ud800"'),
        ("    columns: [team, area, fte]", "    columns: [team]\n    columns: [team, area, fte]"),
        ("organisations: [police]", "organisations: [police]\norganisations: [everybody]"),
    ],
    ids=lambda value: value[:25],
)  # fmt: skip
def test_an_agreement_that_is_none_is_refused(
    api: FlaskClient, as_role: Callable[..., dict[str, str]], old: str, new: str
) -> None:
    text = AGREEMENT.replace("id: planning", "id: another").replace(old, new)
    assert text.count(new) == 1
    _refused(api.post("/api/v1/agreements", json={"text": text}, headers=as_role("data steward")), 422)
    assert api.get("/api/v1/agreements/another", headers=as_role("data steward")).status_code == 404


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "@daily",
        "* * * *",
        "61 * * * *",
        "0 0 30 2 *",
        "0 0 31 4 *",
        "1-0 * * * *",
        "*/0 * * * *",
        "0 6 * * 5-1",
        "0 6 * * 9",
        "\x01 * * * *",
        "a b c d e",
        "0" * 101,
    ],
)
def test_times_that_cannot_be_followed_are_refused(
    api: FlaskClient, as_role: Callable[..., dict[str, str]], cron: str
) -> None:
    body = {"plugin": "counting", "agreement": "planning", "cron": cron}
    _refused(api.post("/api/v1/schedules", json=body, headers=as_role("analyst")), 422)


@pytest.mark.parametrize("value", [-1, 101, 1.5, "7", None, True, [1], {"a": 1}, 10**400])
def test_a_parameter_that_the_plugin_does_not_take_is_refused(
    api: FlaskClient, as_role: Callable[..., dict[str, str]], value: Any
) -> None:
    body = {"plugin": "counting", "agreement": "planning", "parameters": {"above": value}}
    for path in ("runs", "schedules"):
        assert "above" in _refused(api.post(f"/api/v1/{path}", json=body, headers=as_role("analyst")), 422)


def test_a_manifest_that_is_none_is_refused(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    sender = staged.sender
    headers = client_of(staged.hub, "police", "connector").headers()
    good = sender.pack(CONTRACT, ROWS)
    deep = json.loads(json.dumps(good.manifest))
    deep["files"][0]["key_material"] = {"a": "[" * 100_000}
    changes: list[Any] = [
        {},
        deep,
        good.manifest | {"rows": {"sent": 10**400, "accepted": 1.5, "refused": True}},
    ]
    changes += [
        good.manifest | {"created_at": "0001-01-01T00:00:00+23:59"},
        good.manifest | {"files": [1, None]},
    ]
    changes += [
        good.manifest | {"delivery_id": "../../../../etc/passwd"},
        good.manifest | {"extra": 1},
        good.manifest,
    ]
    for manifest in changes:  # the last is good, and another client's
        body = {"manifest": manifest, "signature": good.signature}
        _refused(api.post("/api/v1/deliveries", json=body, headers=headers), 422)
    for signature in ("é", "====", "AAAA", "x" * 200):
        body = {"manifest": good.manifest, "signature": signature}
        _refused(api.post("/api/v1/deliveries", json=body, headers=headers), 422)


@pytest.mark.parametrize(
    "text", ['a: "\\0"', "[" * 1000, "", "x", CONTRACT.text.replace("id: police.establishment", 'id: "a\\0b"'),
             CONTRACT.text.replace("version: 1.0.0", 'version: "1.0.1\\ud800"'),
             CONTRACT.text.replace("version: 1.0.0", "version: 1.0.2").replace("Police establishment", '"a\\ud800"')]
)  # fmt: skip
def test_a_contract_that_is_none_is_refused(
    api: FlaskClient, as_role: Callable[..., dict[str, str]], text: str
) -> None:
    path = "/api/v1/datasets/police.establishment"
    _refused(api.put(path, json={"contract": text}, headers=as_role("connector")), 422)


def test_both_databases_refuse_what_one_of_them_cannot_store(hub: Hub) -> None:
    """PostgreSQL takes no NUL characters and no text longer than its column; SQLite would take both."""
    api = create_app(hub.settings, hub).test_client()
    headers = client_of(hub, "police", *ROLES).headers()
    steward = principal_of(hub, "police", "data steward")
    assert steward.organisation == "police"
    for path in (
        "runs/%00",
        "agreements/%00",
        "datasets/%00",
        "deliveries/%00",
        "results/%00",
        "runs/" + "x" * 5000,
    ):
        _refused(api.get(f"/api/v1/{path}", headers=headers), 404)
    for values in ([NUL], [HALF]):
        cursor = b64(json.dumps(values).encode())
        _refused(api.get("/api/v1/runs", query_string={"cursor": cursor}, headers=headers), 422)
    for value in (NUL, HALF):
        for path, body in (
            ("organisations", {"slug": "fresh", "name": value}),
            (
                "users",
                {
                    "username": "sam",
                    "name": value,
                    "organisation": "police",
                    "roles": ["analyst"],
                    "password": "p" * 12,
                },
            ),
            (
                "users",
                {
                    "username": "sam",
                    "name": "x",
                    "organisation": value,
                    "roles": ["analyst"],
                    "password": "p" * 12,
                },
            ),
            (
                "clients",
                {"organisation": "police", "name": value, "roles": ["connector"], "signing_key": _KEY},
            ),
            ("runs", {"plugin": value, "agreement": value}),
            ("agreements", {"text": AGREEMENT + value}),
            ("enrolments", {"code": value, "name": "x", "signing_key": _KEY}),
        ):
            _refused(api.post(f"/api/v1/{path}", json=body, headers=headers), 400)
        claims = b64(json.dumps({"sub": value, "iss": value}).encode())
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": f"e30.{claims}.x",
        }
        _refused(api.post("/oauth/token", data=form), 401)
    assert _organisations(api, headers) == {"hub", "police"}


def test_a_name_that_is_too_long_for_its_column_is_refused_by_both(hub: Hub) -> None:
    api = create_app(hub.settings, hub).test_client()
    headers = client_of(hub, "police", "operator").headers()
    _refused(api.post("/api/v1/organisations", json={"slug": "x" * 65, "name": "x"}, headers=headers), 422)
    _refused(
        api.post("/api/v1/organisations", json={"slug": "fresh", "name": "x" * 201}, headers=headers), 422
    )
    person = {
        "username": "x" * 100,
        "name": "x",
        "organisation": "police",
        "roles": ["analyst"],
        "password": "p" * 12,
    }
    _refused(api.post("/api/v1/users", json=person, headers=headers), 422)
