"""Reading workbooks of Excel and OpenDocument: sheets, headers, types, errors, merged cells, and hostile files."""

from __future__ import annotations

import datetime as dt
import io
import os
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hub_connector.errors import ConfigError, SourceError
from hub_connector.sources import _workbook_process, open_source
from hub_connector.sources._workbook import Workbook
from hub_connector.sources.blob import LocalBlob
from hub_connector.sources.spreadsheet import SpreadsheetSource, open_spreadsheet
from support.source_files import Read, compound, ods, ods_cell, placed, read_all, xls, xlsb, xlsx, zipped


def read(path: Path, known: set[str] | None = None, **options: Any) -> Read:
    """The rows, read in this process."""
    return read_all(in_this_process(open_spreadsheet(LocalBlob(path), options)), known)


def in_this_process(source: SpreadsheetSource) -> SpreadsheetSource:
    return SpreadsheetSource(source.blob, source._options, Workbook)


TABLE: list[list[Any]] = [
    ["id", "code", "share"],
    [1, "007", 0.5],
    [20_000_000_000, " x ", 3.3000000000000003],
    [3, "", None],
]
AS_TEXT = [("1", "007", "0.5"), ("20000000000", " x ", "3.3"), ("3", "", "")]


@pytest.mark.parametrize("kind", ["xlsx", "xlsm", "xls", "xlsb", "ods"])
def test_every_kind_of_workbook_gives_the_same_rows_through_the_process_that_reads_it(
    tmp_path: Path, kind: str
) -> None:
    made = {"xls": xls, "xlsb": xlsb}.get(kind)
    content = made(TABLE) if made else ods(("Data", TABLE)) if kind == "ods" else xlsx(("Data", TABLE))
    source = open_source(str(placed(tmp_path, content, f"in.{kind}")))
    assert read_all(source) == (("id", "code", "share"), AS_TEXT, [], ("sheet 'Data'",))


def test_dates_times_and_truths_come_with_their_types_and_text_beside_dates_stays(tmp_path: Path) -> None:
    day, moment = dt.date(2015, 2, 1), dt.datetime(2026, 1, 5, 8, 30)
    rows = [
        ["born", "seen", "at", "ok", "mixed", "long"],
        [day, moment, dt.time(9, 5), True, day, dt.timedelta(hours=30)],
        [None, day, None, False, "unknown", None],
    ]
    path = placed(tmp_path, xlsx(("Data", rows)), "in.xlsx")
    (batch,) = in_this_process(open_spreadsheet(LocalBlob(path), {})).read().batches
    kinds = [str(field.type).partition("[")[0] for field in batch.table.schema]
    assert [kind.partition("<")[0] for kind in kinds] == [
        "date32",
        "timestamp",
        "string",
        "bool",
        "struct",
        "string",
    ]
    assert read(path)[1] == [
        ("2015-02-01", "2026-01-05T08:30:00", "09:05:00", "true", "2015-02-01", "30:00:00"),
        ("", "2015-02-01T00:00:00", "", "false", "unknown", ""),
    ]


def test_durations_of_opendocument_are_hours_minutes_and_seconds(tmp_path: Path) -> None:
    cell = ods_cell("PT27H17M54S", kind="time")
    path = placed(tmp_path, ods(("S", [["a"], f"<table:table-row>{cell}</table:table-row>"])), "in.ods")
    assert read(path)[1] == [("27:17:54",)]


def test_the_sheet_is_the_one_that_fits_the_contract_and_the_notes_say_so(tmp_path: Path) -> None:
    cover, data = [["Return of 2026"], ["made by", "us"]], [["Title"], [], ["id", "surname"], [1, "Smith"]]
    made = xlsx(("Cover", cover), ("Data", data), ("Again", data))
    path = placed(tmp_path, made, "in.xlsx")
    columns, rows, _, notes = read(path, {"id", "surname"})
    assert (columns, rows) == (("id", "surname"), [("1", "Smith")])
    assert notes == ("sheet 'Data' chosen, not 'Cover', 'Again' (say --sheet for another)", "header in row 3")
    assert read(path)[0] == ("id", "surname"), "without a contract, the sheet with the most in it"


