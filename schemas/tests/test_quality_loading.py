"""Quality checks of the standard as they are read from a contract."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract_strategies import contract_text

from hub_schemas import Contract, ContractError, load_contract
from hub_schemas.model import Quality

TEXT = {"name": "a", "logicalType": "string"}


def with_column(kind: str, *quality: dict[str, Any]) -> Contract:
    return load_contract(contract_text([{"name": "a", "logicalType": kind, "quality": list(quality)}]))


def with_table(*quality: dict[str, Any], sla: list[dict[str, Any]] | None = None) -> Contract:
    columns = [TEXT, {"name": "d", "logicalType": "date"}]
    document = json.loads(contract_text(columns, quality=list(quality)))
    return load_contract(json.dumps(document | {"slaProperties": sla or []}))


def valid(*values: Any) -> dict[str, Any]:
    return {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": list(values)}}


@pytest.mark.parametrize(
    ("kind", "given", "typed"),
    [
        ("integer", [1, "2"], (1, 2)),
        ("number", [1, 2.5, "3"], (1.0, 2.5, 3.0)),
        ("boolean", [True, "no"], (True, False)),
        ("string", ["x", " y "], ("x", "y")),
    ],
)
def test_valid_values_are_typed_as_their_column(kind: str, given: list[Any], typed: tuple[Any, ...]) -> None:
    assert with_column(kind, valid(*given)).columns[0].enum == typed


@pytest.mark.parametrize(
    ("kind", "value"), [("integer", True), ("integer", 1.5), ("string", 1), ("boolean", 1), ("date", "soon")]
)
def test_values_of_another_type_are_refused(kind: str, value: Any) -> None:
    with pytest.raises(ContractError, match=f"is not of type {kind}"):
        with_column(kind, valid(value))


def test_a_pattern_may_stand_as_a_quality_check_but_only_once() -> None:
    check = {"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "^x$"}}
    assert with_column("string", check).columns[0].pattern == "^x$"
    with pytest.raises(ContractError, match="not supported for integer"):
        with_column("integer", check)
    with pytest.raises(ContractError, match="look-around"):
        with_column("string", check | {"arguments": {"pattern": "(?!x)"}})
    with pytest.raises(ContractError, match="only with mustBe: 0"):
        with_column("string", {"metric": "invalidValues", "mustBeLessThan": 5, "arguments": {"pattern": "x"}})
    with pytest.raises(ContractError, match="keep one of them"):
        load_contract(contract_text([TEXT | {"quality": [check], "logicalTypeOptions": {"pattern": "y"}}]))


def test_words_for_people_are_passed_over() -> None:
    assert with_column("string", {"type": "text", "description": "looks right"}).quality == ()


def test_measures_keep_their_bounds_unit_and_weight() -> None:
    found = with_column(
        "string",
        {
            "metric": "nullValues",
            "mustBeBetween": [1, 5],
            "unit": "%",
            "severity": "warning",
            "description": "why",
        },
    ).quality
    assert found == (
        Quality(
            "nullValues",
            "mustBeBetween",
            (1.0, 5.0),
            "percent",
            ("a",),
            (),
            blocking=False,
            description="why",
        ),
    )


def test_the_older_word_rule_is_understood_for_metric() -> None:
    assert with_column("string", {"metric": "nullValues", "rule": "x", "mustBe": 0}).columns[0].required


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        ({"metric": "duplicateValues", "mustBe": 0}, "needs the columns"),
        ({"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["z"]}}, "no such column: z"),
        ({"metric": "rowCount", "mustBe": 1, "unit": "percent"}, "rowCount is in rows"),
        ({"metric": "nullValues", "mustBe": 0}, "not supported here"),
        ({"metric": "rowCount", "mustBe": 1, "mustNotBe": 2}, "exactly one of"),
    ],
)
def test_checks_of_a_table_that_make_no_sense_are_named(quality: dict[str, Any], words: str) -> None:
    with pytest.raises(ContractError, match=words):
        with_table(quality)


@pytest.mark.parametrize(
    ("promise", "days"),
    [
        ({"property": "freshness", "value": 36, "unit": "h", "element": "rows.d"}, 1.5),
        ({"property": "latency", "value": 2, "unit": "weeks", "element": "d"}, 14),
        ({"property": "latency", "value": 2, "unit": "weeks", "element": "rows.d"}, 14),
        ({"property": "retention", "value": 3, "unit": "y", "element": "rows.d"}, None),
        ({"property": "freshness", "value": 3, "unit": "d", "element": "others.d"}, None),
    ],
)
def test_promises_about_age_are_read_where_they_are_about_this_table(
    promise: dict[str, Any], days: float | None
) -> None:
    found = [check.operands[0] for check in with_table(sla=[promise]).quality]
    assert found == ([] if days is None else [pytest.approx(days)])


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        ({"property": "freshness", "value": 1, "element": "rows.a"}, "not a date or timestamp column"),
        ({"property": "freshness", "value": 1, "element": "rows.z"}, "not a date or timestamp column"),
        ({"property": "freshness", "value": "soon", "element": "rows.d"}, "needs a number"),
        ({"property": "freshness", "value": 1, "unit": "moons", "element": "rows.d"}, "needs a number"),
    ],
)
def test_promises_that_cannot_be_kept_are_named(promise: dict[str, Any], words: str) -> None:
    with pytest.raises(ContractError, match=words):
        with_table(sla=[promise])
