"""Why records were put together: kept join by join, without the values that were compared."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hub.errors import NotFound
from hub.linkage.fields import FIELDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from hub.linkage.identifiers import IdentifierLinks

__all__ = ["JOINS", "Evidence", "Step", "collect_joins", "explain_pair"]

JOINS: pa.Schema = pa.schema(
    [
        pa.field("left", pa.string(), nullable=False),
        pa.field("right", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        ("weight", pa.float64()),
        ("probability", pa.float64()),
    ]
    + [
        pa.field(name, kind)
        for field in FIELDS
        for name, kind in ((field.name, pa.float64()), (f"{field.name}_agreement", pa.string()))
    ]
)
"""Pairs of record keys of one person and what joined them. `rule`: an identifier kind, "identical" (the same details
in the same dataset) or "model"; for the model its weight in bits, its probability, and for each field the bits it
gave (how common the value is included) and how it agreed."""


@dataclass(frozen=True)
class Evidence:
    """What one field said for a join: how it agreed, and how many bits that was worth (negative: against)."""

    field: str
    agreement: str
    bits: float


@dataclass(frozen=True)
class Step:
    """One join on the way from a record to another: its rule and, for the model, what each field said."""

    left: str
    right: str
    rule: str
    weight: float | None
    probability: float | None
    evidence: tuple[Evidence, ...]


def collect_joins(connection: DuckDBPyConnection, exact: IdentifierLinks) -> pa.Table:
    """The joins within the clusters of table `assigned` (node, cluster), from stage one and from table `scored`."""
    kinds, left, right = zip(*exact.joins, strict=True) if exact.joins else ((), (), ())
    found = {"rule": pa.array(kinds, pa.string()), "node_l": pa.array(left, pa.int64())}
    connection.register("given_exact", pa.table(found | {"node_r": pa.array(right, pa.int64())}))
    nothing = ", ".join("NULL" for _ in range(2 + 2 * len(FIELDS)))
    evidence = ", ".join(f"{field.name}, {field.name}_agreement" for field in FIELDS)
    sql = f"""
        WITH lead AS (SELECT node, record_key FROM cleaned WHERE leads)
        SELECT l.record_key, r.record_key, rule, {nothing}
        FROM given_exact AS e JOIN lead AS l ON l.node = e.node_l JOIN lead AS r ON r.node = e.node_r
        UNION ALL
        SELECT l.record_key, c.record_key, 'identical', {nothing}
        FROM cleaned AS c JOIN lead AS l USING (node) WHERE NOT c.leads
        UNION ALL
        SELECT l.record_key, r.record_key, 'model', weight, probability, {evidence}
        FROM scored AS s JOIN assigned AS a ON a.node = node_l
            JOIN assigned AS b ON b.node = node_r AND b.cluster = a.cluster
            JOIN lead AS l ON l.node = s.node_l JOIN lead AS r ON r.node = s.node_r
        ORDER BY 1, 2, 3
    """
    table = connection.sql(sql).to_arrow_table()
    connection.unregister("given_exact")
    return table.rename_columns(JOINS.names).cast(JOINS)


def explain_pair(joins: pa.Table, left: str, right: str) -> tuple[Step, ...]:
    """The shortest chain of joins that makes two records one person, strongest first among equals.

    joins: JOINS, as linkage returned it; left, right: record keys. Empty for the same record twice; raises NotFound
    when nothing joins the two, which is so for records of different people.
    """
    if left == right:
        return ()
    by_record: dict[str, list[int]] = {}
    ends = (joins["left"].to_pylist(), joins["right"].to_pylist())
    weights = joins["weight"].to_pylist()
    for side in ends:
        for place, key in enumerate(side):
            by_record.setdefault(key, []).append(place)
    came: dict[str, tuple[str, int]] = {}
    waiting = deque([left])
    while waiting and right not in came:
        here = waiting.popleft()
        # Rules that need no weighing come before the model, and heavy evidence before light.
        for place in sorted(by_record.get(here, ()), key=lambda at: -(weights[at] or float("inf"))):
            there = ends[1][place] if ends[0][place] == here else ends[0][place]
            if there not in came and there != left:
                came[there] = (here, place)
                waiting.append(there)
    if right not in came:
        raise NotFound(
            "Nothing joins these two records: they are of different people, or not in this linkage."
        )
    chain: list[Step] = []
    at = right
    while at != left:
        before, place = came[at]
        chain.append(_step(joins, place, before, at))
        at = before
    return tuple(reversed(chain))


def _step(joins: pa.Table, place: int, left: str, right: str) -> Step:
    row = joins.slice(place, 1).to_pylist()[0]
    evidence = tuple(
        Evidence(field.name, row[f"{field.name}_agreement"], row[field.name])
        for field in FIELDS
        if row[field.name] is not None
    )
    return Step(left, right, row["rule"], row["weight"], row["probability"], evidence)
