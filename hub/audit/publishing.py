"""Checkpoints in a folder outside the hub: the newest, and the last of each day.

What was published is evidence. A checkpoint is written over only by one of a log that begins with it; whoever rolled
the database back, or wrote another past, finds the earlier checkpoint still there.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.audit.checkpoint import Checkpoint, CheckpointError, read_unverified
from hub.audit.proofs import ProofError
from hub.audit.subtrees import Hashes
from hub.errors import Conflict, NotFound, Unavailable
from hub.storage.database import Database

__all__ = ["NEWEST", "is_older", "publish", "published"]

NEWEST: Final = "checkpoint.txt"
_NEXT = "Run hub audit verify --checkpoint FILE with it, and keep it: it may show that the log was bent."


def published(folder: Path) -> list[str]:
    """The checkpoints that lie in such a folder.

    Raises:
        NotFound: when the folder cannot be read: what was not compared must not look as if it had been.
    """
    try:
        files = sorted([*folder.glob("checkpoint-*.txt"), folder / NEWEST])
        if not folder.is_dir():
            raise FileNotFoundError
        return [file.read_text(encoding="utf-8", errors="replace") for file in files if file.exists()]
    except OSError as error:
        raise NotFound(
            f"The folder of published checkpoints (setting audit_publish) cannot be read ({type(error).__name__}). "
            "Bring it back, or take the setting away, and verify again."
        ) from None


def publish(database: Database, folder: Path, note: str, origin: str, now: datetime) -> Path:
    """Write a checkpoint into the folder, as the newest and as the day's; returns the newest's file.

    Raises:
        Conflict: when the log contradicts what lies there, which is left as it is.
        Unavailable: when the folder cannot be written.
    """
    newest = folder / NEWEST
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = newest.read_text(encoding="utf-8", errors="replace") if newest.exists() else ""
        if before and not is_older(database, before, note, origin):
            return newest
        _write(folder / f"checkpoint-{now.astimezone(UTC):%Y-%m-%d}.txt", note)
        _write(newest, note)
    except OSError as error:
        raise Unavailable(
            f"The checkpoint could not be written to its folder ({type(error).__name__}). Look whether the folder is "
            "there and the hub may write to it; the next checkpoint is tried again."
        ) from None
    return newest


def is_older(database: Database, before: str, note: str, origin: str) -> bool:
    """Whether a checkpoint taken earlier is of a smaller log than this one's (not the same, nor a larger one).

    The database is asked after `before` was taken, so an honest log reaches at least as far.

    Raises:
        Conflict: when the log does not begin with what the earlier checkpoint covers.
    """
    try:
        earlier, ours = read_unverified(before), read_unverified(note)
    except CheckpointError as error:
        raise Conflict(f"What was published before cannot be read: {error}. {_NEXT}") from None
    if earlier.origin != origin:
        raise Conflict(
            f"What was published before is of another log, {earlier.origin}. Give each hub a folder of its own."
        )
    if not _begins_with(database, earlier):
        raise Conflict(
            f"The log does not begin with what was published before ({earlier.size} entries). {_NEXT}"
        )
    return earlier.size < ours.size


def _begins_with(database: Database, earlier: Checkpoint) -> bool:
    if earlier.size == 0:
        return True
    with database.read() as session:
        try:
            return Hashes(session).root_of(0, earlier.size) == earlier.root
        except ProofError:
            return False


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
