"""Reading delimited text: any dialect, any encoding, the same cells whichever way the rows are read."""

from __future__ import annotations

import csv
import gc
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_connector.errors import ConfigError, SourceError
from hub_connector.sources import ENTRY_POINT_GROUP, open_source
from hub_connector.sources._dialect import Dialect
from hub_connector.sources._encoding import Encoding, utf8_blocks
from hub_connector.sources._records import read_records


def read(path: Path, **options: Any) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[tuple[int, str]]]:
    """(header, rows without spoilt ones, spoilt rows and their rules) of a file."""
    reading = open_source(str(path), options).read()
    rows, spoilt, next_row = [], [], 1
    for batch in reading.batches:
        assert batch.first_row == next_row, "row numbers must run on"
        next_row += batch.table.num_rows
        bad = {entry.row - batch.first_row for entry in batch.spoilt}
        columns = [column.to_pylist() for column in batch.table.columns]
        for index, row in enumerate(zip(*columns, strict=True)):
            assert all(cell is None for cell in row) if index in bad else None not in row
            if index not in bad:
                rows.append(row)
        spoilt += [(entry.row, entry.rule) for entry in batch.spoilt]
    return reading.columns, rows, spoilt


def file(folder: Path, content: str | bytes, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- the two ways agree


def cells_of(blocks: list[bytes], dialect: Dialect, width: int, chunk: int) -> list[tuple[str, ...] | None]:
    """Rows as tuples, None for spoilt ones."""
    columns = [f"c{index}" for index in range(width)]
    found: list[tuple[str, ...] | None] = []
    for batch in read_records(blocks, dialect, columns, "x", damaged=False, chunk=chunk):
        assert batch.first_row == len(found) + 1
        spoilt = {entry.row: entry.cells for entry in batch.spoilt}
        for offset, row in enumerate(
            zip(*(column.to_pylist() for column in batch.table.columns), strict=True)
        ):
            number = batch.first_row + offset
            found.append(tuple(spoilt[number]) if number in spoilt else row)
    return found


@settings(max_examples=400, deadline=None)
@given(
    text=st.text(alphabet='ab",;\n\r ü', max_size=60),
    cuts=st.lists(st.integers(1, 7), max_size=30),
    chunk=st.integers(1, 40),
    width=st.integers(1, 3),
)
def test_any_text_gives_the_cells_that_pythons_csv_gives_however_it_is_cut(
    text: str, cuts: list[int], chunk: int, width: int
) -> None:
    dialect, data, blocks, start = Dialect(), text.encode(), [], 0
    for cut in cuts:
        blocks.append(data[start : start + cut])
        start += cut
    blocks.append(data[start:])
    expected = [tuple(row) for row in csv.reader(io.StringIO(text, newline="")) if row]
    ended = [row for row in csv.reader(io.StringIO(text + "\n<end>", newline="")) if row]
    if ended[-1] != ["<end>"]:
        # A quotation mark stays open: csv swallows the rest in silence, this reader says so.
        with pytest.raises(SourceError, match="never closed"):
            cells_of(blocks, dialect, width, chunk)
        return
    assert cells_of(blocks, dialect, width, chunk) == expected


#: Cells as exports have them: empty, blank, quoted by somebody, with signs of more than a byte, with a line end.
MESSY_CELLS = st.sampled_from(
    [
        "",
        " ",
        "a",
        '24"',
        '"',
        'b"c"',
        '""',
        "x,y",
        "O'Brien",
        "Zoë",
        "£3",
        "two\nlines",
        "cr\rhere",
        "\ufffd",
        "\ufeff",
    ]
)


@st.composite
def messy_lines(draw: st.DrawFn) -> str:
    """A line as one program writes it, or as somebody pasted it together: any number of cells, marks anywhere."""
    cells = draw(st.lists(MESSY_CELLS, min_size=1, max_size=4))
    ending = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    how = draw(st.sampled_from(["pasted", "minimal", "all"]))
    if how == "pasted":
        return ",".join(cells) + ending
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if how == "all" else csv.QUOTE_MINIMAL
    csv.writer(text, quoting=quoting, lineterminator=ending).writerow(cells)
    return text.getvalue()


def plainly(data: bytes, codec: str, errors: str, width: int) -> list[tuple[Any, ...]] | None:
    """What a slow reader that anybody can follow makes of a file; None when a quotation mark stays open.

    For each data row its cells and the rule it breaks, if any.
    """
    text = data.decode(codec, errors)
    ended = list(csv.reader(io.StringIO(text + "\n<end>", newline="")))
    if ended[-1] != ["<end>"]:
        return None
    found: list[tuple[Any, ...]] = []
    for cells in csv.reader(io.StringIO(text, newline="")):
        if cells:
            unreadable = errors == "replace" and any("\ufffd" in cell for cell in cells)
            other = "missing-cell" if len(cells) < width else "extra-cell" if len(cells) > width else None
            found.append((tuple(cells), other or ("encoding-error" if unreadable else None)))
    return found


@settings(max_examples=300, deadline=None)
@given(
    lines=st.lists(messy_lines(), max_size=30),
    kind=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "damaged"]),
    spots=st.lists(st.integers(0, 400), max_size=3),
    chunk=st.integers(20, 300),
    width=st.integers(1, 3),
)
def test_the_fast_reader_says_of_every_row_what_a_slow_plain_one_says(
    lines: list[str], kind: str, spots: list[int], chunk: int, width: int
) -> None:
    codec, text = ("utf-8" if kind == "damaged" else kind), "".join(lines)
    data = bytearray(text.encode(codec, "replace"))
    if kind == "damaged":
        for spot in spots:
            data[min(spot, len(data)) : min(spot, len(data))] = b"\xff"
    errors = "replace" if kind == "damaged" else "strict"
    expected = plainly(bytes(data), codec, errors, width)
    encoding = Encoding(
        "utf-8" if codec == "utf-8-sig" else codec,
        mark=3 if codec == "utf-8-sig" else 0,
        damaged=kind == "damaged",
    )
    blocks = list(utf8_blocks(io.BytesIO(bytes(data)), encoding, "x"))
    cut = [block[start : start + 64] for block in blocks for start in range(0, len(block), 64)]
    columns = [f"c{index}" for index in range(width)]
    batches = read_records(cut, Dialect(), columns, "x", damaged=encoding.damaged, chunk=chunk)
    if expected is None:
        with pytest.raises(SourceError, match="never closed"):
            list(batches)
        return
    found: list[tuple[Any, ...]] = []
    for batch in batches:
        assert batch.first_row == len(found) + 1
        spoilt = {entry.row: (entry.cells, entry.rule) for entry in batch.spoilt}
        assert [entry.row for entry in batch.spoilt] == sorted(spoilt)
        rows = zip(*(column.to_pylist() for column in batch.table.columns), strict=True)
        for number, row in enumerate(rows, batch.first_row):
            assert set(row) == {None} if number in spoilt else None not in row
            found.append(spoilt.get(number, (row, None)))
    assert found == expected


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            *[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=8)] * 3
        ),
        max_size=12,
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_csv_writes_is_read_back_whatever_the_dialect_and_encoding(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    ending: str,
    quoting: Any,
    encoding: str,
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerows([("first name", "second", "third"), *rows])
    path = file(tmp_path_factory.mktemp("csv"), text.getvalue().encode(encoding))
    # Blank cells in front of marks can look like another dialect; what the header says must not be in doubt.
    header, found, spoilt = read(path, delimiter=delimiter)
    assert header == ("first name", "second", "third")
    assert (found, spoilt) == (rows, [])


def test_who_stops_reading_early_leaves_no_thread_behind() -> None:
    closed: list[bool] = []

    def blocks() -> Iterator[bytes]:
        try:
            while True:
                yield b"1,2\n" * 100
        finally:
            closed.append(True)

    batches = read_records(blocks(), Dialect(), ("a", "b"), "x", damaged=False, chunk=100)
    assert next(iter(batches)).first_row == 1
    batches.close()  # type: ignore[attr-defined]  # what reads ahead is a generator
    gc.collect()
    assert closed == [True]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


def test_an_error_while_reading_ahead_comes_after_the_rows_before_it() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"1,2\n" * 100
        raise SourceError("the line was cut")

    batches = read_records(blocks(), Dialect(), ("a", "b"), "x", damaged=False, chunk=100)
    assert next(iter(batches)).table.num_rows == 100
    with pytest.raises(SourceError, match="line was cut"):
        list(batches)


# --- files that nobody here wrote


def test_csv_spectrum_parses_exactly(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "csv_spectrum" / "csvs").glob("*.csv"))
    assert len(files) >= 12
    for path in files:
        expected = json.loads((path.parent.parent / "json" / f"{path.stem}.json").read_text())
        content = path.read_bytes()
        if path.stem == "newlines_crlf" and b"\r" not in content:
            content = content.replace(b"\n", b"\r\n")  # this copy lost its line ends on the way
        if path.stem == "location_coordinates":
            # The expected document is one object, with another telephone number than the file's.
            expected = [{**expected, "Contact Phone Number": "2095257564"}]
        header, rows, spoilt = read(file(tmp_path, content))
        assert [dict(zip(header, row, strict=True)) for row in rows] == expected, path.name
        assert not spoilt


