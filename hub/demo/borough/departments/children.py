"""Children's Services: children in need, a row a case. Some children have had several."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from hub.demo.borough import identifiers, places
from hub.demo.borough.identifiers import Ints
from hub.demo.borough.population import FOSTER, Block, Dates, chance, logistic
from hub.demo.borough.sheets import Habits, Sheet, about, blank, dates, look_up, mistype_numbers

IN_NEED = "children.in_need"
STATUSES: tuple[str, ...] = (
    "early help",
    "child in need",
    "section 47",
    "child protection plan",
    "looked after",
)
_STREAM = 20
_HABITS = Habits(slips=0.02, nicknames=0.05, swapped_names=0.004, dates=0.012, late=0.3, half_names=0.25)


def in_need(block: Block) -> Sheet:
    """The cases of a block's children over the last three years; about one in fifteen children has one."""
    rng = block.generator(_STREAM)
    who, status = _cases(block, rng)
    order = rng.permutation(len(who))
    who, status = who[order], status[order]
    start, end = _periods(block, rng, who, status)
    known = look_up(block, rng, who, _HABITS, met_on=start)
    address = places.addresses(known.dwelling)
    person, household = about(block, who)
    sheet = Sheet(
        IN_NEED,
        {
            "case_id": _case_ids(block, len(who)),
            "nhs_number": identifiers.nhs_numbers(block.people.number[who]),
            "forename": known.forename,
            "surname": known.surname,
            "date_of_birth": known.date_of_birth,
            "sex": known.sex,
            "uprn": address.uprn,
            "postcode": address.postcode,
            "status": np.array(STATUSES, dtype=object)[status],
            "start_date": dates(start),
            "end_date": dates(end),
        },
        person,
        household,
        known.marks,
    )
    blank(rng, sheet, "nhs_number", 0.22)
    blank(rng, sheet, "uprn", 0.12)
    blank(rng, sheet, "postcode", 0.05)
    mistype_numbers(rng, sheet, "uprn", 0.004)
    return sheet


def _cases(block: Block, rng: Generator) -> tuple[Ints, Ints]:
    """Child (position in the block) and status of each case."""
    people = block.people
    child = (people.ages(block.today) < 18) & np.isnat(people.died_on)
    strain = people.strain
    known = np.flatnonzero(child & chance(rng, logistic(-3.45 + 1.15 * strain), len(people)))
    first = rng.choice(4, size=len(known), p=[0.52, 0.34, 0.08, 0.06])
    again = chance(rng, 0.25, len(known))
    second = np.minimum(first[again] + rng.integers(0, 2, again.sum()), 3)
    fostered = np.flatnonzero(child & (people.role == FOSTER))
    return (
        np.concatenate([known, known[again], fostered]),
        np.concatenate([first, second, np.full(len(fostered), STATUSES.index("looked after"))]),
    )


def _periods(block: Block, rng: Generator, who: Ints, status: Ints) -> tuple[Dates, Dates]:
    """Start (never before birth) and end (NaT while open) of each case."""
    today = np.datetime64(block.today, "D")
    back = np.ceil(rng.gamma(1.6, 260, len(who)).clip(2, 1095)).astype("timedelta64[D]")
    start = np.maximum(today - back, block.people.born[who])
    length = np.array([170, 420, 60, 400, 2000])[status] * rng.gamma(2.0, 0.5, len(who))
    end = start + np.ceil(length + 1).astype("timedelta64[D]")
    return start, np.where(end < today, end, np.datetime64("NaT", "D"))


def _case_ids(block: Block, count: int) -> np.ndarray:
    numbers = identifiers.padded(np.arange(1, count + 1), 5)
    return np.char.add(f"CS-{block.index + 1:04d}-", numbers).astype(object)
