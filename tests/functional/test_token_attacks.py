"""Attacks on machines' tokens, each by name: none of them opens the door, and the honest one beside it does."""

import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from joserfc.jwk import ECKey, OKPKey, RSAKey
from werkzeug.test import TestResponse

from hub.app import create_app
from hub.errors import HubError
from hub.identity import store as identities
from hub.workflows import enrolling, machines, registering
from hub.workflows.hub import Hub
from support.callers import ASSERTION_TYPE, Client, b64, client_of, jws
from support.hubs import make_hub, migrate, principal_of

Ask = Callable[..., TestResponse]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for all attacks: none of them changes it."""
    folder = tmp_path_factory.mktemp("attacked")
    migrate(f"sqlite:///{folder / 'only.db'}")
    made = make_hub(folder / "hub", f"sqlite:///{folder / 'only.db'}")
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def door(one: Hub) -> FlaskClient:
    """The application."""
    found: FlaskClient = create_app(one.settings, one).test_client()
    return found


@pytest.fixture
def client(one: Hub) -> Client:
    """An auditor's tool of the police."""
    return client_of(one, "police", "auditor")


@pytest.fixture
def ask(door: FlaskClient) -> Ask:
    """Ask for a token with an assertion."""

    def send(assertion: str, **more: str) -> TestResponse:
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        return door.post("/oauth/token", data=form | {"client_assertion": assertion} | more)

    return send


def _shut(answer: TestResponse, error: str = "invalid_client", status: int = 401) -> None:
    said = answer.get_json()
    assert (answer.status_code, said["error"]) == (status, error), said
    assert "access_token" not in said


class KeyOf:
    """A client whose key is of another kind than Ed25519."""

    def __init__(self, hub: Hub, kind: str) -> None:
        self.kind, self.hub = kind, hub
        self.private: Any = ec.generate_private_key(ec.SECP256R1())
        if kind != "ES256":
            self.private = rsa.generate_private_key(65537, 2048)
        pem = self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.public_pem = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        jwk = (ECKey if kind == "ES256" else RSAKey).import_key(pem).as_dict(private=False)
        self.jwk = jwk | {"kid": "one", "alg": kind}
        home = principal_of(hub, "nhs").organisation_id
        with hub.database.write() as session:
            self.id = identities.add_client(session, home, "api", ["auditor"], jwks={"keys": [self.jwk]})

    def sign(self, data: bytes, alg: str | None = None) -> bytes:
        alg = alg or self.kind
        if alg == "ES256":
            r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if alg.startswith("RS"):
            kind = {"RS256": hashes.SHA256(), "RS512": hashes.SHA512()}[alg]
            return bytes(self.private.sign(data, padding.PKCS1v15(), kind))
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return bytes(self.private.sign(data, pss, hashes.SHA256()))

    def assertion(self, alg: str | None = None, sign: Any = None, **header: Any) -> str:
        claims = Client(self.hub, self.id, Ed25519PrivateKey.generate()).claims()
        return jws({"alg": alg or self.kind, "kid": "one"} | header, claims, sign or self.sign)


def test_alg_none_in_every_spelling(ask: Ask, client: Client) -> None:
    for name in ("none", "None", "NONE", "nOnE", " none", ""):
        for sign in (lambda _: b"", client.key.sign):
            _shut(ask(jws({"alg": name, "typ": "JWT"}, client.claims(), sign)))
    _shut(ask(jws({"typ": "JWT"}, client.claims(), client.key.sign)))
    assert ask(client.assertion()).status_code == 200


@pytest.mark.parametrize("kind", ["RS512", "PS256", "ES256"])
def test_key_confusion_every_key_signs_with_its_own_algorithm_only(ask: Ask, one: Hub, kind: str) -> None:
    """HS256 with the public key as the secret is the classic; RS256 for PS256 and the like are its cousins."""
    of = KeyOf(one, kind)
    assert ask(of.assertion()).status_code == 200
    der = of.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for secret in (of.public_pem, of.public_pem.strip(), der, json.dumps(of.jwk).encode(), b""):
        for name in ("HS256", "HS512"):
            _shut(ask(of.assertion(name, lambda data, s=secret: hmac.digest(s, data, "sha256"))))
    if kind != "ES256":
        for other in {"RS256", "RS512", "PS256"} - {kind}:
            _shut(ask(of.assertion(other, lambda data, o=other: of.sign(data, o))))
    for other in {"RS512", "PS256", "ES256", "Ed25519", "EdDSA", "ES256K"} - {kind}:
        _shut(ask(of.assertion(other)))


