"""What headers usually mean in British public services: which part of a person, how sensitive, which identifier.

These are hints for a draft that a person reads and decides on, nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["classify", "column_name", "identifier_hint", "role_of", "tokens", "word_set"]


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_ROLES: Final = (
    ("forename", (("forename",), ("first", "name"), ("given", "name"), ("firstname",), ("forenames",))),
    ("surname", (("surname",), ("last", "name"), ("family", "name"), ("lastname",))),
    (
        "full_name",
        (("full", "name"), ("fullname",), ("person", "name"), ("child", "name"), ("pupil", "name")),
    ),
    ("date_of_birth", (("dob",), ("birth",), ("birthdate",), ("dateofbirth",))),
    ("sex", (("sex",), ("gender",))),
    ("postcode", (("postcode",), ("post", "code"))),
    ("uprn", (("uprn",),)),
    ("address", (("address",),)),
)
_PERSONAL: Final = word_set(
    """phone telephone mobile email mail contact nationality guardian parent carer signature username photo
    claimant tenant pupil patient victim suspect offender"""
)
#: Article 9 and 10 of the UK GDPR: special categories, and criminal offence data which is guarded like them.
_SPECIAL: Final = word_set(
    """ethnic ethnicity race religion religious faith belief disability disabled health diagnosis medical mental
    illness medication treatment sexual sexuality orientation pregnancy pregnant genetic biometric union political
    sen send ehcp conviction convictions offender sentence substance drug alcohol smoking bmi"""
)
_IDENTIFIERS: Final = {
    "nhs-number": {"nhs"}, "nino": {"nino", "ni", "insurance"}, "upn": {"upn"}, "uln": {"uln"}, "pnc-id": {"pnc"},
    "uprn": {"uprn"}, "postcode": {"postcode", "pcd", "pcds"}, "company-number": {"company", "crn"},
    "gss-code": {"gss", "lsoa", "msoa", "ward", "lad", "oa"}, "sic": {"sic"}, "utr": {"utr"}, "vat": {"vat"},
}  # fmt: skip
_PERSONAL_KINDS: Final = frozenset({"nhs-number", "nino", "upn", "uln", "pnc-id", "utr"})
_HOME_ROLES: Final = frozenset({"postcode", "uprn", "address"})


def tokens(header: str) -> tuple[str, ...]:
    """The words of a header, small: "DateOfBirth", "date_of_birth" and "Date of birth" give the same."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header)
    return tuple(re.findall(r"[a-z]+|[0-9]+", spaced.lower()))


def column_name(header: str, taken: Collection[str], place: int) -> str:
    """A canonical name (small letters, digits, underscores) that is not taken yet; `place` counts from 1."""
    name = re.sub(r"[^a-z0-9]+", "_", "_".join(tokens(header))).strip("_") or f"column_{place}"
    if not name[0].isalpha():
        name = f"column_{name}"
    if name == "row_number":
        name = "source_row_number"
    name = name[:55]
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique


def role_of(header: str, kind: str | None) -> str | None:
    """The part of a person's record that linkage knows a column by, None when it plays none."""
    if kind in ("nhs-number", "nino", "upn"):
        return kind.replace("-", "_")
    if kind in ("uprn", "postcode"):
        return kind
    words = tokens(header)
    for role, spellings in _ROLES:
        if role in ("uprn", "postcode"):
            continue  # these have forms of their own, and the values do not have it
        if any(set(spelling) <= set(words) for spelling in spellings):
            return role
    return None


def identifier_hint(header: str, kind: str) -> bool:
    """Whether a header speaks of that kind of identifier."""
    return not _IDENTIFIERS.get(kind, set()).isdisjoint(tokens(header))


def classify(header: str, role: str | None, kind: str | None) -> str | None:
    """The class a header suggests on its own: personal, special-category, or None where it does not say."""
    words = set(tokens(header))
    if words & _SPECIAL:
        return "special-category"
    if kind in _PERSONAL_KINDS or (role is not None and role not in _HOME_ROLES):
        return "personal"
    if words & _PERSONAL or role == "address":
        return "personal"
    return None
