"""XmR charts (individual values and moving ranges).

What a process does by itself, and what is out of the ordinary.

Limits: mean +/- 2.66 x mean moving range (Shewhart's chart for individuals; 2.66 = 3 / 1.128). Signals are
those of NHS England's Making Data Count: a point beyond a limit; seven in a row on one side of the mean;
seven in a row rising or falling; two of three in the outer third near one limit. A signal says that
something has changed, not that it is bad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_FACTOR = 2.66
RUN = 7
# Below this many points limits say little (Making Data Count asks for about 15 to 20).
LEAST_POINTS = 12


@dataclass(frozen=True)
class Limits:
    """The mean of a reference period and the limits around it; they stay as they are for later points."""

    mean: float
    lower: float
    upper: float
    points: int


def limits(reference: Sequence[float]) -> Limits:
    """The limits that a reference period of consecutive values sets. Raises ValueError below two values."""
    values = np.asarray(reference, dtype=float)
    if len(values) < 2:
        raise ValueError(f"limits need two values or more; there are {len(values)}")
    mean, moving_range = float(values.mean()), float(np.abs(np.diff(values)).mean())
    reach = LIMIT_FACTOR * moving_range
    return Limits(mean, mean - reach, mean + reach, len(values))


def run_at_end(values: Sequence[float], mean: float) -> int:
    """How many of the last values in a row lie above the mean (positive) or below it (negative).

    On it ends a run.
    """
    sides = np.sign(np.asarray(values, dtype=float) - mean).astype(int)
    if not len(sides) or sides[-1] == 0:
        return 0
    other = np.flatnonzero(sides != sides[-1])
    length = len(sides) - (int(other[-1]) + 1 if len(other) else 0)
    return int(sides[-1]) * length


def signals(values: Sequence[float], found: Limits) -> list[str]:
    """The signals that the last of these values gives, by name; empty where it is ordinary."""
    series = np.asarray(values, dtype=float)
    if not len(series):
        return []
    given = []
    if not found.lower <= series[-1] <= found.upper:
        given.append("beyond a limit")
    if abs(run_at_end(series, found.mean)) >= RUN:
        given.append("seven on one side")
    steps = np.sign(np.diff(series[-RUN:]))
    if len(series) >= RUN and abs(steps.sum()) == RUN - 1:
        given.append("seven-point trend")
    third = (found.upper - found.mean) * 2 / 3
    near = [(series[-3:] - found.mean) * side > third for side in (1, -1)]
    if any(side[-1] and side.sum() >= 2 for side in near if len(side) == 3):
        given.append("two of three near a limit")
    return given
