"""Finding a person and opening a household on a linked borough, as a service user does it.

Each look-up goes through the workflow: agreement, grant, decryption of the columns, the search itself and the audit
entry. The floor filters the same columns of plain Parquet, with none of that.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.borough import LinkedHub, linked_hub
from benchmarks.measure import Timings, interleaved, percentile_95
from benchmarks.registry import Scale
from benchmarks.table import Table, count, milliseconds, ratio
from hub.catalogue import store as catalogue
from hub.insights.people import PersonQuery
from hub.policy.decide import whole_file
from hub.workflows.hub import note
from hub.workflows.linking import PEOPLE_CONTRACT, linked_state
from hub.workflows.viewing import Purpose, open_household, search_people

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["run"]

_LOOKUPS_A_TURN = 20
_COLUMNS = [
    "person_id", "household_id", "forename", "surname", "date_of_birth", "postcode", "uprn", "nhs_number",
]  # fmt: skip
_FLOOR = "floor: filter plain Parquet by name and birth"
_SMALLEST_SPLIT = 4_000


@dataclass(frozen=True)
class _Person:
    """Somebody to look for."""

    surname: str
    born: date
    nhs_number: str
    household: str


def run(scale: Scale) -> list[Table]:
    """One table: a quarter of the people and all of them, so that growth shows (only all when they are few)."""
    sizes = [scale.people // 4, scale.people] if scale.people >= _SMALLEST_SPLIT else [scale.people]
    lines: list[tuple[str, ...]] = []
    for people in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-lookup-") as name:
            made = linked_hub(Path(name), people)
            try:
                lines += _measured(made, Path(name), people, scale)
            finally:
                made.hub.database.close()
    notes = (
        f"{_LOOKUPS_A_TURN * scale.repeats} look-ups of each kind in turns, people drawn by lot; one user at a time.",
        "Look-ups read whole columns, so they grow with the borough. Households are opened without a plugin's answers.",
    )
    columns = ("what", "people", "records", "median ms", "p95 ms", "to floor")
    return [Table("lookup: a service user on a linked borough", columns, tuple(lines), notes)]


def _measured(made: LinkedHub, folder: Path, people: int, scale: Scale) -> list[tuple[str, ...]]:
    known = _people(made)
    plain = folder / "plain.parquet"
    pq.write_table(known, plain, compression="zstd")
    wanted = iter(_draw(known, _LOOKUPS_A_TURN * scale.repeats + 1))
    timings = _timings(made, plain, wanted, scale.repeats)
    state = linked_state(made.hub) or {}
    return [
        (
            name, count(people), count(state["rows"]), milliseconds(median(taken)),
            milliseconds(percentile_95(taken)), ratio(timings.ratio(name, _FLOOR)),
        )
        for name, taken in timings.seconds.items()
    ]  # fmt: skip


def _timings(made: LinkedHub, plain: Path, wanted: Any, repeats: int) -> Timings:
    """Every kind of look-up for one person, then for the next."""
    current: list[_Person] = []

    def next_person() -> _Person:
        current[:] = [next(wanted)]
        return current[0]

    tasks: dict[str, Callable[[], object]] = {
        _FLOOR: lambda: _floor(plain, next_person()),
        "an audit entry in a transaction of its own": lambda: _entry(made),
        "search by surname and date of birth": lambda: _search(
            made, PersonQuery(surname=current[0].surname, date_of_birth=current[0].born)
        ),
        "search by NHS number": lambda: _search(made, PersonQuery(nhs_number=current[0].nhs_number)),
        "open the household": lambda: _open(made, current[0].household),
    }
    return interleaved(tasks, _LOOKUPS_A_TURN * repeats, short=True)


def _people(made: LinkedHub) -> pa.Table:
    """The hub's people table, in the clear: these people do not exist."""
    with made.hub.database.read() as session:
        version = catalogue.current_version(session, PEOPLE_CONTRACT)
        if version is None:
            raise RuntimeError("nobody was linked")
        file = made.hub.vault.locate(session, version.object_key, version.binding)
    return made.hub.vault.read(
        file, _COLUMNS, whole_file(PEOPLE_CONTRACT, "a benchmark's people are invented")
    )


def _draw(known: pa.Table, number: int) -> list[_Person]:
    """People whose surname, birth and NHS number are known, in a fixed order of chance; again when they run out."""
    full = known
    for name in ("surname", "date_of_birth", "nhs_number"):
        full = full.filter(pc.is_valid(full[name]))
    rows = full.select(["surname", "date_of_birth", "nhs_number", "household_id"]).to_pylist()
    if not rows:
        raise RuntimeError("nobody in the borough has a surname, a date of birth and an NHS number")
    # Ids are random, names are not: the order of names makes the draw the same each time.
    rows.sort(key=lambda row: row["nhs_number"])
    chosen = random.Random(7).choices(rows, k=number)
    return [
        _Person(row["surname"], row["date_of_birth"], row["nhs_number"], row["household_id"])
        for row in chosen
    ]


def _floor(plain: Path, person: _Person) -> int:
    table = pq.read_table(plain, columns=_COLUMNS, partitioning=None)
    same = pc.and_(pc.equal(table["surname"], person.surname), pc.equal(table["date_of_birth"], person.born))
    return len(table.filter(pc.fill_null(same, False)).to_pylist())


def _purpose(made: LinkedHub) -> Purpose:
    return Purpose(made.agreement, "home visit on Friday, case 2041")


def _search(made: LinkedHub, query: PersonQuery) -> None:
    if not search_people(made.hub, made.user, _purpose(made), query):
        raise RuntimeError("a person of the borough was not found")


def _open(made: LinkedHub, household: str) -> None:
    open_household(made.hub, made.user, household, _purpose(made))


def _entry(made: LinkedHub) -> None:
    with made.hub.database.write() as session:
        note(
            session, made.user, "household.read", "", agreement=made.agreement,
            reason=made.hub.vault.seal_text("home visit on Friday, case 2041"), subjects=["0" * 64],
        )  # fmt: skip
