"""Verifying the log: every hash is made again and compared with every checkpoint, stored and published.

The same walk serves the database and an export that was taken elsewhere. Memory is bounded, whatever the log's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.audit.checkpoint import Checkpoint, CheckpointError, verify_any
from hub.audit.merkle import TILE, TILE_HEIGHT, CompactRange, Subtree, perfect_root
from hub.audit.rows import Subjects, check_rows, sealed_rows, waiting_rows
from hub.audit.subtrees import stored
from hub.audit.tables import CheckpointRow, SubtreeRow
from hub.audit.vouching import Vouching

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["Progress", "Verification", "Walk", "verify_log"]

#: Told how many entries are done, of how many.
Progress = Callable[[int, int], None]
_MOST_PROBLEMS: Final = 1000


@dataclass
class Verification:
    """What verifying found; `problems` is empty when everything holds. After 1,000, `more` only counts them."""

    entries: int = 0
    sealed: int = 0
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)
    more: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.problems

    def report(self, problem: str) -> None:
        """Note what does not hold."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more += 1


class Walk:
    """Goes along the leaves and compares the tree with checkpoints as it passes them.

    `keys` is the key that signs this log, or all that did, oldest first. Once one has signed, no earlier one may: who
    steals an old key can neither extend the log nor sign another past of the part that newer keys cover.
    """

    def __init__(
        self, origin: str, keys: Sequence[Ed25519PublicKey], found: Verification, published: Iterable[str]
    ) -> None:
        self.tree = CompactRange()
        self._origin, self._keys, self._found = origin, keys, found
        self._ends: dict[int, int] = {}
        self._last_stored = 0
        self._published = [
            read for note in published if (read := self._read(note, "A published checkpoint")) is not None
        ]
        self._roots: dict[int, bytes] = {}

    def add(self, hashes: Sequence[bytes], notes: Sequence[tuple[int, str, bytes]] = ()) -> list[Subtree]:
        """Go on over some leaves; `notes` are the stored checkpoints on the way: size, note and compact range.

        Returns the tiles that were completed.
        """
        stops = {size: (note, roots) for size, note, roots in notes}
        if len(stops) != len(notes):
            self._found.report("There are two checkpoints of one size.")
        wanted = {checkpoint.size for checkpoint, _ in self._published}
        ahead = sorted(
            size for size in wanted | stops.keys() if self.tree.size < size <= self.tree.size + len(hashes)
        )
        done: list[Subtree] = []
        place = 0
        for stop in [*ahead, self.tree.size + len(hashes)]:
            part = hashes[place : place + stop - self.tree.size]
            place += len(part)
            done += self._append(part)
            if stop in wanted:
                self._roots[stop] = self.tree.root()
            if stop in stops:
                self._compare(stop, *stops.pop(stop))
        for size in stops:
            self._found.report(f"The checkpoint of size {size} stands where there are no entries.")
        return done

    def _append(self, hashes: Sequence[bytes]) -> list[Subtree]:
        tree, place, done = self.tree, 0, []
        while place < len(hashes):
            if tree.size % TILE == 0 and len(hashes) - place >= TILE:
                done += tree.append_tile(perfect_root(hashes[place : place + TILE]))
                place += TILE
            else:
                done += tree.append(hashes[place])
                place += 1
        return done

    def _compare(self, size: int, note: str, roots: bytes) -> None:
        """A stored checkpoint with the tree as it is at its size."""
        self._found.checkpoints += 1
        self._last_stored = size
        read = self._read(note, f"The checkpoint of size {size}")
        if read is None:
            return
        checkpoint, signer = read
        if checkpoint.size != size:
            self._found.report(f"The checkpoint stored for size {size} says {checkpoint.size}.")
        elif checkpoint.root != self.tree.root():
            self._found.report(f"The checkpoint of size {size} does not match the entries before it.")
        if roots and roots != b"".join(self.tree.roots):
            self._found.report(f"The hashes kept with the checkpoint of size {size} are not the log's.")
        self._check_signer(checkpoint, signer)
        for earlier in range(signer):
            self._ends.setdefault(earlier, checkpoint.size)

    def _read(self, note: str, name: str) -> tuple[Checkpoint, int] | None:
        try:
            return verify_any(note, self._origin, self._keys)
        except CheckpointError as error:
            self._found.report(f"{name}: {error}.")
            return None

    def _check_signer(self, checkpoint: Checkpoint, signer: int) -> None:
        if checkpoint.size > self._ends.get(signer, checkpoint.size):
            self._found.report(
                f"The checkpoint of size {checkpoint.size} is signed with a key that had been followed by another."
            )

    def beyond(self, size: int) -> None:
        """Tell of a stored checkpoint that covers more than there is."""
        self._found.checkpoints += 1
        self._found.report(
            f"The checkpoint of size {size} covers entries that are gone: the log has {self.tree.size}."
        )

    def finish(self) -> None:
        """The whole tree must be covered, and begin with every tree that was published."""
        size = self._found.sealed = self.tree.size
        if size and self._last_stored != size:
            self._found.report(f"No checkpoint covers the {size} sealed entries: one was removed.")
        for checkpoint, signer in self._published:
            name = f"The published checkpoint of size {checkpoint.size}"
            self._check_signer(checkpoint, signer)
            if checkpoint.size > size:
                self._found.report(f"{name} covers entries that are gone: the log has {size}.")
            elif self._roots.get(checkpoint.size, CompactRange().root()) != checkpoint.root:
                self._found.report(f"{name} does not match the entries before it.")


