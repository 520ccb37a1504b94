"""All that a run of the workforce plugin found, before it is put into tables and words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from joinedup_workforce import load, mix
from joinedup_workforce.outlook import Outlook, covered_days, outlook
from joinedup_workforce.panel import monthly_panel

if TYPE_CHECKING:
    from joinedup_workforce.load import Overhead
    from joinedup_workforce.mix import Mix

# Columns of numbers may arrive as decimals or whole numbers.
HOURS = ("planned_hours", "actual_hours")
POSTS = ("fte", "contracted_hours", "abstraction_rate")

# Load and recorded hours are judged over this many last months together: single months are noisy.
RECENT_MONTHS = 3
# Recorded response hours above those that incidents explain by more than this are told (assumed).
NOT_EXPLAINED = 1.25

MIX_DRIFT, OVER_CAPACITY, HOURS_NOT_EXPLAINED = "mix drift", "over capacity", "hours not explained"


@dataclass(frozen=True)
class Alert:
    """One thing to look into, in words and with the figure behind it and what that is held against."""

    team: str
    kind: str
    message: str
    value: float
    usual: float


@dataclass(frozen=True)
class Findings:
    """Outlook; load by team and month, and by team over the last months; mixes; alerts; what is missing."""

    outlook: Outlook
    load: pl.DataFrame
    teams: pl.DataFrame
    mixes: list[Mix]
    alerts: list[Alert]
    overhead: Overhead | None
    missing: tuple[str, ...]
    small_teams: int
    incomplete_weeks: int


@dataclass(frozen=True)
class Settings:
    """What may be set for a run.

    `ahead`: months to forecast; `overhead`: None to measure it; `smallest_team`: posts below which a team is
    not shown.
    """

    ahead: int = 6
    overhead: float | None = None
    smallest_team: float = 2.0


def find(
    incidents: pl.DataFrame,
    recording: pl.DataFrame | None,
    establishment: pl.DataFrame | None,
    period: tuple[date, date],
    settings: Settings,
    on_progress: Callable[[float, str], None] = lambda fraction, message: None,
) -> Findings:
    """Run the whole analysis. `period`: the first and last day that incidents cover."""
    missing = tuple(
        name
        for name, table in (("time recording", recording), ("establishment", establishment))
        if table is None
    )
    on_progress(0.1, "counting incidents by month")
    # Sorted, so that sums of floats come out the same whatever the order of the rows.
    incidents = incidents.sort(incidents.columns)
    panel = monthly_panel(incidents, *covered_days(*period))
    on_progress(0.2, "forecasting, and testing the forecast on past months")
    found = outlook(panel, settings.ahead)
    on_progress(0.6, "load against capacity")
    loads, measured, small = _empty_load(), None, frozenset[str]()
    if recording is not None:
        recording = recording.sort(recording.columns).with_columns(pl.col(HOURS).cast(pl.Float64))
    if recording is not None and establishment is not None and panel.length:
        posts = establishment.sort(establishment.columns).with_columns(pl.col(POSTS).cast(pl.Float64))
        months = panel.months()
        timed = load.officer_hours(incidents)
        hours = load.monthly_hours(recording, months)
        loads, measured = load.recorded_load(timed, hours, posts, months, settings.overhead)
        expected = load.expected_load(loads, timed, _series_forecast(found), measured)
        loads = pl.concat([loads, expected])
        small = _small_teams(posts, settings.smallest_team)
    on_progress(0.8, "the mix of work")
    weeks = mix.weekly(recording, period[1]) if recording is not None else None
    # A figure about a team of one or two is a figure about an officer.
    loads = loads.filter(~pl.col("team").is_in(small))
    mixes = [one for one in mix.team_mixes(weeks) if one.team not in small] if weeks is not None else []
    teams = _teams(loads)
    return Findings(
        outlook=found,
        load=loads,
        teams=teams,
        mixes=mixes,
        alerts=_alerts(teams, mixes, measured),
        overhead=measured,
        missing=missing,
        small_teams=len(small),
        incomplete_weeks=0 if weeks is None else int((~weeks["complete"]).sum()),
    )


def _small_teams(posts: pl.DataFrame, smallest: float) -> frozenset[str]:
    """Teams with fewer posts than that, on average over their last months."""
    recent = posts.sort("team", "month").group_by("team").agg(pl.col("fte").tail(RECENT_MONTHS).mean())
    return frozenset(recent.filter(pl.col("fte") < smallest)["team"])


def _series_forecast(found: Outlook) -> pl.DataFrame:
    rows = [
        (line.area, line.category, month, value)
        for line in found.lines
        if not line.is_total
        for month, value in zip(found.ahead, line.ahead, strict=True)
    ]
    schema = {"area": pl.String, "category": pl.String, "month": pl.Date, "forecast": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _teams(loads: pl.DataFrame) -> pl.DataFrame:
    """Load and capacity of each team over the last recorded months together, and ahead; worst first."""
    recorded = loads.filter(pl.col("basis") == load.RECORDED)
    if recorded.is_empty():
        return _sums(recorded).with_columns(rho_ahead=pl.lit(None, pl.Float64))
    since = pl.col("month").max().dt.offset_by(f"-{RECENT_MONTHS}mo")
    recent = _sums(recorded.filter(pl.col("month") > since))
    ahead = _sums(loads.filter(pl.col("basis") == load.FORECAST)).select("team", rho_ahead="rho")
    return recent.join(ahead, on="team", how="left").sort(
        ["rho", "team"], descending=[True, False], nulls_last=True
    )


def _sums(rows: pl.DataFrame) -> pl.DataFrame:
    """A month's mean by team; rho and FTE needed from the sums, not as means of ratios."""
    means = (
        "response_hours",
        "investigation_hours",
        "proactive_hours",
        "internal_hours",
        "load_hours",
        "capacity_hours",
        "recorded_response_hours",
        "fte",
        "fte_needed",
    )
    grouped = rows.group_by("team", maintain_order=True).agg(
        pl.col("kind").last(), *(pl.col(name).mean() for name in means), months=pl.len()
    )
    return grouped.with_columns(
        rho=pl.when(pl.col("capacity_hours") > 0).then(pl.col("load_hours") / pl.col("capacity_hours"))
    )


