"""Wexbourne Police: the incidents of 36 months, of which only some name a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.demo.borough import places
from hub.demo.borough.demand import (
    ASB,
    BURGLARY,
    CATEGORIES,
    DOMESTIC,
    PROFILES,
    THEFT,
    VIOLENCE,
    Demand,
    hour_weights,
)
from hub.demo.borough.departments.workforce import (
    PLANNED_MIX,
    STRAINED_AREA,
    STRAINED_RESPONSE,
    STRAINED_WEEKS,
)
from hub.demo.borough.identifiers import Ints, Texts, padded
from hub.demo.borough.places import AREAS
from hub.demo.borough.population import Block, Dates, Flags, Floats, chance
from hub.demo.borough.sheets import (
    Habits,
    Known,
    Need,
    Sheet,
    blank,
    empty,
    look_up,
    mistype_numbers,
    nobody,
    whole,
)

INCIDENTS = "police.incidents"
ROLES: tuple[str, ...] = ("suspect", "victim", "witness")
OUTCOMES: tuple[str, ...] = (
    "no further action",
    "proven offence",
    "community resolution",
    "under investigation",
)
_STREAM = 60
_HABITS = Habits(
    slips=0.035, nicknames=0.07, swapped_names=0.006, initials=0.004, dates=0.02, late=0.45, half_names=0.3
)
_NAMED = (0.18, 0.42, 0.8, 0.22, 0.2, 0.6)
"""Share of incidents of each category that name a person."""
_ROLE_SHARES = (
    (0.25, 0.7, 0.05),
    (0.4, 0.5, 0.1),
    (0.42, 0.53, 0.05),
    (0.6, 0.25, 0.15),
    (0.45, 0.5, 0.05),
    (0.02, 0.93, 0.05),
)
_PROVEN = (0.3, 0.3, 0.22, 0.12, 0.35, 0.0)
"""Share of named suspects for whom the offence was proven, by category."""


@dataclass(frozen=True)
class _Happened:
    """What happened, one entry an incident, in order of time."""

    at: Dates
    area: Ints
    category: Ints


def incidents(block: Block, demand: Demand) -> tuple[Sheet, list[Need]]:
    """The incidents of a block, and which people truly meet the crime criterion of TF-2012."""
    rng = block.generator(_STREAM)
    what = _draw_incidents(block, rng, demand)
    count = len(what.at)
    role, who = _draw_involved(block, rng, what)
    outcome = _draw_outcomes(block, rng, what, role)
    named = np.flatnonzero(who >= 0)
    known = look_up(block, rng, who[named], _HABITS, met_on=what.at[named].astype("datetime64[D]"))
    person, household = nobody(count), nobody(count)
    person[named] = block.people.number[who[named]]
    household[named] = block.households.number[block.people.home[who[named]]]
    officers = _draw_officers(rng, what.category)
    sheet = Sheet(
        INCIDENTS,
        {
            "incident_id": _incident_ids(block, what.at),
            "occurred_at": np.char.replace(np.datetime_as_string(what.at, unit="s"), " ", "T").astype(object),
            "area": np.array(AREAS, dtype=object)[what.area],
            "category": np.array(CATEGORIES, dtype=object)[what.category],
            "team": _draw_teams(block, rng, what),
            "priority": _draw_priorities(rng, what.category),
            "officers": whole(officers),
            "minutes": whole(_draw_minutes(rng, what.category)),
            **_involved_columns(known, named, role, count),
            **_home_columns(rng, known, named, count),
            "outcome": np.array([*OUTCOMES, None], dtype=object)[outcome],
        },
        person,
        household,
        [(named[rows], _COLUMNS[column], kind) for rows, column, kind in known.marks if column in _COLUMNS],
    )
    unseen = empty(sheet.columns["uprn"]) & empty(sheet.columns["postcode"])
    sheet.marks = [
        (rows[~unseen[rows]] if column == "uprn" else rows, column, kind)
        for rows, column, kind in sheet.marks
    ]
    blank(rng, sheet, "involved_date_of_birth", 0.06)
    mistype_numbers(rng, sheet, "uprn", 0.002)
    return sheet, _needs(block, what, role, outcome, who)


_COLUMNS = {
    "forename": "involved_forename",
    "surname": "involved_surname",
    "date_of_birth": "involved_date_of_birth",
    "uprn": "uprn",
}


def _draw_incidents(block: Block, rng: Generator, demand: Demand) -> _Happened:
    """Poisson counts of the block's people for each month, area and category, spread over days and hours."""
    counts = rng.poisson(demand.rates * len(block.people))
    month, area, category = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    at = np.empty(len(month), dtype="datetime64[s]")
    for each in range(len(CATEGORIES)):
        rows = np.flatnonzero(category == each)
        at[rows] = _draw_times(rng, demand.months[month[rows]], each)
    order = np.argsort(at, kind="stable")
    return _Happened(at[order], area[order], category[order])


