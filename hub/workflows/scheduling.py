"""Schedules: when a plugin runs, for whom, under which agreement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.errors import Conflict, Forbidden, Invalid
from hub.identity.principal import Principal, system
from hub.policy import store as agreements
from hub.policy.roles import Permission
from hub.runs import lists as run_lists
from hub.runs import store as runs
from hub.runs.store import Run, Schedule
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.run_inputs import check_agreement
from hub.workflows.running import queue_run
from hub.workflows.scoping import agreement_seen, agreements_of_runs, changeable_schedule
from hub_sdk import FormatError, Manifest

__all__ = ["add_schedule", "all_schedules", "list_schedules", "pause", "trigger", "upcoming"]

_SCHEDULER = system("scheduler")


def add_schedule(
    hub: Hub, principal: Principal, plugin_name: str, agreement_id: str, cron: str | None,
    parameters: Mapping[str, Any], *, start_now: bool = False,
) -> Schedule:  # fmt: skip
    """Run a plugin at the times of `cron` (default: the plugin's own suggestion) for the principal's organisation.

    `start_now` lets the scheduler run it for the first time at once, and then at its times.

    Raises:
        Forbidden: when the agreement does not let the organisation run the plugin.
        Invalid: when a parameter or the times are not valid.
    """
    authorise(principal, Permission.MANAGE_RUNS)
    with hub.database.write() as session:
        plugin = runs.get_plugin(session, plugin_name)
        manifest = Manifest.from_json(plugin.manifest)
        times = cron or manifest.schedule
        try:
            manifest.values(parameters)
        except FormatError as error:
            raise Invalid(f"A parameter of {plugin_name} is not valid: {error}.") from None
        if not times:
            raise Invalid(f"{plugin_name} suggests no times; give a cron line such as '0 6 * * MON'.")
        hub.check_times(times)
        agreement = agreement_seen(session, principal, agreement_id)
        check_agreement(hub, agreement, manifest, principal.organisation, principal.roles)
        schedule = runs.add_schedule(
            session, plugin_name, agreement_id, times, parameters, principal.reference, principal.organisation,
            start_now=start_now,
        )  # fmt: skip
        note(
            session, principal, "schedule.set", schedule.id, agreement=agreement_id,
            detail={"plugin": plugin_name, "cron": times},
        )  # fmt: skip
    return schedule


def pause(hub: Hub, principal: Principal, schedule_id: str, *, enabled: bool) -> Schedule:
    """Pause a schedule, or let it go on: one of the principal's own organisation.

    Raises:
        NotFound: when it is not there for this principal.
        Forbidden: when it is another organisation's, or is to go on and its agreement does not allow that any more.
    """
    authorise(principal, Permission.MANAGE_RUNS)
    with hub.database.write() as session:
        found = changeable_schedule(session, principal, schedule_id)
        if enabled:
            manifest = Manifest.from_json(runs.get_plugin(session, found.plugin).manifest)
            check_agreement(hub, agreements.get(session, found.agreement_id), manifest, found.organisation)
        schedule = runs.set_schedule(session, schedule_id, enabled=enabled)
        note(session, principal, "schedule.resumed" if enabled else "schedule.paused", schedule_id)
    return schedule


def list_schedules(hub: Hub, principal: Principal) -> list[Schedule]:
    """The schedules that the principal sees, oldest first."""
    authorise(principal, Permission.READ_RUNS)
    with hub.database.read() as session:
        return run_lists.schedules(session, under=agreements_of_runs(session, principal))


def all_schedules(hub: Hub) -> list[Schedule]:
    """All schedules, for the scheduler itself."""
    with hub.database.read() as session:
        return run_lists.schedules(session, under=None)


def upcoming(hub: Hub, principal: Principal) -> list[tuple[Schedule, datetime | None]]:
    """The schedules that the principal sees, each with when it is due next, soonest first; None for paused ones."""
    authorise(principal, Permission.READ_RUNS)
    now = hub.clock()
    found = [
        (item, hub.next_time(item.cron, now) if item.enabled else None)
        for item in list_schedules(hub, principal)
    ]
    return sorted(found, key=lambda pair: (pair[1] is None, pair[1] or now))


def trigger(hub: Hub, schedule_id: str) -> Run | None:
    """A schedule is due: queue its run. None when it is paused or its agreement no longer allows it (that is noted)."""
    with hub.database.read() as session:
        schedule = runs.get_schedule(session, schedule_id)
    if not schedule.enabled:
        return None
    try:
        return queue_run(
            hub, _SCHEDULER, schedule.plugin, schedule.agreement_id, schedule.organisation, schedule.parameters,
            schedule_id=schedule.id,
        )  # fmt: skip
    except (Conflict, Forbidden, Invalid) as error:
        reason = error.detail
    with hub.database.write() as session:
        note(session, _SCHEDULER, "schedule.not-run", schedule_id, detail={"why": reason})
    return None
