"""Files of every format the connector reads, made from scratch: for its tests, and as seeds to fuzz its readers with.

Nothing here is a library for writing workbooks. The old formats are written just as far as a reader needs them
([MS-CFB], [MS-XLS], [MS-XLSB] of Microsoft's Open Specifications; OpenDocument 1.3 part 3).
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Cell = str | float | bool | None
_SECTOR = 512
_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
#: Extensions of workbooks.
WORKBOOKS = ("xlsx", "xlsb", "xls", "ods")
ERRORS = {"#NULL!": 0x00, "#DIV/0!": 0x07, "#VALUE!": 0x0F, "#REF!": 0x17, "#NAME?": 0x1D, "#N/A": 0x2A}


Row = tuple[str, ...]
#: (header, rows without spoilt ones as text, spoilt rows and their messages, notes)
Read = tuple[Row, list[Row], list[tuple[int, str]], tuple[str, ...]]


def placed(folder: Path, content: str | bytes, name: str) -> Path:
    """A file of that content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_all(source: Any, known: set[str] | None = None) -> Read:
    """All a source gives, to a contract that knows these columns (None: to none), row numbers checked."""
    from hub_connector.rendering import as_text

    reading = source.read(None if known is None else lambda cells: len(known & set(cells)))
    rows: list[Row] = []
    spoilt: list[tuple[int, str]] = []
    first = 1
    for batch in reading.batches:
        assert batch.first_row == first, "row numbers must run on"
        bad = {entry.row - first for entry in batch.spoilt}
        found = [tuple(cell or "" for cell in row.values()) for row in as_text(batch.table).to_pylist()]
        rows += [row for at, row in enumerate(found) if at not in bad]
        spoilt += [(entry.row, entry.message) for entry in batch.spoilt]
        first += batch.table.num_rows
    return reading.columns, rows, spoilt, reading.notes


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """A ZIP archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def xlsx(*sheets: tuple[str, Sequence[Sequence[Any]]], change: Callable[[Any], None] | None = None) -> bytes:
    """An .xlsx of sheets of rows. A text like "#REF!" is an error. `change` may do more to the workbook."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        for cells in sheet.iter_rows():
            for cell in cells:
                if isinstance(cell.value, str) and cell.value in ERRORS:
                    cell.data_type = "e"
    if change is not None:
        change(book)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


_ODS = (
    '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
    + " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "table", "text")
    )
    + ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">'
    + "<office:body><office:spreadsheet>{}</office:spreadsheet></office:body></office:document-content>"
)


def ods_cell(value: Cell = None, more: str = "", kind: str = "") -> str:
    """One cell: text, number or truth; a text like "#REF!" is an error; `kind` date or time with ISO 8601 text."""
    if value is None:
        return f"<table:table-cell {more}/>"
    if isinstance(value, str) and value in ERRORS:
        what = 'office:value-type="string" office:string-value="" calcext:value-type="error"'
    elif isinstance(value, bool):
        what = f'office:value-type="boolean" office:boolean-value="{str(value).lower()}"'
    elif isinstance(value, (int, float)):
        what = f'office:value-type="float" office:value="{value}"'
    elif kind:
        what = f'office:value-type="{kind}" office:{kind}-value="{value}"'
    else:
        what = 'office:value-type="string"'
    return f"<table:table-cell {what} {more}><text:p>{value}</text:p></table:table-cell>"


