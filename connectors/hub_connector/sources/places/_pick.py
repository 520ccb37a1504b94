"""Which file is meant by an address with `*` or `?` in its last part."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ...errors import SourceError

__all__ = ["PICK", "PICKS", "Found", "has_pattern", "pick"]

#: What the option `pick` can say.
PICKS: Final = {
    "newest": "the one changed last",
    "last": "the last by name, for names with a date in them",
    "only": "an error unless exactly one matches",
}
PICK: Final = "which file when the address has * or ?: newest, last (by name) or only"


@dataclass(frozen=True)
class Found:
    """A file that is there: name without folders, bytes, and when it changed (seconds)."""

    name: str
    size: int
    changed: float


def has_pattern(path: str) -> bool:
    """Whether the last part of a path stands for several names."""
    return any(sign in path.rpartition("/")[2] for sign in "*?")


def pick(files: Iterable[Found], pattern: str, how: str, where: str) -> Found:
    """The file meant by a pattern.

    Args:
        files: of the folder.
        pattern: for their names; only `*` and `?` mean something.
        how: a key of PICKS.
        where: the address, for messages.

    Raises:
        SourceError: when none is there, or several are where only one may be.
    """
    matching = [one for one in files if fnmatch.fnmatchcase(one.name, pattern.replace("[", "[[]"))]
    if not matching:
        raise SourceError(f"No file matches {where}.", "Look whether the export has run, and at the pattern.")
    if how == "only" and len(matching) > 1:
        raise SourceError(
            f"{len(matching):,} files match {where}.",
            "Move the old ones away, or say which: pick = newest or last.",
        )
    if how == "last":
        return max(matching, key=lambda one: one.name)
    return max(matching, key=lambda one: (one.changed, one.name))
