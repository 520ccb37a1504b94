"""What the two kinds of chart share: the prepared figures, the drawing's frame, markers and swatches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hub.web.charts.svg import element
from hub.web.text import shorten, text_width

__all__ = [
    "FONT",
    "NARROW",
    "WIDE",
    "Plot",
    "PlotSeries",
    "known",
    "marker",
    "picture",
    "place_labels",
    "swatch",
    "words",
]

#: Widths of the two drawings, in the units of their view boxes; the style sheet shows one unit as about a
#: pixel.
WIDE, NARROW = 680, 340
#: Height of all text, in the same units. hub.css sets the same.
FONT = 14


@dataclass(frozen=True)
class PlotSeries:
    """One series, all tuples as long as the plot's labels; style is its number in the palette, from 1."""

    name: str
    style: int
    values: tuple[float | None, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]


@dataclass(frozen=True)
class Plot:
    """A chart that holds nothing but what can be drawn."""

    kind: str
    title: str
    x_label: str
    y_label: str
    labels: tuple[str, ...]
    series: tuple[PlotSeries, ...]

    @property
    def drawable(self) -> bool:
        """Whether there is any figure at all."""
        return any(value is not None for item in self.series for value in item.values)


def known(*runs: tuple[float | None, ...]) -> Iterator[float]:
    """The figures of some runs, without the gaps."""
    return (value for run in runs for value in run if value is not None)


def picture(plot: Plot, width: int, height: float, ident: str, description: str, *children: Markup) -> Markup:
    """The outer svg element: one image to assistive technology, with a name and a description."""
    size = "wide" if width == WIDE else "narrow"
    return element(
        "svg",
        element("title", plot.title, id=f"{ident}-title"),
        element("desc", description, id=f"{ident}-desc"),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        class_=f"hub-chart__picture hub-chart__picture--{size}",
        viewBox=f"0 0 {width} {height:.0f}",
        role="img",
        aria_labelledby=f"{ident}-title {ident}-desc",
        focusable="false",
    )


def words(text: str, x: float, y: float, anchor: str = "start", class_: str = "hub-chart__text") -> Markup:
    """A line of text; anchor is start, middle or end."""
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=class_)


def axis_title(text: str, x: float, y: float, room: float, anchor: str = "start") -> list[Markup]:
    """The name of an axis, cut to the room there is."""
    return (
        [words(shorten(text, room, FONT), x, y, anchor, "hub-chart__text hub-chart__text--axis")]
        if text
        else []
    )


def place_labels(
    labels: tuple[str, ...], centres: Sequence[float], room: float, width: float
) -> Iterator[tuple[int, str, float]]:
    """The labels that can stand under an axis without touching, as (index, text, place of its middle).

    Texts are cut to `room` and kept inside 0 to width. Of many labels every 2nd, 3rd, 4th, 6th, 12th and so
    on is kept, which falls on the same months of each year.
    """
    widest = min(room, max((text_width(label, FONT) for label in labels), default=0.0)) + FONT
    spacing = centres[1] - centres[0] if len(centres) > 1 else width
    stride = next((step for step in _STRIDES if step * spacing >= widest), len(labels))
    free = 0.0
    for index in range(0, len(labels), stride):
        text = shorten(labels[index], room, FONT)
        half = text_width(text, FONT) / 2
        centre = min(max(centres[index], half), width - half)
        if centre - half >= free:
            yield index, text, centre
            free = centre + half + FONT / 2


_STRIDES = (1, 2, 3, 4, 6, 12, 24, 36, 48, 60, 120, 240)


def marker(style: int, x: float, y: float, *children: Markup, size: float = 4.0) -> Markup:
    """The sign of series 1 to 6: circle, square, triangle, diamond, turned triangle, cross."""
    if style == 1:
        return element("circle", *children, cx=x, cy=y, r=size, class_="hub-chart__marker")
    half, tall = size * 1.1, size * 1.4
    steps = {
        2: ((-half, -half), (2 * half, 0), (0, 2 * half), (-2 * half, 0)),
        3: ((0, -tall), (tall, 2 * half), (-2 * tall, 0)),
        4: ((0, -tall), (tall, tall), (-tall, tall), (-tall, -tall)),
        5: ((0, tall), (tall, -2 * half), (-2 * tall, 0)),
        6: ((0, -tall), (0, 2 * tall), (0, -tall), (-tall, 0), (2 * tall, 0), (-tall, 0)),
    }[style]
    start = f"M{x + steps[0][0]:.1f} {y + steps[0][1]:.1f}"
    outline = start + "".join(f"l{right:.1f} {down:.1f}" for right, down in steps[1:]) + "z"
    crossed = " hub-chart__marker--open" if style == 6 else ""
    return element("path", *children, d=outline, class_=f"hub-chart__marker{crossed}")


def swatch(kind: str, style: int) -> Markup:
    """The sign of a series for the legend; hidden from assistive technology, which hears the description."""
    if kind == "line":
        inside = [element("path", d="M1 9H31", class_="hub-chart__line"), marker(style, 16.0, 9.0)]
    else:
        inside = [element("rect", x=7, y=0, width=18, height=18, class_="hub-chart__bar")]
    return element(
        "svg",
        *inside,
        class_=f"hub-legend__swatch hub-series--{style}",
        viewBox="0 0 32 18",
        width=32,
        height=18,
        aria_hidden="true",
        focusable="false",
    )
