"""When an agreement ends, access, schedules, runs and results stop: at once, or as its terms say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from hub.errors import Conflict, Forbidden, NotFound
from hub.policy import store as agreements
from hub.policy.agreement import AgreementState
from hub.policy.decide import Asked, decide
from hub.runs import lists as run_lists
from hub.runs import store as runs
from hub.runs.states import ResultState, RunState
from hub.vault import shred
from hub.workflows import agreeing, ending, releasing, running, scheduling
from hub.workflows.hub import Hub
from hub.workflows.work import drain, tidy
from support.agreements import put_in_force
from support.hubs import principal_of
from support.staged import AGREEMENT, FakeSandbox, Staged, count_teams, stage

LAST_DAY = date(2026, 12, 31)


@pytest.fixture
def staged(sqlite_hub: Hub) -> Staged:
    """A hub with data, a plugin and the agreement `planning`."""
    return stage(sqlite_hub)


def _on(hub: Hub, day: date) -> Hub:
    """The same hub with its clock at noon of a day."""
    return replace(hub, clock=lambda: datetime(day.year, day.month, day.day, 12, tzinfo=UTC))


def _short(staged: Staged, **terms: str) -> str:
    """An agreement that ends on LAST_DAY, in force; returns its id."""
    text = AGREEMENT.replace("id: planning", "id: short").replace("2099-12-31", LAST_DAY.isoformat())
    return put_in_force(staged.hub, text + "".join(f"{name}: {value}\n" for name, value in terms.items())).id


def _result(staged: Staged, agreement: str, *, release: bool = True) -> str:
    run = running.request_run(staged.hub, staged.analyst, "counting", agreement, "police", {})
    drain(staged.hub)
    with staged.hub.database.read() as session:
        result = runs.result_of_run(session, run.id)
        assert result is not None, runs.get_run(session, run.id).message
    if release:
        releasing.decide(staged.hub, staged.checker, result.id, "release", "counts checked")
    return result.id


def _state(hub: Hub, agreement: str) -> AgreementState:
    with hub.database.read() as session:
        return agreements.get(session, agreement).state


def test_the_day_after_the_end_everything_is_refused_without_any_tidying(staged: Staged) -> None:
    short, steward = _short(staged), principal_of(staged.hub, "police", "data steward", name="one")
    result = _result(staged, short)
    schedule = scheduling.add_schedule(staged.hub, staged.analyst, "counting", short, "0 6 * * MON", {})
    last, after = _on(staged.hub, LAST_DAY), _on(staged.hub, LAST_DAY + timedelta(days=1))
    assert releasing.read_result(last, staged.analyst, result).result.id == result
    assert scheduling.trigger(last, schedule.id) is not None
    with after.database.read() as session:
        found = agreements.get(session, short)
        assert agreements.active(session, LAST_DAY + timedelta(days=1)) == [
            item for item in agreements.active(session, LAST_DAY) if item.id != short
        ]
    asked = Asked(
        "run plugin", "police.establishment", "police", LAST_DAY, publisher="police", plugin="counting"
    )
    assert decide(asked, [found]).allowed
    assert not decide(replace(asked, on=LAST_DAY + timedelta(days=1)), [found]).allowed
    with pytest.raises(Forbidden, match="holds from"):
        running.request_run(after, staged.analyst, "counting", short, "police", {})
    assert scheduling.trigger(after, schedule.id) is None
    with pytest.raises(NotFound):
        releasing.read_result(after, staged.analyst, result)
    assert not agreeing.explain(
        after, steward, replace(asked, on=LAST_DAY + timedelta(days=1), agreement=short)
    ).allowed


def test_the_worker_ends_what_is_over_and_pauses_its_schedules_with_the_reason(staged: Staged) -> None:
    short = _short(staged)
    schedule = scheduling.add_schedule(staged.hub, staged.analyst, "counting", short, "0 6 * * MON", {})
    held = _result(staged, short, release=False)
    tidy(_on(staged.hub, LAST_DAY))
    assert _state(staged.hub, short) is AgreementState.ACTIVE, "the last day belongs to it"
    late = _on(staged.hub, LAST_DAY + timedelta(days=1))
    tidy(late)
    tidy(late)
    assert _state(late, short) is AgreementState.EXPIRED
    assert _state(late, "planning") is AgreementState.ACTIVE
    with late.database.read() as session:
        paused = runs.get_schedule(session, schedule.id)
        assert (paused.enabled, paused.paused_because) == (False, "Stopped: agreement short has expired.")
        assert runs.get_result(session, held).state is ResultState.REJECTED
    with pytest.raises(Forbidden, match="is expired, not active"):
        scheduling.pause(late, staged.analyst, schedule.id, enabled=True)


@pytest.mark.parametrize("running_now", [False, True], ids=["waiting", "running"])
def test_withdrawing_cancels_what_waits_and_what_runs(staged: Staged, running_now: bool) -> None:
    steward = principal_of(staged.hub, "police", "data steward", name="one")

    def end_it(*given: Any) -> Any:
        agreeing.change(staged.hub, steward, "planning", "withdraw", "no longer needed")
        return count_teams(*given)

    if running_now:
        staged.sandbox.answer = end_it
    run = running.request_run(staged.hub, staged.analyst, "counting", "planning", "police", {})
    if not running_now:
        agreeing.change(staged.hub, steward, "planning", "withdraw", "no longer needed")
    drain(staged.hub)
    with staged.hub.database.read() as session:
        found = runs.get_run(session, run.id)
        assert found.state is RunState.CANCELLED
        assert found.message == "Stopped: agreement planning was withdrawn."
        assert runs.result_of_run(session, run.id) is None
    assert bool(staged.sandbox.given) is running_now


def test_a_run_that_is_under_way_when_the_last_day_ends_leaves_no_result(staged: Staged) -> None:
    short, days = _short(staged), [LAST_DAY]
    hub = replace(staged.hub, clock=lambda: datetime(*days[0].timetuple()[:3], 12, tzinfo=UTC))

    def past_midnight(*given: Any) -> Any:
        days[0] = LAST_DAY + timedelta(days=1)
        return count_teams(*given)

    sandbox = FakeSandbox(answer=past_midnight)
    hub = replace(hub, sandbox=lambda: sandbox)  # type: ignore[arg-type, return-value]
    run = running.request_run(hub, staged.analyst, "counting", short, "police", {})
    drain(hub)
    with hub.database.read() as session:
        found = runs.get_run(session, run.id)
        assert (found.state, runs.result_of_run(session, run.id)) == (RunState.FAILED, None)
        assert "ended while the run was under way" in (found.message or "")


@pytest.mark.parametrize(
    ("terms", "at_once", "after_retention"),
    [
        ({}, "closed", "destroyed"),
        ({"results_at_end": "closed"}, "closed", "destroyed"),
        ({"results_at_end": "readable"}, "readable", "destroyed"),
        ({"results_at_end": "readable", "retention_trigger": "end"}, "readable", "destroyed"),
        ({"results_at_end": "destroyed"}, "destroyed", "destroyed"),
    ],
    ids=str,
)
def test_results_follow_the_terms_when_it_ends(
    staged: Staged, terms: dict[str, str], at_once: str, after_retention: str
) -> None:
    short = _short(staged, **terms)
    result = _result(staged, short)
    steward = principal_of(staged.hub, "police", "data steward", name="one")
    agreeing.change(staged.hub, steward, short, "withdraw", "no longer needed")

    def what_is_left(hub: Hub) -> str:
        with hub.database.read() as session:
            owner = runs.get_result(session, result).owner
            if not shred.held(session, [owner]):
                return "destroyed"
        try:
            releasing.read_result(hub, staged.analyst, result)
        except NotFound:
            return "closed"
        return "readable"

    assert what_is_left(staged.hub) == at_once
    late = replace(staged.hub, clock=lambda: staged.hub.clock() + timedelta(days=733))
    tidy(late)
    assert what_is_left(late) == after_retention


def test_a_result_of_an_agreement_that_ended_is_not_released_any_more(staged: Staged) -> None:
    short = _short(staged, results_at_end="readable")
    held = _result(staged, short, release=False)
    with pytest.raises(Forbidden, match="not in force, so nothing is released"):
        releasing.decide(
            _on(staged.hub, LAST_DAY + timedelta(days=1)), staged.checker, held, "release", "checked"
        )
    steward = principal_of(staged.hub, "police", "data steward", name="one")
    agreeing.change(staged.hub, steward, short, "withdraw")
    with staged.hub.database.read() as session:
        assert runs.get_result(session, held).state is ResultState.REJECTED


def test_ending_is_written_down_with_what_was_stopped_and_nothing_ends_twice(
    staged: Staged, entries: Callable[[Hub, str], list[Any]]
) -> None:
    scheduling.add_schedule(staged.hub, staged.analyst, "counting", "planning", "0 6 * * MON", {})
    steward = principal_of(staged.hub, "police", "data steward", name="one")
    agreeing.change(staged.hub, steward, "planning", "withdraw", "no longer needed")
    entry = entries(staged.hub, "agreement.withdrawn")[0]
    assert len(entry["detail"]["schedules_paused"]) == 1
    assert "no longer needed" not in str(entry)
    with pytest.raises(Conflict, match="is withdrawn: one cannot withdraw it"):
        agreeing.change(staged.hub, steward, "planning", "withdraw")
    assert ending.expire_agreements(_on(staged.hub, date(2150, 1, 1))) == 0
    with staged.hub.database.read() as session:
        assert all(not item.enabled for item in run_lists.schedules(session, under=None))


@pytest.fixture
def entries() -> Callable[[Hub, str], list[Any]]:
    """The contents of the log's entries of one kind."""
    from hub.audit import log

    def read(hub: Hub, action: str) -> list[Any]:
        with hub.database.read() as session:
            return [item.content for item in log.recent(session, limit=50, action=action)]

    return read
