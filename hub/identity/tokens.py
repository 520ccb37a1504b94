"""OAuth 2.0 client credentials with `private_key_jwt` (RFC 7523), and the hub's own short-lived access tokens.

The hub signs with Ed25519 (RFC 9864) only. A client's assertion is checked with keys registered for it, each with the
one algorithm that it signs with (`hub.identity.jwks`): nothing that a token brings along (alg, kid, jwk, jku, x5u, x5c)
can choose a key that is not the client's or an algorithm that is not the key's.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, ExpiredTokenError, JoseError
from joserfc.jwk import OKPKey
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.errors import Invalid, NotFound, Unauthorised
from hub.identity.clients import client_principal, client_record, public_jwk, registered_keys, thumbprint
from hub.identity.jwks import algorithm_of, import_key, shown
from hub.identity.organisations import find_organisation
from hub.identity.own import HUBS_OWN
from hub.identity.principal import Principal
from hub.identity.states import Registration
from hub.identity.tables import AssertionRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = ["ALGORITHM", "InvalidScope", "NotApproved", "RefusedToken", "TokenIssuer", "is_id", "peek"]

ALGORITHM = "Ed25519"
_ACCESS = "at+jwt"
_CHANGE = "key-change+jwt"
_MAX_ASSERTION_SECONDS = 300
_LEEWAY_SECONDS = 30
_MAX_TOKEN_CHARS = 4000
_MAX_MOMENT = 2**33  # seconds since 1970; the year 2242


#: Kinds of JWT that a client may prove itself with; another kind was made for something else.
_ASSERTION_TYPES = frozenset({None, "jwt", "client-authentication+jwt"})


class RefusedToken(Unauthorised):
    """A token or assertion that does not hold; `cause` in a word and `client_id` ("" if unknown) are for the log."""

    def __init__(self, detail: str, cause: str, client_id: str = "") -> None:
        super().__init__(detail)
        self.cause, self.client_id = cause, client_id


class NotApproved(RefusedToken):
    """A client that has proved itself and may not act yet, or will never. The detail says what to do."""

    status = 400  # RFC 6749 section 5.2
    title = "This client may not act"
    oauth_error = "unauthorized_client"

    def __init__(self, detail: str, cause: str, client_id: str = "") -> None:
        super().__init__(detail, cause, client_id)
        self.fields = {"registration": cause}


class InvalidScope(Invalid):
    """Scopes that the hub does not know, or that the client's roles do not give."""

    oauth_error = "invalid_scope"


