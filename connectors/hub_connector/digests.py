"""Recognising data: digests under a key that only this connector has, so that they mean nothing to anybody else.

A settled source (a file on this machine) is digested before it is read, so that data which was delivered before costs
no check. A streamed one (a database, a web API) is digested while it is read, for it may never be the same twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hub_schemas.delivery import canonical_json

from .sources.base import Batch, Reading

if TYPE_CHECKING:
    import pyarrow as pa

    from hub_schemas import Contract

    from .keys import SigningKey
    from .sources import Recognise, Source
    from .sources.base import Update

__all__ = ["Metered", "feed_table", "identity_of", "is_streamed", "source_digest"]

_BLOCK: Final = 4096


def is_streamed(source: Source) -> bool:
    """Whether the source can be digested only while it is read."""
    return bool(getattr(source, "streamed", False))


def source_digest(
    key: SigningKey,
    source: Source,
    contract: Contract,
    mode: str,
    contract_digest: str = "",
    replays: str = "",
) -> str:
    """HMAC-SHA-256 (hex) under a key that only this connector has, of a settled source.

    It covers the source's data, and what becomes of it: the same file under another contract is another delivery.
    `contract_digest` stands for the contract's own when an earlier delivery is to be recognised.
    """
    mac = key.source_mac()
    mac.update(_purpose(contract_digest or contract.digest, mode, replays))
    source.fingerprint(mac.update)
    return mac.hexdigest()


def identity_of(key: SigningKey, source: Source, column: str) -> str:
    """Digest (hex) of where and how a growing source is read; a mark belongs to one such way."""
    mac = key.source_mac()
    mac.update(canonical_json(["identity", column]) + b"\n")
    source.fingerprint(mac.update)
    return mac.hexdigest()


def _purpose(contract_digest: str, mode: str, replays: str) -> bytes:
    return canonical_json([contract_digest, mode, *([replays] if replays else [])]) + b"\n"


class Metered:
    """A source whose data is digested as it passes by. The digest depends on the rows, not on how they were batched.

    most: stop after so many rows; for comparing the beginning of a source with what it was.
    """

    streamed = True

    def __init__(
        self, source: Source, key: SigningKey, contract_digest: str, mode: str, most: int | None = None
    ) -> None:
        self.name, self.source, self._most = source.name, source, most
        self._rows, self._spoilt = key.source_mac(), key.source_mac()
        self._rows.update(b"streamed\n" + _purpose(contract_digest, mode, ""))

    def read(self, recognise: Recognise | None = None) -> Reading:
        """As the source itself.

        Raises:
            SourceError: as the source itself.
        """
        reading = self.source.read(recognise)
        self._rows.update(canonical_json(list(reading.columns)) + b"\n")
        return Reading(reading.columns, reading.notes, self._metered(reading.batches))

    def fingerprint(self, update: Update) -> None:
        """As the source itself."""
        self.source.fingerprint(update)

    @property
    def digest(self) -> str:
        """HMAC-SHA-256 (hex) of all rows read; to be asked when they have been."""
        mac = self._rows.copy()
        mac.update(self._spoilt.digest())
        return mac.hexdigest()

    def _metered(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        import pyarrow as pa

        waiting: list[pa.Table] = []
        left = self._most
        for given in batches:
            batch = given if left is None else _cut(given, left)
            if left is not None:
                left -= batch.table.num_rows
            for spoilt in batch.spoilt:
                self._spoilt.update(canonical_json([spoilt.row, list(spoilt.cells)]))
            waiting.append(batch.table)
            if sum(table.num_rows for table in waiting) >= _BLOCK:
                whole = pa.concat_tables(waiting, promote_options="permissive")
                ready = whole.num_rows - whole.num_rows % _BLOCK
                for start in range(0, ready, _BLOCK):
                    feed_table(whole.slice(start, _BLOCK), self._rows.update)
                waiting = [whole.slice(ready)]
            yield batch
            if left == 0:
                break
        if waiting:
            feed_table(pa.concat_tables(waiting, promote_options="permissive"), self._rows.update)


def feed_table(table: pa.Table, update: Update) -> None:
    """Feed the values of a table into a digest, column by column, whatever its chunks and types."""
    for column in table.columns:
        _feed_column(column, update)


def _feed_column(column: pa.ChunkedArray, update: Update) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_struct(column.type):
        for index in range(column.type.num_fields):
            _feed_column(pc.struct_field(column, index), update)
        return
    lengths, text = _flat(column)
    update(lengths)
    update(text)


def _cut(batch: Batch, rows: int) -> Batch:
    end = batch.first_row + rows
    return Batch(
        batch.table.slice(0, rows), batch.first_row, tuple(it for it in batch.spoilt if it.row < end)
    )


def _flat(column: pa.ChunkedArray) -> tuple[bytes, bytes]:
    """The lengths of the values as text (null: -1), and the texts in a row: together different for other values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        # Printing a moment with a zone needs a zone database; its count since the epoch does not.
        column = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    array = pa.concat_arrays([pa.array([], pa.string()), *column.cast(pa.string()).chunks])
    lengths = pc.fill_null(pc.binary_length(array), -1)
    begin = 4 * lengths.offset
    sizes = lengths.buffers()[1].to_pybytes()[begin : begin + 4 * len(lengths)]
    ends = pa.array([0, len(array)], pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(ends, pc.fill_null(array, "")), "")
    return sizes, joined[0].as_buffer().to_pybytes()
