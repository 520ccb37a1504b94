"""Machine clients for tests: their keys, their assertions (honest and forged) and their access tokens."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.identity import store as identities
from hub.workflows import enrolling
from hub.workflows.hub import Hub

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def b64(data: bytes) -> str:
    """Base64url without padding, as JOSE writes it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jws(header: object, claims: object, sign: Any) -> str:
    """A compact JWS put together by hand, so that it may say anything; `sign` makes bytes of bytes."""
    parts = ".".join(
        b64(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, claims)
    )
    return f"{parts}.{b64(sign(parts.encode()))}"


@dataclass
class Client:
    """A registered machine client with its private key."""

    hub: Hub
    id: str
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> bytes:
        """The raw public key."""
        return self.key.public_key().public_bytes_raw()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of an honest assertion; a change to None leaves the claim out."""
        now = int(time.time())
        claims = {
            "iss": self.id, "sub": self.id, "aud": self.hub.tokens.token_url, "iat": now, "exp": now + 60,
            "jti": uuid.uuid4().hex,
        } | changes  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def assertion(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A client assertion, signed with the client's key."""
        return jws({"alg": "Ed25519", "typ": "JWT"} | (header or {}), self.claims(**changes), self.key.sign)

    def headers(self) -> dict[str, str]:
        """Headers with a fresh access token."""
        return {"Authorization": f"Bearer {enrolling.token_for(self.hub, self.assertion())[0]}"}


def client_of(hub: Hub, slug: str, *roles: str) -> Client:
    """A machine client of an organisation (made when it is not there) with these roles, none included."""
    key = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}
    with hub.database.write() as session:
        known = {item.slug: item for item in identities.list_organisations(session)}
        home = known.get(slug) or identities.add_organisation(session, slug, slug)
        return Client(hub, identities.add_client(session, home.id, "a test", roles, jwk), key)