def is_id(value: object) -> TypeGuard[str]:
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

    def exchange(
        self,
        session: Session,
        assertion: str,
        given: Callable[[frozenset[str]], frozenset[str]] | None = None,
    ) -> tuple[str, int, Principal]:
        """An access token for a client assertion, its lifetime in seconds, and whose it is, with its scopes.

        `given` makes of the client's roles the scopes that the token carries; without it, it carries none.

        Raises:
            RefusedToken: when the assertion does not prove who the client is, or the client may not act.
            InvalidScope: as `given` does.
        """
        header, claimed = peek(assertion)
        subject = claimed.get("sub")
        principal, keys = self._signers(session, subject if is_id(subject) else "")
        try:
            if _kind(header) not in _ASSERTION_TYPES:
                raise RefusedToken("This token is of another kind.", "kind")
            claims = self._claims(assertion, keys, issuer=principal.id, audience=self.token_url)
            lifetime = claims["exp"] - time.time()
            if lifetime > _MAX_ASSERTION_SECONDS + _LEEWAY_SECONDS:
                raise RefusedToken(
                    f"The client assertion lasts longer than {_MAX_ASSERTION_SECONDS} seconds.", "lifetime"
                )
            self._use_once(session, principal.id, claims)
        except RefusedToken as error:
            error.client_id = principal.id
            raise
        self._check_registration(session, principal.id)
        principal = replace(principal, scopes=given(principal.roles) if given else frozenset())
        return self._signed(principal), self.minutes * 60, principal

    def _signers(self, session: Session, client_id: str) -> tuple[Principal, list[Mapping[str, Any]]]:
        """Who signs in, whatever the state of its registration, and the keys it may do so with.

        Raises:
            RefusedToken: when there is no such client, or it was revoked.
        """
        try:
            record = client_record(session, client_id)
        except NotFound:
            record = None
        if record is None or record.state is Registration.REVOKED or HUBS_OWN in record.roles:
            raise RefusedToken(
                "The client assertion names no client of this hub.", "unknown" if record is None else "revoked",
                record.id if record else "",
            )  # fmt: skip
        home = find_organisation(session, record.organisation)
        principal = Principal("client", record.id, record.name, home.id, home.slug, frozenset(record.roles))
        return principal, list(registered_keys(session, record.id))

    @staticmethod
    def _check_registration(session: Session, client_id: str) -> None:
        """Whether a client that has proved itself may act.

        Raises:
            NotApproved: saying what to do.
        """
        record = client_record(session, client_id)
        home = find_organisation(session, record.organisation)
        if (record.state, home.state) == (Registration.APPROVED, Registration.APPROVED):
            return
        shown_keys = " and ".join(shown(record.thumbprints)) or "at its address"
        for state, what in ((home.state, f"organisation {home.name}"), (record.state, "client")):
            if state is Registration.WAITING:
                raise NotApproved(
                    f"This {what} waits for approval. Ask an operator of the hub, other than the one who registered or "
                    f"invited it, to approve it, and read out the thumbprint of this client's key: {shown_keys}.",
                    "waiting", client_id,
                )  # fmt: skip
            if state in (Registration.REFUSED, Registration.REVOKED):
                raise NotApproved(
                    f"This {what} was {state} by the hub's operators. Ask them why; nothing more can be done here.",
                    state.value, client_id,
                )  # fmt: skip

    def _signed(self, principal: Principal) -> str:
        """A fresh access token (RFC 9068) of a principal with its scopes."""
        seconds, now = self.minutes * 60, int(time.time())
        return jwt.encode(
            {"alg": ALGORITHM, "typ": _ACCESS},
            {
                "iss": self.url, "aud": f"{self.url}/api", "sub": principal.id, "client_id": principal.id,
                "iat": now, "exp": now + seconds, "jti": new_id("tok"),
                "scope": " ".join(sorted(principal.scopes or ())),
            },
            self._keys()[0], algorithms=[ALGORITHM],
        )  # fmt: skip

    def principal(self, session: Session, token: str) -> Principal:
        """Whose access token this is, narrowed to its scopes.

        Raises:
            RefusedToken: when the token is not ours, has expired, or its client or organisation is no longer active.
        """
        header, _ = peek(token)
        if header.get("typ") != _ACCESS:
            raise RefusedToken("This token is of another kind.", "kind")
        own = [key.as_dict(private=False) for key in self._keys()]
        claims = self._claims(token, own, issuer=self.url, audience=f"{self.url}/api")
        scope = claims.get("scope")
        if not isinstance(scope, str):
            raise RefusedToken("This token carries no scope; get a new one.", "scope")
        known = client_principal(session, str(claims.get("sub")))
        if known is None:
            raise RefusedToken(
                "The client of this token is not active any more.", "revoked", str(claims.get("sub"))
            )
        return replace(known[0], scopes=frozenset(scope.split()))

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
        if not known[1]:
            raise Invalid("The keys of this client are a set. Change them where the set is published.")
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
        claims = self._claims(text, [key], issuer=principal.id, audience=f"{self.url}/api")
        if peek(text)[0].get("typ") != _CHANGE:
            raise RefusedToken("This token is of another kind.", "kind")
        if claims.get("sub") != principal.id or claims.get("new_key") != wanted:
            raise RefusedToken(
                "It is about another client or another key (claims sub and new_key).", "claims"
            )
        if claims["exp"] - time.time() > _MAX_ASSERTION_SECONDS + _LEEWAY_SECONDS:
            raise RefusedToken(f"It lasts longer than {_MAX_ASSERTION_SECONDS} seconds.", "lifetime")
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
    def _claims(
        token: str, keys: Sequence[Mapping[str, Any]], *, issuer: str, audience: str
    ) -> dict[str, Any]:
        """The claims of a token that one of the keys signed and that holds now, here."""
        header, _ = peek(token)
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )
        try:
            decoded = _decoded(token, _fitting(header, keys))
            registry.validate(decoded.claims)
            if not decoded.claims["exp"] < _MAX_MOMENT:
                raise ValueError("the end lies beyond any calendar")
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise RefusedToken(f"The token does not hold ({type(error).__name__}).", _cause(error)) from None
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
            raise RefusedToken("This client assertion was used before; make a new one.", "replayed") from None


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims before any check: only to find whose key to check with.

    Raises:
        RefusedToken: when it is too long, no signed JWT, says something twice, or asks for what the hub does not do.
    """
    if len(token) > _MAX_TOKEN_CHARS:
        raise RefusedToken("The token is too long.", "form")
    try:
        head, body, _ = token.split(".")
        header, claims = (_members(part) for part in (head, body))
    except (ValueError, RecursionError):
        raise RefusedToken("This is not a signed token (JWT) in one reading.", "form") from None
    # Extensions, other encodings, compression, tokens within tokens: nothing that the hub or its clients need.
    if asked := {"crit", "b64", "zip", "cty", "enc"} & set(header):
        raise RefusedToken(f"The token's header asks for what is not done here ({min(asked)}).", "form")
    return header, claims


def _members(part: str) -> dict[str, Any]:
    """The JSON object in a part of a token; each member is named once (RFC 7519 section 4 leaves the choice)."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a member is named twice")
        return found

    text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    found = json.loads(text, object_pairs_hook=once)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _kind(header: Mapping[str, Any]) -> str | None:
    kind = header.get("typ")
    return None if kind is None else str(kind).lower().removeprefix("application/")


def _fitting(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The key that a header names by its kid, else all; of these those that sign with the algorithm it names."""
    named = [key for key in keys if "kid" in key and key["kid"] == header.get("kid")]
    return [key for key in named or keys if algorithm_of(key) == header.get("alg")]


def _cause(error: Exception) -> str:
    """Why a token does not hold, in a word for the log."""
    if isinstance(error, BadSignatureError):
        return "signature"
    if isinstance(error, ExpiredTokenError):
        return "expired"
    return "claims" if isinstance(error, ClaimError) else "form"


def _decoded(token: str, keys: Sequence[Mapping[str, Any]]) -> jwt.Token:
    """The token, when one of the keys signed it, each tried with its own algorithm only."""
    for key in keys:
        try:
            return jwt.decode(token, import_key(key), algorithms=[algorithm_of(key)])
        except BadSignatureError:
            continue
    raise BadSignatureError()
