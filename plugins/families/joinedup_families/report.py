"""The report of a run: what ran under which rules, the answers, what is not covered, and the limits.

A report is shown more widely than the tables, so its figures are rounded to the nearest 5 and small ones
withheld.
"""

from __future__ import annotations

import polars as pl

from hub_sdk import Chart, Report, Series, Table, Text
from joinedup_families.answers import ANSWERS, CANNOT_TELL, ELIGIBILITY, NO, YES
from joinedup_families.engine import FAMILY, FAMILY_UNKNOWN, NOT_FAMILY, Result
from joinedup_families.sources import Source, Sources, day

SMALL = 10
ROUNDED = f"Households, rounded to the nearest 5; fewer than {SMALL} are not shown as a figure."

LIMITS = (
    "This is eligibility under published rules, not a prediction: it says which recorded facts meet which "
    "criterion, and nothing about what a family will do. There is no score and no order.\n\nA person "
    "decides. An answer is a reason to look, never a reason to act without talking to the family; the "
    "dates and sources beside each answer are there to be checked, and a family can ask for them to be "
    "corrected.\n\nThe answers are as good as the linkage. A record that the hub has not linked to its "
    "person counts for nobody: 'not met' means that no linked record meets the rule in a source that "
    "covers the period. A record linked to the wrong person counts for the wrong household.\n\nHouseholds "
    "are the hub's own, made from addresses that departments hold; a family may live across two of them."
)


def build(result: Result, sources: Sources) -> Report:
    """The report of one run, without names, pseudonyms or small figures."""
    counts = {(criterion, answer): number for criterion, answer, number in result.summary.iter_rows()}
    ruleset = result.ruleset
    families = counts["population", FAMILY] + counts["population", FAMILY_UNKNOWN]
    summary = (
        f"{ruleset.title}, as at {day(result.as_at)}: of {_figure(families)} households with a child, or "
        f"where the age of a member is not known, {_figure(counts['eligible', YES])} meet "
        f"{ruleset.needs_required} or more of {len(ruleset.criteria)} criteria, "
        f"{_figure(counts['eligible', NO])} do not, and for {_figure(counts['eligible', CANNOT_TELL])} the "
        "data cannot tell."
    )
    return Report(
        title=f"Families: eligibility under {ruleset.id}",
        summary=summary,
        blocks=(
            _answers_table(result, counts),
            _answers_chart(result, counts),
            _eligibility_table(counts),
            _sources_table(result, sources),
            Text("How far back and which records", _choices(result)),
            _rules_table(result),
            Text("What this can and cannot say", LIMITS),
        ),
        warnings=_warnings(result, sources, counts),
    )


def rounded(number: int) -> int | None:
    """The figure to show: to the nearest 5, None where it is small but not nothing."""
    if 0 < number < SMALL:
        return None
    return 5 * round(number / 5)


def _figure(number: int) -> str:
    shown = rounded(number)
    return f"fewer than {SMALL}" if shown is None else f"{shown:,}"


def _cell(number: int) -> int | str:
    shown = rounded(number)
    return f"fewer than {SMALL}" if shown is None else shown


def _answers_table(result: Result, counts: dict[tuple[str, str], int]) -> Table:
    return Table(
        title="Answers by criterion",
        columns=("Criterion", *(answer.capitalize() for answer in ANSWERS)),
        rows=tuple(
            (one.title, *(_cell(counts[one.id, answer]) for answer in ANSWERS))
            for one in result.ruleset.criteria
        ),
        note=ROUNDED,
    )


def _answers_chart(result: Result, counts: dict[tuple[str, str], int]) -> Chart:
    criteria = result.ruleset.criteria
    return Chart(
        title="Answers by criterion",
        kind="stacked",
        x_label="Criterion",
        y_label="Households",
        x=tuple(one.title for one in criteria),
        series=tuple(
            Series(answer.capitalize(), tuple(rounded(counts[one.id, answer]) for one in criteria))
            for answer in ANSWERS
        ),
        note=ROUNDED,
    )


def _eligibility_table(counts: dict[tuple[str, str], int]) -> Table:
    outside = (f"Not looked at: {NOT_FAMILY} in the household", _cell(counts["population", NOT_FAMILY]))
    return Table(
        title="Eligible under the ruleset",
        columns=("Eligible", "Households"),
        rows=(*((answer.capitalize(), _cell(counts["eligible", answer])) for answer in ELIGIBILITY), outside),
        note=ROUNDED + " 'Cannot tell': the criteria without an answer could make up the number.",
    )


def _sources_table(result: Result, sources: Sources) -> Table:
    rows = []
    for name in sorted(result.ruleset.columns()):
        source = sources.get(name)
        if source.rows is None:
            rows.append((name, "not supplied", None, None, None))
            continue
        dates = (source.period_start, source.period_end, source.as_at)
        rows.append(
            (name, f"{source.rows.height:,}", *(one.isoformat() if one else "not stated" for one in dates))
        )
    return Table(
        title="What the sources cover",
        columns=("Source", "Rows", "From", "To", "As at"),
        rows=tuple(rows),
        note="Where a source states no period, the dates of its rows are used.",
    )


def _choices(result: Result) -> str:
    ruleset = result.ruleset
    chosen = "; ".join(ruleset.choices) or "none: as published"
    wording = (
        "checked against the published source" if ruleset.wording_status == "checked" else "not yet checked"
    )
    return (
        f"Ruleset {ruleset.label}, as at {day(result.as_at)}. Choices that differ from the published "
        f"rules, or that the rules leave to councils: {chosen}.\n\nWording status: "
        f"{ruleset.wording_status} ({wording}). {ruleset.wording_note}\n\nSource: {ruleset.source}."
    )


def _rules_table(result: Result) -> Table:
    return Table(
        title="The rules",
        columns=("Criterion", "Met when", "Looked up in"),
        rows=tuple(
            (one.title, one.rule, ", ".join(sorted({indicator.source for indicator in one.indicators})))
            for one in result.ruleset.criteria
        ),
        note=f"Eligible: {result.ruleset.needs_required} or more of these, in "
        f"{result.ruleset.population.lower()}.",
    )


def _warnings(result: Result, sources: Sources, counts: dict[tuple[str, str], int]) -> tuple[str, ...]:
    found = list(
        dict.fromkeys(
            f"{criterion}: source not covered, because {why}." for criterion, _, why in result.coverage
        )
    )
    for name in sorted(result.ruleset.columns()):
        found += _unlinked(sources.get(name))
    if result.people_without_household:
        found.append(
            f"People without a household, who are left out: {_figure(result.people_without_household)}."
        )
    if counts["population", FAMILY_UNKNOWN]:
        found.append(
            "Households where it is not known whether a child lives there: "
            f"{_figure(counts['population', FAMILY_UNKNOWN])}. They are listed, and never as eligible."
        )
    if result.ruleset.wording_status != "checked":
        found.append(f"The wording of {result.ruleset.id} has not been checked against the published source.")
    return tuple(found)


def _unlinked(source: Source) -> list[str]:
    """A warning where rows are linked to nobody: a 'not met' may be one of them."""
    if source.rows is None or source.rows.is_empty():
        return []
    nobody = source.rows.filter(pl.col("person_id").is_null()).height
    share = nobody / source.rows.height
    if share < 0.005:
        return []
    return [
        f"{source.name}: {share:.0%} of its rows are linked to no person (nobody named, or not found). "
        "They count for no one, so a 'not met' may be one of them."
    ]
