"""Files inside .gz and .zip: unpacked while they are read, with limits; and which format a file is taken for."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hub_connector.errors import SourceError
from hub_connector.sources import archives, open_source
from support.source_files import Read, parquet, placed, read_all, seeds, xlsx, zipped

CSV = "id,name\n1,Zoë\n2,Ann\n"
ROWS = [("1", "Zoë"), ("2", "Ann")]


def read(path: Path, **options: Any) -> Read:
    return read_all(open_source(str(path), options))


PUPILS: list[list[Any]] = [
    ["pupil", "Family name", "NHS number", "born", "sessions"],
    ["p1", "Smith", 9434765919, dt.date(2015, 2, 1), 7.0],
    ["p2", "Jones", None, dt.date(2015, 2, 17), 201.0],
]


def as_records() -> list[dict[str, Any]]:
    names, *rows = PUPILS
    return [dict(zip(names, row, strict=True)) for row in rows]


def as_json() -> str:
    return json.dumps({"rows": as_records()}, default=lambda day: day.strftime("%d/%m/%Y"))


def as_parquet() -> bytes:
    records = as_records()
    return parquet({name: [record[name] for record in records] for name in PUPILS[0]})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.xlsx", xlsx(("S", PUPILS))),
        ("in.json", as_json()),
        ("in.parquet.gz", gzip.compress(as_parquet())),
    ],
)
def test_check_infer_and_push_take_every_format(registered: Any, hub: Any, name: str, content: Any) -> None:
    placed(registered.home, content, name)
    status, said, _ = registered.run("check", "--contract", registered.contract, name)
    assert status == 1
    assert "1 at fault" in said and "sessions" in said
    status, said, _ = registered.run("infer", name)
    assert status == 0
    assert "nhs-number" in said and "logicalType: date" in said
    status, said, _ = registered.run("push", "--contract", registered.contract, name, "--wait")
    assert status == 1
    tables = hub.only()
    assert [(row["pupil"], str(row["born"]), row["sessions"]) for row in tables["rows"].to_pylist()] == [
        ("p1", "2015-02-01", 7)
    ]
    refused = [tuple(row.values())[1:] for row in tables["refused"].to_pylist()]
    assert refused == [("p2", "Jones", "", "17/02/2015", "201")]
    status, said, _ = registered.run("push", "--contract", registered.contract, name, "--wait")
    assert "the same data was delivered before" in said


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", CSV.encode()),
        ("in.jsonl", b'{"id": 1, "name": "Zo\\u00eb"}\n{"id": 2, "name": "Ann"}'),
        ("in.xml", "<x><r><id>1</id><name>Zoë</name></r><r><id>2</id><name>Ann</name></r></x>".encode()),
        ("in.parquet", parquet({"id": [1, 2], "name": ["Zoë", "Ann"]})),
        ("in.xlsx", xlsx(("S", [["id", "name"], [1, "Zoë"], [2, "Ann"]]))),
    ],
)
def test_every_format_is_read_out_of_gz_and_zip(tmp_path: Path, name: str, content: bytes) -> None:
    packed = gzip.compress(content)
    columns, rows, spoilt, notes = read(placed(tmp_path, packed, f"{name}.gz"))
    assert (columns, rows, spoilt) == (("id", "name"), ROWS, [])
    assert notes[0] == f"{name} unpacked from {name}.gz"
    clutter = {"__MACOSX/._in": "x", ".DS_Store": "x", "folder/": "", f"folder/{name}": content}
    columns, rows, spoilt, notes = read(placed(tmp_path, zipped(clutter), "export.zip"))
    assert (columns, rows, spoilt) == (("id", "name"), ROWS, [])
    assert notes[0] == f"{name} unpacked from export.zip"


def test_nothing_unpacked_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a temporary file was made")

    for maker in ("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, maker, refuse)
    assert read(placed(tmp_path, zipped({"in.csv": CSV}), "in.zip"))[1] == ROWS
    assert read(placed(tmp_path, gzip.compress(CSV.encode()), "in.csv.gz"))[1] == ROWS
    assert {path.name for path in tmp_path.iterdir()} == {"in.zip", "in.csv.gz"}


def locked() -> bytes:
    """An archive whose directory says that its file is encrypted."""
    made = bytearray(zipped({"in.csv": CSV}))
    entry = made.rindex(b"PK\x01\x02")
    made[entry + 8] |= 1
    return bytes(made)


def nameless() -> bytes:
    """An archive with a file that has no name."""
    with zipfile.ZipFile(made := io.BytesIO(), "w") as archive:
        entry = zipfile.ZipInfo("x")
        archive.writestr(entry, CSV)
        entry.filename = ""
    return made.getvalue()


def damaged() -> bytes:
    """An archive whose data is not what its directory says."""
    made = bytearray(zipped({"in.csv": CSV * 1000}))
    made[60:70] = b"\xff" * 10
    return bytes(made)


def oddly_packed() -> bytes:
    made = bytearray(zipped({"in.csv": CSV}))
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        made[made.rindex(mark) + place] = 98
    return bytes(made)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("in.zip", zipped({"a.csv": CSV, "b.csv": CSV}), "holds 2 files \\('a.csv', 'b.csv'\\)"),
        ("in.zip", zipped({"__MACOSX/x": "1"}), "holds no file"),
        ("in.zip", zipped({"a.zip": zipped({"b.csv": CSV})}), "archive inside an archive"),
        ("in.zip", zipped({"a.csv": "", "\x1b[31mb": ""}), "holds 2 files"),
        ("in.zip", nameless(), "holds no file"),
        ("in.zip", locked(), "locked with a password"),
        ("in.zip", damaged(), "damaged"),
        ("in.zip", oddly_packed(), "packed in a way that is not supported"),
        ("in.zip", zipped({"a.csv": CSV})[:-10], "damaged"),
        ("in.csv.gz", gzip.compress(CSV.encode() * 1000)[:-20], "cut short"),
        ("in.csv.gz", gzip.compress(CSV.encode())[:-8] + b"\0" * 8, "damaged"),
        ("in.csv.gz", b"\x1f\x8b\x08rubbish", "damaged|cut short"),
        ("in.tgz", gzip.compress(b"\0" * 257 + b"ustar\0"), "is a tar archive"),
        ("in.csv", b"%PDF-1.7", "is a PDF"),
        ("in.csv", b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
        ("in", b"\x00\x01\x00\x00Standard ACE DB", "is an Access database"),
        ("in.parquet", b"PARE" + b"\0" * 20, "is an encrypted Parquet file"),
        ("in.csv", b"<!DOCTYPE html><html><body><table>", "is a web page"),
        ("in.txt", b"\xef\xbb\xbf  <HTML>", "is a web page"),
        ("in.unknown", b"", "is empty"),
        ("in.unknown", bytes(range(256)) * 10, "binary data"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_true_reason(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        read(placed(tmp_path, content, name))
    assert caught.value.hint
    assert "\x1b" not in str(caught.value)


def test_an_archive_that_unpacks_to_far_more_than_it_is_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "PLENTY", 1 << 20)
    bomb = b"a,b\n" + b"1,2\n" * (2 << 20)
    for name, content in (("in.csv.gz", gzip.compress(bomb)), ("in.zip", zipped({"in.csv": bomb}))):
        with pytest.raises(SourceError, match="far more than its size explains"):
            read(placed(tmp_path, content, name))
    many = b"a\n" + b"".join(b"%d\n" % number for number in range(400_000))
    assert len(read(placed(tmp_path, gzip.compress(many), "in.csv.gz"))[1]) == 400_000
    monkeypatch.setattr(archives, "MOST_MEMORY", 1_000)
    monkeypatch.setattr(archives.in_memory, "__defaults__", (1_000,))
    with pytest.raises(SourceError, match="more than can be read of this format in memory"):
        read(placed(tmp_path, gzip.compress(parquet({"a": list(range(5_000))})), "in.parquet.gz"))


def test_going_back_in_a_packed_file_unpacks_it_anew() -> None:
    class Memory:
        name, settled = "in.csv.gz", True

        def open(self) -> Any:
            return io.BytesIO(gzip.compress(bytes(range(256)) * 4000))

    with archives.unpacked_gz(Memory()).open() as stream:
        stream.seek(1_000_000)
        assert stream.read(3) == bytes([64, 65, 66])
        stream.seek(5)
        assert (stream.read(2), stream.tell()) == (bytes([5, 6]), 7)


def test_the_fingerprint_of_a_packed_file_is_that_of_the_archive_and_how_it_is_read(tmp_path: Path) -> None:
    def fingerprint(path: Path, **options: Any) -> bytes:
        said = bytearray()
        open_source(str(path), options).fingerprint(said.extend)
        return bytes(said)

    first = placed(tmp_path, zipped({"in.csv": CSV}), "a.zip")
    with zipfile.ZipFile(placed(tmp_path, b"", "b.zip"), "w") as archive:
        archive.writestr("in.csv", CSV + "3,Bo\n")
    assert fingerprint(first) == fingerprint(first)
    assert fingerprint(first) != fingerprint(first, encoding="cp1252")
    assert fingerprint(first) != fingerprint(tmp_path / "b.zip")
    assert first.read_bytes() in fingerprint(first)


def test_a_format_is_known_by_its_content_when_the_name_says_nothing(tmp_path: Path) -> None:
    samples = seeds()
    for kind, word in (
        ("json", "JSON"),
        ("xml", "XML"),
        ("parquet", "Parquet"),
        ("xls", "sheet"),
        ("gz", "unpacked"),
    ):
        assert word in read(placed(tmp_path, samples[kind][0], f"{kind}.download"))[3][0]
    assert read(placed(tmp_path, CSV, "export.2026-05-01"))[1] == ROWS
    # CSV may begin with a brace or an angle: there the name decides.
    assert read(placed(tmp_path, "{id},<name>\n1,2\n", "in.csv"))[0] == ("{id}", "<name>")
    assert read(placed(tmp_path, "ORC,BZh\n1,2\n", "in.csv"))[0] == ("ORC", "BZh")