def test_csv_spectrum_parses_exactly_with_other_line_ends(shared_data: Path, tmp_path: Path) -> None:
    for path in sorted((shared_data / "csv_spectrum" / "csvs").glob("*.csv")):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        plain = read(file(tmp_path, content))
        for ending in ("\r\n", "\r"):
            header, rows, spoilt = read(file(tmp_path, content.replace(b"\n", ending.encode())))
            assert (header, spoilt) == (plain[0], plain[2])
            assert rows == [tuple(cell.replace("\n", ending) for cell in row) for row in plain[1]], path.name


#: What the delimited files of messytables hold, as a person reads them: (columns, rows), or why they cannot be read.
MESSY = {
    "begrotingsanalyse-2011.csv": "column name more than once",
    "characters.csv": (18, 382),
    "complex.csv": (4, 3),
    "example.tsv": (17, 140),
    "excel_pasting.csv": (9, 17),
    "long.csv": (1, 3999),
    "mixedGLB.csv": (19, 133),
    "null.csv": "column name more than once",
    "simple.csv": (3, 6),
    "simple.psv": (6, 28),
    "simple.ssv": (3, 6),
    "skip_initials.csv": (2, 2),
    "small.csv": (1, 0),
    "spanish_chars.csv": (8, 116),
    "sparse_with_column_errors.csv": (4, 2237),
    "utf-16le_encoded.csv": (19, 327),
    "utf8bom.csv": (2, 0),
    "weird_head_padding.csv": (11, 76),
}


