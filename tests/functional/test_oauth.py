"""Signing in as a machine: only a fresh assertion signed with the registered key opens the door, and only once."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.app import create_app
from hub.identity.tokens import TokenIssuer
from hub.workflows import enrolling
from hub.workflows.hub import Hub
from support.callers import ASSERTION_TYPE, Client, b64, client_of, jws


@pytest.fixture
def client(sqlite_hub: Hub) -> Client:
    """An auditor's tool of the police."""
    return client_of(sqlite_hub, "police", "auditor")


@pytest.fixture
def door(sqlite_hub: Hub) -> FlaskClient:
    """The application."""
    found: FlaskClient = create_app(sqlite_hub.settings, sqlite_hub).test_client()
    return found


@pytest.fixture
def ask(door: FlaskClient) -> Callable[..., TestResponse]:
    """Ask for a token with an assertion."""

    def send(assertion: str, **changes: str) -> TestResponse:
        form = {
            "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion,
        } | changes  # fmt: skip
        return door.post("/oauth/token", data=form)

    return send


def _refused(answer: TestResponse, status: int = 401, error: str = "invalid_client") -> str:
    assert answer.status_code == status, answer.get_data(as_text=True)
    said = answer.get_json()
    assert said["error"] == error
    assert said["error_description"] == said["detail"]
    assert "access_token" not in said
    return str(said["detail"])


def test_an_honest_assertion_gets_a_short_lived_token(
    ask: Callable[..., TestResponse], door: FlaskClient, client: Client
) -> None:
    answer = ask(client.assertion())
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    given = answer.get_json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 600)
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in given["access_token"].split("."))
    assert json.loads(header) == {"alg": "Ed25519", "typ": "at+jwt"}
    assert json.loads(claims)["exp"] - time.time() <= 600
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    assert door.get("/api/v1/audit/entries", headers=headers).status_code == 200
    assert door.get("/api/v1/runs", headers=headers).status_code == 200
    assert door.post("/api/v1/plugins/register", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "audience", ["{url}/oauth/token", ["{url}/oauth/token"], ["other", "{url}/oauth/token"]]
)
def test_the_audience_may_be_one_of_several(
    ask: Callable[..., TestResponse], client: Client, audience: Any
) -> None:
    url = client.hub.tokens.url
    named = (
        [item.format(url=url) for item in audience]
        if isinstance(audience, list)
        else audience.format(url=url)
    )
    assert ask(client.assertion(aud=named)).status_code == 200


def _hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda data: hmac.digest(secret, data, "sha256")


def test_algorithms_that_are_not_ours_are_refused(ask: Callable[..., TestResponse], client: Client) -> None:
    jwk = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": b64(client.public)}).encode()
    rsa_key, ec_key = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    for name, sign in {
        "none": lambda _: b"", "None": lambda _: b"", "": client.key.sign, "EdDSA": client.key.sign,
        "ed25519": client.key.sign, "Ed448": client.key.sign, "HS256": _hs256(client.public),
        "HS384": _hs256(client.public), "RS256": lambda data: rsa_key.sign(data, padding.PKCS1v15(), hashes.SHA256()),
        "ES256": lambda data: ec_key.sign(data, ec.ECDSA(hashes.SHA256())),
    }.items():  # fmt: skip
        _refused(ask(jws({"alg": name, "typ": "JWT"}, client.claims(), sign)))
    for secret in (jwk, b64(client.public).encode(), client.id.encode(), b""):
        _refused(ask(jws({"alg": "HS256", "typ": "JWT"}, client.claims(), _hs256(secret))))
    for strange in (None, ["Ed25519"], {"a": 1}, 7):
        _refused(ask(jws({"alg": strange}, client.claims(), client.key.sign)))
    unsigned = client.assertion().rpartition(".")[0]
    for end in (".", "", ".AA", "." + b64(b"\0" * 64)):
        _refused(ask(unsigned + end))


def test_no_header_can_bring_another_key(ask: Callable[..., TestResponse], client: Client) -> None:
    thief = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(thief.public_key().public_bytes_raw())}
    for header in (
        {"jwk": jwk},
        {"jku": "http://127.0.0.1:1/jwks.json"},
        {"x5u": "http://127.0.0.1:1/"},
        {"kid": "../../keyring.json"},
        {"kid": "/dev/null"},
        {"kid": "x' UNION SELECT '{}' --"},
        {"kid": jwk},
        {"x5c": ["MIIB"]},
    ):
        _refused(ask(jws({"alg": "Ed25519", "typ": "JWT"} | header, client.claims(), thief.sign)))
    assert ask(client.assertion({"kid": "../../keyring.json"})).status_code == 200, (
        "a kid decides nothing here"
    )


