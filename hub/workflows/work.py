"""What a worker does, again and again: the hub's main line in the order in which data climbs."""

from __future__ import annotations

import structlog

from hub.intake import store as intake
from hub.runs import store as runs
from hub.storage.leases import hold, let_go
from hub.workflows import (
    auditing,
    deciding,
    ending,
    linking,
    machines,
    rights_tidying,
    running,
    shredding,
    signing_in,
)
from hub.workflows.hub import Hub

__all__ = ["LEASE_SECONDS", "drain", "lead", "resign", "take_back", "tidy", "work_once"]

_LEADER = "worker"
#: For so long a leader leads without renewing its lease.
LEASE_SECONDS = 15.0


def work_once(hub: Hub) -> bool:
    """Decide a delivery, or link people, or carry out a run; then seal the audit log. False when idle."""
    busy = deciding.decide_next(hub) or linking.link_if_needed(hub) or running.run_next(hub)
    signing_in.note_refusals(hub)
    auditing.seal_log(hub)
    return busy


def drain(hub: Hub) -> int:
    """Work until nothing waits; returns how many pieces of work were done."""
    done = 0
    while work_once(hub):
        done += 1
    return done


def take_back(hub: Hub, *, survived: bool = False) -> int:
    """At the start of the only worker: give back what a killed one had claimed, tidy up after it.

    Also when a worker `survived` an error in which it could not even write down what became of its work.
    """
    with hub.database.write() as session:
        count = intake.release_stale(session, all_of_them=True, survived=survived)
        count += runs.release_stale(session, all_of_them=True)
    deciding.clear_incoming(hub)
    if count:
        structlog.get_logger().warning("worker.took-back", pieces=count)
    return count


def tidy(hub: Hub) -> None:
    """Once in a while: give up what nobody will finish, end what is over."""
    deciding.give_up_uploads(hub)
    deciding.sweep(hub)
    ending.expire_agreements(hub)
    shredding.tidy(hub)
    auditing.thin_log(hub)
    signing_in.tidy(hub)
    machines.settle_refusals(hub)
    rights_tidying.tidy(hub)


def lead(hub: Hub, holder: str) -> bool:
    """Become or stay the one worker and scheduler of this hub; False while another process is.

    Raises:
        HubError: when the database does not answer; who leads does so until the lease has run out (`LEASE_SECONDS`).
    """
    return hold(hub.database, _LEADER, holder, LEASE_SECONDS)


def resign(hub: Hub, holder: str) -> None:
    """Let another process lead at once."""
    let_go(hub.database, _LEADER, holder)
