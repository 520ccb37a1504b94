"""The workforce plugin: what will be asked of teams, whether they can carry it, and what they really do."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from hub_sdk import Context, Input, Manifest, Output, OutputColumn, Parameter, Resources, RunOutput, hookimpl
from joinedup_workforce import __version__

if TYPE_CHECKING:
    import polars as pl

    from joinedup_workforce.findings import Findings


class WorkforcePlugin:
    """Demand forecast by area and category, load against capacity by team, and drift of the mix of work."""

    @hookimpl
    def hub_describe(self) -> Manifest:
        """What the plugin reads, hands back and can be told."""
        return Manifest(
            name="workforce",
            version=__version__,
            title="Workforce: demand, load and mix of work",
            summary="Forecasts incidents by month, area and category and shows on past data whether that "
            "beats last year's figure; compares the load of each team with its capacity; and watches how "
            "far what teams do has drifted from what was planned. About teams, never about officers.",
            inputs=_inputs(),
            outputs=(_forecast_output(), _backtest_output(), _load_output(), _mix_output(), _alerts_output()),
            parameters=_parameters(),
            resources=Resources(memory_mb=2048, cpu_seconds=300, wall_seconds=600, output_mb=128),
        )

    @hookimpl
    def hub_run(self, context: Context) -> RunOutput:
        """Forecast, then load, then mix; every part says what it could not see."""
        from joinedup_workforce import tables
        from joinedup_workforce.report import build

        found = _findings(context)
        context.progress(0.9, "writing the report")
        frames = {
            "forecast": tables.forecast(found.outlook),
            "backtest": tables.backtest(found.outlook),
            "load": tables.load(found),
            "mix": tables.mix(found.mixes),
            "alerts": tables.alerts(found),
        }
        return RunOutput(
            tables={name: frame.to_arrow() for name, frame in frames.items()}, report=build(found)
        )


def _findings(context: Context) -> Findings:
    import polars

    from joinedup_workforce import findings

    incidents = polars.DataFrame(context.table("incidents"))
    chosen = context.parameters
    settings = findings.Settings(
        ahead=int(str(chosen["months_ahead"])),
        overhead=float(str(chosen["overhead"])) or None,
        smallest_team=float(str(chosen["smallest_team"])),
    )
    recording, establishment = context.polars("time_recording"), context.polars("establishment")
    return findings.find(
        incidents, recording, establishment, _period(context, incidents), settings, context.progress
    )


def _period(context: Context, incidents: pl.DataFrame) -> tuple[date, date]:
    """The days that incidents cover, no further than the day of the run."""
    from joinedup_workforce.panel import calendar_day

    days = incidents.select(calendar_day(incidents)).to_series()
    covered = context.coverage("incidents")
    first = (covered and covered.period_start) or days.min()
    last = (covered and covered.period_end) or days.max()
    if not isinstance(first, date) or not isinstance(last, date):
        return context.today, context.today
    return first, min(last, context.today)


def _inputs() -> tuple[Input, ...]:
    incident = ("occurred_at", "area", "category", "team", "officers", "minutes")
    recording = ("team", "week_start", "activity", "planned_hours", "actual_hours")
    posts = ("team", "area", "kind", "month", "fte", "contracted_hours", "abstraction_rate")
    return (
        Input("incidents", "police.incidents", incident),
        Input("time_recording", "police.time_recording", recording, required=False),
        Input("establishment", "police.establishment", posts, required=False),
    )


def _parameters() -> tuple[Parameter, ...]:
    return (
        Parameter("months_ahead", "integer", 6, "How many months to forecast.", minimum=1, maximum=12),
        Parameter(
            "overhead",
            "number",
            0.0,
            "Response hours for each officer-hour at an incident (travel, waiting, paperwork). 0: measure "
            "it from the time recording of the past year, by kind of team.",
            minimum=0.0,
            maximum=10.0,
        ),
        Parameter(
            "smallest_team",
            "number",
            2.0,
            "Teams with fewer posts than this are left out: a figure about them would be about an "
            "officer. Many forces would choose 5.",
            minimum=2.0,
            maximum=50.0,
        ),
    )


def _forecast_output() -> Output:
    return Output(
        name="forecast",
        disclosure="aggregate",
        count_columns=("cases_last_year",),
        columns=(
            OutputColumn("month", "date", "First day of the month"),
            OutputColumn("area", "string", "Area, or 'all areas'"),
            OutputColumn("category", "string", "Category of incident, or 'all categories'"),
            OutputColumn(
                "method", "string", "'model', or 'same month last year' where the model did not beat it"
            ),
            OutputColumn("forecast", "number", "Expected incidents in the month"),
            OutputColumn(
                "lower_80", "number", "Lower end of the 80% interval; empty where past errors are too few"
            ),
            OutputColumn("upper_80", "number", "Upper end of the 80% interval"),
            OutputColumn("lower_95", "number", "Lower end of the 95% interval"),
            OutputColumn("upper_95", "number", "Upper end of the 95% interval"),
            OutputColumn("cases_last_year", "integer", "Incidents of the series in the last 12 months"),
            OutputColumn("badge", "string", "'low count' where there are fewer than 30 incidents a month"),
        ),
    )


def _backtest_output() -> Output:
    return Output(
        name="backtest",
        disclosure="aggregate",
        count_columns=("cases_last_year",),
        columns=(
            OutputColumn("area", "string", "Area, or 'all areas'"),
            OutputColumn("category", "string", "Category of incident, or 'all categories'"),
            OutputColumn(
                "mase_model", "number", "Mean absolute scaled error of the model (below 1: better than naive)"
            ),
            OutputColumn("mase_baseline", "number", "The same of 'same month last year'"),
            OutputColumn("compared", "integer", "Forecasts that were compared with what came"),
            OutputColumn("method", "string", "The method that is used for this series"),
            OutputColumn("cases_last_year", "integer", "Incidents of the series in the last 12 months"),
            OutputColumn("badge", "string", "'low count' where there are fewer than 30 incidents a month"),
        ),
    )


def _load_output() -> Output:
    hours = (
        ("response_hours", "Incidents x officers x hours, with travel, waiting and paperwork"),
        ("investigation_hours", "Investigation, as recorded"),
        ("proactive_hours", "Prevention, as planned"),
        ("internal_hours", "Internal demand, as recorded"),
        ("load_hours", "Sum of the four"),
        ("capacity_hours", "FTE x contracted hours x (1 - abstraction)"),
        ("rho", "Load over capacity; above 1 there is more work than time"),
        ("fte", "Full-time posts filled"),
        ("fte_needed", "Full-time posts that would cover the load at the same abstraction"),
        ("recorded_response_hours", "Response hours that the team recorded; empty for months ahead"),
    )
    return Output(
        name="load",
        disclosure="aggregate",
        columns=(
            OutputColumn("team", "string", "Team"),
            OutputColumn("area", "string", "Area of the team"),
            OutputColumn("kind", "string", "Kind of team"),
            OutputColumn("month", "date", "First day of the month"),
            OutputColumn("basis", "string", "'recorded', or 'forecast' for months ahead"),
            *(OutputColumn(name, "number", text) for name, text in hours),
        ),
    )


def _mix_output() -> Output:
    return Output(
        name="mix",
        disclosure="aggregate",
        columns=(
            OutputColumn("team", "string", "Team"),
            OutputColumn("week_start", "date", "First day of the week"),
            OutputColumn("response_share", "number", "Response hours over all recorded hours"),
            OutputColumn("planned_share", "number", "The same as planned, over the last weeks"),
            OutputColumn("mean", "number", "Mean of the reference weeks before those watched"),
            OutputColumn("lower_limit", "number", "Mean - 2.66 x mean moving range"),
            OutputColumn("upper_limit", "number", "Mean + 2.66 x mean moving range"),
        ),
    )


def _alerts_output() -> Output:
    return Output(
        name="alerts",
        disclosure="aggregate",
        columns=(
            OutputColumn("team", "string", "Team"),
            OutputColumn("kind", "string", "mix drift, over capacity, or hours not explained"),
            OutputColumn("message", "string", "The finding in words"),
            OutputColumn("value", "number", "The figure behind it: a share, rho, or a ratio of hours"),
            OutputColumn("usual", "number", "What it is held against"),
        ),
    )
