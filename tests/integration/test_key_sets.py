"""Clients with sets of keys: given, or published at an address that is fetched without becoming anybody's tool."""

from __future__ import annotations

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy import text

from hub.errors import Conflict, Invalid, Unauthorised
from hub.identity import clients, fetching
from hub.identity import store as identities
from hub.identity.jwks import key_set, thumbprint
from hub.storage.database import utc_now
from hub.workflows import enrolling, machines, publish
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from support.hubs import make_hub, migrate, principal_of
from support.sealing import Sender
from support.staged import CONTRACT, ROWS


def _key(kid: str, kind: str = "Ed25519") -> Any:
    if kind == "Ed25519":
        return OKPKey.generate_key("Ed25519", {"kid": kid})
    if kind == "ES256":
        return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256"})
    return RSAKey.generate_key(2048, {"kid": kid, "alg": kind})


def _public(*keys: Any) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def _assertion(hub: Hub, client: str, key: Any, kid: str | None = None) -> str:
    now = int(time.time())
    claims = {
        "iss": client,
        "sub": client,
        "aud": hub.tokens.token_url,
        "iat": now,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
    }
    alg = key.as_dict().get("alg", "Ed25519")
    return str(jwt.encode({"alg": alg, "kid": kid or key.kid}, claims, key, algorithms=[alg]))


class Site:
    """A web site with a set of keys, which can be made to misbehave."""

    def __init__(self) -> None:
        self.body: bytes = b""
        self.asked: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = self._usual
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.headers.get("Host", ""))
                site.answer(self)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys.json"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def publish(self, *keys: Any) -> None:
        self.body = json.dumps(_public(*keys)).encode()

    def _usual(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(self.body)


@pytest.fixture
def site() -> Iterator[Site]:
    """A site on this machine."""
    made = Site()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Hub]:
    """A hub whose operator lets keys lie on this machine."""
    url = f"sqlite:///{tmp_path / 'only.db'}"
    migrate(url)
    made = make_hub(tmp_path / "hub", url, jwks_networks="127.0.0.0/8")
    yield made
    made.database.close()


def _registered(hub: Hub, **keys: Any) -> str:
    principal_of(hub, "nhs")
    return enrolling.add_client(
        hub, principal_of(hub, "hub", "operator"), "nhs", "api", ["connector"], **keys
    )


