"""The report of a run: what to look into, then forecast, load and mix, and how far to trust each."""

from __future__ import annotations

from hub_sdk import Chart, Report, Series, Table, Text
from joinedup_workforce import team_report
from joinedup_workforce.backtest import BASELINE, CONFIDENCES, MODEL, Intervals
from joinedup_workforce.findings import Findings
from joinedup_workforce.outlook import ALL_AREAS, ALL_CATEGORIES, LOW_COUNT, Line, Outlook
from joinedup_workforce.tables import badge

Block = Text | Table | Chart
CHARTED_MONTHS = 24

LIMITS = (
    "The forecast carries the past on: it knows no events, policies or changes in recording. Its test on "
    "past months is shown above, beside the simple rule that it has to beat, and series where it does not "
    "beat that rule use the rule.\n\nRecorded incidents are not all demand: what nobody reports, and what "
    "control rooms turn away, is missing.\n\nLoad is as good as time recording and establishment. A rho "
    "above 1 says that the hours do not add up, not why. Figures are about teams and never about "
    "officers. Nothing here moves anybody: people decide."
)


def build(found: Findings) -> Report:
    """The report of one run."""
    blocks: list[Block] = []
    if found.alerts:
        rows = tuple((one.team, one.kind, one.message) for one in found.alerts)
        blocks.append(Table("What to look into", ("Team", "Kind", "Finding"), rows))
    blocks += _forecast_blocks(found.outlook)
    blocks += team_report.load_blocks(found)
    blocks += team_report.mix_blocks(found.mixes)
    blocks += [team_report.assumptions(found), Text("What this can and cannot say", LIMITS)]
    return Report(
        title="Workforce: demand, load and mix of work",
        summary=_summary(found),
        blocks=tuple(blocks),
        warnings=_warnings(found),
    )


def _summary(found: Findings) -> str:
    parts = []
    lines = {(line.area, line.category): line for line in found.outlook.lines}
    total = lines.get((ALL_AREAS, ALL_CATEGORIES))
    if total is not None:
        expected = sum(total.ahead)
        months = len(total.ahead)
        before = sum(total.history[-12:][:months])
        change = f", {_compared(expected, before)} the same months a year before" if before else ""
        parts.append(f"{expected:,.0f} incidents are expected over the next {months} months{change}.")
    drifting = [one for one in found.mixes if one.drifting]
    if drifting:
        parts.append(f"{drifting[0].sentence()}.")
    over = [row for row in found.teams.iter_rows(named=True) if row["rho"] is not None and row["rho"] > 1]
    if found.teams.height:
        parts.append(f"{len(over)} of {found.teams.height} teams have more load than capacity.")
    return " ".join(parts) or "There was too little to go by: see the warnings."


def _compared(value: float, before: float) -> str:
    """How a figure compares with another, in words."""
    change = round(value / before - 1, 2)
    return (
        "about as many as in"
        if not change
        else f"{abs(change):.0%} {'more' if change > 0 else 'fewer'} than in"
    )


def _warnings(found: Findings) -> tuple[str, ...]:
    warnings = []
    if found.missing:
        warnings.append(
            f"No {' and no '.join(found.missing)} was supplied: load and mix of work are not shown in full."
        )
    if found.small_teams:
        warnings.append(
            "Teams left out because they have too few posts (a figure about them would be about an "
            f"officer): {found.small_teams}."
        )
    if found.incomplete_weeks:
        warnings.append(
            "Team weeks without all the usual activities in the time recording, left out of the mix: "
            f"{found.incomplete_weeks}."
        )
    if found.outlook.why_none:
        warnings.append(f"{found.outlook.why_none[:1].upper()}{found.outlook.why_none[1:]}.")
    low = sum(line.low_count for line in found.outlook.lines if not line.is_total)
    if low:
        series = sum(not line.is_total for line in found.outlook.lines)
        warnings.append(
            f"{low} of {series} series have fewer than {LOW_COUNT} incidents a month (badge: low count). "
            "Forecasts of so few are poor; use the totals."
        )
    losing = [line for line in found.outlook.lines if not line.is_total and line.method == BASELINE]
    if losing and not found.outlook.why_none:
        warnings.append(
            f"For {len(losing)} series the model did not beat '{BASELINE}' on past months, so that is what "
            "they use."
        )
    return tuple(warnings)


