"""What every kind of source gives: a header, some words on how it was read, and rows in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Batch", "Incremental", "Reading", "Recognise", "Source", "Spoilt", "Update", "mixed_type"]

#: How many columns of the contract a row of cells names; lets a source find its header row and delimiter.
Recognise = Callable[[Sequence[str]], int]
#: The `update` of a hash or MAC.
Update = Callable[[bytes], None]


@dataclass(frozen=True)
class Spoilt:
    """A row that cannot be laid against the header, such as one with too many cells.

    row: data row number from 1; cells: the text of each cell found; rule: a fault code of frictionless;
    message: plain words, without any cell's value.
    """

    row: int
    cells: tuple[str, ...]
    rule: str
    message: str


@dataclass(frozen=True)
class Batch:
    """Some data rows in the order of the source.

    table: columns under the source's own header names. A source that knows no types gives text, "" for an empty
    cell; one that does gives whole and floating-point numbers, decimals, booleans, dates, timestamps, or
    `mixed_type()` for a column that holds text beside dates, null for an empty cell. A spoilt row keeps its place with
    null in every column, so that row numbers run on.
    first_row: number of the first data row in this batch, counted from 1 over the whole source.
    spoilt: the rows that could not be laid against the header.
    sound: whether the source is sure that all text is UTF-8; that of others is looked through before it is checked.
    """

    table: pa.Table
    first_row: int
    spoilt: tuple[Spoilt, ...] = ()
    sound: bool = False


@dataclass(frozen=True)
class Reading:
    """An opened source. `batches` may be consumed once; `notes` say how the source was understood."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    batches: Iterator[Batch]


class Source(Protocol):
    """One place rows come from."""

    #: Name people know it by (a file name without its folders); never holds a secret or a person's data.
    name: str
    #: Whether reading it twice is dear or may give other rows (a database, a service, a file elsewhere).
    streamed: bool

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Open the source and read it in batches with bounded memory.

        Raises:
            SourceError: when it cannot be read at all; rows at fault come as `Spoilt` instead.
        """
        ...

    def fingerprint(self, update: Update) -> None:
        """Feed everything that makes this source's data what it is into `update`, to recognise it again.

        A streamed source feeds only where its rows come from and how they are read, never a secret; its data is
        told apart by the rows themselves.
        """
        ...


@runtime_checkable
class Incremental(Source, Protocol):
    """A source that can give only what was added since the last time."""

    #: The column that rises with every row added or changed; None when nobody named one.
    watermark: str | None

    def after(self, mark: str | None) -> Source:
        """The same source, only with rows beyond `mark` (as `high_water` gave it; None for all rows)."""
        ...

    def high_water(self) -> str | None:
        """The largest value of the watermark that the last reading gave, as text; None when it gave no row."""
        ...


def mixed_type() -> pa.DataType:
    """The type of a column in which text stands beside dates: of the three, at most one is not null in a row."""
    import pyarrow as pa

    return pa.struct([("text", pa.string()), ("date", pa.date32()), ("time", pa.timestamp("us"))])
