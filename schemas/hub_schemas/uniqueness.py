"""Which rows repeat a key, over any number of batches, in bounded memory.

A key is remembered as 96 bits of two hashes with random seeds (so nobody can prepare collisions). A table with open
addressing holds 32 bits of the first hash and says where the other 64 and the row number stand. That is 20 bytes a
row and 8 to 13 more in the table, 260 MB for ten million, however long the keys are. Any two different keys among n
rows are taken for the same with a chance of about n * n / 2**97: 6e-16 for ten million rows.

All keys of a batch go through the table side by side, one probe at a time.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import numpy as np
import polars as pl

__all__ = ["SeenKeys"]

Words = np.ndarray[Any, np.dtype[np.uint64]]
Rows = np.ndarray[Any, np.dtype[np.int64]]
Places = np.ndarray[Any, np.dtype[np.intp]]
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_PLACE: Final = np.uint64(2**32 - 1)
_HEAD: Final = np.uint64(2**64 - 2**32)
_MOST: Final = 2**32 - 2
_FEWEST_BITS: Final = 12
#: Of the table, before it is made twice as large.
_MOST_IN_USE: Final = 0.62


class SeenKeys:
    """The keys of one uniqueness rule seen so far (at most 4,294,967,294 different ones)."""

    def __init__(self) -> None:
        self._seeds = (secrets.randbits(62), secrets.randbits(62))
        self._table = _Table(_FEWEST_BITS)
        self._tails = np.zeros(0, dtype=np.uint64)
        self._rows: np.ndarray[Any, Any] = np.zeros(0, dtype=np.int32)
        self._size = 0

    def repeats(self, columns: list[pl.Series], rows: Rows) -> Rows:
        """For each row the number of the first row with the same key, or 0 where it is the first itself.

        columns: the key's typed values (no nulls), each as long as `rows`; rows: their numbers, any but 0. Keys
        that were new are remembered.
        """
        count = len(rows)
        if count == 0:
            return np.zeros(0, dtype=np.int64)
        if self._size + count > _MOST:
            raise OverflowError("more rows than can be told apart; send the dataset in parts")
        heads, tails = (_hash(columns, seed) for seed in self._seeds)
        end = self._size + count
        if self._rows.dtype == np.int32 and np.abs(rows).max() > np.iinfo(np.int32).max:
            self._rows = self._rows.astype(np.int64)
        self._tails, self._rows = _room(self._tails, end, self._size), _room(self._rows, end, self._size)
        self._tails[self._size : end], self._rows[self._size : end] = tails, rows
        self._table = self._table.with_room(count)
        entries = (heads & _HEAD) | np.arange(self._size + 1, end + 1, dtype=np.uint64)
        slots, holders = self._table.enter(entries, self._tails)
        first = np.where(holders == entries, 0, self._rows[(holders & _PLACE).astype(np.intp) - 1])
        self._keep(holders == entries, entries, slots)
        return first.astype(np.int64)

    def find(self, columns: list[pl.Series]) -> Rows:
        """For each row the number of the row that was seen with the same key, or 0; nothing is remembered."""
        heads, tails = (_hash(columns, seed) for seed in self._seeds)
        places = self._table.look(heads & _HEAD, tails, self._tails)
        numbers = np.zeros(len(places), dtype=np.int64)
        numbers[places >= 0] = self._rows[places[places >= 0]]
        return numbers

    def _keep(self, new: np.ndarray[Any, np.dtype[np.bool_]], entries: Words, slots: Places) -> None:
        """Close the gaps that repeated keys leave in the arrays, so that these do not grow with them."""
        start, kept = self._size, int(np.count_nonzero(new))
        if kept < len(new):
            chosen = start + np.flatnonzero(new)
            self._tails[start : start + kept] = self._tails[chosen]
            self._rows[start : start + kept] = self._rows[chosen]
            places = np.arange(start + 1, start + kept + 1, dtype=np.uint64)
            self._table.slots[slots[new]] = (entries[new] & _HEAD) | places
        self._size += kept
        self._table.used += kept


class _Table:
    """Entries by the upper bits of their hash; 0 is a free slot. An entry's lower half is a place, from 1."""

    def __init__(self, bits: int) -> None:
        self.bits, self.used = bits, 0
        self.slots = np.zeros(1 << bits, dtype=np.uint64)

    def with_room(self, count: int) -> _Table:
        """This table, or a larger one with the same entries when `count` more would fill it."""
        bits = self.bits
        while self.used + count > _MOST_IN_USE * (1 << bits) and bits < 32:
            bits += 1
        if bits == self.bits:
            return self
        larger = _Table(bits)
        larger.fill(self.slots[self.slots != 0])
        return larger

    def fill(self, entries: Words) -> None:
        """Put entries with different keys into this empty table."""
        entries = pl.Series(entries).sort().to_numpy()  # polars sorts on every core
        order = np.arange(len(entries))
        # Each stands at its own slot or right after the one before it, whichever is further on.
        slots = np.maximum.accumulate((entries >> np.uint64(64 - self.bits)).astype(np.intp) - order) + order
        within = int(np.searchsorted(slots, len(self.slots)))
        self.slots[slots[:within]] = entries[:within]
        self.used = within
        self.enter(entries[within:], None)  # the few that go round to the first slots
        self.used = len(entries)

    def enter(self, entries: Words, tails: Words | None) -> tuple[Places, Words]:
        """Put entries in, unless one with the same key is there or comes earlier.

        tails: the second hash of every place; None when all keys are known to be different. Returns for each its
        slot, and the entry that stands there: its own, or that of the same key.
        """
        slots = (entries >> np.uint64(64 - self.bits)).astype(np.intp)
        holders = np.zeros(len(entries), dtype=np.uint64)
        left = np.arange(len(entries))
        mask = len(self.slots) - 1
        while len(left):
            at, own = slots.take(left), entries.take(left)
            free = np.flatnonzero(self.slots.take(at) == 0)[::-1]
            # Of several that want one slot the last to be written holds it; backwards, that is the earliest.
            self.slots[at[free]] = own[free]
            found = self.slots.take(at)
            done = found == own
            if tails is not None:
                alike = np.flatnonzero(~done & ((found ^ own) < _PLACE + np.uint64(1)))
                if len(alike):
                    same = tails[_index(found[alike])] == tails[_index(own[alike])]
                    done[alike[same]] = True
            holders[left[done]] = found[done]
            left = left[~done]
            slots[left] = (slots[left] + 1) & mask
        return slots, holders

    def look(self, heads: Words, keys: Words, tails: Words) -> Places:
        """The place (from 0) of each key, -1 where it is not there.

        keys: their second hashes; tails: those of every place.
        """
        places = np.full(len(heads), -1, dtype=np.intp)
        slots = (heads >> np.uint64(64 - self.bits)).astype(np.intp)
        left = np.arange(len(heads))
        while len(left):
            found = self.slots[slots[left]]
            there = found != 0
            left, found = left[there], found[there]
            alike = ((found ^ heads[left]) & _HEAD) == 0
            same = np.zeros(len(left), dtype=np.bool_)
            same[alike] = tails[_index(found[alike])] == keys[left[alike]]
            places[left[same]] = _index(found[same])
            left = left[~same]
            slots[left] = (slots[left] + 1) & (len(self.slots) - 1)
        return places


def _index(entries: Words) -> Places:
    """Where the second hash of each entry stands."""
    return (entries & _PLACE).astype(np.intp) - 1


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
