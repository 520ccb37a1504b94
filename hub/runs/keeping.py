"""How long runs and their results are kept, and which of them came from given versions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from hub.runs.states import ResultState, RunState
from hub.runs.store import Result, Run, decide_result, finish_run, get_result, get_run
from hub.runs.tables import ResultRow, RunRow

__all__ = ["all_results", "close_result", "forget_logs", "made_before", "runs_that_read", "stop_runs"]


def runs_that_read(session: Session, version_ids: Iterable[str]) -> list[tuple[Run, Result | None]]:
    """Runs that read one of these versions, with what they made, oldest first."""
    wanted = set(version_ids)
    query = select(RunRow.id, RunRow.inputs).where(RunRow.inputs.is_not(None)).order_by(RunRow.id)
    found = []
    for run_id, inputs in session.execute(query):
        if wanted & {version for ids in json.loads(inputs).values() for version in ids}:
            made = session.scalars(select(ResultRow.id).where(ResultRow.run_id == run_id)).first()
            found.append((get_run(session, run_id), get_result(session, made) if made else None))
    return found


def made_before(session: Session, agreement_id: str, moment: datetime) -> list[tuple[str, str | None]]:
    """Runs under an agreement that ended before a moment, each with the result it made: their ids, oldest first."""
    query = (
        select(RunRow.id, ResultRow.id)
        .outerjoin(ResultRow, ResultRow.run_id == RunRow.id)
        .where(
            RunRow.agreement_id == agreement_id,
            func.coalesce(ResultRow.created_at, RunRow.finished_at) < moment,
        )
        .order_by(RunRow.id)
    )
    return [(run_id, result_id) for run_id, result_id in session.execute(query)]


def all_results(session: Session) -> list[Result]:
    """Every result, oldest first."""
    return [
        get_result(session, result_id)
        for result_id in session.scalars(select(ResultRow.id).order_by(ResultRow.id))
    ]


def close_result(session: Session, result: Result, by: str, note: str) -> None:
    """Take a result whose keys are destroyed out of use: nobody finds it as released or waiting any more."""
    event = {ResultState.HELD: "reject", ResultState.RELEASED: "withdraw"}.get(result.state)
    if event is not None:
        decide_result(session, result.id, event, by, note)


def stop_runs(session: Session, runs: Iterable[Run], message: str) -> list[str]:
    """Cancel those of some runs that are under way: what they have read must not become a result."""
    stopped = [run.id for run in runs if run.state is RunState.RUNNING]
    for run_id in stopped:
        finish_run(session, run_id, "cancel", message=message)
    return stopped


def forget_logs(session: Session, runs: Iterable[str]) -> None:
    """Remove the logs of some runs: they may hold what the plugin read."""
    ids = sorted(runs)
    for start in range(0, len(ids), 500):
        session.execute(update(RunRow).where(RunRow.id.in_(ids[start : start + 500])).values(log=""))
