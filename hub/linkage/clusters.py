"""Growing clusters of nodes join by join, each join checked against what the whole clusters know.

Connected components alone chain: A resembles B, B resembles C, and father and son end up as one person. Here joins
are made strongest first, and refused when the two clusters hold different numbers of one identifier kind, when any
two of their nodes must not be one person, or when doubts between them are not outweighed by resemblances.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Clusters"]

Pairs = Iterable[tuple[int, int]]

# Numbers without a check digit are written down wrong unnoticed; two of them a slip apart are no proof of two people.
_UNCHECKED = frozenset({"nino"})


class Clusters:
    """Disjoint sets over nodes 0..size-1 with guards.

    `identifiers` has a mapping kind -> value for each node that bears trusted identifiers.
    """

    def __init__(self, size: int, identifiers: dict[int, dict[str, str]]) -> None:
        self._parent = list(range(size))
        self._members: dict[int, list[int]] = {}
        self._identifiers = {node: {k: {v} for k, v in held.items()} for node, held in identifiers.items()}
        self._apart: dict[int, set[int]] = {}
        self._doubts: dict[int, list[int]] = {}
        self._likenesses: dict[int, list[int]] = {}

    def find(self, node: int) -> int:
        """The node that stands for the cluster of `node`."""
        parent = self._parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def members(self, root: int) -> list[int]:
        """The nodes of the cluster that `root` stands for."""
        return self._members.get(root) or [root]

    def identifiers(self) -> list[tuple[int, dict[str, set[str]]]]:
        """The clusters that bear identifiers: the node that stands for each, and kind -> values."""
        return sorted(self._identifiers.items())

    def keep_apart(self, pairs: Pairs) -> None:
        """From now on refuse joins that would bring both nodes of any of these pairs into one cluster."""
        for left, right in pairs:
            one, other = self.find(left), self.find(right)
            if one != other:
                self._apart.setdefault(one, set()).add(right)
                self._apart.setdefault(other, set()).add(left)

    def weigh(self, doubts: Pairs, likenesses: Pairs) -> None:
        """From now on refuse joins across which there are at least as many of the doubts as of the likenesses."""
        for pairs, kept in ((doubts, self._doubts), (likenesses, self._likenesses)):
            for left, right in pairs:
                kept.setdefault(self.find(left), []).append(right)
                kept.setdefault(self.find(right), []).append(left)

    def join(self, left: int, right: int) -> str:
        """Join the clusters of two nodes, or say why not.

        Returns "joined", "already", "identifiers" (two values of one kind) or "contradiction".
        """
        one, other = self.find(left), self.find(right)
        if one == other:
            return "already"
        if self._clash(one, other):
            return "identifiers"
        if self._must_not(one, other) or self._outweighed(one, other):
            return "contradiction"
        self._merge(one, other)
        return "joined"

    def _clash(self, one: int, other: int) -> bool:
        held, more = self._identifiers.get(one), self._identifiers.get(other)
        if not held or not more:
            return False
        return any(
            first != second and not (kind in _UNCHECKED and _digits_swapped(first, second))
            for kind in held.keys() & more.keys()
            for first in held[kind]
            for second in more[kind]
        )

    def _must_not(self, one: int, other: int) -> bool:
        apart = self._apart.get(one)
        return apart is not None and not apart.isdisjoint(self.members(other))

    def _outweighed(self, one: int, other: int) -> bool:
        doubts = self._across(self._doubts, one, other)
        return doubts > 0 and doubts >= self._across(self._likenesses, one, other)

    def _across(self, pairs: dict[int, list[int]], one: int, other: int) -> int:
        """How many of these pairs have an end in each of the two clusters."""
        ends, others = pairs.get(one, []), pairs.get(other, [])
        if len(ends) > len(others):
            ends, one, other = others, other, one
        return sum(self.find(end) == other for end in ends)

    def _merge(self, one: int, other: int) -> None:
        if len(self.members(one)) < len(self.members(other)):
            one, other = other, one
        merged = self.members(one)
        merged.extend(self.members(other))
        self._members[one] = merged
        self._members.pop(other, None)
        self._parent[other] = one
        for kind, values in self._identifiers.pop(other, {}).items():
            self._identifiers.setdefault(one, {}).setdefault(kind, set()).update(values)
        if apart := self._apart.pop(other, None):
            self._apart.setdefault(one, set()).update(apart)
        for kept in (self._doubts, self._likenesses):
            if ends := kept.pop(other, None):
                kept.setdefault(one, []).extend(ends)


def _digits_swapped(one: str, other: str) -> bool:
    """Whether two texts differ by two neighbouring characters that changed places."""
    if len(one) != len(other):
        return False
    at = [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    return len(at) == 2 and at[1] == at[0] + 1 and one[at[0]] == other[at[1]] and one[at[1]] == other[at[0]]
