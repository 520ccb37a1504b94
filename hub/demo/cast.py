"""Who and what is in the demonstration: the borough's organisations, their files, its people."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AGREEMENTS", "DEPARTMENTS", "PEOPLE", "REAL_DATA", "Department", "Person"]


@dataclass(frozen=True)
class Department:
    """An organisation that publishes: its slug, its name and the contracts of its datasets."""

    slug: str
    name: str
    contracts: tuple[str, ...]


@dataclass(frozen=True)
class Person:
    """Somebody who signs in."""

    username: str
    name: str
    organisation: str
    role: str
    does: str


DEPARTMENTS = (
    Department("wexbourne-schools", "Wexbourne Schools", ("schools.attendance",)),
    Department("wexbourne-children", "Wexbourne Children's Services", ("children.in_need",)),
    Department(
        "wexbourne-police", "Wexbourne Police",
        ("police.incidents", "police.time_recording", "police.establishment"),
    ),
    Department("wexbourne-housing", "Wexbourne Housing", ("housing.tenancies",)),
    Department("wexbourne-benefits", "Wexbourne Benefits", ("benefits.claims",)),
    Department("nhs-wexbourne", "NHS Wexbourne", ("health.registrations",)),
)  # fmt: skip

PEOPLE = (
    Person(
        "sam",
        "Sam Okafor",
        "wexbourne-children",
        "service user",
        "finds a household and sees the whole picture",
    ),
    Person("ana", "Ana Lindqvist", "wexbourne-police", "analyst", "looks at plugins, runs and results"),
    Person("chris", "Chris Adeyemi", "hub", "output checker", "releases results"),
    Person(
        "stella", "Stella Marsh", "wexbourne-housing", "data steward", "sees datasets and quarantine reports"
    ),
    Person("olga", "Olga Petrenko", "hub", "operator", "runs the hub"),
    Person("adrian", "Adrian Webb", "hub", "auditor", "reads the audit log"),
    Person("rita", "Rita Brandt", "hub", "rights officer", "answers people who ask about their own data"),
)

#: Agreement, the plugin that runs under it (if any), and the department it runs for.
AGREEMENTS = (
    ("link-people", None, "hub"),
    ("troubled-families", "families", "wexbourne-children"),
    ("police-workforce", "workforce", "wexbourne-police"),
)

#: Files that nobody here wrote: organisation, its name, contract, and where the file lies under the data folder.
REAL_DATA = (
    ("west-yorkshire-police", "West Yorkshire Police (published data)", "police.street_crime",
     "police/2018-07-west-yorkshire-street.csv"),
    ("home-office", "Home Office (published data)", "police.recorded_crime", "police/prc-pfa-201718_new.csv"),
)  # fmt: skip