def _forecast_blocks(outlook: Outlook) -> list[Block]:
    if not outlook.lines:
        return []
    blocks: list[Block] = [_fan(outlook, outlook.line())]
    totals = [line for line in outlook.lines if line.area == ALL_AREAS and line.category != ALL_CATEGORIES]
    largest = sorted(totals, key=lambda line: -line.monthly_mean)
    blocks += [_fan(outlook, line) for line in largest[:6]]
    blocks.append(_forecast_table(outlook))
    if outlook.mase:
        blocks += [_backtest_table(outlook), _coverage_table(outlook)]
    return blocks


def _fan(outlook: Outlook, line: Line) -> Chart:
    history = line.history[-CHARTED_MONTHS:]
    months = (*outlook.months[-CHARTED_MONTHS:], *outlook.ahead)
    before, after = (None,) * len(history), (None,) * len(line.ahead)
    recorded = Series("Recorded", (*(round(one) for one in history), *after))
    ahead = []
    for confidence in sorted(CONFIDENCES, reverse=True):
        ends = {}
        if None not in line.lower[confidence]:
            ends = {
                "lower": (*before, *_rounded(line.lower[confidence])),
                "upper": (*before, *_rounded(line.upper[confidence])),
            }
        name = f"Expected, with {confidence:.0%} interval" if ends else "Expected"
        ahead.append(Series(name, (*before, *_rounded(line.ahead)), **ends))
    what = "all incidents" if line.category == ALL_CATEGORIES else line.category
    return Chart(
        title=f"Incidents a month: {what}, {line.area}",
        kind="line",
        x_label="Month",
        y_label="Incidents",
        x=tuple(f"{month:%b %Y}" for month in months),
        series=(recorded, *{one.name: one for one in ahead}.values()),
        note=f"Method: {line.method}. {badge(line).capitalize()}".strip(),
    )


def _rounded(values: tuple[float | None, ...]) -> tuple[float | None, ...]:
    return tuple(None if value is None else round(value, 1) for value in values)


def _forecast_table(outlook: Outlook) -> Table:
    rows = []
    for line in outlook.lines:
        low, high = line.lower[0.80], line.upper[0.80]
        ends = "" if low[0] is None or high[0] is None else f"{low[0]:.0f} to {high[0]:.0f}"
        mean = round(line.monthly_mean, 1)
        rows.append((line.area, line.category, mean, round(line.ahead[0], 1), ends, line.method, badge(line)))
    return Table(
        title=f"Next month by area and category ({outlook.ahead[0]:%B %Y})",
        columns=(
            "Area",
            "Category",
            "Mean a month, last year",
            "Expected",
            "80% interval",
            "Method",
            "Badge",
        ),
        rows=tuple(rows),
        note="All months ahead, with 95% intervals, are in the output 'forecast'. Totals are forecast as "
        "totals, so they need not be the sums of their series.",
    )


def _backtest_table(outlook: Outlook) -> Table:
    overall = outlook.mase
    rows: list[tuple[str | float | None, ...]] = [
        (
            "All series",
            "",
            _short(overall[MODEL]),
            _short(overall[BASELINE]),
            f"as used: {_short(overall['as used'])}",
            "",
        )
    ]
    rows += [
        (
            line.area,
            line.category,
            _short(line.mase_model),
            _short(line.mase_baseline),
            line.method,
            badge(line),
        )
        for line in outlook.lines
    ]
    return Table(
        title="Did the model beat last year's figure? (test on past months)",
        columns=("Area", "Category", "Model", "Same month last year", "Used", "Badge"),
        rows=tuple(rows),
        note="Mean absolute scaled error, smaller is better: errors from every past month with two years "
        "of history before it, over the error of 'same month last year' in those years. 'As used' chooses "
        "between the two at each month by the errors known then, so it is not flattered by the choice.",
    )


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _coverage_table(outlook: Outlook) -> Table:
    rows = []
    for name, intervals in (("Series", outlook.intervals), ("Totals", outlook.total_intervals)):
        rows += [(name, f"{confidence:.0%}", *_held(intervals, confidence)) for confidence in CONFIDENCES]
    return Table(
        title="Did the intervals hold? (test on past months)",
        columns=("Forecasts", "Promised", "Held", "Months compared"),
        rows=tuple(rows),
        note="Rolling split-conformal: at each past month, intervals were made from earlier errors only. "
        "Months of one borough move together, so a few points off the promise are to be expected.",
    )


def _held(intervals: Intervals | None, confidence: float) -> tuple[str, int]:
    held = intervals.held(confidence) if intervals else None
    measured = intervals.coverage[confidence][1] if intervals else 0
    return ("not measured" if held is None else f"{held:.1%}", measured)
