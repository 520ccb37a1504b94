"""Indicators over school terms: first a verdict a child, then the counts a household.

A child is *expected* in a term in which they are of compulsory school age. An expected child without a row
in a term is `missing` there: educated elsewhere, at home, or not linked; the source cannot tell which. Such
a child never counts as "not met". What their other terms hold still counts where the missing ones could not
undo it.
"""

from __future__ import annotations

import polars as pl

from joinedup_families.logic import compulsory_school_age, where
from joinedup_families.ruleset import Terms
from joinedup_families.sources import Reach


def count(indicator: Terms, rows: pl.DataFrame, members: pl.DataFrame, reached: Reach) -> pl.DataFrame:
    """The counts a household (see `indicators`) for one indicator over the terms in `reached`."""
    looked_at = reached.terms[-1:] if indicator.measure == "latest" else reached.terms
    start = pl.col(indicator.term_start)
    rows = rows.filter(pl.col("person_id").is_not_null(), start.is_in(list(reached.terms)))
    expected = pl.sum_horizontal(
        *(
            compulsory_school_age("date_of_birth", term).fill_null(value=False).cast(pl.Int64)
            for term in looked_at
        )
    )
    children = members.select("person_id", "household_id", expected=expected)
    judged = (
        rows.join(children.select("person_id", "expected"), on="person_id", how="left")
        .filter(start.is_in(list(looked_at)))
        .group_by("person_id")
        .agg(
            seen=pl.len(),
            held=start.n_unique(),
            first=start.min(),
            last=start.max(),
            verdict=_verdict(indicator, reached.covered),
        )
    )
    if indicator.compulsory_age_only:
        judged = _of_age(judged, members, reached)
    if indicator.supported_by:
        judged = _supported(indicator, judged, rows)
    return _by_household(children.join(judged, on="person_id", how="left"))


def _verdict(indicator: Terms, covered: bool) -> pl.Expr:
    """Whether a child's rows meet the rule: true, false, or null where an empty cell leaves it open.

    A share is taken over all the terms the child was expected in, as if the missing ones had held no
    absence: so a share that reaches the threshold would reach it with every row there too. Sums can only
    grow.
    """
    if indicator.measure in ("any", "latest"):
        return where(indicator.where).any(ignore_nulls=False)
    summed = pl.sum_horizontal(*(pl.col(name) for name in indicator.column_names))
    empty = pl.any_horizontal(*(pl.col(name).is_null() for name in indicator.column_names)).any()
    if indicator.measure == "sum":
        reached = summed.sum() >= indicator.at_least
    else:
        held = pl.col(indicator.term_start).n_unique()
        # Where the source itself lacks terms, nobody knows who was expected in them: assume that everybody
        # was.
        terms = pl.max_horizontal(held, pl.col("expected").max()) if covered else pl.lit(indicator.terms)
        possible = pl.col(indicator.of).sum() * terms / held
        empty = empty | pl.col(indicator.of).is_null().any() | (possible == 0)
        reached = (possible > 0) & (summed.sum() >= indicator.at_least * possible)
    return pl.when(reached).then(pl.lit(value=True)).when(empty).then(None).otherwise(pl.lit(value=False))


def _of_age(judged: pl.DataFrame, members: pl.DataFrame, reached: Reach) -> pl.DataFrame:
    """Verdicts that hold only for children of compulsory school age in the last term."""
    must = members.select("person_id", must=compulsory_school_age("date_of_birth", reached.terms[-1]))
    return judged.join(must, on="person_id", how="left").with_columns(
        verdict=pl.col("verdict") & pl.col("must")
    )


def _supported(indicator: Terms, judged: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Verdicts that hold only with support in any of the terms.

    True without support becomes null, not false.
    """
    supports = pl.any_horizontal(*((pl.col(name).cast(pl.Int64) > 0) for name in indicator.supported_by))
    support = rows.group_by("person_id").agg(supported=supports.any())
    proven = pl.when(pl.col("supported")).then(pl.lit(value=True))
    return judged.join(support, on="person_id", how="left").with_columns(verdict=pl.col("verdict") & proven)


def _by_household(children: pl.DataFrame) -> pl.DataFrame:
    """Sum children up. `proven` beats what is missing.

    A child who meets the rule does so whatever else is not known.
    """
    known = children.filter((pl.col("expected") > 0) | pl.col("seen").is_not_null()).with_columns(
        proven=pl.col("verdict").fill_null(value=False)
    )
    known = known.with_columns(
        unclear=pl.col("seen").is_not_null() & pl.col("verdict").is_null(),
        missing=~pl.col("proven") & (pl.col("expected") > pl.col("held").fill_null(0)),
    )
    return known.group_by("household_id").agg(
        subjects=pl.len(),
        seen=pl.col("seen").sum(),
        yes=pl.col("proven").sum(),
        unclear=pl.col("unclear").sum(),
        missing=pl.col("missing").sum(),
        yes_rows=pl.col("seen").filter("proven").sum(),
        unclear_rows=pl.col("seen").filter("unclear").sum(),
        yes_first=pl.col("first").filter("proven").min(),
        yes_last=pl.col("last").filter("proven").max(),
        unclear_first=pl.col("first").filter("unclear").min(),
        unclear_last=pl.col("last").filter("unclear").max(),
    )
