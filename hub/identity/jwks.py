"""Public keys of machine clients as JSON Web Keys (RFC 7517): which are taken, and what each may sign.

Every key says by itself the one algorithm it signs with, and a signature is checked with that algorithm only: what a
token's header names can pick among a client's keys, and can never make a key do another's work. Ed25519 is the usual
one. RSA and P-256 are taken for clients whose platform keeps keys in a module that makes no others; they sign
assertions, never deliveries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from hub.errors import Invalid

__all__ = [
    "ALGORITHMS",
    "MOST_KEYS",
    "algorithm_of",
    "import_key",
    "key_set",
    "public_jwk",
    "shown",
    "thumbprint",
]

#: What keys of clients may sign with. Nothing symmetric, so a public key can never pass for a secret.
ALGORITHMS: Final = ("Ed25519", "ES256", "PS256", "RS512")
#: More keys than this are not one client's.
MOST_KEYS: Final = 10
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "OKP": ("kty", "crv", "x"),
    "EC": ("kty", "crv", "x", "y"),
    "RSA": ("kty", "n", "e"),
}
_RSA_BITS: Final = (2048, 8192)
_LONGEST_ID: Final = 200


def public_jwk(document: Any) -> dict[str, Any]:
    """A public Ed25519 JWK with the members that make it one, and no others.

    Raises:
        Invalid: when it is none, or holds the private part.
    """
    if not isinstance(document, Mapping) or (document.get("kty"), document.get("crv")) != ("OKP", "Ed25519"):
        _refuse_private(document)
        raise Invalid("The signing key is not a public Ed25519 JWK (kty must be OKP and crv Ed25519).")
    return _plain(document)


def key_set(document: Any, *, strict: bool) -> list[dict[str, Any]]:
    """The keys of a JWK Set that a client may sign with, each with its `kid` and, where it is not Ed25519, its `alg`.

    `strict`: a key that cannot be used is an error; else it is passed over, for sets that are published for others too.

    Raises:
        Invalid: when it is no set, has no key that can be used, or names two keys alike.
    """
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(item, Mapping) for item in keys):
        raise Invalid('A set of keys looks like {"keys": [...]} with at least one public key in it.')
    found: list[dict[str, Any]] = []
    for item in keys[: 10 * MOST_KEYS]:
        try:
            found.append(_named(item))
        except Invalid:
            if strict:
                raise
    if not found or len(found) > MOST_KEYS or len(keys) > 10 * MOST_KEYS:
        raise Invalid(
            f"The set has {len(found)} keys that can be used; 1 to {MOST_KEYS} are taken, each with kid, and with alg "
            f"one of {', '.join(ALGORITHMS)}."
        )
    if len({item["kid"] for item in found}) < len(found) or len(set(map(thumbprint, found))) < len(found):
        raise Invalid("The set names two keys with one kid, or one key twice.")
    return found


def _named(document: Mapping[str, Any]) -> dict[str, Any]:
    """A key of a set: fit for signatures, with the id it is asked for by."""
    kid = document.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _LONGEST_ID or not kid.isprintable():
        raise Invalid("Each key of a set needs a kid of 1 to 200 characters.")
    uses = document.get("key_ops")
    if document.get("use", "sig") != "sig" or not (
        uses is None or (isinstance(uses, list) and "verify" in uses)
    ):
        raise Invalid("A key of the set is not there for signatures (use, key_ops).")
    return _plain(document) | {"kid": kid}


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """A key with the members that make it one, and its algorithm where the kind of key leaves a choice."""
    from joserfc.errors import JoseError

    _refuse_private(document)
    try:
        wanted = {name: document[name] for name in _MEMBERS[document["kty"]]}
        if not all(
            isinstance(value, str) and value.isascii() and len(value) < 2000 for value in wanted.values()
        ):
            raise ValueError("its members must be text")
        if document["kty"] == "RSA":
            wanted["alg"] = document.get("alg")
        algorithm = algorithm_of(wanted)
        if document.get("alg", algorithm) not in (
            algorithm,
            "EdDSA" if algorithm == "Ed25519" else algorithm,
        ):
            raise ValueError(f"alg does not fit the kind of key, which signs with {algorithm}")
        key = import_key(wanted)
        _check_strength(key, document["kty"])
        clean = key.as_dict(private=False)
        return {name: clean[name] for name in _MEMBERS[document["kty"]]} | (
            {} if algorithm == "Ed25519" else {"alg": algorithm}
        )
    except (JoseError, KeyError, TypeError, ValueError) as error:
        kind = "Ed25519" if document.get("kty", "OKP") == "OKP" else "signing"
        raise Invalid(f"The signing key is not a public {kind} JWK ({_words(error)}).") from None


def _words(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) and error.args else str(error)


def _refuse_private(document: Any) -> None:
    if isinstance(document, Mapping) and _PRIVATE & set(document):
        raise Invalid(
            "The signing key holds its private part. Send only the public part, and make a new pair now."
        )


def _check_strength(key: Any, kind: str) -> None:
    if kind != "RSA":
        return
    numbers = key.public_key.public_numbers()
    least, most = _RSA_BITS
    if not least <= numbers.n.bit_length() <= most or numbers.e != 65537:
        raise ValueError(f"an RSA key has {least} to {most} bits and the exponent 65537")


def algorithm_of(jwk: Mapping[str, Any]) -> str:
    """The one algorithm that a key signs with.

    Raises:
        ValueError: when it is a kind of key that is not taken, or an RSA key that does not say.
    """
    kind = (jwk.get("kty"), jwk.get("crv"))
    if kind == ("OKP", "Ed25519"):
        return "Ed25519"
    if kind == ("EC", "P-256"):
        return "ES256"
    if jwk.get("kty") == "RSA":
        if jwk.get("alg") in ("PS256", "RS512"):
            return str(jwk["alg"])
        raise ValueError("an RSA key must say its alg, PS256 or RS512")
    raise ValueError("kty and crv must be OKP and Ed25519, EC and P-256, or kty RSA")


def import_key(jwk: Mapping[str, Any]) -> Any:
    """A key as the signature library takes it."""
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    kinds: dict[str, Any] = {"OKP": OKPKey, "EC": ECKey, "RSA": RSAKey}
    return kinds[jwk["kty"]].import_key({name: jwk[name] for name in _MEMBERS[jwk["kty"]]})


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The thumbprint of a key (RFC 7638; for Ed25519 with RFC 8037 section 2), SHA-256 in hex."""
    members = {name: jwk[name] for name in _MEMBERS[jwk["kty"]]}
    return sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def shown(thumbprints: Iterable[str]) -> tuple[str, ...]:
    """Thumbprints as people read them out: the first 128 bits, in groups of four digits."""
    return tuple(" ".join(item[place : place + 4] for place in range(0, 32, 4)) for item in thumbprints)