def test_a_sheet_is_asked_for_by_name_or_number_and_a_hidden_one_only_so(tmp_path: Path) -> None:
    def hide(book: Any) -> None:
        book["old"].sheet_state = "hidden"

    made = xlsx(("old", [["id"], [1]]), ("2", [["id"], [2]]), ("New", [["id"], [3]]), change=hide)
    path = placed(tmp_path, made, "in.xlsx")
    assert read(path, {"id"})[1] == [("2",)]
    assert [read(path, sheet=asked)[1] for asked in ("new", "2", 3, "old", 1)] == [
        [("3",)], [("2",)], [("3",)], [("1",)], [("1",)],
    ]  # fmt: skip
    assert read(path, sheet="old")[3][0] == "sheet 'old' (hidden)"
    with pytest.raises(SourceError, match="no sheet '4'") as caught:
        read(path, sheet=4)
    assert "'old', '2', 'New'" in caught.value.hint


def test_the_header_is_found_below_titles_or_said_by_the_number_the_spreadsheet_shows(tmp_path: Path) -> None:
    def lower(book: Any) -> None:
        sheet = book["S"]
        for row, cells in (
            (4, ["Bonds of 2013", None, None]),
            (6, ["'A'", "'B'", "total"]),
            (7, [12, 13, 25]),
            (8, [1, 2, 3]),
        ):
            for column, value in enumerate(cells, start=3):
                sheet.cell(row, column, value)

    path = placed(tmp_path, xlsx(("S", []), change=lower), "in.xlsx")
    columns, rows, _, notes = read(path)
    assert (columns, rows) == (("'A'", "'B'", "total"), [("12", "13", "25"), ("1", "2", "3")])
    assert "header in row 6" in notes
    assert read(path, header_row=7)[:2] == (("12", "13", "25"), [("1", "2", "3")])
    for row in (5, 99):
        with pytest.raises(SourceError, match=f"no row {row} to be its header"):
            read(path, header_row=row)


def test_blank_rows_and_columns_do_not_count_wherever_they_are(tmp_path: Path) -> None:
    rows = [["a", "b", None, None], [1, None, None, 5], [], [2, None, ""], [None, "", None], []]
    columns, found, _, _ = read(placed(tmp_path, xlsx(("S", rows)), "in.xlsx"))
    assert (columns, found) == (("a", "b", ""), [("1", "", "5"), ("2", "", "")])
    blank = '<table:table-cell table:number-columns-repeated="16380"/>'
    tail = f'<table:table-row table:number-rows-repeated="1048570">{blank}</table:table-row>'
    assert read(placed(tmp_path, ods(("S", [["a"], [1], tail])), "in.ods"))[:2] == (("a",), [("1",)])


@pytest.mark.parametrize("kind", ["xlsx", "xls", "xls formula", "xlsb", "ods"])
def test_a_cell_with_an_error_puts_its_row_at_fault_and_says_where_and_what(
    tmp_path: Path, kind: str
) -> None:
    error = "=#DIV/0!" if kind == "xls formula" else "#DIV/0!"
    rows: list[list[Any]] = [["id", "x", "other"], [1, 2, 3], [4, error, 5], [6, 7, error]]
    made = {"xls": xls, "xls formula": xls, "xlsb": xlsb}.get(kind)
    content = made(rows) if made else ods(("S", rows)) if kind == "ods" else xlsx(("S", rows))
    path = placed(tmp_path, content, f"in.{kind[:4].strip()}")
    _, found, spoilt, _ = read(path, {"id", "x"})
    assert spoilt == [(2, "the cell B3 of the sheet holds the error #DIV/0!; mend it in the spreadsheet")]
    assert found == [("1", "2", "3"), ("6", "7", "")], "an error where the contract does not look is no fault"
    assert [row for row, _ in read(path)[2]] == [2, 3]


