"""The truth about the borough, kept apart from what the departments wrote: for tests and benchmarks only.

Parquet files in `truth/`, each with a fixed schema:

* `rows`: who each row of each dataset is really about (nulls: nobody in the borough);
* `people` and `households`: what is so, with the TF-2012 criteria each household truly meets;
* `needs`: the rows behind each criterion; `faults`: rows planted to break their contract;
* `mistakes`: rows that are accepted but hold a slip, an old name or address, or another mistake.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hub.demo.borough import identifiers, places
from hub.demo.borough.identifiers import Ints
from hub.demo.borough.population import KINDS, ROLES, TENURES, Block, Flags
from hub.demo.borough.sheets import Need, Sheet

CRITERIA: tuple[str, ...] = ("crime_asb", "education", "out_of_work")
"""The three national criteria of TF-2012; a household with children qualifies with two."""

_WORD = pa.dictionary(pa.int32(), pa.string())

SCHEMAS: dict[str, pa.Schema] = {
    "rows": pa.schema(
        [
            ("dataset", _WORD),
            ("row_number", pa.int64()),
            ("true_person_id", pa.int64()),
            ("true_household_id", pa.int64()),
        ]
    ),
    "people": pa.schema(
        [
            ("person_id", pa.int64()),
            ("household_id", pa.int64()),
            ("role", _WORD),
            ("forename", pa.string()),
            ("surname", pa.string()),
            ("former_surname", pa.string()),
            ("renamed_on", pa.date32()),
            ("sex", _WORD),
            ("date_of_birth", pa.date32()),
            ("died_on", pa.date32()),
            ("twin", pa.bool_()),
            ("uprn", pa.string()),
            ("postcode", pa.string()),
            ("former_uprn", pa.string()),
            ("moved_on", pa.date32()),
            ("nhs_number", pa.string()),
            ("nino", pa.string()),
        ]
    ),
    "households": pa.schema(
        [
            ("household_id", pa.int64()),
            ("kind", _WORD),
            ("tenure", _WORD),
            ("uprn", pa.string()),
            ("area", _WORD),
            ("ward", _WORD),
            ("size", pa.int32()),
            ("children", pa.int32()),
            *((criterion, pa.bool_()) for criterion in CRITERIA),
            ("tf2012", pa.bool_()),
        ]
    ),
    "needs": pa.schema(
        [
            ("true_household_id", pa.int64()),
            ("true_person_id", pa.int64()),
            ("criterion", _WORD),
            ("indicator", _WORD),
            ("dataset", _WORD),
            ("row_number", pa.int64()),
        ]
    ),
    "faults": pa.schema(
        [("dataset", _WORD), ("row_number", pa.int64()), ("column", _WORD), ("kind", _WORD)],
    ),
    "mistakes": pa.schema(
        [("dataset", _WORD), ("row_number", pa.int64()), ("column", _WORD), ("kind", _WORD)],
    ),
}


class TruthWriter:
    """Writes the truth block by block, holding no more than a block. Use as a context manager."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._writers = {
            name: pq.ParquetWriter(directory / f"{name}.parquet", schema, compression="zstd")
            for name, schema in SCHEMAS.items()
        }
        self.rows = dict.fromkeys(SCHEMAS, 0)

    def __enter__(self) -> TruthWriter:
        return self

    def __exit__(self, *error: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def sheet(self, sheet: Sheet, first_row: int, planted: list[tuple[int, str, str]]) -> None:
        """Who the rows of a sheet are about and what is wrong in them, numbered from `first_row`."""
        count = len(sheet)
        self._write(
            "rows",
            dataset=_same(sheet.dataset, count),
            row_number=pa.array(np.arange(first_row, first_row + count)),
            true_person_id=_known(sheet.person),
            true_household_id=_known(sheet.household),
        )
        self._write(
            "faults",
            dataset=_same(sheet.dataset, len(planted)),
            row_number=pa.array([first_row + row for row, _, _ in planted], pa.int64()),
            column=[column for _, column, _ in planted],
            kind=[kind for _, _, kind in planted],
        )
        at = [first_row + np.asarray(rows, dtype=np.int64) for rows, _, _ in sheet.marks]
        counts = [len(rows) for rows in at]
        self._write(
            "mistakes",
            dataset=_same(sheet.dataset, sum(counts)),
            row_number=_joined(at),
            column=_spread([column for _, column, _ in sheet.marks], counts),
            kind=_spread([kind for _, _, kind in sheet.marks], counts),
        )

    def needs(self, block: Block, needs: list[Need], first_rows: dict[str, int]) -> None:
        """The rows behind each criterion, by the number of the first row of each dataset in this block."""
        counts = [len(need.people) for need in needs]
        people = np.concatenate([need.people for need in needs])
        self._write(
            "needs",
            true_household_id=block.households.number[block.people.home[people]],
            true_person_id=block.people.number[people],
            criterion=_spread([need.criterion for need in needs], counts),
            indicator=_spread([need.indicator for need in needs], counts),
            dataset=_spread([need.dataset for need in needs], counts),
            row_number=_joined([first_rows[need.dataset] + need.rows for need in needs]),
        )

    def block(self, block: Block, needs: list[Need]) -> Flags:
        """The people and households of a block; returns which households meet TF-2012."""
        self._people(block)
        return self._households(block, needs)

    def _people(self, block: Block) -> None:
        people = block.people
        address = places.addresses(people.dwelling)
        before = places.addresses(people.former_dwelling.clip(0)).uprn
        before[people.former_dwelling < 0] = None
        ninos = identifiers.ninos(people.number)
        ninos[people.ages(block.today) < 16] = None
        self._write(
            "people",
            person_id=pa.array(people.number),
            household_id=pa.array(block.households.number[people.home]),
            role=np.array(ROLES, dtype=object)[people.role],
            forename=people.forename,
            surname=people.surname,
            former_surname=people.former_surname,
            renamed_on=people.renamed_on,
            sex=people.sex,
            date_of_birth=people.born,
            died_on=people.died_on,
            twin=people.twin,
            uprn=address.uprn,
            postcode=address.postcode,
            former_uprn=before,
            moved_on=people.moved_on,
            nhs_number=identifiers.nhs_numbers(people.number),
            nino=ninos,
        )

    def _households(self, block: Block, needs: list[Need]) -> Flags:
        homes = block.households
        met = criteria_met(block, needs)
        tf2012 = (sum(met[criterion].astype(int) for criterion in CRITERIA) >= 2) & (homes.children > 0)
        area = places.areas(homes.dwelling)
        self._write(
            "households",
            household_id=pa.array(homes.number),
            kind=np.array(KINDS, dtype=object)[homes.kind],
            tenure=np.array(TENURES, dtype=object)[homes.tenure],
            uprn=identifiers.uprns(homes.dwelling),
            area=np.array(places.AREAS, dtype=object)[area],
            ward=np.array(places.WARD_NAMES, dtype=object)[area, places.wards(homes.dwelling)],
            size=homes.size,
            children=homes.children,
            **met,
            tf2012=tf2012,
        )
        return tf2012

    def _write(self, name: str, **columns: Any) -> None:
        """Append columns to a file, converted to its schema."""
        schema = SCHEMAS[name]
        arrays = [_as_type(columns[field.name], field.type) for field in schema]
        if len(arrays[0]):
            self._writers[name].write_table(pa.Table.from_arrays(arrays, schema=schema))
            self.rows[name] += len(arrays[0])


def criteria_met(block: Block, needs: list[Need]) -> dict[str, Flags]:
    """Which households of a block truly meet each criterion of TF-2012."""
    met = {criterion: np.zeros(len(block.households.number), dtype=bool) for criterion in CRITERIA}
    for need in needs:
        met[need.criterion][block.people.home[need.people]] = True
    return met


def _as_type(values: Any, kind: pa.DataType) -> pa.Array:
    array = values if isinstance(values, pa.Array) else pa.array(values)
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).dictionary_encode()
    return array.cast(kind)


def _same(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int32), pa.array([text]))


def _spread(texts: list[str], counts: list[int]) -> pa.Array:
    """Each text repeated its count of times."""
    words = pa.array(texts, pa.string()).dictionary_encode()
    codes = np.repeat(words.indices.to_numpy(zero_copy_only=False), counts)
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), words.dictionary)


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def _known(numbers: Ints) -> pa.Array:
    """Numbers with -1 as null."""
    return pa.array(numbers, mask=numbers < 0)
