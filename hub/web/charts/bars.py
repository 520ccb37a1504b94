"""Bar charts, plain, grouped or stacked: columns where the labels fit under them, rows where they do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from markupsafe import Markup

from hub.web.charts.plot import (
    FONT,
    NARROW,
    Plot,
    PlotSeries,
    axis_title,
    known,
    picture,
    place_labels,
    words,
)
from hub.web.charts.scale import Scale, make_scale
from hub.web.charts.svg import element, group
from hub.web.text import NO_DATA, number, text_width, wrap

__all__ = ["draw_bars"]

# Labels that stand for moments, which may be thinned out:
# 2025, 2025-03, 2025-03-31, 2025/26 Autumn, Mar 2025, 31 March 2025, 2025 Q1, Q1 2025.
_MOMENT = re.compile(
    r"(?:\d{1,2} )?(?:[A-Z][a-z]{2,8} )?\d{4}(?:[-/]\d{2}){0,2}(?: (?:Q[1-4]|Autumn|Winter|Spring|Summer))?"
    r"|Q[1-4] \d{4}"
)
_WIDEST_BAR = 48.0
_LINE = FONT * 1.25


@dataclass(frozen=True)
class _Bar:
    """One bar, or one segment of a stack."""

    item: PlotSeries
    index: int  # of the label
    lane: int  # beside each other in a group; 0 in a stack
    start: float
    end: float


class _Layout(Protocol):
    """Places bars on the drawing."""

    height: float

    def rectangle(self, bar: _Bar) -> Markup: ...

    def whisker(self, bar: _Bar, low: float, high: float) -> Markup: ...

    def behind(self) -> list[Markup]: ...

    def before(self) -> list[Markup]: ...


def draw_bars(plot: Plot, width: int, ident: str, description: str) -> Markup:
    """The chart as one svg element, `width` units wide."""
    bars = list(_stacked(plot) if plot.kind == "stacked" else _grouped(plot))
    bounds = (
        [] if plot.kind == "stacked" else [run for item in plot.series for run in (item.lower, item.upper)]
    )
    scale = make_scale([*(end for bar in bars for end in (bar.start, bar.end)), *known(*bounds)], zero=True)
    lanes = 1 if plot.kind == "stacked" else len(plot.series)
    columns = _Columns(plot, scale, width, lanes)
    layout: _Layout = columns if columns.readable else _Rows(plot, scale, width, lanes)
    shapes = [
        group(list(_shapes(plot, item, bars, layout)), f"hub-series--{item.style}") for item in plot.series
    ]
    drawn = [*layout.behind(), *shapes, *layout.before()]
    return picture(plot, width, layout.height, ident, description, *drawn)


def _grouped(plot: Plot) -> Iterator[_Bar]:
    for lane, item in enumerate(plot.series):
        for index, value in enumerate(item.values):
            if value is not None:
                yield _Bar(item, index, lane, 0.0, value)


def _stacked(plot: Plot) -> Iterator[_Bar]:
    """Positive figures pile up from zero, negative ones down from it."""
    for index in range(len(plot.labels)):
        up = down = 0.0
        for item in plot.series:
            value = item.values[index]
            if value is None:
                continue
            start = up if value >= 0 else down
            yield _Bar(item, index, 0, start, start + value)
            up, down = (start + value, down) if value >= 0 else (up, start + value)


def _shapes(plot: Plot, item: PlotSeries, bars: list[_Bar], layout: _Layout) -> Iterator[Markup]:
    """The bars of one series, each with its range where it has one."""
    for bar in bars:
        if bar.item is not item:
            continue
        yield layout.rectangle(bar)
        low, high = item.lower[bar.index], item.upper[bar.index]
        if plot.kind != "stacked" and low is not None and high is not None:
            yield layout.whisker(bar, low, high)


def _rectangle(plot: Plot, bar: _Bar, x: float, y: float, width: float, height: float) -> Markup:
    """A bar that says its figure when it is pointed at."""
    name = f", {bar.item.name}" if bar.item.name else ""
    said = element("title", f"{plot.labels[bar.index]}{name}: {number(bar.item.values[bar.index])}")
    return element("rect", said, x=x, y=y, width=width, height=height, class_="hub-chart__bar")


@dataclass(frozen=True)
class _Columns:
    """Bars that stand side by side, their labels below."""

    plot: Plot
    scale: Scale
    width: int
    lanes: int

    @cached_property
    def left(self) -> float:
        """Where the plot begins, right of the axis figures."""
        return max(text_width(label, FONT) for label in self.scale.labels) + 8

    @property
    def right(self) -> float:
        """Where the plot ends."""
        return self.width - 4.0

    @property
    def band(self) -> float:
        """Room for each label's bars."""
        return (self.right - self.left) / len(self.plot.labels)

    @property
    def thick(self) -> float:
        """Width of one bar."""
        return min(_WIDEST_BAR, self.band * 0.78 / self.lanes)

    @property
    def height(self) -> float:
        """Height of the drawing."""
        return 270.0 if self.width == NARROW else 320.0

    @property
    def bottom(self) -> float:
        """The lowest place of the plot."""
        return self.height - (46 if self.plot.x_label else 26)

    @cached_property
    def labels_fit(self) -> bool:
        """Whether every label can stand under its own bars."""
        return all(text_width(label, FONT) <= self.band - FONT for label in self.plot.labels)

    @property
    def readable(self) -> bool:
        """Whether columns serve: bars wide enough to see, and labels that fit or may be thinned out."""
        moments = all(_MOMENT.fullmatch(label) for label in self.plot.labels)
        return self.band / self.lanes >= 4 and (moments or self.labels_fit)

    def y(self, value: float) -> float:
        """The place of a figure."""
        return self.scale.at(value, self.bottom, 30 if self.plot.y_label else 14)

    def x(self, bar: _Bar) -> float:
        """The left edge of a bar."""
        inset = (self.band - self.thick * self.lanes) / 2
        return self.left + bar.index * self.band + inset + bar.lane * self.thick

    def rectangle(self, bar: _Bar) -> Markup:
        """A bar."""
        low, high = sorted((self.y(bar.start), self.y(bar.end)))
        return _rectangle(self.plot, bar, self.x(bar), low, self.thick, high - low)

    def whisker(self, bar: _Bar, low: float, high: float) -> Markup:
        """The range of a bar's figure."""
        path = f"M{self.x(bar) + self.thick / 2 - 4:.1f} {self.y(low):.1f}h8m-4 0V{self.y(high):.1f}m-4 0h8"
        return element("path", d=path, class_="hub-chart__whisker")

    def behind(self) -> list[Markup]:
        """Axes and grid."""
        drawn = axis_title(self.plot.y_label, 0, FONT, self.width)
        for tick, label in zip(self.scale.ticks, self.scale.labels, strict=True):
            y = self.y(tick)
            drawn.append(
                element("path", d=f"M{self.left:.1f} {y:.1f}H{self.right:.1f}", class_="hub-chart__grid")
            )
            drawn.append(words(label, self.left - 8, y + FONT * 0.35, "end"))
        centres = [self.left + (index + 0.5) * self.band for index in range(len(self.plot.labels))]
        for _, text, centre in place_labels(self.plot.labels, centres, self.width * 0.45, self.width):
            drawn.append(words(text, centre, self.bottom + FONT + 6, "middle"))
        middle = (self.left + self.right) / 2
        return [*drawn, *axis_title(self.plot.x_label, middle, self.height - 4, self.width, "middle")]

    def before(self) -> list[Markup]:
        """The line at zero."""
        path = f"M{self.left:.1f} {self.y(0.0):.1f}H{self.right:.1f}"
        return [element("path", d=path, class_="hub-chart__grid hub-chart__grid--base")]


