"""Parquet: typed columns, read a part of a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import SourceError
from ._file import BlobSource, column_labels, listed
from ._options import known_only
from .archives import Packed, in_memory
from .base import Batch, Reading, Spoilt

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .base import Recognise
    from .blob import Blob

__all__ = ["OPTIONS", "ParquetSource", "open_parquet"]

OPTIONS: Final[dict[str, str]] = {}
_MAGIC: Final = b"PAR1"
_BATCH_ROWS: Final = 64 * 1024
#: Bytes of a row group, unpacked, and columns; what writes larger ones was not set up for tables of a department.
_MOST_GROUP: Final = 4 << 30
_MOST_COLUMNS: Final = 10_000
#: Rows to a byte, beyond the first so many: a few bytes may say that one value comes millions of times.
_MOST_ROWS_A_BYTE: Final = 100
_PLENTY_ROWS: Final = 50_000_000
_MOST_FOOTER: Final = 64 << 20


@dataclass(frozen=True)
class _ParquetOptions:
    pass


def open_parquet(blob: Blob, options: Mapping[str, object]) -> ParquetSource:
    """A Parquet file.

    Raises:
        ConfigError: when an option is given; a Parquet file says all of itself.
    """
    known_only(options, OPTIONS, "Parquet")
    return ParquetSource(blob, _ParquetOptions())


class ParquetSource(BlobSource):
    """A Parquet file. Reading it twice is fine; each reading opens it anew."""

    _size = 0

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Look at the schema, and read the rows in batches.

        Columns that hold lists, maps or groups of values cannot be laid against a contract: they are left out, and
        refused when the contract asks for one of them.

        Raises:
            SourceError: when it is no Parquet file, is encrypted, or has columns that cannot be read.
        """
        file, stream = self._open()
        with self._plainly(), stream:
            metadata, schema = file.metadata, file.schema_arrow
            self._check(metadata, schema)
            names = column_labels(schema.names, self.name) if schema.names else ()
            nested = [name for name, field in zip(names, schema, strict=True) if not _is_flat(field.type)]
            wanted = [name for name in nested if recognise is not None and recognise([name])]
            if wanted or len(nested) == len(names):
                raise SourceError(
                    f"{self.name} has columns that hold lists or groups of values: {listed(wanted or nested)}."
                    if names else f"{self.name} has no columns.",
                    "Export them as columns of their own, a row for each entry.",
                )  # fmt: skip
            notes = [
                f"Parquet, {metadata.num_row_groups} row group{'' if metadata.num_row_groups == 1 else 's'}"
            ]
        if nested:
            notes.append(f"holds lists or groups of values, so left out: {listed(nested)}")
        chosen = [place for place, name in enumerate(names) if name not in nested]
        columns = tuple(names[place] for place in chosen)
        return Reading(columns, tuple(notes), self._batches(chosen, columns))

    def _open(self) -> tuple[pq.ParquetFile, Any]:
        """The file, and what has to be closed after it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if isinstance(self.blob, Packed):
            stream: Any = pa.BufferReader(in_memory(self.blob))
        else:
            stream = self.blob.open()
        try:
            with self._plainly():
                self._look(stream)
                return pq.ParquetFile(stream, thrift_string_size_limit=_MOST_FOOTER), stream
        except BaseException:
            stream.close()
            raise

    def _look(self, stream: Any) -> None:
        """What the first and last bytes say, which the library says less plainly."""
        stream.seek(0, 2)
        size = self._size = stream.tell()
        if not size:
            raise SourceError(f"{self.name} is empty.", "Export it again.")
        stream.seek(max(0, size - 8))
        end = stream.read(8)
        if end[4:] == b"PARE":
            raise self._encrypted()
        if size < 12 or end[4:] != _MAGIC:
            raise SourceError(
                f"{self.name} is no whole Parquet file: its end is missing.",
                "If it is still being written or was cut short, wait or fetch it again.",
            )
        if int.from_bytes(end[:4], "little") > min(_MOST_FOOTER, size):
            raise self._damaged()
        stream.seek(0)

    def _check(self, metadata: pq.FileMetaData, schema: pa.Schema) -> None:
        if len(schema) > _MOST_COLUMNS:
            raise SourceError(
                f"{self.name} has {len(schema):,} columns.", f"At most {_MOST_COLUMNS:,} are read."
            )
        if metadata.num_rows > _PLENTY_ROWS and metadata.num_rows > self._size * _MOST_ROWS_A_BYTE:
            raise SourceError(
                f"{self.name} says that it has {metadata.num_rows:,} rows, far more than its size explains.",
                "If that is right, write it as several files.",
            )
        for place in range(metadata.num_row_groups):
            group = metadata.row_group(place)
            if group.total_byte_size > _MOST_GROUP or group.total_byte_size < 0 or group.num_rows < 0:
                raise SourceError(
                    f"{self.name} has a row group of {group.total_byte_size >> 20:,} MiB, more than is read at once.",
                    "Write it with smaller row groups (a million rows or fewer).",
                )

    def _batches(self, chosen: list[int], columns: tuple[str, ...]) -> Iterator[Batch]:
        import pyarrow as pa

        file, stream = self._open()
        first = 1
        with stream:
            leaves = _leaves(file, chosen)
            batches = file.reader.iter_batches(
                _BATCH_ROWS,
                row_groups=range(file.metadata.num_row_groups),
                column_indices=leaves,
                use_threads=True,
            )
            while True:
                with self._plainly():
                    batch = next(batches, None)
                    if batch is None:
                        break
                    if batch.num_columns != len(columns):
                        raise self._damaged()
                    batch.validate()
                    table, spoilt = _texts(pa.table(batch.columns, names=list(columns)), first)
                if table.num_rows:
                    yield Batch(table, first, spoilt)
                    first += table.num_rows

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Errors of the library in words of ours; theirs may show bytes of the file."""
        import pyarrow as pa

        try:
            yield
        except SourceError:
            raise
        except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError) as error:
            words = str(error).lower()
            if "encrypt" in words or "decrypt" in words:
                raise self._encrypted() from None
            if isinstance(error, MemoryError):
                raise SourceError(
                    f"{self.name} needs more memory than there is.", "Write it with smaller row groups."
                ) from None
            if isinstance(error, pa.ArrowNotImplementedError):
                raise SourceError(
                    f"{self.name} is written in a way of Parquet that is not supported.",
                    "Write it with the usual settings (for example snappy or zstd compression), or as CSV.",
                ) from None
            raise self._damaged() from None

    def _damaged(self) -> SourceError:
        return SourceError(
            f"{self.name} is no valid Parquet file, or is damaged.", "Write it or fetch it again."
        )

    def _encrypted(self) -> SourceError:
        return SourceError(
            f"{self.name} is an encrypted Parquet file.",
            "Export it without encryption; what is pushed is encrypted anyway.",
        )


