"""Who lives with whom: people whose current address is one property make a household."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from hub.errors import Invalid
from hub.linkage.carryover import carry_over

__all__ = ["MEMBERSHIP", "HouseholdSummary", "HouseholdsFormed", "form_households"]

COMMUNAL_ABOVE = 15
"""More people than this at one property, and it is taken for an institution, not for a home."""

MEMBERSHIP: pa.Schema = pa.schema(
    [
        pa.field("person_id", pa.string(), nullable=False),
        pa.field("household_id", pa.string(), nullable=False),
        ("uprn", pa.string()),
        pa.field("basis", pa.string(), nullable=False),
    ]
)
"""A row a person, ordered by person_id. `basis`: "uprn" (the property), "postcode and surname" (no property is known),
"communal" (too many people at the property; each is a household of their own) or "none" (no address is known)."""


@dataclass(frozen=True)
class HouseholdSummary:
    """What forming households did, in numbers.

    by_basis: people by the basis of their household; shared: households of more than one; largest: people in the
    largest; kept, new, gone: household ids that stayed, were minted, and are no longer used.
    """

    people: int
    households: int
    by_basis: dict[str, int]
    shared: int
    communal_properties: int
    largest: int
    kept: int
    new: int
    gone: int


@dataclass(frozen=True)
class HouseholdsFormed:
    """The households: `membership` (MEMBERSHIP) and how they came about."""

    membership: pa.Table
    summary: HouseholdSummary


def form_households(
    people: pa.Table, previous: pa.Table | None = None, *, communal_above: int = COMMUNAL_ABOVE
) -> HouseholdsFormed:
    """Put each person into one household.

    people: at least person_id, surname, postcode and uprn, as link_people returns them, where the address is the
    current one by the rules of `survivorship`; previous: the membership before, from which ids carry over by shared
    members. Households are, in this order:

    1. people at one UPRN, unless more than `communal_above` are there;
    2. people without UPRN whose postcode has exactly one household of rule 1 with their surname join it;
    3. the other people without UPRN by postcode and surname;
    4. everyone else, alone.

    Raises Invalid when columns are missing or a person is there twice.
    """
    rows = _read(people)
    groups, basis = _group(rows, communal_above)
    members = sorted(sorted(ids) for ids in groups)
    carried = carry_over(members, _previous_ids(previous))
    household = {person: given for ids, given in zip(members, carried.ids, strict=True) for person in ids}
    order = sorted(household)
    uprn = {person: property_ for person, _, _, property_ in rows}
    membership = pa.table(
        {
            "person_id": order,
            "household_id": [household[person] for person in order],
            "uprn": pa.array([uprn[person] for person in order], pa.string()),
            "basis": [basis[person] for person in order],
        },
        schema=MEMBERSHIP,
    )
    sizes = [len(ids) for ids in members]
    before = set() if previous is None else set(previous["household_id"].to_pylist())
    summary = HouseholdSummary(
        people=len(order),
        households=len(members),
        by_basis=dict(Counter(basis.values())),
        shared=sum(size > 1 for size in sizes),
        communal_properties=len({uprn[person] for person in order if basis[person] == "communal"}),
        largest=max(sizes, default=0),
        kept=carried.kept,
        new=carried.new,
        gone=len(before) - carried.kept,
    )
    return HouseholdsFormed(membership, summary)


Row = tuple[str, str, str, str | None]
"""Person, surname and postcode in letters and digits only (may be empty), UPRN."""


def _read(people: pa.Table) -> list[Row]:
    wanted = ("person_id", "surname", "postcode", "uprn")
    missing = [name for name in wanted if name not in people.column_names]
    if missing:
        raise Invalid(
            f"People for households lack the columns {', '.join(missing)}; give what link_people returned."
        )
    persons, surnames, postcodes, uprns = (people[name].to_pylist() for name in wanted)
    if len(set(persons)) != len(persons):
        raise Invalid("People for households have a person more than once; give one row a person.")
    return [
        (person, _code(surname), _code(postcode), uprn)
        for person, surname, postcode, uprn in zip(persons, surnames, postcodes, uprns, strict=True)
    ]


def _code(text: str | None) -> str:
    return "".join(filter(str.isalnum, text or "")).upper()


def _previous_ids(previous: pa.Table | None) -> dict[str, str]:
    if previous is None:
        return {}
    if not {"person_id", "household_id"} <= set(previous.column_names):
        raise Invalid(
            "The membership before lacks person_id or household_id; give that of the last linkage, or none."
        )
    return dict(zip(previous["person_id"].to_pylist(), previous["household_id"].to_pylist(), strict=True))


def _group(rows: Iterable[Row], communal_above: int) -> tuple[list[list[str]], dict[str, str]]:
    """The people of each household, and each person's basis."""
    at_property: dict[str, list[Row]] = defaultdict(list)
    without: dict[tuple[str, str], list[str]] = defaultdict(list)
    groups: list[list[str]] = []
    basis: dict[str, str] = {}
    for row in rows:
        person, surname, postcode, uprn = row
        if uprn:
            at_property[uprn].append(row)
        elif postcode and surname:
            without[postcode, surname].append(person)
        else:
            groups.append([person])
            basis[person] = "none"
    homes: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for found in at_property.values():
        communal = len(found) > communal_above
        basis.update({row[0]: "communal" if communal else "uprn" for row in found})
        if communal:
            groups.extend([row[0]] for row in found)
            continue
        home = [row[0] for row in found]
        groups.append(home)
        for key in {(postcode, surname) for _, surname, postcode, _ in found if postcode and surname}:
            homes[key].append(home)
    for key, persons in without.items():
        basis.update(dict.fromkeys(persons, "postcode and surname"))
        if len(homes[key]) == 1:
            homes[key][0].extend(persons)
        else:
            groups.append(persons)
    return groups, basis
