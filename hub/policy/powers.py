"""Legal powers to share, and the objectives that each of them serves.

A power serves its own objectives only, and some of them only between bodies that the law lists. The table holds what
can be read in the Acts and regulations named; it is no legal advice, and says nothing about powers that are not in it:
an agreement may write one in its own words, and then everything that shows it says that the hub has not checked it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["POWERS", "Objective", "Power", "objective_words", "power_problem", "power_words"]


@dataclass(frozen=True)
class Objective:
    """What a power may be used for; `id` is unique within its power."""

    id: str
    title: str


@dataclass(frozen=True)
class Power:
    """A legal power.

    `listed` says where the law lists the bodies that may use it, empty when it lists none; `lists` which of the two
    sides must be on that list: those who publish the data, those who use it, or both.
    """

    id: str
    title: str
    source: str
    objectives: tuple[Objective, ...]
    listed: str = ""
    lists: tuple[str, ...] = ()

    def serves(self, objective: str) -> bool:
        """Whether an objective (id) is one of this power."""
        return any(item.id == objective for item in self.objectives)


_BOTH = ("publisher", "user")
_DEA = "Digital Economy Act 2017, Part 5"

_ALL = (
    Power(
        "dea-public-service-delivery", "Improving public service delivery", f"{_DEA}, Chapter 1, section 35",
        # The Digital Government (Disclosure of Information) Regulations 2018 (SI 2018/912), Schedule.
        (
            Objective("multiple-disadvantages", "Help for individuals and households with multiple disadvantages"),
            Objective("television-retuning", "Help with retuning television equipment"),
            Objective("fuel-poverty", "Help for people living in fuel poverty"),
            Objective("water-poverty", "Help for people living in water poverty"),
        ),
        "Schedule 4 to the Act and the regulations made under section 35", _BOTH,
    ),
    Power(
        "dea-civil-registration", "Disclosure by civil registration officials",
        f"{_DEA}, Chapter 2, section 46 (section 19AA of the Registration Service Act 1953)",
        (Objective("exercise-of-functions", "Exercise of a function of the official or public authority"),),
        "section 19AB of the Registration Service Act 1953", ("user",),
    ),
    Power(
        "dea-debt", "Reducing debt owed to the public sector", f"{_DEA}, Chapter 3, section 48",
        (Objective("public-sector-debt", "Taking action in connection with debt owed to a public authority"),),
        "Schedule 7 to the Act", _BOTH,
    ),
    Power(
        "dea-fraud", "Combating fraud against the public sector", f"{_DEA}, Chapter 4, section 56",
        (Objective("public-sector-fraud", "Taking action in connection with fraud against a public authority"),),
        "Schedule 8 to the Act", _BOTH,
    ),
    Power(
        "dea-research", "Sharing for research purposes", f"{_DEA}, Chapter 5, section 64",
        (Objective("research", "Research in the public interest, accredited by the Statistics Board"),),
    ),
    Power(
        "dea-statistics", "Statistics",
        f"{_DEA}, Chapter 7 (sections 45A to 45G of the Statistics and Registration Service Act 2007)",
        (Objective("statistics", "Functions of the Statistics Board"),),
    ),
    Power(
        "crime-and-disorder", "Disclosure for the purposes of the Crime and Disorder Act",
        "Crime and Disorder Act 1998, section 115 (with the duty of section 17)",
        (
            Objective("crime-and-disorder", "Preventing and reducing crime and disorder"),
            Objective("youth-justice", "Youth justice: preventing offending by children and young people"),
        ),
        "section 115(2) of the Act", ("user",),
    ),
    Power(
        "children-wellbeing", "Co-operation to improve the well-being of children", "Children Act 2004, section 10",
        (Objective("wellbeing-of-children", "Improving the well-being of children in the authority's area"),),
        "section 10 of the Act", _BOTH,
    ),
    Power(
        "children-safeguarding", "Safeguarding and promoting the welfare of children", "Children Act 2004, section 11",
        (Objective("safeguarding-children", "Safeguarding and promoting the welfare of children"),),
        "section 11(1) of the Act", ("publisher",),
    ),
)  # fmt: skip

#: Every power that the hub knows, by id.
POWERS: Final[Mapping[str, Power]] = {item.id: item for item in _ALL}


def power_words(power: str) -> str:
    """A power as pages say it: title and source of a known one, else the words of the agreement."""
    known = POWERS.get(power)
    return f"{known.title} ({known.source})" if known else power


def objective_words(power: str, objective: str) -> str:
    """An objective as pages say it: the title of one of the power, else the words of the agreement."""
    known = POWERS.get(power)
    return (
        next((item.title for item in known.objectives if item.id == objective), objective)
        if known
        else objective
    )


def power_problem(power: str, objective: str) -> str:
    """What is wrong with a power and an objective together, in words; empty when nothing is, or nobody can say."""
    known = POWERS.get(power)
    if known is None or known.serves(objective):
        return ""
    own = ", ".join(item.id for item in known.objectives)
    return f"the power {power} serves its own objectives only ({own})"
