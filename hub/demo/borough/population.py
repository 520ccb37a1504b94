"""What a block of the borough is made of: people and households as columns of one length.

People and households are numbered through the whole borough; a block holds a run of both. Dates are numpy
`datetime64[D]`, missing ones NaT; missing numbers are -1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hub.demo.borough.identifiers import Ints, Texts

Dates = NDArray[np.datetime64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

KINDS: tuple[str, ...] = (
    "single",
    "single pensioner",
    "couple",
    "pensioner couple",
    "couple with children",
    "lone parent",
    "couple with grown children",
    "lone parent with grown children",
    "three generations",
    "foster family",
    "room in a shared house",
)
ROLES: tuple[str, ...] = ("adult", "partner", "grandparent", "grown child", "child", "foster child")
TENURES: tuple[str, ...] = ("owner", "private rent", "council", "housing association")

ADULT, PARTNER, GRANDPARENT, GROWN, CHILD, FOSTER = range(len(ROLES))


def kind(name: str) -> int:
    """Position of a kind of household in `KINDS`."""
    return KINDS.index(name)


@dataclass(frozen=True)
class Households:
    """Households of a block.

    `strain` is hardship in standard deviations: it drives the needs of their members.

    `size` and `children` (under 18) count the living.
    """

    number: Ints
    kind: Ints
    dwelling: Ints
    former_dwelling: Ints
    moved_on: Dates
    strain: Floats
    tenure: Ints
    size: Ints
    children: Ints


@dataclass(frozen=True)
class People:
    """People of a block, household by household; `home` is the position of each one's household."""

    number: Ints
    home: Ints
    role: Ints
    sex: Texts
    born: Dates
    origin: Ints
    forename: Texts
    surname: Texts
    former_surname: Texts
    renamed_on: Dates
    dwelling: Ints
    former_dwelling: Ints
    moved_on: Dates
    died_on: Dates
    twin: Flags
    strain: Floats

    def __len__(self) -> int:
        return len(self.number)

    def ages(self, at: date | Dates) -> Ints:
        """Whole years of age at a date (or at a date for each person); negative before birth."""
        when = np.asarray(np.datetime64(at, "D") if isinstance(at, date) else at, dtype="datetime64[D]")
        return whole_years(self.born, when)


@dataclass(frozen=True)
class Block:
    """A run of people whom the departments then write about."""

    index: int
    seed: int
    today: date
    total_people: int
    total_dwellings: int
    people: People
    households: Households

    def generator(self, stream: int) -> Generator:
        """A random generator for each user, so that a change in one department leaves the others alone."""
        return np.random.default_rng([self.seed, self.index, stream])


def whole_years(born: Dates, when: Dates) -> Ints:
    """Birthdays passed between `born` and `when`."""
    born_months, when_months = born.astype("datetime64[M]"), when.astype("datetime64[M]")
    months = (when_months - born_months).astype(np.int64)
    early = (when - when_months.astype("datetime64[D]")) < (born - born_months.astype("datetime64[D]"))
    return (months - early) // 12


def year_of(dates: Dates) -> Ints:
    """Calendar years of dates."""
    return dates.astype("datetime64[Y]").astype(np.int64) + 1970


def chance(rng: Generator, probabilities: Floats | float, count: int) -> Flags:
    """True for each of `count` with its probability."""
    return rng.random(count) < probabilities


def logistic(values: Floats) -> Floats:
    """1 / (1 + exp(-x)): turns strain into probabilities."""
    return 1.0 / (1.0 + np.exp(-values))
