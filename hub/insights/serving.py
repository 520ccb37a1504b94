"""Serving copies of one linking: people sorted by what they are looked for by, every linked version by household.

All copies of a linking are bound to it and lie under the key of its people table, which goes when anything that was
linked goes. They come into use together, in one transaction; whoever finds none, or cannot read one, takes the slow
path and reads the versions themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Version
from hub.errors import Invalid, NotFound
from hub.insights.people import SEARCH_KEYS
from hub.insights.store import Linking, add_copies, linking_of, retire_copies
from hub.policy.decide import Grant, whole_file
from hub.storage.ids import new_id
from hub.vault.serving import Copy, Shelf, drop_files, key_stamp, write_sorted
from hub.vault.store import SealedFile, StoredFile, Vault
from hub_schemas import Contract, library
from hub_schemas.delivery import ROW_NUMBER

if TYPE_CHECKING:
    from hub.storage.objects import ObjectStore
    from hub.vault.geography import Areas

__all__ = [
    "HOUSEHOLD_COLUMNS", "ROW_HELD", "ROW_HOUSEHOLD", "ROW_PERSON", "SEARCH_COLUMNS", "LinkedVersion", "Served",
    "Serving", "build", "linked_versions", "people_copy", "put_into_use", "remove", "serving_of", "sources_of",
]  # fmt: skip

HOUSEHOLD_COLUMNS = (
    "person_id", "household_id", "forename", "surname", "date_of_birth", "sex", "datasets", "postcode", "uprn",
)  # fmt: skip
SEARCH_COLUMNS = (
    "person_id", "household_id", "forename", "surname", "date_of_birth", "postcode", "uprn", "nhs_number",
)  # fmt: skip
#: In the copy of a version: whose row it is. Contracts with columns of these names are read the slow way.
ROW_HOUSEHOLD, ROW_PERSON = "_hub_household_id", "_hub_person_id"
#: In the copy of the people by household: which versions hold rows about the household, by their places in `versions`.
ROW_HELD = "_hub_held_in"
_PEOPLE = "people:"
_SLAB_ROWS = 1_000_000  # so many rows are sorted in memory at a time


@dataclass(frozen=True)
class LinkedVersion:
    """A version that was linked, with its contract and its dataset."""

    version: Version
    contract: Contract
    dataset: Dataset


def people_copy(by: str) -> str:
    """The name of the copy of the people table that is sorted by a column."""
    return _PEOPLE + by


def _binding(linking: str, people: str, name: str) -> str:
    return f"serving={linking};people={people};copy={name}"


# --- building


def build(
    vault: Vault, objects: ObjectStore, owner_key: bytes, linking: str, people_version: str,
    people: pa.Table, index: pa.Table, sources: Sequence[tuple[str, Contract, StoredFile]],
) -> dict[str, SealedFile]:  # fmt: skip
    """Write the copies of one linking: name -> file, none of them known to anybody yet.

    `people` has the columns of hub.people, `index` those of hub.person_index; `sources` are the linked versions (id,
    contract, file). `owner_key` is the key of the people version.
    """
    made: dict[str, SealedFile] = {}

    def write(
        name: str,
        slabs: Iterable[pa.Table],
        schema: pa.Schema,
        classes: Mapping[str, str],
        by: str,
        rows: int,
    ) -> None:
        # A name of its own: two workers that build the same copies do not write over each other.
        key = f"versions/{people_version}/{new_id('srv')}.parquet"
        binding = _binding(linking, people_version, name)
        made[name] = write_sorted(objects, owner_key, key, binding, slabs, schema, classes, by, rows)

    homes, about = _Homes(people, index), {}
    for version_id, contract, file in sources:
        columns = [ROW_NUMBER, *(column.name for column in contract.columns)]
        if {ROW_HOUSEHOLD, ROW_PERSON} & set(columns):
            continue
        order = homes.order(version_id, _row_numbers(vault, file))
        about[version_id] = pc.unique(order.households)
        schema, classes = _of_version(contract)
        write(version_id, _slabs(vault, file, columns, order), schema, classes, ROW_HOUSEHOLD, order.rows)
    for by in ("household_id", *SEARCH_KEYS):
        rows, classes = _of_people(people, by, about)
        write(people_copy(by), [rows], rows.schema, classes, by, rows.num_rows)
    return made


def _of_version(contract: Contract) -> tuple[pa.Schema, dict[str, str]]:
    """Schema and classes of the copy of a version."""
    own = [pa.field(ROW_HOUSEHOLD, pa.string()), pa.field(ROW_PERSON, pa.string())]
    classes = {ROW_HOUSEHOLD: "personal", ROW_PERSON: "personal", ROW_NUMBER: "open"}
    classes |= {column.name: column.classification for column in contract.columns}
    return pa.schema([*own, pa.field(ROW_NUMBER, pa.int64()), *contract.arrow_schema()]), classes


def _of_people(people: pa.Table, by: str, about: Mapping[str, pa.Array]) -> tuple[pa.Table, dict[str, str]]:
    """The copy of the people table by one column, and the classes of its columns."""
    contract = library.load("hub.people")
    columns = HOUSEHOLD_COLUMNS if by == "household_id" else SEARCH_COLUMNS
    schema = contract.arrow_schema()
    rows = people.select(list(columns)).cast(pa.schema([schema.field(name) for name in columns]))
    rows = _sorted_by(rows, by)
    classes = {column.name: column.classification for column in contract.columns if column.name in columns}
    if by == "household_id":
        flags = [
            pc.if_else(pc.is_in(rows[by], about[version_id]), str(place), pa.scalar(None, pa.string()))
            for place, version_id in enumerate(sorted(about))
        ]
        nothing = pa.array([""] * rows.num_rows, pa.string())
        held = pc.binary_join_element_wise(nothing, *flags, " ", null_handling="skip")
        rows, classes[ROW_HELD] = rows.append_column(ROW_HELD, held), "personal"
    return rows, classes


def sources_of(vault: Vault, session: Session, index_version: str) -> list[tuple[str, Contract, StoredFile]]:
    """What `build` reads of the versions that an index was made from."""
    return [
        (item.version.id, item.contract, vault.locate(session, item.version.object_key, item.version.binding))
        for item in linked_versions(session, index_version)
    ]


def put_into_use(session: Session, people_version: str, copies: Mapping[str, SealedFile]) -> list[str]:
    """From here look-ups read these registered copies; returns the objects of those that they replace.

    The keys of the replaced ones are forgotten. Whoever still reads them takes the slow path.
    """
    add_copies(session, people_version, {name: file.object_key for name, file in copies.items()})
    retired = retire_copies(session, people_version)
    drop_files(session, retired)
    return retired


def remove(objects: ObjectStore, keys: Sequence[str]) -> None:
    """Remove objects that nothing refers to; what is left is swept up later."""
    try:
        for key in keys:
            objects.delete(key)
    except OSError as error:
        structlog.get_logger().warning("serving.objects-left", error=type(error).__name__)


def _sorted_by(table: pa.Table, by: str) -> pa.Table:
    """The rows that have a value there, by it, and within it in the order they had."""
    import numpy as np

    table = table.filter(pc.is_valid(table[by]))
    codes, _ = _codes(table[by])
    return table.take(pa.array(np.argsort(codes, kind="stable")))


def _codes(values: pa.ChunkedArray) -> tuple[Any, pa.Array]:
    """For each value its place among the distinct ones in order, and these."""
    import numpy as np

    encoded = values.combine_chunks().dictionary_encode()
    in_order = pc.sort_indices(encoded.dictionary).to_numpy()
    places = np.empty(len(in_order), dtype=np.int64)
    places[in_order] = np.arange(len(in_order))
    return places[encoded.indices.to_numpy(zero_copy_only=False)], encoded.dictionary.take(pa.array(in_order))


def _row_numbers(vault: Vault, file: StoredFile) -> pa.Array:
    grant = whole_file("serving copies", "whose rows these are")
    numbers: pa.Array = vault.read(file, [ROW_NUMBER], grant)[ROW_NUMBER].combine_chunks()
    return numbers


@dataclass(frozen=True)
class _Order:
    """Where the rows of a version go: for each its place, -1 for rows about nobody; all by place."""

    places: Any
    households: pa.Array
    people: pa.Array
    cuts: tuple[int, ...]

    @property
    def rows(self) -> int:
        return len(self.households)


class _Homes:
    """Who lives where, and which row is whose."""

    def __init__(self, people: pa.Table, index: pa.Table) -> None:
        self._people, self._index = people.select(["person_id", "household_id"]), index

    def order(self, version_id: str, numbers: pa.Array) -> _Order:
        """Rows with these numbers by household, and within one in the order they have."""
        import numpy as np

        mine = self._index.filter(pc.equal(self._index["version_id"], version_id))
        at = pc.index_in(numbers, mine["source_row"].combine_chunks())
        people = mine["person_id"].combine_chunks().take(at)
        home = pc.index_in(people, self._people["person_id"].combine_chunks())
        homes = self._people["household_id"].combine_chunks().take(home)
        known = np.flatnonzero(pc.is_valid(homes).to_numpy(zero_copy_only=False))
        codes, _ = _codes(pa.chunked_array([homes.take(pa.array(known))], pa.string()))
        by_home = np.argsort(codes, kind="stable")
        places = np.full(len(numbers), -1, dtype=np.int64)
        places[known[by_home]] = np.arange(len(known))
        order = pa.array(known[by_home])
        return _Order(places, homes.take(order), people.take(order), _cuts(codes[by_home]))


def _cuts(codes: Any) -> tuple[int, ...]:
    """Where to cut sorted rows into slabs that fit into memory, never within a household."""
    import numpy as np

    cuts = [0]
    while cuts[-1] < len(codes):
        end = min(cuts[-1] + _SLAB_ROWS, len(codes))
        cuts.append(int(np.searchsorted(codes, codes[end - 1], side="right")))
    return tuple(cuts)


def _slabs(vault: Vault, file: StoredFile, columns: Sequence[str], order: _Order) -> Iterator[pa.Table]:
    """A version's rows in their new order, a slab at a time; the file is read once for each."""
    import numpy as np

    grant = whole_file("serving copies", "a copy for look-ups")
    for start, end in zip(order.cuts, order.cuts[1:], strict=False):
        parts, at, places = [], 0, []
        for batch in vault.batches(file, columns, grant):
            there = order.places[at : at + batch.num_rows]
            wanted = np.flatnonzero((there >= start) & (there < end))
            at += batch.num_rows
            parts.append(batch.take(pa.array(wanted)))
            places.append(there[wanted])
        rows = pa.Table.from_batches(parts).take(pa.array(np.argsort(np.concatenate(places))))
        rows = rows.append_column(ROW_HOUSEHOLD, order.households.slice(start, end - start))
        yield rows.append_column(ROW_PERSON, order.people.slice(start, end - start))


