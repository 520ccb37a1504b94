"""Between the model's scores and the clusters: what must not be joined, and what cannot be decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hub.linkage.agreement import pair_columns
from hub.linkage.clusters import Clusters

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Contradictions", "Edge", "Joined", "Pair", "find_pairs", "join_scored"]

MARGIN = 3.0
"""Bits by which the better of two candidates that cannot both be right must win; otherwise neither is joined."""

LARGEST = 400
"""Nodes in one connected component beyond which its weakest joins are dropped before it is looked at."""

Pair = tuple[int, int]
"""Two nodes."""

Edge = tuple[int, int, float]
"""Two nodes and the weight (bits) of the evidence that they are one person."""

Contradictions = Callable[[list[list[int]]], tuple[list[Pair], list[Pair]]]
"""Finds, within each of some lists of nodes, the pairs that must not be joined and the pairs that are in doubt."""


@dataclass(frozen=True)
class Joined:
    """How many of the model's joins were not made.

    refused: they would have put two values of one identifier kind, or nodes that contradict each other, into one
    cluster, or belonged to a component too large to be anybody; ambiguous: undecided between two candidates.
    """

    refused: int
    ambiguous: int


def find_pairs(
    connection: DuckDBPyConnection, components: Iterable[Iterable[int]], conditions: tuple[str, ...]
) -> tuple[list[Pair], ...]:
    """For each of the `conditions` (of `agreement`) the pairs of nodes within a component for which it holds."""
    nodes, numbers = [], []
    for number, members in enumerate(components):
        for node in members:
            nodes.append(node)
            numbers.append(number)
    table = pa.table({"node": pa.array(nodes, pa.int64()), "component": pa.array(numbers, pa.int64())})
    connection.register("given_components", table)
    rows = connection.execute(
        f"""
        WITH member AS (
            SELECT n.*, m.component, s.people, s.listed FROM given_components AS m JOIN node AS n USING (node)
            LEFT JOIN forename_seen AS s ON s.forename = n.forename
        ), pair AS (
            SELECT l.node AS node_l, r.node AS node_r, l.people AS people_l, r.people AS people_r,
                l.listed AS listed_l, r.listed AS listed_r, {pair_columns()}
            FROM member AS l JOIN member AS r ON l.component = r.component AND l.node < r.node
        ), judged AS (
            SELECT node_l, node_r, {", ".join(f"{c} AS found_{n}" for n, c in enumerate(conditions))} FROM pair
        )
        FROM judged WHERE {" OR ".join(f"found_{n}" for n in range(len(conditions)))} ORDER BY node_l, node_r
        """
    ).fetchall()
    connection.unregister("given_components")
    return tuple([(row[0], row[1]) for row in rows if row[2 + n]] for n in range(len(conditions)))


def join_scored(clusters: Clusters, size: int, edges: list[Edge], find: Contradictions) -> Joined:
    """Make the joins the model proposes, strongest first, as far as the guards let them."""
    edges, crowded = _thin_out(clusters, size, edges)
    apart, doubts = find(_components(clusters, size, edges))
    clusters.keep_apart(apart)
    clusters.weigh(doubts, [(left, right) for left, right, _ in edges])
    dropped = _undecided(edges, apart)
    refused = crowded
    for left, right, _ in sorted(edges, key=lambda edge: (-edge[2], edge[0], edge[1])):
        if (left, right) not in dropped and clusters.join(left, right) in ("identifiers", "contradiction"):
            refused += 1
    return Joined(refused, len(dropped))


def _components(clusters: Clusters, size: int, edges: list[Edge]) -> list[list[int]]:
    """The connected components that edges make of more than one cluster, as lists of nodes."""
    loose = Clusters(size, {})
    for left, right, _ in edges:
        loose.join(clusters.find(left), clusters.find(right))
    roots = {loose.find(clusters.find(left)) for left, _, _ in edges}
    return [[node for root in loose.members(one) for node in clusters.members(root)] for one in sorted(roots)]


def _thin_out(clusters: Clusters, size: int, edges: list[Edge]) -> tuple[list[Edge], int]:
    """Drop the weakest edges of components that are too large to be anybody, until none is."""
    kept, floor = edges, 0.0
    while True:
        large = (nodes for nodes in _components(clusters, size, kept) if len(nodes) > LARGEST)
        crowds = {node for nodes in large for node in nodes}
        inside = [edge for edge in kept if edge[0] in crowds]
        if not inside:
            return kept, len(edges) - len(kept)
        floor = max(floor, min(weight for _, _, weight in inside)) + 2.0
        kept = [edge for edge in kept if edge[0] not in crowds or edge[2] >= floor]


def _undecided(edges: list[Edge], apart: list[Pair]) -> set[Pair]:
    """The edges not to join because a node fits two nodes that cannot both be right, and neither much better."""
    contradicted = {node for pair in apart for node in pair}
    near: dict[int, dict[int, Edge]] = defaultdict(dict)
    for edge in edges:
        left, right, _ = edge
        if left in contradicted:
            near[left][right] = edge
        if right in contradicted:
            near[right][left] = edge
    dropped: set[Pair] = set()
    for one, other in apart:
        for between in near[one].keys() & near[other].keys():
            first, second = near[one][between], near[other][between]
            if abs(first[2] - second[2]) < MARGIN:
                dropped.update({first[:2], second[:2]})
            else:
                dropped.add(min(first, second, key=lambda edge: edge[2])[:2])
    return dropped
