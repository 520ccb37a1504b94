"""From rows as departments sent them to comparable descriptions of people.

Everything happens in a private DuckDB database: in memory, with no folder to spill into, so that nothing
personal can reach a disk. Rows become **nodes**: one node for each different description a dataset gives of a
person, so that a pupil who is there for three terms is compared once and not nine times.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from hub.errors import HubError, Invalid, Unavailable
from hub.linkage.names import common_forenames, familiar_forms

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["IDENTIFIER_KINDS", "RECORDS", "check_records", "prepare", "private_database"]

RECORDS: pa.Schema = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("version_id", pa.string(), nullable=False),
        pa.field("row_number", pa.int64(), nullable=False),
        ("forename", pa.string()),
        ("surname", pa.string()),
        ("date_of_birth", pa.date32()),
        ("sex", pa.string()),
        ("postcode", pa.string()),
        ("uprn", pa.string()),
        ("nhs_number", pa.string()),
        ("nino", pa.string()),
        ("upn", pa.string()),
        ("as_at", pa.date32()),
    ]
)
"""What linkage reads: a row for each source row that may describe a person. `record_key` is unique in the table
and stays the same when the same source row comes again in a later version; `as_at` is the date on which what the
row says was known to be true. All but the first four columns may be null."""

IDENTIFIER_KINDS = ("nhs_number", "upn", "nino")
"""Trusted identifiers, in the order in which they are used."""


@contextlib.contextmanager
def private_database(*, memory_mb: int, threads: int) -> Iterator[DuckDBPyConnection]:
    """A DuckDB database in memory that cannot write to disk or reach a network; closed and forgotten at the end.

    Errors inside are raised again without the database's own words, which may quote values of records:
    `Unavailable` when `memory_mb` does not suffice, `HubError` otherwise.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": "",
        "memory_limit": f"{memory_mb}MB",
        "threads": threads,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "preserve_insertion_order": "false",
    }
    connection = duckdb.connect(":memory:", config=settings)
    try:
        with _silence("splink"):
            yield connection
    except HubError:
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise Unavailable(
                f"Linkage needs more than the {memory_mb} MB it was allowed. Give it more memory, or link fewer "
                "datasets at a time."
            ) from None
        raise HubError(
            f"Linkage failed inside its database ({type(error).__name__}). Nothing was changed; run it again, and "
            "report it if it fails again."
        ) from None
    finally:
        connection.close()


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Whether DuckDB, itself or wrapped by Splink, gave up for want of memory."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":
            return True
        error = error.__cause__
    return False


