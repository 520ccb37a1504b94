"""One record at a time: the marshmallow schema that a contract stands for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import marshmallow
import pytest
from contract_strategies import contract_text

from hub_schemas import Contract, library, load_contract
from hub_schemas.record import record_rules

SHORT = {"maxLength": 3, "pattern": "[a-z]+"}
COLUMNS = [
    {"name": "s", "logicalType": "string", "required": True, "logicalTypeOptions": SHORT},
    {"name": "i", "logicalType": "integer"},
    {"name": "f", "logicalType": "number"},
    {"name": "b", "logicalType": "boolean"},
    {"name": "d", "logicalType": "date"},
    {"name": "t", "logicalType": "timestamp", "logicalTypeOptions": {"defaultTimezone": "Europe/London"}},
]  # fmt: skip


@pytest.fixture
def contract() -> Contract:
    return load_contract(contract_text(COLUMNS))


def test_texts_are_read_into_typed_values(contract: Contract) -> None:
    loaded = contract.marshmallow_schema()().load(
        {"s": " abc ", "i": "+7", "f": "1e2", "b": "Yes", "d": "2024-02-29", "t": "2024-07-01 12:00"}
    )
    assert loaded == {
        "s": "abc",
        "i": 7,
        "f": 100.0,
        "b": True,
        "d": date(2024, 2, 29),
        "t": datetime(2024, 7, 1, 11, tzinfo=UTC),
    }


def test_json_numbers_and_booleans_are_read_as_their_texts(contract: Contract) -> None:
    loaded = contract.marshmallow_schema()().load({"s": "a", "i": 7, "f": 1.5, "b": True})
    assert (loaded["i"], loaded["f"], loaded["b"]) == (7, 1.5, True)
    assert record_rules(contract.marshmallow_schema()(), {"s": "a", "i": 1.5}) == {"i": ["type-error"]}


@pytest.mark.parametrize("odd", [[], {}, [1], {"a": 1}, float("nan"), float("inf")])
def test_other_json_is_a_fault_and_not_a_crash(contract: Contract, odd: Any) -> None:
    rules = record_rules(contract.marshmallow_schema()(), {"s": "a", "i": odd, "f": odd})
    assert rules == {"i": ["type-error"], "f": ["type-error"]}


def test_missing_values_are_none_and_required_ones_are_asked_for(contract: Contract) -> None:
    schema = contract.marshmallow_schema()()
    assert schema.load({"s": "a", "i": "", "f": "  ", "b": None})["i"] is None
    for record in ({}, {"s": None}, {"s": " "}):
        with pytest.raises(marshmallow.ValidationError) as caught:
            schema.load(record)
        assert caught.value.messages == {"s": ["s is empty; every row needs a value"]}


def test_every_rule_that_a_cell_breaks_is_named(contract: Contract) -> None:
    assert record_rules(contract.marshmallow_schema()(), {"s": "ABCD"}) == {"s": ["maxLength", "pattern"]}


def test_unknown_names_are_left_out_or_refused_as_the_contract_says(contract: Contract) -> None:
    assert "x" not in contract.marshmallow_schema()().load({"s": "a", "x": 1})
    strict = load_contract(contract_text(COLUMNS, [{"property": "unexpectedColumns", "value": "fault"}]))
    assert record_rules(strict.marshmallow_schema()(), {"s": "a", "x": 1}) == {"x": ["extra-label"]}


def test_what_was_loaded_is_dumped_as_text_that_loads_again(contract: Contract) -> None:
    schema = contract.marshmallow_schema()()
    loaded = schema.load(
        {"s": "abc", "i": "7", "f": "0.1", "b": "n", "d": "2024-02-29", "t": "2024-07-01T12:00:00Z"}
    )
    dumped = schema.dump(loaded)
    assert dumped["t"] == "2024-07-01T12:00:00Z"
    assert schema.load(dumped) == loaded


@pytest.mark.parametrize("name", library.names())
def test_every_library_contract_makes_a_schema_with_a_field_for_each_column(name: str) -> None:
    contract = library.load(name)
    schema = contract.marshmallow_schema()
    assert list(schema().fields) == [column.name for column in contract.columns]
    assert schema.__name__.endswith("Schema")
