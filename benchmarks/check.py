"""Checking a CSV against its contract: the connector, the plainest reading there is, and other validators.

The floor is a typed read by polars and a write of plain Parquet: what anybody pays who moves the file at all.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import peers, sample
from benchmarks.measure import Timings, interleaved, peak_mb
from benchmarks.registry import Scale
from benchmarks.sending import new_key, pack
from benchmarks.table import NONE, Table, count, rate, ratio, seconds, turns

if TYPE_CHECKING:
    import polars as pl

    from hub.vault.keyring import Keyring
    from hub_schemas import Contract

__all__ = ["run"]

SAMPLE_ROWS = 20_000
"""Rows for what goes row by row; its time is scaled to all rows."""
_BATCH = 100_000
_FLOOR = "floor: typed read (polars) + plain Parquet"


@dataclass(frozen=True)
class _Task:
    """One line of the table: what runs in this process, the same for a process of its own, on how many rows."""

    name: str
    run: Callable[[], int | None]
    child: tuple[str, ...]
    rows: int
    all_rules: bool = True


def run(scale: Scale) -> list[Table]:
    """The table of `scale.rows` rows."""
    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
        path = Path(folder) / "support.csv"
        sample.write_csv(path, scale.rows)
        tasks = _tasks(str(path), scale.rows)
        found: dict[str, int | None] = {}

        def noting(task: _Task) -> None:
            found[task.name] = task.run()

        timings = interleaved({task.name: partial(noting, task) for task in tasks}, scale.repeats)
        peaks = {task.name: peak_mb(*task.child) for task in tasks if task.child}
        size = path.stat().st_size / 1_000_000
    lines = tuple(_line(task, timings, found, peaks, scale.rows) for task in tasks)
    faults = sample.faults_in(scale.rows)
    title = f"check: {scale.rows:,} rows, 12 columns, {size:,.1f} MB of CSV, {faults:,} rows at fault"
    columns = ("what", "rows run", "seconds", "rows/s", "to floor", "faults seen", "peak MB")
    return [Table(title, columns, lines, _notes(tasks, scale))]


def _tasks(path: str, rows: int) -> list[_Task]:
    some = min(rows, SAMPLE_ROWS)
    own = "benchmarks.check"
    tasks = [
        _Task(_FLOOR, partial(floor, path), (f"{own}:floor", path), rows),
        _Task(
            "the same rules by hand (polars), no report",
            partial(peers.polars_hand, path), ("benchmarks.peers:polars_hand", path), rows,
        ),
        _Task("hub_schemas Checker, text in memory", partial(checker, path), (), rows),
        _Task("connector check: the whole of it", partial(connector, path), (f"{own}:connector", path), rows),
        _Task(
            "connector check + seal + sign (a delivery)", partial(sealed, path), (f"{own}:sealed", path), rows
        ),
        _Task(
            "marshmallow, the contract's schema",
            partial(peers.marshmallow_contract, path, str(some)),
            ("benchmarks.peers:marshmallow_contract", path, str(some)), some, all_rules=False,
        ),
        _Task(
            "marshmallow, written by hand",
            partial(peers.marshmallow_hand, path, str(some)),
            ("benchmarks.peers:marshmallow_hand", path, str(some)), some, all_rules=False,
        ),
    ]  # fmt: skip
    if find_spec("pandera"):
        name = "benchmarks.peers:pandera_rows"
        tasks.append(_Task("pandera over polars", partial(peers.pandera_rows, path), (name, path), rows))
    if find_spec("frictionless"):
        call, child = (
            partial(peers.frictionless_rows, path, str(some)),
            ("benchmarks.peers:frictionless_rows", path),
        )
        tasks.append(_Task("frictionless, Table Schema", call, (*child, str(some)), some, all_rules=False))
    return tasks


def _line(
    task: _Task, timings: Timings, found: dict[str, int | None], peaks: dict[str, float], rows: int
) -> tuple[str, ...]:
    scaled = rows / task.rows
    taken = timings.median(task.name)
    seen = found[task.name]
    return (
        task.name,
        count(task.rows),
        seconds(taken * scaled) + ("*" if scaled > 1 else ""),
        rate(task.rows, taken),
        ratio(timings.ratio(task.name, _FLOOR) * scaled),
        NONE if seen is None else count(seen) + ("" if task.all_rules else "+"),
        count(peaks[task.name]) if task.name in peaks else NONE,
    )


def _notes(tasks: list[_Task], scale: Scale) -> tuple[str, ...]:
    notes = [
        f"{turns(scale.repeats)}. Peak: the most memory of a process of its own, libraries included.",
        "+ misses keys given twice (it sees one row at a time); frictionless misses check digits and row rules too.",
    ]
    if any(task.rows < scale.rows for task in tasks):
        notes.append(
            f"* measured on the first {SAMPLE_ROWS:,} rows and scaled; its peak is that of these rows."
        )
    notes += [f"{name} is not installed here." for name in ("pandera", "frictionless") if not find_spec(name)]
    return tuple(notes)


def floor(path: str) -> None:
    """Read the CSV with its types and write plain Parquet."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as target:
        sample.read_typed(Path(path)).write_parquet(target.name, compression="zstd")


@cache
def _texts(path: str) -> pl.DataFrame:
    import polars as pl

    return pl.read_csv(path, infer_schema=False)


def checker(path: str) -> int:
    """The columnar checks alone, on text that is in memory already."""
    from hub_schemas import Checker

    checks, refused, frame = Checker(sample.contract()), 0, _texts(path)
    for start in range(0, frame.height, _BATCH):
        refused += checks.check_text(frame.slice(start, _BATCH), start + 1).refused.num_rows
    checks.finish()
    return refused


def connector(path: str, agreed: Contract | None = None) -> int:
    """What `hub-connector check` does: detect, read in bounded memory, check, count and explain."""
    from hub_connector.checking import Summary, check_source
    from hub_connector.sources import open_source

    summary = Summary()
    for _ in check_source(agreed or sample.contract(), open_source(path), summary):
        pass
    return summary.refused


@cache
def _keyring() -> Keyring:
    from hub.vault.keyring import Keyring

    with tempfile.TemporaryDirectory(prefix="bench-keys-") as folder:
        return Keyring.create(Path(folder) / "keys")


def sealed(path: str) -> int:
    """What `hub-connector push` does before it sends: the check, encrypted Parquet, sealed keys, a signature."""
    folder = Path(tempfile.mkdtemp(prefix="bench-delivery-"))
    try:
        package = pack(sample.contract(), Path(path), folder, _keyring(), "bench", new_key())
        return int(package.manifest["rows"]["refused"])
    finally:
        shutil.rmtree(folder)
