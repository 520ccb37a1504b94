"""A plugin meets people under names made for its agreement, and only where the agreement lets the hub link them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from hub.errors import Forbidden
from hub.runs import lists as run_lists
from hub.workflows import linking, releasing, running
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import library
from hub_sdk import Input, Manifest, Output, OutputColumn
from support.hubs import principal_of
from support.sealing import Sender
from support.staged import AGREEMENT, FakeSandbox, agree

_PEOPLE = [
    ("Ada", "Lovelace", "1980-12-10"), ("Grace", "Hopper", "1976-12-09"), ("Alan", "Turing", "1982-06-23"),
    ("Mary", "Somerville", "1990-12-26"), ("Charles", "Babbage", "1971-12-26"), ("Emmy", "Noether", "1985-03-23"),
]  # fmt: skip
_ARREARS = Manifest(
    "arrears", "1.0", "Arrears", "Arrears of households.",
    inputs=(Input("rents", "housing.tenancies", ("arrears",), link=("person", "household")),),
    outputs=(
        Output(
            "households",
            (OutputColumn("household_id", "string", "Household"), OutputColumn("arrears", "number", "Arrears")),
            "person",
            key="household_id",
        ),
    ),
)  # fmt: skip
_SHARING = (
    AGREEMENT.replace("police.establishment", "housing.tenancies")
    .replace("controllers: [police]", "controllers: [housing]")
    .replace("[counting]", "[arrears]")
    .replace("[run plugin, read aggregate]", "[link, run plugin]")
    .replace("organisations: [police]", "organisations: [police, hub]")
    .replace(
        "[team, area, fte]",
        "[tenancy_id, person_number, forename, surname, date_of_birth, uprn, postcode, arrears, start_date]",
    )
)


def test_two_agreements_see_the_same_people_under_names_that_do_not_match(sqlite_hub: Hub) -> None:
    def by_household(inputs: Mapping[str, pa.Table], _: Mapping[str, Any]) -> dict[str, pa.Table]:
        found = inputs["rents"].group_by("household_id").aggregate([("arrears", "sum")])
        return {
            "households": pa.table(
                {"household_id": found["household_id"], "arrears": found["arrears_sum"].cast("float64")}
            )
        }

    sandbox = FakeSandbox(_ARREARS, answer=by_household)
    hub = replace(sqlite_hub, sandbox=lambda: sandbox)  # type: ignore[arg-type, return-value]
    rows = [
        {
            "tenancy_id": f"T{number}", "person_number": "1", "forename": forename, "surname": surname,
            "date_of_birth": born, "uprn": str(100010000000 + number), "address": f"{number} High Street",
            "postcode": "LS1 4AP", "tenure": "council", "weekly_rent": "100.00", "arrears": f"{number}00.00",
            "notice_served": "false", "start_date": "2020-01-01",
        }
        for number, (forename, surname, born) in enumerate(_PEOPLE, 1)
    ]  # fmt: skip
    operator = principal_of(hub, "hub", "operator")
    principal_of(hub, "housing")
    first, second = (
        agree(hub, _SHARING.replace("id: planning", f"id: {name}")) for name in ("sharing-a", "sharing-b")
    )
    delivered = Sender(hub, "housing", operator).deliver(library.load("housing.tenancies"), rows)
    assert delivered.version_id is not None, delivered.problem
    assert linking.linked_state(hub) is not None
    running.register_plugins(hub, operator)
    analyst = principal_of(hub, "police", "analyst")
    for name in (first, second, first):
        running.request_run(hub, analyst, "arrears", name, "police", {})
    drain(hub)
    given = [table["rents"] for table in sandbox.given]
    assert len(given) == 3
    for kind in ("person_id", "household_id"):
        one, other, again = (set(table[kind].to_pylist()) for table in given)
        assert len(one) == len(_PEOPLE) and None not in one
        assert not one & other, "the results of two projects cannot be joined"
        assert one == again, "within an agreement the names stay the same"
    assert given[0].column_names == ["person_id", "household_id", "arrears"]
    with hub.database.read() as session:
        results = [result for _, result in run_lists.runs(session, under=None) if result]
    with pytest.raises(Forbidden, match="single households"):
        releasing.read_table(hub, principal_of(hub, "police", "output checker"), results[0].id, "households")


def test_without_the_power_to_link_no_links_are_given(sqlite_hub: Hub) -> None:
    sandbox = FakeSandbox(_ARREARS)
    hub = replace(sqlite_hub, sandbox=lambda: sandbox)  # type: ignore[arg-type, return-value]
    running.register_plugins(hub, principal_of(hub, "hub", "operator"))
    principal_of(hub, "housing")
    agree(hub, _SHARING.replace("[link, run plugin]", "[run plugin]"))
    with pytest.raises(Forbidden, match="does not allow to link people"):
        running.request_run(hub, principal_of(hub, "police", "analyst"), "arrears", "planning", "police", {})
