"""Sorted copies for look-ups: one key's rows are found and decrypted without reading the rest of the file.

A copy is an encrypted Parquet file like any other (a data key for every column, the footer encrypted), sorted by one
column and cut into small row groups such that all rows of a key lie in one group. Which group that is says the last
group: it holds the first key of each of the others, in the sorted column itself, with nothing in the other columns. So
this index lies under the column's own key, and who may not read the column cannot even find a row by it. (Parquet's
statistics would say the same, but where they cannot be decrypted pyarrow 26 ends the process instead of raising.)

`Shelf` keeps opened copies for a while. It decides nothing: an opened copy is used again only for the very same file,
owner's key and granted columns, which every request establishes anew from the database.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hub.errors import HubError, Invalid, NotFound, Unavailable
from hub.policy.decide import Grant
from hub.vault.files import check_opened, transient
from hub.vault.generalise import generalise
from hub.vault.kms import OwnerClient, decryption, encryption
from hub.vault.store import SealedFile, StoredFile
from hub.vault.tables import FileRow, KeyRow

if TYPE_CHECKING:
    from pyarrow import NativeFile

    from hub.storage.objects import ObjectStore
    from hub.vault.geography import Areas

__all__ = ["Copy", "Shelf", "add_files", "drop_files", "key_stamp", "write_sorted"]

#: Rows of a group: fewer make the footer larger than what is saved, more are decrypted in vain.
_GROUP_ROWS = 1024
#: Parquet encryption counts row groups with 15 bits; so many are never made.
_MOST_GROUPS = 8192
_OPENED = 64
_IDLE_SECONDS = 600.0


@dataclass(frozen=True)
class Copy:
    """A sorted copy as a request found it: `stamp` stands for its owner's key, as it is wrapped now."""

    object_key: str
    binding: str
    by: str
    stamp: str


# --- writing


def write_sorted(
    objects: ObjectStore, owner_key: bytes, object_key: str, binding: str, slabs: Iterable[pa.Table],
    schema: pa.Schema, classes: Mapping[str, str], by: str, rows: int,
) -> SealedFile:  # fmt: skip
    """Encrypt a sorted copy into an object.

    `slabs` are tables that are sorted by `by` one after the other, without nulls in it, no key in two of them; `rows`
    is about how many there will be. `classes` maps every column to its classification.
    """
    size = max(_GROUP_ROWS, rows // _MOST_GROUPS + 1)
    properties, material = encryption(OwnerClient(owner_key, binding, None), dict(classes))
    schema = pa.schema([item.with_nullable(True) for item in schema])
    written, first = 0, []
    with (
        objects.writer(object_key) as stream,
        pq.ParquetWriter(
            stream, schema, encryption_properties=properties, write_statistics=False,
            # One page a column and the quickest codec: a look-up reads few bytes many times.
            compression="lz4", use_dictionary=False, data_page_size=1 << 30,
        ) as writer,
    ):  # fmt: skip
        for slab in slabs:
            table = slab.select(schema.names).cast(schema)
            for start, count in _groups(table[by], size):
                writer.write_table(table.slice(start, count), row_group_size=count)
                first.append(table[by][start])
            written += table.num_rows
        if first:
            kind = schema.field(by).type
            index = {item.name: pa.nulls(len(first), item.type) for item in schema}
            index[by] = pa.array([key.as_py() for key in first], kind)
            writer.write_table(pa.table(index, schema=schema), row_group_size=len(first))
    return SealedFile(object_key, binding, material().decode(), written + len(first))


def _groups(keys: pa.ChunkedArray, size: int) -> Iterator[tuple[int, int]]:
    """(start, rows) of groups of about `size` rows that never part the rows of one key."""
    import numpy as np

    total = len(keys)
    if total == 0:
        return
    flat = keys.combine_chunks()
    fresh = pc.not_equal(flat.slice(1), flat.slice(0, total - 1)).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.flatnonzero(fresh) + 1, [total]])
    at = 0
    while at < total:
        end = int(starts[np.searchsorted(starts, min(at + size, total))])
        yield at, end - at
        at = end


# --- what the database knows


def key_stamp(session: Session, owner: str) -> str:
    """What changes whenever an owner's key is wrapped anew.

    Raises:
        NotFound: when the key was destroyed, or never was.
    """
    found = session.execute(select(KeyRow.root, KeyRow.wrapped).where(KeyRow.owner == owner)).first()
    if found is None or found.wrapped is None:
        raise NotFound(f"The keys of {owner} were destroyed; nothing can read its data any more.")
    return sha256(f"{owner}|{found.root}|".encode() + bytes(found.wrapped)).hexdigest()


def add_files(session: Session, owner: str, files: Sequence[SealedFile]) -> None:
    """Make files known under the key that an owner has already; they are destroyed with it.

    Raises:
        NotFound: when the key was destroyed meanwhile.
    """
    query = select(KeyRow.wrapped).where(KeyRow.owner == owner).with_for_update(read=True)
    if session.scalars(query).first() is None:
        raise NotFound(f"The keys of {owner} were destroyed; nothing can be added to its data.")
    session.add_all(
        FileRow(
            object_key=file.object_key, owner=owner, binding=file.binding, material=file.material, rows=file.rows,
            removed_at=None,
        )
        for file in files
    )  # fmt: skip
    session.flush()


def drop_files(session: Session, object_keys: Sequence[str]) -> None:
    """Forget files and their data keys; the objects are the caller's to remove afterwards."""
    for start in range(0, len(object_keys), 500):
        session.execute(delete(FileRow).where(FileRow.object_key.in_(object_keys[start : start + 500])))


