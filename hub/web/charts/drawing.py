"""Charts drawn on the server as SVG, with the same figures as a table.

`draw` takes what the plugin SDK calls a Chart: `title`, `kind` ("line", "bar" or "stacked"), `x_label`,
`y_label`, `x` (texts), `series` (each with `name`, `values` and perhaps `lower` and `upper`; None is a gap)
and `note`. It never fails on their content, which comes from plugins, and never drops a figure in silence:
what is not drawn stands in the table and a note says so.

Each chart is drawn twice, for a wide and for a narrow screen (text that is scaled down cannot be read); the
style sheet shows one. Colours, dashes and fonts are classes in ``hub.css``: the Government Analysis
Function's categorical palette, at least 3:1 against white and against the neighbour. Lines also differ in
marker and dash.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from markupsafe import Markup

from hub.web.charts.bars import draw_bars
from hub.web.charts.lines import draw_lines, line_scale
from hub.web.charts.plot import NARROW, WIDE, Plot, PlotSeries, swatch
from hub.web.charts.scale import DRAWABLE
from hub.web.text import clean, number

__all__ = ["Drawing", "LegendItem", "draw", "figures"]

MAX_SERIES = 6  # as many as the palette has colours
MAX_POINTS = 400
MAX_BARS = 60
MAX_ROWS = 1000


@dataclass(frozen=True)
class LegendItem:
    """A name and the sign that stands for it."""

    name: str
    swatch: Markup


@dataclass(frozen=True)
class Drawing:
    """A chart ready for a page. `wide` and `narrow` are empty when there was no figure to draw.

    columns and rows are the same figures as text, first column the x axis.
    """

    title: str
    wide: Markup
    narrow: Markup
    legend: tuple[LegendItem, ...]
    notes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def draw(chart: Any, ident: str) -> Drawing:
    """Draw a chart.

    chart: the SDK's Chart, or anything with its attributes. ident: unique on the page; the elements' ids
    start with it.
    """
    plot, notes = _prepare(chart)
    columns, rows, cut = figures(chart)
    wide = narrow = Markup("")
    if plot.drawable:
        ident = re.sub(r"[^A-Za-z0-9-]+", "-", ident)
        description = describe(plot)
        if plot.kind == "line" and line_scale(plot).base:
            notes.append("The vertical axis does not start at zero.")
        drawn = draw_lines if plot.kind == "line" else draw_bars
        wide = drawn(plot, WIDE, f"{ident}-wide", description)
        narrow = drawn(plot, NARROW, f"{ident}-narrow", description)
    legend = tuple(LegendItem(item.name, swatch(plot.kind, item.style)) for item in plot.series)
    return Drawing(
        title=plot.title,
        wide=wide,
        narrow=narrow,
        legend=legend if len(legend) > 1 else (),
        notes=(*notes, *cut),
        columns=columns,
        rows=rows,
    )


def figures(chart: Any) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The chart's figures as (columns, rows of text, notes on what was left out).

    Lower and upper figures get columns of their own.
    """
    columns = [clean(chart.x_label) or "Category"]
    data: list[Sequence[object]] = []
    for item in chart.series:
        name = clean(item.name, 200)
        columns.append(name)
        data.append(item.values)
        if _has_figures(item.lower) or _has_figures(item.upper):
            columns += [f"{name}: lower", f"{name}: upper"]
            data += [item.lower or (), item.upper or ()]
    labels = [clean(label, 200) for label in chart.x]
    rows = [
        (label, *(number(values[index] if index < len(values) else None) for values in data))
        for index, label in enumerate(labels[:MAX_ROWS])
    ]
    notes = (
        (f"The table shows the first {MAX_ROWS:,} of {len(labels):,} rows.",)
        if len(labels) > MAX_ROWS
        else ()
    )
    return tuple(columns), tuple(rows), notes


# --- what is drawn -------------------------------------------------------------------------------