# --- reading


def linked_versions(session: Session, index_version: str) -> list[LinkedVersion]:
    """The versions that a person index was made from, by dataset."""
    versions = catalogue.versions_by_id(session, catalogue.parents(session, index_version)).values()
    return [
        LinkedVersion(
            version, catalogue.contract_by_digest(session, version.contract_digest),
            catalogue.dataset(session, version.dataset_id),
        )
        for version in sorted(versions, key=lambda item: item.dataset_id)
    ]  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A linking whose copies can be used now: `stamp` stands for their key, as this request found it."""

    linking: Linking
    stamp: str

    @property
    def versions(self) -> list[str]:
        """The versions that have a copy, in the order that `ROW_HELD` counts."""
        return sorted(name for name in self.linking.copies if not name.startswith(_PEOPLE))

    def holding(self, people: pa.Table) -> set[str]:
        """Those of them that hold rows about the household whose people were read with `ROW_HELD`."""
        names = self.versions
        return {names[int(place)] for text in people[ROW_HELD].to_pylist()[:1] for place in text.split()}


class Serving:
    """Reads the copies of one hub; what it keeps between requests can decide nothing (see `hub.vault.serving`)."""

    def __init__(self, objects: ObjectStore, areas: Areas) -> None:
        self.shelf = Shelf(objects, areas)
        self._linking: Linking | None = None
        self._made_from: tuple[str, list[LinkedVersion]] = ("", [])

    def linking(self, session: Session, people_version: str) -> Linking | None:
        """The linking that made a version of the people table. One that has its copies stays as it is."""
        if (known := self._linking) is not None and known.people == people_version and known.copies:
            return known
        found = self._linking = linking_of(session, people_version)
        return found

    def served(self, session: Session, linking: Linking | None) -> Served | None:
        """The linking's copies, if it has them and their key is not destroyed."""
        stamps: frozenset[str] = frozenset()
        try:
            if linking is None or not linking.copies:
                return None
            stamp = key_stamp(session, linking.people)
            stamps = frozenset({stamp})
            return Served(linking, stamp)
        except NotFound:
            return None
        finally:
            self.shelf.keep_only(stamps)

    def rows(
        self, vault: Vault, session: Session, served: Served | None, name: str, by: str, key: Any,
        columns: Sequence[str], grant: Grant,
    ) -> pa.Table | None:  # fmt: skip
        """The rows with `key` in the column `by`, in their old order; None when the slow path has to be taken."""
        if served is None or not all(
            grant.permits(column) for column in (by, *columns) if column != ROW_NUMBER
        ):
            return None  # the slow path says which column is not granted
        linking = served.linking
        if (object_key := linking.copies.get(name)) is None:
            return None
        copy = Copy(object_key, _binding(linking.id, linking.people, name), by, served.stamp)
        try:
            return self.shelf.rows(
                copy, key, columns, grant, lambda: vault.locate(session, object_key, copy.binding)
            )
        except (NotFound, Invalid) as error:
            # Gone, because a newer linking took its place; or changed, and then its version is read instead.
            structlog.get_logger().warning("serving.slow", object=object_key, error=type(error).__name__)
            return None

    def made_from(self, session: Session, linking_id: str, index_version: str) -> list[LinkedVersion]:
        """The versions that a linking linked, by dataset; none of this ever changes."""
        known, found = self._made_from
        if known != linking_id or not linking_id:
            found = linked_versions(session, index_version)
            self._made_from = (linking_id, found)
        return found


_of_vaults: WeakKeyDictionary[Vault, Serving] = WeakKeyDictionary()
_making = threading.Lock()


def serving_of(vault: Vault, objects: ObjectStore) -> Serving:
    """The one reader of a hub's copies in this process."""
    with _making:
        if (found := _of_vaults.get(vault)) is None:
            found = _of_vaults[vault] = Serving(objects, vault.areas)
        return found
