"""What an OpenID provider says, crookedly: each way is refused, and the honest one is not."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from hub.errors import Unauthorised, Unavailable
from hub.identity.oidc import Flow, Provider

ISSUER = "https://login.wexbourne.example"
NOW = 1_772_442_300
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
FLOW = Flow("the-state", "the-nonce", "the-verifier-that-is-long-enough-for-the-standard")


class Crooked:
    """A provider whose every answer can be bent."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys", "end_session_endpoint": f"{ISSUER}/end?x=1",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        }  # fmt: skip
        self.keys: Any = {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}
        self.token: Any = {"access_token": "x", "token_type": "Bearer"}
        self.status = 200
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        found = {
            "/.well-known/openid-configuration": self.metadata, "/keys": self.keys, "/token": self.token,
        }[request.url.path]  # fmt: skip
        if isinstance(found, bytes):
            return httpx.Response(self.status, content=found)
        return httpx.Response(self.status, json=found)

    def count(self, path: str) -> int:
        return sum(request.url.path == path for request in self.asked)


@pytest.fixture
def crooked() -> Crooked:
    return Crooked()


@pytest.fixture
def make(crooked: Crooked) -> Callable[..., Provider]:
    def provider(**more: Any) -> Provider:
        options: dict[str, Any] = {"transport": httpx.MockTransport(crooked), "clock": lambda: NOW, **more}
        return Provider(
            options.pop("issuer", ISSUER),
            "hub",
            options.pop("secret", "s p/c"),
            "https://hub.test/b",
            **options,
        )

    return provider


def claims(**changes: Any) -> dict[str, Any]:
    whole = {
        "iss": ISSUER, "sub": "ana", "aud": "hub", "exp": NOW + 60, "iat": NOW, "nonce": FLOW.nonce, "auth_time": NOW,
    }  # fmt: skip
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def token(header: dict[str, Any] | None = None, key: Any = RSA, **changes: Any) -> str:
    return jwt.encode(
        {"alg": "RS256", "kid": "rsa"} | (header or {}),
        claims(**changes),
        key,
        algorithms=["RS256", "ES256", "PS256"],
    )


def raw(header: dict[str, Any], body: dict[str, Any], sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, body)]
    text = b".".join(parts)
    return (text + b"." + base64.urlsafe_b64encode(sign(text)).rstrip(b"=")).decode()


def test_an_honest_token_says_who_it_is(make: Any) -> None:
    for honest in (token(), token({"alg": "ES256", "kid": "ec"}, EC), token(aud=["hub"])):
        assert make().check(honest, FLOW.nonce).subject == "ana"
    assert make().check(token(aud=["hub", "x"], azp="hub", acr="two"), FLOW.nonce).acr == "two"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.invalid"}, {"iss": ...}, {"iss": ISSUER + "/"}, {"aud": "another"}, {"aud": ...},
        {"aud": []}, {"aud": ["another"]}, {"aud": ["hub", "another"]}, {"aud": ["hub", "x"], "azp": "x"},
        {"aud": {"hub": 1}}, {"azp": "another"}, {"nonce": "another"}, {"nonce": ...}, {"nonce": ["the-nonce"]},
        {"nonce": ""}, {"exp": NOW - 61}, {"exp": ...}, {"exp": "soon"}, {"iat": NOW + 61}, {"iat": ...},
        {"nbf": NOW + 61}, {"sub": ...}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 256},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_for_another_or_of_another_time_is_refused(changes: dict[str, Any], make: Any) -> None:
    with pytest.raises(Unauthorised):
        make().check(token(**changes), FLOW.nonce)


@pytest.mark.parametrize(
    ("demand", "changes"),
    [
        ({"acr": ("two",)}, {}), ({"acr": ("two",)}, {"acr": "one"}), ({"acr": ("two",)}, {"acr": ["two"]}),
        ({"max_age": 60}, {"auth_time": ...}), ({"max_age": 60}, {"auth_time": NOW - 121}),
        ({"max_age": 60}, {"auth_time": NOW + 61}), ({"max_age": 60}, {"auth_time": "now"}),
        ({"max_age": 60}, {"auth_time": True}),
    ],
    ids=str,
)  # fmt: skip
def test_how_and_when_the_person_signed_in_there_can_be_demanded(
    demand: Any, changes: Any, make: Any
) -> None:
    with pytest.raises(Unauthorised):
        make(**demand).check(token(**changes), FLOW.nonce)
    fine = make(**demand).check(token(**changes | {"acr": "two", "auth_time": NOW - 119}), FLOW.nonce)
    assert fine.subject == "ana"


