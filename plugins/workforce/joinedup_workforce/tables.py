"""The output tables of the workforce plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from joinedup_workforce.panel import YEAR

if TYPE_CHECKING:
    from joinedup_workforce.findings import Findings
    from joinedup_workforce.mix import Mix
    from joinedup_workforce.outlook import Line, Outlook

LOAD_COLUMNS = (
    "team",
    "area",
    "kind",
    "month",
    "basis",
    "response_hours",
    "investigation_hours",
    "proactive_hours",
    "internal_hours",
    "load_hours",
    "capacity_hours",
    "rho",
    "fte",
    "fte_needed",
    "recorded_response_hours",
)


def badge(line: Line) -> str:
    """The mark of a series whose counts are too low to forecast well."""
    return "low count" if line.low_count else ""


def forecast(outlook: Outlook) -> pl.DataFrame:
    """A row a series or total and month ahead."""
    rows = [
        {
            "month": month,
            "area": line.area,
            "category": line.category,
            "method": line.method,
            "forecast": line.ahead[step],
            "lower_80": line.lower[0.80][step],
            "upper_80": line.upper[0.80][step],
            "lower_95": line.lower[0.95][step],
            "upper_95": line.upper[0.95][step],
            "cases_last_year": _cases(line),
            "badge": badge(line),
        }
        for line in outlook.lines
        for step, month in enumerate(outlook.ahead)
    ]
    texts = {"month": pl.Date, "area": pl.String, "category": pl.String, "method": pl.String}
    numbers = dict.fromkeys(("forecast", "lower_80", "upper_80", "lower_95", "upper_95"), pl.Float64)
    return pl.DataFrame(rows, schema={**texts, **numbers, "cases_last_year": pl.Int64, "badge": pl.String})


def backtest(outlook: Outlook) -> pl.DataFrame:
    """A row a series or total: both methods side by side."""
    rows = [
        (
            line.area,
            line.category,
            line.mase_model,
            line.mase_baseline,
            line.compared,
            line.method,
            _cases(line),
            badge(line),
        )
        for line in outlook.lines
    ]
    schema = {
        "area": pl.String,
        "category": pl.String,
        "mase_model": pl.Float64,
        "mase_baseline": pl.Float64,
        "compared": pl.Int64,
        "method": pl.String,
        "cases_last_year": pl.Int64,
        "badge": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def load(found: Findings) -> pl.DataFrame:
    """A row a team and month, the team under most strain first, months in order."""
    order = found.teams.select("team", place=pl.int_range(pl.len()))
    ordered = found.load.join(order, on="team", how="left").sort("place", "team", "month", nulls_last=True)
    return ordered.select(LOAD_COLUMNS)


def mix(mixes: list[Mix]) -> pl.DataFrame:
    """A row a team and watched week."""
    rows = [
        (one.team, week, share, one.planned, one.limits.mean, one.limits.lower, one.limits.upper)
        for one in mixes
        for week, share in zip(one.weeks, one.shares, strict=True)
    ]
    names = ("response_share", "planned_share", "mean", "lower_limit", "upper_limit")
    schema = {"team": pl.String, "week_start": pl.Date, **dict.fromkeys(names, pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def alerts(found: Findings) -> pl.DataFrame:
    """A row an alert."""
    rows = [(one.team, one.kind, one.message, one.value, one.usual) for one in found.alerts]
    names = ("team", "kind", "message")
    schema = {**dict.fromkeys(names, pl.String), "value": pl.Float64, "usual": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _cases(line: Line) -> int:
    return round(sum(line.history[-YEAR:]))
