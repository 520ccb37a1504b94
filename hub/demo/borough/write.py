"""Writing the borough: CSV files by organisation, block by block, and the truth beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from hub.demo.borough import BoroughSummary, faults
from hub.demo.borough.demand import Demand, demand
from hub.demo.borough.departments import benefits, children, health, housing, police, schools, workforce
from hub.demo.borough.identifiers import MOST_PEOPLE
from hub.demo.borough.people import Position, build_block
from hub.demo.borough.population import Block
from hub.demo.borough.readme import readme
from hub.demo.borough.sheets import Need, Sheet
from hub.demo.borough.truth import TruthWriter

BLOCK = 20_000
"""People in a block: memory grows with this, not with the borough."""
_DWELLINGS_A_PERSON = 0.44
_FAULTS_STREAM = 90
_RECENT_WEEKS_SPARED = workforce.STRAINED_WEEKS * len(workforce.ACTIVITIES) * 10


@dataclass
class _Counts:
    rows: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    households: int = 0
    families: int = 0
    tf2012: int = 0


class SheetWriter:
    """Appends sheets to one CSV file a dataset, `<organisation>/<name>.csv`. Use as a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, BinaryIO] = {}
        self._rows: dict[str, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> SheetWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def write(self, sheet: Sheet) -> int:
        """Append the rows of a sheet; returns the number of its first row, counting data rows from 1."""
        first = self._rows.get(sheet.dataset, 0) + 1
        if sheet.dataset not in self._files:
            path = self._directory / Path(*sheet.dataset.split(".")).with_suffix(".csv")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files[sheet.dataset] = self._stack.enter_context(path.open("wb"))
        frame = pl.DataFrame(
            [pl.Series(name, values.tolist(), dtype=pl.String) for name, values in sheet.columns.items()]
        )
        frame.write_csv(self._files[sheet.dataset], include_header=first == 1)
        self._rows[sheet.dataset] = first + len(sheet) - 1
        return first


def generate(directory: Path, people: int, seed: int, today: date) -> BoroughSummary:
    """Write the borough into `directory`; see `hub.demo.borough.generate`."""
    _check(people, seed)
    directory.mkdir(parents=True, exist_ok=True)
    counts = _Counts()
    with SheetWriter(directory) as sheets, TruthWriter(directory / "truth") as truth:
        _write_teams(sheets, truth, counts, people=people, seed=seed, today=today)
        expected = demand(seed, today)
        for block in blocks(people, seed, today):
            _write_block(block, expected, sheets, truth, counts)
    summary = BoroughSummary(
        directory=directory,
        people=people,
        households=counts.households,
        seed=seed,
        today=today,
        rows=counts.rows,
        faults=counts.faults,
        families=counts.families,
        families_tf2012=counts.tf2012,
    )
    (directory / "README.txt").write_text(readme(summary), encoding="utf-8")
    return summary


def blocks(people: int, seed: int, today: date) -> Iterator[Block]:
    """The borough in blocks of `BLOCK` people, the last one shorter; only one is held at a time."""
    at = Position()
    dwellings = max(100, int(people * _DWELLINGS_A_PERSON))
    for index, start in enumerate(range(0, people, BLOCK)):
        block = build_block(
            index,
            min(BLOCK, people - start),
            at,
            seed=seed,
            today=today,
            total_people=people,
            total_dwellings=dwellings,
        )
        at = at.after(block)
        yield block


def _write_teams(
    sheets: SheetWriter, truth: TruthWriter, counts: _Counts, *, people: int, seed: int, today: date
) -> None:
    """The two sheets that are about teams, not people."""
    for number, (sheet, spared) in enumerate(
        (
            (workforce.establishment(seed, today, people), 30),
            (workforce.time_recording(seed, today, people), _RECENT_WEEKS_SPARED),
        )
    ):
        rng = np.random.default_rng([seed, _FAULTS_STREAM, number])
        planted = faults.plant(sheet, rng, spare_after=len(sheet) - spared)
        truth.sheet(sheet, sheets.write(sheet), planted)
        _count(counts, sheet, planted)


def _write_block(
    block: Block, expected: Demand, sheets: SheetWriter, truth: TruthWriter, counts: _Counts
) -> None:
    """Everything the departments write about one block, and the truth about it."""
    made, needs = departments(block, expected)
    first_rows = {}
    for number, sheet in enumerate(made):
        planted = faults.plant(sheet, block.generator(_FAULTS_STREAM + number))
        first_rows[sheet.dataset] = sheets.write(sheet)
        truth.sheet(sheet, first_rows[sheet.dataset], planted)
        _count(counts, sheet, planted)
    truth.needs(block, needs, first_rows)
    met = truth.block(block, needs)
    counts.households += len(block.households.number)
    counts.families += int((block.households.children > 0).sum())
    counts.tf2012 += int(met.sum())


def departments(block: Block, expected: Demand) -> tuple[list[Sheet], list[Need]]:
    """What the six departments write about a block, and the family criteria that truly hold in it."""
    attendance, education = schools.attendance(block)
    claims, out_of_work = benefits.claims(block)
    incidents, crime = police.incidents(block, expected)
    made = [
        attendance,
        children.in_need(block),
        incidents,
        housing.tenancies(block),
        claims,
        health.registrations(block),
    ]
    return made, [*crime, *education, *out_of_work]


def _count(counts: _Counts, sheet: Sheet, planted: list[tuple[int, str, str]]) -> None:
    counts.rows[sheet.dataset] = counts.rows.get(sheet.dataset, 0) + len(sheet)
    counts.faults[sheet.dataset] = counts.faults.get(sheet.dataset, 0) + len(planted)


def _check(people: int, seed: int) -> None:
    if not 100 <= people <= MOST_PEOPLE:
        raise ValueError(
            f"A borough has between 100 and {MOST_PEOPLE:,} people, not {people:,}: choose another number."
        )
    if seed < 0:
        raise ValueError(f"The seed is {seed}: give a whole number of 0 or more.")
