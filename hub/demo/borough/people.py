"""A block of people: names in families, birthdays, moves, name changes and deaths."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.random import Generator

from hub.demo.borough import names, places
from hub.demo.borough.households import Composition, compose
from hub.demo.borough.identifiers import Ints, Texts
from hub.demo.borough.name_lists import ORIGINS, WOMENS_SURNAMES
from hub.demo.borough.population import (
    ADULT,
    CHILD,
    FOSTER,
    GRANDPARENT,
    GROWN,
    KINDS,
    PARTNER,
    Block,
    Dates,
    Flags,
    Floats,
    Households,
    People,
    chance,
    kind,
    logistic,
    year_of,
)

_STREAM = 1
_MOST_REDRAWS = 60
"""After so many tries a name stays, so that nothing can go on for ever."""
_NO_DATE = np.datetime64("NaT", "D")
_TAKES_HUSBANDS_NAME = np.array([0.85, 0.75, 0.35, 0.7, 0.7, 0.85, 0.3, 0.1, 0.25])


@dataclass(frozen=True)
class Position:
    """Where a block starts in the borough's numbering."""

    person: int = 0
    household: int = 0
    dwelling: int = 0

    def after(self, block: Block) -> Position:
        """Where the next block starts."""
        return Position(
            person=self.person + len(block.people),
            household=self.household + len(block.households.number),
            dwelling=int(block.households.dwelling[-1]) + 1,
        )


def build_block(
    index: int, people: int, at: Position, *, seed: int, today: date, total_people: int, total_dwellings: int
) -> Block:
    """The `index`th block of the borough: exactly `people` people, numbered from `at`."""
    rng = np.random.default_rng([seed, index, _STREAM])
    made = compose(rng, people, at.dwelling)
    born = np.datetime64(today, "D") - np.ceil(made.age * 365.25).astype("timedelta64[D]")
    origin = _draw_origins(rng, made)
    surname, former, renamed = _draw_surnames(rng, made, origin, today)
    died = _draw_deaths(rng, made, today)
    households = _settle(rng, made, at.household, today, total_dwellings, alive=np.isnat(died))
    dwelling, former_dwelling, moved = _draw_moves(rng, made, households, today, total_dwellings)
    return Block(
        index=index,
        seed=seed,
        today=today,
        total_people=total_people,
        total_dwellings=total_dwellings,
        households=households,
        people=People(
            number=at.person + np.arange(people),
            home=made.home,
            role=made.role,
            sex=_sexes(rng, made),
            born=born,
            origin=origin,
            forename=_draw_forenames(rng, made, origin, born),
            surname=surname,
            former_surname=former,
            renamed_on=renamed,
            dwelling=dwelling,
            former_dwelling=former_dwelling,
            moved_on=moved,
            died_on=died,
            twin=made.twin,
            strain=households.strain[made.home] + rng.normal(0, 0.6, people),
        ),
    )


def _draw_origins(rng: Generator, made: Composition) -> Ints:
    """Origins: one a household, but two for one couple in twelve, whose children have either."""
    first = names.draw_origins(rng, len(made.kind))
    other = names.draw_origins(rng, len(made.kind))
    second = np.where(chance(rng, 0.08, len(first)), other, first)
    own = np.where(made.role == PARTNER, second[made.home], first[made.home])
    child = (made.role == CHILD) | (made.role == GROWN)
    own = np.where(child & chance(rng, 0.5, len(own)), second[made.home], own)
    return np.where(made.role == FOSTER, names.draw_origins(rng, len(own)), own)


def _sexes(rng: Generator, made: Composition) -> Texts:
    sex = np.where(made.woman, "F", "M").astype(object)
    sex[chance(rng, 0.003, len(sex)) & (made.age > 14)] = "X"
    return sex


def _draw_forenames(rng: Generator, made: Composition, origin: Ints, born: Dates) -> Texts:
    """Forenames; brothers and sisters never share one, and many twins have names that begin alike."""
    years = year_of(born)
    forename = names.draw_forenames(rng, origin, made.woman, years)
    # One eldest son in thirty is named after his father, and lives at the same address with the same name.
    son = np.flatnonzero(
        (made.role[1:] >= GROWN) & (made.role[:-1] == PARTNER) & ~made.woman[1:] & ~made.woman[:-1]
    )
    son = 1 + son[chance(rng, 1 / 30, len(son))]
    forename[son] = forename[son - 1]
    for _ in range(_MOST_REDRAWS):
        again = _same_name_at_home(made, forename)
        again[son] = False
        where = np.flatnonzero(again)
        if not len(where):
            break
        forename[where] = names.draw_forenames(rng, origin[where], made.woman[where], years[where])
    for at in np.flatnonzero(made.twin & chance(rng, 0.6, len(forename))):
        family = set(forename[max(0, at - 8) : at + 8])
        alike = names.alike(forename[at - 1], int(origin[at]), bool(made.woman[at]), int(years[at]))
        alike = [name for name in alike if name not in family]
        forename[at] = alike[int(rng.integers(len(alike)))] if alike else forename[at]
    return forename


