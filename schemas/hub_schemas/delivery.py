"""The delivery: what a connector hands to a hub, described once for both sides.

A delivery is up to three Parquet files (rows, refused, faults), each encrypted with Parquet Modular
Encryption under data keys of its own, plus a signed manifest that binds the files, their key material, the
contract and the counts together. Data keys travel sealed to the hub's public key with HPKE (RFC 9180,
ML-KEM-768 + X25519), so nothing between the department and the vault can read a row.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey, Suite

__all__ = [
    "FOOTER_KEY",
    "FORMAT",
    "MODES",
    "ROLES",
    "ROW_NUMBER",
    "SEALING_SUITE",
    "DeliveryError",
    "ManifestSchema",
    "canonical_json",
    "column_key",
    "key_material_names",
    "load_manifest",
    "seal_info",
    "sealing_fingerprint",
    "sealing_public_key",
    "sealing_public_text",
    "sealing_suite",
    "sign_manifest",
    "verify_manifest",
]

FORMAT: Final = "joinedup-delivery/1"
#: The files a delivery may hold, in the order they are sent.
ROLES: Final = ("rows", "refused", "faults")
#: What a delivery does to its dataset: replace it whole; add rows; add rows or replace those with the same primary
#: key; remove the rows with these primary keys.
MODES: Final = ("full", "append", "upsert", "delete")
#: First column of every file: the number of the data row in the source, counted from 1.
ROW_NUMBER: Final = "row_number"
#: Key id of a file's footer; each column's is made by `column_key`.
FOOTER_KEY: Final = "footer"
#: Name of the HPKE suite (RFC 9180) that seals data keys, as the hub announces it.
SEALING_SUITE: Final = "MLKEM768-X25519/HKDF-SHA256/AES-256-GCM"

_MLKEM768_PUBLIC_BYTES: Final = 1184
_SIGNING_CONTEXT: Final = b"joinedup delivery manifest v1\n"
_MAX_FILE_BYTES: Final = 64 * 1024**3
_MAX_PARTS: Final = 100_000


class DeliveryError(ValueError):
    """A manifest or a key in it cannot be accepted; the message says why."""


def canonical_json(value: Any) -> bytes:
    """One byte string for one JSON value: sorted keys, no spaces, UTF-8. What is signed and hashed."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def column_key(classification: str, column: str) -> str:
    """Key id of one column: `<classification>/<column>`, for example `personal/surname`."""
    return f"{classification}/{column}"


def seal_info(delivery_id: str, role: str, key_id: str) -> bytes:
    """HPKE `info` of one sealed data key.

    It names the delivery, the file and the column, so that a key moved to another place does not open.
    """
    return f"{FORMAT}|{delivery_id}|{role}|{key_id}".encode()


def sealing_suite() -> Suite:
    """The HPKE suite of `SEALING_SUITE`."""
    from cryptography.hazmat.primitives import hpke

    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def sealing_public_text(mlkem768: bytes, x25519: bytes) -> str:
    """Base64 of the raw ML-KEM-768 public key (1184 bytes) followed by the raw X25519 one (32 bytes)."""
    return base64.b64encode(mlkem768 + x25519).decode()


def sealing_fingerprint(public_key: str) -> str:
    """What people compare to know a hub's sealing key: 32 hexadecimal digits of SHA-256 in groups of four."""
    digest = sha256(f"{SEALING_SUITE}\n{public_key}".encode()).hexdigest()[:32]
    return " ".join(digest[start : start + 4] for start in range(0, 32, 4))


def sealing_public_key(text: str) -> MLKEM768X25519PublicKey:
    """The hub's public sealing key from its base64 text.

    Raises:
        DeliveryError: when the text is not such a key.
    """
    from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey

    try:
        raw = base64.b64decode(text, validate=True)
        if len(raw) != _MLKEM768_PUBLIC_BYTES + 32:
            raise ValueError(f"{len(raw)} bytes")
        return MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM768_PUBLIC_BYTES]),
            x25519.X25519PublicKey.from_public_bytes(raw[_MLKEM768_PUBLIC_BYTES:]),
        )
    except ValueError as error:
        raise DeliveryError(f"the hub's sealing key cannot be read ({error})") from None


def sign_manifest(manifest: dict[str, Any], key: Ed25519PrivateKey) -> str:
    """Base64 Ed25519 signature over the canonical manifest, in this format's own context."""
    return base64.b64encode(key.sign(_SIGNING_CONTEXT + canonical_json(manifest))).decode()


