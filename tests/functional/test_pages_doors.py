"""Every page is closed to strangers and to those without its permission; sessions, forms and errors hold."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import default_exceptions

from hub.app import create_app
from hub.errors import HubError
from hub.policy.roles import PERSON_ROLES, may
from hub.web.routes import NAVIGATION, ROUTES, Route
from hub.web.sessions import COOKIE
from hub.workflows import signing_in
from support.hubs import PASSWORD
from support.lived_in import LivedIn, lived_in_hub, sign_in, token_of

#: Pages for everybody; whoever adds one has to say so here.
PUBLIC = {
    "sign_in",
    "sign_in_code",
    "sign_in_set_up",
    "sign_in_one_time",
    "provider_begin",
    "provider_back",
    "signed_out",
    "cookies",
    "privacy",
    "accessibility",
    "your_rights",
    "my_data",
    "my_data_ask",
    "my_data_copy",
    "my_data_close",
}
#: Pages for everybody who is signed in, whatever their roles.
FOR_ALL = {
    "sign_out",
    "account",
    "account_password",
    "account_factor",
    "account_recovery",
    "account_sessions",
    "home",
}
#: Pages about a request, a correction or a person that the hub of these tests does not have.
_NOT_THERE = {
    "request_question",
    "request_check",
    "registration",
    "rights_person",
    "rights_request",
    "rights_copy",
    "rights_rows",
    "correction",
    "objection",
}
CLOSED = [route for route in ROUTES if route.name not in PUBLIC]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedIn]:
    with lived_in_hub(tmp_path_factory.mktemp("doors")) as made:
        yield made


@pytest.fixture(scope="module")
def app(lived: LivedIn) -> Any:
    return create_app(lived.hub.settings, lived.hub)


@pytest.fixture
def client(app: Any) -> FlaskClient:
    found: FlaskClient = app.test_client()
    return found


@pytest.fixture(scope="module")
def as_user(app: Any) -> Callable[[str], FlaskClient]:
    known: dict[str, FlaskClient] = {}

    def user(name: str) -> FlaskClient:
        if name not in known:
            known[name] = app.test_client()
            assert sign_in(known[name], name).status_code == 303
        return known[name]

    return user


def _address(route: Route, lived: LivedIn) -> str:
    ids = lived.ids | ({"table": "by_area"} if route.name == "result_table" else {})
    return re.sub(r"<(\w+)>", lambda match: ids[match[1]], route.rule)


def _main(page: Any) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", re.search(r"<main.*</main>", page.text, re.DOTALL)[0]))


# --- who may open what


def test_the_table_of_addresses_is_all_there_is(app: Any) -> None:
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("web.")}
    assert set(rules) == {f"web.{route.name}" for route in ROUTES} | {"web.static"}
    assert {route.name for route in ROUTES if route.public} == PUBLIC
    assert {route.name for route in CLOSED if route.needs is None} == FOR_ALL
    assert {name for name, _ in NAVIGATION} <= {route.name for route in ROUTES}


@pytest.mark.parametrize("route", CLOSED, ids=lambda route: route.name)
def test_a_stranger_is_sent_to_sign_in(route: Route, lived: LivedIn, client: FlaskClient) -> None:
    address = _address(route, lived)
    for method in route.methods:
        data = {"csrf_token": token_of(client.get("/sign-in"))} if method == "POST" else {}
        answer = client.open(address, method=method, data=data)
        assert answer.status_code == 302
        assert answer.location.startswith("/sign-in")
        if "GET" in route.methods:
            assert answer.location == f"/sign-in?next={address}"


@pytest.mark.parametrize("role", [*PERSON_ROLES, "no role"])
def test_a_page_opens_with_its_permission_and_says_what_is_missing_without(
    role: str, lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    browser = as_user(role.replace(" ", "-"))
    for route in CLOSED:
        if "GET" not in route.methods:
            continue
        answer = browser.get(_address(route, lived))
        if route.needs is None or may({role}, route.needs):
            # The staged delivery is another organisation's; the handle is nobody's; nothing was searched for yet.
            others = {"delivery", "delivery_faults", "upload", "upload_check", "mend", "rows_at_fault"}
            unseen = _NOT_THERE | {"household"} | (others if role == "data steward" else set())
            moved = {"found": 302, "agreement_review": 303, "agreement_sign": 303}
            expected = 404 if route.name in unseen else moved.get(route.name, 200)
            if route.name in ("describe", "visibility"):
                expected = 403  # a listed dataset of another organisation: seen, and not theirs to describe
            assert answer.status_code == expected, (role, route.name)
        else:
            assert answer.status_code == 403, (role, route.name)
            assert f"You may not {route.needs.value}: that needs the role" in _main(answer)


@pytest.mark.parametrize("role", [*PERSON_ROLES, "no role"])
def test_no_link_that_a_page_offers_leads_to_a_closed_door(
    role: str, as_user: Callable[[str], FlaskClient]
) -> None:
    browser, queue, seen = as_user(role.replace(" ", "-")), ["/"], set()
    while queue:
        address = queue.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = browser.get(address)
        assert answer.status_code == 200, (role, address)
        if answer.mimetype == "text/html":
            queue += [unescape(link) for link in re.findall(r'<a [^>]*href="(/[^"#]*)"', answer.text)]
    rules = {route.name: route.rule for route in ROUTES}
    offered = {name for name, _ in NAVIGATION if rules[name] in seen}
    needs = {route.name: route.needs for route in ROUTES}
    wanted = {name for name, _ in NAVIGATION if needs[name] is None or may({role}, needs[name])}
    assert offered == wanted


# --- sessions


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(client: FlaskClient) -> None:
    answer = sign_in(client, "analyst")
    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{COOKIE}="))
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert "Expires" not in cookie


def test_cookies_go_over_https_only_where_the_operator_says_so(tmp_path: Any) -> None:
    with lived_in_hub(tmp_path, secure_cookies=True) as lived:
        browser = create_app(lived.hub.settings, lived.hub).test_client()
        address = "https://hub.test/sign-in"
        token = token_of(browser.get(address))
        data = {"username": "analyst", "password": PASSWORD, "csrf_token": token}
        answer = browser.post(address, data=data, headers={"Referer": address}, base_url="https://hub.test")
        assert answer.status_code == 303
        assert all("; Secure" in line for line in answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    ("username", "password"), [("analyst", "wrong"), ("nobody", PASSWORD), ("analyst'--", PASSWORD)]
)
def test_a_wrong_name_and_a_wrong_password_look_the_same(
    username: str, password: str, client: FlaskClient
) -> None:
    answer = sign_in(client, username, password)
    assert answer.status_code == 422
    assert (
        _main(answer).count("The username or the password is not right") == 2
    )  # at the top, and at the field
    assert COOKIE not in str(answer.headers)
    assert password not in answer.text


def test_each_signing_in_gives_a_new_token_and_ends_the_session_before(
    client: FlaskClient, app: Any, lived: LivedIn
) -> None:
    client.set_cookie(COOKIE, "chosen-by-somebody-else")
    sign_in(client, "analyst")
    first = client.get_cookie(COOKIE).value  # type: ignore[union-attr]
    assert first != "chosen-by-somebody-else"
    page = client.get("/account")
    assert client.get("/sign-in").location == "/", "who is signed in needs no form"
    answer = client.post(
        "/sign-in", data={"username": "auditor", "password": PASSWORD, "csrf_token": token_of(page)}
    )
    assert answer.status_code == 303
    assert client.get_cookie(COOKIE).value != first  # type: ignore[union-attr]
    assert signing_in.session_of(lived.hub, first) is None
    assert "Nobody Auditor" in client.get("/account").text


def test_signing_out_ends_the_session_on_the_server(client: FlaskClient, app: Any) -> None:
    sign_in(client, "analyst")
    kept = client.get_cookie(COOKIE).value  # type: ignore[union-attr]
    answer = client.post("/sign-out", data={"csrf_token": token_of(client.get("/"))})
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert client.get_cookie(COOKIE) is None
    thief = app.test_client()
    thief.set_cookie(COOKIE, kept)
    assert thief.get("/account").status_code == 302


def test_a_session_ends_by_itself(
    client: FlaskClient, lived: LivedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, "analyst")
    from hub.identity import sessions

    now, minutes = sessions.utc_now(), lived.hub.settings.session_minutes
    monkeypatch.setattr(sessions, "utc_now", lambda: now + timedelta(minutes=minutes - 1))
    assert client.get("/account").status_code == 200
    monkeypatch.setattr(sessions, "utc_now", lambda: now + timedelta(minutes=2 * minutes))
    assert client.get("/account").status_code == 302


@pytest.mark.parametrize(
    "wanted", ["/datasets", "/runs?plugin=counting", "/audit/checkpoint", "/households/gAAAAAB-_x=="]
)
def test_after_signing_in_one_is_where_one_wanted_to_go(wanted: str, client: FlaskClient) -> None:
    asked = client.get(wanted)
    page = client.get(asked.location)
    answer = client.post(
        asked.location, data={"username": "auditor", "password": PASSWORD, "csrf_token": token_of(page)}
    )
    assert answer.location == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.invalid/", "//evil.invalid/", "/\\evil.invalid", "\\\\evil.invalid", "/%09/evil.invalid",
        "/\t/evil.invalid", " /datasets", "datasets", "javascript:alert(1)", "/nothing-here", "/api/v1/runs",
        "/sign-out", "/static/hub.js", "/datasets#x", "/\x00", "",
    ],
)  # fmt: skip
def test_no_link_sends_people_elsewhere_after_signing_in(wanted: str, client: FlaskClient) -> None:
    page = client.get("/sign-in", query_string={"next": wanted})
    answer = client.post(
        "/sign-in",
        query_string={"next": wanted},
        data={"username": "auditor", "password": PASSWORD, "csrf_token": token_of(page)},
    )
    assert (answer.status_code, answer.location) == (303, "/")


# --- forms


@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("/sign-in", ""), ("/sign-out", "analyst"), ("/households", "service-user"),
        ("/results/{held}", "output-checker"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", ["", "x", "ImZvcmdlZCI.aAAAAA.forged"])
def test_a_form_without_its_token_changes_nothing(
    address: str, user: str, token: str, lived: LivedIn, client: FlaskClient
) -> None:
    if user:
        sign_in(client, user)
    data = {
        "username": "analyst", "password": PASSWORD, "decision": "release", "reason": "looked at", "csrf_token": token,
    }  # fmt: skip
    answer = client.post(address.format(held=lived.held), data=data)
    assert answer.status_code == 400
    assert "If a form was open for long, open it anew first." in _main(answer)
    assert (client.get("/account").status_code == 200) == bool(user)
    if user == "output-checker":
        assert "Save decision" in client.get(f"/results/{lived.held}").text


def test_a_token_of_somebody_else_is_no_token(app: Any) -> None:
    victim, attacker = app.test_client(), app.test_client()
    sign_in(victim, "service-user")
    sign_in(attacker, "service-user")
    assert victim.post("/sign-out", data={"csrf_token": token_of(attacker.get("/"))}).status_code == 400


def test_machines_need_no_token_but_a_browser_session_is_nothing_to_the_api(client: FlaskClient) -> None:
    sign_in(client, "operator")
    answer = client.post("/api/v1/organisations", json={"slug": "x-y", "name": "x"})
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"


# --- errors


def test_an_address_that_is_not_there_gets_a_page_with_the_navigation(
    client: FlaskClient, as_user: Callable[[str], FlaskClient]
) -> None:
    for browser, signed_in in ((client, False), (as_user("analyst"), True)):
        answer = browser.get("/no/such/<b>page</b>")
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
        assert "Page not found" in _main(answer)
        assert answer.headers["X-Request-ID"] in _main(answer)
        assert "<b>page" not in answer.text
        assert ('aria-label="Menu"' in answer.text) is signed_in


def test_an_address_that_takes_no_such_method_gets_a_page(client: FlaskClient) -> None:
    answer = client.delete("/cookies")
    assert answer.status_code == 405
    assert "This page does not do that" in _main(answer)


@pytest.mark.parametrize(
    "address",
    [
        "/datasets/nothing", "/deliveries/nothing", "/plugins/nothing", "/runs/nothing", "/results/nothing",
        "/results/{result_id}/nothing.csv", "/agreements/nothing",
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_in_the_hubs_own_words(
    address: str, lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    answer = as_user("operator").get(address.format(**lived.ids))
    assert answer.status_code == 404
    assert re.search(r"There is no \w+|The (hub|result) has no ", _main(answer))


@pytest.mark.parametrize(
    "address",
    [
        "/audit?before=x", "/audit?before=-1", f"/audit?before={10**30}", "/deliveries?before=x",
        "/deliveries?before=W10",
    ],
)  # fmt: skip
def test_a_place_in_a_list_that_the_hub_never_gave_is_an_error_and_no_crash(
    address: str, as_user: Callable[[str], FlaskClient]
) -> None:
    answer = as_user("auditor").get(address)
    assert answer.status_code == 422
    assert "This address is not one that the hub gave" in _main(answer)


NASTY = (
    "%00", "%ff%fe", "%ed%a0%80", "..%2f..%2fetc%2fpasswd", "'%20OR%201=1--", "%3Cscript%3E", "x" * 3000, "0", "-1",
    "%E2%80%AE", "{{7*7}}", "%0d%0aSet-Cookie:%20a=b",
)  # fmt: skip


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_put_into_an_address_or_a_form_breaks_a_page(
    nasty: str, lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    browser = as_user("everything")
    token = token_of(browser.get("/account"))
    for route in CLOSED:
        if "GET" in route.methods:
            address = re.sub(r"<\w+>", nasty, route.rule)
            names = ("before", "action", "plugin", "verify", "next")
            answer = browser.get(address + "?" + "&".join(f"{name}={nasty}" for name in names))
            assert answer.status_code < 500, address
            assert "<script>" not in answer.text
        if "POST" in route.methods and route.name not in ("sign_out", "agreement_withdraw"):
            data = dict.fromkeys(("agreement", "reason", "way", "surname", "nhs_number", "decision"), nasty)
            data |= {f"date_of_birth-{part}": nasty for part in ("day", "month", "year")}
            answer = browser.post(_address(route, lived), data=data | {"csrf_token": token})
            assert answer.status_code < 500, route.name
            assert "<script>" not in answer.text
            typed = {"search", "result", "reidentify", "agreement_question"}
            assert route.name not in typed or answer.status_code == 422, (route.name, answer.status_code)


def test_a_form_that_is_too_large_is_refused(client: FlaskClient, lived: LivedIn) -> None:
    answer = client.post("/sign-in", data={"csrf_token": "x" * lived.hub.settings.max_request_bytes})
    assert answer.status_code == 413
    assert "That was too large" in _main(answer)


def test_no_error_of_the_hub_is_taken_for_one_of_the_framework() -> None:
    """Error pages tell the two apart by their titles."""

    def kinds(base: type[HubError]) -> Iterator[type[HubError]]:
        for kind in base.__subclasses__():
            yield kind
            yield from kinds(kind)

    theirs = {kind().name for kind in default_exceptions.values()}
    assert not theirs & {kind.title for kind in kinds(HubError)}


def test_a_database_that_is_away_still_gives_a_page(
    client: FlaskClient, lived: LivedIn, monkeypatch: Any
) -> None:
    from hub.errors import Unavailable

    def away(*_: Any) -> None:
        raise Unavailable("The database does not answer; try again in a moment.")

    sign_in(client, "analyst")
    monkeypatch.setattr(signing_in, "session_of", away)
    answer = client.get("/")
    assert answer.status_code == 503
    assert "The database does not answer" in _main(answer)
    assert "Nobody Analyst" not in answer.text


def test_pages_are_kept_by_no_cache_and_run_nothing_inline(
    lived: LivedIn, as_user: Callable[[str], FlaskClient]
) -> None:
    for address in ("/", "/datasets", f"/results/{lived.ids['result_id']}"):
        answer = as_user("operator").get(address)
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
