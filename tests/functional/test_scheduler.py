"""Schedules run when they should, once, on whichever process leads; APScheduler's jobs live in the hub's database."""

import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from hub.errors import Conflict
from hub.runs import lists as run_lists
from hub.runs import store as runs
from hub.runs.states import RunState
from hub.runs.store import Run, Schedule
from hub.scheduler import leader as leading
from hub.scheduler.leader import Leader
from hub.workflows import agreeing, running, scheduling, work
from hub.workflows.hub import Hub
from support.staged import FakeSandbox, Staged, stage

LONDON = ZoneInfo("Europe/London")
PATIENCE = 30.0  # seconds; a busy machine may take its time, an idle one is done in a fraction of one


@pytest.fixture
def staged(sqlite_hub: Hub) -> Staged:
    """A plugin with data and an agreement, in a hub whose worker looks often."""
    return stage(_quick(sqlite_hub))


@pytest.fixture
def twice(hub: Hub) -> Staged:
    """The same, on both databases."""
    return stage(_quick(hub))


def _quick(hub: Hub) -> Hub:
    return replace(hub, settings=replace(hub.settings, worker_seconds=0.05))


@pytest.fixture
def lead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Hub], Leader]]:
    """Start leaders, which renew often; all of them are stopped at the end."""
    monkeypatch.setattr(leading, "_RENEW_SECONDS", 0.05)
    started: list[Leader] = []

    def start(hub: Hub) -> Leader:
        started.append(Leader(hub))
        started[-1].start()
        return started[-1]

    with capture_logs():
        yield start
        for leader in started:
            leader.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("hub-", "APScheduler"))]


def _until(holds: Callable[[], Any]) -> Any:
    """Wait until something holds; fails the test if it never does."""
    end = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def _schedule(staged: Staged, cron: str = "0 6 * * MON", *, start_now: bool = False) -> Schedule:
    return scheduling.add_schedule(
        staged.hub, staged.analyst, "counting", "planning", cron, {}, start_now=start_now
    )


def _runs(staged: Staged) -> list[Run]:
    with staged.hub.database.read() as session:
        return [run for run, _ in run_lists.runs(session, under=None)]


def _job(leader: Leader, schedule: Schedule) -> Any:
    scheduler = leader._scheduler
    return scheduler.get_job(schedule.id) if scheduler else None


# ---- what a schedule does when it is due


def test_a_schedule_that_is_due_queues_one_run_until_that_has_begun(twice: Staged) -> None:
    schedule = _schedule(twice)
    first, again = (scheduling.trigger(twice.hub, schedule.id) for _ in range(2))
    assert first is not None and again is not None
    assert (first.id, first.state, first.schedule_id) == (again.id, RunState.QUEUED, schedule.id)
    assert first.requested_by == "system:scheduler"
    assert running.run_next(twice.hub)
    later = scheduling.trigger(twice.hub, schedule.id)
    assert later is not None
    assert later.id != first.id


def test_a_paused_schedule_queues_nothing_until_it_is_resumed(staged: Staged) -> None:
    schedule = _schedule(staged)
    scheduling.pause(staged.hub, staged.analyst, schedule.id, enabled=False)
    assert scheduling.trigger(staged.hub, schedule.id) is None
    scheduling.pause(staged.hub, staged.analyst, schedule.id, enabled=True)
    assert scheduling.trigger(staged.hub, schedule.id) is not None


def test_a_schedule_whose_agreement_ended_is_paused_queues_nothing_and_the_log_says_why(
    staged: Staged,
) -> None:
    from hub.audit import log as audit

    schedule = _schedule(staged)
    agreeing.change(staged.hub, staged.steward, "planning", "withdraw")
    assert scheduling.trigger(staged.hub, schedule.id) is None
    with staged.hub.database.read() as session:
        (entry,) = audit.recent(session, limit=1)
        assert not runs.get_schedule(session, schedule.id).enabled
    assert (entry.action, entry.content["target"]) == ("agreement.withdrawn", "planning")
    assert entry.content["detail"]["schedules_paused"] == [schedule.id]


def test_setting_the_same_schedule_again_changes_its_times(staged: Staged) -> None:
    first = _schedule(staged)
    again = _schedule(staged, "30 7 * * *")
    assert (again.id, again.cron) == (first.id, "30 7 * * *")
    assert len(scheduling.all_schedules(staged.hub)) == 1


def test_without_times_the_plugins_own_suggestion_holds(staged: Staged) -> None:
    schedule = scheduling.add_schedule(staged.hub, staged.analyst, "counting", "planning", None, {})
    assert schedule.cron == staged.sandbox.manifests["counting"].schedule


# ---- the leader and APScheduler


