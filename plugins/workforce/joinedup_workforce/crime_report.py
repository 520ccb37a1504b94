"""The report of the demand profile."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from hub_sdk import Chart, Report, Series, Table, Text
from joinedup_workforce.crime import ASSUMED, FRAUD_BODY, NATIONAL, NONE, SURVEYED, TERRITORIAL, Profile
from joinedup_workforce.settings import EVERY_FORCE

# So many quarters tell a season from a change at the very least, and then only roughly.
QUARTERS_FOR_A_FORECAST = 12
# A table of more quarters cannot be read; the outputs have all of them.
SHOWN_QUARTERS = 12

LIMITS = (
    "Recorded crime is what forces record. Rules and care of recording differ between forces and change "
    "over time, so figures of two forces, or of two years, are not simply more or less crime; the "
    "publisher says so too.\n\nCrime is a part of what police do: calls that end in no recorded offence "
    "are not here.\n\nOfficer hours are an estimate of first attendance only. The minutes were surveyed "
    "in another country for calls, not for recorded offences; how many officers go and how many offences "
    "are attended is assumed. Read the estimate as a comparison between offence groups, not as a "
    "requirement."
)


def build(profile: Profile, top: int) -> Report:
    """The report; `top` is how many forces the chart shows."""
    if not profile.quarters:
        return Report(
            "Demand profile: recorded crime", "The source holds no rows.", (Text("Limits", LIMITS),)
        )
    shown = _last_quarters(profile)
    return Report(
        title="Demand profile: recorded crime",
        summary=_summary(profile),
        blocks=(
            _top_chart(shown, top),
            _force_table(shown),
            _group_chart(shown),
            _group_table(shown),
            _hours_table(profile),
            Text("No forecast", _no_forecast(profile)),
            Text("What this can and cannot say", LIMITS),
        ),
        warnings=_warnings(profile),
    )


def _last_quarters(profile: Profile) -> Profile:
    labels = pl.format("{} Q{}", "financial_year", "financial_quarter")
    kept = profile.quarters[-SHOWN_QUARTERS:]
    tables = {name: getattr(profile, name).filter(labels.is_in(kept)) for name in ("by_force", "by_group")}
    return replace(profile, quarters=kept, **tables)


def _summary(profile: Profile) -> str:
    totals = _quarter_totals(profile.by_force)
    kinds = profile.by_force.group_by("kind").agg(pl.col("force").n_unique(), pl.col("offences").sum())
    counted = {kind: (forces, offences) for kind, forces, offences in kinds.iter_rows()}
    forces, offences = counted.get(TERRITORIAL, (0, 0))
    span = (
        profile.quarters[0]
        if len(profile.quarters) == 1
        else f"{profile.quarters[0]} to {profile.quarters[-1]}"
    )
    words = [f"{span}: {sum(totals):,} offences, of which {offences:,} by {forces} territorial forces."]
    for kind, many in ((NATIONAL, "national forces"), (FRAUD_BODY, "bodies that report fraud")):
        if kind in counted:
            number, held = counted[kind]
            words.append(f"{held:,} come from {number} {kind if number == 1 else many}.")
    territorial = _quarter_totals(profile.by_force.filter(pl.col("kind") == TERRITORIAL))
    if len(territorial) > 1 and territorial[0] > 0:
        change = territorial[-1] / territorial[0] - 1
        side = "above" if change > 0 else "below"
        words.append(f"In territorial forces the last quarter is {abs(change):.1%} {side} the first.")
    return " ".join(words)


def _quarter_totals(table: pl.DataFrame) -> list[int]:
    keys = ["financial_year", "financial_quarter"]
    return table.group_by(keys).agg(pl.col("offences").sum()).sort(keys)["offences"].to_list()


def _warnings(profile: Profile) -> tuple[str, ...]:
    found = []
    if profile.unknown_force:
        found.append(
            f"The source has no force called {profile.unknown_force[:60]!r}, so every force is shown. "
            "Choose one as the table of forces writes it."
        )
    rows, total = profile.negative
    if rows:
        found.append(
            f"{rows} rows have a negative number of offences ({total:,} in all): offences taken back or "
            "moved from earlier quarters. They are counted as they stand."
        )
    if profile.uneven:
        named = ", ".join(f"{force} ({count})" for force, count in profile.uneven)
        found.append(
            f"Not in every one of the {len(profile.quarters)} quarters: {named}. Their totals are not for "
            "a year."
        )
    return tuple(found)


def _wide(table: pl.DataFrame, name: str) -> list[tuple[str, list[int | None], float | None]]:
    """By `name`: offences a quarter (None where it has none) and the last change; most offences first."""
    keys = (
        table.select("financial_year", "financial_quarter")
        .unique()
        .sort("financial_year", "financial_quarter")
    )
    order = list(keys.iter_rows())
    found = []
    for (one,), rows in table.group_by(name, maintain_order=True):
        cells = {
            (year, quarter): offences
            for year, quarter, offences in rows.select(*keys.columns, "offences").iter_rows()
        }
        # Both the last quarter and the one before it must be there.
        last = rows.filter(
            (pl.col("financial_year") == order[-1][0]) & (pl.col("financial_quarter") == order[-1][1])
        )
        change = last["change"].item() if last.height else None
        found.append((str(one), [cells.get(key) for key in order], change))
    return sorted(found, key=lambda entry: (-sum(value or 0 for value in entry[1]), entry[0]))


def _top_chart(profile: Profile, top: int) -> Chart:
    forces = _wide(profile.by_force.filter(pl.col("kind") == TERRITORIAL), "force")[:top]
    forces = forces or _wide(profile.by_force, "force")[:top]
    return Chart(
        title=f"Recorded crime: the {len(forces)} territorial forces with most",
        kind="bar",
        x_label="Force",
        y_label="Offences",
        x=tuple(force for force, _, _ in forces),
        series=(Series("Offences", tuple(sum(value or 0 for value in values) for _, values, _ in forces)),),
        note=f"{profile.quarters[0]} to {profile.quarters[-1]}. Numbers, not rates: large forces have more "
        "of everything.",
    )


def _force_table(profile: Profile) -> Table:
    kinds = dict(profile.by_force.select("force", "kind").unique().iter_rows())
    whole = max(1, profile.by_force["offences"].sum())
    rows = tuple(
        (force, kinds[force], *values, _share(sum(value or 0 for value in values) / whole), _change(change))
        for force, values, change in _wide(profile.by_force, "force")
    )
    return Table(
        title="Recorded crime by force and quarter",
        columns=("Force", "Kind", *profile.quarters, "Share of all", "Last change"),
        rows=rows,
        note="Last change: the last quarter on the one before it. Seasons are not taken out.",
    )


def _group_chart(profile: Profile) -> Chart:
    groups = _wide(profile.by_group, "offence_group")
    return Chart(
        title=f"Recorded crime by offence group: {_whose(profile)}",
        kind="stacked",
        x_label="Quarter",
        y_label="Offences",
        x=profile.quarters,
        # A stack cannot show less than nothing; where that happens the table has the figure.
        series=tuple(
            Series(name, tuple(max(0, value or 0) for value in values)) for name, values, _ in groups[:20]
        ),
    )


def _group_table(profile: Profile) -> Table:
    whole = max(1, profile.by_group["offences"].sum())
    rows = tuple(
        (name, *values, _share(sum(value or 0 for value in values) / whole), _change(change))
        for name, values, change in _wide(profile.by_group, "offence_group")
    )
    return Table(
        title=f"Offence groups: {_whose(profile)}",
        columns=("Offence group", *profile.quarters, "Share of all", "Last change"),
        rows=rows,
        note="Last change: the last quarter on the one before it. Seasons are not taken out.",
    )


def _hours_table(profile: Profile) -> Table:
    hours = profile.officer_hours
    rows = []
    for (group,), part in hours.group_by("offence_group", maintain_order=True):
        known = {
            basis: part.filter(pl.col("basis") == basis)["officer_hours"].sum()
            for basis in (SURVEYED, ASSUMED)
        }
        none = part.filter(pl.col("basis") == NONE)["offences"].sum()
        rows.append((str(group), part["offences"].sum(), round(known[SURVEYED]), round(known[ASSUMED]), none))
    rows.sort(key=lambda row: (-(row[2] + row[3]), row[0]))
    settings = profile.settings
    return Table(
        title=f"Officer hours at first attendance, estimated: {_whose(profile)}",
        columns=(
            "Offence group",
            "Offences",
            "Hours, minutes surveyed",
            "Hours, minutes assumed",
            "Offences not estimated",
        ),
        rows=tuple(rows),
        note="Surveyed: burglary, 56.2 minutes a call (Detroit police, n = 258,786). Assumed: 33.1 "
        "minutes for public order, as disturbances there; 50.1 for the rest, the mean of all calls there. "
        f"Assumed for all: {settings.officers:g} officers an offence, {settings.attended:.0%} of offences "
        "attended. Reports to fraud bodies are attended by no patrol.",
    )


def _no_forecast(profile: Profile) -> str:
    count = len(profile.quarters)
    if count < QUARTERS_FOR_A_FORECAST:
        return (
            f"The source holds {count} quarters. That is too few to tell a season from a change: any "
            "forecast from them would be a guess, and none is made. A change from one quarter to the next "
            "may be nothing but the time of year."
        )
    return f"The source holds {count} quarters. This plugin describes them and makes no forecast."


def _whose(profile: Profile) -> str:
    return "all forces" if profile.settings.force == EVERY_FORCE else profile.settings.force


def _share(value: float) -> str:
    return f"{value:.1%}"


def _change(value: float | None) -> str | None:
    return None if value is None else f"{value:+.1%}"
