"""Ids that stay: a person or household found again keeps the id it had."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Carried", "carry_over", "new_ids"]


@dataclass(frozen=True)
class Carried:
    """An id for each group, in order, and how many of them are kept from before and new."""

    ids: list[str]
    kept: int
    new: int


def new_ids(count: int) -> list[str]:
    """So many random ids of 32 hexadecimal digits: they say nothing and cannot be guessed."""
    text = os.urandom(16 * count).hex()
    return [text[start : start + 32] for start in range(0, len(text), 32)]


def carry_over(groups: Sequence[Sequence[str]], previous: Mapping[str, str]) -> Carried:
    """Give each group of keys the id most of its keys had before; no id is given twice.

    groups: the keys of each group, sorted; previous: key -> id. The largest overlap is served first, so a merger
    keeps the id of its largest part and of the parts of a split the largest keeps it. Ties go by the smallest key,
    so the outcome depends on nothing but the two partitions.
    """
    claims: list[tuple[int, str, int, str]] = []
    for number, keys in enumerate(groups):
        overlaps = Counter(previous[key] for key in keys if key in previous)
        claims.extend((-shared, keys[0], number, held) for held, shared in overlaps.items())
    first_key: dict[str, str] = {}
    for key, held in previous.items():
        if held not in first_key or key < first_key[held]:
            first_key[held] = key
    claims.sort(key=lambda claim: (claim[0], claim[1], first_key[claim[3]]))
    given: dict[int, str] = {}
    taken: set[str] = set()
    for _, _, number, held in claims:
        if number not in given and held not in taken:
            given[number] = held
            taken.add(held)
    fresh = iter(new_ids(len(groups) - len(given)))
    ids = [given.get(number) or next(fresh) for number in range(len(groups))]
    return Carried(ids, kept=len(given), new=len(groups) - len(given))