def test_a_schedule_that_starts_now_runs_at_once_and_then_waits_for_its_time(
    twice: Staged, lead: Callable[[Hub], Leader]
) -> None:
    """APScheduler's jobs are kept through the hub's own engine, on either database."""
    schedule = _schedule(twice, start_now=True)
    leader = lead(twice.hub)
    (run,) = _until(lambda: [run for run in _runs(twice) if run.state is RunState.SUCCEEDED])
    assert run.schedule_id == schedule.id
    job = _until(lambda: _job(leader, schedule))
    next_time = job.next_run_time.astimezone(LONDON)
    assert (next_time.strftime("%a"), next_time.hour, next_time.minute) == ("Mon", 6, 0)
    assert next_time > datetime.now(UTC)
    with twice.hub.database.read() as session:
        assert session.execute(text("SELECT id FROM scheduler_jobs")).scalars().all() == [schedule.id]
    time.sleep(0.3)
    assert len(_runs(twice)) == 1


class _Bomb:
    """What somebody would put into the table of jobs to have it run by the process that has the keys."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def _own_job(leader: Leader, schedule: Schedule) -> Any:
    """The job once it is what the schedule says."""
    job = _job(leader, schedule)
    return job if job is not None and job.name.startswith("0 6") else None


def test_what_others_write_into_the_table_of_jobs_is_never_run(
    staged: Staged, lead: Callable[[Hub], Leader], tmp_path: Path
) -> None:
    schedule = _schedule(staged)
    first = lead(staged.hub)
    _until(lambda: _job(first, schedule))
    first.stop()
    bomb = pickle.dumps(_Bomb(tmp_path / "it-ran"))
    foreign = json.dumps({"id": schedule.id, "stamp": "* * * * *|None", "next": None, "func": "os:abort"})
    for state in (bomb, foreign.encode(), b"[]", b"null", b'{"id": 1, "stamp": "x", "next": "never"}'):
        with staged.hub.database.write() as session:
            session.execute(text("UPDATE scheduler_jobs SET job_state = :state"), {"state": state})
        leader = lead(staged.hub)
        job = _until(partial(_own_job, leader, schedule))
        assert (job.func_ref, job.args[1]) == ("hub.scheduler.leader:fire", schedule.id)
        leader.stop()
    assert not (tmp_path / "it-ran").exists()
    assert _runs(staged) == []


def test_a_schedule_that_does_not_start_now_waits(staged: Staged, lead: Callable[[Hub], Leader]) -> None:
    schedule = _schedule(staged)
    leader = lead(staged.hub)
    assert _until(lambda: _job(leader, schedule)).next_run_time > datetime.now(UTC)
    time.sleep(0.3)
    assert _runs(staged) == []


def test_a_start_that_nobody_was_there_for_is_made_up_for(
    staged: Staged, lead: Callable[[Hub], Leader]
) -> None:
    _schedule(staged, start_now=True)
    with staged.hub.database.write() as session:
        session.execute(text("UPDATE schedules SET first_at = '2026-01-01 00:00:00'"))
    lead(staged.hub)
    _until(lambda: _runs(staged))


def test_changes_pauses_and_removals_reach_apscheduler(staged: Staged, lead: Callable[[Hub], Leader]) -> None:
    schedule = _schedule(staged, start_now=True)
    leader = lead(staged.hub)
    _until(lambda: [run for run in _runs(staged) if run.state is RunState.SUCCEEDED])
    _schedule(staged, "30 7 * * *")
    _until(lambda: _job(leader, schedule).next_run_time.astimezone(LONDON).strftime("%H:%M") == "07:30")
    scheduling.pause(staged.hub, staged.analyst, schedule.id, enabled=False)
    _until(lambda: _job(leader, schedule).next_run_time is None)
    scheduling.pause(staged.hub, staged.analyst, schedule.id, enabled=True)
    _until(lambda: _job(leader, schedule).next_run_time is not None)
    assert _job(leader, schedule).next_run_time > datetime.now(UTC) + timedelta(seconds=1)
    with staged.hub.database.write() as session:
        session.execute(text("UPDATE runs SET schedule_id = NULL"))
        session.execute(text("DELETE FROM schedules"))
    _until(lambda: _job(leader, schedule) is None)
    assert len(_runs(staged)) == 1, "pausing and resuming is no reason to run"


def test_a_schedule_that_starts_now_does_not_start_again_with_the_next_leader(
    staged: Staged, lead: Callable[[Hub], Leader]
) -> None:
    schedule = _schedule(staged, start_now=True)
    first = lead(staged.hub)
    _until(lambda: [run for run in _runs(staged) if run.state is RunState.SUCCEEDED])
    first.stop()
    second = lead(staged.hub)
    assert _until(lambda: _job(second, schedule)).next_run_time > datetime.now(UTC)
    time.sleep(0.2)
    assert len(_runs(staged)) == 1


def test_a_schedule_that_cannot_be_read_does_not_stop_the_others(
    staged: Staged, lead: Callable[[Hub], Leader]
) -> None:
    other = _schedule(staged)
    with staged.hub.database.write() as session:
        session.execute(text("UPDATE schedules SET cron = 'nonsense'"))
    _schedule_two = scheduling.add_schedule(
        staged.hub, staged.analyst, "counting", "planning", "0 5 * * *", {"above": 7}, start_now=True
    )
    leader = lead(staged.hub)
    _until(lambda: [run for run in _runs(staged) if run.state is RunState.SUCCEEDED])
    assert _job(leader, _schedule_two) is not None
    assert _job(leader, other) is None


def test_one_process_leads_and_the_other_takes_over(twice: Staged, lead: Callable[[Hub], Leader]) -> None:
    first = lead(twice.hub)
    _until(lambda: first.leading)
    second = lead(twice.hub)
    time.sleep(0.3)
    assert not second.leading
    schedule = _schedule(twice, start_now=True)
    _until(lambda: [run for run in _runs(twice) if run.state is RunState.SUCCEEDED])
    assert _job(second, schedule) is None, "who does not lead keeps no schedules"
    first.stop()
    _until(lambda: second.leading)
    _until(lambda: _job(second, schedule))
    assert len(_runs(twice)) == 1


def test_a_process_that_lost_the_lead_fires_nothing_any_more(
    staged: Staged, lead: Callable[[Hub], Leader]
) -> None:
    schedule = _schedule(staged)
    leader = lead(staged.hub)
    _until(lambda: _job(leader, schedule))
    with staged.hub.database.write() as session:  # as if it had slept, and another had come meanwhile
        session.execute(text("UPDATE leases SET holder = 'another', until = '2099-01-01 00:00:00'"))
    _until(lambda: not leader.leading)
    leading.fire(staged.hub.audit_origin, schedule.id)
    assert _runs(staged) == []
    assert leader._scheduler is not None
    assert leader._scheduler.state == leading._PAUSED
    work.resign(staged.hub, "another")
    _until(lambda: leader.leading and leader._scheduler.state != leading._PAUSED)
    leading.fire(staged.hub.audit_origin, schedule.id)
    _until(lambda: _runs(staged))


def test_a_stored_job_is_understood_by_a_process_with_another_folder(
    staged: Staged, lead: Callable[[Hub], Leader], tmp_path: Any
) -> None:
    schedule = _schedule(staged)
    first = lead(staged.hub)
    job = _until(lambda: _job(first, schedule))
    first.stop()
    elsewhere = replace(staged.hub, settings=replace(staged.hub.settings, dir=tmp_path / "elsewhere"))
    second = lead(elsewhere)
    _until(lambda: second.leading)
    leading.fire(*job.args)
    _until(lambda: _runs(staged))


def test_firing_for_a_hub_or_schedule_that_is_gone_does_nothing(
    staged: Staged, lead: Callable[[Hub], Leader]
) -> None:
    leading.fire("joinedup-hub/none", "sch_none")
    leader = lead(staged.hub)
    _until(lambda: leader.leading)
    leading.fire(staged.hub.audit_origin, "sch_none")
    assert _runs(staged) == []


def test_one_bad_piece_of_work_does_not_end_the_worker(staged: Staged, lead: Callable[[Hub], Leader]) -> None:
    calls: list[int] = []

    class Moody(FakeSandbox):
        def run(self, *args: Any, **more: Any) -> Any:
            calls.append(1)
            if len(calls) == 1:
                raise ValueError("Ermintrude Canary")
            return super().run(*args, **more)

    moody = Moody()
    hub = replace(staged.hub, sandbox=lambda: moody)  # type: ignore[arg-type, return-value]
    staged = replace(staged, hub=hub)
    for _ in range(2):
        running.request_run(hub, staged.analyst, "counting", "planning", "police", {})
    lead(hub)
    ended = _until(lambda: {run.state for run in _runs(staged)} == {RunState.FAILED, RunState.SUCCEEDED})
    assert ended


def test_work_in_hand_is_finished_and_led_before_the_leader_stops(
    staged: Staged, lead: Callable[[Hub], Leader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is renewed meanwhile, or another process would take the work for that of a dead one."""
    begun, renewed = threading.Event(), []
    renew = work.lead
    monkeypatch.setattr(
        work, "lead", lambda hub, holder: renewed.append(time.monotonic()) or renew(hub, holder)
    )

    class Slow(FakeSandbox):
        def run(self, *args: Any, **more: Any) -> Any:
            begun.set()
            time.sleep(0.5)
            self.ended = time.monotonic()
            return super().run(*args, **more)

    slow = Slow()
    hub = replace(staged.hub, sandbox=lambda: slow)  # type: ignore[arg-type, return-value]
    running.request_run(hub, staged.analyst, "counting", "planning", "police", {})
    leader = lead(hub)
    assert begun.wait(PATIENCE)
    leader.stop()
    assert renewed[-1] > slow.ended - 0.3
    assert [run.state for run in _runs(staged)] == [RunState.SUCCEEDED]


def test_pausing_what_is_not_there_is_not_found(staged: Staged) -> None:
    from hub.errors import NotFound

    with pytest.raises(NotFound):
        scheduling.pause(staged.hub, staged.analyst, "sch_none", enabled=False)
    with pytest.raises((NotFound, Conflict)):
        scheduling.add_schedule(staged.hub, staged.analyst, "nothing", "planning", None, {})