def test_headers_that_must_be_understood_are_not_passed_over(
    ask: Callable[..., TestResponse], client: Client
) -> None:
    for header in ({"crit": ["b64"], "b64": False}, {"crit": ["exp2"], "exp2": 1}, {"crit": "exp"}):
        _refused(ask(client.assertion(header)))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": "now-3600"}, {"exp": "now+3600"}, {"exp": None}, {"exp": "tomorrow"},
        {"exp": float("nan")}, {"exp": float("inf")}, {"exp": 10**400}, {"exp": True}, {"exp": -1},
        {"iat": "now+3600"}, {"iat": None}, {"iat": "now"}, {"nbf": "now+3600"},
        {"aud": None}, {"aud": []}, {"aud": "http://other.test/oauth/token"}, {"aud": "http://hub.test/api"},
        {"aud": "http://hub.test/oauth/token/"}, {"iss": None}, {"iss": "somebody"}, {"sub": None}, {"sub": "somebody"},
        {"sub": "a\0b"}, {"sub": "a\ud800b"}, {"sub": ["x"]}, {"jti": None}, {"jti": ""}, {"jti": ["x"]},
    ],
    ids=str,
)  # fmt: skip
def test_claims_that_do_not_hold_are_refused(
    ask: Callable[..., TestResponse], client: Client, changes: dict[str, Any]
) -> None:
    now = int(time.time())
    meant = {"now-3600": now - 3600, "now+3600": now + 3600}
    changes = {name: meant.get(str(value), value) for name, value in changes.items()}
    detail = _refused(ask(client.assertion(**changes)))
    assert client.id not in detail


def test_one_client_cannot_speak_for_another(ask: Callable[..., TestResponse], client: Client) -> None:
    other = client_of(client.hub, "housing", "operator")
    _refused(ask(jws({"alg": "Ed25519"}, other.claims(), client.key.sign)))
    _refused(ask(client.assertion(sub=other.id)))
    _refused(ask(client.assertion(iss=other.id)))


def test_an_assertion_opens_once(ask: Callable[..., TestResponse], client: Client) -> None:
    assertion = client.assertion()
    assert ask(assertion).status_code == 200
    assert "used before" in _refused(ask(assertion))
    assert ask(client.assertion()).status_code == 200
    again = client.assertion(jti="chosen")
    assert ask(again).status_code == 200
    _refused(ask(client.assertion(jti="chosen", exp=int(time.time()) + 90)))
    other = client_of(client.hub, "housing", "connector")
    assert ask(other.assertion(jti="chosen")).status_code == 200, "ids of assertions are each client's own"


def test_a_refused_assertion_can_still_be_used(ask: Callable[..., TestResponse], client: Client) -> None:
    """Or anybody who sees one could burn it with a broken signature."""
    assertion = client.assertion()
    _refused(ask(assertion[:-8] + "AAAAAAAA"))
    assert ask(assertion).status_code == 200


def test_both_databases_let_an_assertion_through_once(hub: Hub) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from hub.errors import HubError

    client = client_of(hub, "police", "connector")
    assertion = client.assertion()

    def once(_: int) -> bool:
        try:
            return bool(enrolling.token_for(hub, assertion)[0])
        except HubError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(once, range(8))) == 1


def test_a_revoked_client_gets_no_token_and_its_tokens_stop(
    ask: Callable[..., TestResponse], door: FlaskClient, client: Client
) -> None:
    from hub.identity import store as identities

    headers = client.headers()
    with client.hub.database.write() as session:
        identities.revoke_client(session, client.id)
    _refused(ask(client.assertion()))
    assert door.get("/api/v1/runs", headers=headers).status_code == 401


def test_tokens_and_assertions_do_not_stand_in_for_each_other(
    ask: Callable[..., TestResponse], door: FlaskClient, client: Client
) -> None:
    token = client.headers()["Authorization"].removeprefix("Bearer ")
    _refused(ask(token))
    for assertion in (
        client.assertion(), client.assertion({"typ": "at+jwt"}, aud=f"{client.hub.tokens.url}/api"),
        client.assertion({"typ": "at+jwt"}, aud=f"{client.hub.tokens.url}/api", iss=client.hub.tokens.url),
    ):  # fmt: skip
        headers = {"Authorization": f"Bearer {assertion}"}
        assert door.get("/api/v1/runs", headers=headers).status_code == 401


