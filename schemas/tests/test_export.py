"""Contracts in the words of other standards, held against those standards' own schemas."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from contract_strategies import contract_text, contracts
from hypothesis import HealthCheck, given, settings

from hub_schemas import Contract, library, load_contract
from hub_schemas.export import csvw, odcs_document, odcs_yaml, table_schema

NAMES = library.names()


def without_source(contract: Contract) -> Contract:
    return dataclasses.replace(contract, text="", digest="")


@pytest.fixture(scope="module")
def odcs_schema(shared_data: Path) -> Any:
    text = (shared_data / "odcs" / "schema" / "odcs-json-schema-v3.1.0.json").read_text()
    return jsonschema.Draft201909Validator(json.loads(text))


@pytest.mark.parametrize("name", NAMES)
def test_what_we_write_out_is_odcs_and_loads_as_the_same_contract(name: str, odcs_schema: Any) -> None:
    contract = library.load(name)
    assert [error.message for error in odcs_schema.iter_errors(odcs_document(contract))] == []
    assert without_source(load_contract(odcs_yaml(contract))) == without_source(contract)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts())
def test_any_contract_survives_being_written_out(made: tuple[str, Any]) -> None:
    contract = load_contract(made[0])
    again = load_contract(odcs_yaml(contract))
    # The title falls back to the identifier, and then stands in the document by itself.
    assert without_source(again) == without_source(contract)


def test_checks_of_the_whole_survive_being_written_out() -> None:
    checks = [
        {"metric": "nullValues", "mustBeLessThan": 5, "unit": "percent", "description": "why"},
        {"metric": "invalidValues", "mustBeBetween": [0, 2], "arguments": {"validValues": ["x"]}},
        {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": ["?"]}},
        {"metric": "duplicateValues", "mustBeLessOrEqualTo": 1.5, "severity": "warning"},
    ]
    column = {"name": "a", "logicalType": "string", "quality": checks, "physicalName": "", "examples": ["x"]}
    day = {"name": "d", "logicalType": "date", "businessName": "Day"}
    table = [
        {"metric": "rowCount", "mustBeGreaterThan": 3},
        {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["a", "d"]}},
        {"metric": "duplicateValues", "mustBeLessThan": 2, "arguments": {"properties": ["a", "d"]}},
    ]
    document = json.loads(contract_text([column, day], quality=table))
    document["slaProperties"] = [{"property": "freshness", "value": 7, "unit": "d", "element": "rows.d"}]
    contract = load_contract(json.dumps(document))
    assert len(contract.quality) == 7
    again = load_contract(odcs_yaml(contract))
    assert sorted(map(str, again.quality)) == sorted(map(str, contract.quality))
    assert again.unique_together == contract.unique_together
    assert again.columns == contract.columns


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("source", [False, True])
def test_table_schemas_hold_under_the_profile_of_frictionless(
    name: str, source: bool, shared_data: Path
) -> None:
    profile = json.loads((shared_data / "frictionless_profiles" / "table-schema.json").read_text())
    document = table_schema(library.load(name), source=source)
    errors = jsonschema.Draft4Validator(profile).iter_errors(document)
    assert [error.message for error in errors] == []


@pytest.mark.parametrize("name", NAMES)
def test_csvw_has_what_the_recommendation_asks_for(name: str) -> None:
    contract = library.load(name)
    document = csvw(contract, "rows.csv")
    assert document["@context"][0] == "http://www.w3.org/ns/csvw"
    columns = document["tableSchema"]["columns"]
    assert [column["name"] for column in columns] == [column.name for column in contract.columns]
    for column in columns:
        assert re.fullmatch(r"(?!_)[A-Za-z0-9_.]+", column["name"])
        kind = column["datatype"]
        base = kind if isinstance(kind, str) else kind["base"]
        assert base in ("string", "integer", "double", "boolean", "date", "dateTime")
        if base == "string" and not isinstance(kind, str) and "format" in kind:
            re.compile(kind["format"])
    assert document["tableSchema"].get("primaryKey", []) == list(contract.primary_key)
    json.dumps(document, allow_nan=False)


def test_open_ends_of_whole_numbers_and_days_are_written_closed() -> None:
    columns = [
        {"name": "n", "logicalType": "integer", "logicalTypeOptions": {"exclusiveMinimum": 0, "maximum": 9}},
        {"name": "d", "logicalType": "date", "logicalTypeOptions": {"exclusiveMaximum": "2024-03-01"}},
        {"name": "f", "logicalType": "number", "logicalTypeOptions": {"exclusiveMinimum": 0, "minimum": 0}},
    ]
    fields = table_schema(load_contract(contract_text(columns)))["fields"]
    assert [field["constraints"] for field in fields] == [
        {"minimum": 1, "maximum": 9},
        {"maximum": "2024-02-29"},
        {"minimum": 0.0, "exclusiveMinimum": 0.0},
    ]


def test_the_source_is_described_with_its_own_headers_formats_and_spellings() -> None:
    columns = [
        {
            "name": "d", "physicalName": "Date of Birth", "logicalType": "date", "primaryKey": True,
            "logicalTypeOptions": {"minimum": "1900-01-31"},
            "customProperties": [{"property": "format", "value": ["%d/%m/%Y"]}],
        },
        {"name": "b", "logicalType": "boolean", "customProperties": [{"property": "missingValues", "value": ["?"]}]},
    ]  # fmt: skip
    document = table_schema(load_contract(contract_text(columns)), source=True)
    first, second = document["fields"]
    assert (first["name"], first["format"]) == ("Date of Birth", "%d/%m/%Y")
    assert first["constraints"]["minimum"] == "31/01/1900"
    assert "yes" in second["trueValues"]
    assert document["missingValues"] == ["", "?"]
    assert document["primaryKey"] == ["Date of Birth"]
