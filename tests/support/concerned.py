"""A small hub for people's rights: a family of three and a neighbour, linked, with accounts of several departments.

`housing` has their tenancies, `health` (an NHS body) their registrations and who has opted out. A plugin plans with
both; another answers about people. Somebody of each department works there, with an account, so that entries say who.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub.app import open_hub
from hub.identity import store as identities
from hub.identity.people import add_user
from hub.identity.principal import Principal
from hub.insights.people import PersonQuery
from hub.runs import store as runs
from hub.workflows import rights_people, running
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import library
from hub_sdk import Input, Manifest, Output, OutputColumn
from support.agreements import put_in_force
from support.hubs import PASSWORD, make_hub, migrate, principal_of
from support.sealing import Sender
from support.staged import FakeSandbox

SURNAME = "Quillfeather"
ADA, BEN, CLEO, DAN = "9990000026", "9990000034", "9990000042", "9990000050"
_NUMBERS = {"Ada": ADA, "Ben": BEN, "Cleo": CLEO, "Dan": DAN}
BORN = {"Ada": "1965-03-04", "Ben": "1970-03-04", "Cleo": "2015-03-04", "Dan": "1985-03-04"}
_UPRNS = {"Dan": "990000000002"}
_TERMS = """\
legal_power: a power
objective: an objective
public_benefit: a benefit
lawful_basis: 6(1)(e)
start: 2026-01-01
end: 2099-12-31
retention_days: 3000
contact: privacy@council.invalid
"""
_WHO = "forename, surname, date_of_birth, uprn, postcode"
LINKING = f"""\
id: link-people
title: Linking
purpose: Put records of the same people together
controllers: [housing, health]
organisations: [hub]
operations: [link]
datasets:
  - {{contract: housing.tenancies, publishers: [housing], columns: [tenancy_id, person_number, {_WHO}, start_date]}}
  - {{contract: health.registrations, publishers: [health], columns: [local_id, nhs_number, sex, {_WHO}]}}
{_TERMS}"""
HELPING = f"""\
id: early-help
title: Early help
purpose: Help families early
controllers: [housing, health]
organisations: [housing, police]
operations: [link, run plugin, read person, re-identify]
plugins: [needs]
opt_out: does not apply
opt_out_reason: it is for the help that these families get themselves
datasets:
  - {{contract: hub.people, columns: [person_id, household_id, {_WHO}, sex, nhs_number, datasets]}}
  - {{contract: housing.tenancies, publishers: [housing], columns: [tenure, arrears, start_date]}}
  - {{contract: health.registrations, publishers: [health], columns: [practice_code, registered_on]}}
{_TERMS}"""
PLANNING = f"""\
id: planning
title: Planning surgeries
purpose: Plan how many surgeries are needed
controllers: [health]
organisations: [health]
operations: [link, run plugin, read aggregate]
plugins: [counting]
datasets:
  - {{contract: health.registrations, publishers: [health], columns: [practice_code]}}
{_TERMS}"""


def _manifest(name: str, title: str, inputs: tuple[Input, ...], key: str = "person_id") -> Manifest:
    columns = (OutputColumn(key, "string", "Who"), OutputColumn("need", "string", "What is needed"))
    return Manifest(
        name, "1.0", title, f"{title}.", inputs=inputs, outputs=(Output("found", columns, "person", key=key),)
    )


NEEDS = _manifest(
    "needs", "Needs of people",
    (
        Input("people", "hub.people", ("person_id", "household_id")),
        Input("rents", "housing.tenancies", ("arrears",), link=("person",)),
        Input("patients", "health.registrations", ("practice_code",), link=("person",)),
    ),
)  # fmt: skip
COUNTING = _manifest(
    "counting", "Patients by surgery", (Input("patients", "health.registrations", ("practice_code",)),)
)


def _answer(inputs: Mapping[str, pa.Table], parameters: Mapping[str, Any]) -> dict[str, pa.Table]:
    if "people" not in inputs:
        count = inputs["patients"].num_rows
        return {"found": pa.table({"person_id": pa.array(["0" * 32]), "need": pa.array([str(count)])})}
    ids = sorted(set(inputs["people"]["person_id"].to_pylist()))
    return {"found": pa.table({"person_id": ids, "need": ["a visit"] * len(ids)})}


def tenancy(number: int, forename: str, surname: str = SURNAME, **more: str) -> dict[str, str]:
    """A row of housing.tenancies."""
    return {
        "tenancy_id": "T00002" if forename == "Dan" else "T00001", "person_number": str(number), "forename": forename,
        "surname": surname, "date_of_birth": BORN[forename], "uprn": _UPRNS.get(forename, "990000000001"),
        "address": "1 High Street", "postcode": "ZX1 1AA", "tenure": "council", "weekly_rent": "100.00",
        "arrears": "345.60", "notice_served": "false", "start_date": "2020-01-01",
    } | more  # fmt: skip


def patient(forename: str, nhs_number: str, surname: str = SURNAME) -> dict[str, str]:
    """A row of health.registrations."""
    return {
        "local_id": f"L{forename}", "nhs_number": nhs_number, "forename": forename, "surname": surname, "sex": "F",
        "date_of_birth": BORN[forename], "uprn": _UPRNS.get(forename, "990000000001"), "postcode": "ZX1 1AA",
        "practice_code": "Z00001", "registered_on": "2021-05-06",
    }  # fmt: skip


TENANTS = [
    *(tenancy(number, forename) for number, forename in enumerate(["Ada", "Ben", "Cleo"], 1)),
    tenancy(5, "Dan", "Marrowby"),
]
PATIENTS = [
    patient("Ada", ADA), patient("Ben", BEN), patient("Cleo", CLEO), patient("Dan", DAN, "Marrowby"),
]  # fmt: skip


@dataclass(frozen=True)
class Concerned:
    """The hub, who works there by role and organisation, and who sends."""

    hub: Hub
    sandbox: FakeSandbox
    staff: dict[str, Principal]
    senders: dict[str, Sender]

    def who(self, name: str) -> Principal:
        """Somebody by their username."""
        return self.staff[name]

    def person(self, forename: str) -> str:
        """The id of a person of the hub."""
        found = rights_people.find_person(
            self.hub, self.who("olive"), PersonQuery(nhs_number=_NUMBERS[forename]), "looks up somebody for a test",
        )  # fmt: skip
        return found[0].person_id

    def deliver(self, slug: str, contract: str, rows: list[dict[str, str]]) -> str:
        """Send a dataset whole; returns the version."""
        made = self.senders[slug].deliver(library.load(contract), rows)
        assert made.version_id is not None, made.problem
        drain(self.hub)
        return made.version_id

    def opt_out(self, *numbers: str, on: date | None = None) -> str:
        """The NHS body's list of who has opted out."""
        day = (on or date.today()).isoformat()
        rows = [{"nhs_number": number, "checked_on": day} for number in numbers]
        return self.deliver("health", "health.opt_outs", rows)

    def run(self, plugin: str, agreement: str, who: str) -> runs.Run:
        """Run a plugin; returns the run as it ended."""
        asked = running.request_run(
            self.hub, self.who(who), plugin, agreement, self.who(who).organisation, {}
        )
        drain(self.hub)
        with self.hub.database.read() as session:
            return runs.get_run(session, asked.id)


