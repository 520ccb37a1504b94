"""Housing: tenancies of the council and of housing associations, a row a person on the tenancy."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from hub.demo.borough import places
from hub.demo.borough.identifiers import Ints, Texts, padded
from hub.demo.borough.population import TENURES, Block, chance, logistic
from hub.demo.borough.sheets import (
    Habits,
    Sheet,
    about,
    dates,
    look_up,
    mistype_numbers,
    money,
    whole,
    yes_no,
)

TENANCIES = "housing.tenancies"
_STREAM = 30
_HABITS = Habits(slips=0.018, nicknames=0.03, dates=0.01, late=0.35, initials=0.004)
_PENCE = 100


def tenancies(block: Block) -> Sheet:
    """The tenancies of a block's households in social housing. The dead stay on them for a while."""
    rng = block.generator(_STREAM)
    people, homes = block.people, block.households
    social = np.isin(homes.tenure, (TENURES.index("council"), TENURES.index("housing association")))
    adult = people.ages(block.today) >= 18
    # Adults all stand on the tenancy; four children in five do; nine of ten dead have been taken off.
    named = adult | chance(rng, 0.8, len(people))
    named &= np.isnat(people.died_on) | chance(rng, 0.1, len(people))
    who = np.flatnonzero(social[people.home] & named)
    known = look_up(block, rng, who, _HABITS)
    home = people.home[who]
    first = np.r_[True, home[1:] != home[:-1]]
    begin = np.flatnonzero(first)
    number = np.arange(len(who)) - np.repeat(begin, np.diff(np.r_[begin, len(who)])) + 1
    address = places.addresses(known.dwelling)
    person, household = about(block, who)
    sheet = Sheet(
        TENANCIES,
        {
            "tenancy_id": _tenancy_ids(homes.number[home]),
            "person_number": whole(number),
            "forename": known.forename,
            "surname": known.surname,
            "date_of_birth": known.date_of_birth,
            "uprn": address.uprn,
            "address": _messy(rng, address.lines, address.short),
            "postcode": address.postcode,
            "tenure": np.array(TENURES, dtype=object)[homes.tenure[home]],
            **{name: column[home] for name, column in _accounts(block, rng).items()},
        },
        person,
        household,
        [mark for mark in known.marks if mark[1] != "sex"],
    )
    mistype_numbers(rng, sheet, "uprn", 0.003)
    return sheet


def _accounts(block: Block, rng: Generator) -> dict[str, Texts]:
    """Rent and arrears (pounds; up to 30 weeks' rent), notice and start of each household's tenancy."""
    homes = block.households
    count = len(homes.number)
    rent = (
        np.round((8200 + 1150 * homes.size.clip(max=6) + rng.normal(0, 900, count)) / 5).astype(np.int64) * 5
    )
    behind = chance(rng, logistic(-1.6 + 0.7 * homes.strain), count)
    arrears = np.where(behind, rent * rng.gamma(1.1, 4.5, count).clip(max=30), 0).astype(np.int64)
    notice = chance(rng, np.where(arrears > 10 * rent, 0.3, 0.004), count)
    today = np.datetime64(block.today, "D")
    since = today - np.ceil(800 + rng.gamma(1.4, 2100, count)).astype("timedelta64[D]")
    start = np.where(np.isnat(homes.moved_on), since, homes.moved_on)
    return {
        "weekly_rent": money(rent),
        "arrears": money(arrears),
        "notice_served": yes_no(notice),
        "start_date": dates(start),
    }


def _messy(rng: Generator, full: Texts, short: Texts) -> Texts:
    """Addresses as different people type them."""
    style = rng.random(len(full))
    text = np.where(style < 0.55, full, short)
    for row in np.flatnonzero((style > 0.8) & (style < 0.9)):
        text[row] = text[row].upper()
    for row in np.flatnonzero(style >= 0.9):
        text[row] = text[row].replace(",", "") + ", Wexbourne"
    return text


def _tenancy_ids(numbers: Ints) -> Texts:
    return np.char.add("T", padded(numbers, 8)).astype(object)
