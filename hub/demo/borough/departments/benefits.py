"""Benefits: claims, a row a claim. People may have several, open and closed."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from hub.demo.borough import identifiers, places
from hub.demo.borough.identifiers import Ints, Texts
from hub.demo.borough.population import KINDS, TENURES, Block, Dates, Flags, chance, kind, logistic
from hub.demo.borough.sheets import (
    Habits,
    Need,
    Sheet,
    about,
    blank,
    dates,
    look_up,
    mistype_numbers,
    yes_no,
)

CLAIMS = "benefits.claims"
BENEFITS: tuple[str, ...] = (
    "universal credit",
    "jobseekers allowance",
    "employment and support allowance",
    "housing benefit",
    "council tax support",
)
_STREAM = 40
_HABITS = Habits(slips=0.014, nicknames=0.008, dates=0.006, late=0.22, upper=True, plain=True)
_UC, _JSA, _ESA, _HB, _CTS = range(len(BENEFITS))


def claims(block: Block) -> tuple[Sheet, list[Need]]:
    """The claims of a block's adults, and which adults are truly on an out-of-work benefit today."""
    rng = block.generator(_STREAM)
    who, benefit, idle, closed = _draw_claims(block, rng)
    order = rng.permutation(len(who))
    who, benefit, idle, closed = who[order], benefit[order], idle[order], closed[order]
    start, end = _periods(block, rng, who, closed)
    known = look_up(block, rng, who, _HABITS, met_on=start)
    address = places.addresses(known.dwelling)
    person, household = about(block, who)
    sheet = Sheet(
        CLAIMS,
        {
            "claim_id": _claim_ids(block, len(who)),
            "nino": identifiers.ninos(block.people.number[who]),
            "forename": known.forename,
            "surname": known.surname,
            "date_of_birth": known.date_of_birth,
            "sex": known.sex,
            "uprn": address.uprn,
            "postcode": address.postcode,
            "benefit": np.array(BENEFITS, dtype=object)[benefit],
            "out_of_work": yes_no(idle),
            "start_date": dates(start),
            "end_date": dates(end),
        },
        person,
        household,
        known.marks,
    )
    blank(rng, sheet, "nino", 0.05)
    mistype_numbers(rng, sheet, "nino", 0.004)
    mistype_numbers(rng, sheet, "uprn", 0.002)
    rows = np.flatnonzero(idle & np.isnat(end))
    return sheet, [Need("out_of_work", "adult on an out-of-work benefit", CLAIMS, who[rows], rows)]


def _draw_claims(block: Block, rng: Generator) -> tuple[Ints, Ints, Flags, Flags]:
    """Claimant, benefit, whether for being out of work, and whether the claim has ended."""
    people, homes = block.people, block.households
    age, strain = people.ages(block.today), people.strain
    alive = np.isnat(people.died_on)
    working = (age >= 18) & (age < 66) & alive
    lift = np.zeros(len(KINDS))
    for name, value in (
        ("lone parent", 0.9),
        ("couple with children", 0.15),
        ("room in a shared house", 0.3),
    ):
        lift[kind(name)] = value
    lift = lift[homes.kind[people.home]]
    claims_uc = working & chance(rng, logistic(-2.35 + 0.95 * strain + lift), len(people))
    jobless = chance(rng, logistic(0.05 + 0.55 * strain - 0.5 * lift), len(people))
    parts = [(np.flatnonzero(claims_uc), _UC, jobless, 0.12)]
    parts.append((np.flatnonzero(working & ~claims_uc & chance(rng, 0.045, len(people))), _UC, jobless, 1.0))
    ill = working & ~claims_uc & (age > 25) & chance(rng, logistic(-5.0 + 0.8 * strain), len(people))
    parts.append((np.flatnonzero(ill), _ESA, np.ones(len(people), dtype=bool), 0.2))
    seeking = working & ~claims_uc & ~ill & chance(rng, 0.004, len(people))
    parts.append((np.flatnonzero(seeking), _JSA, np.ones(len(people), dtype=bool), 0.3))
    renting = homes.tenure[people.home] != TENURES.index("owner")
    never = np.zeros(len(people), dtype=bool)
    old = (age >= 66) & alive & renting & chance(rng, logistic(0.2 + 0.8 * strain), len(people))
    parts.append((np.flatnonzero(old), _HB, never, 0.05))
    reduced = (claims_uc | old) & chance(rng, 0.55, len(people))
    parts.append((np.flatnonzero(reduced), _CTS, never, 0.08))
    return (
        np.concatenate([who for who, _, _, _ in parts]),
        np.concatenate([np.full(len(who), benefit) for who, benefit, _, _ in parts]),
        np.concatenate([idle[who] for who, _, idle, _ in parts]),
        np.concatenate([chance(rng, share, len(who)) for who, _, _, share in parts]),
    )


def _periods(block: Block, rng: Generator, who: Ints, closed: Flags) -> tuple[Dates, Dates]:
    """Start (at 18 at the earliest) and end (NaT while open) of each claim."""
    today = np.datetime64(block.today, "D")
    back = (20 + rng.gamma(1.3, 520, len(who))).clip(max=3600)
    grown = (today - block.people.born[who]).astype(np.int64) - 18 * 365.25 - 6
    back = np.minimum(back, grown.clip(min=3))
    start = today - np.ceil(back).astype("timedelta64[D]")
    end = start + np.ceil(back * rng.uniform(0.1, 0.95, len(who))).astype("timedelta64[D]")
    return start, np.where(closed, np.minimum(end, today - 1), np.datetime64("NaT", "D"))


def _claim_ids(block: Block, count: int) -> Texts:
    numbers = identifiers.padded(np.arange(1, count + 1), 6)
    return np.char.add(f"WB{block.index + 1:04d}", numbers).astype(object)
