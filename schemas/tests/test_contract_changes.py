"""A change to a contract is breaking or compatible, and says why."""

from __future__ import annotations

from typing import Any

import pytest
from contract_strategies import contract_text

from hub_schemas import library, load_contract
from hub_schemas.changes import compare, least_version, precedence, version_problem

BASE = {"name": "a", "logicalType": "string", "classification": "personal"}


def effects(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str | None, str]]:
    old, new = (load_contract(contract_text([BASE | part])) for part in (before, after))
    return [(change.column, change.effect) for change in compare(old, new)]


def enum(*values: str) -> dict[str, Any]:
    return {"quality": [{"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": list(values)}}]}


def options(**values: Any) -> dict[str, Any]:
    return {"logicalTypeOptions": values}


def dates(*formats: str) -> dict[str, Any]:
    return {"logicalType": "date", "customProperties": [{"property": "format", "value": list(formats)}]}


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        ({}, {"logicalType": "integer"}, "breaking"),
        ({}, {"required": True}, "breaking"),
        ({"required": True}, {}, "compatible"),
        ({}, {"unique": True}, "breaking"),
        ({}, {"classification": "special-category"}, "breaking"),
        ({}, {"classification": "open"}, "breaking"),
        ({}, {"physicalName": "A"}, "breaking"),
        ({}, {"description": "words"}, "words"),
        ({}, options(maxLength=3), "breaking"),
        (options(maxLength=3), options(maxLength=2), "breaking"),
        (options(maxLength=3), options(maxLength=4), "compatible"),
        (options(minLength=3), options(minLength=2), "compatible"),
        (options(minLength=3), {}, "compatible"),
        ({}, options(pattern="a"), "breaking"),
        (options(pattern="a"), {}, "compatible"),
        (enum("x"), enum("x", "y"), "compatible"),
        (enum("x", "y"), enum("x"), "breaking"),
        ({}, enum("x"), "breaking"),
        (enum("x"), {}, "compatible"),
        (dates("%Y-%m-%d"), dates("%Y-%m-%d", "%d/%m/%Y"), "compatible"),
        (dates("%Y-%m-%d"), dates("%d/%m/%Y", "%Y-%m-%d"), "breaking"),
        (dates("%Y-%m-%d", "%d/%m/%Y"), dates("%Y-%m-%d"), "breaking"),
    ],
)  # fmt: skip
def test_a_change_to_a_column_is_classed(before: dict[str, Any], after: dict[str, Any], effect: str) -> None:
    assert effects(before, after) == [("a", effect)]


def test_columns_may_be_added_when_they_may_be_empty_and_never_dropped() -> None:
    old = load_contract(contract_text([BASE]))
    optional = load_contract(contract_text([BASE, BASE | {"name": "b"}]))
    needed = load_contract(contract_text([BASE, BASE | {"name": "b", "required": True}]))
    assert [(change.column, change.effect) for change in compare(old, optional)] == [("b", "compatible")]
    assert [(change.column, change.effect) for change in compare(old, needed)] == [("b", "breaking")]
    assert [(change.column, change.effect) for change in compare(optional, old)] == [("b", "breaking")]


def test_changes_to_the_whole_are_classed() -> None:
    columns = [BASE, BASE | {"name": "b"}]
    old = load_contract(contract_text(columns))
    rule = [{"property": "bothOrNeither", "value": ["a", "b"]}]
    lower = [{"property": "refusalThreshold", "value": 0.01}]
    strict = [{"property": "unexpectedColumns", "value": "fault"}]
    keyed = [BASE | {"primaryKey": True}, BASE | {"name": "b"}]
    for text, effect in (
        (contract_text(columns, rule), "breaking"),
        (contract_text(columns, lower), "breaking"),
        (contract_text(columns, strict), "breaking"),
        (contract_text(keyed), "breaking"),
        (contract_text(columns, quality=[{"metric": "rowCount", "mustBeGreaterThan": 1}]), "breaking"),
    ):
        new = load_contract(text)
        assert effect in {change.effect for change in compare(old, new)}
        if "primaryKey" not in text:
            assert "breaking" not in {change.effect for change in compare(new, old)}