def verify_log(
    session: Session,
    origin: str,
    keys: Ed25519PublicKey | Sequence[Ed25519PublicKey],
    published: Iterable[str] = (),
    progress: Progress = lambda done, total: None,
) -> Verification:
    """Recompute every hash and compare with every checkpoint, stored and `published` (signed notes).

    `keys` as for `Walk`. The session must be fresh: on PostgreSQL the whole is read as it is at one moment.

    Detected: entries edited, deleted, reordered or inserted among sealed ones; columns, people's references or kept
    hashes that disagree with the entries; checkpoints forged or removed; a database rolled back behind a published
    checkpoint. Where the session carries the hub's key (`hub.audit.vouching`), also entries that the hub did not write,
    and those changed before they were sealed.
    """
    if session.get_bind().dialect.name == "postgresql" and not session.in_transaction():
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    found = Verification()
    walk = Walk(origin, list(keys) if isinstance(keys, Sequence) else [keys], found, published)
    subjects, vouching = Subjects(session), Vouching(session)
    try:
        _sealed(session, walk, (subjects, vouching), found, progress)
        for rows in waiting_rows(session):
            check_rows(rows, subjects, vouching, found.report)
            found.entries += len(rows)
        subjects.finish(found.report)
    except (TypeError, ValueError, AttributeError) as error:
        found.report(
            f"The log cannot be read from place {walk.tree.size} on: a row holds what no hub writes "
            f"({type(error).__name__})."
        )
    for size in session.scalars(select(CheckpointRow.size).where(CheckpointRow.size > walk.tree.size)):
        walk.beyond(size)
    walk.finish()
    return found


def _sealed(
    session: Session, walk: Walk, checks: tuple[Subjects, Vouching], found: Verification, progress: Progress
) -> None:
    tree, gaps = walk.tree, 0
    total = session.scalar(select(func.max(CheckpointRow.size))) or 0
    for rows in sealed_rows(session):
        if rows[-1][0] != tree.size + gaps + len(rows) - 1 or rows[0][0] < 0:
            gaps += _find_gaps(rows, tree.size + gaps, found)
        notes = session.execute(
            select(CheckpointRow.size, CheckpointRow.note, CheckpointRow.roots).where(
                CheckpointRow.size > tree.size, CheckpointRow.size <= tree.size + len(rows)
            )
        )
        tiles = walk.add(check_rows(rows, *checks, found.report), list(notes))
        for tile in sorted(set(tiles) - stored(session, tiles)):
            first = tile.place << tile.level
            found.report(f"The hash kept for {1 << tile.level} entries from place {first} is not theirs.")
        found.entries += len(rows)
        progress(tree.size, max(total, tree.size))
    kept = session.scalar(select(func.count()).select_from(SubtreeRow)) or 0
    levels = range(TILE_HEIGHT, tree.size.bit_length(), TILE_HEIGHT)
    if kept > sum(tree.size >> level for level in levels):
        found.report("Hashes are kept for entries that are not there.")


def _find_gaps(rows: Sequence[Sequence[int]], expected: int, found: Verification) -> int:
    """Tell where places are missing or used twice; returns how many are missing."""
    missing = 0
    for row in rows:
        if row[0] != expected:
            found.report(f"An entry is missing or out of place at {expected}.")
            missing += row[0] - expected
        expected = row[0] + 1
    return missing