def test_a_key_of_one_client_in_a_set_opens_nothing_for_another(ask: Ask, one: Hub, client: Client) -> None:
    of = KeyOf(one, "ES256")
    claims = client.claims()
    _shut(ask(jws({"alg": "ES256", "kid": "one"}, claims, of.sign)))
    _shut(ask(jws({"alg": "Ed25519", "kid": "one"}, client.claims(iss=of.id, sub=of.id), client.key.sign)))


@pytest.mark.parametrize(
    "kid",
    [
        "../../../keys/keyring.key", "/dev/null", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data",
        "x' OR '1'='1", "x'; DROP TABLE clients; --", "\0", "${jndi:ldap://x}", "%00", "a" * 1500, "", None, 7, ["a"],
        {"kid": "a"}, True, "\u202eone",
    ],
    ids=lambda kid: repr(kid)[:24],
)  # fmt: skip
def test_kid_injection_leads_nowhere(ask: Ask, one: Hub, client: Client, kid: Any) -> None:
    thief = Ed25519PrivateKey.generate()
    _shut(ask(jws({"alg": "Ed25519", "kid": kid}, client.claims(), thief.sign)))
    of = KeyOf(one, "ES256")
    _shut(ask(jws({"alg": "ES256", "kid": kid}, client.claims(sub=of.id, iss=of.id), lambda _: b"\0" * 64)))
    assert ask(client.assertion()).status_code == 200, "and the tables are still there"


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "x5c", "x5t", "x5t#S256"])
def test_a_key_that_the_token_brings_along_is_not_looked_at(
    ask: Ask, client: Client, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("nothing may be looked up"))
    thief = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(thief.public_key().public_bytes_raw())}
    value = {"jwk": jwk, "x5c": ["MIIB"]}.get(header, "https://thief.example/keys.json")
    _shut(ask(jws({"alg": "Ed25519", header: value}, client.claims(), thief.sign)))
    assert ask(client.assertion({header: value})).status_code == 200, "ignored, not believed"


def test_expired_tokens(ask: Ask, client: Client) -> None:
    now = int(time.time())
    for exp in (now - 31, now - 3600, 0, -1, 1):
        _shut(ask(client.assertion(exp=exp, iat=exp - 60)))
    assert ask(client.assertion(exp=now - 20, iat=now - 80)).status_code == 200, "clocks differ a little"


def test_tokens_from_the_future(ask: Ask, client: Client) -> None:
    now = int(time.time())
    for changes in (
        {"nbf": now + 90},
        {"iat": now + 90, "exp": now + 120},
        {"nbf": now + 10**9},
        {"exp": now + 600},
    ):
        _shut(ask(client.assertion(**changes)))


def test_wrong_audience_issuer_and_kind(ask: Ask, client: Client) -> None:
    url = client.hub.tokens.url
    for aud in (f"{url}/api", url, f"{url}/oauth/token?x", f"{url}/oauth/token/..", "http://hub.test.evil/oauth/token",
                "HTTP://HUB.TEST/oauth/token", [], ["x"], {"a": 1}, 7):  # fmt: skip
        _shut(ask(client.assertion(aud=aud)))
    for iss in ("", url, "cli_other", [client.id], client.id + " ", client.id.upper()):
        _shut(ask(client.assertion(iss=iss)))
    for typ in ("at+jwt", "key-change+jwt", "logout+jwt", "JWE", "application/at+jwt", 7, ["JWT"]):
        _shut(ask(client.assertion({"typ": typ})))
    for typ in ("jwt", "application/jwt", "client-authentication+jwt"):
        assert ask(client.assertion({"typ": typ})).status_code == 200


