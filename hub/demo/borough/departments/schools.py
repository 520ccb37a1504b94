"""Wexbourne Schools: attendance, a row a pupil a term for the last three terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.demo.borough import identifiers, places
from hub.demo.borough.identifiers import Ints, Texts
from hub.demo.borough.population import Block, Flags, Floats, chance, logistic, whole_years, year_of
from hub.demo.borough.sheets import (
    Habits,
    Need,
    Sheet,
    about,
    dates,
    look_up,
    mistype_numbers,
    whole,
    yes_no,
)
from hub.demo.borough.terms import Term, last_terms

ATTENDANCE = "schools.attendance"
_STREAM = 10
_HABITS = Habits(slips=0.012, nicknames=0.025, dates=0.005, late=0.12, half_names=0.1)
_TEMPORARY = 0.006
"""Share of pupils who changed school and are in the data twice, the last term under a temporary UPN."""


@dataclass(frozen=True)
class _Record:
    """A pupil's year: one row of each array a pupil, one column a term."""

    possible: Ints
    authorised: Ints
    unauthorised: Ints
    exclusions: Ints
    expelled: Flags
    on_roll: Flags
    provision: Texts


def attendance(block: Block) -> tuple[Sheet, list[Need]]:
    """The attendance sheet of a block and which pupils truly meet the education criterion of TF-2012."""
    rng = block.generator(_STREAM)
    people, terms = block.people, last_terms(block.today)
    who = _pupils(block, terms)
    record = _draw_record(rng, people.strain[who], _year_groups(block, who, terms[0]), terms)
    began = np.full(len(who), np.datetime64(terms[0].start, "D"))
    known = look_up(block, rng, who, _HABITS, met_on=began)
    entry = year_of(people.born[who]) + 4 + (people.born[who].astype("datetime64[M]").astype(int) % 12 >= 8)
    upn = np.repeat(identifiers.upns(people.number[who], entry)[:, None], len(terms), axis=1)
    twice = np.flatnonzero(chance(rng, _TEMPORARY, len(who)))
    upn[twice, -1] = identifiers.temporary_upns(people.number[who[twice]], entry[twice])
    present = _present(rng, len(who), len(terms))
    pupil, term = np.nonzero(present)
    rows = known.rows(pupil)
    address = places.addresses(rows.dwelling)
    person, household = about(block, who[pupil])
    sheet = Sheet(
        ATTENDANCE,
        {
            "upn": upn[pupil, term],
            "forename": rows.forename,
            "surname": rows.surname,
            "date_of_birth": rows.date_of_birth,
            "sex": rows.sex,
            "uprn": address.uprn,
            "postcode": address.postcode,
            "school_urn": _schools(block, rng, who, terms)[pupil],
            "term": np.array([one.name for one in terms], dtype=object)[term],
            "term_start": dates(np.array([one.start for one in terms], dtype="datetime64[D]"))[term],
            "sessions_possible": whole(record.possible[pupil, term]),
            "absence_authorised": whole(record.authorised[pupil, term]),
            "absence_unauthorised": whole(record.unauthorised[pupil, term]),
            "fixed_exclusions": whole(record.exclusions[pupil, term]),
            "permanent_exclusion": yes_no(record.expelled[pupil, term]),
            "on_roll": yes_no(record.on_roll[pupil, term]),
            "provision": record.provision[pupil, term],
        },
        person,
        household,
        rows.marks,
    )
    moved = np.flatnonzero(np.isin(pupil, twice) & (term == len(terms) - 1))
    sheet.marks.append((moved, "upn", "second identifier"))
    mistype_numbers(rng, sheet, "uprn", 0.002)
    return sheet, _needs(record, present, who, pupil)


def _pupils(block: Block, terms: list[Term]) -> Ints:
    """Positions of the living of school age (Reception to Year 11) who go to school in the borough."""
    group = _year_groups(block, np.arange(len(block.people)), terms[-1])
    alive = np.isnat(block.people.died_on)
    # One in fourteen goes to a private school or one outside the borough, of which the hub knows nothing.
    here = chance(block.generator(_STREAM + 1), 0.93, len(block.people))
    return np.flatnonzero((group >= 0) & (group <= 11) & alive & here)


def _year_groups(block: Block, who: Ints, term: Term) -> Ints:
    """National Curriculum year: 0 for Reception (four years old on 31 August before), 11 for the last."""
    start = np.array(f"{term.school_year}-08-31", dtype="datetime64[D]")
    return whole_years(block.people.born[who], start) - 4


