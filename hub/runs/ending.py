"""What ends with an agreement: its schedules pause, and what runs under it or waits for release stops."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.runs.states import ResultState, RunState
from hub.runs.store import decide_result, finish_run
from hub.runs.tables import ResultRow, RunRow, ScheduleRow

__all__ = ["Ended", "end_under"]


@dataclass(frozen=True)
class Ended:
    """Ids of what was stopped."""

    schedules: tuple[str, ...]
    runs: tuple[str, ...]
    held: tuple[str, ...]


def end_under(session: Session, agreement_id: str, *, message: str, by: str, note: str) -> Ended:
    """Pause the schedules of an agreement, cancel its runs that wait or run, and reject its results that are held.

    `message` is what schedules and runs say; `note` is the sealed reason that a result is given.
    """
    schedules = session.scalars(
        select(ScheduleRow).where(ScheduleRow.agreement_id == agreement_id, ScheduleRow.enabled.is_(True))
    ).all()
    for schedule in schedules:
        schedule.enabled, schedule.paused_because = False, message
    runs = session.scalars(
        select(RunRow.id).where(
            RunRow.agreement_id == agreement_id, RunRow.state.in_([RunState.QUEUED, RunState.RUNNING])
        )
    ).all()
    for run_id in runs:
        finish_run(session, run_id, "cancel", message=message)
    held = session.scalars(
        select(ResultRow.id)
        .join(RunRow, RunRow.id == ResultRow.run_id)
        .where(RunRow.agreement_id == agreement_id, ResultRow.state == ResultState.HELD)
    ).all()
    for result_id in held:
        decide_result(session, result_id, "reject", by, note)
    session.flush()
    return Ended(tuple(item.id for item in schedules), tuple(runs), tuple(held))
