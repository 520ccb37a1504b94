"""Stage one: records that bear the same trusted identifier are one person, unless they plainly are not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.linkage.agreement import CONTRADICTED_IDENTIFIER, pair_columns
from hub.linkage.clusters import Clusters
from hub.linkage.guards import find_pairs
from hub.linkage.prepare import IDENTIFIER_KINDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MOST_VARIANTS", "IdentifierLinks", "link_by_identifiers"]

MOST_VARIANTS = 25
"""More different names and dates than this under one identifier, and it is a filler value, not a person's."""


@dataclass
class IdentifierLinks:
    """What stage one did.

    joins: those it made, as (kind, node, node); bearers: the nodes with an identifier that counts; conflicts: by
    kind, how often identifiers would have joined people whom they must not.
    """

    joins: list[tuple[str, int, int]] = field(default_factory=list)
    bearers: set[int] = field(default_factory=set)
    conflicts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(IDENTIFIER_KINDS, 0))


def link_by_identifiers(connection: DuckDBPyConnection, size: int) -> tuple[Clusters, IdentifierLinks]:
    """Join the nodes that share an identifier; nodes are numbered 0..size-1 in the tables `node` and `bearer`.

    An identifier that joins clearly different people is a conflict: it counts only for those of its bearers who
    agree with each other and hold more than half of its records, and for nobody when there is no such group.
    """
    connection.execute(_BEARER)
    found = IdentifierLinks()
    distrusted = _distrusted(connection, found)
    held: dict[int, dict[str, str]] = defaultdict(dict)
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for kind, value, node in connection.execute("FROM bearer ORDER BY kind, value, node").fetchall():
        if node not in distrusted.get((kind, value), ()):
            held[node][kind] = value
            groups[kind, value].append(node)
    found.bearers.update(held)
    order = {kind: place for place, kind in enumerate(IDENTIFIER_KINDS)}
    proposed = [
        (kind, nodes[0], node)
        for (kind, _), nodes in sorted(groups.items(), key=lambda item: (order[item[0][0]], item[1][0]))
        for node in nodes[1:]
    ]
    clusters = Clusters(size, held)
    (apart,) = find_pairs(connection, _bridged(size, proposed), (CONTRADICTED_IDENTIFIER,))
    clusters.keep_apart(apart)
    for kind, left, right in proposed:
        outcome = clusters.join(left, right)
        if outcome == "joined":
            found.joins.append((kind, left, right))
        elif outcome != "already":
            found.conflicts[kind] += 1
    return clusters, found


def _bridged(size: int, proposed: list[tuple[str, int, int]]) -> list[list[int]]:
    """What two or more identifiers would join together: within one, `_distrusted` has looked already."""
    loose = Clusters(size, {})
    heads: dict[int, set[int]] = defaultdict(set)
    for _, left, right in proposed:
        loose.join(left, right)
    for _, left, _ in proposed:
        heads[loose.find(left)].add(left)
    return [loose.members(root) for root, found in sorted(heads.items()) if len(found) > 1]


_BEARER = f"""
CREATE TABLE bearer AS
SELECT kind, value, node FROM (
    UNPIVOT (SELECT node, {", ".join(IDENTIFIER_KINDS)} FROM node)
    ON {", ".join(IDENTIFIER_KINDS)} INTO NAME kind VALUE value)
"""

_NAMES = (
    "n.forename", "n.middle", "n.forenames", "n.roots", "n.surname", "n.surname_first", "n.surname_last",
    "n.dob", "n.dob_swapped", "n.birth_year", "n.birthday",
)  # fmt: skip

_VARIANT = f"""
CREATE TEMP TABLE variant AS
SELECT kind, value, list(node) AS nodes, sum(rows) AS rows, row_number() OVER () AS variant, {", ".join(_NAMES)},
    max(n.sex) AS sex, max(s.people) AS people, bool_or(s.listed) AS listed
FROM bearer JOIN node AS n USING (node) LEFT JOIN forename_seen AS s ON s.forename = n.forename
GROUP BY kind, value, {", ".join(_NAMES)}
"""

_CONTRADICTING = f"""
WITH crowded AS (SELECT kind, value FROM variant GROUP BY kind, value HAVING count(*) > {MOST_VARIANTS}),
pair AS (
    SELECT l.kind, l.value, l.variant AS left_variant, r.variant AS right_variant,
        l.people AS people_l, r.people AS people_r, l.listed AS listed_l, r.listed AS listed_r, {pair_columns()}
    FROM variant AS l JOIN variant AS r ON l.kind = r.kind AND l.value = r.value AND l.variant < r.variant
    WHERE (l.kind, l.value) NOT IN (SELECT (kind, value) FROM crowded)
)
SELECT kind, value, left_variant, right_variant FROM pair WHERE {CONTRADICTED_IDENTIFIER}
UNION ALL SELECT kind, value, NULL, NULL FROM crowded
"""


def _distrusted(connection: DuckDBPyConnection, found: IdentifierLinks) -> dict[tuple[str, str], set[int]]:
    """For each identifier in conflict, the nodes it says nothing about; counts the conflicts."""
    connection.execute(_VARIANT)
    against: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    for kind, value, left, right in connection.execute(_CONTRADICTING).fetchall():
        against[kind, value].add((left, right))
    distrusted: dict[tuple[str, str], set[int]] = {}
    for (kind, value), pairs in against.items():
        found.conflicts[kind] += 1
        variants = connection.execute(
            "SELECT variant, list_sort(nodes), rows::BIGINT FROM variant WHERE kind = ? AND value = ?",
            [kind, value],
        ).fetchall()
        variants.sort(key=lambda item: item[1])
        distrusted[kind, value] = _outsiders(variants, pairs)
    connection.execute("DROP TABLE variant")
    return distrusted


def _outsiders(variants: list[tuple[int, list[int], int]], pairs: set[tuple[int, int]]) -> set[int]:
    """The nodes outside the consistent group that holds most of an identifier's records; all when none does."""
    everyone = {node for _, nodes, _ in variants for node in nodes}
    if len(variants) > MOST_VARIANTS:
        return everyone
    best: tuple[int, set[int]] = (0, set())
    for seed, _, _ in variants:
        group = [v for v in variants if not {(seed, v[0]), (v[0], seed)} & pairs]
        if any((a[0], b[0]) in pairs for a in group for b in group):
            continue
        rows = sum(v[2] for v in group)
        if rows > best[0]:
            best = (rows, {node for _, nodes, _ in group for node in nodes})
    total = sum(rows for _, _, rows in variants)
    return everyone - best[1] if 2 * best[0] > total else everyone