def test_a_replayed_jti_opens_once_however_many_try_at_once(hub: Hub) -> None:
    """On both databases; PostgreSQL does not take turns by itself."""
    client = client_of(hub, "police", "connector")
    one = client.assertion(jti="the same")
    two = client.assertion(jti="the same", exp=int(time.time()) + 100)

    def once(assertion: str) -> bool:
        try:
            return bool(enrolling.token_for(hub, assertion)[0])
        except HubError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(once, [one, two] * 5)) == 1


def test_the_token_of_a_revoked_client_ends_at_once(ask: Ask, door: FlaskClient, client: Client) -> None:
    headers = client.headers()
    assert door.get("/api/v1/agreements", headers=headers).status_code == 200
    enrolling.revoke_client(client.hub, principal_of(client.hub, "hub", "operator"), client.id)
    assert door.get("/api/v1/agreements", headers=headers).status_code == 401
    _shut(ask(client.assertion()))


def test_the_token_of_a_client_of_a_revoked_organisation_ends_at_once(
    ask: Ask, door: FlaskClient, one: Hub
) -> None:
    client = client_of(one, "library", "auditor")
    headers = client.headers()
    registering.revoke_organisation(one, principal_of(one, "hub", "operator"), "library")
    assert door.get("/api/v1/agreements", headers=headers).status_code == 401
    _shut(ask(client.assertion()), "unauthorized_client", 400)
    with client.hub.database.read() as session:
        assert identities.signing_keys(session, client.id) == [], "nor does it sign deliveries"