def test_a_token_is_good_for_this_hub_and_its_time_only(door: FlaskClient, client: Client) -> None:
    hub = client.hub
    own = Ed25519PrivateKey.from_private_bytes(hub.keyring.token_key)
    now = int(time.time())
    good = {
        "iss": hub.tokens.url, "aud": f"{hub.tokens.url}/api", "sub": client.id, "client_id": client.id, "iat": now,
        "exp": now + 60, "jti": "x", "scope": "runs:read",
    }  # fmt: skip

    def status(header: dict[str, Any], **changes: Any) -> int:
        token = jws({"alg": "Ed25519", "typ": "at+jwt"} | header, good | changes, own.sign)
        return door.get("/api/v1/runs", headers={"Authorization": f"Bearer {token}"}).status_code

    assert status({}) == 200, "the test must be able to make a good one"
    assert status({}, exp=now - 3600) == 401
    assert status({}, iat=now + 3600) == 401
    assert status({}, iss="http://other.test") == 401
    assert status({}, aud=hub.tokens.token_url) == 401
    assert status({}, sub="nobody") == 401
    assert status({"typ": "JWT"}) == 401
    assert status({"alg": "EdDSA"}) == 401
    elsewhere = TokenIssuer(hub.tokens.url, Ed25519PrivateKey.generate().private_bytes_raw(), 10)
    with hub.database.write() as session:
        stranger = elsewhere.exchange(session, client.assertion())[0]
    assert door.get("/api/v1/runs", headers={"Authorization": f"Bearer {stranger}"}).status_code == 401


def test_garbage_is_refused(ask: Callable[..., TestResponse], client: Client) -> None:
    claims = b64(json.dumps(client.claims()).encode())
    for garbage in ("x", "...", "a.b.c", "é.é.é", "a.b.c.d.e", f"e30.{claims}.", f"W10.{claims}.AA", f"ew.{claims}.AA",
                    "e30.W10.AA", f"e30.{b64(b'[' * 2000)}.AA", f"\0.{claims}.AA"):  # fmt: skip
        _refused(ask(garbage))
    sign = client.key.sign
    for header, body in (
        (b"[]", client.claims()),
        (b"{", client.claims()),
        ({"alg": "Ed25519"}, b"[1]"),
        (b"\xff", b"\xff"),
    ):
        _refused(ask(jws(header, body, sign)))


def test_a_token_that_is_too_long_is_not_even_looked_at(
    ask: Callable[..., TestResponse], door: FlaskClient, client: Client
) -> None:
    _refused(ask(client.assertion(extra="x" * 5000)), 400, "invalid_request")
    token = client.headers()["Authorization"] + "A" * 5000
    assert door.get("/api/v1/runs", headers={"Authorization": token}).status_code == 401


def test_the_token_endpoint_says_in_oauths_own_words_what_is_wrong(
    ask: Callable[..., TestResponse], door: FlaskClient, client: Client
) -> None:
    _refused(ask(client.assertion(), grant_type="password"), 400, "unsupported_grant_type")
    _refused(ask(client.assertion(), grant_type=""), 400, "invalid_request")
    _refused(ask(client.assertion(), client_assertion_type="basic"), 400, "invalid_request")
    _refused(ask(""), 400, "invalid_request")
    _refused(door.post("/oauth/token"), 400, "invalid_request")
    _refused(door.post("/oauth/token", json={"grant_type": "client_credentials"}), 400, "invalid_request")
    assert door.get("/oauth/token").status_code == 405
    query = f"/oauth/token?grant_type=client_credentials&client_assertion={client.assertion()}"
    _refused(door.post(query), 400, "invalid_request")


def test_the_database_keeps_no_assertion_and_no_token(client: Client) -> None:
    from sqlalchemy import inspect, text

    assertion = client.assertion()
    token, _ = enrolling.token_for(client.hub, assertion)
    jti = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))["jti"]
    engine = client.hub.database.engine
    with engine.connect() as connection:
        everything = "\n".join(
            str(row)
            for name in inspect(engine).get_table_names()
            for row in connection.execute(text(f"SELECT * FROM {name}"))
        )
    assert sha256(json.dumps([client.id, jti]).encode()).hexdigest() in everything
    for secret in (assertion, token, jti, assertion.split(".")[2], token.split(".")[2]):
        assert secret not in everything