@pytest.mark.parametrize("name", sorted(MESSY))
def test_messy_files_are_read_or_refused_with_the_true_reason(shared_data: Path, name: str) -> None:
    path, expected = shared_data / "csv_messytables" / "horror" / name, MESSY[name]
    if isinstance(expected, str):
        with pytest.raises(SourceError, match=expected):
            read(path)
        return
    header, rows, spoilt = read(path)
    assert (len(header), len(rows) + len(spoilt)) == expected


def test_names_survive_the_encodings_of_messy_files(shared_data: Path) -> None:
    folder = shared_data / "csv_messytables" / "horror"
    assert read(folder / "characters.csv")[0][1] == "景點編號"
    assert read(folder / "spanish_chars.csv")[0][7] == "Descripción"
    assert "Trägerorganisationen" in read(folder / "sparse_with_column_errors.csv")[1][0][1]


# --- detection


def test_windows_text_is_recognised_and_reported_as_a_guess(tmp_path: Path) -> None:
    path = file(tmp_path, "name,price\nZoë,£3\nO’Brien,£4 – £5\n".encode("cp1252"))
    reading = open_source(str(path)).read()
    assert "cp1252 (guessed: say --encoding if names look wrong)" in reading.notes[0]
    assert read(path)[1] == [("Zoë", "£3"), ("O’Brien", "£4 – £5")]