def _present(rng: Generator, pupils: int, terms: int) -> Flags:
    """Which terms a pupil has a row for: 2 % came during the year, 1 % left."""
    present = np.ones((pupils, terms), dtype=bool)
    came = chance(rng, 0.02, pupils)
    left = chance(rng, 0.01, pupils) & ~came
    present[came, 0] = False
    present[left, -1] = False
    return present


def _draw_record(rng: Generator, strain: Floats, group: Ints, terms: list[Term]) -> _Record:
    """Absence, exclusions and provision, driven by strain and age; about a fifth are persistently absent."""
    count, shape = len(strain), (len(strain), len(terms))
    older = (group >= 7).astype(float)
    possible = np.broadcast_to(np.array([term.sessions for term in terms]), shape).copy()
    ill = (0.035 * np.exp(rng.normal(0, 0.6, count)))[:, None] * rng.uniform(0.6, 1.4, shape)
    truant = 0.009 * np.exp(0.75 * strain + 0.55 * older + rng.normal(0, 0.85, count))
    truant = truant[:, None] * np.exp(rng.normal(0, 0.3, shape))
    unruly = chance(rng, logistic(-5.4 + 0.9 * strain + 1.6 * older), count)
    exclusions = rng.poisson(np.where(unruly, 1.1, 0.006)[:, None], shape)
    provision = np.full(shape, "mainstream", dtype=object)
    provision[chance(rng, 0.018, count)] = "special"
    expelled = np.zeros(shape, dtype=bool)
    out = np.flatnonzero(unruly & chance(rng, 0.12, count))
    when = rng.integers(0, len(terms), len(out))
    expelled[out, when] = True
    for pupil, term in zip(out, when, strict=True):
        provision[pupil, term + 1 :] = "pru" if pupil % 3 else "alternative"
    placed = np.flatnonzero(chance(rng, logistic(-6.6 + 0.7 * strain + older), count))
    provision[placed] = rng.choice(np.array(["pru", "alternative"], dtype=object), len(placed))[:, None]
    on_roll = np.ones(shape, dtype=bool)
    on_roll[chance(rng, logistic(-7.0 + 0.7 * strain), count), -1] = False
    possible[~on_roll] = 0
    unauthorised = rng.binomial(possible, truant.clip(max=0.75))
    authorised = rng.binomial(possible - unauthorised, ill.clip(max=0.6))
    return _Record(
        possible, authorised, unauthorised, exclusions * on_roll, expelled & on_roll, on_roll, provision
    )


def _schools(block: Block, rng: Generator, who: Ints, terms: list[Term]) -> Texts:
    """URN of each pupil's school: a primary school of the ward or a secondary school of the area, mostly."""
    people = block.people
    primary = _year_groups(block, who, terms[-1]) < 7
    area, ward = places.areas(people.dwelling[who]), places.wards(people.dwelling[who])
    primaries = max(1, block.total_people // 20 // 280 // 4)
    secondaries = max(1, block.total_people // 16 // 900 // 4)
    elsewhere = chance(rng, 0.12, len(who))
    area = np.where(elsewhere, rng.integers(0, 4, len(who)), area)
    near = (ward + people.dwelling[who] // 600) % np.where(primary, primaries, secondaries)
    number = np.where(primary, area * primaries + near, 4 * primaries + area * secondaries + near)
    return identifiers.school_urns(number)


def _needs(record: _Record, present: Flags, who: Ints, pupil: Ints) -> list[Need]:
    """TF-2012, education: who meets which part of it over three terms, with all their rows as evidence."""
    possible = (record.possible * present).sum(axis=1)
    unauthorised = (record.unauthorised * present).sum(axis=1)
    parts = {
        "15% or more unauthorised absence": (possible > 0) & (unauthorised >= 0.15 * possible),
        "3 or more fixed exclusions": (record.exclusions * present).sum(axis=1) >= 3,
        "pupil referral unit or alternative provision": (
            (np.isin(record.provision, ("pru", "alternative")) & present).any(axis=1)
        ),
        "not on a roll": (~record.on_roll & present).any(axis=1),
    }
    needs = []
    for indicator, met in parts.items():
        rows = np.flatnonzero(met[pupil])
        needs.append(Need("education", indicator, ATTENDANCE, who[pupil[rows]], rows))
    return needs
