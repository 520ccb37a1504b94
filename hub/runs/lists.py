"""Lists of runs, results and schedules, narrowed in the query to the agreements that somebody may see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from hub.runs.states import ResultState
from hub.runs.store import Result, Run, Schedule, result_of, run_of, schedule_of
from hub.runs.tables import ResultRow, RunRow, ScheduleRow

__all__ = ["makers", "results", "runs", "schedules"]


def runs(
    session: Session, *, under: Collection[str] | None, limit: int = 50, before: str | None = None,
    plugin: str | None = None,
) -> list[tuple[Run, Result | None]]:  # fmt: skip
    """Runs with their results, newest first, from the one before `before`; under these agreements, None for all."""
    query = (
        select(RunRow, ResultRow)
        .outerjoin(ResultRow, ResultRow.run_id == RunRow.id)
        .order_by(RunRow.id.desc())
        .limit(limit)
    )
    if under is not None:
        query = query.where(RunRow.agreement_id.in_(sorted(under)))
    if before is not None:
        query = query.where(RunRow.id < before)
    if plugin is not None:
        query = query.where(RunRow.plugin == plugin)
    found: Any = session.execute(query)  # a run without a result has None beside it
    return [(run_of(run), None if result is None else result_of(result)) for run, result in found]


def results(
    session: Session, *, kept: Mapping[str, datetime], held: Collection[str], author: str,
    state: ResultState | None = None, limit: int = 50, before: str | None = None,
) -> list[tuple[Run, Result]]:  # fmt: skip
    """Results with their runs, newest first, from the one before `before`.

    Released ones under the agreements in `kept`, when they were made since the moment there; others under those in
    `held`, but for those that `author` asked for or scheduled. In one `state` if it is named.
    """
    released = ResultRow.state == ResultState.RELEASED
    query = (
        select(RunRow, ResultRow)
        .join(ResultRow, ResultRow.run_id == RunRow.id)
        .outerjoin(ScheduleRow, ScheduleRow.id == RunRow.schedule_id)
        .where(
            or_(
                and_(released, or_(false(), *_since(kept))),
                and_(~released, RunRow.agreement_id.in_(sorted(held)), ~_made_by(author)),
            )
        )
        .order_by(ResultRow.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(ResultRow.state == state)
    if before is not None:
        query = query.where(ResultRow.id < before)
    return [(run_of(run), result_of(result)) for run, result in session.execute(query)]


def _made_by(author: str) -> ColumnElement[bool]:
    """Whether a run is somebody's own work: they asked for it, or made the schedule it came from."""
    return or_(RunRow.requested_by == author, func.coalesce(ScheduleRow.created_by, "") == author)


def _since(kept: Mapping[str, datetime]) -> list[ColumnElement[bool]]:
    """A condition for each moment: agreements share few different retentions."""
    groups: dict[datetime, list[str]] = {}
    for agreement_id, moment in kept.items():
        groups.setdefault(moment, []).append(agreement_id)
    return [
        and_(RunRow.agreement_id.in_(sorted(ids)), ResultRow.created_at >= moment)
        for moment, ids in groups.items()
    ]


def schedules(session: Session, *, under: Collection[str] | None) -> list[Schedule]:
    """Schedules, oldest first; under these agreements, None for all."""
    query = select(ScheduleRow).order_by(ScheduleRow.id)
    if under is not None:
        query = query.where(ScheduleRow.agreement_id.in_(sorted(under)))
    return [schedule_of(row) for row in session.scalars(query)]


def makers(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Who made some schedules, by the schedules' ids."""
    query = select(ScheduleRow.id, ScheduleRow.created_by).where(ScheduleRow.id.in_(sorted(ids)))
    return {row.id: row.created_by for row in session.execute(query)}
