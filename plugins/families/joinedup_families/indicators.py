"""Indicators over linked rows: the answer of each for every household, with the rows and dates behind it.

A test counts, by household: `yes` (cases that meet the rule), `unclear` (cases that an empty cell leaves
open), `missing` (people about whom the source should hold a row and does not), `subjects` (people known in
the household whom the rule could be about), and the rows and dates of the first two. `_answers` turns the
counts into one of the four answers.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from joinedup_families import school_terms
from joinedup_families.answers import MET, NO_DATA, NOT_MET, SOURCE_NOT_COVERED
from joinedup_families.logic import age_fits, age_in_years, calendar_day, where
from joinedup_families.ruleset import Events, Indicator, Register, Terms
from joinedup_families.sources import Reach, Source, day, reach

COUNTS = ("subjects", "seen", "yes", "unclear", "missing")
DATES = ("yes_first", "yes_last", "unclear_first", "unclear_last")


def evaluate(
    indicator: Indicator, source: Source, members: pl.DataFrame, households: pl.DataFrame, as_at: date
) -> pl.DataFrame:
    """The answer of one indicator for each of `households`.

    `members`: `person_id` (unique), `household_id`, `date_of_birth` (null where not known); `households`:
    `household_id`. Returns, in the order of `households`: `household_id`, `answer`, `rows` (that decide the
    answer), `first`, `last` (their dates) and `why` (what is missing, or what was looked at).
    """
    reached = reach(indicator, source, as_at)
    found = None
    if source.rows is not None:
        rows = _attached(source.rows, members)
        if isinstance(indicator, Terms):
            found = school_terms.count(indicator, rows, members, reached) if reached.terms else None
        elif isinstance(indicator, Events):
            found = _count(indicator, _happened(indicator, rows, reached), members, reached.first or as_at)
        # A register that is out of date cannot say what is so now, whatever rows it holds.
        elif isinstance(indicator, Register) and reached.covered:
            found = _count(indicator, _running(indicator, rows, as_at), members, as_at)
    return _answers(indicator, households, found, reached)


def _attached(rows: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Rows with the household (`home`) and date of birth (`born`) of the person they are about.

    A person's own household wins over a household linked to the row, which may be that of the place.
    """
    people = members.select("person_id", home="household_id", born="date_of_birth")
    joined = rows.join(people, on="person_id", how="left", maintain_order="left")
    return joined.with_columns(home=pl.coalesce("home", "household_id"))


def _happened(indicator: Events, rows: pl.DataFrame, reached: Reach) -> pl.DataFrame:
    """Rows within the window, with their `day` and `verdict` (meets the rule: true, false or null)."""
    dated = rows.with_columns(day=calendar_day(indicator.date, rows.schema[indicator.date]))
    inside = dated.filter(pl.col("day").is_between(reached.first, reached.last))
    age = age_in_years("born", pl.col("day") if indicator.age_at == "event" else pl.lit(reached.last))
    return inside.with_columns(
        verdict=where(indicator.where) & age_fits(indicator.age_under, indicator.age_at_least, age)
    )


def _running(indicator: Register, rows: pl.DataFrame, as_at: date) -> pl.DataFrame:
    """Rows that run on the as-at date, or may.

    No end means still running, no start means that nobody knows.
    """
    start, end = (calendar_day(name, rows.schema[name]) for name in (indicator.start, indicator.end))
    runs = (start <= as_at) & (end.is_null() | (end >= as_at))
    age = age_in_years("born", pl.lit(as_at))
    fits = age_fits(indicator.age_under, indicator.age_at_least, age)
    return rows.with_columns(day=start, verdict=runs & where(indicator.where) & fits).filter(
        runs.fill_null(value=True)
    )


def _count(
    indicator: Events | Register, dated: pl.DataFrame, members: pl.DataFrame, youngest_on: date
) -> pl.DataFrame:
    """The counts a household from rows with a verdict.

    Ages of possible subjects are taken on `youngest_on`.
    """
    if indicator.subject == "person":
        dated = dated.filter(pl.col("person_id").is_not_null())
    yes, unclear = pl.col("verdict").fill_null(value=False), pl.col("verdict").is_null()
    counted = (
        dated.filter(pl.col("home").is_not_null())
        .group_by(household_id="home")
        .agg(
            seen=pl.len(),
            yes=yes.sum(),
            unclear=unclear.sum(),
            yes_rows=yes.sum(),
            unclear_rows=unclear.sum(),
            yes_first=pl.col("day").filter(yes).min(),
            yes_last=pl.col("day").filter(yes).max(),
            unclear_first=pl.col("day").filter(unclear).min(),
            unclear_last=pl.col("day").filter(unclear).max(),
        )
    )
    fits = age_fits(
        indicator.age_under, indicator.age_at_least, age_in_years("date_of_birth", pl.lit(youngest_on))
    )
    known = members.group_by("household_id").agg(subjects=fits.fill_null(value=True).sum())
    return known.join(counted, on="household_id", how="full", coalesce=True).with_columns(
        missing=pl.when(pl.col("seen").is_null()).then("subjects").otherwise(0)
    )