def test_a_few_unreadable_bytes_put_their_rows_at_fault_and_no_others(tmp_path: Path) -> None:
    content = "name,town\nZoë,Łódź\n".encode() + b"Ren\xe9e,Hull\n" + "Zoë,Łódź\n".encode() * 3
    _, rows, spoilt = read(file(tmp_path, content))
    assert spoilt == [(2, "encoding-error")]
    assert rows == [("Zoë", "Łódź")] * 4


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_wide_encodings_are_recognised(tmp_path: Path, encoding: str) -> None:
    path = file(tmp_path, "name,town\nZoë,Łódź\nAnn,York\n".encode(encoding))
    assert read(path)[:2] == (("name", "town"), [("Zoë", "Łódź"), ("Ann", "York")])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_although_cells_hold_the_others(tmp_path: Path, delimiter: str) -> None:
    others = "".join({",", ";", "|"} - {delimiter})
    lines = [delimiter.join(("id", "remark", "note"))] + [
        delimiter.join((str(n), f"x{others}y", "z")) for n in range(5)
    ]
    header, rows, _ = read(file(tmp_path, "\n".join(lines)))
    assert header == ("id", "remark", "note")
    assert rows[4] == ("4", f"x{others}y", "z")


def test_the_contract_helps_to_find_delimiter_and_header(tmp_path: Path) -> None:
    text = "Report; made 3 May\nfor, the, council\n\nid;surname\n1;Smith, J\n"
    known = {"id", "surname"}
    reading = open_source(str(file(tmp_path, text))).read(lambda cells: len(known & set(cells)))
    assert reading.columns == ("id", "surname")
    assert "header on line 4" in reading.notes
    assert next(reading.batches).table.to_pylist() == [{"id": "1", "surname": "Smith, J"}]


def test_excels_own_separator_line_is_obeyed_and_not_taken_for_data(tmp_path: Path) -> None:
    assert read(file(tmp_path, "sep=;\r\na;b\r\n1;2,5\r\n"))[:2] == (("a", "b"), [("1", "2,5")])


def test_what_people_say_about_a_file_is_taken_at_its_word(tmp_path: Path) -> None:
    text = "title\nid:name\n1:'a:b'\n"
    path = file(tmp_path, text)
    assert read(path, delimiter="colon", quote="'", header_row=2)[:2] == (("id", "name"), [("1", "a:b")])
    assert read(path, delimiter=":", quote="none", header_row=2)[2] == [(1, "extra-cell")]
    escaped = file(tmp_path, "a,b\n1,x\\,y\n")
    assert read(escaped, delimiter=",", escape="\\", quote="none")[1] == [("1", "x,y")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimeter": ";"}, "no option 'delimeter'"),
        ({"delimiter": "ab"}, "one character"),
        ({"header_row": 0}, "whole number from 1"),
        ({"header_row": True}, "whole number from 1"),
        ({"escape": "\\"}, "delimiter as well"),
    ],
)
def test_options_without_sense_are_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_source(str(file(tmp_path, "a,b\n")), options)


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no text encoding called 'klingon'"):
        open_source(str(file(tmp_path, "a,b\n")), {"encoding": "klingon"})
    with pytest.raises(SourceError, match="not UTF-8 throughout"):
        read(file(tmp_path, "a,b\nZoë,1\n".encode("cp1252")), encoding="utf-8")


# --- rows and headers


