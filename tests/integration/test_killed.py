"""Killed with SIGKILL at every step of deciding a delivery: nothing acknowledged is lost, nothing half-made is seen."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hub.catalogue import store as catalogue
from hub.intake import store as intake
from hub.intake.states import DeliveryState
from hub.intake.store import Delivery
from hub.policy.decide import whole_file
from hub.workflows import auditing, deciding, overview, work
from hub.workflows.hub import Hub
from hub_schemas import library
from support.hubs import principal_of
from support.killed import Workers
from support.sealing import Sender

CONTRACT = library.load("police.establishment")
ROWS = [
    {
        "team": f"Team {number}", "area": "North", "kind": "response", "month": "2026-01-01", "fte": "12.5",
        "contracted_hours": "160", "abstraction_rate": "0.2",
    }
    for number in range(30)
]  # fmt: skip
BAD = {**ROWS[0], "team": "Team x", "area": "Atlantis"}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Where workers come from."""
    with Workers() as made:
        yield made


def _get(hub: Hub, delivery_id: str) -> Delivery:
    with hub.database.read() as session:
        return intake.get(session, delivery_id)


def _look(hub: Hub, delivery_id: str) -> DeliveryState:
    """What must hold whenever anybody looks; returns where the delivery stands."""
    with hub.database.read() as session:
        delivery = intake.get(session, delivery_id)
        versions = {item.origin: item for item in catalogue.versions(session, delivery.dataset_id)}
        current = catalogue.dataset(session, delivery.dataset_id).current_version
        newest = max(versions.values(), key=lambda item: item.number, default=None)
        file = hub.vault.locate(session, newest.object_key, newest.binding) if newest else None
    accepted = delivery.state is DeliveryState.ACCEPTED
    assert accepted or delivery.state in (DeliveryState.RECEIVED, DeliveryState.CHECKING), delivery.problem
    assert (delivery_id in versions) == accepted, "a version is there exactly when its delivery is accepted"
    assert not accepted or versions[delivery_id].id == current == delivery.version_id
    if newest is not None and file is not None:
        names = [column.name for column in CONTRACT.columns]
        assert hub.vault.read(file, names, whole_file("test", "a test")).num_rows == newest.rows
    return delivery.state


def _walk(hub: Hub, workers: Workers, send: Any, check: Any) -> int:
    """Deliver again and again, killing the worker one step later each time; returns how often it was killed."""
    for last in range(1, 200):
        sent = send()
        ended = workers.work(hub.settings.dir, hub.settings.database_url, last)
        assert ended in (0, -signal.SIGKILL)
        _look(hub, sent.id)
        if ended != 0:  # the next worker, in this process, finishes
            work.take_back(hub)
            work.drain(hub)
        assert _look(hub, sent.id) is DeliveryState.ACCEPTED
        assert hub.objects.list(f"incoming/{sent.id}") == []
        check(sent)
        if ended == 0:
            return last - 1
    pytest.fail("the work has no end")


def test_a_worker_killed_at_any_step_loses_nothing_and_the_next_one_converges(
    hub: Hub, workers: Workers
) -> None:
    sender = Sender(hub, "police", principal_of(hub, "hub", "operator"))
    sender.publish(CONTRACT)

    def check(sent: Delivery) -> None:
        assert overview.faults(hub, sender.principal, sent.id).num_rows == 1

    killed = _walk(hub, workers, lambda: sender.send(sender.pack(CONTRACT, [*ROWS, BAD])), check)
    assert killed >= 20, "the walk met many steps"
    assert auditing.verify(hub).ok


def test_a_change_and_a_replay_killed_at_any_step_count_once(hub: Hub, workers: Workers) -> None:
    sender = Sender(hub, "police", principal_of(hub, "hub", "operator"))
    rows = [{**ROWS[0], "team": f"Bad {number}", "area": "Atlantis"} for number in range(1, 100)]
    first = sender.deliver(CONTRACT, [{**ROWS[0], "team": f"Good {number}"} for number in range(1000)] + rows)
    assert first.refused == 99
    place = iter(range(1, 100))

    def send() -> Delivery:
        number = next(place)
        mended = {**ROWS[0], "team": f"Bad {number}"}
        parcel = sender.pack(CONTRACT, [mended], mode="append", replays=first.id, numbers=[1000 + number])
        return sender.send(parcel)

    def check(sent: Delivery) -> None:
        now, decided = _get(hub, first.id), _get(hub, sent.id)
        assert now.accepted + now.refused + now.replayed == now.sent == 1099
        assert decided.effect is not None
        assert decided.effect["after"] == 1000 + now.replayed, "each row once, however often it was begun"

    killed = _walk(hub, workers, send, check)
    assert killed >= 15, "the walk met many steps"
    assert deciding.sweep(hub, timedelta(0)) > 0, (
        "some were killed between writing a version and recording it"
    )
    assert hub.objects.list("versions") == sorted(
        f"versions/{version}/rows.parquet" for version in _versions(hub, first)[1:]
    ), "no half-made version is left behind"


def _versions(hub: Hub, delivery: Delivery) -> list[str]:
    with hub.database.read() as session:
        return [item.id for item in reversed(catalogue.versions(session, delivery.dataset_id, limit=1000))]
