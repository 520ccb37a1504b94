"""Attacks on every door: fields nobody asked for, forms from elsewhere, lines smuggled into headers and logs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from hub.app import create_app
from hub.policy.roles import ROLES
from hub.web.routes import ROUTES, Route
from support.callers import client_of
from support.doors import NEEDED, OPEN, QUERY, changed, kept, operations
from support.lived_in import LivedIn, lived_in_hub, sign_in, token_of

#: What an attacker would like to set.
WANTED: dict[str, Any] = {
    "is_operator": True, "organisation_id": "org_hub", "approved": True, "requested_by": "person:somebody-else",
    "decided_by": "person:somebody-else", "created_by": "person:somebody-else", "id": "chosen",
}  # fmt: skip
#: Bodies in which one of those is a field of its own.
_OWN: dict[tuple[str, str], set[str]] = {}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedIn]:
    with lived_in_hub(tmp_path_factory.mktemp("attacks")) as made:
        yield made


@pytest.fixture(scope="module")
def app(lived: LivedIn) -> Any:
    return create_app(lived.hub.settings, lived.hub)


@pytest.fixture(scope="module")
def everything(lived: LivedIn) -> dict[str, str]:
    """Headers of a machine of the hub's own organisation with every role: nothing is refused for want of one."""
    return client_of(lived.hub, "hub", *ROLES).headers()


def _ids(lived: LivedIn) -> dict[str, str]:
    return lived.ids | {"dataset": lived.ids["dataset_id"]}


def test_no_body_takes_a_field_that_it_does_not_know(
    app: Any, lived: LivedIn, everything: dict[str, str]
) -> None:
    client, before, taken = app.test_client(), kept(lived.hub), {}
    for operation, (_, body) in NEEDED.items():
        if not isinstance(body, dict):
            continue
        method, path = operation
        for name in set(WANTED) - _OWN.get(operation, set()):
            answer = client.open(
                path.format(**_ids(lived)), method=method, headers=everything, json=body | {name: WANTED[name]},
                query_string=QUERY.get(operation, {}),
            )  # fmt: skip
            said = (answer.get_json(silent=True) or {}).get("errors", {})
            if answer.status_code != 422 or name not in str(said):
                taken[operation, name] = (answer.status_code, answer.get_data(as_text=True)[:200])
    assert taken == {}
    assert changed(before, lived.hub) == []


def test_no_query_takes_a_field_that_it_does_not_know(
    app: Any, lived: LivedIn, everything: dict[str, str]
) -> None:
    """Where a query is read at all: so that nobody believes a filter was applied that was not."""
    client, ignored = app.test_client(), set()
    for operation in sorted(operations(app) - OPEN):
        method, path = operation
        if method != "GET":
            continue
        query = QUERY.get(operation, {}) | {"no_such_filter": "x"}
        answer = client.get(path.format(**_ids(lived)), headers=everything, query_string=query)
        paged = "next" in (answer.get_json(silent=True) or {})
        if paged:
            ignored.add(path)
    assert ignored == set()


# --- forms


def _address(route: Route, lived: LivedIn) -> str:
    ids = lived.ids | ({"table": "by_area"} if route.name == "result_table" else {})
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: ids[match[1]], route.rule)


POSTED = [route for route in ROUTES if "POST" in route.methods]


@pytest.fixture(scope="module")
def browser(app: Any) -> FlaskClient:
    client: FlaskClient = app.test_client()
    assert sign_in(client, "everything").status_code == 303
    return client


@pytest.mark.parametrize("token", ["", "x", "ImZvcmdlZCI.aAAAAA.forged"])
def test_no_form_from_elsewhere_changes_anything(
    token: str, app: Any, lived: LivedIn, browser: FlaskClient
) -> None:
    before, answers = kept(lived.hub), {}
    stranger = app.test_client()
    words = {
        "act": "withdraw", "decision": "release", "reason": "looked at all of it", "username": "analyst",
        "words": "all of it", "visibility": "private",
    }  # fmt: skip
    for route in POSTED:
        for client in (browser, stranger) if route.public else (browser,):
            for prefix in ("", "decide-", "reply-"):
                answer = client.post(_address(route, lived), data=words | {f"{prefix}csrf_token": token})
                if answer.status_code != 400:
                    answers[route.name, prefix] = answer.status_code
    assert answers == {}
    assert changed(before, lived.hub) == []
    assert browser.get("/account").status_code == 200, "nobody was signed out"


def test_a_token_of_another_session_opens_no_form(app: Any, lived: LivedIn, browser: FlaskClient) -> None:
    other = app.test_client()
    sign_in(other, "everything")
    token, before = token_of(other.get("/account")), kept(lived.hub)
    for route in POSTED:
        if not route.public:
            assert browser.post(_address(route, lived), data={"csrf_token": token}).status_code == 400, route
    assert changed(before, lived.hub) == []


# --- headers and logs

#: Ends a line and begins another; colours a terminal; ends a string.
SMUGGLED = 'a\r\nX-Smuggled: yes\r\n\r\n<script>\x1b[31m"; filename="evil.exe'


def _is_clean(answer: Any) -> bool:
    headers = [*answer.headers]
    return not any(
        name.lower() == "x-smuggled" or any(ord(char) < 32 for char in value) or "evil.exe" in value
        for name, value in headers
        if name != "Location"
    )


def test_nothing_smuggled_into_an_address_comes_out_in_headers_or_logs(
    app: Any,
    lived: LivedIn,
    browser: FlaskClient,
    everything: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    from urllib.parse import quote

    broken = quote(SMUGGLED, safe="")
    query = "&".join(
        f"{name}={broken}" for name in ("next", "before", "cursor", "action", "plugin", "found", "q")
    )
    client = app.test_client()
    for route in ROUTES:
        if "GET" in route.methods:
            for address in {re.sub(r"<(?:\w+:)?\w+>", broken, route.rule), _address(route, lived)}:
                answer = browser.get(f"{address}?{query}")
                assert answer.status_code < 500, route.name
                assert _is_clean(answer), (route.name, answer.headers)
    for method, path in sorted(operations(app)):
        for address in {re.sub(r"\{\w+\}", broken, path), path.format(**_ids(lived))}:
            if method == "GET" or "{" in path:
                answer = client.open(f"{address}?{query}" if method == "GET" else address, method="GET",
                                     headers=everything)  # fmt: skip
                assert answer.status_code < 500, path
                assert _is_clean(answer), (path, answer.headers)
    written = "".join(capfd.readouterr())
    assert "\x1b[31m" not in written
    assert not re.search(r"^\s*X-Smuggled", written, re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    ["X-Request-ID", "Referer", "User-Agent", "Content-Digest", "X-Forwarded-For", "If-None-Match", "Accept"],
)
def test_nothing_smuggled_into_a_header_comes_out_in_headers_or_logs(
    name: str, app: Any, everything: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    client = app.test_client()
    for value in ("a\x1b[31mb", "a\tb\x0bX-Smuggled: yes", "é" * 300, "x" * 5000, '"; filename="evil.exe'):
        for address in ("/", "/api/v1/plugins", "/no-such-page", "/healthz"):
            answer = client.get(address, headers=everything, environ_overrides={_environ(name): value})
            assert answer.status_code < 500, (name, address)
            assert _is_clean(answer), (name, answer.headers)
    written = "".join(capfd.readouterr())
    assert "\x1b[31m" not in written


def _environ(header: str) -> str:
    """How WSGI hands a header on; so that no client library refuses it first."""
    return f"HTTP_{header.upper().replace('-', '_')}"
