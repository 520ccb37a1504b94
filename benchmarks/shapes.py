"""Checking files that are hard to read: many faults, ragged rows, quotation marks, another encoding, many columns.

Each is compared with the floor of the same rows without what makes it hard, so that a cliff would show.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from benchmarks import check, sample
from benchmarks.measure import interleaved, peak_mb
from benchmarks.registry import Scale
from benchmarks.table import NONE, Table, count, ratio, seconds, turns

if TYPE_CHECKING:
    from hub_schemas import Contract

__all__ = ["run"]

WIDE = 200
"""Columns of the wide table; it has as many cells as the others."""
_FLOOR = "floor: typed read of the plain file + plain Parquet"
_WIDE_FLOOR, _WIDE = "floor of the wide file", f"{WIDE} columns"
_RAGGED = "50 % of rows of another width"
_SEED = 2026
#: Rows from which on memory is looked at: of fewer, the libraries are all there is to see.
_WORTH_A_PROCESS = 10_000


def run(scale: Scale) -> list[Table]:
    """One table of `scale.rows` rows in every shape."""
    with tempfile.TemporaryDirectory(prefix="bench-shapes-") as name:
        folder = Path(name)
        paths = _files(folder, scale.rows)
        wide = folder / "wide.csv"
        wide_rows = _write_wide(wide, max(1, scale.rows * len(sample.contract().columns) // WIDE))
        found: dict[str, int | None] = {}

        def noting(shape: str, run_it: Callable[[], int | None]) -> None:
            found[shape] = run_it()

        plain = str(paths["as it is"])
        tasks: dict[str, Callable[[], int | None]] = {_FLOOR: partial(check.floor, plain)}
        tasks |= {shape: partial(check.connector, str(path)) for shape, path in paths.items()}
        tasks[_WIDE_FLOOR] = partial(wide_floor, str(wide))
        tasks[_WIDE] = partial(wide_connector, str(wide))
        timings = interleaved(
            {shape: partial(noting, shape, task) for shape, task in tasks.items()}, scale.repeats
        )
        peaks = {}
        if scale.rows >= _WORTH_A_PROCESS:
            peaks[_RAGGED] = peak_mb("benchmarks.check:connector", str(paths[_RAGGED]))
            peaks[_WIDE] = peak_mb("benchmarks.shapes:wide_connector", str(wide))
    own = {_WIDE_FLOOR, _WIDE}
    lines = tuple(
        (
            shape,
            count(wide_rows if shape in own else scale.rows),
            seconds(timings.median(shape)),
            ratio(timings.ratio(shape, _WIDE_FLOOR if shape in own else _FLOOR)),
            NONE if (refused := found[shape]) is None else count(refused),
            count(peaks[shape]) if shape in peaks else NONE,
        )
        for shape in tasks
    )
    return [
        Table(
            f"shapes: the whole of connector check, {scale.rows:,} rows of 12 columns in every shape",
            ("what", "rows", "seconds", "to floor", "refused", "peak MB"),
            lines,
            (
                f"{turns(scale.repeats)}. The floor reads the plain file: a plain typed read cannot read most others.",
            ),
        )
    ]


def _files(folder: Path, rows: int) -> dict[str, Path]:
    """The same rows in every shape, by what is said of it."""
    plain = folder / "plain.csv"
    sample.write_csv(plain, rows)
    frame = pl.read_csv(plain, infer_schema=False)
    shuffled = folder / "shuffled.csv"
    frame.sample(fraction=1.0, shuffle=True, seed=_SEED).write_csv(shuffled)
    quoted = folder / "quoted.csv"
    frame.write_csv(quoted, quote_style="always")
    found = {"as it is": plain, "rows shuffled": shuffled, "every cell in quotation marks": quoted}
    for share in (5, 50):
        found[f"{share} % of rows with a wrong cell"] = _rewritten(
            plain, folder, f"wrong{share}", share / 100, _wrong
        )
    for share in (5, 50):
        found[f"{share} % of rows of another width"] = _rewritten(
            plain, folder, f"wide{share}", share / 100, _ragged
        )
    found["1 % of rows with a mark in a cell"] = _rewritten(plain, folder, "marks", 0.01, _marked)
    windows = folder / "windows.csv"
    windows.write_bytes(plain.read_text(encoding="utf-8").encode("cp1252", "replace"))
    return found | {"in Windows-1252": windows}


def _rewritten(
    plain: Path, folder: Path, name: str, share: float, spoil: Callable[[list[str], random.Random], list[str]]
) -> Path:
    path, chance = folder / f"{name}.csv", random.Random(_SEED)

    def lines() -> Iterator[str]:
        with plain.open(encoding="utf-8") as stream:
            yield next(stream)
            for line in stream:
                yield (
                    ",".join(spoil(line[:-1].split(","), chance)) + "\n" if chance.random() < share else line
                )

    with path.open("w", encoding="utf-8") as target:
        target.writelines(lines())
    return path


def _wrong(cells: list[str], chance: random.Random) -> list[str]:
    """One cell that breaks a rule of its column."""
    place = chance.randrange(1, len(cells))
    wrong = {1: cells[1][:-1] + "x", 2: "A" + cells[2], 5: "31/02/2015", 7: "ZZ1 1C", 9: "many", 11: "soon"}
    cells[place] = wrong.get(place, "?" * 61)
    return cells


def _ragged(cells: list[str], chance: random.Random) -> list[str]:
    return [*cells, "?"] if chance.random() < 0.5 else cells[:-1]


def _marked(cells: list[str], _: random.Random) -> list[str]:
    cells[3] += '"Al"'
    return cells


def wide_contract() -> Contract:
    """Two hundred columns of five kinds."""
    from hub_schemas import load_contract

    kinds: list[dict[str, object]] = [
        {"logicalType": "string", "logicalTypeOptions": {"maxLength": 20}},
        {"logicalType": "integer", "logicalTypeOptions": {"minimum": 0}},
        {"logicalType": "number"},
        {"logicalType": "date"},
        {"logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]{2}[0-9]{4}$"}},
    ]
    properties = [{"name": f"c{index:03d}"} | kinds[index % len(kinds)] for index in range(WIDE)]
    document = {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": "benchmarks.wide", "version": "1.0.0",
        "status": "active", "name": "Wide", "domain": "benchmarks",
        "schema": [{"name": "wide", "physicalType": "table", "properties": properties}],
    }  # fmt: skip
    return load_contract(json.dumps(document))


def _write_wide(path: Path, rows: int) -> int:
    """A table of that many columns; nothing in it is at fault."""
    import numpy as np

    chance = np.random.default_rng(_SEED)
    makers = (
        lambda: pl.Series([f"text {number}" for number in chance.integers(0, 5000, rows)]),
        lambda: pl.Series(chance.integers(0, 100_000, rows)),
        lambda: pl.Series(chance.integers(0, 500_000, rows) / 100),
        lambda: pl.Series(chance.integers(0, 20_000, rows)).cast(pl.Int32).cast(pl.Date),
        lambda: pl.Series([f"AB{number:04d}" for number in chance.integers(0, 10_000, rows)]),
    )
    pl.DataFrame({f"c{index:03d}": makers[index % 5]() for index in range(WIDE)}).write_csv(path)
    return rows


def wide_floor(path: str) -> None:
    """Read the wide file with its types and write plain Parquet."""
    kinds = (pl.String, pl.Int64, pl.Float64, pl.Date, pl.String)
    with tempfile.NamedTemporaryFile(suffix=".parquet") as target:
        frame = pl.read_csv(path, schema={f"c{index:03d}": kinds[index % 5] for index in range(WIDE)})
        frame.write_parquet(target.name, compression="zstd")


def wide_connector(path: str) -> int:
    """The whole of `hub-connector check` on the wide file."""
    return check.connector(path, wide_contract())
