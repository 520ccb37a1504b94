"""Fuzz the readers of files: whatever the bytes, a reader gives rows or says in words why not, and soon.

    python connectors/tests/fuzz_readers.py --seconds 60            # every format, a minute each
    python connectors/tests/fuzz_readers.py --seconds 300 json xml  # some
    python connectors/tests/fuzz_readers.py --again crash-0123 json # one input that was found before

Needs atheris (Linux). Inputs that break a reader are left in the current folder as crash-*, timeout-* or oom-*.
Workbooks go through the process that reads them, which is slow; `workbook` fuzzes only what is in Python there.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from hub_connector.errors import ConfigError, SourceError
from support.source_files import WORKBOOKS, seeds

SECONDS_FOR_ONE = 25
MOST_ROWS = 200_000


class MemoryBlob:
    """A file that is in memory."""

    def __init__(self, name: str, data: bytes, *, settled: bool = True) -> None:
        self.name, self.settled, self._data = name, settled, data

    def open(self) -> BinaryIO:
        return io.BytesIO(self._data)


def exercise(name: str, data: bytes, *, settled: bool = True) -> int:
    """Read a file as the connector does, and hold the reader to its promises. The number of rows, -1 if refused."""
    from hub_connector.rendering import as_text
    from hub_connector.sources.formats import open_blob

    rows = 0
    try:
        source = open_blob(MemoryBlob(name, data, settled=settled), {})
        known = {"id", "a", "name", "@id"}
        reading = source.read(lambda cells: len(known.intersection(cells)))
        assert len(set(reading.columns)) == len(reading.columns), "a column name stands twice"
        assert all(note.isprintable() for note in reading.notes), "a note would break its line"
        for batch in reading.batches:
            assert batch.first_row == rows + 1, "row numbers must run on"
            assert tuple(batch.table.column_names) == reading.columns, (
                "a batch must have the header's columns"
            )
            text = as_text(batch.table)
            text.validate(full=True)
            for spoilt in batch.spoilt:
                at = spoilt.row - batch.first_row
                assert 0 <= at < batch.table.num_rows, "a spoilt row must be of its batch"
                assert not any(text.slice(at, 1).to_pylist()[0].values()), "a spoilt row's cells stay out"
                assert len(spoilt.message) < 400, "a message must stay short"
            rows += batch.table.num_rows
            if rows > MOST_ROWS:
                break  # few bytes may rightly say many rows; what matters was seen
        source.fingerprint(lambda piece: None)
    except (SourceError, ConfigError) as error:
        assert error.message and error.hint, "a refusal says what to do next"
        assert len(str(error)) < 4000, "a refusal must stay short"
        return -1
    return rows


def look_into_workbook(data: bytes) -> None:
    """What is in Python of reading workbooks."""
    from hub_connector.sources._workbook import in_words, look

    try:
        with in_words("in.xlsx"):
            look(data, "in.xlsx")
    except SourceError as error:
        assert error.message and error.hint


def fuzz(kind: str, seconds: int, corpus: Path) -> None:
    """Fuzz one format in this process until the time is over; does not return."""
    import atheris

    with atheris.instrument_imports(
        include=["hub_connector", "json", "zipfile", "gzip", "xml", "defusedxml"]
    ):
        import hub_connector.sources._json_text
        import hub_connector.sources._workbook
        import hub_connector.sources.delimited
        import hub_connector.sources.json_rows
        import hub_connector.sources.parquet_rows
        import hub_connector.sources.xml_rows  # noqa: F401

    samples = seeds()
    chosen = (
        [one for name in WORKBOOKS for one in samples[name]] if kind == "workbook" else list(samples[kind])
    )
    turn = iter(range(1 << 62))

    def target(data: bytes) -> None:
        if kind == "workbook":
            look_into_workbook(data)
        else:
            exercise(f"in.{'csv.gz' if kind == 'gz' else kind}", data, settled=bool(next(turn) % 4))

    for place, seed in enumerate(chosen):
        (corpus / str(place)).write_bytes(seed)
    limits = [
        f"-max_total_time={seconds}",
        f"-timeout={SECONDS_FOR_ONE}",
        "-rss_limit_mb=6000",
        "-max_len=40000",
    ]
    atheris.Setup([sys.argv[0], *limits, "-verbosity=0", "-print_final_stats=1", str(corpus)], target)
    atheris.Fuzz()


def main() -> int:
    """Fuzz each format in a process of its own; 1 when an input broke one."""
    known = [*seeds(), "workbook"]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each format")
    parser.add_argument("--again", metavar="FILE", help="only this input, and see what happens")
    parser.add_argument("--here", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument(
        "formats", nargs="*", metavar="FORMAT", help=f"of {', '.join(known)}; all when none is said"
    )
    given: Any = parser.parse_args()
    formats = given.formats or known
    if unknown := set(formats) - set(known):
        parser.error(f"no such format: {', '.join(sorted(unknown))}")
    if given.again:
        data = Path(given.again).read_bytes()
        print(look_into_workbook(data) if formats[0] == "workbook" else exercise(f"in.{formats[0]}", data))
        return 0
    if given.here:
        fuzz(formats[0], given.seconds, Path(given.here))
    broken = []
    for kind in formats:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as corpus:
            command = [sys.executable, __file__, "--here", corpus, "--seconds", str(given.seconds), kind]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        runs = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(
            f"{kind}: {'broken' if done.returncode else 'sound'}; {' '.join(runs[-1:]) or 'no count'}",
            flush=True,
        )
        if done.returncode:
            broken.append(kind)
            print(done.stdout[-3000:], done.stderr[-5000:])
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
