"""Verifying a delivery: who signed it, whether every byte arrived, whether it is sealed as it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from hub.errors import Invalid, TooLarge
from hub_schemas.delivery import DeliveryError, load_manifest, verify_manifest

if TYPE_CHECKING:
    from hub.storage.objects import ObjectStore

__all__ = [
    "assemble", "check_manifest", "file_key", "part_key", "parts_of", "quarantine_binding", "quarantine_owner",
]  # fmt: skip

_CHUNK = 4 * 1024 * 1024


def check_manifest(
    document: Any, signature: str, client_id: str, keys: Sequence[Mapping[str, Any]], most_bytes: int
) -> dict[str, Any]:
    """The manifest, when it is valid, this client's, and signed with an Ed25519 key that holds for it.

    Raises:
        Invalid: saying what does not hold.
        TooLarge: when it announces more than the hub takes.
    """
    try:
        manifest = load_manifest(document)
        _check_signature(document, signature, [key for key in keys if key.get("crv") == "Ed25519"])
    except DeliveryError as error:
        raise Invalid(f"The delivery is refused: {error}.") from None
    if manifest["client_id"] != client_id:
        raise Invalid(
            "The delivery is refused: its manifest names another client than the one that sends it."
        )
    total = sum(file["size"] for file in manifest["files"])
    if total > most_bytes:
        raise TooLarge(f"The delivery has {total:,} bytes; this hub takes up to {most_bytes:,}.")
    return dict(document)


def _check_signature(document: Any, signature: str, keys: Sequence[Mapping[str, Any]]) -> None:
    """Whether one of the keys signed it; the error is that of the last.

    Raises:
        DeliveryError: when none did.
    """
    from joserfc.jwk import OKPKey

    if not keys:
        raise DeliveryError(
            "deliveries are signed with Ed25519, and no such key is registered for this client"
        )
    for place, key in enumerate(keys):
        try:
            return verify_manifest(document, signature, OKPKey.import_key(dict(key)).public_key)
        except DeliveryError:
            if place == len(keys) - 1:
                raise


def parts_of(delivery_id: str) -> str:
    """The prefix under which a delivery's parts wait; of all deliveries for an empty id."""
    return f"incoming/{delivery_id}".rstrip("/")


def part_key(delivery_id: str, role: str, part: int) -> str:
    """Where a part waits until the delivery is complete."""
    return f"{parts_of(delivery_id)}/{role}/{part:06d}"


def file_key(delivery_id: str, role: str) -> str:
    """Where a delivery's file lies for good."""
    return f"deliveries/{delivery_id}/{role}.parquet"


def quarantine_owner(delivery_id: str) -> str:
    """The owner of a delivery's quarantine in the vault."""
    return f"quarantine_{delivery_id}"


def quarantine_binding(delivery_id: str, role: str) -> str:
    """What a quarantine file is bound to."""
    return f"quarantine={delivery_id};{role}"


def assemble(objects: ObjectStore, delivery_id: str, file: Mapping[str, Any]) -> str:
    """Put a file's parts together and compare with the manifest; returns the object's key.

    Doing it again gives the same object; the parts stay until the delivery is decided.

    Raises:
        Invalid: when size or digest differ from the manifest.
    """
    role = file["role"]
    target = file_key(delivery_id, role)
    digest, size = sha256(), 0
    with objects.writer(target) as stream:
        for part in range(1, file["parts"] + 1):
            with objects.open(part_key(delivery_id, role, part)) as source:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    stream.write(chunk)
    if size != file["size"] or digest.hexdigest() != file["sha256"]:
        objects.delete(target)
        raise Invalid(
            f"The file {role} does not match its manifest ({size:,} of {file['size']:,} bytes"
            f"{'' if size != file['size'] else ', another digest'}). Send the delivery again."
        )
    return target
