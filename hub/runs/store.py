"""Keeping plugins, schedules, runs and results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hub.errors import NotFound
from hub.runs.states import ResultState, RunState, move_result, move_run
from hub.runs.tables import PluginRow, ResultRow, RunRow, ScheduleRow
from hub.storage.database import utc_now
from hub.storage.ids import new_id

__all__ = [
    "Plugin", "Result", "Run", "Schedule", "add_result", "add_run", "add_schedule", "claim_next", "decide_result",
    "finish_run", "get_plugin", "get_result", "get_run", "get_schedule", "latest_released", "list_plugins",
    "note_progress", "put_plugin", "release_stale", "result_of", "result_of_run", "run_of", "schedule_of",
    "set_schedule", "start_inputs", "waiting",
]  # fmt: skip


#: So often a run may break off the worker that carries it out.
MOST_ATTEMPTS = 5


@dataclass(frozen=True)
class Plugin:
    """A plugin that was registered; `manifest` is the SDK's JSON form."""

    name: str
    version: str
    distribution: str
    digest: str
    manifest: dict[str, Any]
    enabled: bool
    registered_at: datetime


@dataclass(frozen=True)
class Schedule:
    """When a plugin runs; `organisation` is the slug of the one it runs for, `first_at` an extra first run.

    `paused_because` says why the hub paused it; empty where a person did.
    """

    id: str
    plugin: str
    agreement_id: str
    cron: str
    parameters: dict[str, Any]
    enabled: bool
    created_by: str
    organisation: str
    created_at: datetime
    first_at: datetime | None
    paused_because: str = ""


@dataclass(frozen=True)
class Run:
    """A run with everything that decides its outcome: plugin digest, parameters, seed, day, input versions."""

    id: str
    schedule_id: str | None
    plugin: str
    plugin_version: str
    plugin_digest: str
    agreement_id: str
    organisation: str
    requested_by: str
    state: RunState
    parameters: dict[str, Any]
    seed: int
    as_at: date
    inputs: dict[str, list[str]]
    isolation: str | None
    message: str | None
    log: str
    progress: float
    seconds: float | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class Result:
    """A run's result; `tables` maps each name to object, rows, disclosure class and what checking did."""

    id: str
    run_id: str
    state: ResultState
    tables: dict[str, dict[str, Any]]
    report: str
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str | None

    @property
    def owner(self) -> str:
        """The owner of its files in the vault."""
        return self.id

    def binding(self, part: str) -> str:
        """What one of its files is bound to."""
        return f"result={self.id};run={self.run_id};{part}"


def put_plugin(session: Session, plugin: Plugin) -> None:
    """Register a plugin, or note its new version."""
    values = plugin.__dict__ | {"manifest": json.dumps(plugin.manifest)}
    session.merge(PluginRow(**values))
    session.flush()