def _same_name_at_home(made: Composition, forename: Texts) -> Flags:
    """Children who have the forename of someone before them in their household."""
    same = np.zeros(len(forename), dtype=bool)
    child = made.role == CHILD
    for back in range(1, 8):
        near = child[back:] & (made.home[back:] == made.home[:-back])
        same[back:] |= near & (forename[back:] == forename[:-back])
    return same


def _draw_surnames(
    rng: Generator, made: Composition, origin: Ints, today: date
) -> tuple[Texts, Texts, Dates]:
    """Surnames, former surnames (None where never changed) and the dates of the changes."""
    birth = names.draw_surnames(rng, origin)
    homes = len(made.kind)
    head = np.flatnonzero(made.role == ADULT)  # one a household, in order
    partner = np.full(homes, -1)
    partner[made.home[made.role == PARTNER]] = np.flatnonzero(made.role == PARTNER)
    paired = partner >= 0
    married = paired & chance(rng, np.where(made.age[head] > 60, 0.95, 0.7), homes)
    # A widowed or separated woman who lives alone or with her children mostly keeps the married name.
    was_married = ~paired & made.woman[head] & chance(rng, ((made.age[head] - 25) / 60).clip(0, 0.7), homes)
    husband = np.where(paired, birth[partner], names.draw_surnames(rng, origin[head]))
    takes = (married | was_married) & chance(rng, _TAKES_HUSBANDS_NAME[origin[head]], homes)
    joined = takes & chance(rng, 0.04, homes)
    surname, former = birth.copy(), np.full(len(birth), None, dtype=object)
    surname[head] = np.where(joined, birth[head] + "-" + husband, np.where(takes, husband, birth[head]))
    changed = takes & (surname[head] != birth[head])
    former[head[changed]] = birth[head[changed]]
    renamed = np.full(len(birth), _NO_DATE)
    wed_age = 19 + rng.random(homes) * (made.age[head] - 19).clip(0, 25)
    renamed[head] = np.where(changed, _years_before(today, made.age[head] - wed_age), _NO_DATE)
    _name_children(rng, made, origin, birth, surname, head, partner, married)
    return _by_sex(rng, made, origin, surname, changed=~np.isnat(renamed)), former, renamed


def _name_children(
    rng: Generator,
    made: Composition,
    origin: Ints,
    birth: Texts,
    surname: Texts,
    head: Ints,
    partner: Ints,
    married: Flags,
) -> None:
    """Give children and grandparents the names their families would; writes into `surname`."""
    homes = len(head)
    mother, paired = surname[head], partner >= 0
    father = np.where(paired, surname[partner], birth[head])
    elsewhere = names.draw_origins(rng, homes)
    absent = names.draw_surnames(rng, np.where(chance(rng, 0.75, homes), origin[head], elsewhere))
    draw = rng.random(homes)
    unmarried = np.select([draw < 0.7, draw < 0.88], [father, mother], mother + "-" + father)
    family = np.where(married, father, np.where(paired, unmarried, np.where(draw < 0.5, mother, absent)))
    child = (made.role == CHILD) | (made.role == GROWN)
    surname[child] = family[made.home][child]
    # In one couple in twelve the eldest child is from an earlier relationship and keeps that name.
    step = np.flatnonzero(child & np.r_[False, made.role[:-1] < GROWN] & paired[made.home])
    step = step[chance(rng, 0.08, len(step))]
    surname[step] = absent[made.home[step]]
    old = np.flatnonzero(made.role == GRANDPARENT)
    side = chance(rng, 0.5, homes)[made.home[old]] & paired[made.home[old]]
    surname[old] = np.where(side, father[made.home[old]], birth[head][made.home[old]])


