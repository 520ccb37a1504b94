"""The generated table: twelve columns about pupils who do not exist, one row in two hundred at fault.

The contract is `sample.yaml`. Numbers are valid in form and belong to nobody (see the synthetic borough). The same
number of rows gives the same bytes. Faults keep their column's type, so that a plain typed read can read them too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hub_schemas import load_contract

if TYPE_CHECKING:
    import pyarrow as pa

    from hub_schemas import Contract

__all__ = ["FAULT_EVERY", "SERVICES", "contract", "faults_in", "read_typed", "typed_rows", "write_csv"]

SERVICES = ("early help", "mentoring", "school nurse", "speech and language", "youth work")
FAULT_EVERY = 200
_BLOCK = 200_000


def contract() -> Contract:
    """The contract of the generated table."""
    return load_contract(Path(__file__).with_name("sample.yaml"))


def faults_in(rows: int) -> int:
    """How many rows of a table of so many are at fault."""
    return len(range(FAULT_EVERY // 2, rows, FAULT_EVERY))


def write_csv(path: Path, rows: int) -> None:
    """Write the table of so many rows."""
    with path.open("wb") as stream:
        for start in range(0, rows, _BLOCK):
            frame = _block(start, min(_BLOCK, rows - start))
            frame.write_csv(stream, include_header=start == 0)


def _block(start: int, count: int) -> pl.DataFrame:
    from hub.demo.borough import identifiers, names, places

    rng = np.random.default_rng([20_261_101, start])
    people = np.arange(start, start + count, dtype=np.int64)
    women, origins = rng.random(count) < 0.5, names.draw_origins(rng, count)
    born_year = rng.integers(2005, 2021, count)
    born = (born_year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + rng.integers(0, 365, count)
    started = born + rng.integers(365, 5 * 365, count)
    at_fault = np.flatnonzero(people % FAULT_EVERY == FAULT_EVERY // 2)
    kinds = (people[at_fault] // FAULT_EVERY) % 7
    started[at_fault[kinds == 6]] = born[at_fault[kinds == 6]] - np.timedelta64(1, "D")
    columns = {
        "record_id": np.array([f"R{number:09d}" for number in people.tolist()], dtype=object),
        "nhs_number": identifiers.nhs_numbers(people),
        "upn": identifiers.upns(people, born_year + 5),
        "forename": names.draw_forenames(rng, origins, women, born_year),
        "surname": names.draw_surnames(rng, origins),
        "postcode": places.postcodes(people // 3),
        "service": np.array(SERVICES, dtype=object)[rng.integers(0, len(SERVICES), count)],
    }
    sessions = rng.integers(0, 201, count)
    sessions[at_fault[kinds == 4]] = 999
    for row, kind in zip(at_fault.tolist(), kinds.tolist(), strict=True):
        _spoil(columns, row, kind)
    frame = {name: pl.Series(values.tolist(), dtype=pl.String) for name, values in columns.items()} | {
        "sex": pl.Series(np.where(women, "F", "M").tolist(), dtype=pl.String),
        "date_of_birth": pl.Series(born),
        "sessions": pl.Series(sessions),
        "cost": pl.Series(rng.integers(0, 500_000, count) / 100),
        "started_on": pl.Series(started),
    }
    return pl.DataFrame({column.name: frame[column.name] for column in contract().columns})


def _spoil(columns: dict[str, np.ndarray], row: int, kind: int) -> None:
    """Put one fault of a text into a row: check digit, check letter, postcode, list of values, or a key again."""
    if kind == 0:
        number = columns["nhs_number"][row]
        columns["nhs_number"][row] = number[:-1] + str((int(number[-1]) + 1) % 10)
    elif kind == 1:
        upn = columns["upn"][row]
        columns["upn"][row] = ("A" if upn[0] != "A" else "B") + upn[1:]
    elif kind == 2:
        columns["postcode"][row] = columns["postcode"][row][:-2] + "CI"
    elif kind == 3:
        columns["service"][row] = "counselling"
    elif kind == 5:
        columns["record_id"][row] = columns["record_id"][row - 1]


def typed_rows(path: Path) -> pa.Table:
    """The CSV as the typed table that the contract describes, row numbers first, with nothing checked."""
    import pyarrow as pa

    from hub_schemas.delivery import ROW_NUMBER

    agreed = contract()
    schema = pa.schema([pa.field(ROW_NUMBER, pa.int64(), nullable=False), *agreed.arrow_schema()])
    frame = read_typed(path)
    columns = [pa.array(range(1, frame.height + 1), pa.int64())]
    columns += [
        frame[field.name].to_arrow(compat_level=pl.CompatLevel.oldest()).cast(field.type)
        for field in agreed.arrow_schema()
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def read_typed(path: Path) -> pl.DataFrame:
    """The CSV read with the types of its contract, as fast as polars can."""
    kinds = {"integer": pl.Int64, "number": pl.Float64, "date": pl.Date}
    return pl.read_csv(
        path, schema={column.name: kinds.get(column.type, pl.String) for column in contract().columns}
    )