def test_the_version_number_must_move_as_far_as_the_change_does() -> None:
    old = load_contract(contract_text([BASE]))
    for column, version in (
        ({}, "1.0.0"),
        ({"description": "x"}, "1.0.1"),
        ({"name": "b"}, "2.0.0"),
    ):
        assert least_version(old, compare(old, load_contract(contract_text([BASE | column])))) == version
    wider = load_contract(contract_text([BASE, BASE | {"name": "b"}]))
    assert least_version(old, compare(old, wider)) == "1.1.0"


def test_a_number_that_does_not_fit_is_named_with_the_one_to_take() -> None:
    old = load_contract(contract_text([BASE]))

    def numbered(version: str, *columns: dict[str, Any]) -> str:
        text = contract_text(list(columns)).replace("1.0.0", version, 1)
        new = load_contract(text)
        assert new.version == version
        return version_problem(old, new, compare(old, new))

    optional = (BASE, BASE | {"name": "b"})
    for version in ("1.0.0", "0.9.9", "1.0.0-rc.1"):
        assert numbered(version, *optional).endswith("Take 1.1.0.")
    for version in ("1.0.1", "1.1.0", "1.1.0-local.1", "7.0.0"):
        assert numbered(version, *optional) == ""
    assert numbered("1.9.0", BASE | {"required": True}).endswith("Take 2.0.0.")
    assert numbered("2.0.0", BASE | {"required": True}) == ""
    assert numbered("1.0.0", BASE).endswith("Take 1.0.1."), (
        "another text, though nothing that counts has changed"
    )


def test_versions_stand_in_the_order_of_semantic_versioning() -> None:
    """The example of section 11 of semver 2.0.0, and more."""
    order = [
        "0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
        "1.0.0-rc.1", "1.0.0", "1.1.0-local.1", "1.1.0-local.2", "1.1.0-local.10", "1.1.0", "1.2.0", "1.10.0", "2.0.0",
    ]  # fmt: skip
    assert sorted(set(order), key=precedence) == order


@pytest.mark.parametrize(
    ("before", "after", "readers"),
    [
        ({}, {"logicalType": "integer"}, True),
        ({}, {"classification": "open"}, True),
        ({}, {"required": True}, False),
        ({}, {"physicalName": "A"}, False),
        ({}, options(pattern="a"), False),
        (enum("x", "y"), enum("x"), False),
        ({}, {"customProperties": [{"property": "linkageRole", "value": "surname"}]}, True),
    ],
)  # fmt: skip
def test_what_can_hurt_readers_is_told_from_what_hurts_senders_only(
    before: dict[str, Any], after: dict[str, Any], readers: bool
) -> None:
    old, new = (load_contract(contract_text([BASE | part])) for part in (before, after))
    assert [change.readers for change in compare(old, new)] == [readers]


def test_what_was_dropped_of_the_whole_is_seen_and_said_in_words() -> None:
    columns = [BASE, BASE | {"name": "b"}]
    rule = [{"property": "bothOrNeither", "value": ["a", "b"]}]
    plain = load_contract(contract_text(columns))
    ruled = load_contract(
        contract_text(columns, rule, quality=[{"metric": "rowCount", "mustBeGreaterThan": 1}])
    )
    said = [change.what for change in compare(plain, ruled)]
    assert any("a and b must both have a value" in words for words in said), said
    dropped = compare(ruled, plain)
    assert [change.effect for change in dropped] == ["compatible", "compatible"]
    assert not any("BothOrNeither" in change.what or "Quality(" in change.what for change in dropped)


def test_two_contracts_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="not versions of one"):
        compare(library.load("police.incidents"), library.load("schools.attendance"))


@pytest.mark.parametrize("name", library.names())
def test_a_contract_differs_in_nothing_from_itself(name: str) -> None:
    assert compare(library.load(name), library.load(name)) == ()
