"""Merkle tree hashing of RFC 9162 section 2.1, with SHA-256, kept as a compact range.

A compact range is the list of roots of the perfect subtrees that make up a tree, left to right: enough to
append and to know the root, in O(log n) memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

__all__ = ["EMPTY_ROOT", "TILE", "CompactRange", "Subtree", "leaf_hash", "node_hash", "perfect_root"]

EMPTY_ROOT = sha256(b"").digest()
#: A tile is a perfect subtree of so many leaves; the roots of tiles, of tiles of tiles and so on are kept.
TILE_HEIGHT = 8
TILE = 1 << TILE_HEIGHT


class Subtree(NamedTuple):
    """The root of the perfect subtree over the leaves from `place << level` up to `(place + 1) << level`."""

    level: int
    place: int
    root: bytes


def leaf_hash(entry: bytes) -> bytes:
    """`HASH(0x00 || entry)`."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """`HASH(0x01 || left || right)`."""
    return sha256(b"\x01" + left + right).digest()


def perfect_root(nodes: Sequence[bytes]) -> bytes:
    """The root over 1, 2, 4, 8 ... nodes of one level, in bulk.

    Raises:
        ValueError: when their number is no power of two.
    """
    if not nodes or len(nodes) & (len(nodes) - 1):
        raise ValueError(f"{len(nodes)} nodes are no perfect subtree")
    while len(nodes) > 1:
        pairs = zip(nodes[::2], nodes[1::2], strict=True)
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return nodes[0]


class CompactRange:
    """The state of a tree of `size` leaves."""

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size = size
        self.roots = list(roots)
        if len(self.roots) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} perfect subtrees")

    def append(self, leaf: bytes) -> list[Subtree]:
        """Add one leaf hash at the right; returns the tiles (of leaves, of tiles ...) that it completed."""
        return self._merge(leaf, 0)

    def append_tile(self, root: bytes) -> list[Subtree]:
        """Add a whole tile by its root, where the size is a multiple of its own; returns what `append` would have.

        Raises:
            ValueError: when the last tile is not full.
        """
        if self.size % TILE:
            raise ValueError("the last tile is not full")
        return [Subtree(TILE_HEIGHT, self.size >> TILE_HEIGHT, root), *self._merge(root, TILE_HEIGHT)]

    def _merge(self, node: bytes, level: int) -> list[Subtree]:
        rest, done = self.size >> level, []
        self.size += 1 << level
        while rest & 1:
            node = node_hash(self.roots.pop(), node)
            rest >>= 1
            level += 1
            if level % TILE_HEIGHT == 0:
                done.append(Subtree(level, rest, node))
        self.roots.append(node)
        return done

    def root(self) -> bytes:
        """The tree's root hash."""
        if not self.roots:
            return EMPTY_ROOT
        node = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            node = node_hash(left, node)
        return node