def _answers(
    indicator: Indicator, households: pl.DataFrame, found: pl.DataFrame | None, reached: Reach
) -> pl.DataFrame:
    """From counts to answers: evidence first, then coverage, then what is open.

    "Not met" only when all else is ruled out.
    """
    if found is None:
        nothing = {name: pl.lit(0) for name in (*COUNTS, "yes_rows", "unclear_rows")}
        found = households.with_columns(**nothing, **{name: pl.lit(None, pl.Date) for name in DATES})
    counts = [pl.col(name).fill_null(0).cast(pl.Int64) for name in (*COUNTS, "yes_rows", "unclear_rows")]
    enough = pl.col("yes") >= (1 if isinstance(indicator, Terms) else indicator.at_least)
    missing = (pl.col("missing") > 0) & pl.lit(indicator.no_rows == NO_DATA)
    case = (
        pl.when(enough)
        .then(pl.lit("enough"))
        .when(pl.lit(not reached.covered))
        .then(pl.lit("not covered"))
        .when(pl.col("unclear") > 0)
        .then(pl.lit("unclear"))
        .when(missing)
        .then(pl.lit("missing"))
        .when(pl.col("subjects") == 0)
        .then(pl.lit("nobody"))
        .otherwise(pl.lit("ruled out"))
    )
    answers = {
        "enough": MET,
        "not covered": SOURCE_NOT_COVERED,
        "unclear": NO_DATA,
        "missing": NO_DATA,
        "nobody": indicator.no_subject,
        "ruled out": NOT_MET,
    }
    table = households.join(found, on="household_id", how="left", maintain_order="left").with_columns(counts)
    return table.with_columns(case=case).select(
        "household_id",
        answer=pl.col("case").replace_strict(answers, return_dtype=pl.String),
        rows=_deciding("rows").fill_null(0),
        first=_deciding("first"),
        last=_deciding("last"),
        why=_why(indicator, reached),
    )


def _deciding(name: str) -> pl.Expr:
    """The column of the rows that decide: those that meet the rule, or those that leave it open."""
    yes, unclear = pl.col(f"yes_{name}"), pl.col(f"unclear_{name}")
    return pl.when(pl.col("case") == "enough").then(yes).when(pl.col("case") == "unclear").then(unclear)


def _why(indicator: Indicator, reached: Reach) -> pl.Expr:
    """Why there is no answer, or what was looked at; nothing where the rule is met: the rows say that."""
    case, seen = pl.col("case"), pl.col("seen")
    nobody = "nobody known in the household is someone the rule is about"
    place = f"{indicator.source} {_span(reached)}"
    ruled_out = pl.format(
        "{} {} in {}, not meeting the rule", seen, _plural("seen", "row", "rows"), pl.lit(place)
    )
    return (
        pl.when(case == "not covered")
        .then(pl.lit(reached.why_not))
        .when(case == "unclear")
        .then(pl.lit(_unclear_why(indicator)))
        .when(case == "missing")
        .then(_missing_why(indicator))
        .when(case == "nobody")
        .then(pl.lit(nobody))
        .when((case == "ruled out") & (seen == 0))
        .then(pl.lit(f"nothing in {place}"))
        .when(case == "ruled out")
        .then(ruled_out)
        .otherwise(pl.lit(""))
    )


def _unclear_why(indicator: Indicator) -> str:
    if isinstance(indicator, Terms) and indicator.supported_by_reason:
        return indicator.supported_by_reason
    columns = sorted(indicator.where)
    if isinstance(indicator, Register):
        columns.append(indicator.start)
    if isinstance(indicator, Terms):
        columns += [*indicator.column_names, *([indicator.of] if indicator.of else [])]
    if (indicator.age_under, indicator.age_at_least) != (None, None):
        columns.append("date of birth")
    return f"{' or '.join(columns)} is empty, and decides"


def _missing_why(indicator: Indicator) -> pl.Expr:
    if not isinstance(indicator, Terms):
        return pl.lit(f"nothing about this household in {indicator.source}, which should hold something")
    lacks = f"of school age without a row for every term in {indicator.source}"
    return pl.format("{} {} {}", "missing", _plural("missing", "child", "children"), pl.lit(lacks))


def _plural(count: str, one: str, many: str) -> pl.Expr:
    return pl.when(pl.col(count) == 1).then(pl.lit(one)).otherwise(pl.lit(many))


def _span(reached: Reach) -> str:
    if reached.first is None or reached.last is None:
        return ""
    if reached.first == reached.last:
        return f"as at {day(reached.last)}"
    return f"from {day(reached.first)} to {day(reached.last)}"
