"""The demand forecast of a run: for every series and total the method that earned its place, with intervals.

A method earns its place on the backtest: the model is used for a series only where it beat "same month last
year" there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from joinedup_workforce import conformal
from joinedup_workforce.backtest import (
    BASELINE,
    CONFIDENCES,
    MODEL,
    Backtest,
    Intervals,
    as_used,
    backtest,
    band,
    calibrate,
    choose,
    mase,
)
from joinedup_workforce.forecast import LEAST_MONTHS, Fit, same_month_last_year, seasonal_model
from joinedup_workforce.panel import YEAR, Panel, add_months

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALL_AREAS, ALL_CATEGORIES = "all areas", "all categories"
LOW_COUNT = 30
# The first or last incident of a month rarely falls on its first or last day: within two days of it the month
# is whole.
SLACK = timedelta(days=2)


@dataclass(frozen=True)
class Line:
    """The outlook of one series or total.

    `ahead`, `lower`, `upper`: a value a month ahead; None where there is none.
    """

    area: str
    category: str
    history: tuple[float, ...]
    method: str
    ahead: tuple[float, ...]
    lower: dict[float, tuple[float | None, ...]]
    upper: dict[float, tuple[float | None, ...]]
    mase_model: float | None
    mase_baseline: float | None
    compared: int

    @property
    def is_total(self) -> bool:
        """Whether it sums several series."""
        return ALL_AREAS in (self.area, self.category) or ALL_CATEGORIES in (self.area, self.category)

    @property
    def monthly_mean(self) -> float:
        """Mean incidents a month over the last 12 months."""
        return float(np.mean(self.history[-YEAR:])) if self.history else 0.0

    @property
    def low_count(self) -> bool:
        """Fewer than 30 a month: forecasts of so few are poor (Gorr, Olligschlaeger and Thompson 2003)."""
        return self.monthly_mean < LOW_COUNT


@dataclass(frozen=True)
class Outlook:
    """All lines, series first, then totals; how both methods did overall and how often intervals held."""

    months: tuple[date, ...]
    ahead: tuple[date, ...]
    lines: tuple[Line, ...]
    mase: dict[str, float | None]
    intervals: Intervals | None
    total_intervals: Intervals | None
    why_none: str = ""

    def line(self, area: str = ALL_AREAS, category: str = ALL_CATEGORIES) -> Line:
        """The line of an area and category; KeyError where there is none."""
        return {(one.area, one.category): one for one in self.lines}[area, category]


def covered_days(first: date, last: date) -> tuple[date, date]:
    """A covered period, widened to the ends of the month where only two days or fewer are missing there."""
    start = first.replace(day=1) if first - first.replace(day=1) <= SLACK else first
    end = add_months(last.replace(day=1), 1) - timedelta(days=1)
    return start, end if end - last <= SLACK else last


def outlook(panel: Panel, ahead: int) -> Outlook:
    """Forecast every series of a panel and its totals by area, by category and over all."""
    months, coming = tuple(panel.months()), tuple(panel.months(ahead))
    members, names = _totals(panel)
    if panel.length < YEAR or not names:
        why = f"there are {panel.length} whole months of incidents, and a forecast needs {YEAR}"
        return Outlook(months, coming, (), {}, None, None, why)
    tests = (backtest(panel, ahead), backtest(panel, ahead, members))
    fit = None
    if panel.length >= LEAST_MONTHS:
        fit = seasonal_model(panel.counts, panel.categories, panel.first, ahead)
    own = list(zip(panel.areas, panel.categories, strict=True))
    everyone = [[place] for place in range(len(own))]
    lines, calibrated = [], []
    for test, parts, labels in zip(tests, (everyone, members), (own, names), strict=True):
        intervals = calibrate(test) if test else None
        calibrated.append(intervals)
        lines += _lines(panel, parts, labels, fit, test, intervals, ahead)
    why = (
        ""
        if tests[0]
        else f"with {panel.length} months of history no forecast can be tested; {LEAST_MONTHS + 1} are needed"
    )
    return Outlook(months, coming, tuple(lines), _overall(tests[0]), *calibrated, why)


def _totals(panel: Panel) -> tuple[list[list[int]], list[tuple[str, str]]]:
    """Members and names of the totals: each area, each category, all."""
    members, names = [], []
    for area in sorted(set(panel.areas)):
        members.append([place for place, one in enumerate(panel.areas) if one == area])
        names.append((area, ALL_CATEGORIES))
    for category in sorted(set(panel.categories)):
        members.append([place for place, one in enumerate(panel.categories) if one == category])
        names.append((ALL_AREAS, category))
    if names:
        members.append(list(range(len(panel.areas))))
        names.append((ALL_AREAS, ALL_CATEGORIES))
    return members, names


def _lines(
    panel: Panel,
    parts: list[list[int]],
    labels: list[tuple[str, str]],
    fit: Fit | None,
    test: Backtest | None,
    intervals: Intervals | None,
    ahead: int,
) -> list[Line]:
    def summed(values: Floats) -> Floats:
        return np.stack([values[part].sum(axis=0) for part in parts])

    counts = summed(panel.counts)
    forecasts = same_month_last_year(counts, ahead)
    chosen = np.zeros(len(parts), dtype=bool)
    noise = np.ones(len(parts))
    errors: dict[str, list[float | None]] = {MODEL: [None] * len(parts), BASELINE: [None] * len(parts)}
    compared = np.zeros(len(parts), dtype=int)
    if test is not None and fit is not None:
        chosen = choose(test)
        forecasts = np.where(chosen[:, None], summed(fit.ahead), forecasts)
        noise = conformal.spread(counts, summed(fit.fitted))
        for name, made in ((MODEL, test.model), (BASELINE, test.baseline)):
            scaled = test.scaled_errors(made)
            errors[name] = [mase(one) for one in scaled]
            compared = (~np.isnan(scaled)).sum(axis=(1, 2))
    lower, upper = _intervals(forecasts, noise, intervals)
    return [
        Line(
            area=area,
            category=category,
            history=tuple(counts[place].tolist()),
            method=MODEL if chosen[place] else BASELINE,
            ahead=tuple(forecasts[place].tolist()),
            lower={confidence: _values(ends[place]) for confidence, ends in lower.items()},
            upper={confidence: _values(ends[place]) for confidence, ends in upper.items()},
            mase_model=errors[MODEL][place],
            mase_baseline=errors[BASELINE][place],
            compared=int(compared[place]),
        )
        for place, (area, category) in enumerate(labels)
    ]


def _intervals(
    forecasts: Floats, noise: Floats, intervals: Intervals | None
) -> tuple[dict[float, Floats], dict[float, Floats]]:
    """Lower and upper ends by confidence; NaN where past errors are too few to say."""
    lower = {confidence: np.full_like(forecasts, np.nan) for confidence in CONFIDENCES}
    upper = {confidence: np.full_like(forecasts, np.nan) for confidence in CONFIDENCES}
    for step in range(forecasts.shape[1]):
        for confidence in CONFIDENCES:
            score = intervals.scores[band(step), confidence] if intervals else None
            if score is not None:
                ends = conformal.interval(forecasts[:, step], noise, score)
                lower[confidence][:, step], upper[confidence][:, step] = ends
    return lower, upper


def _overall(test: Backtest | None) -> dict[str, float | None]:
    """MASE over all series: of both methods, and of the choice between them as made at the time."""
    if test is None:
        return {}
    made = {MODEL: test.model, BASELINE: test.baseline, "as used": as_used(test)}
    return {name: mase(test.scaled_errors(forecast)) for name, forecast in made.items()}


def _values(ends: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(one) else float(one) for one in ends)