def _draw_times(rng: Generator, months: Dates, category: int) -> Dates:
    """A moment in each month: weekend days as frequent as the category has them, hours by its profile."""
    profile, count = PROFILES[category], len(months)
    first = months.astype("datetime64[D]")
    length = ((months + 1).astype("datetime64[D]") - first).astype(np.int64)
    day = (rng.random(count) * length).astype(np.int64)
    for _ in range(2):  # redraw some of the days of which there are too many
        weekend = (((first + day).astype("datetime64[D]").astype(np.int64) + 3) % 7) >= 5
        keep = np.where(weekend, profile.weekend, 1.0) / max(1.0, profile.weekend)
        again = ~chance(rng, keep, count)
        day = np.where(again, (rng.random(count) * length).astype(np.int64), day)
    hour = rng.choice(24, size=count, p=hour_weights(profile))
    # On the last Sunday of March clocks go from 00:59 to 02:00: nothing happens between.
    date = first + day
    lost = (months.astype(np.int64) % 12 == 2) & (day >= 24) & (date.astype(np.int64) % 7 == 3)
    hour = np.where(lost & (hour == 1), 2, hour)
    seconds = day * 86_400 + hour * 3_600 + rng.integers(0, 60, count) * 60
    return first.astype("datetime64[s]") + seconds.astype("timedelta64[s]")


def _draw_involved(block: Block, rng: Generator, what: _Happened) -> tuple[Ints, Ints]:
    """Role (-1: nobody named) and person (position in the block) of each incident, mostly of its area."""
    people, count = block.people, len(what.at)
    named = chance(rng, np.array(_NAMED)[what.category], count)
    edges = np.cumsum(np.array(_ROLE_SHARES), axis=1)[what.category]
    role = np.where(named, (rng.random(count)[:, None] > edges[:, :2]).sum(axis=1), -1)
    who = np.full(count, -1)
    area = places.areas(people.dwelling)
    local = chance(rng, 0.85, count)
    for place in range(len(AREAS)):
        for each in range(len(ROLES)):
            rows = np.flatnonzero((role == each) & (what.area == place))
            weights = _weights(block, each)
            at_home = rows[local[rows]]
            who[rows] = _choose(rng, weights, len(rows))
            if len(at_home):
                who[at_home] = _choose(rng, weights * (area == place) + 1e-12, len(at_home))
    # Nobody takes part before the tenth birthday, or after death.
    when = what.at.astype("datetime64[D]")
    gone = who >= 0
    age = (when - people.born[who]).astype(np.int64)
    gone &= (age < 10 * 365.25 + 3) | (~np.isnat(people.died_on[who]) & (people.died_on[who] <= when))
    role[gone], who[gone] = -1, -1
    return role, who


def _weights(block: Block, role: int) -> Floats:
    """How likely each person is to be named in a role: suspects are few, young and from strained homes."""
    people = block.people
    age = people.ages(block.today)
    if role == ROLES.index("suspect"):
        luck = block.generator(_STREAM + 1).normal(0, 1.2, len(people))
        offender = np.exp((1.2 * people.strain + luck).clip(max=3.8))
        by_age = np.select([age < 11, age < 18, age < 30, age < 50], [0.0, 1.3, 1.6, 0.8], 0.12)
        return offender * by_age * np.where(people.sex == "M", 4.0, 1.0)
    by_age = np.select([age < 11, age < 18, age < 40, age < 66], [0.0, 0.8, 1.3, 1.0], 0.6)
    return np.exp(0.45 * people.strain) * by_age


def _choose(rng: Generator, weights: Floats, count: int) -> Ints:
    edges = np.cumsum(weights)
    return np.searchsorted(edges, rng.random(count) * edges[-1], side="right").clip(max=len(weights) - 1)


def _draw_outcomes(block: Block, rng: Generator, what: _Happened, role: Ints) -> Ints:
    """Position in OUTCOMES, or the place after it for none. Recent cases are still under investigation."""
    count, none = len(what.at), len(OUTCOMES)
    crime = np.isin(what.category, (BURGLARY, VIOLENCE, DOMESTIC, THEFT))
    suspect = role == ROLES.index("suspect")
    outcome = np.where(crime | suspect, 0, none)
    proven = suspect & chance(rng, np.array(_PROVEN)[what.category], count)
    resolved = suspect & ~proven & chance(rng, np.where(what.category == ASB, 0.3, 0.12), count)
    outcome[proven], outcome[resolved] = 1, 2
    weeks = (np.datetime64(block.today, "s") - what.at).astype(np.int64) / 604_800
    fresh = (crime | suspect) & chance(rng, 0.75 * np.exp(-weeks / 7), count)
    outcome[fresh] = 3
    return outcome


