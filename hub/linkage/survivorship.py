"""What is best known of each person, when the datasets do not agree.

Each value has its rule, and no rule depends on the order of the records:

- identifiers: the trusted value (the guards let a person have one of each kind); if none is trusted, none.
- forename, surname, date of birth, sex: the value most datasets give; then the one with the latest `as_at`; then the
  one in most records; then the first in the alphabet. An initial stands only where nobody gives the name.
- address: each dataset speaks through its latest record that has one, and counts half as much for every two years
  by which it is older than the person's latest word. A record without `as_at` is a register's entry, which speaks
  of now. Nobody is moved along with relatives whose move is known: it may be this person whom they moved away from.

Values are shown as sent (names trimmed); postcodes as outward, space, inward; identifiers without spaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["PEOPLE", "best_known"]

HALF_LIFE_DAYS = 730
"""After so many days a word on an address counts half."""

PEOPLE: pa.Schema = pa.schema(
    [
        pa.field("person_id", pa.string(), nullable=False),
        ("forename", pa.string()),
        ("surname", pa.string()),
        ("date_of_birth", pa.date32()),
        ("sex", pa.string()),
        ("postcode", pa.string()),
        ("uprn", pa.string()),
        ("nhs_number", pa.string()),
        pa.field("datasets", pa.int32(), nullable=False),
    ]
)
"""A row a person. `datasets`: in how many datasets the person is seen."""

# column in `cleaned`: (value to show, what makes a value weaker than any other)
_VOTED = {
    "forename": ("forename_given", "length(forename) = 1"),
    "surname": ("surname_given", "false"),
    "dob": ("dob", "false"),
    "sex_shown": ("sex_shown", "sex_shown = 'X'"),
}


def best_known(connection: DuckDBPyConnection) -> pa.Table:
    """The table PEOPLE, ordered by person_id, from `cleaned` and `assigned` (node, cluster), `person` and `trusted`."""
    connection.execute(
        "CREATE TABLE evidence AS SELECT c.*, a.cluster FROM cleaned AS c JOIN assigned AS a USING (node)"
    )
    for column, (shown, weaker) in _VOTED.items():
        connection.execute(_vote_sql(column, shown, weaker))
    for statement in (_SPOKEN, _ADDRESS):
        connection.execute(statement)
    return connection.sql(_PEOPLE_SQL).to_arrow_table().cast(PEOPLE)


def _vote_sql(column: str, shown: str, weaker: str) -> str:
    return f"""
        CREATE TABLE voted_{column} AS
        SELECT cluster, shown AS {column} FROM (
            SELECT cluster, {column}, bool_and({weaker}) AS weak, count(DISTINCT dataset) AS datasets,
                max(as_at) AS latest, count(*) AS records, min(trim({shown})) AS shown
            FROM evidence WHERE {column} IS NOT NULL GROUP BY cluster, {column})
        QUALIFY row_number() OVER (PARTITION BY cluster
            ORDER BY weak, datasets DESC, latest DESC NULLS LAST, records DESC, {column}) = 1
    """


# A dataset's word on a person is its latest record with an address. A bare postcode speaks for the one property
# at which the person is known there.
_SPOKEN = """
CREATE TABLE spoken AS
WITH dated AS (
    SELECT cluster, dataset, uprn, postcode, record_key,
        coalesce(as_at, (SELECT max(as_at) FROM evidence)) AS said
    FROM evidence WHERE coalesce(uprn, postcode) IS NOT NULL
), latest AS (
    SELECT * EXCLUDE (record_key) FROM dated
    QUALIFY row_number() OVER (PARTITION BY cluster, dataset
        ORDER BY said DESC NULLS LAST, uprn NULLS LAST, postcode, record_key) = 1
), property AS (
    SELECT cluster, postcode, any_value(uprn) AS uprn FROM latest WHERE uprn IS NOT NULL
    GROUP BY cluster, postcode HAVING count(DISTINCT uprn) = 1
)
SELECT l.* REPLACE (coalesce(l.uprn, p.uprn) AS uprn), coalesce(l.uprn, p.uprn, l.postcode) AS place
FROM latest AS l LEFT JOIN property AS p ON l.uprn IS NULL AND p.cluster = l.cluster AND p.postcode = l.postcode
"""

_ADDRESS = f"""
CREATE TABLE voted_address AS
WITH known AS (SELECT place, count(DISTINCT cluster) AS people FROM spoken GROUP BY place)
SELECT cluster, uprn, postcode FROM (
    SELECT cluster, place, max(uprn) AS uprn, mode(postcode ORDER BY postcode) AS postcode, max(said) AS latest,
        sum(pow(0.5, coalesce(date_diff('day', said, newest), 0) / {HALF_LIFE_DAYS}.0)) AS votes
    FROM (SELECT *, max(said) OVER (PARTITION BY cluster) AS newest FROM spoken)
    GROUP BY cluster, place) JOIN known USING (place)
QUALIFY row_number() OVER (PARTITION BY cluster ORDER BY votes DESC, latest DESC NULLS LAST, people DESC, place) = 1
"""

_PEOPLE_SQL = """
WITH seen AS (SELECT cluster, count(DISTINCT dataset)::INT AS datasets FROM evidence GROUP BY cluster)
SELECT p.person_id, f.forename, s.surname, strptime(d.dob, '%Y%m%d')::DATE AS date_of_birth, x.sex_shown AS sex,
    CASE WHEN length(a.postcode) BETWEEN 5 AND 7 THEN a.postcode[:-4] || ' ' || a.postcode[-3:] ELSE a.postcode END
        AS postcode,
    a.uprn, t.nhs_number, seen.datasets
FROM person AS p JOIN seen USING (cluster)
    LEFT JOIN voted_forename AS f USING (cluster) LEFT JOIN voted_surname AS s USING (cluster)
    LEFT JOIN voted_dob AS d USING (cluster) LEFT JOIN voted_sex_shown AS x USING (cluster)
    LEFT JOIN voted_address AS a USING (cluster) LEFT JOIN trusted AS t USING (cluster)
ORDER BY p.person_id
"""