@dataclass(frozen=True)
class _Rows:
    """Bars that lie below each other. Their labels stand left of them, on a narrow screen above them."""

    plot: Plot
    scale: Scale
    width: int
    lanes: int

    @property
    def above(self) -> bool:
        """Whether labels stand above their bars."""
        return self.width == NARROW

    @property
    def thick(self) -> float:
        """Height of one bar."""
        return 24.0 if self.lanes == 1 else 15.0

    @cached_property
    def labels(self) -> list[list[str]]:
        """Each label on one or two lines."""
        return [
            wrap(label, self.width if self.above else self.width * 0.36, FONT) for label in self.plot.labels
        ]

    @cached_property
    def label_room(self) -> float:
        """Width of the widest line of a label."""
        return max(text_width(line, FONT) for lines in self.labels for line in lines)

    @cached_property
    def tops(self) -> list[float]:
        """Where each label's bars begin, and at the end where the next would."""
        places, y = [], 6.0
        for lines in self.labels:
            text = _LINE * len(lines)
            y += text + 4 if self.above else 0
            places.append(y)
            y += max(self.thick * self.lanes, 0.0 if self.above else text) + 12
        return [*places, y]

    @property
    def bottom(self) -> float:
        """The lowest place of the plot."""
        return self.tops[-1] - 4

    @property
    def told(self) -> bool:
        """Whether each bar has its figure at its end, which makes a grid needless."""
        only = self.plot.series[0]
        return (
            self.lanes == 1
            and self.plot.kind != "stacked"
            and not any(True for _ in known(only.lower, only.upper))
        )

    @property
    def height(self) -> float:
        """Height of the drawing."""
        return self.bottom + (8 if self.told else 24) + (22 if self.plot.y_label else 0)

    @cached_property
    def sides(self) -> tuple[float, float]:
        """Where the plot begins and ends from left to right."""
        left = (
            0.0 if self.above else max(text_width(line, FONT) for lines in self.labels for line in lines) + 12
        )
        before = after = 0.0
        for value in known(self.plot.series[0].values) if self.told else ():
            room = text_width(number(value), FONT) + 6
            before, after = (max(before, room), after) if value < 0 else (before, max(after, room))
        return left + before + 2, self.width - 4 - after

    def x(self, value: float) -> float:
        """The place of a figure."""
        return self.scale.at(value, *self.sides)

    def rectangle(self, bar: _Bar) -> Markup:
        """A bar."""
        low, high = sorted((self.x(bar.start), self.x(bar.end)))
        y = self.tops[bar.index] + bar.lane * self.thick
        return _rectangle(self.plot, bar, low, y, high - low, self.thick - (0 if self.lanes == 1 else 1))

    def whisker(self, bar: _Bar, low: float, high: float) -> Markup:
        """The range of a bar's figure."""
        y = self.tops[bar.index] + (bar.lane + 0.5) * self.thick - 4
        path = f"M{self.x(low):.1f} {y:.1f}v8m0 -4H{self.x(high):.1f}m0 -4v8"
        return element("path", d=path, class_="hub-chart__whisker")

    def behind(self) -> list[Markup]:
        """Labels, and the grid where it is needed."""
        drawn = [] if self.told else self._grid()
        for lines, top in zip(self.labels, self.tops, strict=False):
            drawn += self._label(lines, top)
        return [
            *drawn,
            *axis_title(self.plot.y_label, sum(self.sides) / 2, self.height - 4, self.width, "middle"),
        ]

    def _grid(self) -> list[Markup]:
        drawn, free = [], 0.0
        for tick, label in zip(self.scale.ticks, self.scale.labels, strict=True):
            x, half = self.x(tick), text_width(label, FONT) / 2
            drawn.append(element("path", d=self._upright(x), class_="hub-chart__grid"))
            centre = min(max(x, half), self.width - half)
            if centre - half >= free:
                drawn.append(words(label, centre, self.bottom + FONT + 4, "middle"))
                free = centre + half + 8
        return drawn

    def _upright(self, x: float) -> str:
        """An upright line, which leaves out the labels where they stand between the bars."""
        if not self.above:
            return f"M{x:.1f} 2V{self.bottom:.1f}"
        return "".join(f"M{x:.1f} {top - 1:.1f}v{self.thick * self.lanes + 2:.1f}" for top in self.tops[:-1])

    def _label(self, lines: list[str], top: float) -> list[Markup]:
        if self.above:
            last = top - 6 - _LINE * (len(lines) - 1)
            return [words(line, 0, last + _LINE * place) for place, line in enumerate(lines)]
        middle = top + self.thick * self.lanes / 2 + FONT * 0.35 - _LINE * (len(lines) - 1) / 2
        first = max(middle, top + FONT * 0.85)
        return [
            words(line, self.label_room, first + _LINE * place, "end") for place, line in enumerate(lines)
        ]

    def before(self) -> list[Markup]:
        """The line at zero, and the figures at the ends of the bars."""
        base = self._upright(self.x(0.0))
        drawn = [element("path", d=base, class_="hub-chart__grid hub-chart__grid--base")]
        for value, top in zip(self.plot.series[0].values, self.tops, strict=False) if self.told else ():
            y = top + self.thick / 2 + FONT * 0.35
            if value is None:
                drawn.append(
                    words(NO_DATA, self.x(0.0) + 6, y, "start", "hub-chart__text hub-chart__text--axis")
                )
            else:
                beyond = (6, "start") if value >= 0 else (-6, "end")
                drawn.append(words(number(value), self.x(value) + beyond[0], y, beyond[1]))
        return drawn
