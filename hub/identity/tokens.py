"""OAuth 2.0 client credentials with `private_key_jwt` (RFC 7523), and the hub's own short-lived access tokens.

Only one signature algorithm is known here, Ed25519 (RFC 9864), so there is none to confuse it with.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OKPKey
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.errors import Invalid, Unauthorised
from hub.identity.own import HUBS_OWN
from hub.identity.principal import Principal
from hub.identity.store import client_principal, earlier_keys, public_jwk, thumbprint
from hub.identity.tables import AssertionRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = ["ALGORITHM", "TokenIssuer"]

ALGORITHM = "Ed25519"
_CHANGE = "key-change+jwt"
_MAX_ASSERTION_SECONDS = 300
_LEEWAY_SECONDS = 30
_MAX_TOKEN_CHARS = 4000
_MAX_MOMENT = 2**33  # seconds since 1970; the year 2242


def _is_id(value: object) -> TypeGuard[str]:
    """Whether this can be an id at all; anything else is never taken to the database."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= 40


@dataclass(frozen=True)
class TokenIssuer:
    """Checks assertions and tokens for the hub at `url`, and signs tokens with its key.

    `keys` are raw Ed25519 private keys: one, or a function that gives those that hold now, the newest first. Tokens are
    signed with the newest and taken from any.
    """

    url: str
    keys: bytes | Callable[[], Sequence[bytes]]
    minutes: int

    @property
    def token_url(self) -> str:
        """The audience that a client assertion must name."""
        return f"{self.url}/oauth/token"

    def exchange(self, session: Session, assertion: str) -> tuple[str, int, Principal]:
        """An access token for a client assertion, its lifetime in seconds, and whose it is.

        Raises:
            Unauthorised: when the assertion does not prove who the client is.
        """
        subject = self._peek(assertion).get("sub")
        known = client_principal(session, subject) if _is_id(subject) else None
        if known is None or HUBS_OWN in known[0].roles:
            raise Unauthorised("The client assertion names no client of this hub.")
        principal, key = known
        keys = [OKPKey.import_key(item) for item in (key, *earlier_keys(session, principal.id))]
        claims = self._claims(assertion, keys, issuer=principal.id, audience=self.token_url)
        lifetime = claims["exp"] - time.time()
        if lifetime > _MAX_ASSERTION_SECONDS + _LEEWAY_SECONDS:
            raise Unauthorised(f"The client assertion lasts longer than {_MAX_ASSERTION_SECONDS} seconds.")
        self._use_once(session, principal.id, claims)
        seconds, now = self.minutes * 60, int(time.time())
        token = jwt.encode(
            {"alg": ALGORITHM, "typ": "at+jwt"},
            {
                "iss": self.url, "aud": f"{self.url}/api", "sub": principal.id, "client_id": principal.id,
                "iat": now, "exp": now + seconds, "jti": new_id("tok"),
            },
            self._keys()[0], algorithms=[ALGORITHM],
        )  # fmt: skip
        return token, seconds, principal

    def principal(self, session: Session, token: str) -> Principal:
        """Whose access token this is.

        Raises:
            Unauthorised: when the token is not ours, has expired, or its client is no longer active.
        """
        claims = self._claims(token, self._keys(), issuer=self.url, audience=f"{self.url}/api", typ="at+jwt")
        known = client_principal(session, str(claims.get("sub")))
        if known is None:
            raise Unauthorised("The client of this token is not active any more.")
        return known[0]

    def check_key_change(
        self, session: Session, principal: Principal, new: dict[str, Any], assertion: str, proof: str
    ) -> None:
        """Whether a client really changes its key: the present key says so, and the new one is in its hands.

        Both are JWTs of the client about itself for the API's audience with a claim `new_key`, the thumbprint of the
        new key; `assertion` is signed with the present key, `proof` with the new one. Each is taken once.

        Raises:
            Invalid: when the new key is not a public Ed25519 JWK, or saying what does not hold of which text.
            Unauthorised: when the client is not active any more.
        """
        known = client_principal(session, principal.id)
        if known is None:
            raise Unauthorised("The client of this token is not active any more.")
        new = public_jwk(new)
        wanted, present = thumbprint(new), known[1]
        # Asked again after the first answer was lost: the key is the present one already, and the old one said so then.
        signers = [new] if thumbprint(present) == wanted else [present, new]
        for key, name, text in zip(
            reversed(signers), ("proof", "assertion"), (proof, assertion), strict=False
        ):
            try:
                self._check_statement(session, principal, wanted, key, text)
            except Unauthorised as error:
                raise Invalid(
                    f"The {name} of the change of keys does not hold. {error.detail}",
                    fields={name: [error.detail]},
                ) from None

    def _check_statement(
        self, session: Session, principal: Principal, wanted: str, key: dict[str, Any], text: str
    ) -> None:
        claims = self._claims(
            text, [OKPKey.import_key(key)], issuer=principal.id, audience=f"{self.url}/api", typ=_CHANGE
        )
        if claims.get("sub") != principal.id or claims.get("new_key") != wanted:
            raise Unauthorised("It is about another client or another key (claims sub and new_key).")
        if claims["exp"] - time.time() > _MAX_ASSERTION_SECONDS + _LEEWAY_SECONDS:
            raise Unauthorised(f"It lasts longer than {_MAX_ASSERTION_SECONDS} seconds.")
        self._use_once(session, principal.id, claims)

    def _keys(self) -> list[OKPKey]:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        found = []
        for raw in [self.keys] if isinstance(self.keys, bytes) else self.keys():
            key = Ed25519PrivateKey.from_private_bytes(raw)
            text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            found.append(OKPKey.import_key(text))
        return found

    @staticmethod
    def _peek(token: str) -> dict[str, Any]:
        """The claims before any check: only to find whose key to check with."""
        try:
            if len(token) > _MAX_TOKEN_CHARS:
                raise ValueError("too long")
            body = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            return claims if isinstance(claims, dict) else {}
        except (IndexError, ValueError, RecursionError):
            raise Unauthorised("This is not a signed token (JWT).") from None

    def _claims(
        self, token: str, keys: Sequence[OKPKey], *, issuer: str, audience: str, typ: str | None = None
    ) -> dict[str, Any]:
        if len(token) > _MAX_TOKEN_CHARS:
            raise Unauthorised("The token is too long.")
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )
        try:
            decoded = _decoded(token, keys)
            if typ is not None and decoded.header.get("typ") != typ:
                raise Unauthorised("This token is of another kind.")
            registry.validate(decoded.claims)
            if not decoded.claims["exp"] < _MAX_MOMENT:
                raise ValueError("the end lies beyond any calendar")
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise Unauthorised(f"The token does not hold ({type(error).__name__}).") from None
        return dict(decoded.claims)

    @staticmethod
    def _use_once(session: Session, client_id: str, claims: dict[str, Any]) -> None:
        now = utc_now()
        session.execute(delete(AssertionRow).where(AssertionRow.expires_at < now))
        expires = datetime.fromtimestamp(claims["exp"] + _LEEWAY_SECONDS, UTC)
        digest = sha256(json.dumps([client_id, claims["jti"]]).encode()).hexdigest()
        try:
            with session.begin_nested():
                session.add(AssertionRow(digest=digest, expires_at=expires))
        except IntegrityError:
            raise Unauthorised("This client assertion was used before; make a new one.") from None


def _decoded(token: str, keys: Sequence[OKPKey]) -> jwt.Token:
    """The token, when one of the keys signed it; the error is that of the first."""
    first: BadSignatureError | None = None
    for key in keys:
        try:
            return jwt.decode(token, key, algorithms=[ALGORITHM])
        except BadSignatureError as error:
            first = first or error
    raise first or BadSignatureError()