def get_plugin(session: Session, name: str) -> Plugin:
    """One plugin.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(PluginRow, name)
    if row is None:
        raise NotFound(f"There is no plugin {name!r}; `hub plugins list` shows those there are.")
    return _plugin(row)


def list_plugins(session: Session) -> list[Plugin]:
    """All plugins by name."""
    return [_plugin(row) for row in session.scalars(select(PluginRow).order_by(PluginRow.name))]


def add_schedule(
    session: Session, plugin: str, agreement_id: str, cron: str, parameters: Mapping[str, Any], by: str,
    organisation: str, *, start_now: bool = False,
) -> Schedule:  # fmt: skip
    """Make a schedule; the same plugin, agreement, organisation and parameters again change its times."""
    text = json.dumps(dict(parameters), sort_keys=True)
    query = select(ScheduleRow).where(
        ScheduleRow.plugin == plugin, ScheduleRow.agreement_id == agreement_id,
        ScheduleRow.organisation == organisation, ScheduleRow.parameters == text,
    )  # fmt: skip
    row = session.scalars(query).first()
    if row is None:
        row = ScheduleRow(
            id=new_id("sch"), plugin=plugin, agreement_id=agreement_id, cron=cron, parameters=text, enabled=True,
            created_by=by, organisation=organisation, created_at=utc_now(), first_at=None,
        )  # fmt: skip
        session.add(row)
    row.cron, row.enabled, row.first_at = cron, True, utc_now() if start_now else None
    row.paused_because = None
    session.flush()
    return schedule_of(row)


def get_schedule(session: Session, schedule_id: str) -> Schedule:
    """One schedule.

    Raises:
        NotFound: when there is none.
    """
    return schedule_of(_schedule_row(session, schedule_id))


def set_schedule(session: Session, schedule_id: str, *, enabled: bool) -> Schedule:
    """Pause a schedule or let it go on."""
    row = _schedule_row(session, schedule_id)
    row.enabled, row.paused_because = enabled, None
    session.flush()
    return schedule_of(row)


def add_run(
    session: Session, plugin: Plugin, agreement_id: str, organisation: str, by: str, parameters: Mapping[str, Any],
    *, as_at: date, seed: int = 1, schedule_id: str | None = None,
) -> Run:  # fmt: skip
    """Queue a run. A schedule that already has a run waiting gets no second one."""
    if schedule_id is not None:
        query = select(RunRow).where(RunRow.schedule_id == schedule_id, RunRow.state == RunState.QUEUED)
        if (row := session.scalars(query).first()) is not None:
            return run_of(row)
    row = RunRow(
        id=new_id("run"), schedule_id=schedule_id, plugin=plugin.name, plugin_version=plugin.version,
        plugin_digest=plugin.digest, agreement_id=agreement_id, organisation=organisation, requested_by=by,
        state=RunState.QUEUED.value, parameters=json.dumps(dict(parameters), sort_keys=True), seed=seed,
        as_at=as_at.isoformat(), inputs=None, isolation=None, message=None, log="", progress=0.0, seconds=None,
        queued_at=utc_now(), started_at=None, finished_at=None, lease_until=None, attempts=0,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return run_of(row)


def claim_next(session: Session, lease_seconds: int) -> Run | None:
    """Take the oldest queued run, for so many seconds; None when none waits."""
    query = select(RunRow.id).where(RunRow.state == RunState.QUEUED).order_by(RunRow.queued_at).limit(5)
    for run_id in session.scalars(query):
        now = utc_now()
        taken = session.execute(
            update(RunRow)
            .where(RunRow.id == run_id, RunRow.state == RunState.QUEUED)
            .values(
                state=move_run(RunState.QUEUED, "start").value, started_at=now,
                lease_until=now + timedelta(seconds=lease_seconds), attempts=RunRow.attempts + 1,
            )
        )  # fmt: skip
        if taken.rowcount == 1:
            return get_run(session, run_id)
    return None


def release_stale(session: Session, *, all_of_them: bool = False) -> int:
    """Queue again the runs whose worker went away; returns how many. After so many attempts a run fails."""
    query = select(RunRow).where(RunRow.state == RunState.RUNNING)
    if not all_of_them:
        query = query.where(RunRow.lease_until < utc_now())
    rows = list(session.scalars(query))
    for row in rows:
        if row.attempts < MOST_ATTEMPTS:
            row.state, row.lease_until, row.progress = move_run(row.state, "requeue").value, None, 0.0
        else:
            finish_run(
                session,
                row.id,
                "fail",
                message=f"The worker broke off {row.attempts} times; not tried again.",
            )
    session.flush()
    return len(rows)


def start_inputs(session: Session, run_id: str, inputs: Mapping[str, Sequence[str]], isolation: str) -> None:
    """Note which versions a run reads and how it is isolated."""
    row = _run_row(session, run_id)
    row.inputs, row.isolation = json.dumps({name: list(ids) for name, ids in inputs.items()}), isolation
    session.flush()


def note_progress(session: Session, run_id: str, fraction: float) -> None:
    """Note how far a run is."""
    row = _run_row(session, run_id)
    row.progress = max(0.0, min(1.0, fraction))


def finish_run(
    session: Session, run_id: str, event: str, *, message: str, log: str = "", seconds: float | None = None
) -> Run:
    """Write down how a run ended: `succeed`, `fail` or `cancel`; `log` is sealed text, for it may hold anything."""
    row = _run_row(session, run_id)
    row.state = move_run(row.state, event).value
    row.message, row.log, row.seconds = message, log, seconds
    row.finished_at, row.lease_until = utc_now(), None
    row.progress = 1.0 if event == "succeed" else row.progress
    session.flush()
    return run_of(row)


def get_run(session: Session, run_id: str) -> Run:
    """One run.

    Raises:
        NotFound: when there is none.
    """
    return run_of(_run_row(session, run_id))


def waiting(session: Session) -> int:
    """How many runs wait or run."""
    query = select(RunRow.id).where(RunRow.state.in_([RunState.QUEUED, RunState.RUNNING]))
    return len(session.scalars(query).all())


def add_result(session: Session, result: Result) -> None:
    """Keep a run's result, held."""
    session.add(
        ResultRow(**(result.__dict__ | {"tables": json.dumps(result.tables), "state": result.state.value}))
    )
    session.flush()