def test_huge_and_nested_tokens(ask: Ask, door: FlaskClient, client: Client) -> None:
    sign = client.key.sign
    inner = client.assertion()
    for header, body in (
        ({"alg": "Ed25519", "cty": "JWT"}, client.claims()),
        ({"alg": "Ed25519", "typ": "JWT", "cty": "JWT"}, inner.encode()),
        ({"alg": "Ed25519"}, b"[" * 1000 + b"]" * 1000),
        ({"alg": "Ed25519"}, b'{"a":' * 400 + b"1" + b"}" * 400),
        ({"alg": "Ed25519", "zip": "DEF"}, client.claims()),
        ({"alg": "dir", "enc": "A256GCM"}, client.claims()),
    ):
        _shut(ask(jws(header, body, sign)))
    _shut(ask(f"{inner}.AAAA.AAAA"))
    _shut(ask("A" * 4000))
    _shut(ask(client.assertion(pad="x" * 3500)), "invalid_request", 400)
    for token in ("A" * 8000, f"{inner}{'A' * 5000}", ".".join("A" * 2000)):
        assert door.get("/api/v1/agreements", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_critical_headers_that_nobody_here_understands(ask: Ask, client: Client) -> None:
    for header in (
        {"crit": ["b64"], "b64": False},
        {"crit": ["x"], "x": 1},
        {"crit": []},
        {"crit": "alg"},
        {"b64": False},
    ):
        _shut(ask(client.assertion(header)))


def test_a_claim_that_is_named_twice_has_no_meaning(ask: Ask, client: Client) -> None:
    sign, thief = client.key.sign, client_of(client.hub, "housing", "operator")
    twice = json.dumps(client.claims())[:-1] + f', "sub": "{thief.id}"}}'
    _shut(ask(jws({"alg": "Ed25519"}, twice.encode(), sign)))
    same = json.dumps(client.claims())[:-1] + f', "iss": "{client.id}"}}'
    _shut(ask(jws({"alg": "Ed25519"}, same.encode(), sign)))
    _shut(ask(jws(b'{"alg": "none", "alg": "Ed25519"}', client.claims(), sign)))
    inside = json.dumps(client.claims())[:-1] + ', "x": {"a": 1, "a": 2}}'
    _shut(ask(jws({"alg": "Ed25519"}, inside.encode(), sign)))


def test_the_token_of_another_hub(door: FlaskClient, client: Client, tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    migrate(url)
    other = make_hub(tmp_path / "other", url)
    try:
        stranger = client_of(other, "police", "auditor")
        assert other.tokens.url == client.hub.tokens.url, "even one that calls itself the same"
        assert door.get("/api/v1/agreements", headers=stranger.headers()).status_code == 401
    finally:
        other.database.close()


def test_scope_widening(ask: Ask, door: FlaskClient, client: Client) -> None:
    hub = client.hub
    for scope in ("agreements:manage", "audit:read people:search", "audit:read keys:manage", "operator", "*",
                  "audit:read,keys:manage", "AUDIT:READ", "", " ", "audit:read\tkeys:manage", "audit"):  # fmt: skip
        _shut(ask(client.assertion(), scope=scope), "invalid_scope", 400)
    _shut(ask(client.assertion(), scope="audit:read " * 100 + "x"), "invalid_request", 400)
    narrow = ask(client.assertion(), scope="agreements:read").get_json()
    assert narrow["scope"] == "agreements:read"
    headers = {"Authorization": f"Bearer {narrow['access_token']}"}
    assert door.get("/api/v1/agreements", headers=headers).status_code == 200
    refused = door.get("/api/v1/audit/entries", headers=headers)
    assert (refused.status_code, "audit:read" in refused.get_json()["detail"]) == (403, True)
    own = Ed25519PrivateKey.from_private_bytes(hub.keyring.token_key)
    now = int(time.time())
    claims = {
        "iss": hub.tokens.url,
        "aud": f"{hub.tokens.url}/api",
        "sub": client.id,
        "iat": now,
        "exp": now + 60,
        "jti": "x",
    }

    def status(**more: Any) -> int:
        token = jws({"alg": "Ed25519", "typ": "at+jwt"}, claims | more, own.sign)
        return door.get("/api/v1/users", headers={"Authorization": f"Bearer {token}"}).status_code

    assert status(scope="accounts:manage") == 403, "a scope gives nothing that the role does not"
    assert status(scope="agreements:read") == 403
    assert status() == status(scope=["accounts:manage"]) == status(scope=None) == 401


def test_refusals_are_in_the_audit_log_and_a_flood_of_them_is_a_few_entries(ask: Ask, client: Client) -> None:
    from hub.audit import log as audit

    hub, now = client.hub, [time.monotonic() + 10_000]
    hub.refusals.clock = lambda: now[0]
    machines.settle_refusals(hub)
    with hub.database.read() as session:
        before = {entry.id for entry in audit.recent(session, action="client.token-refused", limit=500)}
    thief = Ed25519PrivateKey.generate()
    for _ in range(40):
        _shut(ask(jws({"alg": "Ed25519"}, client.claims(), thief.sign)))
    _shut(ask("typed by somebody"))
    _shut(ask(jws({"alg": "Ed25519"}, client.claims(sub="cli_none", iss="cli_none"), thief.sign)))
    now[0] += 700
    machines.settle_refusals(hub)
    machines.settle_refusals(hub)
    with hub.database.read() as session:
        found = [e for e in audit.recent(session, action="client.token-refused") if e.id not in before]
    told = [(e.content["target"], e.content["detail"]["cause"], e.content["detail"]["times"]) for e in found]
    assert sorted(told) == sorted(
        [(client.id, "signature", 1), (client.id, "signature", 39), ("", "form", 1), ("", "unknown", 1)]
    )
    assert "typed by somebody" not in str(found) and "cli_none" not in str(found)
    assert {entry.actor for entry in found} == {"system:doorstep"}


def test_refused_enrolments_are_in_the_audit_log_without_the_code(one: Hub, door: FlaskClient) -> None:
    from hub.audit import log as audit

    key = OKPKey.generate_key("Ed25519").as_dict(private=False)
    jwk = {name: key[name] for name in ("kty", "crv", "x")}
    for number in range(5):
        body = {"code": f"aaaa-bbbb-{number}", "name": "x", "signing_key": jwk}
        assert door.post("/api/v1/enrolments", json=body).status_code == 401
    with one.database.read() as session:
        (entry,) = audit.recent(session, action="connector.enrolment-refused")
    assert "aaaa" not in str(entry)