def test_each_key_of_a_set_opens_and_no_other(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    keys = [_key("a"), _key("b", "ES256"), _key("c", "PS256")]
    client = _registered(hub, jwks=_public(*keys))
    for key in keys:
        assert enrolling.token_for(hub, _assertion(hub, client, key))
    assert enrolling.token_for(hub, _assertion(hub, client, keys[0], "not a kid of it")), (
        "the signature decides"
    )
    with pytest.raises(Unauthorised):
        enrolling.token_for(hub, _assertion(hub, client, _key("a"), "a"))
    with pytest.raises(Unauthorised):
        enrolling.token_for(hub, _assertion(hub, client, keys[0], "b")), "b is of another kind"
    with hub.database.read() as session:
        (record,) = [item for item in clients.client_records(session) if item.id == client]
        assert set(record.thumbprints) == {thumbprint(key.as_dict(private=False)) for key in keys}
        assert clients.client_principal(session, client)[1] == {}  # type: ignore[index]
    with pytest.raises(Conflict, match="are a set"), hub.database.write() as session:
        identities.replace_client_key(session, client, keys[0].as_dict(private=False), utc_now())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda keys: {}, "looks like"),
        (lambda keys: {"keys": []}, "looks like"),
        (lambda keys: {"keys": keys * 6}, "1 to 10"),
        (lambda keys: {"keys": [keys[0], keys[0]]}, "one kid"),
        (lambda keys: {"keys": [keys[0], keys[1] | {"kid": "a"}]}, "one kid"),
        (lambda keys: {"keys": [keys[0], keys[0] | {"kid": "z"}]}, "one key twice"),
        (lambda keys: {"keys": [{k: v for k, v in keys[0].items() if k != "kid"}]}, "needs a kid"),
        (lambda keys: {"keys": [keys[0] | {"d": "AAAA"}]}, "private part"),
        (lambda keys: {"keys": [keys[0] | {"use": "enc"}]}, "not there for signatures"),
        (lambda keys: {"keys": [keys[0] | {"key_ops": 7}]}, "not there for signatures"),
        (lambda keys: {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}, "private part"),
        (lambda keys: {"keys": [{"kty": "oct", "kid": "a", "alg": "HS256"}]}, "not a public"),
        (lambda keys: {"keys": [_public(RSAKey.generate_key(1024, {"kid": "a", "alg": "PS256"}))["keys"][0]]}, "2048"),
        (lambda keys: {"keys": [RSAKey.generate_key(2048, {"kid": "a"}).as_dict(private=False)]}, "must say its alg"),
        (lambda keys: {"keys": [keys[1] | {"alg": "HS256"}]}, "does not fit"),
        (lambda keys: {"keys": [ECKey.generate_key("P-521", {"kid": "a"}).as_dict(private=False)]}, "kty and crv"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*key size")
def test_a_set_that_cannot_be_trusted_is_refused(change: Callable[[Any], Any], why: str) -> None:
    keys = [_key("a").as_dict(private=False), _key("b", "ES256").as_dict(private=False)]
    with pytest.raises(Invalid, match=why) as refused:
        key_set(change(keys), strict=True)
    assert "c2VjcmV0" not in refused.value.detail


def test_a_published_set_may_hold_what_is_for_others() -> None:
    document = _public(_key("a"), _key("b", "ES256"))
    document["keys"] += [
        {"kty": "oct"},
        {"kty": "RSA", "kid": "old"},
        document["keys"][0] | {"use": "enc", "kid": "e"},
    ]
    assert [key["kid"] for key in key_set(document, strict=False)] == ["a", "b"]


def test_keys_change_where_they_are_published(near: Hub, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _key("1"), _key("2")
    site.publish(first)
    client = _registered(near, jwks_url=site.url)
    assert enrolling.token_for(near, _assertion(near, client, first))
    assert len(site.asked) == 1, "when it was registered"
    site.publish(first, second)
    assert enrolling.token_for(near, _assertion(near, client, second)), "an unknown kid has it fetched again"
    site.publish(second)
    with near.database.write() as session:
        session.execute(
            text("UPDATE clients SET jwks_read_at = :then, jwks_tried_at = :then"),
            {"then": utc_now() - timedelta(hours=1)},
        )
    with pytest.raises(Unauthorised):
        enrolling.token_for(near, _assertion(near, client, first))
    assert enrolling.token_for(near, _assertion(near, client, second))
    with near.database.read() as session:
        now = {key["kid"] for key in identities.signing_keys(session, client)}
        before = {
            key["kid"]
            for key in identities.signing_keys(session, client, at=utc_now() - timedelta(seconds=0.05))
        }
    assert now == {"2"}
    assert before >= {"2"}


def test_an_unknown_kid_cannot_cause_a_storm(near: Hub, site: Site) -> None:
    known = _key("1")
    site.publish(known)
    client = _registered(near, jwks_url=site.url)
    for number in range(20):
        with pytest.raises(Unauthorised):
            enrolling.token_for(near, _assertion(near, client, _key(f"x{number}")))
    assert len(site.asked) == 2, "when it was registered, and once within a minute"
    assert enrolling.token_for(near, _assertion(near, client, known)), "and the honest one is not shut out"


def test_a_site_that_is_away_shuts_nobody_out_for_a_day(near: Hub, site: Site) -> None:
    known = _key("1")
    site.publish(known)
    client = _registered(near, jwks_url=site.url)
    site.answer = lambda handler: handler.send_error(500)

    def age(hours: float) -> None:
        with near.database.write() as session:
            then = utc_now() - timedelta(hours=hours)
            session.execute(
                text("UPDATE clients SET jwks_read_at = :then, jwks_tried_at = NULL"), {"then": then}
            )

    age(23)
    assert enrolling.token_for(near, _assertion(near, client, known))
    age(25)
    with pytest.raises(Unauthorised, match="could not be read for a day"):
        enrolling.token_for(near, _assertion(near, client, known))
    site.answer = site._usual
    age(25)
    assert enrolling.token_for(near, _assertion(near, client, known))


def _redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:1/elsewhere")
    handler.end_headers()


def _huge(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with_room = b"[" + b" " * 70_000
    handler.wfile.write(with_room)


def _slow(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.02)


def _packed(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    handler.wfile.write(b"\x1f\x8b")


def _no_json(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"root:x:0:0 a secret of the site")


@pytest.mark.parametrize(
    ("answer", "why"),
    [(_redirect, "redirects are not followed"), (_huge, "more than 64 KiB"), (_slow, "longer than"),
     (_packed, "compressed"), (_no_json, "not JSON")],
    ids=["redirect", "huge", "slow", "packed", "no JSON"],
)  # fmt: skip
def test_a_site_that_misbehaves_gets_nowhere(
    site: Site, monkeypatch: pytest.MonkeyPatch, answer: Any, why: str
) -> None:
    monkeypatch.setattr(fetching, "_SECONDS", 0.3)
    site.answer = answer
    with pytest.raises(Invalid, match=why) as refused:
        fetching.fetch_json(site.url, fetching.read_networks("127.0.0.0/8"))
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "http://keys.example/jwks.json", "ftp://keys.example/x", "file:///etc/passwd", "https://", "https:///x", "//x",
        "https://user:word@keys.example/", "https://keys.example/#a", "https://keys.example/\n", "https://kéys.example/",
        "https://[::1", "https://keys.example:99999/", "javascript:1", "", "https://keys.example/" + "x" * 500,
        "http://127.0.0.1/x", "http://localhost/x",
    ],
)  # fmt: skip
def test_an_address_that_is_not_to_be_fetched_is_refused_unseen(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("nothing may be looked up"))
    with pytest.raises(Invalid):
        fetching.fetch_json(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:0:0:0:0:0:1", "ff02::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_names_that_lead_inside_are_not_followed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when only one of a name's addresses does; and nothing is connected to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(socket.AF_INET, 1, 6, "", ("93.184.216.34", 443)), (family, 1, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("nothing may be connected to"))
    with pytest.raises(Invalid, match="not on the public network"):
        fetching.fetch_json("https://keys.example/jwks.json")


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers differently the second time (DNS rebinding) changes nothing: there is no second time."""
    import httpx

    answers = [[(socket.AF_INET, 1, 6, "", ("93.184.216.34", 443))]]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.pop(0))
    seen: list[httpx.Request] = []

    def handle(self: Any, request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    assert fetching.fetch_json("https://keys.example/jwks.json") == {}
    (request,) = seen
    assert request.url.host == "93.184.216.34"
    assert request.headers["Host"] == "keys.example"
    assert request.extensions["sni_hostname"] == "keys.example", "and the certificate is the name's"


def test_a_client_with_keys_elsewhere_is_not_registered_when_they_cannot_be_had(
    sqlite_hub: Hub, site: Site
) -> None:
    site.publish(_key("1"))
    with pytest.raises(Invalid, match="https://"):
        _registered(sqlite_hub, jwks_url=site.url)
    assert site.asked == []
    for more in ({}, {"jwks_url": "https://a.example/", "jwks": {}}):
        with pytest.raises(Invalid), sqlite_hub.database.write() as session:
            identities.add_client(session, "org", "x", ["connector"], **more)
    with sqlite_hub.database.read() as session:
        assert clients.client_records(session) == []


# --- deliveries and the keys that signed them


def _rotated(hub: Hub, sender: Sender, *, keep_old: bool = True) -> None:
    """The connector changes its key: as the workflow does it, without the statements."""
    new = OKPKey.generate_key("Ed25519").as_dict(private=False)
    until = utc_now() + timedelta(days=30 if keep_old else 0)
    with hub.database.write() as session:
        identities.replace_client_key(session, sender.client_id, new, until)


@pytest.mark.parametrize("keep_old", [True, False], ids=["in use", "lost"])
def test_a_delivery_that_waits_is_decided_with_the_key_that_held_when_it_was_offered(
    sqlite_hub: Hub, keep_old: bool
) -> None:
    hub = sqlite_hub
    sender = Sender(hub, "schools", principal_of(hub, "hub", "operator"))
    sender.publish(CONTRACT)
    sent = sender.send(sender.pack(CONTRACT, ROWS))
    _rotated(hub, sender, keep_old=keep_old)
    drain(hub)
    with hub.database.read() as session:
        from hub.intake import store as intake

        decided = intake.get(session, sent.id)
    assert (decided.state.value, decided.problem) == ("accepted", None)


def test_a_delivery_sealed_before_the_change_is_taken_while_the_old_key_is_and_not_after(
    sqlite_hub: Hub,
) -> None:
    hub = sqlite_hub
    sender = Sender(hub, "schools", principal_of(hub, "hub", "operator"))
    sender.publish(CONTRACT)
    first, second = sender.pack(CONTRACT, ROWS), sender.pack(CONTRACT, ROWS)
    _rotated(hub, sender)
    assert publish.offer(hub, sender.principal, first.manifest, first.signature)[0].state.value == "uploading"
    with hub.database.write() as session:
        session.execute(text("UPDATE client_keys SET until = :now"), {"now": utc_now()})
    with pytest.raises(Invalid, match="signature"):
        publish.offer(hub, sender.principal, second.manifest, second.signature)


def test_a_client_without_an_ed25519_key_sends_no_deliveries(sqlite_hub: Hub) -> None:
    hub = sqlite_hub
    sender = Sender(hub, "schools", principal_of(hub, "hub", "operator"))
    sender.publish(CONTRACT)
    client = enrolling.add_client(
        hub,
        principal_of(hub, "hub", "operator"),
        "schools",
        "x",
        ["connector"],
        jwks=_public(_key("a", "ES256")),
    )
    parcel = sender.pack(CONTRACT, ROWS, bend=lambda manifest: manifest.update(client_id=client))
    with pytest.raises(Invalid, match="signed with Ed25519"):
        publish.offer(hub, replace(sender.principal, id=client), parcel.manifest, parcel.signature)


def test_the_turn_to_fetch_is_taken_once(hub: Hub) -> None:
    principal_of(hub, "nhs")
    with hub.database.write() as session:
        home = identities.find_organisation(session, "nhs").id
        client = identities.add_client(session, home, "x", ["connector"], jwks_url="https://keys.example/")
    assert [machines._take_turn(hub, client) for _ in range(3)] == [True, False, False]
