"""Finding a person and opening a household on a linked borough, as a service user does it, on both paths.

The fast path reads the sorted copies that linking makes, the slow one whole columns of the versions themselves. Each
look-up goes through the workflow: agreement, grant, decryption, the search itself and the audit entry. The floor
filters the same columns of plain Parquet, with none of that.

The people and their rows are made directly and put into the vault as linking would leave them: what is measured is
looking up, and the files are those that linking writes.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.borough import LinkedHub, _agree, _person
from benchmarks.measure import Timings, interleaved, percentile_95
from benchmarks.registry import Scale
from benchmarks.table import Table, count, milliseconds, ratio
from hub.catalogue import store as catalogue
from hub.demo.cast import DEPARTMENTS
from hub.identity import store as identities
from hub.identity.principal import system
from hub.insights import serving
from hub.insights.people import PersonQuery
from hub.insights.store import linking_of
from hub.policy.decide import whole_file
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.workflows import linking
from hub.workflows.hub import note
from hub.workflows.viewing import Purpose, open_household, search_people
from hub_schemas import Contract, library
from hub_schemas.delivery import ROW_NUMBER

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["run"]

_LOOKUPS_A_TURN = 20
_LARGER = 15
#: Contract -> rows a person; ten in all.
_ROWS = {
    "schools.attendance": 4, "police.incidents": 2, "benefits.claims": 2, "housing.tenancies": 1,
    "health.registrations": 1,
}  # fmt: skip
_AGREEMENTS = ("link-people", "troubled-families")
_SURNAMES, _TO_A_HOME, _TO_A_POSTCODE = 5_000, 3, 40
_COLUMNS = [
    "person_id", "household_id", "forename", "surname", "date_of_birth", "postcode", "uprn", "nhs_number",
]  # fmt: skip
_FLOOR = "floor: filter plain Parquet by name and birth"
_SLOWLY = ", slow path"


@dataclass(frozen=True)
class _Person:
    """Somebody to look for."""

    surname: str
    born: date
    nhs_number: str
    household: str


def run(scale: Scale) -> list[Table]:
    """One table: so many people as the scale says, and fifteen times as many, so that growth shows."""
    lines: list[tuple[str, ...]] = []
    for people in (scale.people, scale.people * _LARGER):
        with tempfile.TemporaryDirectory(prefix="bench-lookup-") as name:
            made, crowd = _linked(Path(name), people)
            try:
                lines += _measured(made, crowd, Path(name), scale)
            finally:
                made.hub.database.close()
    notes = (
        f"{_LOOKUPS_A_TURN * scale.repeats} look-ups of each kind in turns, {scale.repeats} of each on the slow path, "
        "people drawn by lot; one user at a time.",
        "Each person has ten rows in five datasets, made directly. Households are opened without a plugin's answers.",
        "Every look-up ends with an audit entry that is on the disk before anything is shown.",
    )
    columns = ("what", "people", "records", "median ms", "p95 ms", "to floor")
    return [Table("lookup: a service user on a linked borough", columns, tuple(lines), notes)]


def _measured(made: LinkedHub, crowd: pa.Table, folder: Path, scale: Scale) -> list[tuple[str, ...]]:
    plain = folder / "plain.parquet"
    pq.write_table(crowd.select(_COLUMNS), plain, compression="zstd")
    slow = _timings(made, plain, _draw(crowd), scale.repeats, _SLOWLY)
    fast = _timings(made, plain, _draw(crowd), _LOOKUPS_A_TURN * scale.repeats, "")
    records = crowd.num_rows * sum(_ROWS.values())
    return [
        (
            name, count(crowd.num_rows), count(records), milliseconds(median(taken)),
            milliseconds(percentile_95(taken)), ratio(timings.ratio(name, _FLOOR)),
        )
        for timings in (fast, slow) for name, taken in timings.seconds.items()
        if timings is fast or name.endswith(_SLOWLY)
    ]  # fmt: skip


def _timings(made: LinkedHub, plain: Path, wanted: Iterator[_Person], turns: int, path: str) -> Timings:
    """Every kind of look-up for one person, then for the next."""
    current: list[_Person] = []
    around = _without_copies if path else _with_copies

    def next_person() -> _Person:
        current[:] = [next(wanted)]
        return current[0]

    def by_name() -> None:
        _search(made, PersonQuery(surname=current[0].surname, date_of_birth=current[0].born))

    tasks: dict[str, Callable[[], object]] = {
        _FLOOR: lambda: _floor(plain, next_person()),
        f"search by surname and date of birth{path}": by_name,
        f"search by NHS number{path}": lambda: _search(made, PersonQuery(nhs_number=current[0].nhs_number)),
        f"open the household{path}": lambda: _open(made, current[0].household),
    }
    if not path:
        tasks["of that: the household's rows, decrypted from the copies"] = lambda: _rows(
            made, current[0].household
        )
        tasks["of that: an audit entry in a transaction of its own"] = lambda: _entry(made)
    with around():
        return interleaved(tasks, turns, short=True)


@contextmanager
def _without_copies() -> Iterator[None]:
    """As if no linking had any."""
    kept = serving.Serving.served
    serving.Serving.served = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        serving.Serving.served = kept  # type: ignore[method-assign]


@contextmanager
def _with_copies() -> Iterator[None]:
    yield


def _draw(crowd: pa.Table) -> Iterator[_Person]:
    """People in a fixed order of chance, for ever."""
    chance = random.Random(7)
    while True:
        row = crowd.slice(chance.randrange(crowd.num_rows), 1).to_pylist()[0]
        yield _Person(row["surname"], row["date_of_birth"], row["nhs_number"], row["household_id"])


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
    if not open_household(made.hub, made.user, household, _purpose(made)).view.contacts:
        raise RuntimeError("a household of the borough has no rows")


def _rows(made: LinkedHub, household: str) -> None:
    """What the household's page reads of the copies, without anything around it but finding their keys."""
    hub, reader = made.hub, serving.serving_of(made.hub.vault, made.hub.objects)
    grant = whole_file("benchmark", "invented people")
    with hub.database.read() as session:
        people = catalogue.current_version(session, linking.PEOPLE_CONTRACT)
        served = reader.served(session, linking_of(session, people.id) if people else None)
        if served is None:
            raise RuntimeError("there are no copies")
        columns = [*serving.HOUSEHOLD_COLUMNS, serving.ROW_HELD]
        name, by = serving.people_copy("household_id"), "household_id"
        reader.rows(hub.vault, session, served, name, by, household, columns, grant)
        for item in reader.made_from(session, served.linking.id, served.linking.person_index):
            columns = [serving.ROW_PERSON, *(column.name for column in item.contract.columns)][:6]
            name, by = item.version.id, serving.ROW_HOUSEHOLD
            reader.rows(hub.vault, session, served, name, by, household, columns, grant)


