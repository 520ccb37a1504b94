"""Checking a source against a contract, batch by batch; the same way for `check` and for `push`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from hub_schemas import Contract, Outcome
    from hub_schemas.columnar import Prepared

    from .sources import Batch, Source, Spoilt

__all__ = ["LIBRARY", "FaultLine", "Summary", "check_source", "find_contract"]

LIBRARY: Final = "library:"
_FIRST_ROWS: Final = 5


@dataclass
class FaultLine:
    """One rule broken in one column: how often, and the first data rows. `message` is that of the first."""

    rule: str
    column: str
    count: int
    rows: list[int]
    message: str


@dataclass
class Summary:
    """What a check found. `blocking` says that the dataset as a whole cannot be accepted, and why."""

    rows: int = 0
    accepted: int = 0
    refused: int = 0
    notes: list[str] = field(default_factory=list)
    lines: dict[tuple[str, str], FaultLine] = field(default_factory=dict)
    blocking: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every row keeps the contract and so does the dataset as a whole."""
        return not self.refused and not self.blocking

    def by_count(self) -> list[FaultLine]:
        """The faults, most frequent first."""
        return sorted(self.lines.values(), key=lambda line: (-line.count, line.column, line.rule))

    def would_be_refused(self, contract: Contract) -> str:
        """Why the hub would refuse the whole delivery; empty when it would not."""
        if self.blocking:
            return "the dataset as a whole breaks its contract: " + "; ".join(self.blocking)
        share = self.refused / self.rows if self.rows else 0.0
        if share > contract.refusal_threshold:
            return (
                f"{self.refused:,} of {self.rows:,} rows are at fault ({share:.1%}); "
                f"the contract accepts a delivery with up to {contract.refusal_threshold:.1%}"
            )
        return ""

    def add(self, outcome: Outcome) -> None:
        """Count one batch."""
        self.accepted += outcome.accepted_rows
        self.refused += outcome.refused.num_rows
        self.rows += outcome.accepted_rows + outcome.refused.num_rows
        if outcome.faults.num_rows:
            self._count(outcome.faults)

    def _count(self, faults: pa.Table) -> None:
        grouped = faults.group_by(["rule", "column"], use_threads=False).aggregate(
            [([], "count_all"), ("row", "list"), ("message", "first")]
        )
        for group in grouped.to_pylist():
            key = (group["rule"], group["column"] or "")
            line = self.lines.setdefault(key, FaultLine(*key, 0, [], group["message_first"]))
            line.count += group["count_all"]
            # Faults come in the order of rows, batch after batch.
            line.rows += group["row_list"][: _FIRST_ROWS - len(line.rows)]


def find_contract(name: str) -> Contract:
    """A contract of the library (`library:schools.attendance`) or in a file.

    Raises:
        ConfigError: when there is none of that name, or it cannot be used.
    """
    from hub_schemas import ContractError, library, load_contract

    if name.startswith(LIBRARY):
        try:
            return library.load(name.removeprefix(LIBRARY))
        except KeyError as error:
            raise ConfigError(
                str(error.args[0]).capitalize() + ".", "Write it as library:schools.attendance."
            ) from None
    path = Path(name)
    if not path.is_file():
        known = name in library.names()
        hint = f"Did you mean {LIBRARY}{name}?" if known else "Give the path of a contract, or library:NAME."
        raise ConfigError(f"There is no contract file {name}.", hint)
    try:
        return load_contract(path)
    except ContractError as error:
        listed = "\n".join(f"  {problem}" for problem in error.problems[:20])
        more = f"\n  and {len(error.problems) - 20} more" if len(error.problems) > 20 else ""
        raise ConfigError(
            f"The contract {name} cannot be used:\n{listed}{more}", "Mend these places."
        ) from None


