"""Columns of equally long ASCII texts as grids of bytes.

Dates and identifiers are short and of fixed width, so a column of them is one (rows, width) block of bytes.
Two neighbouring bytes are read at once and looked up in a table of 65,536 entries, which checks and
converts both digits in one step: about one nanosecond a pair.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl

from hub_schemas.cell_texts import Bytes, Cells

__all__ = ["INVALID", "Grid", "Mask", "Numbers", "digit_value", "looked_up", "weighted_sum"]

Numbers = np.ndarray[Any, np.dtype[np.int32]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

#: Stands for bytes that are no digit; so far below zero that no sum or product of a few fields climbs back.
INVALID: Final = -1_000_000


class Grid:
    """The bytes of texts without nulls which are all `width` bytes long."""

    def __init__(self, values: Cells | pl.Series, width: int) -> None:
        cells = values if isinstance(values, Cells) else Cells(values)
        signs, ends = cells.spans
        self.rows, self.width = len(cells), width
        self._flat: Bytes = signs[int(ends[0]) : int(ends[0]) + self.rows * width]

    def byte(self, position: int) -> Bytes:
        """The bytes at one position, as a view."""
        return self._flat.reshape(self.rows, self.width)[:, position]

    def pair(self, position: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
        """The bytes at `position` and after it as one little-endian number, as a view."""
        if self.rows == 0:
            return np.zeros(0, dtype=np.uint16)
        return np.ndarray(
            (self.rows,), dtype="<u2", buffer=self._flat, offset=position, strides=(self.width,)
        )

    def number(self, position: int, width: int) -> Numbers:
        """The digits of a field of up to four as a number; negative where any byte is no digit."""
        total: Numbers | None = None
        while width:
            step = 2 if width > 1 else 1
            part = (
                looked_up(_pairs(10, 1), self.pair(position))
                if step == 2
                else looked_up(_single(1), self.byte(position))
            )
            total = part if total is None else total * np.int32(10**step) + part
            position, width = position + step, width - step
        if total is None:
            raise ValueError("a field has at least one byte")
        return total


def looked_up(table: np.ndarray[Any, Any], index: np.ndarray[Any, Any]) -> Any:
    """table[index], but beyond the ends of the table its ends; unlike indexing, this lets other threads run."""
    return np.take(table, index, mode="clip")


def digit_value(sign: int) -> int:
    """The value of a byte as a digit, INVALID for any other."""
    return sign - 48 if 48 <= sign <= 57 else INVALID


@lru_cache(maxsize=64)
def _single(weight: int, letters: str = "") -> Numbers:
    """Byte -> its value times weight; letters count by their place in `letters`."""
    table = np.full(256, INVALID, dtype=np.int32)
    for digit in range(10):
        table[48 + digit] = digit * weight
    for index, letter in enumerate(letters):
        table[ord(letter)] = index * weight
    return table


@lru_cache(maxsize=64)
def _pairs(first: int, second: int, letters: str = "") -> Numbers:
    """Two bytes (the first the low one) -> the weighted sum of their values; below zero if one is invalid."""
    sums = _single(second, letters)[:, None] + _single(first, letters)[None, :]
    return np.ascontiguousarray(sums.reshape(65_536))


def weighted_sum(grid: Grid, start: int, weights: tuple[int, ...], letters: str = "") -> Numbers:
    """Sum of the values from `start` on, each times its weight; negative where a byte has no value.

    letters: signs beyond the digits that are allowed, worth their place in this text.
    """
    total: Numbers | None = None
    for index in range(0, len(weights) - 1, 2):
        part = looked_up(_pairs(weights[index], weights[index + 1], letters), grid.pair(start + index))
        total = part if total is None else total + part
    if len(weights) % 2:
        part = looked_up(_single(weights[-1], letters), grid.byte(start + len(weights) - 1))
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a sum needs a weight")
    return total
