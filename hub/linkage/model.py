"""Stage two: one Splink model of how descriptions of one person differ, and of how those of strangers agree.

u comes from random pairs and, for exact agreement, from how often each value occurs; m from expectation maximisation
on pairs that agree on something else. With too few records the parameters of `fields` stand as they are.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.linkage.fields import CANDIDATES, FIELDS, TRAINING, Field

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from splink import DuckDBAPI, Linker

__all__ = ["FEWEST_TO_TRAIN", "THRESHOLD", "Scored", "score_pairs"]

FEWEST_TO_TRAIN = 500
"""With fewer nodes than this nothing is estimated, and values are not weighed by how common they are."""

THRESHOLD = 0.95
"""Pairs the model gives less than this probability are not joined. On FEBRL 4 and on synthetic boroughs 0.9 adds a
tenth of a percent of the true pairs, and where there are no families to guard against, the first false ones."""

_U_PAIRS = 1.001e6  # at a round million Splink warns that it is the default
_EM_PAIRS = 1e6
_LEAST_SHARE = 0.02

Parameters = dict[str, list[tuple[float, float]]]
"""m and u of each level of each field, by the name of the field."""


@dataclass(frozen=True)
class Scored:
    """The pairs at or above the threshold, and the model that scored them.

    `trained` says whether its parameters were estimated; `identical` is the probability it gives two descriptions
    that agree in name, date of birth and postcode. `pairs` has columns node_l, node_r, weight (bits), probability,
    and for each field `<field>` (bits, how common the value is included) and `<field>_agreement` (a level's label, or
    "unknown").
    """

    pairs: pa.Table
    model: dict[str, Any]
    trained: bool
    identical: float


def score_pairs(connection: DuckDBPyConnection, *, seed: int) -> Scored:
    """Fit the model to the tables `node` and `tied` (node, known) and score the candidate pairs.

    `known` numbers the clusters of stage one. Parameters are estimated from FEWEST_TO_TRAIN nodes on.
    """
    connection.execute(
        "CREATE TABLE compared AS SELECT * EXCLUDE (rows, dataset) FROM node JOIN tied USING (node) ORDER BY node"
    )
    connection.execute(
        "CREATE TABLE strangers AS SELECT * FROM compared"
        " QUALIFY row_number() OVER (PARTITION BY forename, surname, dob ORDER BY node) = 1 ORDER BY node"
    )
    count = connection.execute("SELECT count(*) FROM compared").fetchall()[0][0]
    trained = count >= FEWEST_TO_TRAIN
    prior = min(0.2, 1 / max(1, count - 1))
    parameters: Parameters = {field.name: [(level.m, level.u) for level in field.levels] for field in FIELDS}
    if trained:
        parameters = _estimate_u(connection, parameters, prior, seed)
        parameters = _estimate_m(connection, parameters, prior, count)
    pairs = _predict(connection, parameters, prior, weigh_common=trained)
    connection.execute("DROP TABLE strangers")
    return Scored(
        pairs, _described(parameters, prior, count, trained), trained, _identical(parameters, prior)
    )


@contextlib.contextmanager
def _linker(
    connection: DuckDBPyConnection,
    table: str,
    parameters: Parameters,
    prior: float,
    *,
    weigh_common: bool = False,
) -> Iterator[tuple[Linker, DuckDBAPI]]:
    """A Splink linker over a table of the database, which leaves nothing behind.

    The prior is that a record has one other about the same person.
    """
    from splink import DuckDBAPI, Linker

    settings = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "node",
        "probability_two_random_records_match": prior,
        "comparisons": [_comparison(field, parameters, weigh_common) for field in FIELDS],
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": f"{rule} AND l.known <> r.known", "sql_dialect": "duckdb"}
            for rule in CANDIDATES
        ],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": True,
        "max_iterations": 25,
        "em_convergence": 0.0005,
    }
    api = DuckDBAPI(connection)
    try:
        yield Linker(api.register(table, table_name=f"given_{table}"), settings, log_level=None), api
        api.delete_tables_created_by_splink_from_db()  # type: ignore[no-untyped-call]
    finally:
        api._ddb_con.close()  # a connection of its own that Splink opens and has no use for here


def _comparison(field: Field, parameters: Parameters, weigh_common: bool) -> dict[str, Any]:
    unknown = {"sql_condition": field.unknown, "label_for_charts": "unknown", "is_null_level": True}
    levels: list[dict[str, Any]] = [unknown]
    for level, (m, u) in zip(field.levels, parameters[field.name], strict=True):
        described: dict[str, Any] = {
            "sql_condition": level.condition,
            "label_for_charts": level.label,
            "m_probability": m,
            "u_probability": u,
        }
        if level.common and weigh_common:
            described["tf_adjustment_column"] = level.common
        levels.append(described)
    return {"output_column_name": field.name, "comparison_levels": levels}


def _learned(linker: Linker, which: str) -> dict[str, list[float | None]]:
    """The m or u of each level as the linker has them now; None for a level it has not seen."""
    comparisons = linker.misc.save_model_to_json()["comparisons"]
    return {
        field.name: [level.get(f"{which}_probability") for level in comparison["comparison_levels"][1:]]
        for field, comparison in zip(FIELDS, comparisons, strict=True)
    }


def _estimate_u(connection: DuckDBPyConnection, given: Parameters, prior: float, seed: int) -> Parameters:
    """Estimate u from random pairs of strangers.

    The pairs are drawn from one node a (forename, surname, date of birth): among all nodes, true matches would be
    as many as chance agreements on a date or a property, and make agreement look cheaper than it is. A level that
    chance never produced in the sample keeps the given u, which is small already.
    """
    with _linker(connection, "strangers", given, prior) as (linker, _):
        linker.training.estimate_u_using_random_sampling(
            max_pairs=_U_PAIRS, seed=seed, min_count_per_level=None, num_chunks=1
        )
        learned = _learned(linker, "u")
    estimated: Parameters = {}
    for field in FIELDS:
        levels = zip(field.levels, learned[field.name], given[field.name], strict=True)
        estimated[field.name] = [
            (m, (_chance_of_same(connection, level.common) if level.common else sampled) or u)
            for level, sampled, (m, u) in levels
        ]
    return estimated


def _chance_of_same(connection: DuckDBPyConnection, column: str) -> float | None:
    """The chance that two strangers have the same value: exact, where sampling would see few cases or none."""
    rows = connection.execute(
        f"WITH counted AS (SELECT count(*) AS n FROM strangers WHERE {column} IS NOT NULL GROUP BY {column})"
        " SELECT sum(n * (n - 1)) / nullif(sum(n) * (sum(n) - 1), 0) FROM counted"
    ).fetchall()
    found: float | None = rows[0][0]
    return found


def _estimate_m(connection: DuckDBPyConnection, given: Parameters, prior: float, count: int) -> Parameters:
    """Estimate m by expectation maximisation, u held fixed.

    No level falls below a small share of the given m: that a mistake was not met in these pairs does not make it
    impossible. A field for which agreement comes out as no evidence (there were no matches to learn from) keeps
    what was given.
    """
    estimated = dict(given)
    with _linker(connection, "compared", given, prior) as (linker, _):
        for rule in TRAINING:
            if not _pairs_exist(connection, rule):
                return given
            linker.training.estimate_parameters_using_expectation_maximisation(
                rule, estimate_without_term_frequencies=True, max_pairs=_EM_PAIRS if count > 50_000 else None
            )
        learned = _learned(linker, "m")
    for field in FIELDS:
        kept = given[field.name]
        raised = [
            max(found or 0.0, _LEAST_SHARE * m)
            for found, (m, _) in zip(learned[field.name], kept, strict=True)
        ]
        share = [m / sum(raised) for m in raised]
        levels = [(m, u) for m, (_, u) in zip(share, kept, strict=True)]
        if share[0] > 0.2 and share[-1] < levels[-1][1]:
            estimated[field.name] = levels
    return estimated


def _pairs_exist(connection: DuckDBPyConnection, rule: str) -> bool:
    found = connection.execute(
        f"SELECT 1 FROM compared AS l JOIN compared AS r ON {rule} AND l.node < r.node LIMIT 1"
    )
    return bool(found.fetchall())


def _predict(
    connection: DuckDBPyConnection, parameters: Parameters, prior: float, *, weigh_common: bool
) -> pa.Table:
    """Score the candidates and keep those from the threshold on."""
    with _linker(connection, "compared", parameters, prior, weigh_common=weigh_common) as (linker, api):
        if weigh_common:
            for column in [level.common for field in FIELDS for level in field.levels if level.common]:
                frequencies = api.register(_frequencies(connection, column), table_name=f"known_{column}")
                linker.table_management.register_term_frequency_lookup(frequencies, column)
        predicted = linker.inference.predict(threshold_match_weight=_bits(THRESHOLD), warning_mode="never")
        return connection.sql(_result_sql(predicted.physical_name, parameters, weigh_common)).to_arrow_table()


def _frequencies(connection: DuckDBPyConnection, column: str) -> pa.Table:
    """How common each value is among different people, not among the records of the same ones."""
    return connection.sql(
        f"SELECT {column}, count(*) / sum(count(*)) OVER () AS tf_{column} FROM"
        f" (SELECT DISTINCT forename, surname, dob, {column} FROM compared WHERE {column} IS NOT NULL)"
        f" GROUP BY {column}"
    ).to_arrow_table()


def _result_sql(table: str, parameters: Parameters, weigh_common: bool) -> str:
    columns = ["node_l", "node_r", "match_weight AS weight", "match_probability AS probability"]
    for field in FIELDS:
        common = weigh_common and any(level.common for level in field.levels)
        columns.append(f"mw_{field.name}{f' + mw_tf_adj_{field.name}' if common else ''} AS {field.name}")
        # Splink keeps the bits of a level, not its place; the level is the one with these bits (unknown gives none).
        cases = " ".join(
            f"WHEN abs(mw_{field.name} - ({math.log2(m / u)!r})) < 1e-9 THEN '{level.label}'"
            for level, (m, u) in zip(field.levels, parameters[field.name], strict=True)
        )
        columns.append(f"CASE {cases} ELSE 'unknown' END AS {field.name}_agreement")
    return f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2"


def _bits(probability: float) -> float:
    return math.log2(probability / (1 - probability))


def _identical(parameters: Parameters, prior: float) -> float:
    """The probability of two descriptions that agree in name, date of birth and postcode."""
    agreed = [parameters[name][0] for name in ("forename", "surname", "date_of_birth")] + [
        parameters["address"][1]
    ]
    odds: float = 2.0 ** (_bits(prior) + sum(math.log2(m / u) for m, u in agreed))
    return odds / (1 + odds)


def _described(parameters: Parameters, prior: float, count: int, trained: bool) -> dict[str, Any]:
    """The model in plain JSON: what is compared, the parameters, and where they come from. No values of records."""
    fields = [
        {
            "field": field.name,
            "levels": [
                {"agreement": level.label, "m": m, "u": u, "bits": math.log2(m / u)}
                for level, (m, u) in zip(field.levels, parameters[field.name], strict=True)
            ],
        }
        for field in FIELDS
    ]
    return {
        "trained": trained,
        "descriptions": count,
        "prior": prior,
        "threshold": THRESHOLD,
        "fields": fields,
        "candidates": list(CANDIDATES),
        "training": list(TRAINING) if trained else [],
    }