def _entry(made: LinkedHub) -> None:
    with made.hub.database.write() as session:
        note(
            session, made.user, "household.read", "", agreement=made.agreement,
            reason=made.hub.vault.seal_text("home visit on Friday, case 2041"), subjects=["0" * 64],
        )  # fmt: skip


# --- people and rows, made directly


def _linked(folder: Path, people: int) -> tuple[LinkedHub, pa.Table]:
    """A hub with everything accepted and linked, and the people in the clear: they do not exist."""
    from hub.app import init_hub
    from hub.config import load_settings
    from hub.workflows import enrolling

    hub = init_hub(
        load_settings(
            folder / "hub", environ={}, public_url="http://127.0.0.1", two_person_registration=False
        )
    )
    operator = _person(hub, "hub", "operator")
    for department in DEPARTMENTS:
        enrolling.add_organisation(hub, operator, department.slug, department.name)
    for name in _AGREEMENTS:
        _agree(hub, name)
    crowd, parts = _crowd(people), []
    for department in DEPARTMENTS:
        for name in sorted(_ROWS.keys() & set(department.contracts)):
            parts.append(_publish(hub, department.slug, library.load(name), crowd))
    with hub.database.read() as session:
        sources = linking.linkable(hub, session, locate=True)
    if len(sources) != len(_ROWS):
        raise RuntimeError("the agreement does not link every dataset")
    linking._keep(hub, system("benchmark"), crowd, pa.concat_tables(parts), sources, {"people": people})
    user = _person(hub, "wexbourne-children", "service user")
    return LinkedHub(hub, None, user, _AGREEMENTS[1]), crowd  # type: ignore[arg-type]