def public_pem() -> bytes:
    return bytes(RSA.as_pem(private=False))


@pytest.mark.parametrize(
    "forged",
    [
        lambda: raw({"alg": "none"}, claims()), lambda: raw({"alg": "None", "kid": "rsa"}, claims()),
        lambda: raw({"alg": "nOnE", "kid": "rsa"}, claims()), lambda: raw({"kid": "rsa"}, claims()),
        lambda: raw({"alg": ["RS256"], "kid": "rsa"}, claims()), lambda: raw({"alg": "RS256", "kid": "rsa"}, claims()),
        # The public key, which everybody has, as a shared secret.
        lambda: raw(
            {"alg": "HS256", "kid": "rsa"}, claims(), lambda text: hmac.digest(public_pem(), text, sha256)
        ),
        lambda: raw(
            {"alg": "HS256", "kid": "ec"}, claims(),
            lambda text: hmac.digest(json.dumps(EC.as_dict(private=False)).encode(), text, sha256),
        ),
        # Keys that the token brings along.
        lambda: token({"kid": "other", "jwk": OTHER_RSA.as_dict(private=False)}, OTHER_RSA),
        lambda: token({"jwk": OTHER_RSA.as_dict(private=False)}, OTHER_RSA), lambda: token({}, OTHER_RSA),
        lambda: raw({"alg": "RS256", "jku": "https://evil.invalid/keys"}, claims()),
        # Names of keys that are no names.
        lambda: token({"kid": "../../../../dev/null"}), lambda: token({"kid": "' OR 1=1 --"}),
        lambda: token({"kid": ""}), lambda: raw({"alg": "RS256", "kid": {"$ne": 1}}, claims()),
        lambda: token({"alg": "ES256", "kid": "rsa"}, EC), lambda: token({"alg": "PS256"}),
        lambda: token()[:-6] + "AAAAAA", lambda: "", lambda: "a.b.c", lambda: "é.é.é", lambda: token() + ".x",
        lambda: raw({"alg": "RS256", "kid": "rsa", "crit": ["x"], "x": 1}, claims()),
    ],
)  # fmt: skip
def test_a_token_that_the_provider_did_not_sign_is_refused(
    forged: Callable[[], str], make: Any, crooked: Crooked
) -> None:
    with pytest.raises(Unauthorised):
        make().check(forged(), FLOW.nonce)
    assert {request.url.host for request in crooked.asked} <= {"login.wexbourne.example"}


def test_a_secret_among_the_public_keys_is_no_key(make: Any, crooked: Crooked) -> None:
    shared = base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")
    crooked.keys = {
        "keys": [{"kty": "oct", "k": shared, "kid": "rsa"}, "junk", {"kty": "new", "kid": "x"}, {}]
    }
    forged = raw({"alg": "HS256", "kid": "rsa"}, claims(), lambda text: hmac.digest(b"x" * 32, text, sha256))
    for attempt in (forged, token()):
        with pytest.raises(Unauthorised):
            make().check(attempt, FLOW.nonce)


def test_a_key_for_encrypting_or_for_another_algorithm_signs_nothing(make: Any, crooked: Crooked) -> None:
    for more in ({"use": "enc"}, {"alg": "PS256"}):
        crooked.keys = {"keys": [RSA.as_dict(private=False) | more]}
        with pytest.raises(Unauthorised):
            make().check(token(), FLOW.nonce)


def test_without_a_name_there_must_be_one_key_that_fits(make: Any, crooked: Crooked) -> None:
    nameless = jwt.encode({"alg": "RS256"}, claims(), RSA)
    assert make().check(nameless, FLOW.nonce).subject == "ana"
    crooked.keys["keys"].append(OTHER_RSA.as_dict(private=False))
    with pytest.raises(Unauthorised):
        make().check(nameless, FLOW.nonce)


def test_keys_are_fetched_anew_for_an_unknown_name_but_not_for_every_made_up_one(
    make: Any, crooked: Crooked
) -> None:
    now = [float(NOW)]
    provider = make(clock=lambda: now[0])
    assert provider.check(token(), FLOW.nonce).subject == "ana"
    fresh = OKPKey.generate_key("Ed25519", {"kid": "fresh"})
    crooked.metadata["id_token_signing_alg_values_supported"] = ["EdDSA"]
    signed = jwt.encode({"alg": "RS256", "kid": "rsa-2"}, claims(), OTHER_RSA)
    for _ in range(20):
        with pytest.raises(Unauthorised):
            provider.check(signed, FLOW.nonce)
    assert crooked.count("/keys") == 1
    crooked.keys = {
        "keys": [OTHER_RSA.as_dict(private=False) | {"kid": "rsa-2"}, fresh.as_dict(private=False)]
    }
    now[0] += 31
    assert provider.check(signed, FLOW.nonce).subject == "ana"
    assert crooked.count("/keys") == 2
    with pytest.raises(Unauthorised):
        provider.check(token(), FLOW.nonce)  # a key that was taken back is not taken any more


