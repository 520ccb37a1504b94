"""Streets, dwellings, postcodes and areas of the synthetic borough, each computed from a dwelling's number.

Nothing is stored: dwelling 12345 always lies in the same street, so that an old address can be written down
anywhere without a table of addresses in memory. Postcodes use outward codes ZX1 to ZX99: no postcode area
ZX exists.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.demo.borough.identifiers import Ints, Texts, uprns
from hub.demo.borough.name_lists import STREET_PREFIXES, STREET_STEMS, STREET_TYPES

AREAS: tuple[str, ...] = ("North", "East", "South", "West")
AREA_SHARES: tuple[float, ...] = (0.3, 0.2, 0.3, 0.2)
WARDS_AN_AREA = 5
WARD_NAMES: tuple[tuple[str, ...], ...] = (
    ("Foundry", "Kilnside", "Northgate", "Staithes", "Colliery Row"),
    ("Harbour", "Eastfield", "Saltmarsh", "Ferry Hill", "Cannon Park"),
    ("Southmoor", "Abbey", "Millbrook", "Canal Basin", "Priory"),
    ("Westbourne", "Orchard Hill", "The Heath", "Rectory", "Beacon"),
)
WARD_HARDSHIP: tuple[tuple[float, ...], ...] = (
    (0.9, 0.6, 0.3, 0.8, 1.1),
    (0.7, 0.0, 0.2, -0.3, 0.4),
    (-0.2, 0.1, 0.5, 0.3, -0.4),
    (-0.8, -0.6, -0.9, -0.3, -0.5),
)
"""Deprivation of each ward in standard deviations: North is the poorest area, West the richest."""

DWELLINGS_A_STREET = 36
_PATTERN = np.array([0, 1, 2, 0, 3, 2, 0, 1, 2, 3])  # area of each street of ten: 30/20/30/20 %
_RANK = np.array(
    [0, 0, 0, 1, 0, 1, 2, 1, 2, 1]
)  # how many streets of the same area come before it in the ten
_STREETS_OF_TEN = np.array([3, 2, 3, 2])
_UNIT_LETTERS = np.array(
    list("ABDEFGHJLNPQRSTUWXYZ")
)  # C I K M O V never stand in the second half of a postcode
_UNITS_AN_OUTWARD = 4000


@dataclass(frozen=True)
class Addresses:
    """Dwellings as columns of one length; `lines` are addresses in full, `short` abbreviated."""

    uprn: Texts
    lines: Texts
    short: Texts
    postcode: Texts


def areas(dwellings: Ints) -> Ints:
    """Area (position in `AREAS`) of each dwelling."""
    return _PATTERN[(dwellings // DWELLINGS_A_STREET) % 10]


def wards(dwellings: Ints) -> Ints:
    """Ward (0 to 4 within its area) of each dwelling; neighbouring streets of an area share a ward."""
    street = dwellings // DWELLINGS_A_STREET
    return (_place_in_area(street) // 6) % WARDS_AN_AREA


def hardship(dwellings: Ints) -> NDArray[np.float64]:
    """Deprivation of the ward of each dwelling (`WARD_HARDSHIP`)."""
    return np.array(WARD_HARDSHIP)[areas(dwellings), wards(dwellings)]


def postcodes(dwellings: Ints) -> Texts:
    """Postcodes ("ZX3 4AB"): one for each side of a street, about eighteen dwellings."""
    street, place = np.divmod(dwellings, DWELLINGS_A_STREET)
    unit = _place_in_area(street) * 2 + place % 2
    district, unit = np.divmod(unit, _UNITS_AN_OUTWARD)
    outward = 1 + _PATTERN[street % 10] + 4 * district
    sector = (unit // 40) % 10
    letters = (((unit // 400) * 40 + unit % 40) * 137 + 61) % 400
    first, second = _UNIT_LETTERS[letters // 20], _UNIT_LETTERS[letters % 20]
    text = np.char.add(np.char.add("ZX", outward.astype("U2")), np.char.add(" ", sector.astype("U1")))
    return np.char.add(np.char.add(text, first), second).astype(object)


def addresses(dwellings: Ints) -> Addresses:
    """UPRN, address lines and postcode of each dwelling number."""
    dwellings = np.asarray(dwellings, dtype=np.int64)
    unique, back = np.unique(dwellings, return_inverse=True)
    street, place = np.divmod(unique, DWELLINGS_A_STREET)
    names, shorts = _street_names(street)
    flats = _is_block_of_flats(street)
    number = np.where(flats, place // 12 * 2 + 2, place + 1)
    door = np.char.add(number.astype("U2"), " ")
    prefix = np.where(flats, np.char.add(np.char.add("Flat ", (place % 12 + 1).astype("U2")), ", "), "")
    door = np.char.add(prefix, door).astype(object)
    return Addresses(
        uprn=uprns(unique)[back],
        lines=(door + names)[back],
        short=(door + shorts)[back],
        postcode=postcodes(unique)[back],
    )


def _place_in_area(street: Ints) -> Ints:
    """How many streets of the same area come before each street."""
    ten, place = np.divmod(street, 10)
    return ten * _STREETS_OF_TEN[_PATTERN[place]] + _RANK[place]


def _is_block_of_flats(street: Ints) -> NDArray[np.bool_]:
    return street % 7 == 5


def _street_names(street: Ints) -> tuple[Texts, Texts]:
    """Full and abbreviated street names; after about 11,000 streets they repeat, in other postcodes."""
    stems = np.array(STREET_STEMS, dtype=object)
    kinds = len(STREET_TYPES)
    shuffled = (street * 1_009 + 37) % (len(stems) * kinds)
    prefix = np.array(STREET_PREFIXES, dtype=object)[(street // (len(stems) * kinds)) % len(STREET_PREFIXES)]
    stem = prefix + stems[shuffled % len(stems)] + " "
    kind = shuffled // len(stems)
    return (
        stem + np.array([full for full, _ in STREET_TYPES], dtype=object)[kind],
        stem + np.array([short for _, short in STREET_TYPES], dtype=object)[kind],
    )
