"""When two descriptions agree, nearly agree, or cannot be of one person: conditions in SQL.

Each condition speaks of the two nodes of a pair by the suffixes `_l` and `_r`, as Splink does, so the model and
the guards after it mean the same by the same words. `people` and `listed` (guards only) say how many people bear
a forename in these records and whether it is one of the common names.
"""

from __future__ import annotations

__all__ = [
    "CONTRADICTED_IDENTIFIER",
    "DOB_CLOSE",
    "DOB_LOOSE",
    "DOB_NEAR",
    "DOUBT",
    "FORENAME_ALIAS",
    "FORENAME_SLIP",
    "NAMES_SWAPPED",
    "SURNAME_ALIKE",
    "SURNAME_PART",
    "SURNAME_SLIP",
    "VETO",
    "pair_columns",
]

_COLUMNS = (
    "forename", "middle", "forenames", "roots", "surname", "surname_first", "surname_last",
    "dob", "dob_swapped", "birth_year", "birthday", "sex",
)  # fmt: skip


def pair_columns() -> str:
    """The select list that gives the nodes `l` and `r` of a join the suffixes used here."""
    return ", ".join(f"{side}.{name} AS {name}_{side}" for name in _COLUMNS for side in "lr")


def _alike(left: str, right: str, least: float) -> str:
    return f"jaro_winkler_similarity({left}, {right}) >= {least}"


def _slips(left: str, right: str, most: int) -> str:
    """At most so many letters wrong, missing or changed places. Similarity first: it is ten times cheaper."""
    return f"({_alike(left, right, 0.7)} AND damerau_levenshtein({left}, {right}) <= {most})"


_SHORTER = "least(length(forename_l), length(forename_r))"

NAMES_SWAPPED = (
    "(forename_l <> forename_r AND"
    f" ((forenames_l = surname_r AND {_alike('surname_l', 'forenames_r', 0.8)})"
    f" OR (surname_l = forenames_r AND {_alike('forenames_l', 'surname_r', 0.8)})))"
)
"""Forename and surname changed places, one of them perhaps in another form."""

FORENAME_ALIAS = (
    "(list_has_any(roots_l, roots_r) OR forename_l = middle_r OR middle_l = forename_r OR forenames_l = forenames_r"
    f" OR ({_SHORTER} = 1 AND left(forename_l, 1) = left(forename_r, 1))"
    f" OR ({_SHORTER} >= 2 AND (starts_with(forename_l, forename_r) OR starts_with(forename_r, forename_l))))"
)
"""The same name in other words: a familiar form, an initial, a beginning, or the middle name used instead."""

FORENAME_SLIP = (
    f"(({_SHORTER} >= 3 AND {_slips('forename_l', 'forename_r', 1)})"
    f" OR ({_SHORTER} >= 6 AND {_slips('forename_l', 'forename_r', 2)}))"
)
"""One slip of the pen apart, or two in a long name."""

SURNAME_PART = (
    "(surname_first_l = surname_first_r OR surname_last_l = surname_last_r"
    " OR surname_first_l = surname_last_r OR surname_last_l = surname_first_r)"
)
"""Share a part of a double-barrelled surname (or the whole, where there is one part)."""

SURNAME_SLIP = _slips("surname_l", "surname_r", 1)
"""One slip of the pen apart."""

SURNAME_ALIKE = _alike("surname_l", "surname_r", 0.88)
"""Alike as a whole."""


def _digits(most: int) -> str:
    """At most so many digits of the date of birth wrong or changed places, and the year not far off."""
    return (
        "(hamming(dob_l, dob_r) <= 2 AND abs(birth_year_l - birth_year_r) < 12"
        f" AND damerau_levenshtein(dob_l, dob_r) <= {most})"
    )


DOB_NEAR = f"(dob_l = dob_swapped_r OR {_digits(1)})"
"""Day and month changed places, or one digit is wrong. A wrong decade is no slip: it is how father and son differ."""

DOB_CLOSE = (
    "((birth_year_l = birth_year_r AND (birthday_l = '0101' OR birthday_r = '0101'))"
    " OR (birthday_l = birthday_r AND abs(birth_year_l - birth_year_r) = 1) OR left(dob_l, 6) = left(dob_r, 6))"
)
"""Only the year is right, entered as 1 January; or the day, or the year by one, is wrong."""

