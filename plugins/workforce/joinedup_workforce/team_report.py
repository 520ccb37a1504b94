"""The parts of the report about teams: load against capacity, mix of work, what the figures rest on."""

from __future__ import annotations

from hub_sdk import Chart, Series, Table
from joinedup_workforce import load, xmr
from joinedup_workforce.findings import NOT_EXPLAINED, RECENT_MONTHS, Findings
from joinedup_workforce.forecast import LEAST_MONTHS
from joinedup_workforce.load import Overhead
from joinedup_workforce.mix import OFF_PLAN, REFERENCE_WEEKS, WATCHED_WEEKS, Mix
from joinedup_workforce.outlook import LOW_COUNT

DETROIT = "Detroit police calls, n = 258,786"


LOAD_COLUMNS = (
    "Team",
    "Load over capacity",
    "The same, months ahead",
    "Load, hours",
    "Capacity, hours",
    "Posts filled",
    "Posts needed",
    "Response hours recorded",
    "Explained by incidents",
)
PARTS = (
    ("Response", "response_hours"),
    ("Investigation", "investigation_hours"),
    ("Proactive, as planned", "proactive_hours"),
    ("Internal", "internal_hours"),
)
BESIDE = (("Load", "load_hours"), ("Capacity", "capacity_hours"))
OVER = f"Means a month over the last {RECENT_MONTHS} recorded months; most strained team first."


def load_blocks(found: Findings) -> list[Table | Chart]:
    """Load against capacity: a table and two charts, the most strained team first."""
    teams = found.teams.rows(named=True)
    if not teams:
        return []
    rows = tuple(
        (
            row["team"],
            _percent(row["rho"]),
            _percent(row["rho_ahead"]),
            round(row["load_hours"]),
            round(row["capacity_hours"]),
            round(row["fte"], 1),
            None if row["fte_needed"] is None else round(row["fte_needed"], 1),
            round(row["recorded_response_hours"]),
            round(row["response_hours"]),
        )
        for row in teams
    )
    names = tuple(row["team"] for row in teams)

    def series(columns: tuple[tuple[str, str], ...]) -> tuple[Series, ...]:
        return tuple(Series(title, tuple(round(row[column]) for row in teams)) for title, column in columns)

    return [
        Table("Load against capacity", LOAD_COLUMNS, rows, note=OVER),
        Chart("Load and capacity", "bar", "Team", "Hours a month", names, series(BESIDE), note=OVER),
        Chart(
            "What the load is made of", "stacked", "Team", "Hours a month", names, series(PARTS), note=OVER
        ),
    ]


def _percent(value: float | None) -> str:
    return "no capacity" if value is None else f"{value:.0%}"


def mix_blocks(mixes: list[Mix]) -> list[Table | Chart]:
    """What teams do against plan: a table of all, and XmR charts of those that drift."""
    if not mixes:
        return []
    rows = tuple(
        (
            one.team,
            f"{one.recent:.0%}",
            "" if one.planned is None else f"{one.planned:.0%}",
            f"{one.limits.mean:.0%}",
            ", ".join(one.signals) or "none",
            "yes" if one.off_plan else "no",
            one.sentence(),
        )
        for one in mixes
    )
    table = Table(
        title="Response work: what teams do against plan",
        columns=("Team", "Recent share", "Planned", "Mean before", "Signals", "Off plan", "In words"),
        rows=rows,
        note="Changed and off plan are two findings. Signals compare a team with its own "
        f"{REFERENCE_WEEKS} weeks before the last {WATCHED_WEEKS}; off plan is more than "
        f"{OFF_PLAN * 100:.0f} points from the planned share.",
    )
    drifting = [one for one in mixes if one.drifting]
    return [table, *(_xmr_chart(one) for one in (drifting or mixes)[:3])]


def _xmr_chart(one: Mix) -> Chart:
    count = len(one.weeks)

    def level(name: str, value: float) -> Series:
        return Series(name, (round(value * 100, 1),) * count)

    planned = () if one.planned is None else (level("Planned", one.planned),)
    return Chart(
        title=f"{one.team}: response share by week",
        kind="line",
        x_label="Week from",
        y_label="Response share of recorded hours, %",
        x=tuple(f"{week:%-d %b %Y}" for week in one.weeks),
        series=(
            Series("Response share", tuple(round(share * 100, 1) for share in one.shares)),
            level("Mean before", one.limits.mean),
            level("Upper limit", one.limits.upper),
            level("Lower limit", max(0.0, one.limits.lower)),
            *planned,
        ),
        note=f"XmR chart: mean +/- {xmr.LIMIT_FACTOR} x mean moving range of {one.limits.points} weeks "
        "before those shown.",
    )


def assumptions(found: Findings) -> Table:
    """Every parameter behind the figures: measured, surveyed or assumed, and its source."""
    rows: list[tuple[str, str, str, str]] = []
    if found.overhead is not None:
        rows += _overhead_rows(found.overhead)
        empty = found.overhead.incidents_without_minutes
        rows.append(("Officers and minutes an incident", "each its own", "measured", "police.incidents"))
        if empty:
            rows += [
                (f"Minutes where none are recorded: {category}", f"{minutes}", "surveyed", DETROIT)
                for category, minutes in load.SURVEYED_MINUTES.items()
            ]
            rows.append(
                (
                    "Minutes where none are recorded: other",
                    f"{load.SURVEYED_MINUTES_ANY}",
                    "surveyed",
                    DETROIT,
                )
            )
        rows += [
            ("Posts, contracted hours, abstraction", "by team and month", "measured", "police.establishment"),
            ("Training", "inside abstraction, not in load", "assumed", "so that it is not counted twice"),
            (
                "Other work in months ahead",
                "as in the last 12 months",
                "assumed",
                "no plan for it is supplied",
            ),
            (
                "Recorded response hours told as not explained",
                f"from {NOT_EXPLAINED:.2f} times",
                "assumed",
                "a round figure",
            ),
        ]
    rows += [
        ("Off plan", f"more than {OFF_PLAN * 100:.0f} points", "assumed", "a round figure"),
        (
            "History before the first test of the forecast",
            f"{LEAST_MONTHS} months",
            "assumed",
            "two of every season",
        ),
        ("Low count", f"below {LOW_COUNT} a month", "surveyed", "Gorr, Olligschlaeger and Thompson 2003"),
    ]
    return Table("What the figures rest on", ("Parameter", "Value", "Status", "Source"), tuple(rows))


def _overhead_rows(overhead: Overhead) -> list[tuple[str, str, str, str]]:
    """Response hours for each hour at an incident.

    The range over the teams, for it can be a hundred of them.
    """
    what = "Response hours for each officer-hour at an incident"
    values = sorted(overhead.by_team.values())
    if not values:
        return []
    span = f"{values[0]:.2f}" if values[0] == values[-1] else f"{values[0]:.2f} to {values[-1]:.2f}, by team"
    if not overhead.measured:
        return [(what, span, "assumed", "set for this run")]
    source = (
        f"time recording over incidents, last year; {len(overhead.own)} of {len(values)} teams by their own"
    )
    return [(what, span, "measured", source)]