def _crowd(people: int) -> pa.Table:
    """The hub's people table: three to a home."""
    chance = np.random.default_rng(7)
    numbers = np.arange(people)
    homes = np.array([chance.bytes(16).hex() for _ in range(people // _TO_A_HOME + 1)])
    born = np.datetime64("1930-01-01") + chance.integers(0, 34_000, people)
    homes_of = numbers // _TO_A_HOME
    return pa.table(
        {
            "person_id": pa.array(sorted(chance.bytes(16).hex() for _ in range(people))),
            "household_id": pa.array(homes[homes_of]),
            "forename": pa.array(np.char.add("Forename", (numbers % 400).astype(str))),
            "surname": pa.array(np.char.add("Surname", chance.integers(0, _SURNAMES, people).astype(str))),
            "date_of_birth": pa.array(born.astype("datetime64[D]")),
            "sex": pa.array(np.array(["F", "M"])[numbers % 2]),
            "postcode": pa.array(
                [
                    f"ZX{n // 9000} {n // 900 % 10}{_pair(n % 900)}"
                    for n in (numbers // _TO_A_POSTCODE).tolist()
                ]
            ),
            "uprn": pa.array(np.char.add("99", (homes_of + 10_000_000).astype(str))),
            "nhs_number": pa.array((9_000_000_000 + chance.permutation(people)).astype(str)),
            "datasets": pa.array(np.full(people, len(_ROWS), dtype=np.int32)),
        }
    )


def _pair(number: int) -> str:
    return chr(65 + number // 30 % 26) + chr(65 + number % 26)


def _publish(hub: Hub, slug: str, contract: Contract, crowd: pa.Table) -> pa.Table:
    """A dataset of so many rows a person in any order, as an accepted version; returns its part of the index."""
    chance = np.random.default_rng(11)
    whose = chance.permutation(np.repeat(np.arange(crowd.num_rows), _ROWS[contract.id]))
    rows = len(whose)
    schema = pa.schema([pa.field(ROW_NUMBER, pa.int64(), nullable=False), *contract.arrow_schema()])
    with hub.database.write() as session:
        catalogue.add_contract(session, contract.text)
        home = identities.find_organisation(session, slug)
        dataset, _ = catalogue.put_dataset(session, home.id, contract)
    version = catalogue.Version(
        new_id("ver"), dataset.id, 1, contract.digest, "", "benchmark", rows, utc_now(), None, None
    )
    owner = hub.vault.new_owner(version.id)
    classes = {ROW_NUMBER: "open", **{item.name: item.classification for item in contract.columns}}
    file = hub.vault.write(
        owner, f"versions/{version.id}/rows.parquet", version.binding,
        _batches(contract, crowd, whose, schema, chance), schema, classes,
    )  # fmt: skip
    with hub.database.write() as session:
        hub.vault.register(session, owner, [file])
        stored = catalogue.Version(**version.__dict__ | {"object_key": file.object_key})
        catalogue.add_version(session, stored)
    return pa.table(
        {
            "record_key": pa.array(np.char.add(contract.id, np.arange(rows).astype(str))),
            "dataset": pa.array(np.full(rows, contract.id)), "version_id": pa.array(np.full(rows, version.id)),
            "source_row": pa.array(np.arange(1, rows + 1)), "person_id": crowd["person_id"].take(pa.array(whose)),
            "method": pa.array(np.full(rows, "model")), "probability": pa.array(np.full(rows, 0.99)),
        }
    )  # fmt: skip


def _batches(
    contract: Contract, crowd: pa.Table, whose: Any, schema: pa.Schema, chance: Any, size: int = 200_000
) -> Iterator[pa.Table]:
    """Rows in the contract's types: who they are about is true, everything else is made up."""
    for start in range(0, len(whose), size):
        people = crowd.take(pa.array(whose[start : start + size]))
        columns: dict[str, Any] = {ROW_NUMBER: pa.array(np.arange(start + 1, start + 1 + people.num_rows))}
        for column in contract.columns:
            kind = schema.field(column.name).type
            role = column.linkage_role or ""
            columns[column.name] = (
                people[role]
                if role in people.column_names
                else _made_up(column.name, kind, people.num_rows, chance)
            ).cast(kind)
        yield pa.table(columns)


def _made_up(name: str, kind: pa.DataType, rows: int, chance: Any) -> pa.Array:
    some = chance.integers(0, 400, rows)
    if pa.types.is_boolean(kind):
        return pa.array(some % 2 == 0)
    if pa.types.is_temporal(kind):
        days: Sequence[date] = [date(2025, 1, 1) + timedelta(days=number) for number in range(400)]
        return pa.array(days).take(pa.array(some))
    if pa.types.is_string(kind):
        return pa.array(np.char.add(name, some.astype(str)))
    return pa.array(some)
