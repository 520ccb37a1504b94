"""A sample of a source, column by column."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import SourceError

if TYPE_CHECKING:
    from ..sources import Source

__all__ = ["ColumnSample", "Sample", "take_sample"]


@dataclass(frozen=True)
class ColumnSample:
    """One column: its header and the text of each sampled row, "" where it is empty."""

    header: str
    values: tuple[str, ...]

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each value stands in the sample, empty ones left out."""
        counts = Counter(self.values)
        counts.pop("", None)
        return counts

    @property
    def filled(self) -> int:
        """Rows with a value."""
        return self.counts.total()

    @property
    def is_full(self) -> bool:
        """Whether every row has a value."""
        return self.filled == len(self.values) > 0

    @property
    def is_unique(self) -> bool:
        """Whether no two rows have the same value."""
        return len(self.counts) == self.filled


@dataclass(frozen=True)
class Sample:
    """The first rows of a source; `whole` says that these are all it has. `spoilt` rows are left out."""

    name: str
    columns: tuple[ColumnSample, ...]
    rows: int
    spoilt: int
    whole: bool
    notes: tuple[str, ...]


def take_sample(source: Source, most_rows: int) -> Sample:
    """Read up to so many rows.

    Raises:
        SourceError: when the source cannot be read or has no rows.
    """
    from hub_schemas.cells import WHITE

    from ..rendering import as_text

    reading = source.read()
    columns: list[list[str]] = [[] for _ in reading.columns]
    rows, spoilt, whole = 0, 0, True
    for batch in reading.batches:
        if rows >= most_rows:
            whole = False
            break
        take = as_text(batch.table.slice(0, most_rows - rows))
        whole = take.num_rows == batch.table.num_rows
        rows += take.num_rows
        odd = {
            entry.row - batch.first_row
            for entry in batch.spoilt
            if entry.row - batch.first_row < take.num_rows
        }
        spoilt += len(odd)
        for kept, column in zip(columns, take.columns, strict=True):
            texts = (value for index, value in enumerate(column.to_pylist()) if index not in odd)
            kept += [(value or "").strip(WHITE) for value in texts]
        if not whole:
            break
    if rows == spoilt:
        raise SourceError(
            f"{source.name} has a header and no rows that fit it.", "Give a sample with some rows."
        )
    return Sample(
        source.name,
        tuple(
            ColumnSample(name, tuple(values)) for name, values in zip(reading.columns, columns, strict=True)
        ),
        rows - spoilt,
        spoilt,
        whole,
        reading.notes,
    )
