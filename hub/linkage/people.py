"""Who is who: the person index over the records of every dataset.

records -> nodes (one for each different description of a person)
-> stage one: joined by trusted identifiers, conflicts left alone
-> stage two: one Splink model scores pairs, guards refuse what contradicts
-> person ids, carried over from the index before
-> best-known values of each person
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.errors import Invalid
from hub.linkage.agreement import DOUBT, VETO
from hub.linkage.carryover import Carried, carry_over
from hub.linkage.clusters import Clusters
from hub.linkage.guards import Joined, Pair, find_pairs, join_scored
from hub.linkage.identifiers import IdentifierLinks, link_by_identifiers
from hub.linkage.joins import JOINS, collect_joins
from hub.linkage.model import Scored, score_pairs
from hub.linkage.prepare import RECORDS, check_records, prepare, private_database
from hub.linkage.survivorship import PEOPLE, best_known

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["INDEX", "JOINS", "PEOPLE", "RECORDS", "LinkSummary", "PeopleLinked", "link_people"]

INDEX: pa.Schema = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("version_id", pa.string(), nullable=False),
        pa.field("row_number", pa.int64(), nullable=False),
        pa.field("person_id", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        ("probability", pa.float64()),
    ]
)
"""A row a record. `method`: "identifier" (shares a trusted identifier with another record of the person), "model"
(joined by resemblance; `probability` is the model's for its best join) or "single" (the person's only record)."""


@dataclass(frozen=True)
class LinkSummary:
    """What linking did, in numbers without names.

    records: all that were given; without_person: those that describe nobody (they are not in the index);
    descriptions: different ones among the rest; by_identifier, by_model, single: indexed records by method;
    conflicts: identifiers that would have joined clearly different people; refused: joins of the model that a guard
    stopped; ambiguous: joins not made because two candidates contradict each other and neither is much better;
    kept, new, gone: person ids that stayed, were minted, and are no longer used; trained: whether parameters were
    estimated from these records or the fixed ones stood.
    """

    records: int
    without_person: int
    descriptions: int
    people: int
    by_identifier: int
    by_model: int
    single: int
    conflicts: dict[str, int]
    refused: int
    ambiguous: int
    kept: int
    new: int
    gone: int
    trained: bool


@dataclass(frozen=True)
class PeopleLinked:
    """The person index and what it rests on.

    index: INDEX, ordered by record_key; people: PEOPLE, best-known values; joins: JOINS, why records were put
    together, without values; model: settings and parameters, fit for JSON, without values.
    """

    index: pa.Table
    people: pa.Table
    joins: pa.Table
    model: dict[str, Any]
    summary: LinkSummary


def link_people(
    records: pa.Table,
    previous: pa.Table | None = None,
    *,
    seed: int = 1,
    progress: Callable[[str], None] = lambda message: None,
    memory_mb: int = 1024,
    threads: int = 2,
) -> PeopleLinked:
    """Decide which records (RECORDS) are of one person.

    previous: the index before (at least record_key and person_id); ids are carried over from it. The same records,
    previous index and seed give the same people; ids that are new are random. Works in memory only, in at most
    `memory_mb` beside the tables given and returned. Raises Invalid for tables that are not as described,
    Unavailable when memory does not suffice.
    """
    records = check_records(records)
    before = _previous_ids(previous)
    with private_database(memory_mb=memory_mb, threads=threads) as connection:
        progress(f"Comparing {len(records):,} records")
        prepare(connection, records)
        size = connection.execute("SELECT count(*) FROM node").fetchall()[0][0]
        clusters, exact = link_by_identifiers(connection, size)
        progress(f"Identifiers joined {len(exact.joins):,} of {size:,} different descriptions")
        scored, joined = _link_by_model(connection, clusters, size, seed)
        progress(f"The model proposed {scored.pairs.num_rows:,} joins; guards refused {joined.refused:,}")
        carried = _assign(connection, clusters, size, before, exact, scored)
        index = connection.sql(_INDEX_SQL, params=[scored.identical]).to_arrow_table().cast(INDEX)
        progress(f"{len(carried.ids):,} people; finding what is best known of each")
        people = best_known(connection)
        joins = collect_joins(connection, exact)
    summary = _summarise(records, size, index, exact, joined, carried, before, scored)
    return PeopleLinked(index, people, joins, scored.model, summary)


def _previous_ids(previous: pa.Table | None) -> dict[str, str]:
    if previous is None:
        return {}
    if not {"record_key", "person_id"} <= set(previous.column_names):
        raise Invalid(
            "The index before lacks record_key or person_id; give the index of the last linkage, or none."
        )
    return dict(zip(previous["record_key"].to_pylist(), previous["person_id"].to_pylist(), strict=True))


def _link_by_model(
    connection: DuckDBPyConnection, clusters: Clusters, size: int, seed: int
) -> tuple[Scored, Joined]:
    """Stage two: score pairs of descriptions that stage one left apart, and make the joins that stand."""
    _keep(connection, "tied", {"node": range(size), "known": [clusters.find(node) for node in range(size)]})
    scored = score_pairs(connection, seed=seed)
    edges = list(
        zip(*(scored.pairs[name].to_pylist() for name in ("node_l", "node_r", "weight")), strict=True)
    )
    return scored, join_scored(clusters, size, edges, partial(_contradictions, connection))


def _contradictions(
    connection: DuckDBPyConnection, components: list[list[int]]
) -> tuple[list[Pair], list[Pair]]:
    apart, doubts = find_pairs(connection, components, (VETO, DOUBT))
    return apart, doubts


def _assign(
    connection: DuckDBPyConnection,
    clusters: Clusters,
    size: int,
    before: dict[str, str],
    exact: IdentifierLinks,
    scored: Scored,
) -> Carried:
    """Give each cluster its person id; leaves the tables `assigned`, `scored`, `person` and `trusted` behind."""
    joined = {node for _, left, right in exact.joins for node in (left, right)}
    roots = [clusters.find(node) for node in range(size)]
    _keep(
        connection,
        "assigned",
        {
            "node": range(size),
            "cluster": roots,
            "bears": [int(node in exact.bearers) for node in range(size)],
            "joined": [int(node in joined) for node in range(size)],
        },
    )
    connection.register("given_scored", scored.pairs)
    connection.execute("CREATE TABLE scored AS FROM given_scored")
    connection.unregister("given_scored")
    groups = connection.execute(_KEYS_SQL).fetchall()
    carried = carry_over([keys for _, keys in groups], before)
    _keep(connection, "person", {"cluster": [root for root, _ in groups]}, {"person_id": carried.ids})
    held = [
        (root, min(found["nhs_number"])) for root, found in clusters.identifiers() if "nhs_number" in found
    ]
    _keep(
        connection, "trusted", {"cluster": [r for r, _ in held]}, {"nhs_number": [value for _, value in held]}
    )
    return carried


def _keep(
    connection: DuckDBPyConnection,
    name: str,
    numbers: dict[str, Sequence[int]],
    texts: dict[str, Sequence[str | None]] | None = None,
) -> None:
    """Make a table of the database from columns of numbers and texts."""
    columns = {column: pa.array(values, pa.int64()) for column, values in numbers.items()}
    columns |= {column: pa.array(values, pa.string()) for column, values in (texts or {}).items()}
    connection.register("given_columns", pa.table(columns))
    connection.execute(f"CREATE TABLE {name} AS FROM given_columns")
    connection.unregister("given_columns")


_KEYS_SQL = """
SELECT cluster, list(record_key ORDER BY record_key) AS keys
FROM cleaned JOIN assigned USING (node) GROUP BY cluster ORDER BY keys[1]
"""

_INDEX_SQL = """
WITH counted AS (SELECT cluster, count(*) AS records FROM cleaned JOIN assigned USING (node) GROUP BY cluster),
within AS (
    SELECT node_l, node_r, s.probability FROM scored AS s
    JOIN assigned AS a ON a.node = node_l JOIN assigned AS b ON b.node = node_r AND a.cluster = b.cluster
), best AS (
    SELECT node, max(probability) AS probability FROM (
        SELECT node_l AS node, probability FROM within UNION ALL SELECT node_r, probability FROM within) GROUP BY node
), judged AS (
    SELECT c.*, cluster, b.probability, CASE WHEN n.records = 1 THEN 'single'
        WHEN a.joined = 1 OR (a.bears = 1 AND c.rows > 1) THEN 'identifier' ELSE 'model' END AS method
    FROM cleaned AS c JOIN assigned AS a USING (node) JOIN counted AS n USING (cluster) LEFT JOIN best AS b USING (node)
)
SELECT record_key, dataset, version_id, row_number, person_id, method,
    CASE WHEN method = 'model' THEN coalesce(probability, ?) END AS probability
FROM judged JOIN person USING (cluster) ORDER BY record_key
"""


def _summarise(
    records: pa.Table,
    size: int,
    index: pa.Table,
    exact: IdentifierLinks,
    joined: Joined,
    carried: Carried,
    before: dict[str, str],
    scored: Scored,
) -> LinkSummary:
    methods = Counter(index["method"].to_pylist())
    return LinkSummary(
        records=len(records),
        without_person=len(records) - len(index),
        descriptions=size,
        people=len(carried.ids),
        by_identifier=methods["identifier"],
        by_model=methods["model"],
        single=methods["single"],
        conflicts=exact.conflicts,
        refused=joined.refused,
        ambiguous=joined.ambiguous,
        kept=carried.kept,
        new=carried.new,
        gone=len(set(before.values())) - carried.kept,
        trained=scored.trained,
    )
