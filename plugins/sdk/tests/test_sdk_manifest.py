"""The manifest: checked when made, the same after a journey through JSON, and clear about what is wrong."""

from __future__ import annotations

import json
import string
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_sdk import FormatError, Input, Manifest, Output, OutputColumn, Parameter, Resources
from hub_sdk.manifest import COLUMN_TYPES, LINKS, PEOPLE_COLUMNS

COLUMN = OutputColumn("households", "integer", "How many")
OUTPUT = Output("found", (COLUMN,), "aggregate", ("households",))


def manifest(**changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "name": "arrears",
        "version": "1.0",
        "title": "Arrears",
        "summary": "Who owes rent.",
        "inputs": (Input("tenancies", "housing.tenancies", ("arrears",), link=("household",)),),
        "outputs": (OUTPUT,),
    }
    return Manifest(**{**values, **changes})


names = st.text(string.ascii_lowercase, min_size=1, max_size=10)
texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=40)
columns = st.builds(OutputColumn, names, st.sampled_from(COLUMN_TYPES), texts)
inputs = st.builds(
    Input,
    names,
    names.map(lambda name: f"domain.{name}"),
    st.lists(names, min_size=1, max_size=5, unique=True).map(tuple),
    st.booleans(),
    st.lists(st.sampled_from(LINKS), unique=True).map(tuple),
)
outputs = st.builds(
    Output,
    names,
    st.lists(columns, min_size=1, max_size=5, unique_by=lambda column: column.name).map(tuple),
    st.sampled_from(["aggregate", "open"]),
)
parameters = st.one_of(
    st.builds(Parameter, names, st.just("integer"), st.integers(0, 9), texts, st.just(0), st.just(9)),
    st.builds(Parameter, names, st.just("number"), st.floats(-1, 1), texts),
    st.builds(Parameter, names, st.just("string"), texts, texts),
    st.builds(Parameter, names, st.just("boolean"), st.booleans(), texts),
    st.builds(Parameter, names, st.just("date"), st.dates(), texts, st.just(date.min), st.just(date.max)),
)
resources = st.builds(
    Resources, st.integers(256, 4096), st.integers(1, 600), st.integers(1, 600), st.integers(1, 64)
)
manifests = st.builds(
    manifest,
    title=texts,
    inputs=st.lists(inputs, max_size=4, unique_by=lambda item: item.name).map(tuple),
    outputs=st.lists(outputs, max_size=4, unique_by=lambda item: item.name).map(tuple),
    parameters=st.lists(parameters, max_size=4, unique_by=lambda item: item.name).map(tuple),
    resources=resources,
)


@given(manifests)
def test_a_manifest_survives_json(made: Manifest) -> None:
    assert Manifest.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False))) == made


def test_defaults_need_not_be_written() -> None:
    data = manifest().to_json()
    for name in ("parameters", "operations", "schedule", "resources"):
        del data[name]

    assert Manifest.from_json(data) == manifest()


def test_lists_are_taken_for_tuples() -> None:
    made = manifest(inputs=[Input("tenancies", "housing.tenancies", ["arrears"])])  # type: ignore[arg-type]

    assert made.inputs == (Input("tenancies", "housing.tenancies", ("arrears",)),)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": "Rent arrears"}, "name"),
        ({"name": "../arrears"}, "name"),
        ({"version": "one"}, "version"),
        ({"title": ""}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"summary": "turned \u202e round"}, "summary"),
        ({"schedule": "every Monday"}, "schedule"),
        ({"schedule": "0 6 * * MON; rm"}, "schedule"),
        ({"operations": ()}, "operations"),
        ({"inputs": "tenancies"}, "inputs"),
        ({"outputs": ("found",)}, "outputs[0]"),
        ({"outputs": (OUTPUT, OUTPUT)}, "outputs"),
        ({"resources": None}, "resources"),
    ],
)
def test_a_manifest_says_which_field_is_wrong(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(FormatError) as wrong:
        manifest(**changes)

    assert wrong.value.place == place


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("inputs", 0, "columns"), "arrears", "inputs[0].columns"),
        (("inputs", 0, "columns", 0), 5, "inputs[0].columns[0]"),
        (("inputs", 0, "surprise"), 5, "inputs[0]"),
        (("outputs", 0, "columns", 0, "type"), "money", "outputs[0].columns[0].type"),
        (("outputs", 0, "disclosure"), "secret", "outputs[0].disclosure"),
        (("resources", "memory_mb"), "2 GB", "resources.memory_mb"),
        (("resources", "memory_mb"), True, "resources.memory_mb"),
        (("resources", "cpu_seconds"), 0, "resources.cpu_seconds"),
        (("name",), None, "name"),
    ],
)
def test_json_from_a_worker_is_checked_down_to_the_last_field(
    path: tuple[Any, ...], value: Any, place: str
) -> None:
    data = manifest().to_json()
    inner: Any = data
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value

    with pytest.raises(FormatError) as wrong:
        Manifest.from_json(data)

    assert wrong.value.place == place


