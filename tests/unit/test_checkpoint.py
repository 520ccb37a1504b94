"""Checkpoints are signed notes that only the hub's key can make."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.audit.checkpoint import Checkpoint, CheckpointError, sign, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOTE = sign(Checkpoint("example.test/audit", 7, b"r" * 32), KEY)


def test_a_signed_checkpoint_reads_back() -> None:
    assert verify(NOTE, "example.test/audit", KEY.public_key()) == Checkpoint(
        "example.test/audit", 7, b"r" * 32
    )


def test_its_form_is_that_of_a_signed_note() -> None:
    text, _, signatures = NOTE.partition("\n\n")
    assert text.split("\n")[:2] == ["example.test/audit", "7"]
    assert signatures.startswith("\N{EM DASH} example.test/audit ")
    assert NOTE.endswith("\n")


@pytest.mark.parametrize(
    "forged",
    [
        NOTE.replace("\n7\n", "\n8\n"),
        NOTE.replace("\n7\n", "\n07\n"),
        NOTE.replace("cnJy", "cnJz", 1),
        NOTE.partition("\n\n")[0] + "\n\n",
        NOTE.partition("\n\n")[0],
        "",
        "x\n\n\N{EM DASH} example.test/audit !!!!\n",
        sign(Checkpoint("example.test/audit", 7, b"r" * 32), Ed25519PrivateKey.generate()),
        sign(Checkpoint("other.test/audit", 7, b"r" * 32), KEY),
    ],
)
def test_anything_else_is_refused(forged: str) -> None:
    with pytest.raises(CheckpointError):
        verify(forged, "example.test/audit", KEY.public_key())
