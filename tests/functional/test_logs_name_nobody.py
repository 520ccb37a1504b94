"""A whole delivery and everything around it, with people in it who may stand in no log line."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from hub.app import create_app
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import library
from support.callers import client_of
from support.hubs import principal_of, signed_in
from support.logs import logged
from support.sealing import Sender
from support.staged import FakeSandbox

CONTRACT = library.load("housing.tenancies")
PERSON = {
    "tenancy_id": "T-CANARY-1",
    "person_number": "1",
    "forename": "Ermintrude",
    "surname": "Canaryfeather",
    "date_of_birth": "1948-06-05",
    "uprn": "100012345678",
    "address": "14 Canary Row",
    "postcode": "LS1 4AP",
    "tenure": "council",
    "weekly_rent": "123.45",
    "arrears": "6789.01",
    "notice_served": "true",
    "start_date": "2001-02-03",
}
AT_FAULT = PERSON | {
    "person_number": "2",
    "forename": "Zebediah",
    "date_of_birth": "not 5 June 1948",
    "postcode": "CANARYCODE",
}
PASSWORD = "canary-in-a-coal-mine"
CANARIES = [
    "CANARY",
    "Ermintrude",
    "Canaryfeather",
    "1948-06-05",
    "5 June 1948",
    "100012345678",
    "LS1 4AP",
    "6789.01",
    "Zebediah",
    PASSWORD,
    "coal",
    "Wilhelmina",
    "visit of the canary",
]


def test_no_line_of_a_whole_delivery_names_anybody(sqlite_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with logged("debug", libraries=logging.INFO) as stream:
        _everything(sqlite_hub, monkeypatch)
    written = stream.getvalue()
    _assert_structured([json.loads(line) for line in written.splitlines()])
    for canary in CANARIES:
        assert canary.lower() not in written.lower(), canary


def _everything(sqlite_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = replace(sqlite_hub, sandbox=FakeSandbox)  # type: ignore[arg-type]
    api = create_app(hub.settings, hub).test_client()
    operator = principal_of(hub, "hub", "operator")
    sender = Sender(hub, "housing", operator)
    sender.publish(CONTRACT)
    sent = sender.send(
        sender.pack(CONTRACT, [PERSON, AT_FAULT, *[PERSON | {"person_number": str(n)} for n in range(3, 30)]])
    )
    drain(hub)
    headers = client_of(hub, "housing", "connector", "operator").headers() | {
        "X-Request-ID": "a-whole-delivery"
    }
    delivery = api.get(f"/api/v1/deliveries/{sent.id}", headers=headers).get_json()
    assert (delivery["state"], delivery["rows"]["refused"]) == ("accepted", 1), delivery
    faults = api.get(f"/api/v1/deliveries/{sent.id}/faults", headers=headers).get_json()["items"]
    assert {fault["column"] for fault in faults} == {"date_of_birth", "postcode"}
    assert api.get(f"/api/v1/deliveries/{sent.id}/faults.csv", headers=headers).status_code == 200
    new = {
        "username": "wilhelmina",
        "name": "Wilhelmina",
        "organisation": "housing",
        "roles": ["analyst"],
        "password": PASSWORD,
    }
    assert api.post("/api/v1/users", json=new, headers=headers).status_code == 201
    signed_in(hub, "wilhelmina", PASSWORD)
    for address in (
        "/api/v1/runs/Ermintrude",
        "/Canaryfeather?q=LS1+4AP",
        "/api/v1/datasets?cursor=Ermintrude",
    ):
        api.get(
            address,
            headers=headers | {"Referer": "http://hub.test/?Ermintrude", "User-Agent": "Canaryfeather"},
        )
    api.post("/api/v1/users", data=json.dumps(new)[:-5], headers=headers, content_type="application/json")
    _break_on_purpose(api, headers, monkeypatch)


def _break_on_purpose(api: Any, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the middle of personal data, as a bug would make it."""

    def broken(*_: Any, **__: Any) -> None:
        raise ValueError(f"cannot read {PERSON}")

    monkeypatch.setattr("hub.workflows.overview.deliveries", broken)
    answer = api.get("/api/v1/deliveries", headers=headers)
    assert answer.status_code == 500
    assert "Ermintrude" not in answer.get_data(as_text=True)


def _assert_structured(lines: list[dict[str, Any]]) -> None:
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == 9
    for line in requests:
        assert {"timestamp", "level", "method", "rule", "status", "ms", "principal", "request_id"} <= set(
            line
        )
        assert line["request_id"] == "a-whole-delivery"
    assert "(no such address)" in {line["rule"] for line in requests}
    decided = next(line for line in lines if line["event"] == "delivery.decided")
    assert decided["delivery"] and decided["version"]
    broke = next(line for line in lines if line["event"] == "request.broke")
    assert broke["error"] == "ValueError" and broke["request_id"] == "a-whole-delivery"


def test_health_checks_fill_no_log(sqlite_hub: Hub) -> None:
    api = create_app(sqlite_hub.settings, sqlite_hub).test_client()
    with logged("debug") as stream:
        for path in ("/healthz", "/readyz", "/metrics", "/api/v1/hub"):
            assert api.get(path).status_code == 200
    assert [json.loads(line)["rule"] for line in stream.getvalue().splitlines()] == ["/api/v1/hub"]
