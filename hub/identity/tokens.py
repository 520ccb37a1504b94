"""OAuth 2.0 client credentials with `private_key_jwt` (RFC 7523), and the hub's own short-lived access tokens.

Only one signature algorithm is known here, Ed25519 (RFC 9864), so there is none to confuse it with.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.errors import Unauthorised
from hub.identity.principal import Principal
from hub.identity.store import client_principal
from hub.identity.tables import AssertionRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = ["ALGORITHM", "TokenIssuer"]

ALGORITHM = "Ed25519"
_MAX_ASSERTION_SECONDS = 300
_LEEWAY_SECONDS = 30
_MAX_TOKEN_CHARS = 4000
_MAX_MOMENT = 2**33  # seconds since 1970; the year 2242


def _is_id(value: object) -> TypeGuard[str]:
    """Whether this can be an id at all; anything else is never taken to the database."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= 40


@dataclass(frozen=True)
class TokenIssuer:
    """Checks assertions and tokens for the hub at `url`, and signs tokens with its key."""

    url: str
    signing_key: bytes  # raw Ed25519 private key
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
        if known is None:
            raise Unauthorised("The client assertion names no client of this hub.")
        principal, key = known
        claims = self._claims(assertion, OKPKey.import_key(key), issuer=principal.id, audience=self.token_url)
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
            self._key(), algorithms=[ALGORITHM],
        )  # fmt: skip
        return token, seconds, principal

    def principal(self, session: Session, token: str) -> Principal:
        """Whose access token this is.

        Raises:
            Unauthorised: when the token is not ours, has expired, or its client is no longer active.
        """
        claims = self._claims(token, self._key(), issuer=self.url, audience=f"{self.url}/api", typ="at+jwt")
        known = client_principal(session, str(claims.get("sub")))
        if known is None:
            raise Unauthorised("The client of this token is not active any more.")
        return known[0]

    def _key(self) -> OKPKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = Ed25519PrivateKey.from_private_bytes(self.signing_key)
        return OKPKey.import_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

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
        self, token: str, key: OKPKey, *, issuer: str, audience: str, typ: str | None = None
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
            decoded = jwt.decode(token, key, algorithms=[ALGORITHM])
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
