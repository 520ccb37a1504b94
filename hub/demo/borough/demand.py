"""How many incidents the police of the borough meet: level, trend, season and noise by category and area.

The expected number of incidents in a month is

    people * rate * share of the area * (1 + trend) ** years * season(month) * noise

with noise drawn once for the borough for each month, area and category, so that every block of people sees
the same good and bad months. Mean minutes follow Detroit's calls (domestic 64.3, burglary 56.2, mental
health 54.4, disturbance 33.1 minutes); everything else is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from hub.demo.borough.places import AREA_SHARES, AREAS
from hub.demo.borough.population import Dates, Floats
from hub.demo.borough.terms import MONTHS_OF_HISTORY, last_months

CATEGORIES: tuple[str, ...] = (
    "burglary",
    "violence",
    "domestic abuse",
    "anti-social behaviour",
    "theft",
    "mental health",
)
BURGLARY, VIOLENCE, DOMESTIC, ASB, THEFT, MENTAL = range(len(CATEGORIES))
INCIDENTS_A_PERSON_A_YEAR = 0.3
_STREAM = 1_000_001


@dataclass(frozen=True)
class Category:
    """One kind of incident: its share of all, how it changes, and what it takes to deal with."""

    share: float
    trend: tuple[float, float, float, float]
    """Yearly change in each area."""
    peak: float
    """Month in which it is most frequent (0 = January; fractions allowed)."""
    swing: float
    """Height of the seasonal wave, as a share of the mean."""
    minutes: float
    officers: float
    hours: tuple[float, float, float, float]
    """Weights of the night, morning, afternoon and evening (six hours each)."""
    weekend: float
    """How much more frequent a weekend day is than a weekday."""
    priority: tuple[float, float, float]


PROFILES: tuple[Category, ...] = (
    Category(0.09, (0.16, 0.03, -0.02, -0.03), 10.9, 0.22, 56.2, 1.5, (3, 2, 3, 4), 0.9, (0.2, 0.5, 0.3)),
    Category(0.22, (0.04, 0.02, 0.03, 0.01), 6.2, 0.11, 62.0, 2.1, (4, 1, 3, 5), 1.35, (0.45, 0.4, 0.15)),
    Category(0.15, (0.05, 0.05, 0.05, 0.04), 6.8, 0.07, 64.3, 2.0, (3, 2, 3, 5), 1.3, (0.5, 0.4, 0.1)),
    Category(0.24, (0.03, -0.05, -0.03, -0.04), 6.5, 0.30, 33.1, 1.5, (2, 1, 4, 7), 1.2, (0.1, 0.35, 0.55)),
    Category(0.20, (0.03, 0.04, 0.02, 0.05), 11.2, 0.13, 40.0, 1.2, (1, 4, 6, 3), 0.95, (0.06, 0.34, 0.6)),
    Category(0.10, (0.08, 0.07, 0.09, 0.06), 4.5, 0.04, 54.4, 2.0, (4, 3, 4, 5), 1.0, (0.4, 0.45, 0.15)),
)

_AREA_LEAN = np.array(
    [
        [1.2, 0.9, 0.9, 1.0],
        [1.2, 1.1, 0.95, 0.65],
        [1.15, 1.0, 1.0, 0.75],
        [1.3, 1.0, 0.95, 0.6],
        [0.9, 1.4, 0.95, 0.85],
        [1.05, 0.95, 1.05, 0.9],
    ]
)
"""How much more or less of each category an area has than its people would give."""


@dataclass(frozen=True)
class Demand:
    """Expected incidents a person, shape (months, areas, categories), and the months (`datetime64[M]`)."""

    months: Dates
    rates: Floats


def demand(seed: int, today: date) -> Demand:
    """The borough's demand for the 36 whole months before `today`."""
    rng = np.random.default_rng([seed, _STREAM])
    months = last_months(today)
    calendar = months.astype(np.int64) % 12
    years = (np.arange(MONTHS_OF_HISTORY) - MONTHS_OF_HISTORY / 2) / 12
    rates = np.empty((MONTHS_OF_HISTORY, len(AREAS), len(CATEGORIES)))
    shared = rng.normal(0, 0.025, (MONTHS_OF_HISTORY, 1, 1))
    for at, profile in enumerate(PROFILES):
        season = 1 + profile.swing * np.cos(2 * np.pi * (calendar - profile.peak) / 12)
        if at == DOMESTIC:
            season = season + 0.10 * (calendar == 11)
        growth = (1 + np.array(profile.trend)) ** years[:, None]
        place = np.array(AREA_SHARES) * _AREA_LEAN[at] / (np.array(AREA_SHARES) @ _AREA_LEAN[at])
        level = INCIDENTS_A_PERSON_A_YEAR / 12 * profile.share * place
        rates[:, :, at] = level * season[:, None] * growth
    rates *= np.exp(shared + rng.normal(0, 0.045, rates.shape))
    days = (
        np.arange(months[0], months[-1] + 2).astype("datetime64[D]")[1:] - months.astype("datetime64[D]")
    ).astype(int)
    return Demand(months=months, rates=rates * (days / 30.44)[:, None, None])


def hour_weights(profile: Category) -> NDArray[np.float64]:
    """Probability of each hour of the day."""
    weights = np.repeat(np.array(profile.hours, dtype=float), 6)
    smooth = (np.roll(weights, 1) + 2 * weights + np.roll(weights, -1)) / 4
    return smooth / smooth.sum()
