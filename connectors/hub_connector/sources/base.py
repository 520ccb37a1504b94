"""What every kind of source gives: a header, some words on how it was read, and rows in batches of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Batch", "Reading", "Recognise", "Source", "Spoilt", "Update"]

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

    table: text columns under the source's own header names, "" for an empty cell; a spoilt row keeps its place
    with null in every column, so that row numbers run on.
    first_row: number of the first data row in this batch, counted from 1 over the whole source.
    spoilt: the rows that could not be laid against the header.
    """

    table: pa.Table
    first_row: int
    spoilt: tuple[Spoilt, ...] = ()


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

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Open the source and read it in batches with bounded memory.

        Raises:
            SourceError: when it cannot be read at all; rows at fault come as `Spoilt` instead.
        """
        ...

    def fingerprint(self, update: Update) -> None:
        """Feed everything that makes this source's data what it is into `update`, to recognise it again."""
        ...
