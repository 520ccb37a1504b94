"""Who asks too often is slowed down: by client, by person, by address; and nobody else is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from hub.app import create_app
from hub.doorstep import limits
from hub.doorstep.limits import Windows
from hub.doorstep.proxies import behind_proxies
from hub.workflows.hub import Hub
from support.callers import ASSERTION_TYPE, Client, client_of
from support.hubs import make_hub, migrate

RATES = {
    "rate_client": "5/minute", "rate_parts": "40/minute", "rate_session": "4/minute", "rate_address": "6/minute",
    "rate_token": "7/minute", "rate_enrolment": "3/minute", "rate_sign_in": "3/minute", "rate_code": "2/minute",
}  # fmt: skip


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still at the start of a minute until it is moved."""
    now = [6_000_000.0]
    monkeypatch.setattr(limits, "_now", lambda: now[0])
    return now


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Hub]:
    """A hub with narrow limits."""
    url = f"sqlite:///{tmp_path / 'only.db'}"
    migrate(url)
    made = make_hub(tmp_path / "hub", url, rate_limits=True, **RATES)
    yield made
    made.database.close()


@pytest.fixture
def door(strict: Hub, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The application, with the library's own clock for tokens left as it is."""
    found: FlaskClient = create_app(strict.settings, strict).test_client()
    return found


def _get(door: FlaskClient, client: Client | None = None, headers: Any = None, **more: Any) -> Any:
    return door.get("/api/v1/agreements", headers=headers, **more)


def test_a_client_that_asks_too_often_is_told_when_to_come_again_and_others_are_not_held_up(
    strict: Hub, door: FlaskClient, clock: list[float]
) -> None:
    one, two = (client_of(strict, slug, "auditor").headers() for slug in ("police", "housing"))
    for number in range(5):
        answer = _get(door, headers=one)
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"] == '"client";q=5;w=60'
        assert answer.headers["RateLimit"].startswith(f'"client";r={4 - number};t=')
    refused = _get(door, headers=one)
    assert refused.status_code == 429
    said = refused.get_json()
    assert refused.content_type == "application/problem+json"
    assert (said["status"], said["title"]) == (429, "Too many requests")
    assert "5 in a minute" in said["detail"]
    assert 60 < int(refused.headers["Retry-After"]) <= 75, "all five came in the first moment of a minute"
    assert _get(door, headers=two).status_code == 200, "the same address, another client"
    assert 'hub_rate_limited_total{kind="client"} 1.0' in door.get("/metrics").get_data(as_text=True)


def test_it_opens_again_when_the_hub_said_so(strict: Hub, door: FlaskClient, clock: list[float]) -> None:
    headers = client_of(strict, "police", "auditor").headers()
    for _ in range(5):
        assert _get(door, headers=headers).status_code == 200
    waits = []
    for _ in range(4):
        refused = _get(door, headers=headers)
        assert refused.status_code == 429
        waits.append(int(refused.headers["Retry-After"]))
        clock[0] += waits[-1] - 1
        assert _get(door, headers=headers).status_code == 429, "one second too early"
        clock[0] += 1
        assert _get(door, headers=headers).status_code == 200, "just in time"
    assert all(1 <= wait <= 75 for wait in waits)


def test_parts_of_deliveries_have_room_of_their_own(strict: Hub, door: FlaskClient) -> None:
    """A connector that pushes millions of rows sends parts as fast as the line takes them."""
    headers = client_of(strict, "police", "connector").headers()
    for _ in range(40):
        answer = door.put("/api/v1/deliveries/x/files/rows/parts/1", headers=headers, data=b"x")
        assert answer.status_code != 429
    assert answer.headers["RateLimit-Policy"] == '"parts";q=40;w=60'
    assert _get(door, headers=headers).status_code != 429, "and the rest is not used up by it"


def test_the_defaults_let_a_delivery_of_a_hundred_gigabytes_through_in_a_quarter_of_an_hour(
    sqlite_hub: Hub,
) -> None:
    parts, _, unit = sqlite_hub.settings.rate_parts.partition("/")
    assert unit == "minute"
    assert int(parts) * 15 * sqlite_hub.settings.part_size > 100e9


@pytest.mark.parametrize(
    ("kind", "most", "send"),
    [
        ("token", 7, lambda door: door.post("/oauth/token", data={
            "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": "x"})),
        ("enrolment", 3, lambda door: door.post("/api/v1/enrolments", json={})),
        ("sign_in", 3, lambda door: door.post("/sign-in", data={})),
        ("address", 6, lambda door: door.get("/api/v1/agreements")),
        ("address", 6, lambda door: door.get("/api/v1/hub")),
        ("address", 6, lambda door: door.get("/sign-in")),
        ("address", 6, lambda door: door.get("/agreements")),
        ("address", 6, lambda door: door.get("/api/v1/agreements", headers={"Authorization": "Bearer x"})),
    ],
    ids=["token", "enrolment", "sign in", "no token", "open", "open page", "page", "bad token"],
)  # fmt: skip
def test_those_who_have_not_proved_who_they_are_are_counted_by_address(
    door: FlaskClient, clock: list[float], kind: str, most: int, send: Callable[[FlaskClient], Any]
) -> None:
    answers = [send(door) for _ in range(most + 2)]
    assert [answer.status_code == 429 for answer in answers] == [False] * most + [True] * 2
    assert answers[-1].headers["RateLimit-Policy"].startswith(f'"{kind}"')
    assert int(answers[-1].headers["Retry-After"]) > 0
    if kind == "token":
        assert answers[-1].get_json()["error"] == "temporarily_unavailable"
    door.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    assert send(door).status_code != 429, "another address"


def test_signing_in_as_a_machine_is_not_held_up_by_strangers_elsewhere(
    strict: Hub, door: FlaskClient
) -> None:
    client = client_of(strict, "police", "auditor")
    for _ in range(20):
        door.post(
            "/oauth/token",
            data={"client_assertion": client.assertion()},
            environ_base={"REMOTE_ADDR": "203.0.113.9"},
        )
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    answer = door.post("/oauth/token", data=form | {"client_assertion": client.assertion()})
    assert answer.status_code == 200, "whoever names a client cannot use up its requests"


def test_health_metrics_and_what_pages_are_made_of_are_not_counted(door: FlaskClient) -> None:
    for _ in range(30):
        for address in ("/healthz", "/metrics", "/static/hub.css"):
            answer = door.get(address)
            answer.close()
            assert answer.status_code != 429


def test_addresses_of_one_site_are_counted_together(door: FlaskClient, clock: list[float]) -> None:
    def ask(address: str) -> int:
        return int(door.get("/api/v1/hub", environ_base={"REMOTE_ADDR": address}).status_code)

    assert [ask(f"2001:db8:1:2::{number:x}") for number in range(7)] == [200] * 6 + [429]
    assert ask("2001:db8:1:3::1") == 200
    assert [ask("::ffff:192.0.2.1") for _ in range(6)] == [200] * 6
    assert ask("192.0.2.1") == 429, "an IPv4 address, however it is written"


# --- behind proxies


def _seen(strict: Hub, remote: str, forwarded: str | None, **settings: Any) -> tuple[str, bool]:
    """The address the application sees, and whether the header is still there."""
    from dataclasses import replace

    environ = {"REMOTE_ADDR": remote, "wsgi.url_scheme": "http"}
    if forwarded is not None:
        environ |= {
            "HTTP_X_FORWARDED_FOR": forwarded,
            "HTTP_X_FORWARDED_PROTO": "https",
            "HTTP_FORWARDED": "for=9.9.9.9",
        }
    seen: list[dict[str, Any]] = []
    app = behind_proxies(lambda env, start: seen.append(env) or [], replace(strict.settings, **settings))
    list(app(environ, lambda *_: None))
    return seen[0]["REMOTE_ADDR"], "HTTP_FORWARDED" in seen[0]


def test_nobody_is_believed_about_addresses_by_default(strict: Hub) -> None:
    assert _seen(strict, "127.0.0.1", "6.6.6.6") == ("127.0.0.1", False)
    assert _seen(strict, "203.0.113.9", "6.6.6.6") == ("203.0.113.9", False)


def test_a_proxy_is_believed_about_what_it_wrote_itself_and_nothing_before(strict: Hub) -> None:
    assert _seen(strict, "10.0.0.2", "6.6.6.6, 198.51.100.7", trusted_proxies=1)[0] == "198.51.100.7"
    assert (
        _seen(strict, "10.0.0.2", "6.6.6.6, 198.51.100.7, 10.0.0.3", trusted_proxies=2)[0] == "198.51.100.7"
    )
    assert _seen(strict, "10.0.0.2", "198.51.100.7", trusted_proxies=2)[0] == "10.0.0.2", (
        "fewer than there must be"
    )


def test_somebody_who_goes_round_the_proxy_is_not_believed(strict: Hub) -> None:
    assert _seen(strict, "203.0.113.9", "6.6.6.6", trusted_proxies=1) == ("203.0.113.9", False)
    assert (
        _seen(strict, "10.0.0.9", "6.6.6.6", trusted_proxies=1, proxy_networks="10.0.0.2/32")[0] == "10.0.0.9"
    )
    assert _seen(strict, "::ffff:10.0.0.2", "6.6.6.6", trusted_proxies=1)[0] == "6.6.6.6"


def test_the_server_lets_a_proxys_word_through_only_where_there_is_one(strict: Hub) -> None:
    """The server itself takes the headers away; behind a proxy it must not."""
    import http.client
    from dataclasses import replace

    from hub.doorstep.serving import Server

    for proxies, expected in ((0, [200] * 6 + [429]), (1, [200] * 7)):
        settings = replace(strict.settings, trusted_proxies=proxies, port=0)
        server = Server(create_app(settings, strict), settings)
        server.start()
        try:
            found = []
            for number in range(7):
                line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
                line.request("GET", "/api/v1/hub", headers={"X-Forwarded-For": f"198.51.100.{number}"})
                found.append(line.getresponse().status)
                line.close()
            assert found == expected
        finally:
            server.stop()


@pytest.mark.parametrize(
    "rate", ["", "fast", "0/minute", "10", "10/day", "10 / minute", "-1/minute", "1e3/hour"]
)
def test_a_rate_that_is_none_is_refused_when_the_hub_starts(tmp_path: Path, rate: str) -> None:
    from hub.config import load_settings
    from hub.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"rate_client.*600/minute"):
        load_settings(tmp_path, environ={}, rate_client=rate)
    for name in ("proxy_networks", "jwks_networks"):
        with pytest.raises(ConfigurationError, match=name):
            load_settings(tmp_path, environ={}, **{name: "everywhere"})


