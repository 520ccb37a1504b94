"""Stage two: one Splink model of how descriptions of one person differ, and of how those of strangers agree.

Fellegi and Sunter's model (1969) as Splink has it: for each field and each level of agreement, `m` is how often
two descriptions of one person agree so, `u` how often those of two people do; log2(m/u) is the evidence in bits.
u comes from random pairs, m from expectation maximisation on pairs that agree on something else. Where there are
too few records to estimate from, the parameters below stand as they are.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.linkage.agreement import (
    DOB_CLOSE,
    DOB_LOOSE,
    DOB_NEAR,
    FORENAME_ALIAS,
    FORENAME_SLIP,
    NAMES_SWAPPED,
    SURNAME_ALIKE,
    SURNAME_PART,
    SURNAME_SLIP,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from splink import Linker

__all__ = ["FEWEST_TO_TRAIN", "FIELDS", "Field", "Level", "Scored", "score_pairs"]

FEWEST_TO_TRAIN = 500
"""With fewer nodes than this nothing is estimated and names are not weighed by how common they are."""

THRESHOLD = 0.95
"""Pairs the model gives less than this probability are not joined."""

_U_PAIRS = 1.001e6  # at a round million Splink warns that it is the default



@dataclass(frozen=True)
class Level:
    """One way in which a field of two descriptions can agree: condition in SQL, and m and u until estimated."""

    label: str
    condition: str
    m: float = 0.0
    u: float = 0.0
    common: str | None = None
    """The column whose values are weighed by how common they are, on exact agreement."""


@dataclass(frozen=True)
class Field:
    """A field the model compares. `unknown` is when nothing can be said; levels go from agreement to none."""

    name: str
    unknown: str
    levels: tuple[Level, ...]


FIELDS = (
    Field(
        "forename",
        "forename_l IS NULL OR forename_r IS NULL",
        (
            Level("same", "forename_l = forename_r", 0.88, 0.006, common="forename"),
            Level("changed places with the surname", NAMES_SWAPPED, 0.008, 0.00001),
            Level("familiar form, initial or middle name", FORENAME_ALIAS, 0.03, 0.006),
            Level("a slip apart", FORENAME_SLIP, 0.05, 0.002),
            Level("alike", "jaro_winkler_similarity(forename_l, forename_r) >= 0.85", 0.012, 0.008),
            Level("different", "ELSE", 0.02, 0.978),
        ),
    ),
    Field(
        "surname",
        f"surname_l IS NULL OR surname_r IS NULL OR {NAMES_SWAPPED}",
        (
            Level("same", "surname_l = surname_r", 0.88, 0.004, common="surname"),
            Level("a part of it the same", SURNAME_PART, 0.02, 0.0005),
            Level("a slip apart", SURNAME_SLIP, 0.04, 0.0008),
            Level("alike", SURNAME_ALIKE, 0.01, 0.002),
            Level("different", "ELSE", 0.05, 0.9927),
        ),
    ),
    Field(
        "date_of_birth",
        "dob_l IS NULL OR dob_r IS NULL",
        (
            Level("same", "dob_l = dob_r", 0.95, 0.00005, common="dob"),
            Level("a slip apart, or day and month changed places", DOB_NEAR, 0.03, 0.0008),
            Level("close: only the year, or but for the day or a year", DOB_CLOSE, 0.008, 0.0035),
            Level("two digits apart", DOB_LOOSE, 0.004, 0.01),
            Level("different", "ELSE", 0.008, 0.98565),
        ),
    ),
    Field(
        "address",
        "(uprn_l IS NULL OR uprn_r IS NULL) AND (postcode_l IS NULL OR postcode_r IS NULL)",
        (
            Level("same property", "uprn_l = uprn_r", 0.7, 0.0001, common="uprn"),
            Level("same postcode", "postcode_l = postcode_r", 0.1, 0.0008),
            Level("same postcode district", "district_l = district_r", 0.12, 0.15),
            Level("different", "ELSE", 0.08, 0.8491),
        ),
    ),
    Field(
        "sex",
        "sex_l IS NULL OR sex_r IS NULL",
        (Level("same", "sex_l = sex_r", 0.99, 0.5), Level("different", "ELSE", 0.01, 0.5)),
    ),
)

CANDIDATES = (
    "l.dob = r.dob AND l.initial = r.initial",
    "l.dob = r.dob AND l.surname_initial = r.surname_initial",
    "l.dob = r.dob AND l.forename = r.surname",
    "l.dob = r.dob AND l.postcode = r.postcode",
    "l.dob = r.dob_swapped AND l.initial = r.initial AND l.surname_initial = r.surname_initial",
    "l.forename = r.forename AND l.surname = r.surname AND l.birth_year = r.birth_year",
    "l.forename = r.forename AND l.surname = r.surname AND l.birthday = r.birthday",
    "l.forename = r.forename AND l.surname = r.surname AND l.postcode = r.postcode",
    "l.uprn = r.uprn AND l.forename = r.forename",
    "l.uprn = r.uprn AND l.initial = r.initial AND l.surname_initial = r.surname_initial",
    "l.uprn = r.uprn AND l.forename = r.surname",
)
"""Which pairs are looked at at all: any of these, unless stage one has joined the two already (`known`)."""

TRAINING = ("l.dob = r.dob", "l.forename = r.forename AND l.surname = r.surname")


@dataclass(frozen=True)
class Scored:
    """The pairs at or above the threshold, and the model that scored them.

    `trained` says whether its parameters were estimated; `identical` is the probability it gives two descriptions
    that agree in name, date of birth and postcode. `pairs` has columns node_l, node_r, weight (bits), probability, and a column of bits and one of the level
    (its place in Field.levels, or -1 for unknown) a field: `<field>` and `<field>_level`.
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
    enough = count >= FEWEST_TO_TRAIN
    settings = _settings(count, weigh_common=enough)
    if enough:
        _estimate_u(connection, settings, seed)
    with _linker(connection, "compared", settings) as linker:
        if enough:
            _weigh_common_values(connection, linker)
            _estimate_m(linker)
        predicted = linker.inference.predict(threshold_match_weight=_bits(THRESHOLD), warning_mode="never")
        pairs = connection.sql(_result_sql(predicted.physical_name)).to_arrow_table()
        model = _described(linker.misc.save_model_to_json(), count, enough)
    connection.execute("DROP TABLE strangers")
    return Scored(pairs, model, trained=enough, identical=_certainty_of_identical(model))


