"""Which benchmarks there are, and how large they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.table import Table

__all__ = ["BENCHMARKS", "Scale", "runner"]


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    rows: of the generated CSV; people: of the synthetic borough; entries: of the audit log that is verified; repeats:
    measured turns of each task; keys: that are rotated.
    """

    rows: int = 1_000_000
    people: int = 20_000
    entries: int = 100_000
    repeats: int = 5
    keys: int = 10_000


#: Name -> what it compares. Each is a module of this package with `run(scale) -> list[Table]`.
BENCHMARKS = {
    "check": "a CSV against its contract: the connector, plain reading, validators row by row",
    "shapes": "the connector's check on files that are hard: faults, ragged rows, quotation marks, 200 columns",
    "intake": "the hub's own check of a sealed delivery, and the keys that change hands",
    "encryption": "writing and reading in the vault against plain Parquet and whole-file AES-GCM",
    "linkage": "who is who and who lives with whom: speed, and how often that is right",
    "lookup": "finding a person and opening a household on a linked borough",
    "rotation": "every owner's key under a new root key, and reading meanwhile",
    "audit": "what an audit entry costs a transaction and a request, verifying the log, proofs",
}


def runner(name: str) -> Callable[[Scale], list[Table]]:
    """The function that runs a benchmark; KeyError when there is none of that name."""
    if name not in BENCHMARKS:
        raise KeyError(name)
    run: Callable[[Scale], list[Table]] = import_module(f"benchmarks.{name}").run
    return run
