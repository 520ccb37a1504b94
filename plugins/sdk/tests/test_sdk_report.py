"""The report: plain text, tables and charts, checked when made and the same after a journey through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_sdk import Chart, FormatError, Report, RunOutput, Series, Table, Text

texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=30)
figures = st.none() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.lists(texts, min_size=1, max_size=4, unique=True))
    row = st.tuples(*[texts | figures for _ in columns])
    return Table(draw(texts), tuple(columns), tuple(draw(st.lists(row, max_size=5))), draw(texts))


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    x = tuple(draw(st.lists(texts, min_size=1, max_size=5)))
    values = st.tuples(*[figures for _ in x])
    names = draw(st.lists(texts, min_size=1, max_size=3, unique=True))
    series = [
        Series(name, draw(values), *draw(st.sampled_from([(None, None), (draw(values),) * 2])))
        for name in names
    ]
    return Chart(draw(texts), draw(st.sampled_from(["line", "bar"])), "x", "y", x, tuple(series), draw(texts))


blocks = st.lists(st.builds(Text, texts, texts) | tables() | charts(), max_size=4).map(tuple)
reports = st.builds(Report, texts, texts, blocks, st.lists(texts, max_size=3).map(tuple))


@given(reports)
def test_a_report_survives_json(report: Report) -> None:
    assert Report.from_json(json.loads(json.dumps(report.to_json(), allow_nan=False))) == report


def test_figures_of_data_libraries_become_plain_numbers() -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed here")

    table = Table("Title", ("a", "b"), ((numpy.int64(3), numpy.float32(0.5)),))

    assert [type(cell) for cell in table.rows[0]] == [int, float]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Text("Heading", ""), "body: must not be empty"),
        (lambda: Text("Two\nlines", "Body"), "heading: must not hold control characters or line breaks"),
        (lambda: Text("Heading", "\x1b[31m"), "body: must not hold control characters"),
        (lambda: Table("T", ("a", "b"), ((1,),)), r"rows\[0\]: has 1 items"),
        (lambda: Table("T", ("a",), ((float("nan"),),)), r"rows\[0\]\[0\]: must be finite; write None"),
        (lambda: Table("T", ("a",), ((True,),)), "write 'yes' or 'no'"),
        (lambda: Table("T", ("a",), (({},),)), "must be a number"),
        (lambda: Table("T", ("a", "a"), ()), "twice"),
        (lambda: Table("T", ("a",), ((1,),) * 2001), "has 2001 items"),
        (lambda: Series("s", (1, 2), lower=(0, 1)), "come together"),
        (lambda: Series("s", (1, 2), lower=(0,), upper=(2,)), "lower: has 1 items"),
        (lambda: Chart("T", "line", "x", "y", ("a", "b"), (Series("s", (1,)),)), "has 1 values for 2 labels"),
        (lambda: Chart("T", "pie", "x", "y", ("a",), (Series("s", (1,)),)), "kind: must be one of"),  # type: ignore[arg-type]
        (lambda: Chart("T", "stacked", "x", "y", ("a",), (Series("s", (-1,)),)), "no negative values"),
        (lambda: Chart("T", "line", "x", "y", ("a",), ()), "series: has 0 items"),
        (lambda: Report("T", "S", ("text",)), r"blocks\[0\]: must be Text, Table or Chart"),  # type: ignore[arg-type]
        (lambda: Report("", "S"), "title: must not be empty"),
        (lambda: RunOutput([], Report("T", "S")), "tables: must map"),  # type: ignore[arg-type]
        (lambda: RunOutput({}, None), "report: must be Report"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_shown_is_refused(make: Any, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        make()


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"title": "T"}, ""),
        ({"title": "T", "summary": "S", "html": "<b>"}, ""),
        ({"title": "T", "summary": "S", "blocks": [{"kind": "html", "body": "<b>"}]}, "blocks[0]"),
        ({"title": "T", "summary": "S", "blocks": [{"kind": ["text"]}]}, "blocks[0]"),
        (
            {"title": "T", "summary": "S", "blocks": [{"kind": "text", "heading": "H", "body": 5}]},
            "blocks[0].body",
        ),
        ({"title": "T", "summary": "S", "blocks": {"0": 1}}, "blocks"),
        ([], ""),
    ],
)
def test_json_from_a_worker_is_checked(data: object, place: str) -> None:
    with pytest.raises(FormatError) as wrong:
        Report.from_json(data)

    assert wrong.value.place == place


def test_markup_is_just_text() -> None:
    report = Report("<script>alert(1)</script>", "=cmd|'/c calc'!A1")

    assert Report.from_json(report.to_json()).title == "<script>alert(1)</script>"
