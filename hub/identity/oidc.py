"""Signing in through an OpenID provider: authorisation code with PKCE, state and nonce (OpenID Connect Core 1.0).

Authlib makes the requests, joserfc checks signatures. What the provider says is believed only when it came from the
provider that the settings name, for this hub, for the browser that began, a moment ago. Whatever does not fit is
refused in one sentence; the log names the check that failed and no value.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

import structlog

from hub.errors import Unauthorised, Unavailable

if TYPE_CHECKING:
    import httpx
    from joserfc.jwk import Key

__all__ = ["Flow", "Person", "Provider"]

#: Never "none", and nothing symmetric: a public key must not become a shared secret (RFC 8725, 3.1 and 3.2).
_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA")
_LEEWAY = 60
_KEEP_SECONDS = 3600.0
_ASK_AGAIN_SECONDS = 30.0
_TIMEOUT = 10.0
_LARGEST = 512 * 1024


@dataclass(frozen=True)
class Flow:
    """What the browser that begins must bring back: kept in it, sealed, while the person is at the provider."""

    state: str
    nonce: str
    verifier: str

    def to_json(self) -> dict[str, str]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Person:
    """Whom the provider vouches for: its name for them, the class of authentication, and all claims."""

    subject: str
    acr: str
    claims: Mapping[str, Any]


class Provider:
    """One OpenID provider, found by its issuer. `transport` puts another network below it, for tests."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        *,
        scopes: str = "openid",
        acr: tuple[str, ...] = (),
        max_age: int = 0,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self._client_id, self._client_secret = client_id, client_secret
        self._redirect_uri, self._scopes, self._acr, self._max_age = redirect_uri, scopes, acr, max_age
        self._transport, self._clock = transport, clock
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        self._known_at = float("-inf")
        self._keys: list[tuple[dict[str, Any], Key]] = []
        self._keys_at = float("-inf")

    # --- there

    def begin(self) -> tuple[str, Flow]:
        """The address at the provider that the browser goes to, and what it must bring back.

        Raises:
            Unavailable: when the provider cannot be asked, or is not who it should be.
        """
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        flow = Flow(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        query = {
            "response_type": "code", "client_id": self._client_id, "redirect_uri": self._redirect_uri,
            "scope": self._scopes, "state": flow.state, "nonce": flow.nonce,
            "code_challenge": create_s256_code_challenge(flow.verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        if self._acr:
            query["acr_values"] = " ".join(self._acr)
        if self._max_age:
            query["max_age"] = str(self._max_age)
        return _with_query(self._endpoint("authorization_endpoint"), query), flow

    def sign_out_address(self, back: str) -> str | None:
        """Where a person ends their session at the provider, too (RP-Initiated Logout 1.0); None where it offers none.

        Without an id_token_hint: that would be a document about the person in an address. The provider asks them.
        """
        if "end_session_endpoint" not in self._metadata():
            return None
        query = {"client_id": self._client_id, "post_logout_redirect_uri": back}
        return _with_query(self._endpoint("end_session_endpoint"), query)

    # --- and back

    def finish(self, flow: Flow, answer: Mapping[str, str]) -> Person:
        """Who the person is, from the query with which the browser came back.

        Raises:
            Unauthorised: when anything does not fit.
            Unavailable: when the provider cannot be asked.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), flow.state.encode()):
            raise self._refused("state")
        said = answer.get("iss")
        if said is None and self._metadata().get("authorization_response_iss_parameter_supported") is True:
            raise self._refused("no issuer in the answer")
        if said is not None and said != self.issuer:
            raise self._refused("issuer of the answer")  # another provider's answer (RFC 9207: mix-up)
        if "error" in answer or not answer.get("code"):
            raise self._refused("no code")
        return self.check(self._exchange(answer["code"], flow.verifier), flow.nonce)

    def _exchange(self, code: str, verifier: str) -> str:
        """The ID token for a code."""
        from authlib.oauth2.base import OAuth2Error
        from authlib.oauth2.client import OAuth2Client
        from httpx import BasicAuth, HTTPError

        auth: Any = lambda request: request  # noqa: E731 - a public client only names itself
        more = {"client_id": self._client_id}
        if self._client_secret:  # RFC 6749 section 2.3.1: both are form-encoded first
            auth, more = BasicAuth(quote_plus(self._client_id), quote_plus(self._client_secret)), {}
        with self._http() as http:
            client = OAuth2Client(http, self._client_id, redirect_uri=self._redirect_uri)
            try:
                tokens = client.fetch_token(
                    self._endpoint("token_endpoint"), grant_type="authorization_code", code=code,
                    code_verifier=verifier, redirect_uri=self._redirect_uri, auth=auth, **more,
                )  # fmt: skip
            except HTTPError as error:
                raise _unavailable(type(error).__name__) from None
            except (OAuth2Error, ValueError, KeyError, TypeError):
                raise self._refused("code") from None
        found = tokens.get("id_token") if isinstance(tokens, Mapping) else None
        if not isinstance(found, str):
            raise self._refused("no ID token")
        return found

    def check(self, id_token: str, nonce: str) -> Person:
        """Whom an ID token is about (OpenID Connect Core 1.0 section 3.1.3.7).

        Raises:
            Unauthorised: when anything in it does not fit.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jws import extract_compact

        try:
            header = extract_compact(id_token.encode()).headers()
            allowed = self._algorithms()
            if header.get("alg") not in allowed:
                raise self._refused("algorithm")
            token = jwt.decode(id_token, self._key(header), algorithms=allowed)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise self._refused("signature") from None
        self._check_claims(token.claims, nonce)
        claims = token.claims
        return Person(claims["sub"], str(claims.get("acr", "")), claims)

    def _check_claims(self, claims: dict[str, Any], nonce: str) -> None:
        from joserfc.errors import JoseError
        from joserfc.jwt import JWTClaimsRegistry

        now = int(self._clock())
        registry = JWTClaimsRegistry(
            now=now, leeway=_LEEWAY, iss={"essential": True, "value": self.issuer}, exp={"essential": True},
            iat={"essential": True}, sub={"essential": True}, nonce={"essential": True},
        )  # fmt: skip
        try:
            registry.validate(claims)
        except (JoseError, TypeError, ValueError) as error:
            raise self._refused(f"claims ({type(error).__name__})") from None
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        subject, said = claims["sub"], claims["nonce"]
        since = claims.get("auth_time")
        holds = {
            "audience": isinstance(audiences, list) and self._client_id in audiences,
            "authorised party": claims.get("azp", self._client_id) == self._client_id
            and (not isinstance(audiences, list) or len(audiences) == 1 or "azp" in claims),
            "nonce": isinstance(said, str) and hmac.compare_digest(said.encode(), nonce.encode()),
            "subject": isinstance(subject, str) and 0 < len(subject) <= 255,
            "class of authentication": not self._acr or claims.get("acr") in self._acr,
            "moment of authentication": not self._max_age
            or (_is_number(since) and now - since <= self._max_age + _LEEWAY and since <= now + _LEEWAY),
        }
        for what, fits in holds.items():
            if not fits:
                raise self._refused(what)

    # --- what is known of the provider

    def _algorithms(self) -> list[str]:
        offered = self._metadata().get("id_token_signing_alg_values_supported")
        return [name for name in _ALGORITHMS if not isinstance(offered, list) or name in offered]

    def _key(self, header: Mapping[str, Any]) -> Key:
        """The provider's key that a token names; keys are fetched anew, now and then, when it names an unknown one.

        Only what the provider publishes at its own address counts: a key, or an address of one, in the token's header
        is not looked at.
        """
        with self._lock:
            if self._clock() - self._keys_at > _KEEP_SECONDS:
                self._fetch_keys()
            found = self._candidates(header)
            if len(found) != 1 and self._clock() - self._keys_at > _ASK_AGAIN_SECONDS:
                self._fetch_keys()
                found = self._candidates(header)
        if len(found) != 1:
            raise self._refused("key")
        return found[0]

    def _candidates(self, header: Mapping[str, Any]) -> list[Key]:
        kid, algorithm = header.get("kid"), header["alg"]
        return [
            key
            for jwk, key in self._keys
            if (kid is None or jwk.get("kid") == kid)
            and jwk.get("alg", algorithm) == algorithm
            and jwk["kty"] == _KINDS[algorithm]
        ]

    def _fetch_keys(self) -> None:
        from joserfc.errors import JoseError
        from joserfc.jwk import JWKRegistry

        document = self._get(self._endpoint("jwks_uri"))
        keys = []
        for jwk in document.get("keys") or []:
            if not isinstance(jwk, dict) or jwk.get("kty") not in _KINDS.values():
                continue  # "oct": a secret that everybody can read is none
            if jwk.get("use", "sig") != "sig":
                continue
            try:
                keys.append((jwk, JWKRegistry.import_key(jwk)))
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # a kind that this library does not know must not stop the others
        self._keys, self._keys_at = keys, self._clock()

    def _endpoint(self, name: str) -> str:
        address = self._metadata().get(name)
        if not isinstance(address, str) or not _is_safe(address):
            raise _unavailable(f"{name} is missing or not HTTPS")
        return address

    def _metadata(self) -> dict[str, Any]:
        if self._clock() - self._known_at > _KEEP_SECONDS:
            if not _is_safe(self.issuer):
                raise _unavailable("the setting oidc_issuer must be an https address")
            found = self._get(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                raise _unavailable("its configuration names another issuer")
            self._known, self._known_at = found, self._clock()
        return self._known

    def _get(self, address: str) -> dict[str, Any]:
        from httpx import HTTPError

        body = b""
        try:
            with self._http() as http, http.stream("GET", address) as answer:
                answer.raise_for_status()
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _LARGEST:
                        raise _unavailable("it answers with too much")
            document = json.loads(body)
        except HTTPError as error:
            raise _unavailable(type(error).__name__) from None
        except (ValueError, RecursionError):
            raise _unavailable("its answer is not JSON") from None
        if not isinstance(document, dict):
            raise _unavailable("its answer is not a JSON object")
        return document

    def _http(self) -> httpx.Client:
        import httpx

        return httpx.Client(
            transport=self._transport, timeout=_TIMEOUT, follow_redirects=False, trust_env=False,
            headers={"Accept": "application/json"},
        )  # fmt: skip

    def _refused(self, check: str) -> Unauthorised:
        structlog.get_logger().warning("oidc.refused", check=check)
        return Unauthorised(
            "Signing in through your organisation did not work. Begin again from the sign-in page."
        )


_KINDS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "ES384": "EC", "Ed25519": "OKP", "EdDSA": "OKP"}


def _unavailable(why: str) -> Unavailable:
    structlog.get_logger().warning("oidc.unavailable", why=why)
    return Unavailable(
        "The sign-in service of your organisation cannot be reached. Try again in a few minutes."
    )


def _is_safe(address: str) -> bool:
    """HTTPS; plain HTTP on this machine only."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme != "http":
            return parts.scheme == "https" and bool(host)
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"