@pytest.mark.parametrize("data", [None, [], "manifest", 5, {}, {"name": "x"}])
def test_what_is_no_manifest_at_all_is_refused(data: object) -> None:
    with pytest.raises(FormatError):
        Manifest.from_json(data)


# ---- inputs and outputs


def test_linked_columns_come_first() -> None:
    item = Input("tenancies", "housing.tenancies", ("arrears", "tenure"), link=("household", "person"))

    assert item.column_names == ("person_id", "household_id", "arrears", "tenure")


def test_pseudonyms_are_asked_for_as_links_not_as_columns() -> None:
    with pytest.raises(FormatError, match="ask with link="):
        Input("tenancies", "housing.tenancies", ("person_id",))


def test_people_have_the_columns_they_have() -> None:
    assert Input("people", "hub.people", tuple(PEOPLE_COLUMNS)).column_names == tuple(PEOPLE_COLUMNS)
    with pytest.raises(FormatError, match="has no 'surname'"):
        Input("people", "hub.people", ("surname",))
    with pytest.raises(FormatError, match=r"is not for hub\.people"):
        Input("people", "hub.people", ("sex",), link=("person",))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"disclosure": "person"}, "needs key="),
        ({"disclosure": "person", "key": "household_id"}, "must be one of the columns"),
        ({"count_columns": ("people",)}, "must be one of the columns, of type integer"),
        ({"columns": (OutputColumn("household_id", "string", "x"),)}, "disclosure='person' only"),
        ({"columns": (COLUMN, COLUMN)}, "twice"),
        ({"columns": ()}, "1 to"),
    ],
)
def test_an_output_must_make_sense(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        Output(**{"name": "found", "columns": (COLUMN,), "disclosure": "aggregate", **values})


# ---- parameters

WEEKS = Parameter("weeks", "integer", 8, "Weeks", minimum=1, maximum=52)
START = Parameter("start", "date", date(2026, 1, 1), "First day", minimum=date(2025, 1, 1))
TENURE = Parameter("tenure", "string", "council", "Tenure", choices=("council", "private"))


def test_values_are_completed_with_defaults_and_typed() -> None:
    made = manifest(parameters=(WEEKS, START, TENURE))

    assert made.values({}) == {"weeks": 8, "start": date(2026, 1, 1), "tenure": "council"}
    assert made.values({"start": "2026-02-03", "weeks": 4})["start"] == date(2026, 2, 3)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"weeks": 0}, "weeks"),
        ({"weeks": 53}, "weeks"),
        ({"weeks": 1.5}, "weeks"),
        ({"weeks": "8"}, "weeks"),
        ({"weeks": True}, "weeks"),
        ({"start": "2024-12-31"}, "start"),
        ({"start": "3 February"}, "start"),
        ({"tenure": "owned"}, "tenure"),
        ({"month": 1}, "month"),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(values: dict[str, Any], place: str) -> None:
    with pytest.raises(FormatError) as wrong:
        manifest(parameters=(WEEKS, START, TENURE)).values(values)

    assert wrong.value.place == place


@pytest.mark.parametrize(
    "values",
    [
        {"type": "integer", "default": 0, "minimum": 1},
        {"type": "integer", "default": 1, "maximum": 1.5},
        {"type": "number", "default": float("nan")},
        {"type": "string", "default": "x", "minimum": "a"},
        {"type": "string", "default": "x", "choices": ("y",)},
        {"type": "boolean", "default": True, "choices": (True,)},
        {"type": "date", "default": "soon"},
        {"type": "money", "default": 1},
    ],
)
def test_a_parameter_must_make_sense(values: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Parameter(name="p", help="Help", **values)