@contextlib.contextmanager
def _silence(name: str) -> Iterator[None]:
    """Keep a chatty library off the terminal and out of the logs: what it says may hold values."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def check_records(records: pa.Table) -> pa.Table:
    """The table in the columns and types of RECORDS. Raises Invalid when it cannot be, or keys are not unique."""
    missing = [name for name in RECORDS.names if name not in records.column_names]
    if missing:
        raise Invalid(
            f"Records for linkage lack the columns {', '.join(missing)}; give all of RECORDS, null or not."
        )
    try:
        records = records.select(RECORDS.names).cast(RECORDS)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        raise Invalid("Records for linkage are not of the types of RECORDS; cast them first.") from None
    if any(records.column(name).null_count for name in RECORDS.names[:4]):
        raise Invalid("Records for linkage have a null record_key, dataset, version_id or row_number.")
    if len(records.column("record_key").unique()) != len(records):
        raise Invalid(
            "Records for linkage share record keys; make each key unique, for instance dataset:key."
        )
    return records


def prepare(connection: DuckDBPyConnection, records: pa.Table) -> None:
    """Make the tables `cleaned` (a row each record), `node` and `forename_seen` in the database.

    Nodes are numbered from 0 in the order of their first record key, which `leads` marks. Records that name nobody
    (no identifier, and not at least a name with a date of birth, an address or a second name) belong to no node:
    their `node` is null.
    """
    forms, common = familiar_forms(), common_forenames()
    connection.register("given_records", records)
    connection.register("given_forms", pa.table({"form": list(forms), "roots": list(forms.values())}))
    connection.register("given_common", pa.table({"form": sorted(common)}))
    for statement in (*_MACROS, _NAME, _CLEANED, _NODE, _FORENAME_SEEN):
        connection.execute(statement)
    connection.unregister("given_records")
    connection.unregister("given_forms")
    connection.unregister("given_common")


_PLACEHOLDERS = (
    "'UNKNOWN', 'NOT KNOWN', 'NOTKNOWN', 'NK', 'NA', 'N A', 'NONE', 'NULL', 'NIL', 'X', 'XX', 'XXX', 'BABY', 'INFANT', "
    "'TEST', 'ANONYMOUS', 'ANON', 'TBC', 'WITHHELD', 'REDACTED', 'MR', 'MRS', 'MISS', 'MS', 'DR'"
)

_MACROS = (
    # Letters of any script, capitals, no accents; the few letters that do not decompose are spelt out.
    r"""CREATE MACRO clean_words(given) AS nullif(trim(regexp_replace(regexp_replace(
        replace(replace(translate(upper(strip_accents(given)), 'ŁØĐÐ', 'LODD'), 'Æ', 'AE'), 'ß', 'SS'),
        '[^\p{L} -]', '', 'g'), '\s+', ' ', 'g'), ' -'), '')""",
    r"""CREATE MACRO without_title(given) AS
        regexp_replace(given, '^(MR|MRS|MISS|MS|MX|DR|PROF|REV|SIR|MASTER) ', '')""",
    f"CREATE MACRO is_filler(words) AS words IN ({_PLACEHOLDERS})",
    r"CREATE MACRO only_code(given) AS nullif(regexp_replace(upper(given), '[^A-Z0-9]', '', 'g'), '')",
    # Modulus 11, weights 10..2; a check of 10 does not exist (NHS Data Dictionary, NHS NUMBER).
    r"""CREATE MACRO nhs_check(code) AS (11 - list_sum(list_transform(range(1, 10),
        lambda i: try_cast(code[i] AS INT) * (11 - i))) % 11) % 11""",
    r"""CREATE MACRO valid_nhs(code) AS CASE WHEN regexp_full_match(code, '\d{10}')
        AND code NOT IN ('0000000000', '9999999999') AND nhs_check(code) = try_cast(code[10] AS INT) THEN code END""",
    # Shape and the letters that are never issued (HMRC National Insurance Manual NIM39110).
    r"""CREATE MACRO valid_nino(code) AS CASE WHEN regexp_full_match(code,
        '[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]?')
        AND left(code, 2) NOT IN ('BG', 'GB', 'KN', 'NK', 'NT', 'TN', 'ZZ') THEN left(code, 8) END""",
    # Permanent numbers only: modulus 23, weights 2..13 (DfE guide to UPNs). Temporary ones, which end in a letter,
    # are replaced during a pupil's life and so identify nobody for long.
    r"""CREATE MACRO upn_check(code) AS (1 + list_sum(list_transform(range(2, 14),
        lambda i: try_cast(code[i] AS INT) * i)) % 23)::BIGINT""",
    r"""CREATE MACRO valid_upn(code) AS CASE WHEN regexp_full_match(code, '[A-HJ-NP-RT-Z]\d{12}')
        AND 'ABCDEFGHJKLMNPQRTUVWXYZ'[upn_check(code)]
        = code[1] THEN code END""",
)

# Names recur: each different one is cleaned once.
_NAME = """
CREATE TABLE name AS
WITH given AS (
    SELECT forename AS given FROM given_records WHERE forename IS NOT NULL
    UNION SELECT surname FROM given_records WHERE surname IS NOT NULL
), plain AS (SELECT given, clean_words(given) AS words FROM given),
untitled AS (SELECT given, without_title(words) AS words FROM plain)
SELECT given, words FROM untitled WHERE words IS NOT NULL AND NOT is_filler(words)
"""

# ZZ99 is the pseudo district for no fixed abode and unknown (ONS Postcode Directory).
_CLEANED = r"""
CREATE TABLE cleaned AS
WITH numbered AS (
    SELECT row_number() OVER (ORDER BY record_key) AS row, r.*,
        replace(f.words, '-', ' ') AS words, s.words AS surname_words, only_code(postcode) AS code,
        nullif(ltrim(regexp_replace(uprn, '\D', '', 'g'), '0'), '') AS digits
    FROM given_records AS r LEFT JOIN name AS f ON f.given = r.forename LEFT JOIN name AS s ON s.given = r.surname
), tidy AS (
    SELECT row, record_key, dataset, version_id, row_number, as_at,
        forename AS forename_given, surname AS surname_given,
        split_part(words, ' ', 1) AS forename, nullif(split_part(words, ' ', 2), '') AS middle,
        replace(words, ' ', '') AS forenames,
        regexp_replace(surname_words, '[ -]', '', 'g') AS surname,
        regexp_extract(surname_words, '^[^ -]+') AS surname_first,
        regexp_extract(surname_words, '[^ -]+$') AS surname_last,
        CASE WHEN date_of_birth > DATE '1900-01-01' AND date_of_birth < DATE '2200-01-01'
            THEN strftime(date_of_birth, '%Y%m%d') END AS dob,
        CASE WHEN upper(trim(sex)) IN ('F', 'FEMALE', '2') THEN 'F'
            WHEN upper(trim(sex)) IN ('M', 'MALE', '1') THEN 'M' END AS sex,
        CASE WHEN upper(trim(sex)) = 'X' THEN 'X' ELSE sex END AS sex_shown,
        CASE WHEN length(code) >= 3 AND NOT starts_with(code, 'ZZ99') THEN code END AS postcode, digits AS uprn,
        valid_nhs(only_code(nhs_number)) AS nhs_number, valid_upn(only_code(upn)) AS upn,
        valid_nino(only_code(nino)) AS nino
    FROM numbered
), described AS (
    SELECT *,
        nhs_number IS NOT NULL OR upn IS NOT NULL OR nino IS NOT NULL AS identified,
        forename IS NOT NULL AND surname IS NOT NULL AND dob IS NOT NULL
            AND coalesce(uprn, postcode) IS NOT NULL AS complete
    FROM tidy
), grouped AS (
    SELECT *,
        CASE WHEN identified OR (forename IS NOT NULL AND surname IS NOT NULL)
                OR (coalesce(forename, surname) IS NOT NULL AND coalesce(dob, uprn, postcode) IS NOT NULL)
        THEN min(row) OVER (PARTITION BY dataset, forenames, surname, dob, sex, postcode, uprn,
            nhs_number, upn, nino, CASE WHEN NOT (identified OR complete) THEN row END) END AS first
    FROM described
)
SELECT * EXCLUDE (first, identified, complete),
    CASE WHEN first IS NOT NULL THEN dense_rank() OVER (ORDER BY first NULLS LAST) - 1 END AS node,
    coalesce(first = row, false) AS leads, count(*) OVER (PARTITION BY first) AS rows
FROM grouped
"""

_NODE = """
CREATE TABLE node AS
SELECT node, dataset, c.forename, middle, forenames, coalesce(f.roots, [c.forename]) AS roots,
    left(c.forename, 1) AS initial,
    surname, surname_first, surname_last, left(surname, 1) AS surname_initial,
    dob, left(dob, 4) || right(dob, 2) || dob[5:6] AS dob_swapped, left(dob, 4)::INT AS birth_year,
    right(dob, 4) AS birthday, sex, postcode,
    CASE WHEN length(postcode) >= 5 THEN postcode[:-4] ELSE postcode END AS district,
    uprn, nhs_number, upn, nino, rows
FROM cleaned AS c LEFT JOIN given_forms AS f ON f.form = c.forename
WHERE leads ORDER BY node
"""

# How many different people seem to bear a forename, and whether it is a common one: tells a name from a slip.
_FORENAME_SEEN = """
CREATE TABLE forename_seen AS
SELECT forename, count(DISTINCT surname || coalesce(dob, '')) AS people,
    forename IN (SELECT form FROM given_common) AS listed
FROM node WHERE forename IS NOT NULL GROUP BY forename
"""
