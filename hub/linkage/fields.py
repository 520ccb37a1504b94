"""What the linkage model compares, and its parameters until they are estimated.

Fellegi and Sunter's model (A Theory for Record Linkage, JASA 64, 1969): for each field and each level of agreement
`m` is how often two descriptions of one person agree so, `u` how often those of two people do; log2(m/u) is the
evidence in bits. The values here are a starting point and what stands where there are too few records to
estimate from: they are of the size found in British administrative data, with u for a town of some tens of thousands.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.linkage.agreement import (
    DOB_CLOSE,
    DOB_LOOSE,
    DOB_NEAR,
    FORENAME_ALIAS,
    FORENAME_SLIP,
    NAMES_SWAPPED,
    SURNAME_ALIKE,
    SURNAME_PART,
    SURNAME_SLIP,
)

__all__ = ["CANDIDATES", "FIELDS", "TRAINING", "Field", "Level"]


@dataclass(frozen=True)
class Level:
    """One way in which a field of two descriptions can agree: its condition in SQL, m and u.

    common: the column whose values are weighed by how common they are, on exact agreement.
    """

    label: str
    condition: str
    m: float
    u: float
    common: str | None = None


@dataclass(frozen=True)
class Field:
    """A field the model compares. `unknown` is when nothing can be said; levels go from agreement to none."""

    name: str
    unknown: str
    levels: tuple[Level, ...]


FIELDS = (
    Field(
        "forename",
        "forename_l IS NULL OR forename_r IS NULL",
        (
            Level("same", "forename_l = forename_r", 0.90, 0.005, common="forename"),
            Level("changed places with the surname", NAMES_SWAPPED, 0.008, 0.00001),
            Level("familiar form, initial or middle name", FORENAME_ALIAS, 0.04, 0.004),
            Level("a slip apart", FORENAME_SLIP, 0.03, 0.002),
            Level("alike", "jaro_winkler_similarity(forename_l, forename_r) >= 0.85", 0.006, 0.003),
            Level("different", "ELSE", 0.016, 0.986),
        ),
    ),
    Field(
        "surname",
        f"surname_l IS NULL OR surname_r IS NULL OR {NAMES_SWAPPED}",
        (
            Level("same", "surname_l = surname_r", 0.90, 0.004, common="surname"),
            Level("a part of it the same", SURNAME_PART, 0.015, 0.0005),
            Level("a slip apart", SURNAME_SLIP, 0.035, 0.0008),
            Level("alike", SURNAME_ALIKE, 0.005, 0.002),
            Level("different", "ELSE", 0.045, 0.9927),
        ),
    ),
    Field(
        "date_of_birth",
        "dob_l IS NULL OR dob_r IS NULL",
        (
            Level("same", "dob_l = dob_r", 0.955, 0.00005, common="dob"),
            Level("a slip apart, or day and month changed places", DOB_NEAR, 0.02, 0.001),
            Level("only the year, or all but the day or a year", DOB_CLOSE, 0.012, 0.002),
            Level("two digits apart", DOB_LOOSE, 0.004, 0.01),
            Level("different", "ELSE", 0.009, 0.98695),
        ),
    ),
    Field(
        "address",
        "(uprn_l IS NULL OR uprn_r IS NULL) AND (postcode_l IS NULL OR postcode_r IS NULL)",
        (
            Level("same property", "uprn_l = uprn_r", 0.72, 0.0001, common="uprn"),
            Level("same postcode", "postcode_l = postcode_r", 0.14, 0.002),
            Level("same postcode district", "district_l = district_r", 0.07, 0.2),
            Level("different", "ELSE", 0.07, 0.7979),
        ),
    ),
    Field(
        "sex",
        "sex_l IS NULL OR sex_r IS NULL",
        (Level("same", "sex_l = sex_r", 0.985, 0.5), Level("different", "ELSE", 0.015, 0.5)),
    ),
)

CANDIDATES = (
    "l.dob = r.dob AND l.initial = r.initial",
    "l.dob = r.dob AND l.surname_initial = r.surname_initial",
    "l.dob = r.dob AND l.initial = r.surname_initial",
    "l.dob = r.dob AND l.postcode = r.postcode",
    "l.dob = r.dob_swapped AND l.initial = r.initial AND l.surname_initial = r.surname_initial",
    "l.forename = r.forename AND l.surname = r.surname AND l.birth_year = r.birth_year",
    "l.forename = r.forename AND l.surname = r.surname AND l.birthday = r.birthday",
    "l.forename = r.forename AND l.surname = r.surname AND l.postcode = r.postcode",
    "l.uprn = r.uprn AND l.forename = r.forename",
    "l.uprn = r.uprn AND l.initial = r.initial AND l.surname_initial = r.surname_initial",
    "l.uprn = r.uprn AND l.forenames = r.surname",
)
"""Which pairs are looked at at all: any of these, unless stage one has joined the two already."""

TRAINING = ("l.dob = r.dob", "l.forename = r.forename AND l.surname = r.surname")
"""Pairs that agree so are a mixture of matches and chance: what the other fields do in them tells m."""
