"""What passes between hub and worker: memory files that cannot be changed, and results that are doubted."""

from __future__ import annotations

import fcntl
import mmap
import os
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.isolation.memory import MemoryFiles
from hub.runs.sandbox.channel import read_result
from hub_sdk import FormatError, Input, Manifest, Output, OutputColumn, Report
from hub_sdk.results import ResultFile, ResultTooLarge, read_input
from hub_sdk.wire import InputFile

# ---- memory files

MANIFEST = Manifest(
    name="test",
    version="1",
    title="Test",
    summary="Test",
    inputs=(Input("rows", "test.rows", ("n",)),),
    outputs=(
        Output(
            "people",
            (
                OutputColumn("person_id", "string", "Whom"),
                OutputColumn("score", "number", "How much"),
                OutputColumn("seen", "timestamp", "When"),
            ),
            "person",
            key="person_id",
        ),
        Output(
            "months",
            (OutputColumn("month", "date", "Month"), OutputColumn("people", "integer", "How many")),
            "aggregate",
            ("people",),
        ),
    ),
)
PEOPLE = pa.table(
    {
        "person_id": [f"p{n}" for n in range(200)],
        "score": [n / 3 if n % 5 else None for n in range(200)],
        "seen": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 200, pa.timestamp("us", tz="UTC")),
    }
)
MONTHS = pa.table({"month": pa.array([date(2026, n, 1) for n in range(1, 13)]), "people": range(12)})
REPORT = Report("Title", "Summary")


def written(files: MemoryFiles, people: pa.Table = PEOPLE, months: pa.Table = MONTHS) -> int:
    fd = files.result(1 << 16)
    result = ResultFile(fd, 1 << 16)
    entries = [result.write_table("people", people), result.write_table("months", months)]
    result.finish({"tables": entries, "report": REPORT.to_json()})
    return fd


def test_a_result_comes_back_as_it_was_written_and_outlives_its_file() -> None:
    with MemoryFiles() as files:
        tables, report = read_result(written(files), MANIFEST)

    assert tables == {"people": PEOPLE, "months": MONTHS}
    assert report == REPORT


def test_an_input_is_read_without_copying() -> None:
    table = pa.table({"n": range(100_000)})
    before = pa.total_allocated_bytes()
    with MemoryFiles() as files:
        fd, size = files.table(table)
        found = read_input(InputFile("rows", fd, size))

        assert found == table
        assert pa.total_allocated_bytes() - before < 100_000


def test_a_result_is_not_read_while_somebody_can_still_write_to_it() -> None:
    with MemoryFiles() as files:
        fd = written(files)
        with mmap.mmap(fd, 0), pytest.raises(FormatError, match="still being written"):
            read_result(fd, MANIFEST)


def test_a_result_file_cannot_grow_and_says_so_first() -> None:
    with MemoryFiles() as files:
        fd = files.result(1 << 16)
        with pytest.raises(ResultTooLarge):
            ResultFile(fd, 1 << 16).write_table("people", pa.concat_tables([PEOPLE] * 100))
        with pytest.raises(PermissionError):
            os.ftruncate(fd, 1 << 20)


def test_inputs_are_sealed_and_memory_files_are_not_inherited() -> None:
    with MemoryFiles() as files:
        fd, _ = files.table(MONTHS)

        assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
        assert not os.get_inheritable(fd)
        with pytest.raises(PermissionError):
            os.pwrite(fd, b"x", 0)


@pytest.mark.parametrize(
    ("people", "months", "problem"),
    [
        (
            PEOPLE.set_column(0, "person_id", pa.nulls(200, pa.string())),
            MONTHS,
            "is the key and must not be null",
        ),
        (PEOPLE.set_column(1, "score", pa.array([float("nan")] * 200)), MONTHS, "not finite"),
        (PEOPLE, MONTHS.set_column(1, "people", pa.array(range(-1, 11))), "must not be negative"),
        (PEOPLE, MONTHS.set_column(1, "people", pa.nulls(12, pa.int64())), "is a count and must not be null"),
        (PEOPLE.drop_columns("seen"), MONTHS, "not well-formed Arrow"),
        (PEOPLE.set_column(1, "score", PEOPLE["person_id"]), MONTHS, "not well-formed Arrow"),
    ],
)
def test_values_are_checked_again_by_the_hub(people: pa.Table, months: pa.Table, problem: str) -> None:
    with MemoryFiles() as files, pytest.raises(FormatError, match=problem):
        read_result(written(files, people, months), MANIFEST)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, (1 << 16) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_corrupted_result_is_refused_or_keeps_to_the_schema(changes: list[tuple[int, int]]) -> None:
    with MemoryFiles() as files:
        fd = written(files)
        used = 12_000
        for place, value in changes:
            os.pwrite(fd, bytes([value]), place % used)
        try:
            tables, report = read_result(fd, MANIFEST)
        except FormatError:
            return
        assert isinstance(report, Report)
        for name, table in tables.items():
            table.validate(full=True)
            assert table.schema.names == list(MANIFEST.output(name).column_names)
