"""What messy tables in the wild look like: each construct made anew, read or refused with the true reason.

The constructs are those of a collection of files that broke readers (messytables' "horror" files); the files
themselves are not here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub_connector.errors import SourceError
from hub_connector.sources import open_source
from hub_connector.sources._workbook import Workbook
from hub_connector.sources.spreadsheet import SpreadsheetSource
from support.source_files import Read, ods, ods_cell, placed, read_all, xls, xlsx, zipped


def read(path: Path, **options: Any) -> Read:
    """As the connector does, but for workbooks, which are read in this process."""
    source = open_source(str(path), options)
    if isinstance(source, SpreadsheetSource):
        source = SpreadsheetSource(source.blob, source._options, Workbook)
    return read_all(source)


def formats() -> bytes:
    """Every kind of value that OpenDocument has, and some that are left empty."""
    worth = (
        '<table:table-cell office:value-type="{}" office:value="{}"><text:p>{}</text:p></table:table-cell>'
    )
    cells = (
        ods_cell("2014-11-11", kind="date"), ods_cell("PT11H12M12S", kind="time"), ods_cell(True), ods_cell(11.11),
        worth.format("currency", 1, "£1.00"), worth.format("percentage", 2, "200%"), ods_cell(100000), ods_cell("abc"),
    )  # fmt: skip
    names = ["date", "time", "truth", "number", "money", "share", "whole", "text"]
    return ods(("Sheet1", [names, f"<table:table-row>{''.join(cells)}</table:table-row>"]), ("Sheet2", []))


def two_hidden(book: Any) -> None:
    for name in ("data", "criteria"):
        book[name].sheet_state = "hidden"


REPORT = xlsx(
    ("Report", [["SAVINGS (BY SERIES)"], ["AS OF June 30"], [], [None, "'A'", "'B'", "'C'"],
                ["SERIES", "ALL", "NO", "ALL"], ["A", 11, 12, 13], ["B", 10, 12, 0]]),
    ("data", [["RptDate", "Series"], [1, 2]]), ("criteria", [["x"]]), change=two_hidden,
)  # fmt: skip
HTML = "<html><body><table><tr><td rowspan=2>1</td></tr></table></body></html>"

#: The file it stands for -> its content, and (columns, rows, words in the notes) or why it cannot be read.
CONSTRUCTS: dict[str, tuple[bytes | str, tuple[int, int, str] | str]] = {
    "simple.xls": (xls([["date", "temperature"], ["2011-01-01", 1], ["2011-01-02", -1]]), (2, 2, "sheet 'Data'")),
    "unicode_sheet_name.xlsx": (xlsx(("mês", [["a note"]])), (1, 0, "sheet 'mês'")),
    "empty.xlsx": (xlsx(("Sheet1", [])), "is empty"),
    "large.xlsx": (REPORT, (4, 3, "(say --sheet for another); header in row 4")),
    "one_column.xls": (xls([["bold"], ["italic"], ["underline"]]), (1, 2, "sheet 'Data'")),
    "span_rich.xls": (xls([["I", "h"], ["j", "MERGE"], ["k", None]], [(1, 2, 1, 1)]), (2, 2, "1 merged cell:")),
    "encrypted.xls": (xls([["a"]], locked=True), "locked with a password"),
    "blank_line.ods": (ods(("S", [["Name", "Age"], ["Bob", 20], [None, None], ["Ian", 34]])), (2, 2, "sheet 'S'")),
    "multiline.ods": (ods(("S", [["a", "b"], ["1\n2", "x"]]), ("T", [])), (2, 1, "not 'T'")),
    "ods_formats.ods": (formats(), (8, 1, "not 'Sheet2'")),
    "simple.zip": (zipped({"simple.csv": "a,b\n1,2\n"}), (2, 1, "simple.csv unpacked from simple.zip")),
    "html.html": (HTML, "web page"),
    "html.xls": (HTML, "web page"),
    "nothing.unknown": ("", "is empty"),
    "utf16.csv": ("a,b\nZoë,2\n".encode("utf-16-le"), (2, 1, "UTF-16-LE")),
    "bom_only_header.csv": (b"\xef\xbb\xbfkitten,win", (2, 0, "UTF-8")),
    "cr_only.csv": ("Odd ones of 1951,,\rin C,,\r,,\rYear,Jan,Feb\r1880,1,2\r1881,3,4\r", (3, 2, "header on line 4")),
    "pasted.csv": ('"CO2, by sector",,\nthousands,,\n,,\nYear,2000,2001\nTimber,"2,666","2,274"\n', (3, 1, "line 4")),
    "spaced.csv": ('date, place, t\n2011, "Galway, IE", 1\n2012, x, "6,000"\n', (3, 2, "blanks after it dropped")),
    "padded_head.csv": ('\nTitle\n***\nIn:;All\n""\n;"1985";"1993"\nA;1;2\nB;3\n' + "C;5;6\n" * 9, (3, 11, "line 6")),
    "many_headers.csv": (",,,\na,a,a,b\nc,d,e,f\n1,2,3,4\n", "column name more than once"),
    "bars.psv": ("Year|New|All\r\n1986|4|3\n1987|5|3\r\n", (3, 2, "bar between cells")),
    "sparse.csv": ("LP,Was,\nA,Träger,\n,,3\n".encode("cp1252"), (3, 2, "cp1252 (guessed")),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CONSTRUCTS))
def test_messy_files_are_read_or_refused_with_the_true_reason(tmp_path: Path, name: str) -> None:
    content, expected = CONSTRUCTS[name]
    path = placed(tmp_path, content, name)
    if isinstance(expected, str):
        with pytest.raises(SourceError, match=expected) as caught:
            read(path)
        assert caught.value.hint
        return
    columns, rows, spoilt, notes = read(path)
    assert (len(columns), len(rows) + len(spoilt)) == expected[:2]
    assert expected[2] in "; ".join(notes)


def test_values_come_as_the_sheet_has_them(tmp_path: Path) -> None:
    assert read(placed(tmp_path, formats(), "in.ods"))[1] == [
        ("2014-11-11", "11:12:12", "true", "11.11", "1", "2", "100000", "abc")
    ]
    assert read(placed(tmp_path, CONSTRUCTS["multiline.ods"][0], "in.ods"))[1] == [("1\n2", "x")]
    assert read(placed(tmp_path, CONSTRUCTS["span_rich.xls"][0], "in.xls"), merged="fill")[1][1] == (
        "k",
        "MERGE",
    )


def test_a_table_lower_down_is_read_when_its_header_is_said(tmp_path: Path) -> None:
    columns, rows, _, _ = read(placed(tmp_path, REPORT, "in.xlsx"), sheet="data", header_row=1)
    assert (columns, rows) == (("RptDate", "Series"), [("1", "2")])