# --- reading


class _Remembering(OwnerClient):
    """An owner's client that opens each data key once: pyarrow asks several times for every column it reads."""

    def __init__(self, owner_key: bytes, binding: str, grant: Grant | None) -> None:
        super().__init__(owner_key, binding, grant)
        self._opened: dict[str, bytes] = {}

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """As of its parent, which refuses before anything is remembered."""
        known = self._opened.get(master_key_identifier)
        if known is None:
            known = self._opened[master_key_identifier] = super().unwrap_key(
                wrapped_key, master_key_identifier
            )
        return known


@dataclass(repr=False)
class _Opened:
    """An opened copy; used by one thread at a time."""

    parquet: pq.ParquetFile
    stream: NativeFile
    alive: object
    first: list[Any]
    empty: pa.Table
    used: float
    closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rows(self, by: str, key: Any, columns: Sequence[str]) -> pa.Table:
        """The rows of a key, all of which lie in one group."""
        group = bisect_right(self.first, key) - 1
        if group < 0:
            return self.empty.select(list(columns))
        wanted = [*columns, *([] if by in columns else [by])]
        rows = self.parquet.read_row_group(group, columns=wanted, use_threads=False)
        same = pc.equal(rows[by], pa.scalar(key, rows[by].type))
        start = pc.index(same, True).as_py()
        return rows.select(list(columns)).slice(max(start, 0), pc.sum(same).as_py() if start >= 0 else 0)


class Shelf:
    """Opened copies of one hub, the longest unused given up first; safe to use from several threads.

    Each holds data keys in memory, as reading does anyway. One that nobody used for ten minutes goes.
    """

    def __init__(
        self, objects: ObjectStore, areas: Areas, most: int = _OPENED, idle_seconds: float = _IDLE_SECONDS
    ) -> None:
        self._objects, self._areas, self._most, self._idle = objects, areas, most, idle_seconds
        self._opened: OrderedDict[tuple[Copy, frozenset[str]], _Opened] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._opened)

    def rows(
        self, copy: Copy, key: Any, columns: Sequence[str], grant: Grant, locate: Callable[[], StoredFile]
    ) -> pa.Table:
        """The rows with `key` in the copy's sorted column, in the order in which they were written, as `Vault.read`.

        `locate` finds the file with its owner's key, when it is not open yet.

        Raises:
            Forbidden: when a column, or the one it is sorted by, lies outside the grant.
            NotFound: when the file is gone.
            Invalid: when the file was changed.
        """
        name = (copy, grant.columns)
        while True:
            opened = self._take(name)
            if opened is None:
                opened = self._put(name, self._open(copy, grant, locate()))
            with opened.lock:
                if opened.closed:
                    continue
                try:
                    with _in_our_words(copy.object_key):
                        found = opened.rows(copy.by, key, columns)
                    return generalise(found, grant, self._areas)
                except HubError:
                    _close(opened)
                    with self._lock:
                        self._opened.pop(name, None)
                    raise

    def keep_only(self, stamps: frozenset[str]) -> None:
        """Close what was opened under other keys than these."""
        with self._lock:
            gone = [self._opened.pop(name) for name in list(self._opened) if name[0].stamp not in stamps]
        _close_all(gone)

    def _take(self, name: tuple[Copy, frozenset[str]]) -> _Opened | None:
        now = time.monotonic()
        with self._lock:
            gone = []
            while self._opened:
                oldest, item = next(iter(self._opened.items()))
                if now - item.used < self._idle:
                    break
                gone.append(self._opened.pop(oldest))
            found = self._opened.get(name)
            if found is not None:
                found.used = now
                self._opened.move_to_end(name)
        _close_all(gone)
        return found

    def _put(self, name: tuple[Copy, frozenset[str]], fresh: _Opened) -> _Opened:
        with self._lock:
            first = self._opened.setdefault(name, fresh)
            gone = [] if first is fresh else [fresh]  # another thread opened it at the same moment
            while len(self._opened) > self._most:
                gone.append(self._opened.popitem(last=False)[1])
        _close_all(gone)
        return first

    def _open(self, copy: Copy, grant: Grant, file: StoredFile) -> _Opened:
        stream = self._objects.open(file.object_key)
        try:
            with _in_our_words(file.object_key):
                client = _Remembering(file.key, file.binding, grant)
                properties, alive = decryption(client, file.material)
                parquet = pq.ParquetFile(stream, decryption_properties=properties)
                check_opened(client, file.object_key)
                empty = parquet.schema_arrow.empty_table()
                groups = parquet.num_row_groups
                first = (
                    parquet.read_row_group(groups - 1, columns=[copy.by], use_threads=False)[copy.by].to_pylist()
                    if groups else []
                )  # fmt: skip
        except BaseException:
            stream.close()
            raise
        return _Opened(parquet, stream, alive, first, empty, time.monotonic())


def _close(opened: _Opened) -> None:
    opened.closed = True
    opened.stream.close()


def _close_all(gone: Iterable[_Opened]) -> None:
    for opened in gone:
        with opened.lock:
            _close(opened)


@contextmanager
def _in_our_words(name: str) -> Iterator[None]:
    try:
        yield
    except (HubError, MemoryError):
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, OSError) and transient(error):
            raise Unavailable(
                f"The place that holds {name} does not answer ({type(error).__name__})."
            ) from None
        raise Invalid(
            f"The encrypted file {name} cannot be read: damaged or changed ({type(error).__name__})."
        ) from None