def decide_result(session: Session, result_id: str, event: str, by: str, note: str) -> Result:
    """Release, reject or withdraw a result."""
    row = session.get(ResultRow, result_id)
    if row is None:
        raise NotFound(f"There is no result {result_id}.")
    row.state = move_result(row.state, event).value
    row.decided_by, row.decided_at, row.note = by, utc_now(), note
    session.flush()
    return result_of(row)


def get_result(session: Session, result_id: str) -> Result:
    """One result.

    Raises:
        NotFound: when there is none.
    """
    row = session.get(ResultRow, result_id)
    if row is None:
        raise NotFound(f"There is no result {result_id}.")
    return result_of(row)


def result_of_run(session: Session, run_id: str) -> Result | None:
    """The result of a run, if it made one."""
    row = session.scalars(select(ResultRow).where(ResultRow.run_id == run_id)).first()
    return result_of(row) if row else None


def latest_released(session: Session, plugin: str, agreement_id: str) -> tuple[Run, Result] | None:
    """A plugin's newest released result under one agreement, with its run."""
    query = (
        select(RunRow, ResultRow)
        .join(ResultRow, ResultRow.run_id == RunRow.id)
        .where(
            RunRow.plugin == plugin,
            RunRow.agreement_id == agreement_id,
            ResultRow.state == ResultState.RELEASED,
        )
        .order_by(RunRow.id.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    return (run_of(found[0]), result_of(found[1])) if found else None


def _schedule_row(session: Session, schedule_id: str) -> ScheduleRow:
    row = session.get(ScheduleRow, schedule_id)
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id}.")
    return row


def _run_row(session: Session, run_id: str) -> RunRow:
    row = session.get(RunRow, run_id)
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    return row


def _plugin(row: PluginRow) -> Plugin:
    return Plugin(
        row.name,
        row.version,
        row.distribution,
        row.digest,
        json.loads(row.manifest),
        row.enabled,
        row.registered_at,
    )


def schedule_of(row: ScheduleRow) -> Schedule:
    """A schedule from its row."""
    return Schedule(
        row.id, row.plugin, row.agreement_id, row.cron, json.loads(row.parameters), row.enabled, row.created_by,
        row.organisation, row.created_at, row.first_at, row.paused_because or "",
    )  # fmt: skip


def run_of(row: RunRow) -> Run:
    """A run from its row."""
    return Run(
        row.id, row.schedule_id, row.plugin, row.plugin_version, row.plugin_digest, row.agreement_id, row.organisation,
        row.requested_by, RunState(row.state), json.loads(row.parameters), row.seed, date.fromisoformat(row.as_at),
        json.loads(row.inputs) if row.inputs else {}, row.isolation, row.message, row.log, row.progress, row.seconds,
        row.queued_at, row.started_at, row.finished_at,
    )  # fmt: skip


def result_of(row: ResultRow) -> Result:
    """A result from its row."""
    return Result(
        row.id, row.run_id, ResultState(row.state), json.loads(row.tables), row.report, row.created_at, row.decided_by,
        row.decided_at, row.note,
    )  # fmt: skip
