"""Load against capacity by team and month.

    response   = incidents x officers x hours at the incident x overhead (travel, waiting, paperwork)
    load       = response + investigation + proactive commitment + internal demand
    capacity   = FTE x contracted hours x (1 - abstraction)
    rho        = load / capacity
    FTE needed = (load / contracted hours) / (1 - abstraction)

Dividing by what is left after abstraction is right; multiplying by (1 + abstraction) understaffs.
Investigation and internal hours are as recorded; the proactive commitment is as planned, because recorded
prevention hours are what is left when response work has crowded it out. Training is part of abstraction and
not counted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from joinedup_workforce.panel import add_months, calendar_day

if TYPE_CHECKING:
    import polars as pl

RECORDED, FORECAST = "recorded", "forecast"
# Months over which shares, minutes and overhead are measured; the overhead leaves out the last ones, so that
# response work which incidents do not explain shows beside it rather than inside it.
MEASURED_MONTHS = 12
OVERHEAD_GAP_MONTHS = 3
# A team needs so many incidents in the measured year for an overhead of its own.
LEAST_INCIDENTS = 200
# Days of a month that recorded weeks must cover for the month to count.
LEAST_DAYS = 25
# Minutes a call of Detroit's police (n = 258,786), for incidents without a recorded duration. Surveyed.
SURVEYED_MINUTES = {
    "domestic abuse": 64.3,
    "burglary": 56.2,
    "mental health": 54.4,
    "anti-social behaviour": 33.1,
}
SURVEYED_MINUTES_ANY = 50.1


@dataclass(frozen=True)
class Overhead:
    """Recorded response hours for each officer-hour at an incident, by team.

    `own`: teams with enough incidents to measure it by themselves; the others have that of their kind of
    team.
    """

    by_team: dict[str, float]
    own: frozenset[str]
    measured: bool
    incidents_without_minutes: int


def officer_hours(incidents: pl.DataFrame) -> pl.DataFrame:
    """Incidents with `month` (first day) and `hours`: officers x minutes / 60.

    Where minutes are empty, the surveyed mean of the category; where officers are, one.
    """
    import polars as pl

    surveyed = pl.col("category").replace_strict(
        SURVEYED_MINUTES, default=SURVEYED_MINUTES_ANY, return_dtype=pl.Float64
    )
    minutes = pl.coalesce(pl.col("minutes").cast(pl.Float64), surveyed)
    return incidents.with_columns(
        month=calendar_day(incidents).dt.truncate("1mo"),
        hours=pl.col("officers").fill_null(1).cast(pl.Float64) * minutes / 60,
    )


def monthly_hours(recording: pl.DataFrame, months: list[date]) -> pl.DataFrame:
    """Recorded and planned hours by team and month: weeks shared out over the days that they cover.

    Returns `team`, `month`, `activity`, `actual`, `planned` for those of `months` in which a team recorded
    weeks that cover 25 days or more, scaled to the days of the month (weeks do not end with months).
    """
    import polars as pl

    daily = (
        recording.filter(pl.col("actual_hours").is_not_null())
        .with_columns(day=pl.date_ranges("week_start", pl.col("week_start").dt.offset_by("6d")))
        .explode("day")
        .with_columns(month=pl.col("day").dt.truncate("1mo"))
        .filter(pl.col("month").is_in(months))
    )
    covered = daily.group_by("team", "month").agg(days=pl.col("day").n_unique())
    scale = pl.col("month").dt.days_in_month() / pl.col("days") / 7
    return (
        daily.join(covered.filter(pl.col("days") >= LEAST_DAYS), on=["team", "month"])
        .group_by("team", "month", "activity")
        .agg(
            actual=(pl.col("actual_hours") * scale).sum(),
            planned=(pl.col("planned_hours").fill_null(0) * scale).sum(),
        )
        .sort("team", "month", "activity")
    )


def recorded_load(
    incidents: pl.DataFrame,
    hours: pl.DataFrame,
    establishment: pl.DataFrame,
    months: list[date],
    overhead: float | None,
) -> tuple[pl.DataFrame, Overhead]:
    """Load and capacity in months that lie behind, a row a team and month, by team and month.

    `incidents`: from `officer_hours`; `hours`: from `monthly_hours`; `overhead`: None to measure it.
    """
    import polars as pl

    teams = establishment.filter(pl.col("month").is_in(months)).select(
        "team", "area", "kind", "month", "fte", "contracted_hours", "abstraction_rate"
    )
    at_incidents = incidents.group_by("team", "month").agg(incident_hours=pl.col("hours").sum())
    table = teams.join(at_incidents, on=["team", "month"], how="left").with_columns(
        pl.col("incident_hours").fill_null(0.0)
    )
    for name, activity, which in (
        ("recorded_response_hours", "response", "actual"),
        ("investigation_hours", "investigation", "actual"),
        ("proactive_hours", "prevention", "planned"),
        ("internal_hours", "internal", "actual"),
    ):
        part = hours.filter(pl.col("activity") == activity).select("team", "month", pl.col(which).alias(name))
        table = table.join(part, on=["team", "month"], how="left")
    # A month counts only where the team's hours are known for all of it; an activity it never records is
    # none.
    table = table.join(hours.select("team", "month").unique(), on=["team", "month"], how="semi")
    names = ("recorded_response_hours", "investigation_hours", "proactive_hours", "internal_hours")
    table = table.with_columns(pl.col(name).fill_null(0.0) for name in names)
    measured = measure_overhead(table, incidents, overhead)
    factor = pl.col("team").replace_strict(measured.by_team, default=1.0, return_dtype=pl.Float64)
    return with_load(
        table.with_columns(response_hours=pl.col("incident_hours") * factor, basis=pl.lit(RECORDED))
    ), measured


def measure_overhead(table: pl.DataFrame, incidents: pl.DataFrame, given: float | None) -> Overhead:
    """Response hours recorded for each officer-hour at incidents, over the year before the last months."""
    import polars as pl

    empty = int(incidents["minutes"].null_count())
    teams = sorted(table["team"].unique().to_list())
    if given is not None or table.is_empty():
        return Overhead(dict.fromkeys(teams, given or 1.0), frozenset(), given is None, empty)
    last = add_months(_last_month(table), -OVERHEAD_GAP_MONTHS)
    months = pl.col("month").is_between(add_months(last, 1 - MEASURED_MONTHS), last)
    ratio = pl.col("recorded_response_hours").sum() / pl.col("incident_hours").sum()
    # Without recorded response hours, or incidents, there is nothing to measure: an hour is taken for an
    # hour.
    usable = pl.when(ratio.is_finite() & (ratio > 0)).then(ratio).otherwise(1.0)
    window = table.filter(months)
    by_kind = dict(window.group_by("kind").agg(usable).iter_rows())
    by_own = dict(window.group_by("team").agg(usable).iter_rows())
    cases = dict(incidents.filter(months).group_by("team").len().iter_rows())
    kinds = dict(table.group_by("team").agg(pl.col("kind").last()).iter_rows())
    own = frozenset(team for team in teams if cases.get(team, 0) >= LEAST_INCIDENTS and team in by_own)
    by_team = {team: by_own[team] if team in own else by_kind.get(kinds[team], 1.0) for team in teams}
    return Overhead(by_team, own, True, empty)


def _last_month(table: pl.DataFrame) -> date:
    last = table["month"].max()
    if not isinstance(last, date):
        raise ValueError("the table has no month")
    return last


def with_load(table: pl.DataFrame) -> pl.DataFrame:
    """Load, capacity, rho and FTE needed from their parts.

    Rho and FTE needed are null where there is no capacity.
    """
    import polars as pl

    load = pl.sum_horizontal("response_hours", "investigation_hours", "proactive_hours", "internal_hours")
    on_duty = pl.col("contracted_hours") * (1 - pl.col("abstraction_rate"))
    capacity_hours = pl.col("fte") * on_duty
    table = table.with_columns(load_hours=load, capacity_hours=capacity_hours)
    return table.with_columns(
        rho=pl.when(pl.col("capacity_hours") > 0).then(pl.col("load_hours") / pl.col("capacity_hours")),
        fte_needed=pl.when(on_duty > 0).then(pl.col("load_hours") / on_duty),
    ).sort("team", "month")


def expected_load(
    recorded: pl.DataFrame, incidents: pl.DataFrame, forecast: pl.DataFrame, overhead: Overhead
) -> pl.DataFrame:
    """Load in the months ahead if the forecast comes true and nothing else changes; columns as recorded.

    `forecast`: `area`, `category`, `month`, `forecast`. Teams take the share of each area and category, with
    the hours an incident, of the last 12 months; other work goes on at that year's daily rate; the
    establishment stays as it is.
    """
    import polars as pl

    if recorded.is_empty() or forecast.is_empty():
        return recorded.clear()
    last = _last_month(recorded)
    year = [add_months(last, -number) for number in range(MEASURED_MONTHS)]
    ahead = _incident_hours_ahead(incidents.filter(pl.col("month").is_in(year)), forecast)
    days = pl.col("month").dt.days_in_month()
    daily = (
        recorded.filter(pl.col("month").is_in(year))
        .group_by("team")
        .agg(
            (pl.col(name).sum() / days.sum()).alias(name)
            for name in ("investigation_hours", "proactive_hours", "internal_hours")
        )
    )
    # Teams that were there in the last months: one that has been disbanded has no months ahead.
    there = recorded.filter(pl.col("month") >= add_months(last, -2))
    now = there.sort("team", "month").group_by("team", maintain_order=True).last()
    posts = now.select("team", "area", "kind", "fte", "contracted_hours", "abstraction_rate")
    months = forecast.select(pl.col("month").unique().sort())
    table = (
        posts.join(daily, on="team").join(months, how="cross").join(ahead, on=["team", "month"], how="left")
    )
    factor = pl.col("team").replace_strict(overhead.by_team, default=1.0, return_dtype=pl.Float64)
    scaled = [pl.col(name) * days for name in ("investigation_hours", "proactive_hours", "internal_hours")]
    table = table.with_columns(
        *scaled,
        pl.col("incident_hours").fill_null(0.0),
        recorded_response_hours=pl.lit(None, pl.Float64),
        basis=pl.lit(FORECAST),
    ).with_columns(response_hours=pl.col("incident_hours") * factor)
    return with_load(table).select(recorded.columns)


def _incident_hours_ahead(recent: pl.DataFrame, forecast: pl.DataFrame) -> pl.DataFrame:
    """Officer-hours at incidents by team and month ahead, at the shares and hours an incident of `recent`."""
    import polars as pl

    cases = recent.group_by("area", "category").len("cases")
    hours_each = (
        recent.group_by("area", "category", "team")
        .agg(hours=pl.col("hours").sum())
        .join(cases, on=["area", "category"])
        .select("area", "category", "team", hours_each=pl.col("hours") / pl.col("cases"))
    )
    return (
        forecast.join(hours_each, on=["area", "category"])
        .group_by("team", "month")
        .agg(incident_hours=(pl.col("forecast") * pl.col("hours_each")).sum())
    )
