"""The families plugin: eligibility rules over linked households, with the evidence and its dates.

It answers a published question with rules that anyone can read (`rulesets/`). It is not a prediction and
holds no score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_sdk import Context, Input, Manifest, Output, OutputColumn, Parameter, Resources, RunOutput, hookimpl
from joinedup_families import __version__

if TYPE_CHECKING:
    import polars as pl

    from joinedup_families.engine import Result
    from joinedup_families.ruleset import Ruleset
    from joinedup_families.sources import Sources

LINKED = ("person", "household")
# Which input carries which dataset; rulesets name datasets, plugins inputs.
DATASETS = {
    "schools.attendance": "attendance",
    "children.in_need": "children",
    "police.incidents": "incidents",
    "benefits.claims": "claims",
}
# Criteria of all rulesets that the plugin carries, in the order of the table.
CRITERIA = {
    "crime_and_asb": "Crime and anti-social behaviour",
    "education": "Education",
    "out_of_work": "Out-of-work benefit",
}
RULESETS = ("TF-2012",)


class FamiliesPlugin:
    """Which households meet the criteria of a families programme, and on what evidence."""

    @hookimpl
    def hub_describe(self) -> Manifest:
        """What the plugin reads, hands back and can be told."""
        return Manifest(
            name="families",
            version=__version__,
            title="Families: eligibility for help",
            summary="Applies the published criteria of a families programme to linked households. Every "
            "need is answered met, not met, no data or source not covered, with the dates of the "
            "evidence. No score and no prediction: a person decides.",
            inputs=_inputs(),
            outputs=(_households_output(), _summary_output()),
            parameters=_parameters(),
            resources=Resources(memory_mb=2048, cpu_seconds=300, wall_seconds=600, output_mb=256),
        )

    @hookimpl
    def hub_run(self, context: Context) -> RunOutput:
        """Load the ruleset, evaluate it as at the day of the run, report."""
        import polars

        from joinedup_families.engine import evaluate
        from joinedup_families.report import build

        ruleset = _ruleset(context)
        context.progress(0.1, f"applying {ruleset.label}")
        people = polars.DataFrame(context.table("people"))
        sources = _sources(context)
        result = evaluate(ruleset, people, sources, context.today)
        context.progress(0.8, "writing the report")
        tables = {"households": _complete(result), "summary": result.summary}
        return RunOutput(
            tables={name: frame.to_arrow() for name, frame in tables.items()}, report=build(result, sources)
        )


def _inputs() -> tuple[Input, ...]:
    """Only what a rule reads; a test compares these columns with those of the rulesets."""
    return (
        Input("people", "hub.people", ("person_id", "household_id", "date_of_birth")),
        Input(
            "attendance",
            "schools.attendance",
            (
                "term_start",
                "sessions_possible",
                "absence_authorised",
                "absence_unauthorised",
                "fixed_exclusions",
                "permanent_exclusion",
                "on_roll",
                "provision",
            ),
            required=False,
            link=LINKED,
        ),
        Input(
            "children", "children.in_need", ("status", "start_date", "end_date"), required=False, link=LINKED
        ),
        Input(
            "incidents",
            "police.incidents",
            ("occurred_at", "category", "involved_role", "outcome"),
            required=False,
            link=LINKED,
        ),
        Input(
            "claims",
            "benefits.claims",
            ("out_of_work", "start_date", "end_date"),
            required=False,
            link=LINKED,
        ),
    )


def _households_output() -> Output:
    answers = "met, not met, no data or source not covered"
    return Output(
        name="households",
        disclosure="person",
        key="household_id",
        columns=(
            OutputColumn("household_id", "string", "The household, under the pseudonym of the agreement"),
            OutputColumn("criteria_met", "integer", "How many criteria of the ruleset are met"),
            OutputColumn(
                "needs_no_data", "integer", "How many criteria have no answer: no data, or source not covered"
            ),
            OutputColumn("eligible", "string", "yes, no or cannot tell, under the ruleset"),
            *(OutputColumn(name, "string", f"{title}: {answers}") for name, title in CRITERIA.items()),
            *(
                OutputColumn(
                    f"{name}_evidence", "string", f"{title}: the rows and dates behind the answer, in words"
                )
                for name, title in CRITERIA.items()
            ),
            OutputColumn("in_touch", "string", "Context, not part of eligibility: services already in touch"),
            OutputColumn("evidence", "string", "The same evidence for every indicator, as JSON"),
            OutputColumn("ruleset", "string", "Ruleset and version that gave these answers"),
            OutputColumn("as_at", "date", "The day that the answers are as at"),
        ),
    )


def _summary_output() -> Output:
    return Output(
        name="summary",
        disclosure="aggregate",
        count_columns=("households",),
        columns=(
            OutputColumn("criterion", "string", "A criterion, 'eligible', or 'population'"),
            OutputColumn(
                "answer", "string", "The answer; for 'population' whether a child lives in the household"
            ),
            OutputColumn("households", "integer", "How many households"),
        ),
    )


def _parameters() -> tuple[Parameter, ...]:
    return (
        Parameter("ruleset", "string", "TF-2012", "The eligibility rules to apply.", choices=RULESETS),
        Parameter(
            "absence_counts",
            "string",
            "unauthorised",
            "Which absence from school counts: unauthorised (as published) or all. Councils differ.",
            choices=("unauthorised", "all"),
        ),
        Parameter(
            "asb_counts",
            "string",
            "any",
            "Which anti-social behaviour counts: any recorded incident with a member of the household as "
            "suspect, or only those that ended in an intervention (proven offence or community "
            "resolution).",
            choices=("any", "intervention"),
        ),
        Parameter(
            "look_back_months",
            "integer",
            12,
            "How far back crime and anti-social behaviour count, in months up to the day of the run. "
            "Published: 12.",
            minimum=1,
            maximum=36,
        ),
    )


def _ruleset(context: Context) -> Ruleset:
    from joinedup_families.ruleset import load_ruleset

    chosen = context.parameters
    return load_ruleset(
        str(chosen["ruleset"]),
        {name: str(chosen[name]) for name in ("absence_counts", "asb_counts")},
        int(str(chosen["look_back_months"])),
    )


def _sources(context: Context) -> Sources:
    from joinedup_families.sources import Source, Sources

    found = {}
    for dataset, name in DATASETS.items():
        rows = context.polars(name)
        if rows is None:
            continue
        covered = context.coverage(name)
        dates = (covered.period_start, covered.period_end, covered.as_at) if covered else (None, None, None)
        found[dataset] = Source(dataset, rows, *dates)
    return Sources(found)


def _complete(result: Result) -> pl.DataFrame:
    """The households with a column for every criterion of every ruleset: those of other rulesets are null."""
    import polars as pl

    table = result.households
    columns = [column.name for column in _households_output().columns]
    absent = [name for name in columns if name not in table.columns]
    return table.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).select(columns)
