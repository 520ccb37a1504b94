"""Line charts, with a band from lower to upper figures where a series has them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from hub.web.charts.plot import (
    FONT,
    NARROW,
    Plot,
    PlotSeries,
    axis_title,
    known,
    marker,
    picture,
    place_labels,
    words,
)
from hub.web.charts.scale import Scale, make_scale
from hub.web.charts.svg import element, group
from hub.web.text import number, text_width

__all__ = ["draw_lines", "line_scale"]

_MARKED = {
    680: 40,
    340: 16,
}  # with more points than this a drawing of that width has markers only where they are needed
_HOVER = 160  # with more points than this in all, none says its figure when pointed at


@dataclass(frozen=True)
class _Frame:
    """Where the plot lies inside the drawing."""

    left: float
    right: float
    top: float
    bottom: float
    scale: Scale
    count: int

    def x(self, index: int) -> float:
        """The place of a point from left to right."""
        if self.count == 1:
            return (self.left + self.right) / 2
        inset = 10
        return self.left + inset + index * (self.right - self.left - 2 * inset) / (self.count - 1)

    def y(self, value: float) -> float:
        """The place of a figure from bottom to top."""
        return self.scale.at(value, self.bottom, self.top)


def line_scale(plot: Plot) -> Scale:
    """The vertical axis of a line chart, which need not reach zero."""
    runs = (run for item in plot.series for run in (item.values, item.lower, item.upper))
    return make_scale(known(*runs), zero=False)


def draw_lines(plot: Plot, width: int, ident: str, description: str) -> Markup:
    """The chart as one svg element, `width` units wide."""
    scale = line_scale(plot)
    height = 260 if width == NARROW else 320
    left = max(text_width(label, FONT) for label in scale.labels) + 8
    top = 30 if plot.y_label else 12
    bottom = height - (46 if plot.x_label else 26)
    frame = _Frame(left, width - 4, top, bottom, scale, len(plot.labels))
    marked = len(plot.labels) <= _MARKED[width]
    hover = len(plot.labels) * len(plot.series) <= _HOVER
    bands = [group(_band(item, frame), f"hub-series--{item.style}") for item in plot.series]
    lines = [
        group([*_line(item, frame), *_markers(plot, item, frame, marked, hover)], f"hub-series--{item.style}")
        for item in plot.series
    ]
    axes = [*_value_axis(plot, frame, width), *_label_axis(plot, frame, width, height)]
    return picture(plot, width, height, ident, description, *axes, *bands, *lines)


def _value_axis(plot: Plot, frame: _Frame, width: int) -> list[Markup]:
    drawn = axis_title(plot.y_label, 0, FONT, width)
    for tick, label in zip(frame.scale.ticks, frame.scale.labels, strict=True):
        y = frame.y(tick)
        base = " hub-chart__grid--base" if tick == frame.scale.base else ""
        drawn.append(
            element("path", d=f"M{frame.left:.1f} {y:.1f}H{frame.right:.1f}", class_=f"hub-chart__grid{base}")
        )
        drawn.append(words(label, frame.left - 8, y + FONT * 0.35, "end"))
    return drawn


def _label_axis(plot: Plot, frame: _Frame, width: int, height: float) -> list[Markup]:
    drawn = []
    centres = [frame.x(index) for index in range(frame.count)]
    for index, text, centre in place_labels(plot.labels, centres, width * 0.45, width):
        drawn.append(
            element("path", d=f"M{centres[index]:.1f} {frame.bottom:.1f}v5", class_="hub-chart__tick")
        )
        drawn.append(words(text, centre, frame.bottom + FONT + 8, "middle"))
    return [*drawn, *axis_title(plot.x_label, (frame.left + frame.right) / 2, height - 4, width, "middle")]


def _line(item: PlotSeries, frame: _Frame) -> list[Markup]:
    """The path through the figures, broken at gaps."""
    steps = []
    for present, run in groupby(enumerate(item.values), lambda pair: pair[1] is not None):
        points = [f"{frame.x(index):.1f} {frame.y(value):.1f}" for index, value in run if value is not None]
        if present and len(points) > 1:
            steps.append("M" + "L".join(points))
    return [element("path", d="".join(steps), class_="hub-chart__line")] if steps else []


def _markers(plot: Plot, item: PlotSeries, frame: _Frame, marked: bool, hover: bool) -> list[Markup]:
    """Markers on every point, or where there are too many on those that no line reaches."""
    drawn = []
    for index, value in enumerate(item.values):
        if value is None or not (marked or _alone(item.values, index)):
            continue
        said = [element("title", f"{plot.labels[index]}, {item.name}: {number(value)}")] if hover else []
        drawn.append(marker(item.style, frame.x(index), frame.y(value), *said))
    return drawn


def _alone(values: tuple[float | None, ...], index: int) -> bool:
    before = values[index - 1] if index else None
    after = values[index + 1] if index + 1 < len(values) else None
    return before is None and after is None


def _band(item: PlotSeries, frame: _Frame) -> list[Markup]:
    """The area between the bounds, with its edges, for each run of points that have both."""
    drawn: list[Markup] = []
    both = [
        None if low is None or high is None else (low, high)
        for low, high in zip(item.lower, item.upper, strict=True)
    ]
    for present, run in groupby(enumerate(both), lambda pair: pair[1] is not None):
        if not present:
            continue
        points = [
            (frame.x(index), frame.y(pair[0]), frame.y(pair[1])) for index, pair in run if pair is not None
        ]
        if len(points) == 1:
            x, low, high = points[0]
            drawn.append(element("path", d=f"M{x:.1f} {low:.1f}V{high:.1f}", class_="hub-chart__edge"))
            continue
        lower = [f"{x:.1f} {low:.1f}" for x, low, _ in points]
        upper = [f"{x:.1f} {high:.1f}" for x, _, high in points]
        drawn.append(element("path", d=f"M{'L'.join([*upper, *reversed(lower)])}z", class_="hub-chart__band"))
        drawn.append(element("path", d=f"M{'L'.join(upper)}M{'L'.join(lower)}", class_="hub-chart__edge"))
    return drawn
