"""Drawing forenames and surnames: by origin, sex and generation, with weights that make collisions happen."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hub.demo.borough.identifiers import Ints, Texts
from hub.demo.borough.name_lists import (
    BRITISH_MEN,
    BRITISH_WOMEN,
    FORENAMES,
    GENERATIONS,
    ORIGIN_WEIGHTS,
    ORIGINS,
    PLACE_ENDINGS,
    PLACE_STEMS,
    SURNAMES,
)

LONG_TAIL = 0.38
"""Share of British surnames drawn from the long tail of place names instead of the list of usual ones."""


def draw_origins(rng: Generator, count: int) -> Ints:
    """`count` origins (positions in `ORIGINS`) by their shares of the borough."""
    return rng.choice(len(ORIGINS), size=count, p=ORIGIN_WEIGHTS).astype(np.int64)


def draw_forenames(rng: Generator, origins: Ints, women: NDArray[np.bool_], birth_years: Ints) -> Texts:
    """A forename for each person, from the list of their origin, sex and generation."""
    names = np.empty(len(origins), dtype=object)
    generations = np.searchsorted(GENERATIONS, birth_years, side="right")
    # One in ten children of families from elsewhere has a name from the list their classmates have.
    usual = (birth_years >= 1990) & (rng.random(len(origins)) < 0.1)
    groups = np.where((origins == 0) | usual, generations, len(GENERATIONS) + origins)
    keys = groups * 2 + women
    for key in np.unique(keys):
        where = np.flatnonzero(keys == key)
        group, woman = divmod(int(key), 2)
        names[where] = _pick(rng, _forename_list(group, bool(woman)), len(where), slope=0.7)
    return names


def alike(name: str, origin: int, woman: bool, birth_year: int) -> list[str]:
    """Other forenames of an origin, sex and year of birth that begin with the same letter as `name`."""
    generation = int(np.searchsorted(GENERATIONS, birth_year, side="right"))
    group = generation if origin == 0 else len(GENERATIONS) + origin
    return [other for other in _forename_list(group, woman) if other[0] == name[0] and other != name]


def draw_surnames(rng: Generator, origins: Ints) -> Texts:
    """A surname for each entry of `origins`."""
    names = np.empty(len(origins), dtype=object)
    for origin in np.unique(origins):
        where = np.flatnonzero(origins == origin)
        names[where] = _pick(rng, SURNAMES[ORIGINS[origin]], len(where), slope=0.8)
    tail = np.flatnonzero((origins == 0) & (rng.random(len(origins)) < LONG_TAIL))
    names[tail] = _pick(rng, place_surnames(), len(tail), slope=0.3)
    return names


@lru_cache(maxsize=1)
def place_surnames() -> tuple[str, ...]:
    """Surnames built from English place names, in a fixed shuffled order."""
    built = [stem + end for stem in PLACE_STEMS for end in PLACE_ENDINGS if stem[-1] != end[0]]
    order = np.random.default_rng(20_260_901).permutation(len(built))
    return tuple(built[place] for place in order)


def _forename_list(group: int, woman: bool) -> tuple[str, ...]:
    generations = len(GENERATIONS) + 1
    if group < generations:
        return (BRITISH_WOMEN if woman else BRITISH_MEN)[group]
    return FORENAMES[ORIGINS[group - generations + 1]][0 if woman else 1]


def _pick(rng: Generator, names: tuple[str, ...], count: int, slope: float) -> Texts:
    """`count` names, the weight of the nth falling as n to the power of minus `slope` (Zipf's law)."""
    weights = (np.arange(len(names)) + 3.0) ** -slope
    edges = np.cumsum(weights / weights.sum())
    places = np.searchsorted(edges, rng.random(count), side="right").clip(max=len(names) - 1)
    return np.array(names, dtype=object)[places]