def _certainty_of_identical(model: dict[str, Any]) -> float:
    best = {field["field"]: field["levels"] for field in model["fields"]}
    bits = sum(best[name][0]["bits"] for name in ("forename", "surname", "date_of_birth"))
    odds = 2.0 ** (_bits(model["prior"]) + bits + best["address"][1]["bits"])
    return odds / (1 + odds)


@contextlib.contextmanager
def _linker(connection: DuckDBPyConnection, table: str, settings: dict[str, Any]) -> Iterator[Linker]:
    """A Splink linker over a table of the database, which leaves nothing behind."""
    from splink import DuckDBAPI, Linker

    api = DuckDBAPI(connection)
    try:
        yield Linker(api.register(table, table_name=f"{table}_given"), settings, log_level=None)
        api.delete_tables_created_by_splink_from_db()
    finally:
        api._ddb_con.close()  # a connection of its own that Splink opens and has no use for here


def _bits(probability: float) -> float:
    return math.log2(probability / (1 - probability))


def _settings(count: int, *, weigh_common: bool) -> dict[str, Any]:
    """Splink settings with the parameters above. The prior is that a record has one other about the same person."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "node",
        "probability_two_random_records_match": min(0.2, 1 / max(1, count - 1)),
        "comparisons": [_comparison(field, weigh_common) for field in FIELDS],
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": f"{rule} AND l.known <> r.known", "sql_dialect": "duckdb"} for rule in CANDIDATES
        ],
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": True,
        "max_iterations": 25,
        "em_convergence": 0.0005,
    }


def _comparison(field: Field, weigh_common: bool) -> dict[str, Any]:
    unknown = {"sql_condition": field.unknown, "label_for_charts": "unknown", "is_null_level": True}
    levels: list[dict[str, Any]] = [unknown]
    for level in field.levels:
        described: dict[str, Any] = {
            "sql_condition": level.condition,
            "label_for_charts": level.label,
            "m_probability": level.m,
            "u_probability": level.u,
        }
        if level.common and weigh_common:
            described["tf_adjustment_column"] = level.common
        levels.append(described)
    return {"output_column_name": field.name, "comparison_levels": levels}


def _estimate_u(connection: DuckDBPyConnection, settings: dict[str, Any], seed: int) -> None:
    """Put u estimated from random pairs into the settings, and hold it fixed there.

    The pairs are drawn from one node a (forename, surname, date of birth): among all nodes, true matches would be
    as many as chance agreements on a date or a property, and make agreement look cheaper than it is.
    """
    with _linker(connection, "strangers", settings) as linker:
        linker.training.estimate_u_using_random_sampling(
            max_pairs=_U_PAIRS, seed=seed, min_count_per_level=None, num_chunks=1
        )
        learned = linker.misc.save_model_to_json()
    for field, comparison, estimated in zip(FIELDS, settings["comparisons"], learned["comparisons"], strict=True):
        levels = zip(
            field.levels, comparison["comparison_levels"][1:], estimated["comparison_levels"][1:], strict=True
        )
        for level, kept, found in levels:
            # A level that chance never produced in the sample keeps the given u, which is small already.
            chance = _chance_of_same(connection, level.common) if level.common else found.get("u_probability")
            kept["u_probability"] = chance or kept["u_probability"]
            kept["fix_u_probability"] = True


def _chance_of_same(connection: DuckDBPyConnection, column: str) -> float | None:
    """The chance that two strangers have the same value: exact, where sampling would see few cases or none."""
    rows = connection.execute(
        f"WITH counted AS (SELECT count(*) AS n FROM strangers WHERE {column} IS NOT NULL GROUP BY {column})"
        " SELECT sum(n * (n - 1)) / nullif(sum(n) * (sum(n) - 1), 0) FROM counted"
    ).fetchall()
    found: float | None = rows[0][0]
    return found


def _weigh_common_values(connection: DuckDBPyConnection, linker: Linker) -> None:
    """Give Splink how common each value is among different people, not among records of the same ones."""
    for field in FIELDS:
        for column in filter(None, (level.common for level in field.levels)):
            frequencies = connection.sql(
                f"SELECT {column}, count(*) / sum(count(*)) OVER () AS tf_{column} FROM"
                f" (SELECT DISTINCT forename, surname, dob, {column} FROM compared WHERE {column} IS NOT NULL)"
                f" GROUP BY {column}"
            ).to_arrow_table()
            registered = linker._db_api.register(frequencies, table_name=f"frequencies_of_{column}")
            linker.table_management.register_term_frequency_lookup(registered, column)


def _estimate_m(linker: Linker) -> None:
    for rule in TRAINING:
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, estimate_without_term_frequencies=True
        )


def _result_sql(table: str) -> str:
    columns = ["node_l", "node_r", "match_weight AS weight", "match_probability AS probability"]
    for field in FIELDS:
        adjusted = f" + mw_tf_adj_{field.name}" if any(level.common for level in field.levels) else ""
        columns.append(f"mw_{field.name}{adjusted} AS {field.name}")
        last = len(field.levels) - 1
        columns.append(
            f"CASE WHEN gamma_{field.name} >= 0 THEN {last} - gamma_{field.name} END::TINYINT AS {field.name}_level"
        )
    return f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2"


def _described(settings: dict[str, Any], count: int, trained: bool) -> dict[str, Any]:
    """The model in plain JSON: what is compared, the parameters, and where they come from. No values of records."""
    fields = []
    for field, comparison in zip(FIELDS, settings["comparisons"], strict=True):
        levels = []
        for level, found in zip(field.levels, comparison["comparison_levels"][1:], strict=True):
            m, u = found.get("m_probability", level.m), found.get("u_probability", level.u)
            levels.append({"agreement": level.label, "m": m, "u": u, "bits": math.log2(max(m, 1e-6) / max(u, 1e-12))})
        fields.append({"field": field.name, "levels": levels})
    return {
        "trained": trained,
        "descriptions": count,
        "prior": settings["probability_two_random_records_match"],
        "threshold": THRESHOLD,
        "fields": fields,
        "candidates": list(CANDIDATES),
        "training": list(TRAINING) if trained else [],
    }
