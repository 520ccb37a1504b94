"""What every request passes: its id, security headers, metrics that name nobody; and how the hub says how it is."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from hub.app import create_app
from hub.doorstep.serving import Server
from hub.errors import ConfigurationError
from hub.workflows.hub import Hub
from support.callers import client_of
from support.staged import Staged

ID = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def door(sqlite_hub: Hub) -> FlaskClient:
    """An application on a hub of its own, for tests that break it."""
    found: FlaskClient = create_app(sqlite_hub.settings, sqlite_hub).test_client()
    return found


def _addresses(app: Any, staged: Staged) -> Iterator[str]:
    """An address of every rule that can be fetched, and some that cannot."""
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.endpoint.endswith("static"):
            yield re.sub(r"<(?:[^:<>]+:)?(\w+)>", lambda match: staged.ids.get(match[1], "x"), rule.rule)
    yield from ("/nothing", "/api/v1/nothing", "/api/v1/runs/%00", "/oauth/token", "/api/v1/users")


def test_every_answer_carries_its_id_and_the_security_headers(
    app: Any, api: FlaskClient, staged: Staged
) -> None:
    seen = set()
    for address in _addresses(app, staged):
        response = api.get(address)
        seen.add(response.status_code)
        assert ID.fullmatch(response.headers["X-Request-ID"]), address
        policy = response.headers["Content-Security-Policy"]
        for said in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert said in policy, address
        assert "unsafe" not in policy and "http" not in policy and "*" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff", address
        assert response.headers["Referrer-Policy"] == "same-origin", address
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin", address
        assert response.headers.get("Server", "") == ""
    assert {200, 401, 404, 405} <= seen


@pytest.mark.parametrize("given", ["0123456789abcdef", "A" * 64, "a-b-c-d-e-f-0"])
def test_a_request_id_that_is_one_is_kept(api: FlaskClient, given: str) -> None:
    response = api.get("/api/v1/nothing", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == response.get_json()["instance"] == given


@pytest.mark.parametrize(
    "given",
    ["", "short", "A" * 65, "ermintrude canary", "12345678\t", "<script>1</script>", "é" * 10, "12345678;"],
)
def test_another_request_id_is_replaced(api: FlaskClient, given: str) -> None:
    response = api.get("/api/v1/hub", headers={"X-Request-ID": given.encode("latin-1").decode("latin-1")})
    assert ID.fullmatch(response.headers["X-Request-ID"])


def test_each_request_has_an_id_of_its_own(api: FlaskClient) -> None:
    assert len({api.get("/healthz").headers["X-Request-ID"] for _ in range(20)}) == 20


def test_the_audit_log_knows_the_request(
    api: FlaskClient, as_role: Callable[..., dict[str, str]], staged: Staged
) -> None:
    headers = client_of(staged.hub, "hub", "operator").headers() | {"X-Request-ID": "asked-by-a-test"}
    assert api.post("/api/v1/plugins/register", headers=headers).status_code == 200
    entries = api.get("/api/v1/audit/entries?limit=5", headers=as_role("auditor")).get_json()["items"]
    noted = [item for item in entries if item["action"] == "plugin.registered"]
    assert noted[0]["content"]["request"] == "asked-by-a-test"


def test_https_is_demanded_where_cookies_are_secure(sqlite_hub: Hub) -> None:
    assert (
        "Strict-Transport-Security"
        not in create_app(sqlite_hub.settings, sqlite_hub).test_client().get("/healthz").headers
    )
    settings = replace(sqlite_hub.settings, secure_cookies=True)
    answer = create_app(settings, replace(sqlite_hub, settings=settings)).test_client().get("/healthz")
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


def test_a_healthy_hub_is_alive_and_ready(door: FlaskClient) -> None:
    alive = door.get("/healthz")
    assert (alive.status_code, alive.get_json()["status"]) == (200, "alive")
    ready = door.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json() == {"status": "ready", "parts": {"database": "ready", "objects": "ready"}}


def _lose_database(hub: Hub) -> None:
    """Take the database away as a crash of its machine does: no file, no table, no answer."""
    hub.database.close()
    hub.database.engine = type(hub.database)("sqlite:////nowhere/at/all.db").engine


def test_without_its_database_the_hub_is_alive_but_not_ready(door: FlaskClient, sqlite_hub: Hub) -> None:
    headers = {"Authorization": "Bearer x.y.z"}
    _lose_database(sqlite_hub)
    assert door.get("/healthz").status_code == 200
    ready = door.get("/readyz")
    assert ready.status_code == 503
    assert ready.get_json()["parts"] == {"database": "does not answer", "objects": "ready"}
    assert "nowhere" not in ready.get_data(as_text=True)
    metrics = door.get("/metrics")
    assert metrics.status_code == 200
    assert "hub_waiting{" not in metrics.get_data(as_text=True)
    assert door.get("/api/v1/runs", headers=headers).status_code == 401
    answer = door.post("/api/v1/enrolments", json={"code": "x", "name": "x", "signing_key": {
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}})  # fmt: skip
    assert answer.status_code == 503
    assert "try again" in answer.get_json()["detail"]
    assert answer.content_type == "application/problem+json"


def test_without_its_objects_the_hub_is_not_ready(door: FlaskClient, sqlite_hub: Hub) -> None:
    shutil.rmtree(sqlite_hub.settings.resolved_objects)
    ready = door.get("/readyz")
    assert ready.status_code == 503
    assert ready.get_json()["parts"] == {"database": "ready", "objects": "does not answer"}


def test_metrics_count_by_rule_and_name_nothing_that_anybody_sent(
    api: FlaskClient, staged: Staged, as_role: Callable[..., dict[str, str]]
) -> None:
    for path in (
        f"/api/v1/runs/{staged.run}",
        "/api/v1/runs/ermintrude-canary",
        "/ermintrude-canary?q=canary",
    ):
        api.get(path, headers=as_role("analyst"))
    api.open("/api/v1/hub", method="CANARY")
    text = api.get("/metrics").get_data(as_text=True)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {name for name in families if not name.endswith("_created")} == {
        "hub_request_seconds", "hub_unexpected_errors", "hub_waiting", "hub_info", "hub_rate_limited",
    }  # fmt: skip
    counted = {
        (sample.labels["method"], sample.labels["rule"], sample.labels["status"]): sample.value
        for sample in families["hub_request_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert counted["GET", "/api/v1/runs/<string:run_id>", "200"] >= 1
    assert counted["GET", "(no such address)", "404"] >= 1
    assert counted["(unknown)", "(no such address)", "405"] >= 1
    assert staged.run not in text and "canary" not in text.lower()
    assert not re.search(r"\b(run|res|org|cli|dat|ver|sch)_[0-9a-z]{26}", text)
    assert {sample.labels["kind"] for sample in families["hub_waiting"].samples} == {"deliveries", "runs"}


def test_two_hubs_in_one_process_do_not_count_for_each_other(door: FlaskClient, api: FlaskClient) -> None:
    door.get("/this-is-only-asked-of-one")
    fresh = door.get("/metrics").get_data(as_text=True)
    assert fresh.count("hub_request_seconds_count{") == 1
    assert api.get("/metrics").status_code == 200


def test_a_port_that_is_taken_says_what_to_do(sqlite_hub: Hub) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = replace(sqlite_hub.settings, port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="HUB_PORT"):
            Server(create_app(settings, sqlite_hub), settings)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.0.0.1"])
def test_a_host_that_leads_nowhere_is_named(sqlite_hub: Hub, host: str) -> None:
    settings = replace(sqlite_hub.settings, host=host, port=0)
    with pytest.raises(ConfigurationError, match=host):
        Server(create_app(settings, sqlite_hub), settings)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_server_says_where_it_listens_and_leaves_nothing_behind(sqlite_hub: Hub, host: str) -> None:
    settings = replace(sqlite_hub.settings, host=host, port=0)
    server = Server(create_app(settings, sqlite_hub), settings)
    server.start()
    assert server.url == f"http://{host}:{server.port}"
    assert server.port > 0
    server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "hub-server"]


def test_a_request_in_hand_is_answered_before_the_server_stops(sqlite_hub: Hub) -> None:
    import httpx

    begun = threading.Event()

    def slow() -> str:
        begun.set()
        time.sleep(0.5)
        return "done " * 100_000

    settings = replace(sqlite_hub.settings, port=0)
    app = create_app(settings, sqlite_hub)
    app.add_url_rule("/slow", view_func=slow)
    server = Server(app, settings)
    server.start()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, f"{server.url}/slow", trust_env=False, timeout=20)
        assert begun.wait(20)
        server.stop()
        assert answer.result().text == "done " * 100_000


def test_a_served_hub_answers_over_http_and_stops(sqlite_hub: Hub) -> None:
    import httpx

    settings = replace(sqlite_hub.settings, port=0)
    server = Server(create_app(settings, sqlite_hub), settings)
    server.start()
    try:
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            assert client.get("/readyz").status_code == 200
            answer = client.get("/api/v1/nothing")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
            assert "server" not in answer.headers, "which server it is is nobody's business"
            body = b" " * (settings.max_request_bytes + 1)
            assert client.post("/api/v1/enrolments", content=body).status_code == 413
            assert client.get("/healthz", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 200
    finally:
        server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/healthz", trust_env=False, timeout=2)
