"""The demand profile: recorded crime by force, quarter and offence group, and what it takes to attend.

For published figures (Home Office recorded crime open data): it describes, and makes no forecast.
"""

from __future__ import annotations

from hub_sdk import Context, Input, Manifest, Output, OutputColumn, Parameter, Resources, RunOutput, hookimpl
from joinedup_workforce import __version__
from joinedup_workforce.settings import EVERY_FORCE, Settings


class DemandProfilePlugin:
    """Recorded crime by force and offence group, quarter on quarter."""

    @hookimpl
    def hub_describe(self) -> Manifest:
        """What the plugin reads, hands back and can be told."""
        columns = (
            "financial_year",
            "financial_quarter",
            "force_name",
            "offence_group",
            "offence_subgroup",
            "number_of_offences",
        )
        return Manifest(
            name="demand-profile",
            version=__version__,
            title="Demand profile: recorded crime by force",
            summary="Recorded crime by police force, quarter and offence group: how much, what share, how "
            "it changed, and an estimate of the officer hours at first attendance. Published figures; no "
            "forecast.",
            inputs=(Input("recorded_crime", "police.recorded_crime", columns),),
            outputs=_outputs(),
            parameters=_parameters(),
            resources=Resources(memory_mb=1024, cpu_seconds=120, wall_seconds=300, output_mb=64),
        )

    @hookimpl
    def hub_run(self, context: Context) -> RunOutput:
        """Sum, compare, estimate, report."""
        import polars

        from joinedup_workforce import crime, crime_report

        settings = Settings(
            force=str(context.parameters["force"]),
            officers=float(str(context.parameters["officers_per_offence"])),
            attended=float(str(context.parameters["attended"])),
        )
        profile = crime.profile(polars.from_arrow(context.table("recorded_crime")), settings)
        context.progress(0.8, "writing the report")
        tables = {
            "by_force": profile.by_force,
            "by_group": profile.by_group,
            "officer_hours": profile.officer_hours,
        }
        report = crime_report.build(profile, top=int(str(context.parameters["top_forces"])))
        return RunOutput(tables={name: frame.to_arrow() for name, frame in tables.items()}, report=report)


def _parameters() -> tuple[Parameter, ...]:
    return (
        Parameter(
            "force",
            "string",
            EVERY_FORCE,
            "The force whose offence groups are shown, as the source writes its name; 'all' for every "
            "force together.",
        ),
        Parameter("top_forces", "integer", 10, "How many forces the chart shows.", minimum=1, maximum=50),
        Parameter(
            "officers_per_offence",
            "number",
            1.0,
            "Officers at the first attendance of an offence. Assumed: no published figure is held.",
            minimum=0.1,
            maximum=10.0,
        ),
        Parameter(
            "attended",
            "number",
            1.0,
            "Share of offences that are attended at all, 0 to 1. Assumed: no published figure is held.",
            minimum=0.0,
            maximum=1.0,
        ),
    )


def _outputs() -> tuple[Output, ...]:
    quarter = (
        OutputColumn("financial_year", "string", "Financial year, such as 2017/18"),
        OutputColumn("financial_quarter", "integer", "Quarter of the financial year; 1 is April to June"),
        OutputColumn(
            "offences",
            "integer",
            "Offences recorded; may be negative, where more were taken back than recorded",
        ),
        OutputColumn("share", "number", "Share of all offences of the quarter, 0 to 1"),
        OutputColumn(
            "change", "number", "Change on the quarter before, as a share; empty where there is none"
        ),
    )
    return (
        Output(
            "by_force",
            (
                OutputColumn("force", "string", "Police force, or body that reports fraud"),
                OutputColumn("kind", "string", "territorial force, national force or fraud reporting body"),
                *quarter,
            ),
            "open",
        ),
        Output("by_group", (OutputColumn("offence_group", "string", "Offence group"), *quarter), "open"),
        Output(
            "officer_hours",
            (
                OutputColumn("offence_group", "string", "Offence group"),
                OutputColumn("offence_subgroup", "string", "Offence subgroup"),
                OutputColumn("offences", "integer", "Offences over all quarters"),
                OutputColumn("minutes", "number", "Minutes an offence; empty where no estimate is made"),
                OutputColumn("basis", "string", "Where the minutes come from: surveyed, assumed, or none"),
                OutputColumn(
                    "officer_hours", "number", "Offences x share attended x officers x minutes / 60"
                ),
                OutputColumn("source", "string", "The survey, or what is assumed"),
            ),
            "open",
        ),
    )
