"""Point forecasts of monthly counts: a seasonal model and the baseline it has to beat.

Model: daily rate = level with damped trend x seasonal factor of the calendar month. Series of few incidents
are poor guides to their own seasons (Gorr, Olligschlaeger and Thompson 2003 put the limit near 30 a month),
so the seasonal factors of a category are pooled over all areas and shrunk towards none as far as the data do
not show any. Smoothing: Gardner's damped trend (Gardner and McKenzie 1985), its weights chosen for a
category as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from joinedup_workforce.panel import YEAR, add_months, days_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Two whole years: fewer cannot tell a season from a trend.
LEAST_MONTHS = 2 * YEAR
LEVEL_WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.5)
TREND_WEIGHTS = (0.0, 0.05, 0.1)
DAMPING = 0.9
# Months at the start that only warm the smoothing up.
WARM_UP = 6


@dataclass(frozen=True)
class Fit:
    """Forecasts of months ahead (series by months) and one-step fits of the history (its shape)."""

    ahead: Floats
    fitted: Floats


def same_month_last_year(counts: Floats, ahead: int) -> Floats:
    """The baseline: each month repeats the same month of the last year that is known.

    Needs 12 months of history.
    """
    if counts.shape[1] < YEAR:
        raise ValueError(f"same month last year needs {YEAR} months of history; there are {counts.shape[1]}")
    return counts[:, -YEAR:][:, [step % YEAR for step in range(ahead)]]


def seasonal_model(counts: Floats, groups: tuple[str, ...], first: date, ahead: int) -> Fit:
    """Forecast each series. `groups[i]` names the category of series i; `first` is its first month.

    Raises ValueError below `LEAST_MONTHS` months of history.
    """
    series, length = counts.shape
    if length < LEAST_MONTHS:
        raise ValueError(f"the model needs {LEAST_MONTHS} months of history; there are {length}")
    months = [add_months(first, number) for number in range(length + ahead)]
    days = np.array([days_in(month) for month in months], dtype=float)
    calendar = np.array([month.month - 1 for month in months])
    rates = counts / days[:length]
    ahead_counts, fitted = np.zeros((series, ahead)), np.zeros((series, length))
    names = np.array(groups)
    for group in sorted(set(groups)):
        members = names == group
        factors = seasonal_factors(rates[members].sum(axis=0), calendar[:length])[calendar]
        level_fits, level_ahead = damped_trend(rates[members] / factors[:length], ahead)
        fitted[members] = level_fits * factors[:length] * days[:length]
        ahead_counts[members] = level_ahead * factors[length:] * days[length:]
    return Fit(np.maximum(ahead_counts, 0.0), np.maximum(fitted, 0.0))


def seasonal_factors(rates: Floats, calendar: NDArray[np.int64]) -> Floats:
    """Twelve factors around 1 from the pooled rates of a category (`calendar`: month of each rate, 0 to 11).

    Month effects beside a straight trend, by least squares on logarithms; then shrunk by the share of their
    variance that sampling does not explain (the positive-part James-Stein estimate), down to no season at
    all.
    """
    if np.any(rates <= 0):
        # The logarithm needs a little more than nothing: half an incident a month.
        rates = rates + 0.5 / 30
    length = len(rates)
    design = np.zeros((length, YEAR + 1))
    design[np.arange(length), calendar] = 1.0
    design[:, YEAR] = (np.arange(length) - (length - 1) / 2) / YEAR
    effects, _, _, _ = np.linalg.lstsq(design, np.log(rates), rcond=None)
    residuals = np.log(rates) - design @ effects
    noise = float(residuals @ residuals) / max(1, length - YEAR - 1)
    months = effects[:YEAR] - effects[:YEAR].mean()
    sampling = noise * float(np.mean(np.diag(np.linalg.pinv(design.T @ design))[:YEAR]))
    variance = float(np.mean(months**2))
    keep = max(0.0, 1.0 - sampling / variance) if variance > 0 else 0.0
    return np.exp(keep * months)


def damped_trend(rates: Floats, ahead: int) -> tuple[Floats, Floats]:
    """Exponential smoothing with a damped trend: one-step fits (as `rates`) and forecasts (series, months).

    The weights are those with the least squared one-step error over all series, each relative to its own
    level. All pairs of weights are smoothed at once: arrays inside have a first axis of pairs.
    """
    pairs = np.array(list(product(LEVEL_WEIGHTS, TREND_WEIGHTS)))
    level_weight, trend_weight = pairs[:, :1], pairs[:, 1:]
    series, months = rates.shape
    level = np.broadcast_to(rates[:, :YEAR].mean(axis=1), (len(pairs), series))
    trend = np.zeros((len(pairs), series))
    fits = np.empty((months, len(pairs), series))
    for month in range(months):
        expected = level + DAMPING * trend
        fits[month] = expected
        after = expected + level_weight * (rates[:, month] - expected)
        trend = trend_weight * (after - level) + (1 - trend_weight) * DAMPING * trend
        level = after
    scale = np.maximum(rates.mean(axis=1), 1e-9)
    errors = ((rates.T[WARM_UP:, None, :] - fits[WARM_UP:]) ** 2 / scale).sum(axis=(0, 2))
    # The first of equals, so that a flat series gets the smallest weights.
    best = int(np.argmin(np.round(errors, 12)))
    reach = np.cumsum(DAMPING ** np.arange(1, ahead + 1))
    forecasts = np.maximum(level[best][:, None] + trend[best][:, None] * reach, 0.0)
    return fits[:, best].T, forecasts
