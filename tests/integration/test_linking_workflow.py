"""Linking as the worker does it: under an agreement only, carried over, and never in the way of other work."""

from typing import Any

import pytest

from hub.audit import log as audit
from hub.intake.states import DeliveryState
from hub.workflows import agreeing, linking, work
from hub.workflows.hub import Hub
from hub_schemas import library
from support.agreements import put_in_force
from support.hubs import principal_of
from support.sealing import Sender

CONTRACT = library.load("housing.tenancies")
AGREEMENT = """
id: link-people
title: Linking
purpose: Link people
legal_power: a power
objective: an objective
public_benefit: a benefit
lawful_basis: 6(1)(e)
controllers: [council]
organisations: [hub]
operations: [link]
datasets:
  - contract: housing.tenancies
    publishers: [housing]
    columns: [tenancy_id, person_number, forename, surname, date_of_birth, uprn, postcode, start_date]
start: 2026-01-01
end: 2099-12-31
retention_days: 30
contact: dpo
"""


def _tenancy(number: int, forename: str) -> dict[str, str]:
    return {
        "tenancy_id": f"T{number:05}", "person_number": "1", "forename": forename, "surname": "Quillfeather",
        "date_of_birth": f"19{60 + number}-03-04", "uprn": f"{990000000000 + number}", "address": "1 High Street",
        "postcode": "ZX1 1AA", "tenure": "council", "weekly_rent": "100.00", "arrears": "0.00",
        "notice_served": "false", "start_date": "2020-01-01",
    }  # fmt: skip


ROWS = [_tenancy(number, forename) for number, forename in enumerate(["Ada", "Ben", "Cleo", "Dan"])]


@pytest.fixture
def sender(hub: Hub) -> Sender:
    """A connector of the housing department, with one accepted delivery."""
    made = Sender(hub, "housing", principal_of(hub, "hub", "operator"))
    assert made.deliver(CONTRACT, ROWS).state is DeliveryState.ACCEPTED
    return made


def _agree(hub: Hub) -> None:
    put_in_force(hub, AGREEMENT)


def _actions(hub: Hub) -> list[str]:
    with hub.database.read() as session:
        return [entry.action for entry in audit.recent(session, limit=500)]


def test_without_an_agreement_nobody_is_linked(hub: Hub, sender: Sender) -> None:
    assert not linking.link_if_needed(hub)
    assert linking.linked_state(hub) is None
    _agree(hub)
    assert linking.link_if_needed(hub)
    assert not linking.link_if_needed(hub), "nothing is new"
    state = linking.linked_state(hub)
    assert state is not None
    assert (state["people"], state["rows"], state["datasets"]) == (4, 4, 1)


def test_a_new_version_is_linked_and_withdrawing_the_agreement_ends_it(hub: Hub, sender: Sender) -> None:
    _agree(hub)
    work.drain(hub)
    sender.deliver(CONTRACT, [*ROWS, _tenancy(7, "Eve")])
    work.drain(hub)
    state = linking.linked_state(hub)
    assert state is not None
    assert (state["number"], state["people"]) == (2, 5)
    agreeing.change(hub, principal_of(hub, "hub", "data steward", name="first"), "link-people", "withdraw")
    sender.deliver(CONTRACT, ROWS[:2])
    assert not linking.link_if_needed(hub)


def test_a_linkage_that_breaks_is_noted_once_and_keeps_nothing_else_from_work(
    hub: Hub, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise MemoryError("Quillfeather")

    _agree(hub)
    monkeypatch.setattr(linking, "link_now", broken)
    for _ in range(3):
        assert not linking.link_if_needed(hub)
    assert _actions(hub).count("people.not-linked") == 1
    assert sender.deliver(CONTRACT, ROWS[:3]).state is DeliveryState.ACCEPTED
    with hub.database.read() as session:
        assert "Quillfeather" not in str([entry.content for entry in audit.recent(session, limit=500)])


def test_a_delivery_without_rows_does_not_stop_the_linking_of_the_others(hub: Hub, sender: Sender) -> None:
    schools = Sender(hub, "schools", principal_of(hub, "hub", "operator"))
    contract = library.load("health.registrations")
    put_in_force(
        hub,
        AGREEMENT.replace("id: link-people", "id: link-health").replace(
            AGREEMENT[AGREEMENT.index("  - contract") : AGREEMENT.index("start: ")],
            "  - contract: health.registrations\n    publishers: [schools]\n"
            "    columns: [local_id, forename, surname, date_of_birth]\n",
        ),
    )
    schools.publish(contract)
    schools.send(schools.pack(contract, []))
    _agree(hub)
    work.drain(hub)
    state = linking.linked_state(hub)
    assert state is not None
    assert state["people"] == 4
