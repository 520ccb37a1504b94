"""Contracts are read strictly, and everything wrong with one is said at once and with its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from contract_strategies import contract_text
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_schemas import ContractError, load_contract
from hub_schemas.changes import compare
from hub_schemas.export import odcs_yaml
from hub_schemas.model import NotBefore, RequiredWhen
from hub_schemas.odcs_columns import CUSTOM

VALID_X = {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["x"]}}
PLAIN = {"name": "a", "logicalType": "string"}


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ContractError) as caught:
        load_contract(text)
    return [str(problem) for problem in caught.value.problems]


def one(properties: list[dict[str, Any]], custom: list[dict[str, Any]] | None = None, **table: Any) -> str:
    found = problems(contract_text(properties, custom, **table))
    assert len(found) == 1, found
    return found[0]


def custom(name: str, value: Any) -> list[dict[str, Any]]:
    return [{"property": name, "value": value}]


def test_a_path_a_text_and_bytes_give_the_same_contract(tmp_path: Path) -> None:
    text = contract_text([PLAIN])
    file = tmp_path / "contract.yaml"
    file.write_text(text)
    assert load_contract(file) == load_contract(text) == load_contract(text.encode())


def test_a_text_is_never_taken_for_a_path(tmp_path: Path) -> None:
    file = tmp_path / "contract.yaml"
    file.write_text(contract_text([PLAIN]))
    assert "must be a mapping" in problems(str(file))[0]


def test_the_digest_names_the_content_and_not_the_layout() -> None:
    text = contract_text([PLAIN])
    spaced = json.dumps(json.loads(text), indent=3, sort_keys=True)
    assert load_contract(text).digest == load_contract(spaced).digest
    assert load_contract(text.replace("1.0.0", "1.0.1")).digest != load_contract(text).digest


def test_every_problem_is_reported_at_once_with_its_place() -> None:
    text = contract_text(
        [
            {"name": "a", "logicalType": "array"},
            {"name": "b c", "logicalType": "string"},
            {"name": "d", "logicalType": "string", "clasification": "open"},
        ]
    )
    found = problems(text)
    assert [line.partition(":")[0] for line in found] == [
        "schema[0].properties[0].logicalType",
        "schema[0].properties[1].name",
        "schema[0].properties[2].clasification",
    ]
    assert "did you mean classification?" in found[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: 1\na: 2", "stands twice"),
        ("1: 2", "keys must be text"),
        ("a: .inf", "infinite"),
        ("a: " + "[" * 40 + "]" * 40, "nested more than"),
        ("[" * 5000 + "]" * 5000, "nested more than"),
        ("a: 1e", None),
        ("a: [" + "1," * 60_000 + "1]", "more than 50000 values"),
        ("x" * 1_000_001, "larger than"),
        ("a: " + "9" * 5000, "too long"),
        ("a: b: c", "cannot be read as YAML"),
        ("%YAML 9.9\n---\n- {", "cannot be read as YAML"),
        ("--- 1\n--- 2", "cannot be read as YAML"),
        ("\x07", "cannot be read as YAML"),
        ("", "must be a mapping"),
        ("a: <<", None),
    ],
)
def test_hostile_yaml_is_refused_with_the_reason(text: str, words: str | None) -> None:
    found = problems(text)
    assert words is None or words in found[0]


def test_bytes_that_are_not_utf8_are_refused_and_a_byte_order_mark_is_not() -> None:
    assert "UTF-8" in problems(b"a: \xff")[0]
    assert load_contract(b"\xef\xbb\xbf" + contract_text([PLAIN]).encode()).id == "test.rows"


def test_dates_in_a_contract_stay_the_text_that_was_written() -> None:
    column = {"name": "a", "logicalType": "date", "examples": ["2020-01-01"]}
    text = contract_text([column]).replace('"2020-01-01"', "2020-01-01")
    assert load_contract(text).columns[0].examples == ("2020-01-01",)


_KEYS = st.sampled_from(
    ["schema", "properties", "name", "logicalType", "customProperties", "value", "quality", "id"]
)
_LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text()
_DOCUMENTS = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner))


@settings(max_examples=150, deadline=None)
@given(_DOCUMENTS)
def test_any_document_loads_or_fails_with_problems_and_nothing_else(document: Any) -> None:
    with pytest.raises(ContractError):
        load_contract(json.dumps(document))


HOSTILE = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_good_contract_with_one_part_replaced_loads_or_fails_with_problems(data: st.DataObject) -> None:
    column = {
        "name": "a", "logicalType": "string", "logicalTypeOptions": {"pattern": "a+", "maxLength": 3},
        "customProperties": custom("identifier", "nino"), "classification": "personal",
        "quality": [{"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["a"]}}],
    }  # fmt: skip
    document = json.loads(contract_text([column, PLAIN | {"name": "b"}], custom("bothOrNeither", ["a", "b"])))
    document["slaProperties"] = [{"property": "freshness", "value": 1, "unit": "d", "element": "rows.a"}]
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(document)
    node, key = data.draw(st.sampled_from(places))
    node[key] = data.draw(HOSTILE)
    try:
        load_contract(json.dumps(document))
    except ContractError as error:
        assert error.problems


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "../etc/passwd"}, "letters, digits"),
        ({"id": "a..b"}, "letters, digits"),
        ({"version": "1"}, "semantic version"),
        ({"kind": "Other"}, "must be DataContract"),
        ({"apiVersion": "v2.2.2"}, "write v3.1.0"),
        ({"schema": []}, "one table, found none"),
        ({"colour": "red"}, "not a field of ODCS"),
        ({"status": None}, "is missing"),
        ({"version": 1.0}, "must be text, not a number"),
    ],
)
def test_the_head_of_a_contract_is_checked(change: dict[str, Any], words: str) -> None:
    document = json.loads(contract_text([PLAIN])) | change
    assert words in "\n".join(problems(json.dumps(document)))


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"logicalType": "time"}, "time is not supported"),
        ({"logicalType": None}, "is missing; say one of"),
        ({"name": "row_number"}, "the hub uses itself"),
        ({"name": "1st"}, "headers go in physicalName"),
        ({"classification": "secret"}, "use one of: open, official, personal, special-category"),
        ({"classification": "open", "customProperties": custom("identifier", "nino")}, "about a person"),
        ({"classification": "official", "customProperties": custom("linkageRole", "surname")}, "about a person"),
        ({"customProperties": custom("identifier", "passport")}, "must be one of nhs-number"),
        ({"customProperties": custom("identifer", "nino")}, "did you mean identifier?"),
        ({"logicalType": "integer", "customProperties": custom("identifier", "uprn")}, "of type string"),
        ({"customProperties": custom("linkageRole", "shoe_size")}, "must be one of forename"),
        ({"customProperties": custom("format", ["%d"])}, "on a date or timestamp"),
        ({"logicalType": "date", "customProperties": custom("format", ["%d/%q"])}, "%q is not supported"),
        ({"logicalType": "date", "customProperties": custom("format", ["%d/%Y"])}, "a month"),
        ({"logicalType": "date", "customProperties": custom("format", ["%Y-%m-%dT%H"])}, "no time of day"),
        ({"logicalType": "date", "logicalTypeOptions": {"minimum": "soon"}}, "must be a date in quotes"),
        ({"logicalType": "date", "logicalTypeOptions": {"format": "GGGG-MM"}}, "'GGGG' is not supported"),
        ({"logicalType": "integer", "logicalTypeOptions": {"multipleOf": 5}}, "not supported for integer"),
        ({"logicalType": "integer", "logicalTypeOptions": {"format": "u64"}}, "use one of"),
        ({"logicalType": "number", "logicalTypeOptions": {"format": "f32"}}, "only f64"),
        ({"logicalType": "number", "logicalTypeOptions": {"minimum": "1"}}, "must be a number"),
        ({"logicalTypeOptions": {"format": "email"}}, "not supported for string"),
        ({"logicalTypeOptions": {"pattern": "(?=a)"}}, "look-around"),
        ({"logicalTypeOptions": {"minLength": 4, "maxLength": 3}}, "more than maxLength"),
        ({"logicalTypeOptions": {"maxLength": True}}, "must be a whole number"),
        ({"required": "yes"}, "must be true or false"),
        ({"quality": [{"type": "sql", "query": "drop table x", "mustBe": 0}]}, "cannot carry a query"),
        ({"quality": [{"type": "custom", "engine": "soda"}]}, "custom checks (engine 'soda')"),
        ({"quality": [{"metric": "rowCount", "mustBe": 1}]}, "not supported here"),
        ({"quality": [{"metric": "nullValues"}]}, "needs exactly one of"),
        ({"quality": [{"metric": "nullValues", "mustBe": "x"}]}, "needs a number"),
        ({"quality": [{"metric": "nullValues", "mustBeBetween": [1]}]}, "needs two numbers"),
        ({"quality": [{"metric": "nullValues", "mustBe": 0, "unit": "furlongs"}]}, "use rows or percent"),
        ({"quality": [{"metric": "invalidValues", "mustBe": 0}]}, "needs validValues"),
        ({"logicalType": "integer", "quality": [VALID_X]}, "is not of type integer"),
        ({"relationships": [{"to": "b.c"}]}, "references"),
    ],
)  # fmt: skip
def test_what_a_column_cannot_have_is_named(column: dict[str, Any], words: str) -> None:
    assert words in one([PLAIN | column])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (custom("refusalThreshold", 2), "share of rows"),
        (custom("refusalTreshold", 0.1), "did you mean refusalThreshold?"),
        (custom("unexpectedColumns", "drop"), "ignore or fault"),
        (custom("bothOrNeither", ["a", "z"]), "no column 'z'"),
        (custom("bothOrNeither", ["a"]), "two or more columns"),
        (custom("notBefore", {"later": "a", "earlier": "b"}), "both columns must be of one type"),
        (custom("notMoreThan", {"column": "b", "than": "c"}), "both columns must be of one type"),
        (custom("requiredWhen", {"column": "a", "when": "b", "in": ["x"]}), "'x' is not of type integer"),
        (custom("requiredWhen", {"column": "a", "when": "b", "in": []}), "needs the values"),
        (custom("coverageColumn", "a"), "of type date or timestamp"),
    ],
)
def test_what_a_rule_across_columns_cannot_be_is_named(rules: list[dict[str, Any]], words: str) -> None:
    columns = [PLAIN, {"name": "b", "logicalType": "integer"}, {"name": "c", "logicalType": "date"}]
    assert words in "\n".join(problems(contract_text(columns, rules)))


def test_columns_and_headers_may_stand_only_once() -> None:
    assert "stands twice" in one([PLAIN, {"name": "A", "logicalType": "string"}])
    assert "header 'a' stands twice" in one(
        [PLAIN, {"name": "b", "logicalType": "string", "physicalName": "a"}]
    )


def test_a_column_knows_its_header_even_when_that_is_empty_or_padded() -> None:
    columns = [
        PLAIN | {"physicalName": ""},
        PLAIN | {"name": "b", "physicalName": " B "},
        PLAIN | {"name": "c"},
    ]
    assert [column.source_name for column in load_contract(contract_text(columns)).columns] == [
        "",
        " B ",
        "c",
    ]


def test_the_primary_key_follows_its_positions_and_its_columns_are_required() -> None:
    columns = [
        PLAIN | {"primaryKey": True, "primaryKeyPosition": 2},
        PLAIN | {"name": "b", "primaryKey": True, "primaryKeyPosition": 1},
    ]
    contract = load_contract(contract_text(columns))
    assert contract.primary_key == ("b", "a")
    assert all(column.required for column in contract.columns)


def test_quality_that_no_row_may_fail_becomes_a_rule_for_every_row() -> None:
    checks = [
        {"metric": "nullValues", "mustBe": 0},
        {"metric": "duplicateValues", "mustBe": 0},
        {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["x", None, ""]}},
    ]
    contract = load_contract(contract_text([PLAIN | {"quality": checks}]))
    column = contract.columns[0]
    assert (column.required, column.unique, column.enum, contract.quality) == (True, True, ("x",), ())


def test_rules_hold_typed_values() -> None:
    columns = [
        {"name": "a", "logicalType": "date"},
        {"name": "b", "logicalType": "date"},
        {"name": "c", "logicalType": "boolean"},
    ]
    rules = custom("notBefore", {"later": "b", "earlier": "a"})
    rules += custom("requiredWhen", {"column": "b", "when": "c", "in": [True]})
    assert load_contract(contract_text(columns, rules)).rules == (
        NotBefore("b", "a"),
        RequiredWhen("b", "c", (True,)),
    )


def test_formats_may_be_written_as_java_does() -> None:
    column = {"name": "a", "logicalType": "timestamp", "logicalTypeOptions": {"format": "dd/MM/yyyy'T'HH:mm"}}
    assert load_contract(contract_text([column])).columns[0].formats == ("%d/%m/%YT%H:%M",)


def test_a_person_column_is_personal_when_nothing_else_is_said() -> None:
    columns = [PLAIN | {"customProperties": custom("linkageRole", "surname")}, PLAIN | {"name": "b"}]
    contract = load_contract(contract_text(columns))
    assert [column.classification for column in contract.columns] == ["personal", "official"]


def test_asking_for_a_column_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(KeyError, match="it has: a"):
        load_contract(contract_text([PLAIN])).column("b")


def test_loading_a_contract_loads_no_heavy_package() -> None:
    code = (
        "import sys; from hub_schemas import library; library.load('schools.attendance'); "
        "print([name for name in ('polars', 'pyarrow', 'numpy', 'duckdb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_marks_for_people_s_rights_are_read_and_must_be_true_or_false() -> None:
    column = PLAIN | {"customProperties": custom("aboutOthers", True)}
    text = contract_text([column], custom("confidentialPatientInformation", True))
    contract = load_contract(text)
    assert (contract.confidential_patient_information, contract.columns[0].about_others) == (True, True)
    again = load_contract(odcs_yaml(contract))
    assert (again.confidential_patient_information, again.columns[0].about_others) == (True, True)
    assert [
        (change.what, change.effect) for change in compare(contract, load_contract(contract_text([PLAIN])))
    ] == [
        ("its rows are no longer confidential patient information", "breaking"),
        ("is not about others than the row's person", "compatible"),
    ]
    for wrong in (
        contract_text([PLAIN | {"customProperties": custom("aboutOthers", "yes")}]),
        contract_text([PLAIN], custom("confidentialPatientInformation", "yes")),
    ):
        with pytest.raises(ContractError, match="must be true or false"):
            load_contract(wrong)


def test_every_custom_property_of_a_column_is_covered_here() -> None:
    assert {"identifier", "linkageRole", "format", "missingValues", "references", "aboutOthers"} == CUSTOM