DOB_LOOSE = _digits(2)
"""Two digits wrong."""


def _any(*conditions: str) -> str:
    """True if any is; what is missing contradicts nothing."""
    return " OR ".join(f"coalesce({condition}, false)" for condition in conditions)


def _established(side: str, other: str) -> str:
    """A name, and not so rare beside the other that it looks like its misspelling."""
    return f"(listed_{side} OR (people_{side} >= 3 AND people_{side} >= 0.04 * people_{other}))"


_TWO_NAMES = f"({_established('l', 'r')} AND {_established('r', 'l')})"
_NO_NAMES = "(NOT listed_l AND NOT listed_r AND people_l < 3 AND people_r < 3)"
_SLIP_OF_A_FORM = (
    f"({_SHORTER} >= 4 AND (ends_with(forename_l, forename_r) OR ends_with(forename_r, forename_l)))"
    " OR list_bool_or(list_transform(roots_l, lambda form: damerau_levenshtein(form, forename_r) <= 1))"
    " OR list_bool_or(list_transform(roots_r, lambda form: damerau_levenshtein(form, forename_l) <= 1))"
)
_SAME_FORENAME = f"forename_l = forename_r OR {_any(NAMES_SWAPPED, FORENAME_ALIAS)}"
_OTHER_FORENAME = f"(NOT ({_SAME_FORENAME}))"
_NOT_A_SLIP = (
    f"NOT (({FORENAME_SLIP} OR {_SLIP_OF_A_FORM}) AND NOT {_TWO_NAMES}"
    f" OR ({_NO_NAMES} AND {_SHORTER} >= 5 AND damerau_levenshtein(forename_l, forename_r) <= 2))"
)
_FORENAME_DIFFERS = f"({_OTHER_FORENAME} AND {_NOT_A_SLIP})"
_FORENAME_FAR = (
    f"({_OTHER_FORENAME} AND NOT ({_any('surname_l = forename_r', 'forename_l = surname_r')}"
    f" OR {_alike('forename_l', 'forename_r', 0.9)}"
    f" OR (NOT {_TWO_NAMES} AND ({_alike('forename_l', 'forename_r', 0.8)}"
    " OR damerau_levenshtein(forename_l, forename_r) <= 1))))"
)
_SURNAME_DIFFERS = (
    f"(NOT (surname_l = surname_r OR {SURNAME_PART} OR {SURNAME_ALIKE} OR {SURNAME_SLIP}"
    f" OR coalesce({NAMES_SWAPPED}, false)))"
)
_DOB_DIFFERS = f"(NOT (dob_l = dob_r OR {DOB_NEAR} OR {DOB_CLOSE} OR {DOB_LOOSE}))"
# Born on one day into one family under two names.
_TWINS = f"(dob_l = dob_r AND NOT {_SURNAME_DIFFERS} AND {_FORENAME_DIFFERS})"
_SEX_AND_NAME_DIFFER = f"(sex_l <> sex_r AND {_SHORTER} > 1 AND {_OTHER_FORENAME})"


CONTRADICTED_IDENTIFIER = f"({_any(_FORENAME_FAR, _TWINS, f'({_SURNAME_DIFFERS} AND {_DOB_DIFFERS})')})"
"""Clearly two people even where an identifier says they are one: another forename, the pattern of twins, or both
another surname and another date of birth. A new surname alone (marriage) or a wrong date alone is no contradiction."""

VETO = (
    f"({_any(f'({_FORENAME_DIFFERS} AND {_TWO_NAMES})', 'abs(birth_year_l - birth_year_r) >= 12')}"
    f" OR {_any(_SEX_AND_NAME_DIFFER)})"
)
"""Never one person on the strength of a resemblance: two forenames that are both names (brothers, sisters, twins),
birth a generation apart (father and son), or another sex together with another forename."""

DOUBT = f"({_any(_FORENAME_DIFFERS, _DOB_DIFFERS)})"
"""Hard to believe of one person: another forename, or another date of birth. Where slips gather round the right name
two of them may differ so, so this stops a join only when it is not outweighed."""
