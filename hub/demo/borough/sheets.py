"""What a department writes: sheets of rows, and what it knows, rightly or wrongly, of the people in them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hub.demo.borough import errors
from hub.demo.borough.errors import DATE_MISTAKES, NAME_MISTAKES, Mistake
from hub.demo.borough.identifiers import Ints, Texts, padded
from hub.demo.borough.population import Block, Dates, Flags, chance

Mark = tuple[Ints, str, str]
"""Rows (positions in the sheet), column and kind of a mistake."""


@dataclass(frozen=True)
class Habits:
    """How well a department keeps its records: the share of people each mistake is made on.

    `upper`: everything in capitals; `plain`: accents, apostrophes and hyphens are lost. `late`: share of
    those who moved (in two years) or changed name (in eight) who are still under the old one.
    """

    slips: float = 0.015
    nicknames: float = 0.02
    swapped_names: float = 0.003
    initials: float = 0.0
    half_names: float = 0.15
    dates: float = 0.006
    sex: float = 0.002
    late: float = 0.2
    upper: bool = False
    plain: bool = False


@dataclass
class Known:
    """What a department holds on people: columns of one length, ready to write, and the mistakes in them."""

    who: Ints
    forename: Texts
    surname: Texts
    date_of_birth: Texts
    sex: Texts
    dwelling: Ints
    marks: list[Mark] = field(default_factory=list)

    def rows(self, places: Ints) -> Known:
        """The same people for rows that name the entry at each of `places`."""
        marks = [(np.flatnonzero(np.isin(places, rows)), column, kind) for rows, column, kind in self.marks]
        return Known(
            who=self.who[places],
            forename=self.forename[places],
            surname=self.surname[places],
            date_of_birth=self.date_of_birth[places],
            sex=self.sex[places],
            dwelling=self.dwelling[places],
            marks=marks,
        )


@dataclass
class Sheet:
    """Rows of one dataset: columns of texts (None: empty), who each row is about, the mistakes in them.

    `person` and `household` are numbers in the borough, -1 where a row is about nobody in it.
    """

    dataset: str
    columns: dict[str, Texts]
    person: Ints
    household: Ints
    marks: list[Mark] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class Need:
    """Evidence that a family criterion truly holds: rows of a sheet about people who meet it."""

    criterion: str
    indicator: str
    dataset: str
    people: Ints
    rows: Ints


def about(block: Block, who: Ints) -> tuple[Ints, Ints]:
    """Person and household numbers of the people at positions `who` in the block."""
    return block.people.number[who], block.households.number[block.people.home[who]]


def nobody(count: int) -> Ints:
    """`count` times the number that stands for nobody."""
    return np.full(count, -1, dtype=np.int64)


def look_up(block: Block, rng: Generator, who: Ints, habits: Habits, met_on: Dates | None = None) -> Known:
    """What a department with these habits holds on the people at positions `who` of the block.

    `met_on` is when it first met each of them (`datetime64[D]`; today if left out): nobody is put down as
    born after that day.
    """
    people, count = block.people, len(who)
    known = Known(
        who=who,
        forename=people.forename[who],
        surname=people.surname[who],
        date_of_birth=dates(people.born[who]),
        sex=people.sex[who],
        dwelling=people.dwelling[who],
    )
    _fall_behind(block, rng, known, habits)
    for column in ("forename", "surname"):
        _slip(rng, known, column, habits.slips / 2, NAME_MISTAKES)
    _slip(rng, known, "forename", habits.nicknames, (("nickname", errors.nickname, 1.0),))
    _slip(rng, known, "forename", habits.initials, (("initial only", errors.initial, 1.0),))
    _slip(rng, known, "surname", habits.half_names, (("one of two names", errors.one_of_two_names, 1.0),))
    met_on = np.full(count, np.datetime64(block.today, "D")) if met_on is None else met_on
    _slip(rng, known, "date_of_birth", habits.dates, DATE_MISTAKES, latest=met_on)
    swapped = chance(rng, habits.swapped_names, count)
    known.forename[swapped], known.surname[swapped] = known.surname[swapped], known.forename[swapped]
    known.marks.append((np.flatnonzero(swapped), "forename", "names swapped"))
    wrong = chance(rng, habits.sex, count) & (known.sex != "X")
    known.sex[wrong] = np.where(known.sex[wrong] == "F", "M", "F")
    known.marks.append((np.flatnonzero(wrong), "sex", "wrong sex"))
    _write_in_style(known, habits)
    return known


def dates(values: Dates) -> Texts:
    """ISO dates as texts; None for NaT."""
    texts = np.datetime_as_string(values, unit="D").astype(object)
    texts[np.isnat(values)] = None
    return texts


def money(pence: Ints) -> Texts:
    """Amounts in pounds with two decimals."""
    pounds = np.char.add((pence // 100).astype("U12"), ".")
    return np.char.add(pounds, padded(pence % 100, 2)).astype(object)


def whole(values: NDArray[np.generic]) -> Texts:
    """Whole numbers as texts."""
    return np.asarray(values, dtype=np.int64).astype("U20").astype(object)


def decimals(values: NDArray[np.float64], places: int) -> Texts:
    """Numbers as texts with a fixed number of decimals."""
    return np.array([f"{value:.{places}f}" for value in values], dtype=object)


def yes_no(values: Flags) -> Texts:
    """The texts true and false."""
    return np.where(values, "true", "false").astype(object)


def empty(values: Texts) -> Flags:
    """Which entries of a column are empty."""
    return np.array([text is None for text in values], dtype=bool)


def blank(rng: Generator, sheet: Sheet, column: str, share: float, kind: str = "missing") -> None:
    """Empty a share of an optional column and mark it as a mistake."""
    gone = chance(rng, share, len(sheet))
    gone &= ~empty(sheet.columns[column])
    sheet.columns[column][gone] = None
    sheet.marks.append((np.flatnonzero(gone), column, kind))


def mistype_numbers(rng: Generator, sheet: Sheet, column: str, share: float) -> None:
    """Swap two digits in a share of a column whose numbers have no check digit: no contract can notice."""
    rows = np.flatnonzero(chance(rng, share, len(sheet)))
    values = sheet.columns[column]
    changed = []
    for row in rows:
        if values[row] is not None:
            wrong = errors.swapped_digits(values[row], rng)
            if wrong != values[row]:
                values[row] = wrong
                changed.append(row)
    sheet.marks.append((np.array(changed, dtype=np.int64), column, "digits swapped"))


def _fall_behind(block: Block, rng: Generator, known: Known, habits: Habits) -> None:
    """Old addresses and old surnames that the department was not told about. A household is late as one."""
    people, who = block.people, known.who
    late = chance(rng, habits.late, len(block.households.number))[people.home[who]]
    moved = (people.former_dwelling[who] >= 0) & late
    known.dwelling = np.where(moved, people.former_dwelling[who], known.dwelling)
    known.marks.append((np.flatnonzero(moved), "uprn", "former address"))
    age = np.datetime64(block.today, "D") - people.renamed_on[who]
    recent = ~np.isnat(people.renamed_on[who]) & (age < np.timedelta64(8 * 365, "D"))
    old = recent & chance(rng, min(1.0, habits.late * 1.5), len(who))
    known.surname[old] = people.former_surname[who][old]
    known.marks.append((np.flatnonzero(old), "surname", "former surname"))


def _slip(
    rng: Generator,
    known: Known,
    column: str,
    share: float,
    mistakes: tuple[tuple[str, Mistake, float], ...],
    latest: Dates | None = None,
) -> None:
    """Make one of `mistakes` in a share of a column, no date after its `latest`, and mark the rows."""
    rows = np.flatnonzero(chance(rng, share, len(known.who)))
    picks = rng.choice(len(mistakes), size=len(rows), p=[weight for _, _, weight in mistakes])
    values: Texts = getattr(known, column)
    changed: list[list[int]] = [[] for _ in mistakes]
    for row, pick in zip(rows, picks, strict=True):
        wrong = mistakes[pick][1](values[row], rng)
        if wrong != values[row] and wrong and (latest is None or np.datetime64(wrong, "D") <= latest[row]):
            values[row] = wrong
            changed[pick].append(int(row))
    for (kind, _, _), places in zip(mistakes, changed, strict=True):
        known.marks.append((np.array(places, dtype=np.int64), column, kind))


def _write_in_style(known: Known, habits: Habits) -> None:
    """Capitals, lost accents and marks: what the department's system does to every name."""
    for column in ("forename", "surname"):
        values = getattr(known, column)
        if habits.plain:
            odd = [at for at, text in enumerate(values) if not text.isalpha() or not text.isascii()]
            for at in odd:
                values[at] = errors.without_marks(errors.without_accents(values[at]))
        if habits.upper:
            setattr(known, column, np.array([text.upper() for text in values], dtype=object))
