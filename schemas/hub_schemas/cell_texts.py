"""The cells of one column in one batch, as Arrow and as polars hold them.

Arrow keeps texts end to end, which is what grids of bytes and dictionaries are made from; polars keeps a view a cell,
which is what its string functions work on. Turning one into the other costs as much as many a check, so the other form
is made only when somebody asks for it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

__all__ = ["BatchError", "Cells", "Repetition", "check_sound", "texts_of"]

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Offsets = np.ndarray[Any, np.dtype[Any]]

#: Fewer rows than this say nothing about how often a column repeats itself.
ENOUGH: Final = 1000
#: A column repeats itself when not more than this share of its cells are different.
MOST_DIFFERENT: Final = 0.3


class BatchError(ValueError):
    """A batch is not of the shape the checker was promised (wrong columns or types)."""


class Cells:
    """Texts (String, null where nothing was sent) in one of two forms."""

    def __init__(self, given: pl.Series | pa.Array | pa.ChunkedArray) -> None:
        self._given = given

    @property
    def made(self) -> bool:
        """Whether the form for polars is there already."""
        return isinstance(self._given, pl.Series) or "series" in self.__dict__

    @cached_property
    def series(self) -> pl.Series:
        """As polars holds them."""
        given = self._given
        return given if isinstance(given, pl.Series) else pl.Series(given, dtype=pl.String)

    @cached_property
    def array(self) -> pa.Array:
        """As Arrow holds them, in one piece: string or large_string."""
        given = self._given
        if isinstance(given, pl.Series):
            return given.to_arrow(compat_level=pl.CompatLevel.oldest())
        if isinstance(given, pa.ChunkedArray):
            return given.chunk(0) if given.num_chunks == 1 else given.combine_chunks()
        return given

    @cached_property
    def spans(self) -> tuple[Bytes, Offsets]:
        """The bytes of all cells, and where each cell begins, with the end of the last one. No cell may be null."""
        array = self.array
        kind: type[np.int64 | np.int32] = np.int64 if pa.types.is_large_string(array.type) else np.int32
        _, offsets, data = array.buffers()
        if not len(array):
            return np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64)
        ends: Offsets = np.frombuffer(offsets, dtype=kind)[array.offset : array.offset + len(array) + 1]
        return np.frombuffer(data if data is not None else b"", dtype=np.uint8), ends

    @cached_property
    def width(self) -> int | None:
        """How many bytes every cell has, None when they are not all alike or one is null."""
        if not len(self) or self.array.null_count:
            return None
        _, ends = self.spans
        widths = np.diff(ends)
        return int(widths[0]) if (widths == widths[0]).all() else None

    @cached_property
    def neat(self) -> bool:
        """Whether every cell surely has something in it, and no white space at its ends."""
        if self.array.null_count:
            return False
        signs, ends = self.spans
        if not len(self) or not (ends[1:] > ends[:-1]).all():
            return False
        # The visible signs of ASCII from ! on are no white space; taking 33 away carries what is below them round.
        outer = np.maximum(signs.take(ends[:-1]) - np.uint8(33), signs.take(ends[1:] - 1) - np.uint8(33))
        return bool((outer < 127 - 33).all())

    def filter(self, mask: pl.Series) -> pl.Series:
        """Some of the cells."""
        if self.made:
            return self.series.filter(mask)
        return pl.Series(self.array.take(pa.array(mask.arg_true().to_numpy())), dtype=pl.String)

    def __len__(self) -> int:
        """How many cells there are."""
        return len(self._given)


class Repetition:
    """Whether a column is worth checking by its different values; learns from every batch."""

    def __init__(self) -> None:
        self.worth_it = True

    def distinct(self, cells: Cells) -> tuple[Cells, pl.Series] | None:
        """(the different texts, for every cell which of them it holds), or None when there are too many."""
        if not self.worth_it or not len(cells):
            return None
        encoded = cells.array.dictionary_encode(null_encoding="encode")
        if len(cells) >= ENOUGH:
            self.worth_it = len(encoded.dictionary) <= MOST_DIFFERENT * len(cells)
        return Cells(encoded.dictionary), pl.Series(encoded.indices).cast(pl.UInt32)


def texts_of(batch: pl.DataFrame | pa.Table, *, sound: bool) -> dict[str, Cells]:
    """Each column of a batch of texts, by its name. sound: whether Arrow data is known to be what it says.

    Raises:
        BatchError: when a column is of something else, or two have one name.
    """
    if isinstance(batch, pl.DataFrame):
        return {column.name: _polars_texts(column) for column in batch.get_columns()}
    if not sound:
        check_sound(batch)
    if len(set(batch.column_names)) < batch.num_columns:
        raise BatchError("two columns have the same name")
    return {
        name: _arrow_texts(name, column)
        for name, column in zip(batch.column_names, batch.columns, strict=True)
    }


def _polars_texts(column: pl.Series) -> Cells:
    if column.dtype not in (pl.String, pl.Null):
        raise _no_text(column.name, column.dtype)
    return Cells(column if column.dtype == pl.String else column.cast(pl.String))


def _arrow_texts(name: str, column: pa.ChunkedArray) -> Cells:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return Cells(column)
    if pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return Cells(column.cast(pa.large_string()))
    raise _no_text(name, kind)


def _no_text(name: str, kind: object) -> BatchError:
    return BatchError(f"the column {name!r:.60} is {kind}; read every column as text")


def check_sound(batch: pa.Table) -> None:
    """Refuse Arrow data that is not what it says: polars trusts it (UTF-8, offsets), and a sender's need not be true.

    Raises:
        BatchError: saying what does not hold.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        raise BatchError(f"the batch is not sound Arrow data ({error!s:.200})") from None
