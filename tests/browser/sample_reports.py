"""Made-up reports of plugins, one honest and one hostile."""

from __future__ import annotations

import math

from hub_sdk import Chart, Report, Series, Table, Text

MONTHS = tuple(
    f"{month} {year}"
    for year in (2024, 2025)
    for month in ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
)
_PAST = tuple(round(1200 + 160 * math.sin(index / 2) + index * 7) for index in range(24))
REPORT = Report(
    "Demand and workforce: what to expect",
    "Demand was 4% higher than a year ago. Two of six teams carry more work than they have people for.\n\n"
    "- Neighbourhood South is over capacity for the seventh week.\n"
    "- The forecast beats “same month last year”.",
    (
        Chart(
            "Incidents a month, with the forecast",
            "line",
            "Month",
            "Incidents",
            (*MONTHS, "Jan 2026", "Feb 2026", "Mar 2026"),
            (
                Series("Recorded", (*_PAST, None, None, None)),
                Series(
                    "Forecast (80% of months fall into the band)",
                    (*(None,) * 23, _PAST[-1], 1390, 1420, 1455),
                    (*(None,) * 23, _PAST[-1], 1290, 1300, 1310),
                    (*(None,) * 23, _PAST[-1], 1490, 1540, 1600),
                ),
            ),
            "Recorded incidents to December 2025.",
        ),
        Chart(
            "Load against capacity by team",
            "bar",
            "Team",
            "Load as a share of capacity",
            (
                "Response North",
                "Response East",
                "Neighbourhood South",
                "Investigation: serious and organised crime",
                "Domestic abuse",
            ),
            (Series("Load", (1.12, 0.94, 1.31, 0.71, None)),),
        ),
        Chart(
            "Hours by activity",
            "stacked",
            "Team",
            "Hours",
            ("North", "East", "South", "West"),
            (
                Series("Response", (900, 700, 1200, 640)),
                Series("Prevention", (500, 620, 210, 540)),
                Series("Investigation", (300, 280, 330, 350)),
                Series("Training", (60, 70, 20, 80)),
            ),
        ),
        Table(
            "Teams over capacity",
            ("Team", "Planned", "Actual", "Weeks over"),
            (("Neighbourhood South", 0.98, 1.31, 7), ("Response North", 1.0, 1.12, 3)),
            "Actual: recorded hours over available hours.",
        ),
        Text(
            "How sure this is",
            "The forecast was tested on the last 12 months.\n\nIts error was 0.87 of last year's.",
        ),
    ),
    ("The people in this report are invented; its accuracy says nothing about real demand.",),
)
HOSTILE_REPORT = Report(
    "Report <b>bold</b>",
    "<script>alert(1)</script>",
    (
        Chart(
            "<img src=x onerror=alert(1)>",
            "bar",
            "</svg><script>",
            "\"'&",
            ("<b>a</b>", "javascript:alert(1)"),
            (Series("</title><script>alert(1)</script>", (1, -2.5)), Series("b", (None, 1e12))),
        ),
        Table("<h1>t</h1>", ("<td>", "b"), (("<a href='javascript:1'>", 1), (None, 2))),
        Text("<style>", "- <li>one\n- two"),
    ),
    ("<b>warning</b>",),
)
