"""What a check found, for people: a summary in text or JSON, and every fault in a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from hub_schemas import Contract

    from .checking import Summary

__all__ = ["REPORT_COLUMNS", "FaultReport", "fault_report", "summary_json", "summary_text"]

REPORT_COLUMNS: Final = ("row", "column", "value_shown", "rule", "message")
_SHOWN_LINES: Final = 25


class FaultReport:
    """A CSV file that takes faults as they come; every fault is a line, row numbers count data rows from 1."""

    def __init__(self, stream: Any) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(REPORT_COLUMNS)
        self.lines = 0

    def add(self, faults: pa.Table) -> None:
        """Append a table of FAULT_SCHEMA."""
        for fault in faults.to_pylist():
            self.add_line(fault)

    def add_line(self, fault: Mapping[str, Any]) -> None:
        """Append one fault."""
        cells = ["" if fault.get(name) is None else str(fault[name]) for name in REPORT_COLUMNS]
        cells[2] = harmless(cells[2])
        self._writer.writerow(cells)
        self.lines += 1


@contextmanager
def fault_report(path: Path) -> Iterator[FaultReport]:
    """A report that is written to `path` (UTF-8, RFC 4180).

    Raises:
        ConfigError: when the file cannot be written.
    """
    try:
        stream = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(
            f"The report {path} cannot be written: {error.strerror}.", "Choose another place."
        ) from None
    with stream:
        yield FaultReport(stream)


def harmless(value: str) -> str:
    """A value that a spreadsheet will not take for a formula (OWASP, CSV injection)."""
    if value[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(value):
        return "'" + value
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def summary_json(contract: Contract, source: str, summary: Summary) -> dict[str, Any]:
    """The summary as plain values; `faults` come most frequent first."""
    return {
        "source": source,
        "contract": {"id": contract.id, "version": contract.version},
        "clean": summary.clean,
        "rows": {"read": summary.rows, "accepted": summary.accepted, "refused": summary.refused},
        "would_be_refused": summary.would_be_refused(contract) or None,
        "faults": [
            {
                "rule": line.rule, "column": line.column or None, "count": line.count, "first_rows": line.rows,
                "message": line.message,
            }
            for line in summary.by_count()
        ],
        "dataset_faults": summary.blocking,
        "warnings": summary.warnings,
        "notes": summary.notes,
    }  # fmt: skip


def summary_text(contract: Contract, source: str, summary: Summary) -> str:
    """The summary for a terminal: what was read, how many rows are at fault, and where to look first."""
    lines = [
        f"{source} against {contract.id} {contract.version}",
        f"  read as: {'; '.join(summary.notes[:2])}",
    ]
    lines += [f"  note: {note}" for note in summary.notes[2:]]
    lines += [f"  note: {warning}" for warning in summary.warnings]
    lines.append("")
    share = f" ({_share(summary.refused, summary.rows)})" if summary.refused else ""
    lines += [
        f"  {summary.rows:>12,} rows",
        f"  {summary.accepted:>12,} keep the contract",
        f"  {summary.refused:>12,} at fault{share}",
    ]
    if summary.lines:
        lines += ["", *_table(summary)]
    lines += ["", *(f"  The dataset as a whole: {words}" for words in summary.blocking)]
    if summary.clean:
        lines.append(
            "Clean: every row keeps the contract." if summary.rows else "Clean, but there are no rows."
        )
    elif reason := summary.would_be_refused(contract):
        lines.append(f"The hub would refuse this delivery: {reason}.")
    else:
        lines.append(
            f"The hub would accept {summary.accepted:,} rows and set {summary.refused:,} aside until they are mended."
        )
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    share = part / whole
    return "under 0.1%" if share < 0.001 else f"{share:.1%}"


def _table(summary: Summary) -> list[str]:
    """Faults by rule and column with the first data rows."""
    found = summary.by_count()
    rows = [("count", "column", "rule", "first rows", "what to do")]
    for line in found[:_SHOWN_LINES]:
        more = " ..." if line.count > len(line.rows) else ""
        first = ", ".join(str(row) for row in line.rows) + more
        rows.append((f"{line.count:,}", line.column or "(row)", line.rule, first, line.message))
    widths = [max(len(row[index]) for row in rows) for index in range(4)]
    shown = [
        "  ".join(
            ["", f"{count:>{widths[0]}}", *(f"{cell:<{width}}" for cell, width in cells), message]
        ).rstrip()
        for count, *middle, message in rows
        for cells in [zip(middle, widths[1:], strict=True)]
    ]
    if len(found) > _SHOWN_LINES:
        shown.append(
            f"  and {len(found) - _SHOWN_LINES} more kinds of fault; --report FILE.csv lists every one"
        )
    return shown