def test_rows_with_too_few_or_too_many_cells_are_set_apart_and_the_others_keep_their_numbers(
    tmp_path: Path,
) -> None:
    text = "a,b,c\n1,2,3\n4,5\n\n6,7,8\n9,10,11,12\n13,14,15\n"
    _, rows, spoilt = read(file(tmp_path, text))
    assert rows == [("1", "2", "3"), ("6", "7", "8"), ("13", "14", "15")]
    assert spoilt == [(2, "missing-cell"), (4, "extra-cell")]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert read(file(tmp_path, "\n\na,b\n\n1,2\n\n\n3,4\n\n"))[1] == [("1", "2"), ("3", "4")]
    assert read(file(tmp_path, 'a\n1\n\n""\n2\n'))[1] == [("1",), ("",), ("2",)]


def test_quotation_marks_in_the_middle_of_cells_stand_for_themselves(tmp_path: Path) -> None:
    text = 'item,size\nscreen,24" wide\npipe,"5"" bore"\n"a"b,c\n'
    assert read(file(tmp_path, text))[1] == [("screen", '24" wide'), ("pipe", '5" bore'), ("ab", "c")]


def test_a_quotation_mark_that_is_never_closed_is_an_error_that_names_the_row(tmp_path: Path) -> None:
    path = file(tmp_path, 'a,b\n1,2\n3,"4\n5,6\n7,8\n')
    with pytest.raises(SourceError, match=r"data row 2 that is never closed") as caught:
        read(path)
    assert "--quote none" in caught.value.hint
    assert read(path, quote="none")[1] == [("1", "2"), ("3", '"4'), ("5", "6"), ("7", "8")]


def test_a_cell_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = file(tmp_path, b'a,b\n1,"' + b"x\n" * 12_000_000)
    with pytest.raises(SourceError, match="never closed"):
        read(path)


def test_a_column_name_that_stands_twice_is_an_error_and_nameless_columns_get_their_place(
    tmp_path: Path,
) -> None:
    with pytest.raises(SourceError, match="'b' 2 times"):
        read(file(tmp_path, "a,b,b\n1,2,3\n"))
    assert read(file(tmp_path, ",a,b,c,,\n1,2,3,4,5,6\n"))[0] == (
        "",
        "a",
        "b",
        "c",
        "(column 5)",
        "(column 6)",
    )


def test_headers_lose_the_blanks_around_them(tmp_path: Path) -> None:
    assert read(file(tmp_path, ' id ,"name "\n1, x\n'))[:2] == (("id", "name"), [("1", " x")])


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError, match="empty"):
        read(file(tmp_path, content))


def test_a_header_alone_is_a_source_without_rows(tmp_path: Path) -> None:
    assert read(file(tmp_path, "a,b")) == (("a", "b"), [], [])


def test_a_missing_file_a_folder_and_an_unknown_kind_say_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_source(str(tmp_path / "no.csv"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match="is a folder"):
        open_source(str(tmp_path / "folder"))
    with pytest.raises(SourceError, match="not a kind of source"):
        open_source("gopher://host/table")


def test_installed_kinds_of_source_come_first_and_broken_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.metadata

    class Point:
        name, value = "abacus", "abacus:open"

        @staticmethod
        def load() -> Any:
            return lambda location, options: "mine" if location.startswith("abacus:") else None

    class Broken(Point):
        @staticmethod
        def load() -> Any:
            raise ImportError("no abacus")

    def installed(point: Any) -> None:
        monkeypatch.setattr(
            importlib.metadata, "entry_points", lambda group: [point] if group == ENTRY_POINT_GROUP else []
        )

    installed(Point)
    assert open_source("abacus:1") == "mine"
    assert open_source(str(file(tmp_path, "a\n1\n"))).name == "in.csv"
    installed(Broken)
    with pytest.raises(ConfigError, match="source plugin 'abacus' cannot be loaded"):
        open_source("abacus:1")


def test_the_police_file_is_read_whole(shared_data: Path) -> None:
    (path,) = (shared_data / "police").glob("*street.csv")
    header, rows, spoilt = read(path)
    assert (len(header), len(rows), len(spoilt)) == (12, 31_635, 0)
    with path.open(newline="", encoding="utf-8") as stream:
        assert rows == [tuple(row) for row in csv.reader(stream)][1:]