def _draw_teams(block: Block, rng: Generator, what: _Happened) -> Texts:
    """The team that dealt with it: response mostly, neighbourhood for disorder, investigation for a few.

    In its last weeks the strained neighbourhood team is sent to two thirds more of what comes in.
    """
    draw, category = rng.random(len(what.at)), what.category
    near = np.array([0.06, 0.04, 0.03, 0.45, 0.22, 0.08])[category]
    weeks = np.timedelta64(7 * STRAINED_WEEKS, "D")
    strained = (what.at >= np.datetime64(block.today, "D") - weeks) & (
        what.area == AREAS.index(STRAINED_AREA)
    )
    near = np.where(strained, near * STRAINED_RESPONSE / PLANNED_MIX["neighbourhood"][0], near)
    later = np.array([0.12, 0.06, 0.10, 0.0, 0.02, 0.0])[category]
    teams = np.array(
        [
            [f"Response {area}", f"Neighbourhood {area}", f"Investigation {pair}"]
            for area, pair in zip(AREAS, INVESTIGATION_PAIRS, strict=True)
        ],
        dtype=object,
    )
    return teams[what.area, np.select([draw < near, draw < near + later], [1, 2], 0)]


INVESTIGATION_PAIRS: tuple[str, ...] = (
    "North and East",
    "North and East",
    "South and West",
    "South and West",
)
"""The investigation team of each area; it sits in the first area of its name."""


def _draw_priorities(rng: Generator, category: Ints) -> Texts:
    edges = np.cumsum(np.array([profile.priority for profile in PROFILES]), axis=1)[category]
    return whole(1 + (rng.random(len(category))[:, None] > edges[:, :2]).sum(axis=1))


def _draw_officers(rng: Generator, category: Ints) -> Ints:
    mean = np.array([profile.officers for profile in PROFILES])[category]
    return (1 + rng.poisson(mean - 1)).clip(max=6)


def _draw_minutes(rng: Generator, category: Ints) -> Ints:
    """Log-normal minutes an officer with the category's mean (a shape of 0.5: a long right tail)."""
    mean = np.array([profile.minutes for profile in PROFILES])[category]
    return np.round(mean * np.exp(rng.normal(-0.125, 0.5, len(category)))).clip(3, 900).astype(np.int64)


def _involved_columns(known: Known, named: Ints, role: Ints, count: int) -> dict[str, Texts]:
    """Name, date of birth and role of the person named, empty elsewhere."""
    columns = {}
    for column, values in (
        ("involved_forename", known.forename),
        ("involved_surname", known.surname),
        ("involved_date_of_birth", known.date_of_birth),
        ("involved_role", np.array(ROLES, dtype=object)[role[named]]),
    ):
        texts = np.full(count, None, dtype=object)
        texts[named] = values
        columns[column] = texts
    return columns


def _home_columns(rng: Generator, known: Known, named: Ints, count: int) -> dict[str, Texts]:
    """Home of the person named, as far as the officers wrote it down; empty elsewhere."""
    address = places.addresses(known.dwelling)
    uprn, postcode = np.full(count, None, dtype=object), np.full(count, None, dtype=object)
    has_uprn, has_postcode = chance(rng, 0.55, len(named)), chance(rng, 0.88, len(named))
    uprn[named[has_uprn]] = address.uprn[has_uprn]
    postcode[named[has_postcode]] = address.postcode[has_postcode]
    return {"uprn": uprn, "postcode": postcode}


def _incident_ids(block: Block, at: Dates) -> Texts:
    year = (at.astype("datetime64[Y]").astype(np.int64) + 1970).astype("U4")
    number = padded(np.arange(1, len(at) + 1), 6)
    block_of_year = np.char.add(np.char.add("WP-", year), f"-{block.index + 1:04d}")
    return np.char.add(block_of_year, number).astype(object)


def _needs(block: Block, what: _Happened, role: Ints, outcome: Ints, who: Ints) -> list[Need]:
    """TF-2012, crime: who meets which part of it, with the incidents as evidence.

    In the last 12 months a proven offence of someone now under 18, or anyone's anti-social behaviour. Only
    suspects count: victims and witnesses of anti-social behaviour did not take part in it.
    """
    people = block.people
    year_ago = np.datetime64(block.today, "M") - 12
    day = np.datetime64(block.today, "D") - np.datetime64(block.today, "M").astype("datetime64[D]")
    recent = what.at >= (year_ago.astype("datetime64[D]") + day)
    suspect = role == ROLES.index("suspect")
    young = np.zeros(len(what.at), dtype=bool)
    rows = np.flatnonzero(who >= 0)
    young[rows] = people.ages(block.today)[who[rows]] < 18
    proven: Flags = recent & suspect & young & (outcome == OUTCOMES.index("proven offence"))
    disorder: Flags = recent & suspect & (what.category == ASB)
    return [
        Need("crime_asb", "proven offence of an under-18", INCIDENTS, who[proven], np.flatnonzero(proven)),
        Need("crime_asb", "anti-social behaviour", INCIDENTS, who[disorder], np.flatnonzero(disorder)),
    ]
