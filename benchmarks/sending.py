"""The connector's part without a network: check, seal and sign a file into a folder."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from hub_connector.checking import Summary
from hub_connector.packing import Package, Packer, source_digest
from hub_connector.sources import open_source

if TYPE_CHECKING:
    from hub.vault.keyring import Keyring
    from hub_connector.keys import SigningKey
    from hub_schemas import Contract

__all__ = ["PART", "new_key", "pack"]

PART = 8 * 1024 * 1024
"""Bytes of a part: the hub's own default."""


def new_key() -> SigningKey:
    """A connector's key, in memory only."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from hub_connector.keys import SigningKey

    return SigningKey(Ed25519PrivateKey.generate())


def pack(
    agreed: Contract, source: Path, folder: Path, keyring: Keyring, client_id: str, key: SigningKey
) -> Package:
    """A sealed and signed delivery in a new folder within `folder`, as `hub-connector push` makes it."""
    sealing = {"id": keyring.current_sealing, "public_key": keyring.sealing_public_text}
    target = folder / uuid.uuid4().hex
    target.mkdir(mode=0o700, parents=True)
    opened = open_source(str(source))
    packer = Packer(client_id, key, sealing, PART)
    return packer.pack(agreed, opened, "full", target, source_digest(key, opened, agreed, "full"), Summary())
