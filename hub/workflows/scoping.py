"""Whose things a principal sees, as conditions that a query can be narrowed by: lists stay whole under paging.

`hub.policy.scope` has the rules. Agreements are few and looked at one by one; runs, schedules and results are many and
found by the ids of the agreements they belong to, so the number of queries does not grow with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from hub.errors import Forbidden, NotFound
from hub.policy import scope
from hub.policy import store as agreements
from hub.policy.roles import Permission
from hub.runs import store as runs
from hub.runs.states import ResultState
from hub.workflows.hub import holds, today

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from hub.identity.principal import Principal
    from hub.policy.agreement import Agreement
    from hub.runs.store import Result, Run, Schedule
    from hub.workflows.hub import Hub

__all__ = [
    "agreement_seen", "agreements_of_runs", "agreements_seen", "changeable_run", "changeable_schedule", "held_under",
    "kept_since", "result_seen", "run_seen",
]  # fmt: skip


def agreements_seen(session: Session, principal: Principal) -> list[Agreement]:
    """The agreements that a principal sees, by id."""
    return [item for item in agreements.list_all(session) if scope.may_see_agreement(principal, item)]


def agreement_seen(session: Session, principal: Principal, agreement_id: str) -> Agreement:
    """One agreement.

    Raises:
        NotFound: when there is none that this principal may see.
    """
    agreement = agreements.get(session, agreement_id)
    if not scope.may_see_agreement(principal, agreement):
        raise NotFound(f"There is no agreement {agreement_id}.")
    return agreement


def agreements_of_runs(session: Session, principal: Principal) -> list[str] | None:
    """The agreements whose runs and schedules a principal sees; None for those who see all."""
    if scope.whole_hub(principal, Permission.READ_RUNS):
        return None
    return [item.id for item in agreements.list_all(session) if scope.may_see_run(principal, "", item)]


def kept_since(hub: Hub, session: Session, principal: Principal) -> dict[str, datetime]:
    """The agreements whose released results a principal sees, each with the moment since when results are kept."""
    now, on = hub.clock(), today(hub)
    return {
        item.id: since
        for item in agreements.list_all(session)
        if scope.may_see_result(principal, item, released=True)
        and (since := scope.kept_since(item, now, on)) is not None
    }


def held_under(session: Session, principal: Principal) -> list[str]:
    """The agreements whose results that are not released a principal sees, to decide about them."""
    if not holds(principal, Permission.REVIEW_RESULTS):
        return []
    return [item.id for item in agreements.list_all(session) if scope.may_check(principal, item)]


def run_seen(session: Session, principal: Principal, run_id: str) -> Run:
    """One run.

    Raises:
        NotFound: when there is none that this principal may see.
    """
    run = runs.get_run(session, run_id)
    if not scope.may_see_run(principal, run.organisation, agreements.get(session, run.agreement_id)):
        raise NotFound(f"There is no run {run_id}.")
    return run


def changeable_run(session: Session, principal: Principal, run_id: str) -> Run:
    """A run that this principal may cancel: one for their own organisation.

    Raises:
        NotFound: when there is none that this principal may see.
        Forbidden: when it is for another organisation.
    """
    run = run_seen(session, principal, run_id)
    _own(principal, run.organisation, "run")
    return run


def changeable_schedule(session: Session, principal: Principal, schedule_id: str) -> Schedule:
    """A schedule that this principal may change: one of their own organisation.

    Raises:
        NotFound: when there is none that this principal may see.
        Forbidden: when it is for another organisation.
    """
    schedule = runs.get_schedule(session, schedule_id)
    if not scope.may_see_run(
        principal, schedule.organisation, agreements.get(session, schedule.agreement_id)
    ):
        raise NotFound(f"There is no schedule {schedule_id}.")
    _own(principal, schedule.organisation, "schedule")
    return schedule


def _own(principal: Principal, organisation: str, what: str) -> None:
    if not scope.may_act_for(principal, organisation, Permission.MANAGE_RUNS):
        raise Forbidden(
            f"This {what} is for another organisation, so somebody there or at the hub does that."
        )


def result_seen(
    hub: Hub, session: Session, principal: Principal, result_id: str, *, only: Sequence[ResultState] = ()
) -> tuple[Result, Run, Agreement]:
    """One result, with its run and agreement; with `only` in one of these states.

    Raises:
        NotFound: when there is none that this principal may see.
    """
    result = runs.get_result(session, result_id)
    run = runs.get_run(session, result.run_id)
    agreement = agreements.get(session, run.agreement_id)
    released = result.state is ResultState.RELEASED
    seen = scope.may_see_result(principal, agreement, released=released)
    if not released and not holds(principal, Permission.REVIEW_RESULTS):
        seen = False
    since = scope.kept_since(agreement, hub.clock(), today(hub)) if released else None
    if released and (since is None or result.created_at < since):
        seen = False
    if not seen or (only and result.state not in only):
        raise NotFound(f"There is no result {result_id}.")
    return result, run, agreement