def _is_flat(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _is_flat(kind.value_type)
    return not pa.types.is_nested(kind)


def _leaves(file: pq.ParquetFile, chosen: list[int]) -> list[int]:
    """The places of flat columns among the leaves of the schema, where a nested column has several."""
    schema, wanted, places = file.schema, set(chosen), []
    top, before = -1, None
    for leaf in range(len(schema)):
        root = schema.column(leaf).path.split(".", 1)[0] if not _is_leaf_of_top(schema, leaf) else None
        if root is None or root != before:
            top += 1
        before = root
        if root is None and top in wanted:
            places.append(leaf)
    return places


def _is_leaf_of_top(schema: pq.ParquetSchema, leaf: int) -> bool:
    column = schema.column(leaf)
    return column.path == column.name and column.max_repetition_level == 0


def _texts(table: pa.Table, first: int) -> tuple[pa.Table, tuple[Spoilt, ...]]:
    """The table with texts that older programs wrote as bytes; rows in which they are no text are at fault."""
    import pyarrow as pa

    spoilt: dict[int, str] = {}
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type  # noqa: PLW2901 (the same column, plain)
        if _is_text(kind):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid:
                kind = pa.large_binary()
                column = column.cast(pa.binary() if pa.types.is_string(column.type) else kind)  # noqa: PLW2901
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            texts = []
            for place, value in enumerate(column.to_pylist()):
                try:
                    texts.append(None if value is None else value.decode())
                except UnicodeDecodeError:
                    texts.append(None)
                    spoilt.setdefault(first + place, name)
            column = pa.chunked_array([pa.array(texts, pa.string())])  # noqa: PLW2901
        columns.append(column)
    table = pa.table(columns, names=table.column_names)
    return _without(table, first, spoilt) if spoilt else (table, ())


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _without(table: pa.Table, first: int, bad: Mapping[int, str]) -> tuple[pa.Table, tuple[Spoilt, ...]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    from ..rendering import as_text

    spoilt = []
    for row, name in sorted(bad.items()):
        cells = as_text(table.slice(row - first, 1)).to_pylist()[0].values()
        message = f"the column {name!r:.60} holds bytes that are no text (UTF-8); write it as text"
        spoilt.append(Spoilt(row, tuple(str(cell or "") for cell in cells), "encoding-error", message))
    keep = pa.array([row not in bad for row in range(first, first + table.num_rows)])
    blanked = [pc.if_else(keep, column, pa.scalar(None, column.type)) for column in table.columns]
    return pa.table(blanked, names=table.column_names), tuple(spoilt)