def _by_sex(rng: Generator, made: Composition, origin: Ints, surname: Texts, *, changed: Flags) -> Texts:
    """Endings and names that go with sex: Kowalski and Kowalska, Singh and Kaur, Khan and Begum."""
    surname = surname.copy()
    for place in np.flatnonzero((origin == ORIGINS.index("polish and eastern european")) & made.woman):
        if surname[place].endswith("ski"):
            surname[place] = surname[place][:-1] + "a"
    for place in np.flatnonzero(origin == ORIGINS.index("indian")):
        if surname[place] in ("Singh", "Kaur"):
            surname[place] = "Kaur" if made.woman[place] else "Singh"
    own = (origin == ORIGINS.index("pakistani and bangladeshi")) & made.woman & (made.role <= GRANDPARENT)
    own &= ~changed & chance(rng, 0.35, len(surname))
    surname[own] = rng.choice(np.array(WOMENS_SURNAMES, dtype=object), own.sum())
    return surname


def _settle(
    rng: Generator, made: Composition, first: int, today: date, total_dwellings: int, *, alive: Flags
) -> Households:
    """Households with their hardship, tenure and last move."""
    count = len(made.kind)
    head = np.flatnonzero(made.role == ADULT)
    lift = np.zeros(len(KINDS))
    for name, value in (("lone parent", 0.55), ("room in a shared house", 0.4), ("pensioner couple", -0.5)):
        lift[kind(name)] = value
    strain = 0.7 * places.hardship(made.dwelling) + lift[made.kind] + rng.normal(0, 0.9, count)
    strain = np.where(made.kind == kind("foster family"), -0.5, strain)
    room = made.kind == kind("room in a shared house")
    social = chance(rng, logistic(-2.0 + 1.25 * strain), count) & ~room
    private = chance(rng, logistic((38 - made.age[head]) / 9 - 0.6), count) | room
    council = chance(rng, 0.55, count)
    moved_on, moved = _move_dates(rng, np.where(private & ~social, 0.24, 0.06) + 0.3 * room, today)
    return Households(
        number=first + np.arange(count),
        kind=made.kind,
        dwelling=made.dwelling,
        former_dwelling=np.where(moved, rng.integers(0, total_dwellings, count), -1),
        moved_on=moved_on,
        strain=strain,
        tenure=np.select([social & council, social, private], [2, 3, 1], 0),
        size=np.bincount(made.home, weights=alive, minlength=count).astype(np.int64),
        children=np.bincount(made.home, weights=alive & (made.age < 18), minlength=count).astype(np.int64),
    )


def _draw_moves(
    rng: Generator, made: Composition, homes: Households, today: date, total_dwellings: int
) -> tuple[Ints, Ints, Dates]:
    """Where each person lives, lived before (-1: same as far back as records go) and since when."""
    count = len(made.home)
    former, moved_on = homes.former_dwelling[made.home], homes.moved_on[made.home]
    # Partners move in from elsewhere; children of separated parents are still down at the other parent's.
    alone = (made.role == PARTNER) & chance(rng, np.where(made.age < 40, 0.12, 0.02), count)
    apart = np.isin(made.role, (CHILD, GROWN)) & (made.kind[made.home] == kind("lone parent"))
    apart &= chance(rng, 0.15, len(homes.number))[made.home]
    lone_adults = np.flatnonzero(homes.kind == kind("single"))
    other = homes.dwelling[lone_adults[rng.integers(0, len(lone_adults), len(homes.number))]]
    fostered = made.role == FOSTER
    joined = alone | apart | fostered
    since, _ = _move_dates(rng, np.ones(count), today)
    former = np.where(joined, rng.integers(0, total_dwellings, count), former)
    former = np.where(apart, other[made.home], former)
    return homes.dwelling[made.home], former, np.where(joined, since, moved_on)


def _move_dates(rng: Generator, probability: Floats, today: date) -> tuple[Dates, Flags]:
    """A date in the last two years for those who moved, NaT for the others."""
    moved = chance(rng, probability, len(probability))
    return np.where(moved, _years_before(today, rng.random(len(probability)) * 2), _NO_DATE), moved


def _draw_deaths(rng: Generator, made: Composition, today: date) -> Dates:
    """Dates of death in the last 18 months (Gompertz mortality); no lone carer of a child dies."""
    yearly = np.exp(-10.4 + 0.096 * made.age).clip(max=0.5)
    alone = np.bincount(made.home, weights=made.age >= 18)[made.home] < 2
    minds = alone & (np.bincount(made.home, weights=made.age < 18)[made.home] > 0)
    dead = chance(rng, 1.5 * yearly, len(made.home)) & ~minds & (made.age > 1.6)
    return np.where(dead, _years_before(today, rng.random(len(made.home)) * 1.5), _NO_DATE)


def _years_before(today: date, years: Floats) -> Dates:
    return np.datetime64(today, "D") - np.ceil(years * 365.25).astype("timedelta64[D]")
