"""Rolling-origin backtest: would the model have beaten last year's figure, and how wide must intervals be?

From every origin month with enough history behind it, both methods forecast the months ahead from what was
known then; every forecast is compared with what came. The same errors make the intervals (see `conformal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from joinedup_workforce import conformal
from joinedup_workforce.forecast import LEAST_MONTHS, same_month_last_year, seasonal_model
from joinedup_workforce.panel import YEAR, Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

MODEL, BASELINE = "model", "same month last year"
CONFIDENCES = (0.80, 0.95)
# The errors of neighbouring horizons are alike, and few: they are pooled, so many months ahead at a time.
HORIZON_BAND = 3
# Fewer past errors than this give no interval worth the name.
LEAST_SCORES = 40


@dataclass(frozen=True)
class Backtest:
    """Forecasts from every origin.

    Arrays have the axes series, origin, months ahead; NaN where the month has not come.

    `origins[k]` is how many months were known; `naive` (series, origin) the mean absolute error of "same
    month last year" within the months known then, by which errors are scaled; `noise` (series, origin) the
    spread of the one-step fits on the stabilised scale.
    """

    origins: tuple[int, ...]
    actual: Floats
    model: Floats
    baseline: Floats
    naive: Floats
    noise: Floats

    def scaled_errors(self, forecast: Floats) -> Floats:
        """Absolute errors over the naive error of their origin; NaN where there is none."""
        return _scaled(self.actual, forecast, self.naive)


def backtest(panel: Panel, ahead: int, members: Sequence[Sequence[int]] | None = None) -> Backtest | None:
    """Forecast from every origin from `LEAST_MONTHS` on.

    None where there is not a month left to compare with.

    With `members` the forecasts and what came are summed first: `members[k]` are the series in total k.
    """
    length = panel.length
    origins = tuple(range(LEAST_MONTHS, length))
    if not origins or not len(panel.areas):
        return None

    def summed(values: Floats) -> Floats:
        return values if members is None else np.stack([values[list(part)].sum(axis=0) for part in members])

    counts = summed(panel.counts)
    shape = (len(counts), len(origins), ahead)
    actual, model, baseline = np.full(shape, np.nan), np.empty(shape), np.empty(shape)
    naive, noise = np.empty(shape[:2]), np.empty(shape[:2])
    for place, origin in enumerate(origins):
        known = counts[:, :origin]
        fit = seasonal_model(panel.counts[:, :origin], panel.categories, panel.first, ahead)
        came = counts[:, origin : origin + ahead]
        actual[:, place, : came.shape[1]] = came
        model[:, place], baseline[:, place] = summed(fit.ahead), same_month_last_year(known, ahead)
        naive[:, place] = np.abs(known[:, YEAR:] - known[:, :-YEAR]).mean(axis=1)
        noise[:, place] = conformal.spread(known, summed(fit.fitted))
    return Backtest(origins, actual, model, baseline, naive, noise)


def mase(errors: Floats) -> float | None:
    """Mean absolute scaled error (Hyndman and Koehler 2006): the mean of scaled errors.

    None where there are none.
    """
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if len(known) else None


def choose(test: Backtest, before: int | None = None) -> Flags:
    """Which series the model forecasts better: true where its scaled error is smaller than the baseline's.

    With `before`, only by the months before that one (counted as `origins` are): what could have been known
    then.
    """
    model, baseline = test.scaled_errors(test.model), test.scaled_errors(test.baseline)
    if before is not None:
        ahead = test.actual.shape[2]
        target = np.array(test.origins)[:, None] + np.arange(ahead)[None, :]
        unknown = np.broadcast_to(target >= before, model.shape)
        model, baseline = np.where(unknown, np.nan, model), np.where(unknown, np.nan, baseline)
    compared = (~np.isnan(model)).any(axis=(1, 2))
    return compared & (np.nansum(model, axis=(1, 2)) < np.nansum(baseline, axis=(1, 2)))


def as_used(test: Backtest) -> Floats:
    """The forecasts that this plugin would have made.

    At each origin the method that had done better until then.

    Choosing a method by the same errors that it is then judged by would flatter the choice; this does not.
    """
    chosen = np.stack([choose(test, before=origin) for origin in test.origins], axis=1)
    return np.where(chosen[:, :, None], test.model, test.baseline)


@dataclass(frozen=True)
class Intervals:
    """How wide intervals are (score by band of horizons and confidence) and how often past ones held."""

    scores: dict[tuple[int, float], float | None]
    coverage: dict[float, tuple[int, int]]

    def held(self, confidence: float) -> float | None:
        """Share of past months inside their interval; None where there were none to measure."""
        inside, measured = self.coverage[confidence]
        return inside / measured if measured else None


def band(step: int) -> int:
    """The band of a number of months ahead, counted from 0."""
    return step // HORIZON_BAND


def calibrate(test: Backtest) -> Intervals:
    """Scores for the next forecasts, from the past errors of the forecasts as used.

    And how often past intervals held.

    The second is measured as it would have happened: at each origin the method of each series is chosen, and
    its interval made, only by errors that were known by then; then it is judged by what came after. The
    first origin is left out: nothing was known there to choose by, so its errors are not those of a choice.
    """
    scored = conformal.scores(test.actual, as_used(test), test.noise[:, :, None])[:, 1:]
    ahead = scored.shape[2]
    target = np.array(test.origins[1:])[:, None] + np.arange(ahead)[None, :]
    bands = [_steps(one, ahead) for one in range(band(ahead - 1) + 1)]
    final = {
        (one, confidence): _quantile(scored[:, :, steps], confidence)
        for one, steps in enumerate(bands)
        for confidence in CONFIDENCES
    }
    coverage = dict.fromkeys(CONFIDENCES, (0, 0))
    for place, origin in enumerate(test.origins[1:]):
        known = np.where(target < origin, scored, np.nan)
        for steps, confidence in product(bands, CONFIDENCES):
            came = scored[:, place, steps]
            came = came[~np.isnan(came)]
            limit = _quantile(known[:, :, steps], confidence)
            if limit is not None:
                inside, measured = coverage[confidence]
                coverage[confidence] = (inside + int((came <= limit).sum()), measured + len(came))
    return Intervals(final, coverage)


def _steps(one: int, ahead: int) -> slice:
    return slice(one * HORIZON_BAND, min(ahead, (one + 1) * HORIZON_BAND))


def _quantile(past: Floats, confidence: float) -> float | None:
    if int((~np.isnan(past)).sum()) < LEAST_SCORES:
        return None
    return conformal.quantile(past, confidence)


def _scaled(actual: Floats, forecast: Floats, naive: Floats) -> Floats:
    scale = np.where(naive > 0, naive, np.nan)
    return np.abs(actual - forecast) / scale[:, :, None]
