"""Killed with SIGKILL at any step of deciding a delivery: nothing acknowledged is lost, nothing half-made is seen."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hub.catalogue import store as catalogue
from hub.intake import store as intake
from hub.intake.states import DeliveryState
from hub.policy.decide import whole_file
from hub.workflows import auditing, overview
from hub.workflows.hub import Hub
from hub_schemas import library
from support.hubs import principal_of
from support.sealing import Sender

CONTRACT = library.load("police.establishment")
ROWS = [
    {
        "team": f"Team {number}", "area": "North", "kind": "response", "month": "2026-01-01", "fte": "12.5",
        "contracted_hours": "160", "abstraction_rate": "0.2",
    }
    for number in range(30)
]  # fmt: skip
DRIVER = Path(__file__).resolve().parents[1] / "support" / "killed.py"


def _work(hub: Hub, last: int) -> int:
    """Run a worker that dies at step `last`; its exit status."""
    command = [sys.executable, str(DRIVER), str(hub.settings.dir), hub.settings.database_url, str(last)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def _look(hub: Hub, delivery_id: str) -> DeliveryState:
    """What must hold whenever anybody looks; returns where the delivery stands."""
    with hub.database.read() as session:
        delivery = intake.get(session, delivery_id)
        versions = {item.origin: item for item in catalogue.versions(session, delivery.dataset_id)}
        current = catalogue.dataset(session, delivery.dataset_id).current_version
        files = [hub.vault.locate(session, item.object_key, item.binding) for item in versions.values()]
    accepted = delivery.state is DeliveryState.ACCEPTED
    assert accepted or delivery.state in (DeliveryState.RECEIVED, DeliveryState.CHECKING), delivery.problem
    assert (delivery_id in versions) == accepted, "a version is there exactly when its delivery is accepted"
    assert not accepted or versions[delivery_id].id == current == delivery.version_id
    for file in files:
        table = hub.vault.read(
            file, [column.name for column in CONTRACT.columns], whole_file("test", "a test")
        )
        assert table.num_rows == len(ROWS), "every version is seen whole"
    return delivery.state


def test_a_worker_killed_at_any_step_loses_nothing_and_the_next_one_converges(hub: Hub) -> None:
    sender = Sender(hub, "police", principal_of(hub, "hub", "operator"))
    sender.publish(CONTRACT)
    bad = {**ROWS[0], "team": "Team x", "area": "Atlantis"}
    killed = 0
    # Every third step, from the first on SQLite and from the second on PostgreSQL: the rest only takes longer.
    for last in range(1 if hub.database.is_sqlite else 2, 200, 3):
        sent = sender.send(sender.pack(CONTRACT, [*ROWS, bad]))
        ended = _work(hub, last)
        _look(hub, sent.id)
        if ended != 0:
            killed += 1
            assert _work(hub, 0) == 0, "the next worker finishes"
        assert _look(hub, sent.id) is DeliveryState.ACCEPTED
        assert overview.faults(hub, sender.principal, sent.id).num_rows == 1
        assert hub.objects.list(f"incoming/{sent.id}") == []
        if ended == 0:
            break
    else:
        pytest.fail("the work has no end")
    assert killed >= 6, "the walk met many steps"
    assert auditing.verify(hub).ok