def _alerts(teams: pl.DataFrame, mixes: list[Mix], overhead: Overhead | None) -> list[Alert]:
    found = [
        Alert(one.team, MIX_DRIFT, one.sentence(), one.recent, one.limits.mean)
        for one in mixes
        if one.drifting
    ]
    for row in teams.iter_rows(named=True):
        if row["rho"] is not None and row["rho"] > 1:
            message = (
                f"{row['team']}: load is {row['rho']:.0%} of capacity over the last {row['months']} "
                f"months; the load needs {row['fte_needed']:.1f} full-time posts and {row['fte']:.1f} are "
                "filled"
            )
            found.append(Alert(row["team"], OVER_CAPACITY, message, row["rho"], 1.0))
        explained, recorded = row["response_hours"], row["recorded_response_hours"]
        # Only where the usual hours an incident are the team's own: another team's would explain little.
        known = overhead is not None and row["team"] in overhead.own
        if known and explained and recorded > NOT_EXPLAINED * explained:
            message = (
                f"{row['team']}: {recorded:,.0f} response hours a month are recorded; at its usual hours "
                f"each, its incidents explain {explained:,.0f} (last {row['months']} months)"
            )
            found.append(
                Alert(row["team"], HOURS_NOT_EXPLAINED, message, recorded / explained, NOT_EXPLAINED)
            )
    return found


def _empty_load() -> pl.DataFrame:
    texts = {"team": pl.String, "area": pl.String, "kind": pl.String, "month": pl.Date, "basis": pl.String}
    numbers = dict.fromkeys(
        (
            "fte",
            "contracted_hours",
            "abstraction_rate",
            "incident_hours",
            "recorded_response_hours",
            "investigation_hours",
            "proactive_hours",
            "internal_hours",
            "response_hours",
            "load_hours",
            "capacity_hours",
            "rho",
            "fte_needed",
        ),
        pl.Float64,
    )
    return pl.DataFrame(schema={**texts, **numbers})
