"""`hub-connector infer`: a draft that loads, accepts its own sample and names nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_connector.checking import Summary, check_source
from hub_connector.errors import SourceError
from hub_connector.inferring import take_sample, write_draft
from hub_connector.sources import open_source
from hub_schemas import Contract, load_contract


def draft(path: Path, rows: int = 50_000) -> str:
    return write_draft(take_sample(open_source(str(path)), rows), "draft.test")


def drafted(folder: Path, header: str, lines: list[str]) -> tuple[Contract, str]:
    path = folder / "in.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    text = draft(path)
    return load_contract(text), text


def checked(contract: Contract, path: Path) -> Summary:
    summary = Summary()
    for _ in check_source(contract, open_source(str(path)), summary):
        pass
    return summary


def test_types_formats_and_keys_are_seen(tmp_path: Path) -> None:
    header = "case_ref,start,seen at,amount,visits,urgent,code,nothing"
    lines = [f"C{n:05d},{n % 28 + 1:02d}/03/2025,2025-03-01 10:{n % 60:02d},{n}.50,{n},{'Yes' if n % 2 else 'No'},0{n},"
             for n in range(1, 60)]  # fmt: skip
    contract, text = drafted(tmp_path, header, lines)
    kinds = {column.name: column.type for column in contract.columns}
    assert kinds == {
        "case_ref": "string", "start": "date", "seen_at": "timestamp", "amount": "number", "visits": "integer",
        "urgent": "boolean", "code": "string", "nothing": "string",
    }  # fmt: skip
    assert contract.primary_key == ("case_ref",)
    assert contract.column("start").formats == ("%d/%m/%Y",)
    assert contract.column("seen_at").source_name == "seen at"
    assert contract.column("case_ref").pattern == "^[A-Z][0-9]{5}$"
    assert not contract.column("nothing").required
    assert "leading noughts" in text
    assert "empty in the whole sample" in text
    assert checked(contract, tmp_path / "in.csv").clean


def test_identifiers_are_recognised_by_their_check_digits_whatever_the_header(tmp_path: Path) -> None:
    from hub_schemas.identifiers import is_valid

    numbers = [str(n) for n in range(4_010_232_100, 4_010_232_400) if is_valid("nhs-number", str(n))]
    contract, _ = drafted(tmp_path, "x,y", [f"{number},{int(number) + 1}" for number in numbers])
    column = contract.column("x")
    assert (column.identifier, column.linkage_role, column.classification) == (
        "nhs-number",
        "nhs_number",
        "personal",
    )
    assert contract.column("y").identifier is None


def test_an_identifier_with_slips_is_recognised_where_the_header_says_so_and_the_slips_are_named(
    tmp_path: Path,
) -> None:
    contract, text = drafted(tmp_path, "NHS No", ["943 476 5919"] * 8 + ["123"])
    assert contract.column("nhs_no").identifier == "nhs-number"
    assert "no nhs-number: rows 9" in text
    assert "123" not in text


def test_sensitivity_is_safe_by_default_where_there_are_people(tmp_path: Path) -> None:
    header = "surname,First Name,DOB,Ethnicity,shoe_size,Postcode,country of birth"
    lines = [
        f"Name{n},Fore{n},{n % 28 + 1:02d}/05/2010,{'A' if n % 2 else 'B'},{n % 9},SW1A 1AA,Land{n}"
        for n in range(40)
    ]
    contract, _ = drafted(tmp_path, header, lines)
    classes = {column.name: column.classification for column in contract.columns}
    assert classes["ethnicity"] == "special-category"
    assert set(classes.values()) == {"personal", "special-category"}
    roles = {column.name: column.linkage_role for column in contract.columns}
    assert roles == {
        "surname": "surname", "first_name": "forename", "dob": "date_of_birth", "ethnicity": None, "shoe_size": None,
        "postcode": "postcode", "country_of_birth": None,
    }  # fmt: skip


def test_a_table_about_things_is_official_and_lists_its_values(tmp_path: Path) -> None:
    contract, _text = drafted(
        tmp_path, "area,kind,hours", [f"{'North' if n % 2 else 'South'},patrol,{n}" for n in range(60)]
    )
    assert {column.classification for column in contract.columns} == {"official"}
    assert contract.column("area").enum == ("North", "South")
    assert contract.column("kind").enum == ()


def test_values_under_a_header_that_may_name_people_are_never_listed(tmp_path: Path) -> None:
    _, text = drafted(
        tmp_path, "officer_name,n", [f"{'Ann Canary' if n % 2 else 'Bob Canary'},{n}" for n in range(60)]
    )
    assert "Canary" not in text


def test_a_key_of_several_columns_is_found_and_one_that_is_none_is_not(tmp_path: Path) -> None:
    lines = [f"T{team},2025-01-{day:02d},{team * day}" for team in range(1, 9) for day in range(1, 29)]
    contract, _ = drafted(tmp_path, "team,day,hours", lines)
    assert contract.primary_key == ("team", "day")
    contract, text = drafted(tmp_path, "team,hours", ["A,1", "A,1", "B,2"])
    assert contract.primary_key == ()
    assert "no columns were seen that tell every row apart" in text


def test_days_and_months_that_could_be_swapped_are_pointed_out(tmp_path: Path) -> None:
    assert "other way round" in drafted(tmp_path, "d", ["01/02/2025", "03/04/2025"])[1]
    assert "other way round" not in drafted(tmp_path, "d", ["01/02/2025", "31/04/2025", "30/04/2025"] * 40)[1]


def test_odd_headers_get_names_that_a_contract_accepts(tmp_path: Path) -> None:
    contract, _ = drafted(tmp_path, ",2024 total,row number,Name: x,name x,Größe", ["1,2,3,a,b,c"])
    assert [column.name for column in contract.columns] == [
        "column_1", "column_2024_total", "source_row_number", "name_x", "name_x_2", "gr_e",
    ]  # fmt: skip
    assert [column.source_name for column in contract.columns][:2] == ["", "2024 total"]


def test_texts_that_mean_something_in_yaml_come_through_as_text(tmp_path: Path) -> None:
    values = ["yes: no", "# not a comment", "'", '"', "null", "~", "- x", "{a}", "\\n"]
    quoted = ['"' + value.replace('"', '""') + '"' for value in values]
    contract, _ = drafted(tmp_path, "a: b,status", [f"{n},{value}" for n, value in enumerate(quoted * 10)])
    assert contract.columns[0].source_name == "a: b"
    assert contract.column("status").enum == tuple(sorted(values))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)] * 2),
        min_size=1,
        max_size=30,
    ),
    header=st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=10), st.just("fixed")
    ),
)
def test_whatever_the_sample_the_draft_loads_and_most_of_the_sample_keeps_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], header: tuple[str, str]
) -> None:
    import csv

    path = tmp_path_factory.mktemp("infer") / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    try:
        sample = take_sample(open_source(str(path), {"delimiter": ",", "header_row": 1}), 1000)
    except SourceError as error:
        assert "more than once" in str(error) or "no rows" in str(error) or "header" in str(error)
        return
    contract = load_contract(write_draft(sample, "draft.test"))
    assert len(contract.columns) == 2
    found = checked_with_options(contract, path)
    assert found.refused <= 0.1 * found.rows


def checked_with_options(contract: Contract, path: Path) -> Summary:
    summary = Summary()
    for _ in check_source(contract, open_source(str(path), {"delimiter": ",", "header_row": 1}), summary):
        pass
    return summary


def test_the_police_files_keep_their_own_drafts(shared_data: Path) -> None:
    for path in sorted((shared_data / "police").glob("*.csv")):
        contract = load_contract(draft(path))
        summary = checked(contract, path)
        assert summary.rows > 20_000
        assert summary.clean, path.name
        assert {column.name for column in contract.columns if column.identifier == "gss-code"} <= {
            "lsoa_code"
        }


def test_every_messy_file_that_can_be_read_gives_a_draft_that_loads(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "csv_messytables" / "horror").glob("*.[cpst]sv")):
        try:
            text = draft(path)
        except SourceError:
            continue
        seen += 1
        assert load_contract(text).columns
    assert seen >= 13


def test_the_command_writes_a_file_and_says_what_to_do_next(department: Any) -> None:
    source = department.write([("p1", "Smith", "", "", "3"), ("p2", "Jones", "", "", "4")])
    status, said, _ = department.run("infer", source, "--id", "test.pupils", "--out", "draft.yaml")
    assert status == 0
    assert "hub-connector check --contract draft.yaml" in said
    assert load_contract(Path("draft.yaml")).id == "test.pupils"
    assert department.run("check", "--contract", "draft.yaml", source)[0] == 0
    status, _, complaint = department.run("infer", source, "--out", "draft.yaml")
    assert status == 2
    assert "is there already" in complaint
    status, said, _ = department.run("infer", source)
    assert status == 0
    assert load_contract(said).id == "draft.pupils"
    assert department.run("infer", source, "--id", "no spaces")[0] == 2
