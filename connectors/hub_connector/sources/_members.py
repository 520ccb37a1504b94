"""Records whose members have names (JSON objects, XML elements) as rows under one header.

Every record may lack members or bring new ones, so the header is known only when all have been seen. A file that can
be read twice is surveyed first; of one that is streamed the first records are taken for a sample, and a record that
later brings a member the contract knows is at fault, rather than losing it in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from ..errors import SourceError
from ._file import listed
from .base import Batch, Reading, Recognise, Spoilt

__all__ = ["MOST_DEPTH", "Record", "read_members", "storable", "too_deep"]

#: Levels of members within members of a record.
MOST_DEPTH: Final = 32
_MOST_COLUMNS: Final = 2_000
_SAMPLE: Final = 5_000
_BATCH_ROWS: Final = 20_000
_BATCH_SIZE: Final = 8 << 20


@dataclass
class Record:
    """One record: the text of each member by its dotted path.

    lists: paths of members that hold lists. problem: why the record cannot be a row, empty when it can.
    """

    cells: dict[str, str] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    problem: str = ""


def too_deep() -> str:
    """Why a record nested too deeply is at fault."""
    return f"the row is nested more than {MOST_DEPTH} levels deep; export it flat"


@dataclass
class _Survey:
    """The members that were seen, in the order they came."""

    columns: dict[str, None] = field(default_factory=dict)
    lists: dict[str, None] = field(default_factory=dict)
    rows: int = 0

    def see(self, record: Record, name: str) -> None:
        self.rows += 1
        if not record.cells.keys() <= self.columns.keys():
            self.columns.update(dict.fromkeys(record.cells))
        if record.lists:
            self.lists.update(dict.fromkeys(record.lists))
        if len(self.columns) + len(self.lists) > _MOST_COLUMNS:
            raise SourceError(
                f"The rows of {name} have more than {_MOST_COLUMNS:,} different members.",
                "The names of members must be those of columns; if they are data, export a list of rows instead.",
            )


def read_members(
    open_records: Callable[[], Iterator[Record]],
    recognise: Recognise | None,
    name: str,
    notes: Sequence[str],
    *,
    streamed: bool,
) -> Reading:
    """The records as a reading.

    Args:
        open_records: gives all records from the first; called a second time unless `streamed`.
        recognise: how many columns of the contract a row of names has.
        name: of the file, for messages.
        notes: how it was understood so far.
        streamed: whether it shall be read once only.

    Raises:
        SourceError: when it holds no record, or cannot be read.
    """
    survey, records = _Survey(), open_records()
    taken: list[Record] = []
    for record in islice(records, _SAMPLE) if streamed else records:
        survey.see(record, name)
        if streamed:
            taken.append(record)
    if not survey.columns and not survey.lists:
        what = "has rows, but none with named members" if survey.rows else "holds no rows"
        raise SourceError(f"{name} {what}.", "Export it again, or say where its rows are: --rows-path.")
    wanted = [path for path in survey.lists if recognise is not None and recognise([path])]
    columns = tuple(dict.fromkeys([*survey.columns, *wanted]))
    unread = [path for path in survey.lists if path not in columns]
    said = list(notes)
    if unread:
        said.append(f"holds lists, so left out: {listed(unread)}")
    if not columns:
        raise SourceError(
            f"The rows of {name} hold nothing but lists.", "Export a row for each entry of the list."
        )
    rows = chain(taken, records) if streamed else open_records()
    return Reading(columns, tuple(said), _batches(rows, columns, recognise))


def _batches(
    records: Iterator[Record], columns: tuple[str, ...], recognise: Recognise | None
) -> Iterator[Batch]:
    first, known = 1, _Known(columns, recognise)
    while batch := _some(records):
        spoilt = []
        for number, record in enumerate(batch, start=first):
            problem = record.problem or known.problem(record)
            if problem:
                cells = tuple(storable(record.cells.get(column, "")) for column in columns)
                spoilt.append(Spoilt(number, cells, "source-error", problem))
        yield _batch(batch, columns, first, spoilt)
        first += len(batch)


def _some(records: Iterator[Record]) -> list[Record]:
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += sum(map(len, record.cells.values()))
        if len(batch) == _BATCH_ROWS or size > _BATCH_SIZE:
            break
    return batch


class _Known:
    """What a record may hold."""

    def __init__(self, columns: tuple[str, ...], recognise: Recognise | None) -> None:
        self._columns, self._known, self._recognise = columns, frozenset(columns), recognise
        self._harmless: set[str] = set()
        self._touched: dict[str, list[str]] = {}

    def problem(self, record: Record) -> str:
        lists = sorted({column for path in record.lists for column in self._lost_in(path)})
        if lists:
            return f"{listed(lists)} holds a list where one value is expected; export a row for each entry"
        if not record.cells.keys() <= self._known:
            late = [path for path in record.cells if path not in self._known and not self._is_harmless(path)]
            if late:
                return (
                    f"the row has {listed(late)}, which none of the first {_SAMPLE:,} rows has; let the export write "
                    "every column in every row"
                )
        for value in record.cells.values():
            if not value.isascii() and storable(value) is not value:
                return "the row has half of a character (a lone surrogate); export its text as UTF-8"
        return ""

    def _lost_in(self, path: str) -> list[str]:
        """The columns that matter and that a list at `path` leaves without a value of their own."""
        if path not in self._touched:
            below = [column for column in self._columns if column == path or column.startswith(f"{path}.")]
            found = [column for column in below if not self._is_harmless(column)]
            if len(self._touched) > _MOST_COLUMNS:
                return found
            self._touched[path] = found
        return self._touched[path]

    def _is_harmless(self, path: str) -> bool:
        """Whether the contract does not look at a member; without a contract all are looked at that are columns."""
        if path in self._harmless:
            return True
        if self._recognise([path]) if self._recognise is not None else path in self._known:
            return False
        if len(self._harmless) < _MOST_COLUMNS:
            self._harmless.add(path)
        return True


def storable(text: str) -> str:
    """The text itself when it can be stored as UTF-8; else with U+FFFD for what cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _batch(records: list[Record], columns: tuple[str, ...], first: int, spoilt: list[Spoilt]) -> Batch:
    import pyarrow as pa

    cells = [record.cells for record in records]
    for entry in spoilt:
        cells[entry.row - first] = {}
    arrays = [pa.array([row.get(column, "") for row in cells], pa.string()) for column in columns]
    table = pa.table(arrays, names=list(columns))
    if not spoilt:
        return Batch(table, first)
    mask = [True] * len(records)
    for entry in spoilt:
        mask[entry.row - first] = False
    keep, nothing = pa.array(mask), pa.scalar(None, pa.string())
    import pyarrow.compute as pc

    blanked = [pc.if_else(keep, column, nothing) for column in table.columns]
    return Batch(pa.table(blanked, names=table.column_names), first, tuple(spoilt))
