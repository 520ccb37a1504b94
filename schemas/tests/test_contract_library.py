"""The contract library: valid under the standard's own schema, described, classed, and true to real data."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml

import hub_schemas
from hub_schemas import Checker, ContractError, library, load_contract
from hub_schemas.model import LINKAGE_ROLES

NAMES = library.names()
BOROUGH = {
    "schools.attendance", "children.in_need", "police.incidents", "police.time_recording", "police.establishment",
    "housing.tenancies", "benefits.claims", "health.registrations", "police.street_crime", "police.recorded_crime",
}  # fmt: skip


def test_the_library_has_the_contracts_it_promises() -> None:
    assert set(NAMES) >= BOROUGH


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_is_named_as_its_file_is(name: str) -> None:
    contract = library.load(name)
    assert contract.id == name
    assert contract.domain == name.partition(".")[0]
    assert contract.text == library.path(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_holds_under_the_json_schema_of_the_standard(name: str, shared_data: Path) -> None:
    schema = json.loads((shared_data / "odcs" / "schema" / "odcs-json-schema-v3.1.0.json").read_text())
    document = yaml.safe_load(library.path(name).read_text(encoding="utf-8"))
    errors = jsonschema.Draft201909Validator(schema).iter_errors(document)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_tells_an_engineer_what_it_is_and_what_each_column_holds(name: str) -> None:
    contract = library.load(name)
    assert contract.title
    assert len(contract.description) > 40
    assert len(contract.limitations) > 20
    assert contract.granularity.startswith("one row")
    assert [column.name for column in contract.columns if len(column.description) < 4] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_says_who_a_person_is_stands_as_personal(name: str) -> None:
    for column in library.load(name).columns:
        if column.linkage_role in set(LINKAGE_ROLES) or column.identifier in ("nhs-number", "nino", "upn"):
            assert column.is_personal, column.name


def test_the_most_sensitive_columns_are_a_special_category() -> None:
    for name, column in (
        ("children.in_need", "status"),
        ("police.incidents", "category"),
        ("police.incidents", "involved_role"),
        ("schools.attendance", "provision"),
    ):
        assert library.load(name).column(column).classification == "special-category"


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    for name in ("schools.nothing", "../pyproject", "schools", "", "police/incidents"):
        with pytest.raises(KeyError, match=r"schools\.attendance"):
            library.path(name)


def test_the_package_offers_what_it_says() -> None:
    for name in hub_schemas.__all__:
        assert getattr(hub_schemas, name) is not None
    with pytest.raises(AttributeError, match="no attribute"):
        _ = hub_schemas.nothing


_EXAMPLES = {
    "full-example.odcs.yaml": "one table, found 2",
    "postgresql-adventureworks-contract.odcs.yaml": "one table, found 68",
    "all-data-types.odcs.yaml": "time is not supported",
    "table-column-description.odcs.yaml": None,
    "column-accuracy.odcs.yaml": "sql is not supported",
    "column-completeness.odcs.yaml": None,
    "column-custom.odcs.yaml": "custom checks (engine 'soda') are not supported",
    "column-validity.odcs.yaml": None,
    "service-and-operational-roles.odcs.yaml": "one table, found none",
    "all-schema-types.odcs.yaml": "one table, found 3",
    "kafka-schema.odcs.yaml": None,
    "kafka-schemaregistry.odcs.yaml": "1 to 1000 columns, found 0",
    "table-column.odcs.yaml": None,
    "table-columns-with-partition.odcs.yaml": None,
    "azure-server.odcs.yaml": "one table, found none",
    "kafka-server.odcs.yaml": "1 to 1000 columns, found 0",
    "database-table-sla.odcs.yaml": "one table, found none",
    "basic-four-dpo.odcs.yaml": "one table, found none",
}


def test_examples_of_the_standard_load_or_say_exactly_what_is_not_supported(shared_data: Path) -> None:
    found = {path.name: path for path in (shared_data / "odcs" / "docs" / "examples").glob("*/*.yaml")}
    assert set(found) == set(_EXAMPLES)
    for name, words in _EXAMPLES.items():
        if words is None:
            load_contract(found[name])
        else:
            with pytest.raises(ContractError) as caught:
                load_contract(found[name])
            assert words in str(caught.value), name


@pytest.mark.parametrize(
    ("name", "file", "rows"),
    [
        ("police.street_crime", "2018-07-west-yorkshire-street.csv", 31_635),
        ("police.recorded_crime", "prc-pfa-201718_new.csv", 23_068),
    ],
)
def test_the_published_police_files_are_accepted_whole(
    name: str, file: str, rows: int, shared_data: Path
) -> None:
    frame = pl.read_csv(shared_data / "police" / file, infer_schema=False)
    checker = Checker(library.load(name))
    outcome = checker.check_text(frame)
    assert (outcome.accepted.num_rows, outcome.refused.num_rows) == (rows, 0)
    assert checker.finish().num_rows == 0
    assert checker.check_text(frame.head(5), first_row=rows + 1).accepted.num_rows < 5, "keys come once"


def test_odd_rows_of_the_police_are_refused_for_the_right_reason(shared_data: Path) -> None:
    frame = pl.read_csv(
        shared_data / "police" / "2018-07-west-yorkshire-street.csv", infer_schema=False, n_rows=5
    ).with_columns(pl.lit("Burglary").alias("Crime type"), pl.col("Crime ID").fill_null("0" * 64))
    spoilt = frame.with_columns(
        Longitude=pl.Series([None, "53.5", "-1.5", "-1.5", "-1.5"]),
        Month=pl.Series(["2018-07", "2018-07", "July 2018", "2018-07", "2018-07"]),
        **{"LSOA code": pl.Series(["E01007329", "E01007329", "E01007329", "W02007329", "E01007329"])},
    ).with_columns(pl.when(pl.int_range(5) == 4).then(None).otherwise("Crime ID").alias("Crime ID"))
    outcome = Checker(library.load("police.street_crime")).check_text(spoilt)
    assert [(row["row"], row["column"], row["rule"]) for row in outcome.faults.to_pylist()] == [
        (1, "longitude", "row-constraint"),
        (2, "longitude", "maximum"),
        (3, "month", "type-error"),
        (4, "lsoa_code", "pattern"),
        (5, "crime_id", "row-constraint"),
    ]


def test_too_many_places_missing_is_said_of_the_whole_month(shared_data: Path) -> None:
    frame = pl.read_csv(shared_data / "police" / "2018-07-west-yorkshire-street.csv", infer_schema=False)
    without = frame.filter(pl.col("Longitude").is_null())
    checker = Checker(library.load("police.street_crime"))
    checker.check_text(without)
    assert [row["rule"] for row in checker.finish().to_pylist()] == ["null-values"]
    assert checker.blocking
