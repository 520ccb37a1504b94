"""A plugin's report made ready for a page: text in paragraphs and lists, tables aligned, charts drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.web.charts import Drawing, draw
from hub.web.text import clean, number

__all__ = ["BlockView", "Paragraph", "ReportView", "TableView", "view_report", "view_table"]

MOST_ROWS = 500


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, or a list when `items` has any."""

    text: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableView:
    """A table as text. numeric says of each column whether it holds figures and stands to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    note: str = ""
    left_out: str = ""


@dataclass(frozen=True)
class BlockView:
    """One block: exactly one of paragraphs, table and chart is there."""

    heading: str
    paragraphs: tuple[Paragraph, ...] = ()
    table: TableView | None = None
    chart: Drawing | None = None
    note: str = ""


@dataclass(frozen=True)
class ReportView:
    """A report as templates read it."""

    title: str
    summary: tuple[Paragraph, ...]
    blocks: tuple[BlockView, ...]
    warnings: tuple[str, ...]


def view_report(report: Any, ident: str = "report") -> ReportView:
    """Make the SDK's Report ready; the ids of its charts start with `ident`."""
    return ReportView(
        title=clean(report.title, 200),
        summary=paragraphs(report.summary),
        blocks=tuple(_block(block, f"{ident}-{index}") for index, block in enumerate(report.blocks, 1)),
        warnings=tuple(clean(warning) for warning in report.warnings),
    )


def _block(block: Any, ident: str) -> BlockView:
    if hasattr(block, "series"):
        return BlockView(clean(block.title, 200), chart=draw(block, ident), note=clean(block.note))
    if hasattr(block, "columns"):
        table = view_table(block.title, block.columns, block.rows, block.note)
        return BlockView(table.title, table=table, note=table.note)
    return BlockView(clean(block.heading, 200), paragraphs=paragraphs(block.body))


def view_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = ""
) -> TableView:
    """Make a table ready: the first 500 rows, figures as people write them."""
    kept = [tuple(row) for row in rows[:MOST_ROWS]]
    numeric = tuple(
        any(_is_figure(row[place]) for row in kept)
        and all(row[place] is None or _is_figure(row[place]) for row in kept)
        for place in range(len(columns))
    )
    left_out = f"The first {MOST_ROWS:,} of {len(rows):,} rows are shown." if len(rows) > MOST_ROWS else ""
    return TableView(
        title=clean(title, 200),
        columns=tuple(clean(column, 200) for column in columns),
        rows=tuple(tuple(number(cell) for cell in row) for row in kept),
        numeric=numeric,
        note=clean(note),
        left_out=left_out,
    )


def _is_figure(cell: object) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def paragraphs(text: str) -> tuple[Paragraph, ...]:
    """Paragraphs parted by empty lines; lines that start with "- " become a list. No other mark-up."""
    made: list[Paragraph] = []
    for part in str(text).replace("\r\n", "\n").split("\n\n"):
        lines = [clean(line) for line in part.split("\n") if line.strip()]
        words = [line for line in lines if not line.startswith("- ")]
        items = tuple(line[2:] for line in lines if line.startswith("- "))
        if words:
            made.append(Paragraph(" ".join(words)))
        if items:
            made.append(Paragraph(items=items))
    return tuple(made)
