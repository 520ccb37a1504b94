"""What a worker does, again and again: the hub's main line in the order in which data climbs."""

from __future__ import annotations

import structlog

from hub.errors import HubError
from hub.intake import store as intake
from hub.runs import store as runs
from hub.storage.leases import hold, let_go
from hub.workflows import auditing, linking, publish, running
from hub.workflows.hub import Hub

__all__ = ["drain", "lead", "resign", "take_back", "work_once"]

_LEADER = "worker"
_LEASE_SECONDS = 15.0


def work_once(hub: Hub) -> bool:
    """Decide a delivery, or link people, or carry out a run; then seal the audit log. False when idle."""
    busy = publish.decide_next(hub) or linking.link_if_needed(hub) or running.run_next(hub)
    auditing.seal_log(hub)
    return busy


def drain(hub: Hub) -> int:
    """Work until nothing waits; returns how many pieces of work were done."""
    done = 0
    while work_once(hub):
        done += 1
    return done


def take_back(hub: Hub) -> int:
    """At the start of the only worker: give back what a killed one had claimed, tidy up after it."""
    with hub.database.write() as session:
        count = intake.release_stale(session, all_of_them=True) + runs.release_stale(
            session, all_of_them=True
        )
    publish.clear_incoming(hub)
    if count:
        structlog.get_logger().warning("worker.took-back", pieces=count)
    return count


def lead(hub: Hub, holder: str) -> bool:
    """Become or stay the one worker and scheduler of this hub; False while another process is."""
    try:
        return hold(hub.database, _LEADER, holder, _LEASE_SECONDS)
    except HubError:
        return False


def resign(hub: Hub, holder: str) -> None:
    """Let another process lead at once."""
    let_go(hub.database, _LEADER, holder)
