"""From figures to places on a page: the range of an axis and ticks at numbers people count in."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from hub.web.text import short_number

__all__ = ["DRAWABLE", "Scale", "make_scale"]

#: Figures beyond this size are not drawn: at 1e308 differences overflow. They still stand in the table.
DRAWABLE = 1e100
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """An axis from low to high; both are ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]

    def at(self, value: float, start: float, end: float) -> float:
        """Where a figure lies when low is drawn at `start` and high at `end`."""
        return start + (end - start) * ((value - self.low) / (self.high - self.low))

    @property
    def base(self) -> float:
        """Zero, or the end of the axis nearest to it."""
        return min(max(0.0, self.low), self.high)


def make_scale(figures: Iterable[float], *, zero: bool, target: int = 5) -> Scale:
    """A scale that holds all figures, with about `target` steps of 1, 2, 2.5 or 5 times a power of ten.

    zero: whether zero must be on it (bars). Otherwise zero is left out only where the figures differ, and by
    less than half their size. When all figures are whole so are the ticks. No figures: 0 to 1.
    """
    values = [value for value in figures if abs(value) <= DRAWABLE] or [0.0]
    low, high = min(values), max(values)
    size = max(abs(low), abs(high))
    same = high - low <= size * 1e-9  # too close for a float to tell ticks apart
    if zero or same or high - low > size / 2:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-90:
        low, high = 0.0, 1.0
    step = _step((high - low) / target, whole=all(value == int(value) for value in values))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(index * step for index in range(first, last + 1))
    size = max(abs(ticks[0]), abs(ticks[-1]))
    return Scale(ticks[0], ticks[-1], ticks, tuple(short_number(tick, step, size) for tick in ticks))


def _step(rough: float, *, whole: bool) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in _STEPS if power * factor >= rough * (1 - 1e-9))
    if whole and step < 5 and step != int(step):
        return 1.0 if step < 1 else 5.0  # 0.5 and less, or 2.5: people come in whole numbers
    return step