def ods(*sheets: tuple[str, Iterable[str | Sequence[Cell]]]) -> bytes:
    """An .ods of sheets of rows; a row is its cells, or XML of its own."""
    tables = []
    for name, rows in sheets:
        lines = (
            row
            if isinstance(row, str)
            else f"<table:table-row>{''.join(map(ods_cell, row))}</table:table-row>"
            for row in rows
        )
        tables.append(f'<table:table table:name="{name}">{"".join(lines)}</table:table>')
    manifest = '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": manifest,
            "content.xml": _ODS.format("".join(tables)),
        }
    )


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file of a few streams, each padded to the size that keeps it out of the small ones."""
    fat, sectors = [_FAT, _END], []
    entries = [("Root Entry", 5, _END, 0)]
    for name, content in streams.items():
        padded = content.ljust(4096, b"\0")
        padded += b"\0" * (-len(padded) % _SECTOR)
        first, count = len(fat), len(padded) // _SECTOR
        entries.append((name, 2, first, len(padded)))
        fat += [first + place + 1 for place in range(count - 1)] + [_END]
        sectors += [padded[place * _SECTOR : (place + 1) * _SECTOR] for place in range(count)]
    directory = b""
    for place, (name, kind, start, size) in enumerate(entries):
        child = 1 if place == 0 and len(entries) > 1 else _FREE
        right = place + 1 if 0 < place < len(entries) - 1 else _FREE
        wide = name.encode("utf-16-le") + b"\0\0"
        directory += wide.ljust(64, b"\0") + struct.pack("<HBB3I", len(wide), kind, 1, _FREE, right, child)
        directory += b"\0" * 36 + struct.pack("<IQ", start, size)
    assert len(entries) <= 4 and len(fat) <= 128, "this writer makes small files only"
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(_SECTOR, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16 + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, _END, 0, _END, 0) + struct.pack("<I", 0)
    return header.ljust(_SECTOR, b"\xff") + table + directory.ljust(_SECTOR, b"\0") + b"".join(sectors)


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _xls_cell(row: int, column: int, value: Cell) -> bytes:
    place = struct.pack("<HHH", row, column, 0)
    if isinstance(value, bool):
        return _record(0x0205, place + bytes([value, 0]))
    if isinstance(value, (int, float)):
        return _record(0x0203, place + struct.pack("<d", value))
    if value is None:
        return b""
    if value.startswith("="):
        error = bytes([2, 0, ERRORS[value[1:]], 0, 0, 0, 0xFF, 0xFF])
        return _record(0x0006, place + error + struct.pack("<HIH", 0, 0, 0))
    if value in ERRORS:
        return _record(0x0205, place + bytes([ERRORS[value], 1]))
    return _record(0x0204, place + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))


def xls(
    rows: Sequence[Sequence[Cell]], merged: Sequence[tuple[int, int, int, int]] = (), locked: bool = False
) -> bytes:
    """An .xls of one sheet called Data; a text "=#REF!" is a formula with that error, "#REF!" an error as it is.

    merged: (first row, last row, first column, last column), counted from 0.
    """
    begin = struct.pack("<HHHHII", 0x0600, 5, 0, 0, 0, 0)
    lock = _record(0x002F, b"\x01\x00" + b"\x01\x00\x01\x00" + b"\0" * 48) if locked else b""
    name = b"Data"
    before = len(_record(0x0809, begin)) + len(lock) + 4 + 8 + len(name) + 4
    book = _record(0x0809, begin) + lock
    book += _record(0x0085, struct.pack("<IBBBB", before, 0, 0, len(name), 0) + name) + _record(0x000A, b"")
    book += _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x10, 0, 0, 0, 0))
    for row, cells in enumerate(rows):
        book += b"".join(_xls_cell(row, column, value) for column, value in enumerate(cells))
    if merged:
        book += _record(
            0x00E5, struct.pack("<H", len(merged)) + b"".join(struct.pack("<4H", *one) for one in merged)
        )
    return compound({"Workbook": book + _record(0x000A, b"")})


def _binary(kind: int, body: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = b"", len(body)
    while True:
        size += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return head + size + body


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb(rows: Sequence[Sequence[Cell]]) -> bytes:
    """An .xlsb of one sheet called Data; a text like "#REF!" is an error."""
    sheet = (
        _binary(129) + _binary(148, struct.pack("<4I", 0, len(rows) - 1, 0, len(rows[0]) - 1)) + _binary(145)
    )
    for row, cells in enumerate(rows):
        sheet += _binary(0, struct.pack("<I", row) + b"\0" * 13)
        for column, value in enumerate(cells):
            place = struct.pack("<II", column, 0)
            if isinstance(value, str) and value in ERRORS:
                sheet += _binary(3, place + bytes([ERRORS[value]]))
            elif isinstance(value, bool):
                sheet += _binary(4, place + bytes([value]))
            elif isinstance(value, (int, float)):
                sheet += _binary(5, place + struct.pack("<d", value))
            elif value is not None:
                sheet += _binary(6, place + _wide(value))
    sheet += _binary(146) + _binary(130)
    bundle = struct.pack("<II", 0, 1) + _wide("rId1") + _wide("Data")
    book = _binary(131) + _binary(143) + _binary(156, bundle) + _binary(144) + _binary(132)
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{space}"><Relationship Id="rId1" Type="{kind}" '
            'Target="worksheets/sheet1.bin"/></Relationships>',
            "xl/worksheets/sheet1.bin": sheet,
        }
    )


def parquet(columns: Mapping[str, Any], **how: Any) -> bytes:
    """A Parquet file of columns (Arrow arrays or lists)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), made, **how)
    return made.getvalue()


def seeds() -> dict[str, tuple[bytes, ...]]:
    """Small good files by the extension of their format, with something of everything the format can say."""
    import datetime as dt

    table: list[list[Any]] = [["id", "name", "born", "when", "ok"], [1, "Zoë", "#REF!", 0.5, True]]
    table.append(["2", "", None, -1e9, False])
    days = [dt.date(2020, 1, 2), None]
    records = [
        {"id": 1, "name": "Zoë", "at": {"town": "Hull", "n": 1.5e3}},
        {"id": 2, "ok": True, "tags": ["a"]},
    ]
    xml = '<?xml version="1.0"?><x:out xmlns:x="urn:x"><x:row id="1"><a>b</a><c d="e">&lt;</c></x:row><x:row/></x:out>'
    csv = 'id,name,note\n1,"Zoë","a ""b"""\n2,x\n3,y,"line\nend"\n'
    typed = {"id": [1, 2], "born": days, "at": [dt.datetime(2020, 1, 2, 3), None], "b": [b"x", b"\xff"]}
    moments = [dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4), dt.time(1, 2)]
    dated = xlsx(("Data", [*table, moments]), ("Other", [["a"]]))
    return {
        "csv": (csv.encode(), csv.encode("utf-16"), b"sep=;\r\na;b\r\n1;'2'\r\n", csv.encode("cp1252")),
        "json": (
            json.dumps(records).encode(),
            json.dumps({"meta": [1], "rows": records}).encode(),
            b'[{"a":"\\ud83d\\ude00"}]',
        ),
        "jsonl": ("\n".join(map(json.dumps, records)).encode(),),
        "xml": (xml.encode(), xml.encode("utf-16")),
        "parquet": (parquet(typed), parquet({"a": ["x", "x"], "l": [[1], []]}, compression="zstd", version="1.0")),
        "xlsx": (dated,),
        "xlsb": (xlsb(table),),
        "xls": (xls([[None if isinstance(c, bool) else c for c in row] for row in table], [(0, 1, 0, 0)]),),
        "ods": (ods(("Data", [*table, [1, None, 2]])),),
        "gz": (gzip.compress(csv.encode(), mtime=0),),
        "zip": (zipped({"in.csv": csv}),),
    }  # fmt: skip
