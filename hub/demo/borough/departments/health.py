"""NHS Wexbourne: registrations with general practices, a row a registration."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from hub.demo.borough import identifiers, places
from hub.demo.borough.identifiers import Ints, Texts
from hub.demo.borough.population import Block, chance
from hub.demo.borough.sheets import Habits, Sheet, about, blank, dates, look_up, mistype_numbers

REGISTRATIONS = "health.registrations"
_STREAM = 50
_HABITS = Habits(slips=0.01, nicknames=0.006, dates=0.004, late=0.3, plain=True, half_names=0.05)
_TWICE = 0.009
"""Share of people registered a second time, mostly at another practice and without an NHS number."""


def registrations(block: Block) -> Sheet:
    """The registrations of a block. A few of the dead are still on the list, and some of the living twice."""
    rng = block.generator(_STREAM)
    people = block.people
    listed = chance(rng, 0.97, len(people))
    listed &= np.isnat(people.died_on) | chance(rng, 0.15, len(people))
    once = np.flatnonzero(listed)
    twice = once[chance(rng, _TWICE, len(once))]
    who = np.concatenate([once, twice])
    second = np.r_[np.zeros(len(once), dtype=bool), np.ones(len(twice), dtype=bool)]
    order = rng.permutation(len(who))
    who, second = who[order], second[order]
    registered = _registered(block, rng, who)
    known = look_up(block, rng, who, _HABITS, met_on=registered)
    address = places.addresses(known.dwelling)
    person, household = about(block, who)
    sheet = Sheet(
        REGISTRATIONS,
        {
            "local_id": _local_ids(block, len(who)),
            "nhs_number": identifiers.nhs_numbers(people.number[who]),
            "forename": known.forename,
            "surname": known.surname,
            "date_of_birth": known.date_of_birth,
            "sex": known.sex,
            "uprn": address.uprn,
            "postcode": address.postcode,
            "practice_code": _practices(block, rng, who, second),
            "registered_on": dates(registered),
        },
        person,
        household,
        known.marks,
    )
    sheet.marks.append((np.flatnonzero(second), "local_id", "person entered twice"))
    sheet.columns["nhs_number"][second & chance(rng, 0.85, len(who))] = None
    blank(rng, sheet, "nhs_number", 0.02)
    mistype_numbers(rng, sheet, "uprn", 0.002)
    return sheet


def _practices(block: Block, rng: Generator, who: Ints, second: np.ndarray) -> Texts:
    """A practice of the area for nine in ten; second registrations are with the next practice."""
    each = max(1, block.total_people // 4 // 7_500)
    area = places.areas(block.people.dwelling[who])
    area = np.where(chance(rng, 0.1, len(who)), rng.integers(0, 4, len(who)), area)
    number = area * each + block.households.number[block.people.home[who]] % each
    return identifiers.practice_codes((number + second) % (4 * each))


def _registered(block: Block, rng: Generator, who: Ints) -> np.ndarray:
    """When the registration began: after birth, before today."""
    people = block.people
    end = np.where(np.isnat(people.died_on[who]), np.datetime64(block.today, "D"), people.died_on[who])
    lived = (end - people.born[who]).astype(np.int64)
    back = np.minimum(rng.gamma(1.3, 2600, len(who)).clip(max=20_000), lived - 1).clip(min=0)
    return end - np.ceil(back).astype("timedelta64[D]")


def _local_ids(block: Block, count: int) -> Texts:
    numbers = identifiers.padded(np.arange(1, count + 1), 6)
    return np.char.add(f"GP{block.index + 1:04d}", numbers).astype(object)
