"""A hub that people live in: linked households, a released answer about one of them, and somebody of each role.

Made without a sandbox, on `support.staged`. Everybody's password is `support.hubs.PASSWORD`, and their username their
role with a hyphen: service-user, output-checker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from browser.sample_reports import HOSTILE_REPORT, REPORT
from hub.identity import people
from hub.identity import store as identities
from hub.intake.states import DeliveryState
from hub.policy import requests
from hub.policy.roles import PERSON_ROLES
from hub.runs import store as runs
from hub.runs.sandbox import RunResult
from hub.workflows import drafting, releasing, requesting, running, scheduling, signing
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import library
from hub_sdk import Input, Manifest, Output, OutputColumn
from support.hubs import PASSWORD, make_hub, migrate, principal_of
from support.sealing import Sender
from support.staged import AGREEMENT, CONTRACT, COUNTING, ROWS, FakeSandbox, agree, count_teams, stage

SURNAME = "Quillfeather"
POSTCODE = "ZX1 1AA"
UPRN = "990000000001"
EVIDENCE = "Rent unpaid for three months <script>alert(1)</script>"

_TENANCIES = library.load("housing.tenancies")
_REGISTRATIONS = library.load("health.registrations")

FAMILIES = Manifest(
    "families", "1.0", "Families", "Answers whether a home is at risk.",
    inputs=(Input("people", "hub.people", ("person_id", "household_id")),),
    outputs=(
        Output(
            "households",
            (
                OutputColumn("household_id", "string", "The household"),
                OutputColumn("eligible", "string", "yes or no"),
                OutputColumn("home", "string", "A home at risk: met, not met, no data"),
                OutputColumn("home_evidence", "string", "What speaks for it"),
                OutputColumn("ruleset", "string", "The rules"),
                OutputColumn("as_at", "string", "The day"),
            ),
            "person",
            key="household_id",
        ),
    ),
)  # fmt: skip

_TERMS = """\
legal_power: a power
objective: an objective
public_benefit: a benefit
lawful_basis: 6(1)(e)
controllers: [council]
start: 2026-01-01
end: 2099-12-31
retention_days: 30
contact: privacy@council.invalid
"""
_WHO = "forename, surname, date_of_birth, uprn, postcode"
LINKING = f"""\
id: link-people
title: Linking
purpose: Put records of the same people together
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
organisations: [housing]
operations: [link, run plugin, read person]
plugins: [families]
datasets:
  - {{contract: hub.people, columns: [person_id, household_id, {_WHO}, sex, nhs_number, datasets]}}
  - contract: housing.tenancies
    publishers: [housing]
    columns: [tenure, arrears, notice_served, start_date]
  - {{contract: benefits.claims, publishers: [housing], columns: [benefit, start_date]}}
{_TERMS}"""


def _tenancy(number: int, forename: str, surname: str = SURNAME, **more: str) -> dict[str, str]:
    return {
        "tenancy_id": "T00001", "person_number": str(number), "forename": forename, "surname": surname,
        "date_of_birth": f"19{60 + 5 * number}-03-04", "uprn": UPRN, "address": "1 High Street",
        "postcode": POSTCODE, "tenure": "council", "weekly_rent": "100.00", "arrears": "345.60",
        "notice_served": "false", "start_date": "2020-01-01",
    } | more  # fmt: skip


#: A family of three, and a neighbour.
TENANTS = [
    *(_tenancy(number, forename) for number, forename in enumerate(["Ada", "Ben", "Cleo"], 1)),
    _tenancy(5, "Dan", "Marrowby", tenancy_id="T00002", uprn="990000000002"),
]
PATIENTS = [
    {
        "local_id": "L1", "nhs_number": "9990000026", "forename": "Ada", "surname": SURNAME, "sex": "F",
        "date_of_birth": "1965-03-04", "uprn": UPRN, "postcode": POSTCODE, "practice_code": "Z00001",
        "registered_on": "2021-05-06",
    }
]  # fmt: skip


class _Played(FakeSandbox):
    """Counts teams with an honest report, and answers about households with a hostile one."""

    def run(self, plugin: str, *arguments: Any, **options: Any) -> RunResult:
        made = super().run(plugin, *arguments, **options)
        report = {"counting": REPORT, "families": HOSTILE_REPORT}[plugin]
        return RunResult(made.tables, report, made.seconds, made.peak_memory_mb, made.log)


def _answer(inputs: Mapping[str, pa.Table], parameters: Mapping[str, Any]) -> dict[str, pa.Table]:
    if "teams" in inputs:
        return count_teams(inputs, parameters)
    homes = sorted(set(inputs["people"]["household_id"].to_pylist()) - {None})
    rows = [
        {
            "household_id": home, "eligible": "yes", "home": "met", "home_evidence": EVIDENCE, "ruleset": "TEST",
            "as_at": "2026-03-02",
        }
        for home in homes
    ]  # fmt: skip
    return {"households": pa.Table.from_pylist(rows)}


@dataclass(frozen=True)
class LivedIn:
    """The hub with the ids of what is in it, by the names they have in addresses."""

    hub: Hub
    ids: dict[str, str]
    held: str
    refused: str


@contextmanager
def lived_in_hub(folder: Path, **settings: Any) -> Iterator[LivedIn]:
    """A hub on SQLite that people live in."""
    url = f"sqlite:///{folder / 'hub.db'}"
    migrate(url)
    hub = make_hub(folder / "hub", url, **settings)
    yield _move_in(hub)
    hub.database.close()


def _move_in(hub: Hub) -> LivedIn:
    shared = AGREEMENT.replace("organisations: [police]", "organisations: [police, housing]")
    staged = stage(hub, _Played(COUNTING, FAMILIES, answer=_answer), shared)
    hub, operator = staged.hub, principal_of(hub, "hub", "operator")
    Sender(hub, "housing", operator).deliver(_TENANCIES, TENANTS)
    Sender(hub, "health", operator).deliver(_REGISTRATIONS, PATIENTS)
    refused = staged.sender.deliver(CONTRACT, [row | {"area": "Atlantis"} for row in ROWS])
    assert refused.state is DeliveryState.REFUSED
    for text in (LINKING, HELPING):
        agree(hub, text)
    drain(hub)
    scheduling.add_schedule(hub, staged.analyst, "counting", "planning", "0 6 * * MON", {})
    helper = principal_of(hub, "housing", "analyst")
    results = [
        _run(hub, who, plugin, agreement, who.organisation)
        for who, plugin, agreement in (
            (helper, "families", "early-help"),
            (staged.analyst, "counting", "planning"),
            (staged.analyst, "counting", "planning"),
        )
    ]
    checker = principal_of(hub, "hub", "output checker")
    for _, result in results[:2]:
        releasing.decide(hub, checker, result, "release", "counts checked")
    ids = staged.ids | {
        "user_id": _people(hub),
        "dataset_id": staged.dataset, "run_id": results[1][0], "result_id": results[1][1], "table": "by_area",
        "name": "counting", "handle": "x",
        "contract_id": _TENANCIES.id, "digest": _TENANCIES.digest, "profile": "dcat-ap", "ending": "ttl",
        "rights_id": "none", "correction_id": "none", "question": "title", "publisher": "housing",
        "contract": _TENANCIES.id, "kind": "client", "ident": staged.sender.client_id, "key": "purpose",
        **_waiting(hub, staged.dataset),
    }  # fmt: skip
    return LivedIn(hub, ids, results[2][1], refused.id)


def _waiting(hub: Hub, dataset: str) -> dict[str, str]:
    """Ids of what waits for somebody of housing: a request that was sent, a draft, a key."""
    steward = principal_of(hub, "housing", "data steward", name="steward-of-housing")
    analyst = principal_of(hub, "housing", "analyst")
    asked = requesting.begin(hub, analyst, dataset)
    with hub.database.write() as session:
        requests.act(session, asked.id, "ask", analyst.reference, None)
    return {
        "request_id": asked.id, "draft_id": drafting.begin(hub, steward).id,
        "key_id": signing.list_keys(hub, steward, "housing")[0].id,
    }  # fmt: skip


def _run(hub: Hub, who: Any, plugin: str, agreement: str, organisation: str) -> tuple[str, str]:
    run = running.request_run(hub, who, plugin, agreement, organisation, {})
    drain(hub)
    with hub.database.read() as session:
        result = runs.result_of_run(session, run.id)
        assert result is not None, runs.get_run(session, run.id).message
    return run.id, result.id


def _people(hub: Hub) -> str:
    """An account for each role in the housing department (the operator's at the hub), one with all, one with none.

    Returns the id of the last.
    """
    with hub.database.write() as session:
        home = identities.find_organisation(session, "housing")
        hubs = identities.find_organisation(session, "hub")
        for role in PERSON_ROLES:
            name, place = role.replace(" ", "-"), hubs if role == "operator" else home
            people.add_user(session, name, f"Nobody {name.title()}", place.id, [role], PASSWORD)
        people.add_user(session, "everything", "Nobody Everything", home.id, PERSON_ROLES, PASSWORD)
        return people.add_user(session, "no-role", "Nobody At-All", home.id, [], PASSWORD)


# --- a browser without a browser


def token_of(page: TestResponse) -> str:
    """The token against cross-site requests that stands in a page's forms."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found is not None, page.text[:500]
    return found[1]


def sign_in(client: FlaskClient, username: str, password: str = PASSWORD) -> TestResponse:
    """Sign in as a person does, through the form."""
    page = client.get("/sign-in")
    return client.post(
        "/sign-in", data={"username": username, "password": password, "csrf_token": token_of(page)}
    )


def search(client: FlaskClient, **more: str) -> TestResponse:
    """Look for the family, as a service user does, and follow to those found."""
    page = client.get("/households")
    asked = {
        "agreement": "early-help", "reason": "A visit on Friday, case 2041", "way": "name", "surname": SURNAME,
        "date_of_birth-day": "4", "date_of_birth-month": "3", "date_of_birth-year": "1965",
    }  # fmt: skip
    return client.post(
        "/households", data=asked | more | {"csrf_token": token_of(page)}, follow_redirects=True
    )


def open_first(client: FlaskClient, found: TestResponse) -> TestResponse:
    """Open the first household that was found."""
    link = re.search(
        r'href="(/households/[^"]+)"', re.sub(r'.*id="main-content"', "", found.text, flags=re.DOTALL)
    )
    assert link is not None, found.text
    return client.get(link[1])