# --- memory


def test_so_many_are_remembered_and_no_more(clock: list[float]) -> None:
    windows = Windows(most=100)
    assert windows.acquire_sliding_window_entry("known", 2, 60)
    for number in range(5000):
        windows.acquire_sliding_window_entry(f"stranger {number}", 2, 60)
        if number % 50 == 0:
            windows.acquire_sliding_window_entry("known", 2, 60)
    assert len(windows) == 100
    assert not windows.acquire_sliding_window_entry("stranger 4999", 1, 60)


def test_a_window_slides(clock: list[float]) -> None:
    windows = Windows()

    def taken(count: int) -> int:
        return sum(windows.acquire_sliding_window_entry("k", 60, 60) for _ in range(count))

    assert taken(100) == 60
    clock[0] += 60
    assert taken(100) == 0, "right after the turn of the minute the one before still weighs in full"
    clock[0] += 30
    assert taken(100) == 30
    clock[0] += 600
    assert taken(100) == 60


def test_counting_from_many_threads_lets_no_more_through() -> None:
    from concurrent.futures import ThreadPoolExecutor

    windows = Windows()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: windows.acquire_sliding_window_entry("k", 100, 3600), range(1000)))
    assert sum(found) <= 100
    if time.time() % 3600 > 2:
        assert sum(found) == 100