@pytest.mark.parametrize(
    ("answer", "metadata"),
    [
        ({"state": "another"}, {}), ({"state": ""}, {}), ({"state": "é"}, {}), ({"code": ""}, {}),
        ({"error": "access_denied"}, {}), ({"iss": "https://evil.invalid"}, {}), ({"iss": ""}, {}),
        ({}, {"authorization_response_iss_parameter_supported": True}),
    ],
    ids=str,
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_refused_before_the_code_is_used(
    answer: dict[str, str], metadata: dict[str, Any], make: Any, crooked: Crooked
) -> None:
    crooked.metadata |= metadata
    with pytest.raises(Unauthorised):
        make().finish(FLOW, {"state": FLOW.state, "code": "c"} | answer)
    assert crooked.count("/token") == 0


def test_the_code_is_exchanged_with_the_verifier_by_a_client_that_proves_itself(
    make: Any, crooked: Crooked
) -> None:
    crooked.token["id_token"] = token()
    assert make().finish(FLOW, {"state": FLOW.state, "code": "c", "iss": ISSUER}).subject == "ana"
    asked = next(request for request in crooked.asked if request.url.path == "/token")
    assert {name: values[0] for name, values in parse_qs(asked.content.decode()).items()} == {
        "grant_type": "authorization_code", "code": "c", "code_verifier": FLOW.verifier,
        "redirect_uri": "https://hub.test/b",
    }  # fmt: skip
    assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"hub:s+p%2Fc").decode()
    make(secret="").finish(FLOW, {"state": FLOW.state, "code": "c"})
    assert b"client_id=hub" in crooked.asked[-2].content or b"client_id=hub" in crooked.asked[-1].content


@pytest.mark.parametrize(
    "said", [{}, {"id_token": 7}, {"error": "invalid_grant"}, [], b"<html>", b"", {"id_token": "x"}], ids=str
)
def test_a_token_endpoint_that_answers_nonsense_signs_nobody_in(
    said: Any, make: Any, crooked: Crooked
) -> None:
    crooked.token = said
    with pytest.raises(Unauthorised):
        make().finish(FLOW, {"state": FLOW.state, "code": "c"})


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.invalid"}, {"issuer": ISSUER + "/"}, {"authorization_endpoint": "http://plain.invalid/a"},
        {"authorization_endpoint": "javascript:alert(1)"}, {"authorization_endpoint": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_configuration_that_does_not_fit_is_not_followed(
    change: dict[str, Any], make: Any, crooked: Crooked
) -> None:
    crooked.metadata |= change
    with pytest.raises(Unavailable):
        make().begin()


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"[" * 100_000, b"{" + b" " * 600_000 + b"}"], ids=len)
def test_a_configuration_that_is_none_is_not_followed(body: bytes, make: Any, crooked: Crooked) -> None:
    crooked.metadata = body  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        make().begin()


@pytest.mark.parametrize("issuer", ["http://login.example", "ftp://x", "", "http://192.0.2.1:80", "https://"])
def test_an_issuer_is_reached_over_https(issuer: str, make: Any, crooked: Crooked) -> None:
    with pytest.raises(Unavailable):
        make(issuer=issuer).begin()
    assert crooked.asked == []


def test_signing_out_there_names_nobody(make: Any, crooked: Crooked) -> None:
    address = make().sign_out_address("https://hub.test/sign-in")
    assert (
        address == f"{ISSUER}/end?x=1&client_id=hub&post_logout_redirect_uri=https%3A%2F%2Fhub.test%2Fsign-in"
    )
    del crooked.metadata["end_session_endpoint"]
    assert make().sign_out_address("https://hub.test/") is None


def test_each_attempt_has_its_own_state_nonce_and_verifier(make: Any) -> None:
    provider = make()
    flows = [provider.begin()[1] for _ in range(20)]
    for part in ("state", "nonce", "verifier"):
        assert len({getattr(flow, part) for flow in flows}) == 20
    assert all(flow.verifier not in provider.begin()[0] for flow in flows)
