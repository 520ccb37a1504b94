"""Identifiers, a column at a time: the same verdicts as `identifier_kinds.normalise`, far faster.

Most cells of a well-kept system are canonical already, so the canonical form is tried first on the column
as it is, and only what is left is tidied and tried again. Check digits are weighted sums over a grid of
bytes; where a kind is all digits the same sum says that they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl

from hub_schemas.bytegrid import Grid, Mask, Numbers, looked_up, weighted_sum
from hub_schemas.cell_texts import Cells
from hub_schemas.identifier_kinds import (
    KINDS,
    PNC_LETTERS,
    UPN_LETTERS,
    UTR_DIGITS,
    UTR_WEIGHTS,
    VAT_WEIGHTS,
)

__all__ = ["canonical", "normalise_series"]


@cache
def _letters(text: str, most: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """For a sum of up to `most` the check letter, which goes round through `text`."""
    return np.frombuffer(text.encode(), dtype=np.uint8)[np.arange(most + 1) % len(text)]


@cache
def _remainders(divisor: int, right: tuple[int, ...], most: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether a sum of up to `most` leaves one of these when divided."""
    among: Mask = np.isin(np.arange(most + 1) % divisor, right)
    return among


def _lettered(grid: Grid, total: Numbers, letters: str, most: int, place: int) -> Mask:
    """Whether the letter at `place` is the one of the sum; false where the sum is below zero."""
    holds: Mask = (total >= 0) & np.asarray(looked_up(_letters(letters, most), total) == grid.byte(place))
    return holds


def _nhs(grid: Grid) -> Mask:
    # With the check digit's own weight of 1 the sum is a multiple of 11. Only ten noughts add up to nothing and only
    # ten nines to the most there is; both are multiples and neither is a number.
    total = weighted_sum(grid, 0, tuple(range(10, 0, -1)))
    holds: Mask = looked_up(_remainders(11, (0,), 495), total) & (total > 0) & (total < 495)
    return holds


def _upn(grid: Grid) -> Mask:
    total = weighted_sum(grid, 1, tuple(range(2, 13))) + weighted_sum(grid, 12, (13,), UPN_LETTERS)
    return _lettered(grid, total, UPN_LETTERS, 9 * 77 + 22 * 13, 0)


def _uln(grid: Grid) -> Mask:
    total = weighted_sum(grid, 0, tuple(range(10, 0, -1)))
    holds: Mask = looked_up(_remainders(11, (10,), 495), total) & (total > 0) & (grid.byte(0) != ord("0"))
    return holds


def _pnc(grid: Grid) -> Mask:
    step = 10**7 % 23
    year = weighted_sum(grid, 2, (10 * step, step))
    total = year + weighted_sum(grid, 5, tuple(10**power % 23 for power in range(6, -1, -1)))
    valid = (grid.number(0, 4) >= 0) & (grid.byte(4) == ord("/"))
    valid &= _lettered(grid, total, PNC_LETTERS, 99 * step + 9 * 7 * 22, 12)
    return np.asarray(valid)


def _utr(grid: Grid) -> Mask:
    return _lettered(grid, weighted_sum(grid, 1, UTR_WEIGHTS), UTR_DIGITS, 9 * sum(UTR_WEIGHTS), 0)


def _vat(grid: Grid) -> Mask:
    total = weighted_sum(grid, 0, VAT_WEIGHTS)
    holds: Mask = looked_up(_remainders(97, (0, 42), 9 * sum(VAT_WEIGHTS)), total) & (total >= 0)
    if grid.width == 12:
        holds &= grid.number(9, 3) >= 0
    return holds


# Kinds that are decided by the bytes alone: the widths they come in, and a check that looks at every byte.
_GRIDS: Final[dict[str, tuple[tuple[int, Callable[[Grid], Mask]], ...]]] = {
    "nhs-number": ((10, _nhs),),
    "upn": ((13, _upn),),
    "uln": ((10, _uln),),
    "pnc-id": ((13, _pnc),),
    "utr": ((10, _utr),),
    "vat": ((9, _vat), (12, _vat)),
}


