"""The hashes from which proofs are made: leaf hashes of the entries, and the kept roots of whole tiles above them.

One proof over n leaves reads at most two tiles of 256 hashes for each factor of 256 in n, whatever n is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from hub.audit.merkle import TILE, TILE_HEIGHT, Subtree, node_hash, perfect_root
from hub.audit.proofs import ProofError
from hub.audit.tables import EntryRow, SubtreeRow

__all__ = ["Hashes", "keep", "stored"]


def keep(session: Session, subtrees: Sequence[Subtree]) -> None:
    """Write down the roots of tiles that are complete; they never change.

    What stands there already was not put there by the hub, and must not keep it from sealing.
    """
    for level in {item.level for item in subtrees}:
        first = min(item.place for item in subtrees if item.level == level)
        session.execute(delete(SubtreeRow).where(SubtreeRow.level == level, SubtreeRow.place >= first))
    if subtrees:
        session.execute(insert(SubtreeRow), [item._asdict() for item in subtrees])


def stored(session: Session, subtrees: Iterable[Subtree]) -> set[Subtree]:
    """Which of these tiles are kept with this root. They are asked for in one query for each level."""
    wanted = set(subtrees)
    found: set[Subtree] = set()
    for level in {item.level for item in wanted}:
        places = [item.place for item in wanted if item.level == level]
        query = select(SubtreeRow.level, SubtreeRow.place, SubtreeRow.root).where(
            SubtreeRow.level == level, SubtreeRow.place.between(min(places), max(places))
        )
        found |= {Subtree(row.level, row.place, bytes(row.root)) for row in session.execute(query)}
    return found & wanted


class Hashes:
    """Roots over ranges of sealed leaves, as `hub.audit.proofs` asks for them; each tile is read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tiles: dict[tuple[int, int], dict[int, bytes]] = {}

    def root_of(self, start: int, stop: int) -> bytes:
        """The root over the leaves from `start` up to `stop`; `start` must begin a subtree that holds them.

        Raises:
            ProofError: when hashes are missing: there are fewer leaves, or the log was bent.
        """
        roots = []
        while start < stop:
            level = (stop - start).bit_length() - 1
            roots.append(self._perfect(level, start >> level))
            start += 1 << level
        return reduce(lambda right, left: node_hash(left, right), reversed(roots))

    def _perfect(self, level: int, place: int) -> bytes:
        base = level // TILE_HEIGHT * TILE_HEIGHT
        many = 1 << (level - base)
        first = place * many
        tile = self._tile(base, first // TILE)
        nodes = [tile[number] for number in range(first, first + many) if number in tile]
        if len(nodes) != many:
            raise ProofError(f"hashes of entries from {place << level} are missing; run: hub audit verify")
        return perfect_root(nodes)

    def _tile(self, level: int, number: int) -> dict[int, bytes]:
        key = (level, number)
        if key not in self._tiles:
            first, last = number * TILE, number * TILE + TILE - 1
            if level == 0:
                query = select(EntryRow.leaf_index, EntryRow.leaf_hash).where(
                    EntryRow.leaf_index.between(first, last)
                )
            else:
                query = select(SubtreeRow.place, SubtreeRow.root).where(
                    SubtreeRow.level == level, SubtreeRow.place.between(first, last)
                )
            self._tiles[key] = {place: bytes(root) for place, root in self._session.execute(query)}
        return self._tiles[key]
