"""How values are made comparable, and which of them count as nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from hub.errors import HubError, Unavailable
from hub.linkage.names import common_forenames, familiar_forms
from hub.linkage.prepare import RECORDS, prepare, private_database


def cleaned(**values: Any) -> dict[str, Any]:
    """What one record with these values becomes."""
    row = {"record_key": "a:1", "dataset": "a", "version_id": "v1", "row_number": 1} | values
    with private_database(memory_mb=200, threads=1) as connection:
        prepare(connection, pa.Table.from_pylist([row], schema=RECORDS))
        found: dict[str, Any] = connection.sql("FROM cleaned").to_arrow_table().to_pylist()[0]
    return found


@pytest.mark.parametrize(
    ("given", "forename", "middle"),
    [
        ("martha", "MARTHA", None),
        ("  Mary   Jane ", "MARY", "JANE"),
        ("Mary-Jane", "MARY", "JANE"),
        ("Mrs Martha", "MARTHA", None),
        ("Siobhán", "SIOBHAN", None),
        ("Łukasz", "LUKASZ", None),
        ("O'Neal", "ONEAL", None),
        ("Анна", "АННА", None),
        ("Unknown", None, None),
        ("baby", None, None),
        ("-", None, None),
        ("", None, None),
    ],
)
def test_forenames(given: str, forename: str | None, middle: str | None) -> None:
    found = cleaned(forename=given)
    assert (found["forename"] or None, found["middle"]) == (forename, middle)


@pytest.mark.parametrize(
    ("given", "whole", "first", "last"),
    [
        ("Smith-Jones", "SMITHJONES", "SMITH", "JONES"),
        ("de la Cruz", "DELACRUZ", "DE", "CRUZ"),
        ("O'Brien", "OBRIEN", "OBRIEN", "OBRIEN"),
        ("Mr", None, None, None),
    ],
)
def test_surnames_and_their_parts(given: str, whole: str | None, first: str | None, last: str | None) -> None:
    found = cleaned(surname=given)
    assert (found["surname"], found["surname_first"], found["surname_last"]) == (whole, first, last)


@pytest.mark.parametrize(
    ("column", "given", "kept"),
    [
        ("postcode", "zx1 2ab", "ZX12AB"),
        ("postcode", "ZZ99 3VZ", None),
        ("postcode", "-", None),
        ("uprn", "000100023336956", "100023336956"),
        ("uprn", "0", None),
        ("sex", "female", "F"),
        ("sex", "1", "M"),
        ("sex", "X", None),
        ("nhs_number", "943 476 5919", "9434765919"),
        ("nhs_number", "9434765918", None),
        ("nhs_number", "9999999999", None),
        ("nhs_number", "0000000000", None),
        ("nino", "ab 12 34 56 c", "AB123456"),
        ("nino", "AB123456", "AB123456"),
        ("nino", "GB123456A", None),
        ("nino", "DA123456A", None),
        ("nino", "AO123456A", None),
        ("upn", "H801200001001", "H801200001001"),
        ("upn", "A801200001001", None),
        ("upn", "H80120000100A", None),
    ],
)
def test_codes(column: str, given: str, kept: str | None) -> None:
    assert cleaned(**{column: given})[column] == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [(date(1981, 4, 23), "19810423"), (date(1900, 1, 1), None), (date(1850, 1, 1), None), (None, None)],
)
def test_dates_of_birth_that_stand_for_unknown_count_as_nothing(given: date | None, kept: str | None) -> None:
    assert cleaned(date_of_birth=given)["dob"] == kept


def test_the_database_can_write_nowhere() -> None:
    with private_database(memory_mb=100, threads=1) as connection:
        settings = connection.execute(
            "SELECT current_setting('temp_directory'), current_setting('autoinstall_known_extensions')"
        ).fetchall()
    assert settings == [("", False)]


def test_what_fails_inside_is_told_without_the_words_of_the_database() -> None:
    with (
        pytest.raises(HubError, match="Linkage failed") as failed,
        private_database(memory_mb=100, threads=1) as con,
    ):
        con.execute("SELECT 'Quillfeather'::INT")
    assert "Quillfeather" not in str(failed.value)
    with pytest.raises(Unavailable, match="100 MB"), private_database(memory_mb=100, threads=1) as con:
        con.execute("CREATE TABLE big AS SELECT i, i::VARCHAR AS t FROM range(100_000_000) AS r(i)")


def test_every_familiar_form_stands_for_a_name_that_stands_for_itself() -> None:
    forms = familiar_forms()
    assert forms["BOB"] == ["ROBERT"]
    assert {"NICOLA", "NICHOLAS"} <= set(forms["NICKY"])
    for names in forms.values():
        assert all(name in forms[name] for name in names)
    assert common_forenames() >= set(forms)
    assert all(name.isalpha() and name.isupper() for name in common_forenames())
