"""The words of others that the catalogue speaks: how often, about what, who may have it, how secret, in which language.

Codes are the hub's own; beside each stands what it is called in words, in the European Union's vocabularies
(https://op.europa.eu/en/web/eu-vocabularies) and in the UK Cross-Government Metadata Exchange Model.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

__all__ = [
    "ACCESS", "CLASSIFICATIONS", "FREQUENCIES", "LANGUAGES", "SENSITIVITIES", "THEMES", "Access", "Frequency",
    "Language", "frequency_of", "theme_of",
]  # fmt: skip


@dataclass(frozen=True)
class Frequency:
    """How often a dataset is renewed: in words, in the EU's table `frequency`, in Dublin Core's vocabulary.

    `late_after` is how old the last accepted version may be before the dataset counts as late: the interval and about a
    quarter of it, for a department's holidays and mishaps. None where nothing can be late.
    """

    words: str
    eu: str
    uk: str
    late_after: timedelta | None = None


def _days(number: int) -> timedelta:
    return timedelta(days=number)


#: Code -> how often. The empty code stands for "nobody said".
FREQUENCIES: Final[dict[str, Frequency]] = {
    "continuous": Frequency("Continuously", "CONT", "freq:continuous", _days(2)),
    "daily": Frequency("Daily", "DAILY", "freq:daily", _days(2)),
    "weekly": Frequency("Weekly", "WEEKLY", "freq:weekly", _days(9)),
    "fortnightly": Frequency("Every two weeks", "BIWEEKLY", "freq:biweekly", _days(18)),
    "monthly": Frequency("Monthly", "MONTHLY", "freq:monthly", _days(39)),
    "two-monthly": Frequency("Every two months", "BIMONTHLY", "freq:bimonthly", _days(77)),
    "quarterly": Frequency("Quarterly", "QUARTERLY", "freq:quarterly", _days(115)),
    "termly": Frequency("Three times a year", "ANNUAL_3", "freq:threeTimesAYear", _days(153)),
    "half-yearly": Frequency("Twice a year", "ANNUAL_2", "freq:semiannual", _days(228)),
    "yearly": Frequency("Yearly", "ANNUAL", "freq:annual", _days(457)),
    "two-yearly": Frequency("Every two years", "BIENNIAL", "freq:biennial", _days(914)),
    "three-yearly": Frequency("Every three years", "TRIENNIAL", "freq:triennial", _days(1370)),
    "irregular": Frequency("From time to time", "IRREG", "freq:irregular"),
    "once": Frequency("Once only", "NEVER", "freq:irregular"),
    "": Frequency("Not stated", "UNKNOWN", "freq:irregular"),
}

#: A promise in a contract (slaProperties `frequency`), in days -> code; the nearest counts.
_BY_DAYS: Final = (
    (1, "daily"), (7, "weekly"), (14, "fortnightly"), (30.4, "monthly"), (61, "two-monthly"), (91.3, "quarterly"),
    (121.7, "termly"), (182.6, "half-yearly"), (365.25, "yearly"), (730.5, "two-yearly"), (1095.8, "three-yearly"),
)  # fmt: skip


def frequency_of(days: float) -> str:
    """The code of an interval in days; empty where it is near none of those there are (by more than a quarter)."""
    if not 0 < days < 10_000:
        return ""
    if days < 1:
        return "continuous"
    length, code = min(_BY_DAYS, key=lambda pair: abs(pair[0] - days))
    return code if abs(length - days) <= length / 4 else ""


#: The EU's table `data-theme`: code -> what it is about.
THEMES: Final[dict[str, str]] = {
    "AGRI": "Agriculture, fisheries, forestry and food",
    "ECON": "Economy and finance",
    "EDUC": "Education, culture and sport",
    "ENER": "Energy",
    "ENVI": "Environment",
    "GOVE": "Government and public sector",
    "HEAL": "Health",
    "INTR": "International issues",
    "JUST": "Justice, legal system and public safety",
    "REGI": "Regions and cities",
    "SOCI": "Population and society",
    "TECH": "Science and technology",
    "TRAN": "Transport",
}

_DOMAINS: Final = {
    "benefits": "SOCI", "children": "SOCI", "council_tax": "GOVE", "customer": "GOVE", "health": "HEAL",
    "housing": "SOCI", "hub": "GOVE", "police": "JUST", "schools": "EDUC", "workforce": "GOVE",
    "youth_justice": "JUST",
}  # fmt: skip


def theme_of(domain: str) -> str:
    """The theme of a contract's domain where nobody chose one; what nobody knows is the public sector's."""
    return _DOMAINS.get(domain.partition(".")[0].replace("-", "_"), "GOVE")


@dataclass(frozen=True)
class Access:
    """Who may have the data: in words, in the EU's table `access-right`, in the UK model."""

    words: str
    eu: str
    uk: str


ACCESS: Final[dict[str, Access]] = {
    "internal": Access("Under an agreement only", "NON_PUBLIC", "INTERNAL"),
    "conditional": Access("Under conditions", "RESTRICTED", "COMMERCIAL"),
    "open": Access("Everybody", "PUBLIC", "OPEN"),
}

#: Security classification (Government Security Classifications Policy) -> the UK model's value. What is more than
#: OFFICIAL has no place in the hub.
CLASSIFICATIONS: Final[dict[str, str]] = {"official": "OFFICIAL", "not applicable": "NOT_APPLICABLE"}


@dataclass(frozen=True)
class Language:
    """In which language titles and descriptions are: in words, as a tag (BCP 47), in the EU's table `language`."""

    words: str
    tag: str
    eu: str


LANGUAGES: Final[dict[str, Language]] = {
    "en": Language("English", "en", "ENG"),
    "cy": Language("Welsh", "cy", "CYM"),
}

#: How sensitive the most sensitive column is: class -> in words.
SENSITIVITIES: Final[dict[str, str]] = {
    "open": "Open",
    "official": "Official",
    "personal": "Personal",
    "special-category": "Special category",
}