def verify_manifest(manifest: dict[str, Any], signature: str, key: Ed25519PublicKey) -> None:
    """Check the signature made by `sign_manifest`.

    Raises:
        DeliveryError: when it is not the signature of this manifest by this key.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(signature, validate=True), _SIGNING_CONTEXT + canonical_json(manifest))
    except (InvalidSignature, ValueError):
        raise DeliveryError(
            "the manifest's signature does not match the key registered for this connector"
        ) from None


def key_material_names(material: dict[str, Any]) -> list[str]:
    """The master key ids named in a Parquet external key material document.

    Raises:
        DeliveryError: when the document is not key material of the kind this format uses (each data key
            wrapped once, key material outside the file).
    """
    names = []
    for name, text in material.items():
        try:
            entry = json.loads(text)
            if entry["keyMaterialType"] != "PKMT1" or entry["doubleWrapping"] is not False:
                raise ValueError("double wrapping is not used in this format")
            names.append(str(entry["masterKeyID"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DeliveryError(f"the key material entry {name!r:.60} cannot be read ({error})") from None
    return names


_DIGEST = validate.Regexp(r"\A[0-9a-f]{64}\Z", error="must be 64 hexadecimal digits (SHA-256)")
_HEX_ID = validate.Regexp(r"\A[0-9a-f]{32}\Z", error="must be 32 hexadecimal digits (a UUID)")
_COUNT = validate.Range(min=0, max=2**53)


class _Strict(Schema):
    class Meta:
        unknown = RAISE


class _ContractRef(_Strict):
    id = fields.String(required=True, validate=validate.Length(1, 200))
    version = fields.String(required=True, validate=validate.Length(1, 50))
    digest = fields.String(required=True, validate=_DIGEST)


class _Source(_Strict):
    name = fields.String(required=True, validate=validate.Length(0, 200))
    rows = fields.Integer(required=True, strict=True, validate=_COUNT)


class _Counts(_Strict):
    sent = fields.Integer(required=True, strict=True, validate=_COUNT)
    accepted = fields.Integer(required=True, strict=True, validate=_COUNT)
    refused = fields.Integer(required=True, strict=True, validate=_COUNT)


class _File(_Strict):
    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    size = fields.Integer(required=True, strict=True, validate=validate.Range(min=12, max=_MAX_FILE_BYTES))
    sha256 = fields.String(required=True, validate=_DIGEST)
    parts = fields.Integer(required=True, strict=True, validate=validate.Range(min=1, max=_MAX_PARTS))
    rows = fields.Integer(required=True, strict=True, validate=_COUNT)
    key_material = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True, validate=validate.Length(1, 5000)
    )


class ManifestSchema(_Strict):
    """The manifest of a delivery; unknown fields are refused."""

    format = fields.String(required=True, validate=validate.Equal(FORMAT))
    delivery_id = fields.String(required=True, validate=_HEX_ID)
    client_id = fields.String(required=True, validate=validate.Length(1, 64))
    dataset = fields.String(required=True, validate=validate.Length(1, 200))
    contract = fields.Nested(_ContractRef, required=True)
    mode = fields.String(required=True, validate=validate.OneOf(MODES))
    replays = fields.String(load_default=None, allow_none=True, validate=_HEX_ID)
    created_at = fields.AwareDateTime(required=True, format="iso")
    source = fields.Nested(_Source, required=True)
    source_digest = fields.String(required=True, validate=_DIGEST)
    rows = fields.Nested(_Counts, required=True)
    sealing_key_id = fields.String(required=True, validate=validate.Length(1, 64))
    files = fields.List(fields.Nested(_File), required=True, validate=validate.Length(1, len(ROLES)))

    @validates_schema(skip_on_field_errors=True)
    def _adds_up(self, data: dict[str, Any], **_: Any) -> None:
        rows, files = data["rows"], {file["role"]: file for file in data["files"]}
        if len(files) != len(data["files"]):
            raise ValidationError("each role may stand once", "files")
        if "rows" not in files:
            raise ValidationError("the file with the accepted rows is missing", "files")
        if data["replays"] is not None and data["mode"] == "full":
            raise ValidationError("a replay adds, replaces or deletes rows; it cannot be full", "mode")
        if rows["accepted"] + rows["refused"] != rows["sent"]:
            raise ValidationError("accepted and refused rows must add up to the rows sent", "rows")
        if files["rows"]["rows"] != rows["accepted"]:
            raise ValidationError("the rows file must hold the accepted rows", "files")
        if (files["refused"]["rows"] if "refused" in files else 0) != rows["refused"]:
            raise ValidationError("the refused file must hold the refused rows", "files")


def load_manifest(document: Any) -> dict[str, Any]:
    """The manifest as checked Python values (the signature is over `document` itself, not over these).

    Raises:
        DeliveryError: naming each field at fault.
    """
    try:
        loaded: dict[str, Any] = ManifestSchema().load(document)
    except ValidationError as error:
        raise DeliveryError(f"the manifest is not valid: {json.dumps(error.messages)}") from None
    for file in loaded["files"]:
        key_material_names(file["key_material"])
    return loaded