#: Username, organisation and roles of those who work there.
STAFF = (
    ("olive", "hub", ("rights officer",)), ("rory", "housing", ("rights officer",)),
    ("wendy", "housing", ("service user",)), ("ines", "police", ("investigating officer",)),
    ("paul", "police", ("service user", "rights officer")), ("ann", "housing", ("analyst",)),
    ("alma", "health", ("analyst",)), ("stella", "housing", ("data steward",)), ("stan", "health", ("data steward",)),
    ("chris", "housing", ("output checker",)),
)  # fmt: skip


def make_concerned(folder: Path) -> Concerned:
    """Make the hub in a folder, on SQLite; `at_home` opens copies of it. Whoever makes it closes its database."""
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    hub, sandbox = _with_sandbox(make_hub(folder / "hub", url))
    operator = principal_of(hub, "hub", "operator")
    senders = {slug: Sender(hub, slug, operator) for slug in ("housing", "health")}
    principal_of(hub, "police")
    staff = {name: _account(hub, name, slug, roles) for name, slug, roles in STAFF}
    there = Concerned(hub, sandbox, staff, senders)
    there.deliver("housing", "housing.tenancies", TENANTS)
    there.deliver("health", "health.registrations", PATIENTS)
    for text in (LINKING, HELPING, PLANNING):
        put_in_force(hub, text)
    drain(hub)
    running.register_plugins(hub, operator)
    return there


@contextmanager
def at_home(template: Concerned, folder: Path) -> Iterator[Concerned]:
    """A copy of a hub for one test: linking takes seconds, copying does not."""
    shutil.copytree(template.hub.settings.dir.parent, folder, dirs_exist_ok=True)
    url = f"sqlite:///{folder / 'hub.db'}"
    hub, sandbox = _with_sandbox(
        open_hub(replace(template.hub.settings, dir=folder / "hub", database_url=url))
    )
    senders = {}
    for slug, sender in template.senders.items():
        senders[slug] = copy(sender)
        senders[slug].hub = hub
    yield Concerned(hub, sandbox, template.staff, senders)
    hub.database.close()


def _with_sandbox(hub: Hub) -> tuple[Hub, FakeSandbox]:
    sandbox = FakeSandbox(NEEDS, COUNTING, answer=_answer)
    return replace(hub, sandbox=lambda: sandbox), sandbox  # type: ignore[arg-type, return-value]


def _account(hub: Hub, name: str, slug: str, roles: tuple[str, ...]) -> Principal:
    with hub.database.write() as session:
        home = identities.find_organisation(session, slug)
        ident = add_user(session, name, f"Nobody {name.title()}", home.id, roles, PASSWORD)
    return Principal("person", ident, name, home.id, slug, frozenset(roles))
