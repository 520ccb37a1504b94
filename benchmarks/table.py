"""Small aligned tables, and numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["NONE", "Table", "count", "milliseconds", "rate", "ratio", "seconds", "share", "turns"]

NONE = "-"


@dataclass(frozen=True)
class Table:
    """One table: its first column is words, the others are numbers as text; `notes` stand below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: a row has {len(row)} cells for {len(self.columns)} columns")

    def text(self) -> str:
        """The table, aligned: words to the left, numbers to the right."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        shown = [_line(line, widths) for line in lines]
        rule = "-" * max(len(line) for line in shown)
        return "\n".join([self.title, rule, shown[0], rule, *shown[1:], rule, *self.notes])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([first, *rest]).rstrip()


def seconds(value: float) -> str:
    """Seconds to three digits or so."""
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def milliseconds(value: float) -> str:
    """Seconds shown as milliseconds."""
    return f"{value * 1000:.1f}" if value >= 0.001 else f"{value * 1000:.3f}"


def ratio(value: float) -> str:
    """How many times."""
    return f"{value:,.0f}x" if value >= 100 else f"{value:.1f}x" if value >= 10 else f"{value:.2f}x"


def count(value: float) -> str:
    """A whole number with separators."""
    return f"{value:,.0f}"


def rate(number: float, taken: float) -> str:
    """So many in a second, to three digits: more would be noise."""
    value = number / taken if taken else 0.0
    digits = max(0, len(str(int(value))) - 3)
    return f"{round(value, -digits):,.0f}"


def turns(number: int) -> str:
    """What a table rests on."""
    return f"Medians of {number:,} turns" if number > 1 else "One turn only, not warmed up"


def share(value: float) -> str:
    """A share between 0 and 1 as it is written for precision and recall."""
    return f"{value:.4f}"