def _prepare(chart: Any) -> tuple[Plot, list[str]]:
    """Keep what can be drawn and say what cannot."""
    notes: list[str] = []
    kind = chart.kind if chart.kind in ("line", "bar", "stacked") else "bar"
    labels = [clean(label, 200) for label in chart.x]
    kept = slice(None)
    if kind == "line" and len(labels) > MAX_POINTS:
        kept = slice(len(labels) - MAX_POINTS, None)
        notes.append(
            f"The chart shows the last {MAX_POINTS:,} of {len(labels):,} points; the table has the others."
        )
    elif kind != "line" and len(labels) > MAX_BARS:
        kept = slice(0, MAX_BARS)
        notes.append(
            f"The chart shows the first {MAX_BARS:,} of {len(labels):,} categories; the table has the others."
        )
    chosen = list(chart.series)[:MAX_SERIES]
    if len(chart.series) > MAX_SERIES:
        notes.append(
            f"The chart shows the first {MAX_SERIES} of {len(chart.series)} series; the table has the others."
        )
    styles = (1, 4) if len(chosen) == 2 else tuple(range(1, MAX_SERIES + 1))
    series = tuple(
        PlotSeries(
            name=clean(item.name, 200),
            style=style,
            values=_drawable(item.values, len(labels))[kept],
            lower=_drawable(item.lower or (), len(labels))[kept],
            upper=_drawable(item.upper or (), len(labels))[kept],
        )
        for item, style in zip(chosen, styles, strict=False)
    )
    if any(_too_large(item) for item in chosen):
        notes.append("Some figures are too large to draw; they stand in the table.")
    if kind != "stacked" and any(
        figure is not None for item in series for figure in (*item.lower, *item.upper)
    ):
        shape = "Shaded bands" if kind == "line" else "Thin lines on the bars"
        notes.append(f"{shape} show the range from the lower to the upper figure.")
    plot = Plot(
        kind,
        clean(chart.title, 300),
        clean(chart.x_label, 200),
        clean(chart.y_label, 200),
        tuple(labels[kept]),
        series,
    )
    return plot, notes


def _figure(value: object) -> float | None:
    """The value if it can be drawn: finite, not a truth value, not beyond DRAWABLE."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        figure = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return figure if abs(figure) <= DRAWABLE else None


def _drawable(values: Iterable[object], count: int) -> tuple[float | None, ...]:
    """`count` figures: longer input is cut, shorter filled up with gaps."""
    return tuple(_figure(value) for value, _ in zip_longest(tuple(values)[:count], range(count)))


def _has_figures(values: Iterable[object] | None) -> bool:
    return any(value is not None for value in values or ())


def _too_large(item: Any) -> bool:
    return any(
        isinstance(value, (int, float))
        and not (isinstance(value, float) and math.isnan(value))
        and abs(value) > DRAWABLE
        for values in (item.values, item.lower, item.upper)
        for value in values or ()
    )


# --- what a screen reader says -------------------------------------------------------------------

_KINDS = {"line": "Line chart", "bar": "Bar chart", "stacked": "Stacked bar chart"}


def describe(plot: Plot) -> str:
    """The chart in words: what it shows, and where each series starts, ends, and is lowest and highest."""
    measured = f" of {plot.y_label}" if plot.y_label else ""
    against = f" by {plot.x_label}" if plot.x_label else ""
    count = len(plot.labels)
    sentences = [f"{_KINDS[plot.kind]}{measured}{against}, {count:,} {'point' if count == 1 else 'points'}."]
    for item in plot.series:
        known = [
            (label, value) for label, value in zip(plot.labels, item.values, strict=True) if value is not None
        ]
        name = f"{item.name}: " if item.name else ""
        if not known:
            sentences.append(f"{name}no data.")
        elif len(known) == 1:
            sentences.append(f"{name}{number(known[0][1])} at {known[0][0]}.")
        else:
            low, high = min(known, key=_value), max(known, key=_value)
            ends = f"from {_said(known[0])} to {_said(known[-1])}; " if plot.kind == "line" else ""
            sentences.append(f"{name}{ends}lowest {_said(low)}, highest {_said(high)}.")
    return " ".join(sentences) + " The figures are in the table that follows."


def _value(pair: tuple[str, float]) -> float:
    return pair[1]


def _said(pair: tuple[str, float]) -> str:
    return f"{number(pair[1])} ({pair[0]})" if pair[0] else number(pair[1])
