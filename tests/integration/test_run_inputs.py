"""What a run reads: optional inputs that are not there, days in the hub's own time zone, and outputs called open."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import text

from hub.runs import store as runs
from hub.runs.disclose import check_output
from hub.runs.states import RunState
from hub.workflows import running
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import library
from hub_sdk import Input, Manifest, Output, OutputColumn
from support.contracts import column, variant
from support.hubs import principal_of
from support.sealing import Sender
from support.staged import AGREEMENT, CONTRACT, COUNTING, ROWS, FakeSandbox, agree, stage

_TENANCIES = library.load("housing.tenancies")
_TENANT = {
    "tenancy_id": "T00001", "person_number": "1", "forename": "Ada", "surname": "Quillfeather",
    "date_of_birth": "1965-03-04", "uprn": "990000000001", "address": "1 High Street", "postcode": "ZX1 1AA",
    "tenure": "council", "weekly_rent": "100.00", "arrears": "0", "notice_served": "false", "start_date": "2020-01-01",
}  # fmt: skip
_OPTIONAL = (
    Input("rents", _TENANCIES.id, ("tenure",), required=False, link=("person",)),
    Input("people", "hub.people", ("person_id",), required=False),
    Input("nobody", "benefits.claims", ("benefit",), required=False),
)
_MORE = AGREEMENT.replace(
    "operations: [run plugin, read aggregate]", "operations: [link, run plugin]"
).replace(
    "start: 2026-01-01",
    "  - {contract: housing.tenancies, publishers: [housing], columns: [tenure]}\n"
    "  - {contract: hub.people, columns: [person_id]}\nstart: 2026-01-01",
)


def _asked(hub: Hub, agreement: str = "planning") -> runs.Run:
    run = running.request_run(
        hub, principal_of(hub, "police", "analyst"), "counting", agreement, "police", {}
    )
    drain(hub)
    with hub.database.read() as session:
        return runs.get_run(session, run.id)


@pytest.mark.parametrize("terms", [AGREEMENT, _MORE], ids=["not agreed", "agreed and not linked"])
def test_an_optional_input_that_is_not_there_is_simply_absent(sqlite_hub: Hub, terms: str) -> None:
    Sender(sqlite_hub, "housing", principal_of(sqlite_hub, "hub", "operator")).deliver(_TENANCIES, [_TENANT])
    sandbox = FakeSandbox(replace(COUNTING, inputs=(*COUNTING.inputs, *_OPTIONAL)))
    staged = stage(sqlite_hub, sandbox, terms)
    ended = _asked(staged.hub)
    assert (ended.state, ended.message) == (RunState.SUCCEEDED, ended.message)
    assert [set(given) for given in sandbox.given] == [{"teams"}]
    assert set(ended.inputs) == {"teams"}


def test_a_day_is_one_where_the_hub_is(sqlite_hub: Hub) -> None:
    """Half past eleven at night in UTC is the next day already in summer in London."""
    staged = stage(sqlite_hub)
    late = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    with staged.hub.database.write() as session:
        session.execute(text("UPDATE versions SET accepted_at = :at"), {"at": late.replace(tzinfo=None)})
    _asked(staged.hub)
    assert staged.sandbox.coverage["teams"].as_at.isoformat() == "2026-07-02"


def _open_counting() -> Manifest:
    (output,) = COUNTING.outputs
    return replace(COUNTING, outputs=(replace(output, disclosure="open"),))


def _tables(hub: Hub, run: runs.Run) -> dict[str, Any]:
    with hub.database.read() as session:
        result = runs.result_of_run(session, run.id)
    assert result is not None, run.message
    return result.tables


def test_an_output_called_open_is_checked_as_figures_unless_all_that_was_read_is_open(
    sqlite_hub: Hub,
) -> None:
    few = [row | {"area": "East"} if number == 0 else row for number, row in enumerate(ROWS)]
    staged = stage(sqlite_hub, FakeSandbox(_open_counting()))
    staged.sender.deliver(CONTRACT, few)
    made = _tables(staged.hub, _asked(staged.hub))["by_area"]
    assert (made["disclosure"], made["suppressed"]) == ("aggregate", 2)
    assert made["note"].startswith("Called open by the plugin")

    def all_open(document: dict[str, Any]) -> None:
        for name in ("team", "area", "fte"):
            column(document, name)["classification"] = "open"

    open_contract = variant(CONTRACT, CONTRACT.version, all_open, id="police.open_establishment")
    agreed = AGREEMENT.replace("police.establishment", open_contract.id).replace("id: planning", "id: openly")
    staged.sender.deliver(open_contract, few)
    agree(staged.hub, agreed)
    wanted = replace(COUNTING.inputs[0], contract=open_contract.id)
    manifest = replace(_open_counting(), inputs=(wanted,))
    staged.sandbox.manifests["counting"] = manifest
    running.register_plugins(staged.hub, principal_of(staged.hub, "hub", "operator"))
    made = _tables(staged.hub, _asked(staged.hub, "openly"))["by_area"]
    assert (made["disclosure"], made["suppressed"]) == ("open", 0)


def test_a_plugin_cannot_talk_itself_out_of_suppression() -> None:
    columns = (OutputColumn("area", "string", "Area"), OutputColumn("people", "integer", "How many"))
    output = Output("t", columns, "open", count_columns=("people",))
    table = pa.table({"area": ["North"], "people": [3]})
    assert check_output(table, output, 10, 5).table["people"].to_pylist() == [None]
    assert check_output(table, output, 10, 5, open_inputs=True).table["people"].to_pylist() == [3]