def canonical(kind: str, cells: Cells) -> pl.Series:
    """Which cells are canonical with the right check digit; false for nulls."""
    for width, check in _GRIDS.get(kind, ()):
        if cells.width == width:
            return pl.Series(check(Grid(cells, width)), dtype=pl.Boolean)
    return _canonical(kind, cells.series)


def _canonical(kind: str, values: pl.Series) -> pl.Series:
    """The same for texts of many widths."""
    if kind not in _GRIDS:
        fits = values.str.contains("\\A(?:" + KINDS[kind].canonical + ")\\z").fill_null(False)
        return fits & (values != "00000000").fill_null(False) if kind == "company-number" else fits
    lengths = values.str.len_bytes()
    holds = np.zeros(len(values), dtype=np.bool_)
    for width, check in _GRIDS[kind]:
        at = (lengths == width).fill_null(False)
        if at.all():
            return pl.Series(check(Grid(values, width)), dtype=pl.Boolean)
        if at.any():
            holds[at.to_numpy()] = check(Grid(values.filter(at), width))
    if kind == "vat":
        old = values.str.contains("\\A(?:GD[0-4]|HA[5-9])[0-9]{2}\\z").fill_null(False)
        holds |= old.to_numpy()
    return pl.Series(holds, dtype=pl.Boolean)


def _tidy(kind: str, values: pl.Series) -> pl.Series:
    """Capitals, no spaces or hyphens, and the kind's own padding; text beyond ASCII is left to fail."""
    ascii_only = values.str.len_bytes() == values.str.len_chars()
    bare = values.zip_with(ascii_only, pl.Series([None], dtype=pl.String))
    bare = bare.str.replace_all("[ -]", "").str.to_uppercase()
    tidy = _TIDY.get(kind)
    if tidy is not None:
        return tidy(bare)
    rule = KINDS[kind].tidy
    return bare if rule is None else _each_distinct(bare, rule)


def _tidy_postcode(bare: pl.Series) -> pl.Series:
    text = pl.col("text")
    # All but the last three signs; a text of three or fewer has no outward part and fails either way.
    return bare.to_frame("text").select(text.str.head(-3) + " " + text.str.tail(3)).to_series()


def _tidy_uprn(bare: pl.Series) -> pl.Series:
    return bare.str.strip_chars_start("0")


def _tidy_vat(bare: pl.Series) -> pl.Series:
    return bare.str.replace("\\A(?:GB|XI)", "")


def _tidy_sic(bare: pl.Series) -> pl.Series:
    return bare.str.replace_all("[./]", "")


_TIDY: Final[dict[str, Callable[[pl.Series], pl.Series]]] = {
    "postcode": _tidy_postcode,
    "uprn": _tidy_uprn,
    "vat": _tidy_vat,
    "sic": _tidy_sic,
}


def _each_distinct(values: pl.Series, rule: Callable[[str], str]) -> pl.Series:
    """The rule on each distinct text; for kinds that are seldom many."""
    distinct = values.drop_nulls().unique()
    if len(distinct) == 0:
        return values
    tidied = pl.Series([rule(text) for text in distinct.to_list()], dtype=pl.String)
    return values.replace_strict(distinct, tidied, default=None, return_dtype=pl.String)


def normalise_series(kind: str, values: pl.Series) -> pl.Series:
    """Canonical forms of a String series; null where the value is missing or not of that kind."""
    good = _canonical(kind, values)
    if good.all():
        return values
    left = ~good & values.is_not_null()
    if not left.any():
        return values
    tidied = _tidy(kind, values.filter(left))
    tidied = tidied.zip_with(_canonical(kind, tidied), pl.Series([None], dtype=pl.String))
    return values.clone().scatter(left.arg_true(), tidied)
