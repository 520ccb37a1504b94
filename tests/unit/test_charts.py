"""Charts: what is drawn is well-formed, accessible, inside the picture and the same as the table."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.web.charts import draw, figures
from hub.web.charts.plot import FONT, NARROW, WIDE
from hub.web.charts.scale import make_scale
from hub.web.text import clean, number, shorten, text_width, wrap

SVG = "{http://www.w3.org/2000/svg}"
CSS = Path(__file__).parents[2] / "hub" / "web" / "static" / "hub.css"


@dataclass(frozen=True)
class Series:
    name: str
    values: tuple
    lower: tuple | None = None
    upper: tuple | None = None


@dataclass(frozen=True)
class Chart:
    kind: str
    x: tuple
    series: tuple
    title: str = "Incidents a month"
    x_label: str = "Month"
    y_label: str = "Incidents"
    note: str = ""


MONTHS = tuple(f"{month} {year}" for year in (2023, 2024, 2025) for month in ("Jan", "Apr", "Jul", "Oct"))
LONG = ("Investigation of serious and organised crime", "Neighbourhood and early action", "Roads")


def parse(svg):
    return ElementTree.fromstring(str(svg))  # noqa: S314 - our own output, and well-formedness is the question


def pictures(chart):
    drawing = draw(chart, "chart-1")
    return [parse(svg) for svg in (drawing.wide, drawing.narrow) if svg]


def classes(root, name):
    return [item for item in root.iter() if name in item.get("class", "").split()]


def texts(root):
    return [item.text for item in root.iter(f"{SVG}text")]


# --- accessible -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["line", "bar", "stacked"])
def test_a_chart_is_one_image_with_a_name_and_a_description(kind):
    for root in pictures(Chart(kind, ("2024", "2025"), (Series("Burglary", (10, 1250)),))):
        assert root.get("role") == "img"
        named = [root.find(f".//*[@id='{ident}']") for ident in root.get("aria-labelledby").split()]
        assert [item.tag for item in named] == [f"{SVG}title", f"{SVG}desc"]
        assert named[0].text == "Incidents a month"
        assert "lowest 10 (2024), highest 1,250 (2025)" in named[1].text


def test_the_wide_and_the_narrow_drawing_share_no_id():
    wide, narrow = pictures(Chart("line", ("2024", "2025"), (Series("a", (1, 2)),)))
    ids = [{item.get("id") for item in root.iter() if item.get("id")} for root in (wide, narrow)]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])


def test_an_identifier_with_strange_characters_still_makes_one_reference_each():
    drawing = draw(Chart("line", ("2024",), (Series("a", (1,)),)), 'run "7" table/3')
    root = parse(drawing.wide)
    assert root.get("aria-labelledby") == "run-7-table-3-wide-title run-7-table-3-wide-desc"


def _contrast_with_white(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_every_colour_of_the_palette_stands_out_from_white_by_three_to_one():
    palette = re.findall(r"\.hub-series--(\d) \{ --hub-colour: (#[0-9a-f]{6}); \}", CSS.read_text())
    assert [style for style, _ in palette] == ["1", "2", "3", "4", "5", "6"]
    assert min(_contrast_with_white(colour) for _, colour in palette) >= 3


def test_the_style_sheet_draws_text_at_the_size_the_layout_reckons_with():
    rule = re.search(r"\.hub-chart__text \{([^}]*)\}", CSS.read_text()).group(1)
    assert f"font-size: {FONT}px" in rule


def test_series_differ_in_more_than_colour():
    series = tuple(Series(f"Team {index}", (index, index + 1)) for index in range(6))
    shapes = [
        re.sub(r"[-\d. ]+", "", str(item.swatch))
        for item in draw(Chart("line", ("a", "b"), series), "c").legend
    ]
    markers = [re.search(r"<circle|d=\"M[^\"]*l[^\"]*\"", shape).group() for shape in shapes]
    assert len(set(markers)) >= 3
    assert (
        len(
            {
                re.search(r"hub-series--(\d)", str(i.swatch)).group(1)
                for i in draw(Chart("line", ("a", "b"), series), "c").legend
            }
        )
        == 6
    )


# --- the figures ----------------------------------------------------------------------------------


def test_the_table_holds_every_figure_of_the_chart_and_its_bounds():
    chart = Chart(
        "line",
        ("2024", "2025"),
        (Series("Recorded", (1234, None)), Series("Forecast", (None, 1500.5), (None, 1400), (None, 1600))),
    )
    columns, rows, notes = figures(chart)
    assert columns == ("Month", "Recorded", "Forecast", "Forecast: lower", "Forecast: upper")
    assert rows == (
        ("2024", "1,234", "no data", "no data", "no data"),
        ("2025", "no data", "1,500.5", "1,400", "1,600"),
    )
    assert notes == ()


def test_what_is_not_drawn_is_said_and_stands_in_the_table():
    chart = Chart(
        "line", tuple(map(str, range(500))), tuple(Series(f"s{n}", tuple(range(500))) for n in range(8))
    )
    drawing = draw(chart, "c")
    assert "The chart shows the last 400 of 500 points; the table has the others." in drawing.notes
    assert "The chart shows the first 6 of 8 series; the table has the others." in drawing.notes
    assert len(drawing.rows) == 500
    assert len(drawing.columns) == 9


def test_a_chart_without_figures_is_a_table_alone():
    for chart in (
        Chart("line", (), ()),
        Chart("bar", ("a",), (Series("s", (None,)),)),
        Chart("stacked", ("a",), ()),
    ):
        drawing = draw(chart, "c")
        assert (drawing.wide, drawing.narrow) == ("", "")
        assert drawing.columns[0] == "Month"


def test_one_series_needs_no_legend_and_two_have_one():
    one = draw(Chart("bar", ("a",), (Series("s", (1,)),)), "c")
    two = draw(Chart("bar", ("a",), (Series("s", (1,)), Series("<t>", (1,)))), "c")
    assert one.legend == ()
    assert [item.name for item in two.legend] == ["s", "<t>"]


# --- lines ----------------------------------------------------------------------------------------


def test_a_gap_breaks_the_line_and_a_lone_point_gets_a_marker():
    values = (1, 2, None, 4, None, 6, 7)
    for root in pictures(Chart("line", tuple("abcdefg"), (Series("s", values),))):
        (path,) = classes(root, "hub-chart__line")
        assert path.get("d").count("M") == 2
    many = tuple(range(60))
    lone = (*many, None, 5, None)
    wide, _ = pictures(Chart("line", tuple(map(str, range(63))), (Series("s", lone),)))
    assert len(classes(wide, "hub-chart__marker")) == 1


def test_a_single_point_is_drawn_in_the_middle():
    wide, _ = pictures(Chart("line", ("2025",), (Series("s", (5_400_000,)),)))
    (point,) = classes(wide, "hub-chart__marker")
    assert WIDE * 0.4 < float(point.get("cx")) < WIDE * 0.6
    assert "6m" in texts(wide)


def test_a_fan_is_a_band_where_both_bounds_are_known():
    series = Series("s", (1, 2, 3), (None, 1, 2), (None, 3, 5))
    drawing = draw(Chart("line", ("a", "b", "c"), (series,)), "c")
    root = parse(drawing.wide)
    (band,) = classes(root, "hub-chart__band")
    assert band.get("d").count("L") == 3
    assert "Shaded bands show the range from the lower to the upper figure." in drawing.notes


def test_an_axis_that_leaves_out_zero_says_so():
    said = "The vertical axis does not start at zero."
    assert said in draw(Chart("line", ("a", "b"), (Series("s", (1000, 1100)),)), "c").notes
    assert said not in draw(Chart("line", ("a", "b"), (Series("s", (10, 1100)),)), "c").notes
    assert said not in draw(Chart("bar", ("a", "b"), (Series("s", (1000, 1100)),)), "c").notes


# --- bars -----------------------------------------------------------------------------------------


def bars_of(root):
    return [
        {key: float(item.get(key)) for key in ("x", "y", "width", "height")}
        for item in classes(root, "hub-chart__bar")
    ]


def test_bars_begin_at_zero_and_are_as_long_as_their_figures():
    wide, _ = pictures(Chart("bar", ("2023", "2024", "2025"), (Series("s", (100, 50, -25)),)))
    high, half, below = bars_of(wide)
    assert half["height"] == pytest.approx(high["height"] / 2, abs=0.1)
    assert below["height"] == pytest.approx(high["height"] / 4, abs=0.1)
    assert below["y"] == pytest.approx(high["y"] + high["height"], abs=0.1)


def test_long_names_make_rows_that_carry_their_figures():
    wide, narrow = pictures(Chart("bar", LONG, (Series("s", (1200, None, 30)),)))
    for root in (wide, narrow):
        shown = texts(root)
        assert "1,200" in shown
        assert "no data" in shown
        assert len({bar["x"] for bar in bars_of(root)}) == 1
    assert " ".join(texts(narrow)).startswith("Investigation of serious and organised crime")


def test_a_stack_piles_positive_up_and_negative_down():
    wide, _ = pictures(
        Chart("stacked", ("2025",), (Series("in", (5,)), Series("more", (5,)), Series("out", (-10,))))
    )
    first, second, out = bars_of(wide)
    assert second["y"] + second["height"] == pytest.approx(first["y"], abs=0.1)
    assert out["y"] == pytest.approx(first["y"] + first["height"], abs=0.1)
    assert out["height"] == pytest.approx(first["height"] * 2, abs=0.1)


def test_many_months_make_columns_with_fewer_labels_but_many_names_make_rows():
    months = tuple(
        f"{month} {year}"
        for year in range(2020, 2024)
        for month in ("Jan", "Feb", "Mar", "Apr", "May", "Jun")
    )
    wide, _ = pictures(Chart("bar", months, (Series("s", tuple(range(24))),)))
    assert len({bar["x"] for bar in bars_of(wide)}) == 24
    assert sum(text in months for text in texts(wide)) < 24
    names = tuple(f"School number {index}" for index in range(24))
    wide, _ = pictures(Chart("bar", names, (Series("s", tuple(range(24))),)))
    assert sum(text in names for text in texts(wide)) == 24


def test_only_the_first_sixty_categories_are_drawn():
    drawing = draw(
        Chart("bar", tuple(f"Category {n}" for n in range(90)), (Series("s", tuple(range(90))),)), "c"
    )
    assert str(drawing.wide).count("hub-chart__bar") == 60
    assert drawing.notes == ("The chart shows the first 60 of 90 categories; the table has the others.",)


# --- hostile and extreme --------------------------------------------------------------------------

HOSTILE = "</svg><script>alert(1)</script>\" onload='x' &amp; ]]> \x00\x0b\u202e\ud800"


def test_hostile_names_stay_text():
    chart = Chart(
        "line", (HOSTILE, "b"), (Series(HOSTILE, (1, 2)), Series("b", (3, 4))), HOSTILE, HOSTILE, HOSTILE
    )
    drawing = draw(chart, HOSTILE)
    for svg in (drawing.wide, drawing.narrow, *(item.swatch for item in drawing.legend)):
        root = parse(svg)
        assert {item.tag.removeprefix(SVG) for item in root.iter()} <= {
            "svg",
            "g",
            "path",
            "text",
            "title",
            "desc",
            "circle",
            "rect",
        }
        assert not any(
            name.startswith("on") or name == "style" for item in root.iter() for name in item.attrib
        )
    assert "<script>" not in drawing.wide


anything = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(10**400), 10**400),
    st.integers(-50, 50_000),
    st.floats(0, 1, allow_subnormal=True),
)
name = st.text(max_size=60)


@st.composite
def charts(draw_value):
    count = draw_value(st.integers(0, 14))
    label = draw_value(st.sampled_from([name, st.sampled_from(MONTHS), st.sampled_from(LONG)]))
    values = st.lists(anything, min_size=max(0, count - 1), max_size=count + 1).map(tuple)
    bounds = st.one_of(st.none(), values)
    series = st.builds(Series, name, values, bounds, bounds)
    return Chart(
        kind=draw_value(st.sampled_from(["line", "bar", "stacked", "pie"])),
        x=tuple(draw_value(st.lists(label, min_size=count, max_size=count))),
        series=tuple(draw_value(st.lists(series, max_size=8))),
        title=draw_value(name),
        x_label=draw_value(name),
        y_label=draw_value(name),
    )


def _numbers(item):
    keys = ("x", "y", "cx", "cy", "width", "height")
    return [float(item.get(key)) for key in keys if item.get(key)]


def _overlapping(root):
    """Pairs of texts on one line that touch."""
    lines: dict[float, list[tuple[float, float]]] = {}
    for item in root.iter(f"{SVG}text"):
        width = text_width(item.text or "", FONT)
        start = (
            float(item.get("x")) - {"start": 0, "middle": width / 2, "end": width}[item.get("text-anchor")]
        )
        lines.setdefault(float(item.get("y")), []).append((start, start + width))
    for spans in lines.values():
        spans.sort()
        yield from (pair for pair in pairwise(spans) if pair[0][1] > pair[1][0] + 0.1)


@settings(max_examples=120, deadline=None)
@given(charts())
def test_any_chart_is_well_formed_inside_its_picture_and_its_labels_do_not_touch(chart):
    drawing = draw(chart, "c")
    assert len(drawing.rows) == len(chart.x)
    for svg, width in ((drawing.wide, WIDE), (drawing.narrow, NARROW)):
        if not svg:
            continue
        root = parse(svg)
        height = float(root.get("viewBox").split()[3])
        for item in root.iter():
            assert all(math.isfinite(figure) for figure in _numbers(item))
            assert "nan" not in item.get("d", "")
            assert "inf" not in item.get("d", "")
        for bar in bars_of(root):
            assert -0.5 <= bar["x"] <= bar["x"] + bar["width"] <= width + 0.5
            assert -0.5 <= bar["y"] <= bar["y"] + bar["height"] <= height + 0.5
        for point in root.iter(f"{SVG}circle"):
            assert 0 <= float(point.get("cx")) <= width
            assert 0 <= float(point.get("cy")) <= height
        assert not list(_overlapping(root))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(-1e100, 1e100), max_size=6), st.booleans())
def test_a_scale_holds_its_figures_between_few_rising_ticks(values, zero):
    scale = make_scale(values, zero=zero)
    nearly = max((abs(value) for value in values), default=0) * 1e-6 + 1e-90
    assert all(scale.low - nearly <= value <= scale.high + nearly for value in values)
    assert list(scale.ticks) == sorted(set(scale.ticks))
    assert 2 <= len(scale.ticks) <= 12
    assert len(set(scale.labels)) == len(scale.labels)
    assert not zero or scale.low <= 0 <= scale.high


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0, 10], ("0", "2", "4", "6", "8", "10")),
        ([3, 1], ("0", "1", "2", "3")),
        ([0, 2_500_000], ("0", "0.5m", "1.0m", "1.5m", "2.0m", "2.5m")),
        ([-7, -3], ("\N{MINUS SIGN}8", "\N{MINUS SIGN}6", "\N{MINUS SIGN}4", "\N{MINUS SIGN}2", "0")),
        ([0.1, 0.35], ("0", "0.1", "0.2", "0.3", "0.4")),
        ([], ("0", "1")),
    ],
)
def test_ticks_fall_on_numbers_people_count_in(values, labels):
    assert make_scale(values, zero=True).labels == labels


# --- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "no data"),
        (float("nan"), "no data"),
        (1234567, "1,234,567"),
        (-1234.56, "\N{MINUS SIGN}1,234.6"),
        (0.12345, "0.123"),
        (1.0, "1"),
        (-0.0, "0"),
        (True, "Yes"),
        (float("inf"), "infinite"),
        (1e308, "1 × 10³⁰⁸"),
        (-(10**400) * 3, "\N{MINUS SIGN}3 × 10⁴⁰⁰"),
        (2.5e-9, "2.5 × 10⁻⁹"),
        ("a\x00b\nc", "a\N{REPLACEMENT CHARACTER}b c"),
    ],
)
def test_figures_read_as_people_write_them(value, shown):
    assert number(value) == shown


@given(st.text(), st.floats(20, 300))
def test_cut_and_wrapped_text_fits_its_room(text, room):
    assert text_width(shorten(text, room, FONT), FONT) <= room
    lines = wrap(clean(text), room, FONT)
    assert 1 <= len(lines) <= 2
    assert all(text_width(line, FONT) <= room for line in lines)