def test_errors_are_found_where_cells_do_not_say_their_place(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(xlsx(("S", [["a", "b"], [1, "#REF!"]])))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    bare = parts[sheet].replace(b' r="A2"', b"").replace(b' r="B2"', b"").replace(b' r="2"', b"")
    path = placed(tmp_path, zipped({**parts, sheet: bare}), "in.xlsx")
    assert read(path)[2] == [
        (1, "the cell B2 of the sheet holds the error #REF!; mend it in the spreadsheet")
    ]


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
def test_the_value_of_merged_cells_counts_once_or_for_all_they_cover(tmp_path: Path, kind: str) -> None:
    rows: list[list[Any]] = [["area", "team", "n"], ["North", "A", 1], [None, "B", 2], ["South", "C", 3]]
    if kind == "xlsx":
        content = xlsx(("S", rows), change=lambda book: book["S"].merge_cells("A2:A3"))
    elif kind == "xls":
        content = xls(rows, merged=[(1, 2, 0, 0)])
    else:
        span = ods_cell("North", 'table:number-rows-spanned="2" table:number-columns-spanned="1"')
        first = f"<table:table-row>{span}{ods_cell('A')}{ods_cell(1)}</table:table-row>"
        second = f"<table:table-row><table:covered-table-cell/>{ods_cell('B')}{ods_cell(2)}</table:table-row>"
        content = ods(("S", [rows[0], first, second, rows[3]]))
    path = placed(tmp_path, content, f"in.{kind}")
    _, found, _, notes = read(path)
    assert found == [("North", "A", "1"), ("", "B", "2"), ("South", "C", "3")]
    assert "1 merged cell: their value counts for the first cell only (--merged fill for all)" in notes
    assert read(path, merged="fill")[1] == [("North", "A", "1"), ("North", "B", "2"), ("South", "C", "3")]


def test_formulas_give_the_result_that_was_saved_and_are_never_run(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(xlsx(("S", [["a", "b"], ["=1+1", "=HYPERLINK(1)"]])))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    saved = re.sub(rb"(<f>1\+1</f>)<v ?/>", rb"\1<v>41</v>", parts[sheet])
    assert b"<v>41</v>" in saved
    columns, rows, spoilt, _ = read(placed(tmp_path, zipped({**parts, sheet: saved}), "in.xlsx"), {"a"})
    assert (columns, rows, spoilt) == (("a", "b"), [("41", "")], [])
    said = "the cell B2 of the sheet holds a formula whose result was not saved; open and save the file"
    assert [message[: len(said)] for _, message in read(tmp_path / "in.xlsx")[2]] == [said]
    empty = saved.replace(b'<c r="B2">', b'<c r="B2" t="str">')
    assert empty != saved
    assert read(placed(tmp_path, zipped({**parts, sheet: empty}), "in.xlsx"))[1] == [("41", "")]


def test_numbers_too_long_for_a_spreadsheet_are_pointed_out(tmp_path: Path) -> None:
    path = placed(tmp_path, xlsx(("S", [["id", "n"], [12345678901234567890, 1]])), "in.xlsx")
    assert "numbers too long for a spreadsheet, their last digits are lost, in 'id'" in read(path)[3]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("in.xls", xls([["a"]], locked=True), "locked with a password"),
        ("in.xlsx", compound({"EncryptedPackage": b"x"}), "locked with a password"),
        ("in.xls", compound({"WordDocument": b"x"}), "no Excel workbook"),
        ("in.xlsx", zipped({"[Content_Types].xml": "", "word/document.xml": ""}), "is a Word document"),
        ("in.xlsx", xlsx(("S", [["a"]]))[:-30], "damaged"),
        ("in.xlsx", zipped({"xl/workbook.xml": "<workbook/>"}), "damaged|no sheet"),
        ("in.xls", b"<html><table><tr><td>1</td></tr></table></html>", "is a web page"),
        (
            "in.xls",
            b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
            "2003 XML",
        ),
        ("in.xlsx", xlsx(("S", [])), "is empty"),
        ("in.xlsx", xlsx(("S", [["a", "a"], [1, 2]])), "column name more than once"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_true_reason(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        source = open_source(str(placed(tmp_path, content, name)))
        read_all(source if not isinstance(source, SpreadsheetSource) else in_this_process(source))
    assert caught.value.hint


def test_an_xls_that_is_text_is_read_as_text(tmp_path: Path) -> None:
    reading = open_source(str(placed(tmp_path, b"id\tname\n1\tAnn\n", "in.xls"))).read()
    assert (reading.columns, reading.notes[1]) == (("id", "name"), "tab between cells")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoding": "utf-8"}, "no option 'encoding'"),
        ({"sheet": ""}, "name of a sheet"),
        ({"sheet": True}, "name of a sheet"),
        ({"header_row": 0}, "whole number from 1"),
        ({"merged": "all"}, "first or fill"),
    ],
)
def test_options_without_sense_are_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_source(str(placed(tmp_path, xlsx(("S", [["a"]])), "in.xlsx")), options)


# --- hostile files: what breaks the library must not break the connector


def far_apart() -> bytes:
    """A few kilobytes for which the library asks for 512 GiB, and aborts its process."""

    def change(book: Any) -> None:
        book["S"].cell(1_048_576, 16_384, 1)

    return xlsx(("S", [["a"]]), change=change)


def test_a_workbook_that_makes_the_library_abort_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="more memory or time than a workbook may take") as caught:
        open_source(str(placed(tmp_path, far_apart(), "in.xlsx"))).read()
    assert "far outside the table" in caught.value.hint


def test_a_panic_of_the_library_is_a_damaged_workbook() -> None:
    class PanicException(BaseException):  # what pyo3 raises is no Exception either
        pass

    from hub_connector.sources._workbook import in_words

    with pytest.raises(SourceError, match=r"in\.xlsx is damaged"), in_words("in.xlsx"):
        raise PanicException("index out of bounds: the cell was Smith")
    with pytest.raises(KeyboardInterrupt), in_words("in.xlsx"):
        raise KeyboardInterrupt


def test_a_workbook_that_unpacks_to_far_more_than_it_is_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_connector.sources import _workbook

    monkeypatch.setattr(_workbook, "_PLENTY", 1 << 20)
    path = placed(tmp_path, zipped({"xl/workbook.xml": "", "xl/media/a": b"\0" * (8 << 20)}), "in.xlsx")
    with pytest.raises(SourceError, match="unpacks to 8 MiB, more than is read"):
        read(path)
    # The same with a size in its directory that is not true.
    lying = path.read_bytes().replace((8 << 20).to_bytes(4, "little"), (8).to_bytes(4, "little"))
    with pytest.raises(SourceError, match=r"unpacks to more|damaged"):
        read(placed(tmp_path, lying, "lying.xlsx"))


def test_a_reader_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_workbook_process, "MOST_SECONDS", 0.001)
    with pytest.raises(SourceError, match="more memory or time"):
        open_source(str(placed(tmp_path, xlsx(("S", [["a"], [1]])), "in.xlsx"))).read()


def test_the_process_that_reads_gets_no_passphrase_and_ends_when_nobody_wants_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CONNECTOR_KEY_PASSPHRASE", "canary-passphrase")
    book = _workbook_process.WorkbookProcess(xlsx(("S", [["a"], [1]])), "in.xlsx")
    process = book._process
    if sys.platform == "linux":
        assert b"canary" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"in.xlsx" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    del book
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
