"""Reading Parquet, and typed columns as the text that a contract expects."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from hub_connector.errors import ConfigError, SourceError
from hub_connector.rendering import as_text
from hub_connector.sources import open_source
from hub_connector.sources.base import mixed_type
from hub_schemas.layouts import parse_date, parse_timestamp
from hub_schemas.model import Column
from support.source_files import Read, parquet, placed, read_all


def file(folder: Path, content: bytes, name: str = "in.parquet") -> Path:
    return placed(folder, content, name)


def read(path: Path, known: set[str] | None = None, **options: Any) -> Read:
    return read_all(open_source(str(path), options), known)


def test_every_flat_type_is_read_over_row_groups(tmp_path: Path) -> None:
    day, moment = dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4, 5)
    columns = {
        "text": ["a", None, "c"],
        "large": pa.array(["x", "y", "z"], pa.large_string()),
        "coded": pa.array(["p", "q", "p"]).dictionary_encode(),
        "small": pa.array([1, -2, None], pa.int8()),
        "big": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "real": [0.1, 1e300, None],
        "single": pa.array([0.1, 3.0, None], pa.float32()),
        "money": pa.array([Decimal("1.10"), None, Decimal("0.00")], pa.decimal128(10, 2)),
        "ok": [True, False, None],
        "day": [day, None, day],
        "at": pa.array([moment, None, moment], pa.timestamp("ms", "UTC")),
        "clock": [dt.time(1, 2), None, dt.time(3, 4, 5, 6)],
        "bytes": [b"caf\xc3\xa9", None, b""],
        "nothing": pa.nulls(3),
    }
    found, rows, spoilt, notes = read(file(tmp_path, parquet(columns, row_group_size=2)))
    assert (found, spoilt, notes) == (tuple(columns), [], ("Parquet, 2 row groups",))
    assert rows[0] == (
        "a", "x", "p", "1", "18446744073709551615", "0.1", "0.1", "1.10", "true", "2020-01-02",
        "2020-01-02T03:04:05+00:00", "01:02:00", "café", "",
    )  # fmt: skip
    assert rows[1] == ("", "y", "q", "-2", "0", "1" + "0" * 300, "3", "", "false", "", "", "", "", "")
    assert rows[2][11] == "03:04:05.000006"


def test_nested_columns_are_left_out_and_refused_by_name_when_the_contract_wants_one(tmp_path: Path) -> None:
    columns = {
        "a.b": [1, 2], "list": [[1], []], "group": [{"x": 1, "y": {"z": 2}}] * 2, "c": ["p", "q"],
        "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())), "d": [True, False],
    }  # fmt: skip
    path = file(tmp_path, parquet(columns))
    found, rows, _, notes = read(path, {"c"})
    assert (found, rows) == (("a.b", "c", "d"), [("1", "p", "true"), ("2", "q", "false")])
    assert notes[1] == "holds lists or groups of values, so left out: 'list', 'group', 'map'"
    with pytest.raises(SourceError, match="'group'"):
        read(path, {"group"})
    with pytest.raises(SourceError, match="'list'"):
        read(file(tmp_path, parquet({"list": [[1]]})))


def test_bytes_that_are_no_text_put_their_row_at_fault(tmp_path: Path) -> None:
    _, rows, spoilt, _ = read(file(tmp_path, parquet({"a": [b"x", b"\xff\xfe", b"z"], "n": [1, 2, 3]})))
    assert rows == [("x", "1"), ("z", "3")]
    assert spoilt == [(2, "the column 'a' holds bytes that are no text (UTF-8); write it as text")]


def encrypted(folder: Path) -> bytes:
    import base64

    import pyarrow.parquet as pq
    import pyarrow.parquet.encryption as pe

    class Client(pe.KmsClient):
        def __init__(self, _config: Any) -> None:
            pe.KmsClient.__init__(self)

        def wrap_key(self, key: bytes, _master: str) -> bytes:
            return base64.b64encode(key)

        def unwrap_key(self, key: bytes, _master: str) -> bytes:
            return base64.b64decode(key)

    settings = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"f": ["a"]}, plaintext_footer=folder.name == "plain"
    )
    keys = pe.CryptoFactory(Client).file_encryption_properties(pe.KmsConnectionConfig(), settings)
    table, path = pa.table({"a": ["x"]}), folder / "made"
    with pq.ParquetWriter(path, table.schema, encryption_properties=keys) as writer:
        writer.write_table(table)
    return path.read_bytes()


@pytest.mark.parametrize("footer", ["plain", "encrypted"])
def test_an_encrypted_file_is_called_that(tmp_path: Path, footer: str) -> None:
    folder = tmp_path / footer
    folder.mkdir()
    with pytest.raises(SourceError, match="is an encrypted Parquet file"):
        read(file(tmp_path, encrypted(folder)))


GOOD = parquet({"a": list(range(1000))})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"PAR1", "end is missing"),
        (GOOD[:-100], "end is missing"),
        (GOOD[:-8] + b"\xff\xff\xff\x7fPAR1", "damaged"),
        (GOOD[:4] + b"\0" * 60 + GOOD[64:], "damaged"),
        (b"PAR1" + b"\0" * 40 + b"PAR1", "damaged"),
        (parquet({}), "no columns"),
        (parquet({"a": [1], " a ": [2]}), "more than once"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_true_reason(
    tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        read(file(tmp_path, content))
    assert caught.value.hint


def test_a_file_without_rows_has_its_columns_and_a_wrong_name_does_not_matter(tmp_path: Path) -> None:
    assert read(file(tmp_path, parquet({"a": pa.array([], pa.int64())})))[:2] == (("a",), [])
    assert read(file(tmp_path, parquet({"a": [1]}), "export.csv"))[:2] == (("a",), [("1",)])
    with pytest.raises(ConfigError, match="no option 'encoding'"):
        read(file(tmp_path, GOOD), encoding="utf-8")


def test_few_bytes_that_say_billions_of_rows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_connector.sources import parquet_rows

    monkeypatch.setattr(parquet_rows, "_PLENTY_ROWS", 1_000)
    many = parquet({"a": pa.array([7] * 1_000_000)}, compression="zstd")
    assert len(many) < 10_000
    with pytest.raises(SourceError, match="1,000,000 rows, far more than its size explains"):
        read(file(tmp_path, many))


# --- typed columns as text


def written(values: pa.Array, column: Column | None = None) -> list[str]:
    contract: Any = SimpleNamespace(columns=(column,)) if column else None
    return as_text(pa.table({"x": values}), contract, ["x"] if column else None)["x"].to_pylist()


def day_column(*formats: str) -> Column:
    return Column("x", "x", "date", formats=formats)


def test_a_date_is_written_in_the_first_layout_that_loses_nothing_of_it() -> None:
    days = pa.array([dt.date(2026, 5, 1), dt.date(2026, 5, 17), dt.date(1888, 5, 1), None])
    assert written(days) == ["2026-05-01", "2026-05-17", "1888-05-01", ""]
    assert written(days, day_column("%-d/%-m/%Y")) == ["1/5/2026", "17/5/2026", "1/5/1888", ""]
    # A month does not say its day, two digits no century: then ISO 8601, which this contract refuses for what it is.
    assert written(days, day_column("%b-%y")) == ["May-26", "2026-05-17", "1888-05-01", ""]
    assert written(days, day_column("%B %Y", "%d.%m.%y")) == ["May 2026", "17.05.26", "May 1888", ""]


def test_a_moment_is_written_in_the_contracts_layout_and_zone() -> None:
    moments = [
        dt.datetime(2026, 7, 1, 8, 30),
        dt.datetime(2026, 7, 1, 8, 30, 15),
        dt.datetime(2026, 7, 1, 8, 30, 15, 250_000),
    ]
    layouts = ("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S")
    plain = Column("x", "x", "timestamp", formats=layouts, timezone="Europe/London")
    assert written(pa.array(moments), plain) == [
        "01/07/2026 08:30",
        "2026-07-01 08:30:15",
        "2026-07-01T08:30:15.250000",
    ]
    zoned = pa.array(moments[:1], pa.timestamp("ms", "UTC"))
    assert written(zoned, plain) == ["01/07/2026 09:30"], "it is summer in London"
    assert written(zoned, Column("x", "x", "timestamp", formats=("%Y-%m-%dT%H:%M:%S%z",))) == [
        "2026-07-01T08:30:00+00:00"
    ]
    # The second of two equal hours in autumn would be read as the first: it keeps its offset and is refused.
    autumn = pa.array(
        [dt.datetime(2026, 10, 25, 0, 30), dt.datetime(2026, 10, 25, 1, 30)], pa.timestamp("us", "UTC")
    )
    assert written(autumn, plain) == ["25/10/2026 01:30", "2026-10-25T01:30:00+00:00"]
    day = day_column("%d/%m/%Y")
    assert written(pa.array([dt.datetime(2026, 7, 1), moments[0]]), day) == [
        "01/07/2026",
        "2026-07-01T08:30:00",
    ]
    assert written(pa.array([dt.date(2026, 7, 1)]), plain) == ["01/07/2026 00:00"]


def test_what_is_written_is_read_back_by_the_contract() -> None:
    days = [dt.date(1, 1, 1), dt.date(999, 12, 31), dt.date(2000, 2, 29), dt.date(9999, 12, 31)]
    for layout in ("%Y-%m-%d", "%d/%m/%Y", "%-d %B %Y", "%Y%m%d", "%d-%b-%Y"):
        assert [parse_date(text, (layout,)) for text in written(pa.array(days), day_column(layout))] == days
    moments = [dt.datetime(2020, 2, 29, 23, 59, 59, 999_999), dt.datetime(1970, 1, 1)]
    formats = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f")
    texts = written(pa.array(moments), Column("x", "x", "timestamp", formats=formats))
    assert [parse_timestamp(text, formats) for text in texts] == [
        one.replace(tzinfo=dt.UTC) for one in moments
    ]


def test_dates_of_no_calendar_are_said_so_and_do_not_break_anything() -> None:
    most = pa.array([2**31 - 1, -(2**31)], pa.int32()).cast(pa.date32())
    assert written(most, day_column("%d/%m/%Y")) == ["(no date of the years 1 to 9999)"] * 2
    for unit in ("s", "ms", "us"):
        far = pa.array([2**63 - 1, -(2**63), None, 0], pa.int64()).cast(pa.timestamp(unit, "UTC"))
        assert written(far)[:3] == ["(no date of the years 1 to 9999)"] * 2 + [""]


def test_numbers_are_written_in_full() -> None:
    assert written(pa.array([1.0, -0.5, 1e15, 123456789012.0, 1e22, 1e-7, None])) == [
        "1", "-0.5", "1000000000000000", "123456789012", "1" + "0" * 22, "0.0000001", "",
    ]  # fmt: skip
    assert written(pa.array([float("nan"), float("inf")])) == ["nan", "inf"]
    money = pa.array([Decimal("5.00"), Decimal("0.0000001"), Decimal("-7.25")], pa.decimal128(20, 7))
    assert written(money, Column("x", "x", "integer")) == ["5", "0.0000001", "-7.2500000"]
    assert written(pa.array([dt.timedelta(hours=30), dt.timedelta(seconds=-1)])) == ["30:00:00", "-00:00:01"]


def test_text_beside_dates_stays_and_the_dates_take_the_contracts_layout() -> None:
    rows = [{"text": "unknown"}, {"date": dt.date(2026, 7, 1)}, {"time": dt.datetime(2026, 7, 1, 8)}, None]
    assert written(pa.array(rows, mixed_type()), day_column("%d/%m/%Y")) == [
        "unknown", "01/07/2026", "2026-07-01T08:00:00", "",
    ]  # fmt: skip


def test_a_type_without_text_is_refused_by_the_name_of_its_column() -> None:
    with pytest.raises(SourceError, match="'x' holds values of the type list"):
        written(pa.array([[1]]))