def check_source(contract: Contract, source: Source, summary: Summary) -> Iterator[Outcome]:
    """Check every row of a source; counts go to `summary` as they come.

    Yields:
        one outcome a batch, and at the end one without rows that holds the faults of the dataset as a whole.

    Raises:
        SourceError: when the source cannot be read at all, or lacks columns that every row needs.
    """
    from hub_schemas import Checker, Outcome
    from hub_schemas.arrow import accepted_schema, refused_schema

    from .headers import match_header, recogniser
    from .rendering import as_text
    from .sources._ahead import each_ahead

    reading = source.read(recogniser(contract))
    match = match_header(contract, reading.columns, source.name)
    summary.notes += [*reading.notes, *match.notes]
    checker = Checker(contract)
    empty = True

    def prepare(batch: Batch) -> Prepared:
        table = _named(batch.table, match.names, keep_unknown=contract.unexpected_columns == "fault")
        texts = as_text(table, contract, table.column_names)
        return checker.prepare_text(texts, batch.first_row, sound=batch.sound)

    for batch, columns in each_ahead(reading.batches, prepare):
        outcome = checker.conclude(columns)
        if batch.spoilt:
            outcome = _set_apart(contract, outcome, batch, match.names)
        summary.add(outcome)
        empty = False
        yield outcome
    if empty:
        nothing = _no_rows(reading.columns)
        checker.check_text(_named(nothing, match.names, keep_unknown=contract.unexpected_columns == "fault"))
    whole = checker.finish()
    _report_whole(summary, whole, blocking=checker.blocking)
    accepted, refused = accepted_schema(contract.columns), refused_schema(contract.columns)
    yield Outcome(accepted.empty_table(), refused.empty_table(), whole)


def _report_whole(summary: Summary, whole: pa.Table, *, blocking: bool) -> None:
    for fault in whole.to_pylist():
        words = f"{fault['column']}: {fault['message']}" if fault["column"] else fault["message"]
        # Columns that every row needs were found missing before any row was read.
        harmless = (
            not blocking or fault["message"].startswith("warning: ") or fault["rule"] == "missing-label"
        )
        (summary.warnings if harmless else summary.blocking).append(words)


def _no_rows(columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    return pa.table([pa.array([], pa.string()) for _ in columns], names=list(columns))


def _named(table: pa.Table, names: Sequence[str | None], *, keep_unknown: bool) -> pa.Table:
    """The table under the contract's headers, without columns it does not know unless they are faults."""
    kept = [index for index, name in enumerate(names) if name is not None or keep_unknown]
    labels = [label if name is None else name for label, name in zip(table.column_names, names, strict=True)]
    return table.rename_columns(labels).select(kept)


def _set_apart(contract: Contract, outcome: Outcome, batch: Batch, names: Sequence[str | None]) -> Outcome:
    """The outcome with spoilt rows refused for what is wrong with them, and their cells as they were sent."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from hub_schemas import FAULT_SCHEMA, Outcome
    from hub_schemas.delivery import ROW_NUMBER

    rows = pa.array([spoilt.row for spoilt in batch.spoilt], pa.int64())

    def others(table: pa.Table, key: str) -> pa.Table:
        return table.filter(pc.invert(pc.is_in(table[key], rows)))

    sent = _as_sent(batch.spoilt, len(names))
    place = {name: index for index, name in enumerate(names) if name is not None}
    texts = [sent[place.get(column.source_name, len(names))] for column in contract.columns]
    refused = pa.Table.from_arrays([rows, *texts], schema=outcome.refused.schema)
    faults = pa.table(
        {
            "row": rows,
            "column": pa.nulls(len(rows), pa.string()),
            "value_shown": pa.repeat("", len(rows)),
            "rule": pa.array([spoilt.rule for spoilt in batch.spoilt], pa.string()),
            "message": pa.array([spoilt.message for spoilt in batch.spoilt], pa.string()),
        },
        schema=FAULT_SCHEMA,
    )
    kept = others(outcome.refused, ROW_NUMBER)
    accepted_before = len(rows) - (outcome.refused.num_rows - kept.num_rows)
    return Outcome(
        lambda: others(outcome.accepted, ROW_NUMBER),
        pa.concat_tables([kept, refused]).sort_by(ROW_NUMBER),
        pa.concat_tables([others(outcome.faults, "row"), faults]).sort_by("row"),
        accepted_rows=outcome.accepted_rows - accepted_before,
    )


def _as_sent(spoilt: Sequence[Spoilt], width: int) -> list[pa.Array]:
    """The cells of spoilt rows, column by column as far as the header goes, and after them a column of nothing."""
    import pyarrow as pa

    nothing = (None,) * (width + 1)
    rows = [row.cells[:width] + nothing[min(len(row.cells), width) :] for row in spoilt]
    return [pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)]
