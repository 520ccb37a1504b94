"""Which rows repeat a key, over any number of batches, in bounded memory.

A key is remembered as 96 bits of two hashes with random seeds (so nobody can prepare collisions): 32 bits
lead a sorted 64-bit word whose lower half says where the other 64 bits and the row number stand. That is 24
bytes a row, about 240 MB for ten million, however long the keys are. Any two different keys among n rows
are taken for the same with a chance of about n * n / 2**97: 6e-16 for ten million rows.

Sorted runs of like size are merged (a log-structured tree), so each batch is searched in a few runs only.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import numpy as np
import polars as pl

__all__ = ["SeenKeys"]

Words = np.ndarray[Any, np.dtype[np.uint64]]
Rows = np.ndarray[Any, np.dtype[np.int64]]
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_INDEX: Final = np.uint64(2**32 - 1)
_HEAD: Final = np.uint64(2**64 - 2**32)
_MOST: Final = 2**32 - 1


class SeenKeys:
    """The keys of one uniqueness rule seen so far (at most 4,294,967,295 different ones)."""

    def __init__(self) -> None:
        self._seeds = (secrets.randbits(62), secrets.randbits(62))
        self._runs: list[Words] = []
        self._tails = np.zeros(0, dtype=np.uint64)
        self._rows = np.zeros(0, dtype=np.int64)
        self._size = 0

    def repeats(self, columns: list[pl.Series], rows: Rows) -> Rows:
        """For each row the number of the first row with the same key, or 0 where it is the first itself.

        columns: the key's typed values (no nulls), each as long as `rows`; rows: their numbers, from 1. Keys
        that were new are remembered.
        """
        if len(rows) == 0:
            return np.zeros(0, dtype=np.int64)
        if self._size + len(rows) > _MOST:
            raise OverflowError("more rows than can be told apart; send the dataset in parts")
        heads, tails = (_hash(columns, seed) for seed in self._seeds)
        words = (heads & _HEAD) | np.arange(len(rows), dtype=np.uint64)
        run = pl.Series(words).sort().to_numpy()  # polars sorts on every core
        first = _within(run, tails, rows)
        for old in self._runs:
            older, newer = _same_heads(old, run)
            same = self._tails[older] == tails[newer]
            first[newer[same]] = self._rows[older[same]]
        self._remember(run, tails, rows, first == 0)
        return first

    def _remember(
        self, run: Words, tails: Words, rows: Rows, keep: np.ndarray[Any, np.dtype[np.bool_]]
    ) -> None:
        """Add the rows to keep; the lower halves of their words become places in the arrays of all rows."""
        place = (np.cumsum(keep, dtype=np.int64) + (self._size - 1)).astype(np.uint64)
        if not keep.all():
            run, tails, rows = run[keep[run & _INDEX]], tails[keep], rows[keep]
        run = (run & _HEAD) | place[run & _INDEX]
        end = self._size + len(rows)
        self._tails, self._rows = _room(self._tails, end, self._size), _room(self._rows, end, self._size)
        self._tails[self._size : end], self._rows[self._size : end] = tails, rows
        self._size = end
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = pl.Series(np.concatenate([self._runs.pop(), run])).sort().to_numpy()
        self._runs.append(run)


def _hash(columns: list[pl.Series], seed: int) -> Words:
    total: Words | None = None
    for index, column in enumerate(columns):
        hashed = column.hash(seed + index).to_numpy()
        # Order matters: (a, b) and (b, a) are different keys.
        total = hashed if total is None else (total * _ODD) ^ hashed
    if total is None:
        raise ValueError("a key needs at least one column")
    return total


def _room(old: Any, size: int, used: int) -> Any:
    """The array, with space for `size` elements; grows by half so that appending stays cheap."""
    if size <= len(old):
        return old
    new = np.empty(max(size, used * 3 // 2), dtype=old.dtype)
    new[:used] = old[:used]
    return new


def _within(run: Words, tails: Words, rows: Rows) -> Rows:
    """For each row of a batch the number of the first one in it with the same key, 0 for that one itself."""
    first = np.zeros(len(rows), dtype=np.int64)
    heads = run & _HEAD
    equal = heads[1:] == heads[:-1]
    if not equal.any():
        return first
    near = np.zeros(len(run), dtype=np.bool_)
    near[1:] |= equal
    near[:-1] |= equal
    index = (run[near] & _INDEX).astype(np.int64)
    # Within equal heads by tail, then by row: equal keys stand together, the earliest row first.
    order = np.lexsort((index, tails[index], heads[near]))
    index, head, tail = index[order], heads[near][order], tails[index[order]]
    opens = np.ones(len(index), dtype=np.bool_)
    opens[1:] = (head[1:] != head[:-1]) | (tail[1:] != tail[:-1])
    opener = np.maximum.accumulate(np.where(opens, np.arange(len(index)), 0))
    first[index[~opens]] = rows[index[opener[~opens]]]
    return first


def _same_heads(old: Words, run: Words) -> tuple[Words, Words]:
    """Places (in the arrays of all rows, in the batch) of words that share their head."""
    heads = run & _HEAD
    low = np.searchsorted(old, heads)
    older, newer = [], []
    # Keys in `old` are all different, so more than one word with the same head is rare and the loop short.
    at = np.flatnonzero(low < len(old))
    while len(at := at[(old[low[at]] & _HEAD) == heads[at]]):
        older.append(old[low[at]] & _INDEX)
        newer.append(run[at] & _INDEX)
        low[at] += 1
        at = at[low[at] < len(old)]
    none = [np.zeros(0, dtype=np.uint64)]
    return np.concatenate(older or none), np.concatenate(newer or none)
