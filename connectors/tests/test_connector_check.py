"""`hub-connector check`: what a data engineer sees, and what the exit status says."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from hub_connector.checking import Summary, check_source, find_contract
from hub_connector.errors import SourceError
from hub_connector.headers import match_header
from hub_connector.sources import open_source

GOOD = ("p1", "Smith", "943 476 5919", "01/02/2015", "12")


def check(department: Any, source: object, *more: object) -> tuple[int, str, str]:
    return department.run("check", "--contract", department.contract, source, *more)


def report_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def test_a_clean_file_ends_with_0_and_says_so(department: Any) -> None:
    status, said, complaint = check(department, department.write([GOOD]))
    assert status == 0
    assert "Clean: every row keeps the contract." in said
    assert "read as: encoding UTF-8; comma between cells" in said
    assert complaint == ""


def test_rows_at_fault_end_with_1_and_are_summed_up_by_rule_and_column(department: Any) -> None:
    rows = [GOOD, ("p2", "", "", "", "999"), ("p3", "Jones", "", "", "-1"), ("p4", "Jones", "", "", "")]
    status, said, _ = check(department, department.write(rows))
    assert status == 1
    assert "4 rows" in said
    assert "2 at fault (50.0%)" in said
    assert any(line.split()[:4] == ["1", "surname", "required", "2"] for line in said.splitlines())
    assert any(line.split()[:4] == ["1", "sessions", "maximum", "2"] for line in said.splitlines())
    assert "The hub would accept 2 rows and set 2 aside until they are mended." in said
    assert "--report faults.csv" in said


def test_the_report_has_every_fault_with_row_numbers_and_masks_what_is_personal(department: Any) -> None:
    rows = [GOOD] * 1 + [(f"p{number}", "Xyzzy" * 50, "123 45x", "Easter", "many") for number in range(2, 9)]
    report = department.home / "faults.csv"
    status, said, _ = check(department, department.write(rows), "--report", report)
    assert status == 1
    lines = report_of(report)
    assert f"Every fault is in {report} ({len(lines)} lines)." in said
    assert list(lines[0]) == ["row", "column", "value_shown", "rule", "message"]
    assert {line["row"] for line in lines} == {str(number) for number in range(2, 9)}
    shown = {(line["column"], line["value_shown"]) for line in lines}
    assert ("sessions", "many") in shown
    assert ("born", "Aaaaaa") in shown
    assert "Easter" not in report.read_text() + said
    assert "123 45x" not in report.read_text() + said


def test_the_report_cannot_start_a_formula_in_a_spreadsheet(department: Any) -> None:
    report = department.home / "faults.csv"
    cells = ["=HYPERLINK(1)", "+cmd", "@x", "-2", "-2+3"]
    check(
        department,
        department.write([(f"p{n}", "A", "", "", cell) for n, cell in enumerate(cells)]),
        "--report",
        report,
    )
    assert [line["value_shown"] for line in report_of(report)] == [
        "'=HYPERLINK(1)",
        "'+cmd",
        "'@x",
        "-2",
        "'-2+3",
    ]


def test_json_says_the_same_for_programs(department: Any) -> None:
    status, said, complaint = check(
        department, department.write([GOOD, ("p2", "", "", "", "")]), "--format", "json"
    )
    found = json.loads(said)
    assert (status, complaint) == (1, "")
    assert found["rows"] == {"read": 2, "accepted": 1, "refused": 1}
    assert found["faults"] == [
        {
            "rule": "required",
            "column": "surname",
            "count": 1,
            "first_rows": [2],
            "message": found["faults"][0]["message"],
        }
    ]
    assert found["clean"] is False


def test_rows_of_another_width_are_faults_and_everything_still_adds_up(department: Any) -> None:
    path = department.write([GOOD])
    path.write_text(path.read_text() + "p2,Smith\np3,Smith,,,1,2,3\n\np1,Again,,,1\np5,Jones,,,2\n")
    report = department.home / "faults.csv"
    status, said, _ = check(department, path, "--report", report)
    assert status == 1
    assert "5 rows" in said
    found = [(line["row"], line["column"], line["rule"]) for line in report_of(report)]
    assert found == [("2", "", "missing-cell"), ("3", "", "extra-cell"), ("4", "pupil", "primary-key")]
    assert "row 1 has the same" in report_of(report)[2]["message"]


def test_outcomes_of_spoilt_rows_keep_what_was_sent_below_its_column(department: Any) -> None:
    path = department.write([GOOD])
    path.write_text(path.read_text() + "p2,Smith\np3,Smith,,,1,2\n")
    summary = Summary()
    outcomes = list(check_source(find_contract(str(department.contract)), open_source(str(path)), summary))
    first = outcomes[0]
    assert first.accepted.column("row_number").to_pylist() == [1]
    assert first.refused.to_pylist() == [
        {"row_number": 2, "pupil": "p2", "surname": "Smith", "nhs": None, "born": None, "sessions": None},
        {"row_number": 3, "pupil": "p3", "surname": "Smith", "nhs": "", "born": "", "sessions": "1"},
    ]
    assert (summary.rows, summary.accepted, summary.refused) == (3, 1, 2)


def test_more_faults_than_the_contract_bears_are_announced(department: Any) -> None:
    status, said, _ = check(department, department.write([("p1", "", "", "", "")]))
    assert status == 1
    assert "The hub would refuse this delivery: 1 of 1 rows are at fault (100.0%)" in said


# --- what cannot be read at all ends with 2 and says what to do


def test_a_missing_column_is_named_with_what_it_may_be_called(department: Any) -> None:
    path = department.home / "in.csv"
    path.write_text("pupil,Family nam,born\np1,Smith,\n")
    status, _, complaint = check(department, path)
    assert status == 2
    assert "lacks a column that test.pupils needs in every row" in complaint
    assert "'Family name' (the file has 'Family nam': the same under another name?)" in complaint
    assert "The header was read as: 'pupil', 'Family nam', 'born'" in complaint


def test_a_file_with_another_delimiter_than_any_known_says_that_it_is_one_column(department: Any) -> None:
    path = department.home / "in.csv"
    path.write_text("pupil#Family name\np1#Smith\n")
    status, _, complaint = check(department, path)
    assert status == 2
    assert "--delimiter" in complaint
    path.write_text("pupil^Family name\np1^Smith\n")
    assert check(department, path, "--delimiter", "^")[0] == 0


def test_optional_columns_may_be_missing_and_unknown_ones_are_left_out_both_with_a_word(
    department: Any,
) -> None:
    path = department.home / "in.csv"
    path.write_text("PUPIL ,family_name,shoe size\np1,Smith,7\n")
    status, said, _ = check(department, path)
    assert status == 0
    assert "column 'PUPIL' read as 'pupil'" in said
    assert "column 'family_name' read as 'Family name'" in said
    assert "left out: 'shoe size'" in said
    assert "nhs: the source has no column 'NHS number'" in said


def test_two_headers_for_one_column_are_an_error(department: Any) -> None:
    path = department.home / "in.csv"
    path.write_text("pupil,surname,Surname,Family name\np1,a,b,c\n")
    contract = find_contract(str(department.contract))
    assert match_header(contract, ["pupil", "surname", "Family name"], "x").names == (
        "pupil",
        None,
        "Family name",
    )
    with pytest.raises(SourceError, match="two columns for 'Family name'"):
        match_header(contract, ["pupil", "SURNAME", "surname "], "x")


def test_columns_a_contract_forbids_make_the_whole_dataset_break_it(department: Any) -> None:
    text = department.contract.read_text().replace(
        "customProperties:\n      - {property: refusal",
        "customProperties:\n      - {property: unexpectedColumns, value: fault}\n      - {property: refusal",
    )
    assert "unexpectedColumns" in text
    department.contract.write_text(text)
    path = department.home / "in.csv"
    path.write_text("pupil,Family name,shoe\np1,Smith,7\n")
    status, said, _ = check(department, path)
    assert status == 1
    assert "The hub would refuse this delivery: the dataset as a whole breaks its contract" in said
    assert "'shoe'" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "is damaged: it cannot be unpacked"),
        (b"\x00\x01\x02\x03" * 50, "binary data"),
        (b"pupil,pupil\n1,2\n", "a column name more than once"),
        (b'pupil,Family name\np1,"Smith\n', "never closed"),
    ],
)
def test_what_is_no_table_ends_with_2_and_the_true_reason(
    department: Any, content: bytes, words: str
) -> None:
    path = department.home / "in.csv"
    path.write_bytes(content)
    status, said, complaint = check(department, path)
    assert (status, said) == (2, "")
    assert words in complaint
    assert len(complaint.strip().splitlines()) >= 2, "the next step is missing"
    assert "Traceback" not in complaint


def test_contracts_are_found_in_the_library_or_in_files_and_mistakes_are_told(department: Any) -> None:
    source = department.write([GOOD])
    status, _, complaint = department.run("check", "--contract", "library:school.attendance", source)
    assert status == 2
    assert "schools.attendance" in complaint
    status, _, complaint = department.run("check", "--contract", "schools.attendance", source)
    assert status == 2
    assert "Did you mean library:schools.attendance?" in complaint
    department.contract.write_text("kind: DataContract\nid: [1\n")
    status, _, complaint = check(department, source)
    assert status == 2
    assert "line 3" in complaint
    assert "cannot be used" in complaint


def test_a_report_that_cannot_be_written_is_told_before_anything_is_read(department: Any) -> None:
    status, said, complaint = check(
        department, department.write([GOOD]), "--report", "no/such/folder/faults.csv"
    )
    assert (status, said) == (2, "")
    assert "cannot be written" in complaint


# --- real data


def test_the_police_files_pass_the_contracts_written_for_them(department: Any, shared_data: Path) -> None:
    for pattern, contract, rows in (
        ("*street.csv", "police.street_crime", "31,635"),
        ("prc-*.csv", "police.recorded_crime", "23,068"),
    ):
        (path,) = (shared_data / "police").glob(pattern)
        status, said, complaint = department.run("check", "--contract", f"library:{contract}", path)
        assert status in (0, 1), complaint
        assert f"{rows} rows" in said


def test_a_spoilt_police_file_names_exactly_the_spoilt_rows(department: Any, shared_data: Path) -> None:
    (path,) = (shared_data / "police").glob("*street.csv")
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[100] = lines[100].replace(",", ";", 1)
    lines[20_000] += ",surplus"
    spoilt = department.home / "street.csv"
    spoilt.write_text("\n".join(lines), encoding="utf-8")
    report = department.home / "faults.csv"
    status, said, _ = department.run(
        "check", "--contract", "library:police.street_crime", spoilt, "--report", report
    )
    assert status == 1
    assert [(line["row"], line["rule"]) for line in report_of(report)] == [
        ("100", "missing-cell"),
        ("20000", "extra-cell"),
    ]
    assert "31,635 rows" in said
