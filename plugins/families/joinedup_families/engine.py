"""The rule engine: a ruleset over linked households, to answers with the evidence behind them.

`evaluate` is the whole of it: who is in the population, the answer of each criterion, eligibility. It counts
and dates; it does not weigh, score or rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from joinedup_families import indicators
from joinedup_families.answers import ANSWERS, CANNOT_TELL, ELIGIBILITY, MET, NO, OPEN, PRECEDENCE, YES
from joinedup_families.logic import age_in_years
from joinedup_families.ruleset import Criterion, Indicator, Register, Ruleset
from joinedup_families.sources import Sources, reach

FAMILY, FAMILY_UNKNOWN, NOT_FAMILY = "family", "age of a member not known", "no child"


@dataclass(frozen=True)
class Result:
    """What a run found.

    `households`: one row a household of the population, by `household_id`: `criteria_met`, `needs_no_data`
    (criteria without an answer), `eligible`, for every criterion its answer and `<criterion>_evidence`
    (text), `in_touch` (context, not part of eligibility), `evidence` (JSON), `ruleset`, `as_at`. `summary`:
    `criterion`, `answer`, `households`; every combination, zeros too.
    """

    ruleset: Ruleset
    as_at: date
    households: pl.DataFrame
    summary: pl.DataFrame
    people_without_household: int
    coverage: tuple[tuple[str, str, str], ...]


def evaluate(ruleset: Ruleset, people: pl.DataFrame, sources: Sources, as_at: date) -> Result:
    """Apply a ruleset to linked households as at a date.

    `people`: `person_id`, `household_id`, `date_of_birth`; one row a person. People without a household are
    counted and left out: the rules are about households.
    """
    housed = people.select("person_id", "household_id", "date_of_birth").filter(
        pl.col("household_id").is_not_null()
    )
    kinds = _population(housed, ruleset.child_under, as_at)
    listed = kinds.filter(pl.col("kind") != NOT_FAMILY)
    # Nobody outside the population is looked at: their rows are dropped before any rule is.
    members = housed.join(listed.select("household_id"), on="household_id", how="semi")
    households = listed.select("household_id")
    answered = {
        criterion.id: _criterion(criterion, sources, members, households, as_at)
        for criterion in ruleset.criteria
    }
    context = [_context(one, sources, members, households, as_at) for one in ruleset.context]
    table = _households(ruleset, listed, answered, context, as_at)
    return Result(
        ruleset=ruleset,
        as_at=as_at,
        households=table,
        summary=_summary(ruleset, table, kinds),
        people_without_household=people.height - housed.height,
        coverage=_coverage(ruleset, sources, as_at),
    )


def _population(people: pl.DataFrame, child_under: int, as_at: date) -> pl.DataFrame:
    """Households with what is known of children in them: `household_id`, `kind`.

    Sorted, so that runs are alike.
    """
    child = age_in_years("date_of_birth", pl.lit(as_at)) < child_under
    known = people.group_by("household_id").agg(
        has_child=child.fill_null(value=False).any(), age_unknown=pl.col("date_of_birth").is_null().any()
    )
    kind = (
        pl.when("has_child")
        .then(pl.lit(FAMILY))
        .when("age_unknown")
        .then(pl.lit(FAMILY_UNKNOWN))
        .otherwise(pl.lit(NOT_FAMILY))
    )
    return known.select("household_id", kind=kind).sort("household_id")


def _criterion(
    criterion: Criterion, sources: Sources, members: pl.DataFrame, households: pl.DataFrame, as_at: date
) -> pl.DataFrame:
    """The answers of a criterion: `household_id`, `answer`, `text` (evidence in words), `items` (structs)."""
    parts = [
        indicators.evaluate(one, sources.get(one.source), members, households, as_at).with_columns(
            indicator=pl.lit(one.id),
            title=pl.lit(one.title),
            source=pl.lit(one.source),
            place=pl.lit(place),
            since=pl.lit(isinstance(one, Register)),
        )
        for place, one in enumerate(criterion.indicators)
    ]
    rank = pl.col("answer").replace_strict(dict(zip(PRECEDENCE, range(len(PRECEDENCE)), strict=True)))
    together = pl.concat(parts).with_columns(rank=rank)
    item = pl.struct(
        "indicator",
        "answer",
        "source",
        "rows",
        pl.col("first").cast(pl.String),
        pl.col("last").cast(pl.String),
        "why",
    )
    return (
        together.sort("household_id", "place")
        .group_by("household_id", maintain_order=True)
        .agg(
            answer=pl.col("answer").sort_by("rank", maintain_order=True).first(),
            text=_in_words()
            .filter(pl.col("rank") == pl.col("rank").min())
            .unique(maintain_order=True)
            .str.join("; "),
            items=item,
        )
    )


def _in_words() -> pl.Expr:
    """Evidence as a sentence: what, how many rows, which days, from where; or why there is no answer."""
    first, last = pl.col("first").dt.strftime("%-d %B %Y"), pl.col("last").dt.strftime("%-d %B %Y")
    span = (
        pl.when("since")
        .then(pl.format(", since {}", first))
        .when(first == last)
        .then(pl.format(", {}", first))
        .otherwise(pl.format(", {} to {}", first, last))
    )
    rows = pl.when(pl.col("rows") == 1).then(pl.lit("row")).otherwise(pl.lit("rows"))
    evidence = pl.format(" ({} {} in {}{})", "rows", rows, "source", span.fill_null(""))
    counted = pl.when(pl.col("rows") > 0).then(evidence).otherwise(pl.lit(""))
    return pl.concat_str(pl.when(pl.col("answer") == MET).then("title").otherwise("why"), counted)


def _context(
    indicator: Indicator, sources: Sources, members: pl.DataFrame, households: pl.DataFrame, as_at: date
) -> pl.DataFrame:
    """One line of context a household, null where there is nothing to say."""
    found = indicators.evaluate(indicator, sources.get(indicator.source), members, households, as_at)
    since = pl.format("{} since {}", pl.lit(indicator.title), pl.col("first").dt.strftime("%-d %B %Y"))
    return found.select("household_id", line=pl.when(pl.col("answer") == MET).then(since))


def _households(
    ruleset: Ruleset,
    listed: pl.DataFrame,
    answered: dict[str, pl.DataFrame],
    context: list[pl.DataFrame],
    as_at: date,
) -> pl.DataFrame:
    table = listed
    for name, found in answered.items():
        renamed = {"answer": name, "text": f"{name}_evidence", "items": f"{name}_items"}
        table = table.join(found.rename(renamed), on="household_id", how="left", maintain_order="left")
    for number, lines in enumerate(context):
        table = table.join(
            lines.rename({"line": f"line_{number}"}), on="household_id", how="left", maintain_order="left"
        )
    names = list(answered)
    met = pl.sum_horizontal(*((pl.col(name) == MET).cast(pl.Int64) for name in names))
    open_ = pl.sum_horizontal(*(pl.col(name).is_in(OPEN).cast(pl.Int64) for name in names))
    required = ruleset.needs_required
    eligible = (
        pl.when(met + open_ < required)
        .then(pl.lit(NO))
        .when((met >= required) & (pl.col("kind") == FAMILY))
        .then(pl.lit(YES))
        .otherwise(pl.lit(CANNOT_TELL))
    )
    lines = [pl.col(f"line_{number}") for number in range(len(context))]
    evidence = pl.struct(**{name: pl.col(f"{name}_items") for name in names}).struct.json_encode()
    return table.select(
        "household_id",
        criteria_met=met,
        needs_no_data=open_,
        eligible=eligible,
        **{name: pl.col(name) for name in names},
        **{f"{name}_evidence": pl.col(f"{name}_evidence") for name in names},
        in_touch=pl.concat_str(lines, separator="; ", ignore_nulls=True) if lines else pl.lit(""),
        evidence=evidence,
        ruleset=pl.lit(ruleset.label),
        as_at=pl.lit(as_at),
    )


def _summary(ruleset: Ruleset, table: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    rows: list[tuple[str, str, int]] = []
    for name, values in (*((one.id, ANSWERS) for one in ruleset.criteria), ("eligible", ELIGIBILITY)):
        counts = dict(table[name].value_counts().iter_rows())
        rows += [(name, value, counts.get(value, 0)) for value in values]
    counts = dict(kinds["kind"].value_counts().iter_rows())
    rows += [("population", kind, counts.get(kind, 0)) for kind in (FAMILY, FAMILY_UNKNOWN, NOT_FAMILY)]
    schema = {"criterion": pl.String, "answer": pl.String, "households": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _coverage(ruleset: Ruleset, sources: Sources, as_at: date) -> tuple[tuple[str, str, str], ...]:
    """Every indicator whose source does not reach: criterion, indicator and why."""
    return tuple(
        (criterion.title, indicator.title, reached.why_not)
        for criterion in ruleset.criteria
        for indicator in criterion.indicators
        if not (reached := reach(indicator, sources.get(indicator.source), as_at)).covered
    )
