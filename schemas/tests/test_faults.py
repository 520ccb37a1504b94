"""What a fault report shows: codes of a known taxonomy, words for people, and no personal value."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_schemas.fault_frame import FaultFrame, shown_series
from hub_schemas.faults import FRICTIONLESS, HIDDEN, message, row_message, shown, written
from hub_schemas.model import BothOrNeither, Column, NotBefore, NotMoreThan, Reference, RequiredWhen

COLUMNS = [
    Column("a", "a", "string", classification=classification, enum=enum)
    for classification in ("open", "official", "personal", "special-category")
    for enum in ((), ("x",))
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column.classification}-{bool(column.enum)}")
@given(value=st.none() | st.text(max_size=80))
def test_one_value_and_a_column_are_masked_alike(column: Column, value: str | None) -> None:
    assert shown_series(column, pl.Series([value], dtype=pl.String)).to_list() == [shown(column, value)]


@given(st.text(min_size=1))
def test_a_masked_value_holds_no_letter_or_digit_of_the_value(value: str) -> None:
    found = shown(Column("a", "a", "string", classification="personal"), value)
    assert set(found) <= {"A", "a", "9", "?", " ", *string.punctuation}


def test_where_few_values_are_possible_not_even_the_shape_is_shown() -> None:
    assert shown(Column("a", "a", "boolean", classification="personal"), "perhaps") == HIDDEN
    assert shown(Column("a", "a", "string", classification="personal", enum=("F", "M")), "f") == HIDDEN
    assert shown(Column("a", "a", "string", classification="special-category"), "cancer") == HIDDEN
    assert shown(Column("a", "a", "string", classification="special-category"), "") == ""


def test_every_code_of_a_cell_has_words_that_begin_with_the_column() -> None:
    column = Column(
        "a", "a", "string", identifier="nino", pattern="x", min_length=1, max_length=2, minimum=1, maximum=2,
        exclusive_minimum=0, exclusive_maximum=3, enum=tuple("abcdefghijklmnopqrstuvwxyz"),
        references=Reference("x.y", "z"),
    )  # fmt: skip
    cell_rules = set(FRICTIONLESS) & {
        "type-error", "required", "minLength", "maxLength", "minimum", "maximum", "pattern", "enum", "identifier",
        "foreign-key",
    }  # fmt: skip
    for rule in cell_rules:
        assert message(column, rule).startswith("a ")
    assert message(column, "minimum") == "a must be 1 or more and more than 0"
    assert message(column, "enum").endswith("and 6 more (capitals matter)")
    assert message(column, "foreign-key") == (
        "a is not found in x.y.z; send that dataset first or correct the value"
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("integer", "a whole number"),
        ("number", "a number like 1234.50"),
        ("boolean", "one of true, false"),
        ("date", "a real date written as DD Mon YY"),
        ("string", "text without white space"),
    ],
)
def test_a_wrong_type_is_explained(kind: str, words: str) -> None:
    assert words in message(Column("a", "a", kind, formats=("%d %b %y",)), "type-error")  # type: ignore[arg-type]


def test_rules_across_columns_are_explained() -> None:
    assert row_message(BothOrNeither(("x", "y"))) == "x and y must both have a value or both be empty"
    assert row_message(NotBefore("end", "start")) == "end must not be before start"
    assert row_message(NotMoreThan("part", "whole")) == "part must not be more than whole"
    assert (
        row_message(RequiredWhen("x", "y", (True, date(2020, 1, 2))))
        == "x is needed where y is true, 2020-01-02"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5.0, "5"),
        (0.1, "0.1"),
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05Z"),
        (datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2024-01-02T03:04:05.000006+00:00"),
        (False, "false"),
        ("x", "x"),
    ],
)
def test_values_are_written_as_people_write_them(value: object, text: str) -> None:
    assert written(value) == text  # type: ignore[arg-type]


def test_a_frame_without_faults_is_an_empty_table() -> None:
    assert FaultFrame().table().num_rows == 0
