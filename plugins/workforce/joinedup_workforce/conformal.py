"""Prediction intervals from past errors (split conformal), and how often they held.

The interval around a forecast is as wide as the past errors of the same kind of forecast were: with n of
them, the ceil((n + 1) x confidence)-th smallest (Vovk, Gammerman and Shafer 2005; Lei et al. 2018). It
promises its coverage for errors like the past ones, whatever their distribution. Errors are taken on the
square-root scale (Anscombe 1948), on which the noise of a count hardly depends on its size, and divided by
the series' own noise, so that series can share them.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ANSCOMBE = 3 / 8
# In-sample errors of one series are few; so many months' worth of the average over all series is mixed in.
PRIOR_MONTHS = 12


def stabilise(counts: Floats) -> Floats:
    """Counts on Anscombe's scale, sqrt(x + 3/8): a Poisson count varies by about a half there.

    NaN stays NaN.
    """
    return np.sqrt(np.maximum(counts, 0.0) + ANSCOMBE)


def spread(counts: Floats, fitted: Floats) -> Floats:
    """The noise of each series on the stabilised scale, part its own and part the average of all."""
    squares = (stabilise(counts) - stabilise(fitted)) ** 2
    months = counts.shape[1]
    own, pooled = squares.mean(axis=1), squares.mean()
    mixed = (months * own + PRIOR_MONTHS * pooled) / (months + PRIOR_MONTHS)
    return np.sqrt(np.maximum(mixed, 1e-9))


def scores(actual: Floats, forecast: Floats, noise: Floats) -> Floats:
    """How far off each forecast was, in units of its series' noise. Shapes broadcast; NaN stays NaN."""
    return np.abs(stabilise(actual) - stabilise(forecast)) / noise


def quantile(past: Floats, confidence: float) -> float | None:
    """The score that a new one stays below with this confidence.

    None while there are too few past scores to say.
    """
    known = np.sort(past[~np.isnan(past)])
    place = ceil((len(known) + 1) * confidence)
    return float(known[place - 1]) if place <= len(known) else None


def interval(forecast: Floats, noise: Floats, score: float) -> tuple[Floats, Floats]:
    """Ends of the interval on the scale of counts; never below nothing."""
    middle = stabilise(forecast)
    lower = np.maximum(middle - score * noise, np.sqrt(ANSCOMBE)) ** 2 - ANSCOMBE
    upper = (middle + score * noise) ** 2 - ANSCOMBE
    return np.maximum(lower, 0.0), np.maximum(upper, 0.0)
