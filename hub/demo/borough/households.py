"""Household structures: who lives with whom, of what age and sex.

Shares and sizes are round figures in the shape of the England and Wales census of 2021 (a mean of about 2.4
people a household, three in ten of one person, one in ten of one parent); they are not a model of any real
place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.demo.borough.identifiers import Ints
from hub.demo.borough.population import (
    ADULT,
    CHILD,
    FOSTER,
    GRANDPARENT,
    GROWN,
    KINDS,
    PARTNER,
    Flags,
    Floats,
    kind,
)

_KIND_WEIGHTS = np.array([0.165, 0.13, 0.165, 0.095, 0.215, 0.085, 0.055, 0.04, 0.022, 0.0035, 0.012])
_CHILDREN = {"couple": (0.41, 0.42, 0.125, 0.035, 0.01), "lone": (0.53, 0.32, 0.11, 0.03, 0.01)}
_TWIN_SHARE = 0.03
"""Share of younger siblings born with the one before them: about 1.5 % of all births."""


@dataclass(frozen=True)
class Composition:
    """Households as kinds and dwellings, their members as home, role, age in years, sex and a twin mark."""

    kind: Ints
    dwelling: Ints
    home: Ints
    role: Ints
    age: Floats
    woman: Flags
    twin: Flags


def compose(rng: Generator, people: int, first_dwelling: int) -> Composition:
    """Households for exactly `people` people, in dwellings from `first_dwelling` on (3 % stand empty)."""
    kinds, dwelling = _draw_kinds(rng, people)
    members = _draw_members(rng, kinds)
    whole = int(np.searchsorted(np.cumsum(members.sum(axis=1)), people, side="right"))
    short = people - int(members[:whole].sum())
    kinds = np.concatenate([kinds[:whole], np.full(short, kind("single"))])
    members = np.concatenate([members[:whole], np.eye(1, 6, dtype=np.int64).repeat(short, axis=0)])
    last = dwelling[whole - 1] if whole else 0
    dwelling = np.concatenate([dwelling[:whole], last + 1 + np.arange(short)])
    home = np.repeat(np.arange(len(kinds)), members.sum(axis=1))
    role = np.repeat(np.tile(np.arange(6), len(kinds)), members.ravel())
    age, twin = _draw_ages(rng, kinds, members, home, role)
    return Composition(
        kind=kinds,
        dwelling=first_dwelling + dwelling,
        home=home,
        role=role,
        age=age,
        woman=_draw_women(rng, kinds, home, role),
        twin=twin,
    )


def _draw_kinds(rng: Generator, people: int) -> tuple[Ints, Ints]:
    """Kinds of more households than can be needed, and their dwellings; rooms of a shared house share one."""
    count = people + 8
    drawn = rng.choice(len(KINDS), size=count, p=_KIND_WEIGHTS / _KIND_WEIGHTS.sum())
    rooms = np.where(drawn == kind("room in a shared house"), rng.integers(3, 8, count), 1)
    step = 1 + (rng.random(count) < 0.03)
    return np.repeat(drawn, rooms)[:count], np.repeat(np.cumsum(step) - 1, rooms)[:count]


def _draw_members(rng: Generator, kinds: Ints) -> Ints:
    """How many members of each role a household has: shape (households, 6)."""
    count = len(kinds)
    members = np.zeros((count, 6), dtype=np.int64)
    members[:, ADULT] = 1
    pairs = [kind(name) for name in KINDS if "couple" in name or name == "foster family"]
    three = kinds == kind("three generations")
    members[:, PARTNER] = np.isin(kinds, pairs) | (three & (rng.random(count) < 0.75))
    couple = 1 + np.searchsorted(np.cumsum(_CHILDREN["couple"]), rng.random(count)).clip(max=4)
    lone = 1 + np.searchsorted(np.cumsum(_CHILDREN["lone"]), rng.random(count)).clip(max=4)
    members[:, CHILD] += np.where((kinds == kind("couple with children")) | three, couple, 0)
    members[:, CHILD] += np.where(kinds == kind("lone parent"), lone, 0)
    grown = np.isin(kinds, [kind("couple with grown children"), kind("lone parent with grown children")])
    members[:, GROWN] = np.where(grown, 1 + (rng.random(count) < 0.3), 0)
    members[:, CHILD] += grown & (rng.random(count) < 0.25)
    foster = kinds == kind("foster family")
    members[:, CHILD] += np.where(foster, rng.integers(0, 3, count), 0)
    members[:, FOSTER] = np.where(foster, 1 + (rng.random(count) < 0.4), 0)
    members[:, GRANDPARENT] = np.where(three, 1 + (rng.random(count) < 0.35), 0)
    return members


def _draw_ages(rng: Generator, kinds: Ints, members: Ints, home: Ints, role: Ints) -> tuple[Floats, Flags]:
    """Ages in years of all members, and which children are the second of twins."""
    adult = _draw_adult_ages(rng, kinds, members)
    age = adult[home]
    count = len(home)
    partner = role == PARTNER
    age[partner] = (age[partner] + rng.normal(1.8, 3.6, partner.sum())).clip(18.2, 102)
    old = role == GRANDPARENT
    age[old] = (age[old] + rng.uniform(21, 36, old.sum())).clip(45, 98)
    grown = role == GROWN
    age[grown] = 18.05 + rng.random(grown.sum()) * (np.minimum(age[grown] - 18, 31) - 18.05).clip(0.5)
    foster = role == FOSTER
    age[foster] = rng.uniform(0.5, 17.9, foster.sum())
    twin = np.zeros(count, dtype=bool)
    children = np.flatnonzero(role == CHILD)
    if len(children):
        age[children], twin[children] = _draw_child_ages(rng, age[children], home[children])
    return age, twin


def _draw_adult_ages(rng: Generator, kinds: Ints, members: Ints) -> Floats:
    """Age of the first adult of each household, old enough for its children."""
    count = len(kinds)
    young = rng.random(count) < 0.5
    by_kind = {
        "single": rng.triangular(19, 40, 66, count),
        "single pensioner": (66 + rng.exponential(10, count)).clip(max=103),
        "couple": np.where(young, rng.uniform(20, 37, count), rng.uniform(42, 66, count)),
        "pensioner couple": (65 + rng.exponential(7.5, count)).clip(max=98),
        "couple with children": rng.normal(38.5, 7.0, count).clip(19, 57),
        "lone parent": rng.normal(35.5, 8.0, count).clip(18.2, 57),
        "couple with grown children": rng.uniform(45, 67, count),
        "lone parent with grown children": rng.uniform(43, 68, count),
        "three generations": rng.uniform(24, 50, count),
        "foster family": rng.uniform(35, 60, count),
        "room in a shared house": (18.5 + rng.gamma(2.0, 6.0, count)).clip(max=64),
    }
    age = np.choose(kinds, [by_kind[name] for name in KINDS])
    return np.where(members[:, CHILD] > 0, np.maximum(age, 17.2 + 1.3 * members[:, CHILD]), age)


def _draw_child_ages(rng: Generator, parent: Floats, home: Ints) -> tuple[Floats, Flags]:
    """Ages of the children of each home, eldest first, eleven months apart or more unless they are twins."""
    first = np.r_[True, home[1:] != home[:-1]]
    start = np.flatnonzero(first)
    size = np.diff(np.r_[start, len(home)])
    rank = np.arange(len(home)) - np.repeat(start, size)
    after = np.repeat(size, size) - 1 - rank  # younger siblings
    gap = 0.95
    low = (parent - 44).clip(0.02, 10)
    room = (np.minimum(17.98, parent - 16.5) - low - gap * (np.repeat(size, size) - 1)).clip(0.05)
    draws = rng.random(len(home))
    draws = draws[np.lexsort((-draws, home))]
    age = low + draws * room + gap * after
    twin = ~first & (rng.random(len(home)) < _TWIN_SHARE)
    twin[1:] &= ~twin[:-1]  # no triplets
    places = np.flatnonzero(twin)
    age[places] = age[places - 1]
    return age.clip(0.01, 17.99), twin


def _draw_women(rng: Generator, kinds: Ints, home: Ints, role: Ints) -> Flags:
    """Who is a woman or girl. Couples are a woman and then a man, but for one in forty."""
    share = np.full(len(KINDS), 0.5)
    for name, value in (
        ("single", 0.46),
        ("single pensioner", 0.66),
        ("lone parent", 0.88),
        ("lone parent with grown children", 0.85),
        ("room in a shared house", 0.38),
    ):
        share[kind(name)] = value
    woman = rng.random(len(home)) < np.where(role == ADULT, share[kinds[home]], 0.488)
    partner = np.flatnonzero(role == PARTNER)
    same = rng.random(len(partner)) < 0.025
    woman[partner - 1] = np.where(same, woman[partner - 1], True)
    woman[partner] = np.where(same, woman[partner - 1], False)
    return woman
