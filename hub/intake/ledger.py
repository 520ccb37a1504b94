"""Which rows of a delivery are still open in its quarantine: their numbers, packed.

A row that was refused is open until a replay of it is accepted. Row numbers say nothing about anybody, so they may lie
in the database; packed as differences they take a byte or two each.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import numpy as np

from hub.errors import Invalid

__all__ = ["Numbers", "pack", "unpack"]

Numbers = np.ndarray[Any, np.dtype[np.int64]]
_MOST_BYTES: Final = 2**31


def pack(numbers: Numbers) -> bytes:
    """Rising row numbers from 1 as bytes."""
    steps = np.diff(numbers, prepend=np.int64(0)).astype("<i8")
    return zlib.compress(steps.tobytes(), 6)


def unpack(data: bytes, most: int) -> Numbers:
    """The numbers of `pack`; there can be no more than `most`.

    Raises:
        Invalid: when these bytes are not such numbers.
    """
    wanted = zlib.decompressobj()
    try:
        raw = wanted.decompress(data, min(most * 8 + 8, _MOST_BYTES))
        steps = np.frombuffer(raw, dtype="<i8").astype(np.int64)
    except (zlib.error, ValueError):
        raise Invalid("The list of open rows of this delivery was changed.") from None
    if len(steps) > most or (len(steps) and steps.min() < 1) or wanted.unconsumed_tail:
        raise Invalid("The list of open rows of this delivery was changed.")
    return np.cumsum(steps)
