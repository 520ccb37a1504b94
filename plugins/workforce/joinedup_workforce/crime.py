"""Sums, shares, changes and an officer-hour estimate over recorded crime by quarter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from joinedup_workforce.settings import EVERY_FORCE, Settings

TERRITORIAL, NATIONAL, FRAUD_BODY = "territorial force", "national force", "fraud reporting body"
# What the source lists among forces and is none: bodies that collect reports of fraud, and the railway
# police.
KINDS = {
    "Action Fraud": FRAUD_BODY,
    "CIFAS": FRAUD_BODY,
    "Financial Fraud Action UK": FRAUD_BODY,
    "UK Finance": FRAUD_BODY,
    "British Transport Police": NATIONAL,
}

SURVEYED, ASSUMED, NONE = "surveyed", "assumed", "none"
DETROIT = "minutes a call, Detroit police, n = 258,786"
# By subgroup, then by group: only burglary is a kind of call that was surveyed as such.
SUBGROUP_MINUTES = {"Domestic burglary": 56.2, "Non-domestic burglary": 56.2}
DISTURBANCE_GROUP, DISTURBANCE_MINUTES = "Public order offences", 33.1
ANY_MINUTES = 50.1


@dataclass(frozen=True)
class Profile:
    """The tables of a run, and what the report has to say about the source.

    `uneven`: bodies that do not appear in every quarter, with how many they appear in; `negative`: rows with
    a negative number, and their sum.
    """

    settings: Settings
    by_force: pl.DataFrame
    by_group: pl.DataFrame
    officer_hours: pl.DataFrame
    quarters: tuple[str, ...]
    uneven: tuple[tuple[str, int], ...]
    negative: tuple[int, int]
    unknown_force: str


def profile(rows: pl.DataFrame, settings: Settings) -> Profile:
    """Everything about a table of recorded crime.

    `rows`: `financial_year`, `financial_quarter`, `force_name`, `offence_group`, `offence_subgroup`,
    `number_of_offences`. For a force that the source does not have, every force is shown; `unknown_force`
    says so, because the message of an error would not reach who runs the plugin.
    """
    rows = rows.with_columns(
        pl.col("financial_quarter").cast(pl.Int64), pl.col("number_of_offences").cast(pl.Int64)
    )
    forces = sorted(rows["force_name"].drop_nulls().unique().to_list())
    unknown = "" if settings.force in (EVERY_FORCE, *forces) else settings.force
    if unknown:
        settings = replace(settings, force=EVERY_FORCE)
    own = rows if settings.force == EVERY_FORCE else rows.filter(pl.col("force_name") == settings.force)
    quarters = (
        rows.select("financial_year", "financial_quarter")
        .unique()
        .sort("financial_year", "financial_quarter")
    )
    kind = pl.col("force").replace_strict(KINDS, default=TERRITORIAL, return_dtype=pl.String)
    by_force = _by_quarter(rows.rename({"force_name": "force"}), "force", quarters)
    below = rows["number_of_offences"].filter(rows["number_of_offences"] < 0)
    seen = by_force.group_by("force").len().sort("force")
    return Profile(
        settings=settings,
        by_force=by_force.with_columns(kind=kind),
        by_group=_by_quarter(own, "offence_group", quarters),
        officer_hours=_officer_hours(own, settings),
        quarters=tuple(label(year, quarter) for year, quarter in quarters.iter_rows()),
        uneven=tuple((force, count) for force, count in seen.iter_rows() if count < quarters.height),
        negative=(len(below), int(below.sum())),
        unknown_force=unknown,
    )


def label(year: str, quarter: int) -> str:
    """A quarter in words: 2017/18 Q1."""
    return f"{year} Q{quarter}"


def _by_quarter(rows: pl.DataFrame, name: str, quarters: pl.DataFrame) -> pl.DataFrame:
    """Offences by `name` and quarter, with the share of the quarter and the change on the quarter before.

    A change is given only between neighbouring quarters of the source, and from a positive number.
    """
    placed = quarters.with_row_index("place")
    summed = (
        rows.group_by(name, "financial_year", "financial_quarter")
        .agg(offences=pl.col("number_of_offences").sum())
        .join(placed, on=["financial_year", "financial_quarter"])
        .sort(name, "place")
    )
    before, place_before = pl.col("offences").shift(1).over(name), pl.col("place").shift(1).over(name)
    total = pl.col("offences").sum().over("place")
    # place is unsigned: subtract only after it is known that there is a quarter before.
    follows = place_before + 1 == pl.col("place")
    return summed.with_columns(
        share=pl.when(total > 0).then(pl.col("offences") / total),
        change=pl.when(follows & (before > 0)).then(pl.col("offences") / before - 1),
    ).select(name, "financial_year", "financial_quarter", "offences", "share", "change")


def _officer_hours(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """An estimate a subgroup, each labelled with where its minutes come from.

    None for what no patrol attends.
    """
    fraud = pl.col("force_name").replace_strict(KINDS, default="", return_dtype=pl.String) == FRAUD_BODY
    burglary = pl.col("offence_subgroup").is_in(list(SUBGROUP_MINUTES))
    disturbance = pl.col("offence_group") == DISTURBANCE_GROUP
    attended = rows.with_columns(
        minutes=pl.when(fraud)
        .then(None)
        .when(burglary)
        .then(
            pl.col("offence_subgroup").replace_strict(SUBGROUP_MINUTES, default=None, return_dtype=pl.Float64)
        )
        .when(disturbance)
        .then(DISTURBANCE_MINUTES)
        .otherwise(ANY_MINUTES),
        basis=pl.when(fraud)
        .then(pl.lit(NONE))
        .when(burglary)
        .then(pl.lit(SURVEYED))
        .otherwise(pl.lit(ASSUMED)),
        source=pl.when(fraud)
        .then(pl.lit("collected as reports; no patrol attends"))
        .when(burglary)
        .then(pl.lit(f"burglary: {DETROIT}"))
        .when(disturbance)
        .then(pl.lit(f"assumed to be as disturbances: {DETROIT}"))
        .otherwise(pl.lit(f"assumed to be as the mean of all calls: {DETROIT}")),
    )
    keys = ("offence_group", "offence_subgroup", "minutes", "basis", "source")
    hours = pl.col("offences") * settings.attended * settings.officers * pl.col("minutes") / 60
    return (
        attended.group_by(keys)
        .agg(offences=pl.col("number_of_offences").sum())
        .with_columns(officer_hours=hours)
        .sort("offence_group", "offence_subgroup", "basis")
        .select(
            "offence_group", "offence_subgroup", "offences", "minutes", "basis", "officer_hours", "source"
        )
    )
