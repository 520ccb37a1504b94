"""A run reads what its agreement gives and no more; its result is checked, held, and released by somebody else."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from hub.audit import log as audit
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.runs import lists as run_lists
from hub.runs import store as runs
from hub.runs.sandbox import PluginFailed
from hub.runs.states import RESULT_TRANSITIONS, RUN_TRANSITIONS, ResultState, RunState, move_result, move_run
from hub.runs.store import Result, Run
from hub.workflows import agreeing, releasing, running, scheduling
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_sdk import Input, Manifest
from support.hubs import principal_of
from support.staged import AGREEMENT, COUNTING, FakeSandbox, Staged, agree, stage


@pytest.fixture
def staged(sqlite_hub: Hub) -> Staged:
    """A version, an agreement in force, a plugin."""
    return stage(sqlite_hub)


@pytest.fixture
def twice(hub: Hub) -> Staged:
    """The same on both databases, for what the database has a part in."""
    return stage(hub)


def _request(staged: Staged, **parameters: Any) -> Run:
    return running.request_run(staged.hub, staged.analyst, "counting", "planning", "police", parameters)


def _finish(staged: Staged, run: Run) -> tuple[Run, Result | None]:
    drain(staged.hub)
    with staged.hub.database.read() as session:
        return runs.get_run(session, run.id), runs.result_of_run(session, run.id)


def _held(staged: Staged, run: Run) -> Result:
    ended, result = _finish(staged, run)
    assert ended.state is RunState.SUCCEEDED, ended.message
    assert result is not None
    return result


def _failed(staged: Staged, run: Run) -> str:
    ended, result = _finish(staged, run)
    assert (ended.state, result) == (RunState.FAILED, None)
    assert staged.sandbox.given == [], "the plugin must not have seen anything"
    return ended.message or ""


def test_a_result_is_held_with_what_decided_it(twice: Staged) -> None:
    run, result = _finish(twice, _request(twice, above=5))
    assert run.state is RunState.SUCCEEDED
    assert (run.progress, run.parameters, run.isolation) == (1.0, {"above": 5}, "full")
    assert run.plugin_digest == "a" * 64
    assert list(run.inputs) == ["teams"]
    assert result is not None
    assert result.state is ResultState.HELD
    assert result.tables["by_area"]["rows"] == 2


def test_the_plugin_is_given_the_agreed_columns_and_nothing_else(staged: Staged) -> None:
    _held(staged, _request(staged))
    (given,) = staged.sandbox.given
    assert given["teams"].column_names == ["team", "area", "fte"]
    assert given["teams"].num_rows == 15


def test_small_counts_are_hidden_and_others_rounded_before_anybody_sees_them(staged: Staged) -> None:
    result = _held(staged, _request(staged))
    rows = releasing.read_table(staged.hub, staged.checker, result.id, "by_area").to_pylist()
    assert rows == [
        {"area": "North", "teams": 10, "fte": 12.5},  # twelve, rounded to five
        {"area": "South", "teams": None, "fte": None},  # three: fewer than ten
    ]
    assert "1 of 2 rows hidden" in result.tables["by_area"]["note"]


def test_nobody_decides_about_the_result_of_their_own_run(staged: Staged) -> None:
    result = _held(staged, _request(staged))
    both = replace(staged.analyst, roles=frozenset({"analyst", "output checker"}))
    with pytest.raises(Forbidden, match="somebody else"):
        releasing.decide(staged.hub, both, result.id, "release", "my own")
    with pytest.raises(Forbidden, match="output checker"):
        releasing.decide(staged.hub, staged.steward, result.id, "release", "no checker")
    with pytest.raises(Invalid, match="Say in a few words"):
        releasing.decide(staged.hub, staged.checker, result.id, "release", "  ")
    assert (
        releasing.decide(staged.hub, staged.checker, result.id, "release", "looked").state
        is ResultState.RELEASED
    )


def test_nor_about_the_result_of_a_run_of_their_own_schedule(staged: Staged) -> None:
    both = replace(staged.analyst, roles=frozenset({"analyst", "output checker"}))
    schedule = scheduling.add_schedule(staged.hub, both, "counting", "planning", None, {})
    run = scheduling.trigger(staged.hub, schedule.id)
    assert run is not None
    assert run.requested_by == "system:scheduler"
    result = _held(staged, run)
    with pytest.raises(Forbidden, match="somebody else"):
        releasing.decide(staged.hub, both, result.id, "release", "my own")


def test_a_held_result_is_seen_by_those_who_review_and_a_released_one_by_readers(staged: Staged) -> None:
    result = _held(staged, _request(staged))
    reader = principal_of(staged.hub, "police", "service user")
    for look in (staged.analyst, reader):
        with pytest.raises(NotFound, match="no result"):
            releasing.read_result(staged.hub, look, result.id)
        with pytest.raises(NotFound):
            releasing.read_table(staged.hub, look, result.id, "by_area")
    assert releasing.read_result(staged.hub, staged.checker, result.id).report.title == "Counting"
    releasing.decide(staged.hub, staged.checker, result.id, "release", "looked")
    assert releasing.read_result(staged.hub, reader, result.id).result.state is ResultState.RELEASED
    with pytest.raises(Forbidden):
        releasing.read_result(staged.hub, principal_of(staged.hub, "police", "connector"), result.id)
    releasing.decide(staged.hub, staged.checker, result.id, "withdraw", "a mistake in the source")
    with pytest.raises(NotFound):
        releasing.read_result(staged.hub, reader, result.id)


def test_every_step_stands_in_the_audit_log_and_what_was_typed_only_sealed(twice: Staged) -> None:
    run = _request(twice)
    result = _held(twice, run)
    releasing.decide(twice.hub, twice.checker, result.id, "reject", "the canary in the coal mine")
    with twice.hub.database.read() as session:
        entries = [
            entry
            for entry in audit.recent(session, limit=20)
            if entry.content["target"] in (run.id, result.id)
        ]
    assert [entry.action for entry in reversed(entries)] == [
        "run.requested", "run.started", "data.read", "run.succeeded", "result.rejected",
    ]  # fmt: skip
    assert {entry.content["agreement"] for entry in entries} == {"planning"}
    assert "canary" not in str(entries)
    assert twice.hub.vault.open_text(entries[0].content["reason"]) == "the canary in the coal mine"


def test_a_waiting_run_that_is_cancelled_never_runs(twice: Staged) -> None:
    run = _request(twice)
    assert running.cancel(twice.hub, twice.analyst, run.id).state is RunState.CANCELLED
    ended, result = _finish(twice, run)
    assert (ended.state, result, twice.sandbox.given) == (RunState.CANCELLED, None, [])
    with pytest.raises(Conflict, match="cancelled"):
        running.cancel(twice.hub, twice.analyst, run.id)


def test_a_run_that_is_cancelled_in_the_middle_ends_cancelled_and_leaves_no_result(hub: Hub) -> None:
    staged = stage(hub)
    asked: list[bool] = []

    class Slow(FakeSandbox):
        def run(self, plugin: str, inputs: Mapping[str, pa.Table], **more: Any) -> Any:
            asked.append(more["cancelled"]())
            running.cancel(staged.hub, staged.analyst, run.id)
            return super().run(plugin, inputs, **more)

    slow = Slow()
    staged = replace(staged, sandbox=slow, hub=replace(staged.hub, sandbox=lambda: slow))  # type: ignore[arg-type, return-value]
    run = _request(staged)
    ended, result = _finish(staged, run)
    assert (ended.state, result, asked) == (RunState.CANCELLED, None, [False])
    with hub.database.read() as session:
        assert [result for _, result in run_lists.runs(session, under=None) if result] == []


def test_a_sandbox_that_ends_a_cancelled_run_leaves_it_cancelled(staged: Staged) -> None:
    def cancelled(*_: Any) -> Any:
        running.cancel(staged.hub, staged.analyst, run.id)
        raise PluginFailed("cancelled", "the run was cancelled")

    staged.sandbox.answer = cancelled
    run = _request(staged)
    ended, result = _finish(staged, run)
    assert (ended.state, result) == (RunState.CANCELLED, None)


def test_a_plugin_that_fails_says_why_and_its_log_is_not_readable_in_the_database(staged: Staged) -> None:
    def fails(*_: Any) -> Any:
        raise PluginFailed("memory", "it used more than 512 MiB", ["row of Ermintrude Canary"])

    staged.sandbox.answer = fails
    run, result = _finish(staged, _request(staged))
    assert (run.state, run.message, result) == (RunState.FAILED, "memory: it used more than 512 MiB", None)
    assert "Canary" not in run.log
    assert drain(staged.hub) == 0, "a failed run is not tried again by itself"


def test_an_error_of_the_hub_fails_the_run_without_naming_anybody(staged: Staged) -> None:
    def breaks(*_: Any) -> Any:
        raise ValueError("Ermintrude Canary")

    staged.sandbox.answer = breaks
    run = _request(staged)
    with pytest.raises(ValueError, match="Ermintrude"):
        running.run_next(staged.hub)
    with staged.hub.database.read() as session:
        ended = runs.get_run(session, run.id)
    assert ended.state is RunState.FAILED
    assert "Canary" not in f"{ended.message}{ended.log}"


def test_an_agreement_withdrawn_before_the_run_stops_it_with_the_reason(staged: Staged) -> None:
    run = _request(staged)
    agreeing.change(staged.hub, staged.steward, "planning", "withdraw")
    assert not running.run_next(staged.hub)
    with staged.hub.database.read() as session:
        found = runs.get_run(session, run.id)
    assert (found.state, found.message) == (RunState.CANCELLED, "Stopped: agreement planning was withdrawn.")
    with pytest.raises(Forbidden, match="withdrawn"):
        _request(staged)


def test_an_agreement_that_has_expired_by_then_stops_it_too(staged: Staged) -> None:
    from datetime import UTC, datetime

    run = _request(staged)
    later = replace(staged, hub=replace(staged.hub, clock=lambda: datetime(2100, 1, 1, 12, tzinfo=UTC)))
    assert "not on 2100-01-01" in _failed(later, run)


def test_a_plugin_changed_since_the_run_was_asked_for_does_not_run(staged: Staged) -> None:
    run = _request(staged)
    staged.sandbox.digests["counting"] = "b" * 64
    running.register_plugins(staged.hub, principal_of(staged.hub, "hub", "operator"))
    assert "changed or switched off" in _failed(staged, run)
    assert _finish(staged, _request(staged))[0].state is RunState.SUCCEEDED


def test_files_changed_behind_the_hubs_back_do_not_run(staged: Staged) -> None:
    run = _request(staged)
    staged.sandbox.digests["counting"] = "b" * 64
    assert "changed since it was approved" in _failed(staged, run)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("columns: [team, area, fte]", "columns: [team, area]", "does not give fte of police.establishment"),
        ("plugins: [counting]", "plugins: [another]", "does not name the plugin counting"),
        ("organisations: [police]", "organisations: [housing]", "not for the organisation police"),
        (
            "operations: [run plugin, read aggregate]\nplugins: [counting]",
            "operations: [read aggregate]",
            "does not allow",
        ),
        ("start: 2026-01-01", "start: 2098-01-01", "holds from 2098-01-01"),
    ],
    ids=lambda value: value[:20],
)
def test_what_lies_outside_the_agreement_is_refused_when_asked_for(
    sqlite_hub: Hub, old: str, new: str, said: str
) -> None:
    staged = stage(sqlite_hub)
    agree(sqlite_hub, AGREEMENT.replace("id: planning", "id: narrow").replace(old, new))
    for ask in (running.request_run, scheduling.add_schedule):
        more: tuple[Any, ...] = ("police", {}) if ask is running.request_run else (None, {})
        with pytest.raises(Forbidden, match=said):
            ask(staged.hub, staged.analyst, "counting", "narrow", *more)  # type: ignore[operator]


def test_a_draft_gives_nothing(staged: Staged) -> None:
    agreeing.draft(staged.hub, staged.steward, AGREEMENT.replace("id: planning", "id: drafted"))
    with pytest.raises(Forbidden, match="draft, not active"):
        running.request_run(staged.hub, staged.analyst, "counting", "drafted", "police", {})


def test_who_drafted_an_agreement_cannot_approve_it(staged: Staged) -> None:
    agreeing.draft(staged.hub, staged.steward, AGREEMENT.replace("id: planning", "id: drafted"))
    agreeing.change(staged.hub, staged.steward, "drafted", "submit")
    with pytest.raises(Forbidden, match="somebody else"):
        agreeing.change(staged.hub, staged.steward, "drafted", "approve")


def test_a_run_before_there_is_any_data_fails_with_the_reason(staged: Staged) -> None:
    crime = COUNTING.to_json() | {"inputs": [Input("crime", "police.incidents", ("area",)).to_json()]}
    sandbox = FakeSandbox(Manifest.from_json(crime))
    staged = replace(staged, sandbox=sandbox, hub=replace(staged.hub, sandbox=lambda: sandbox))  # type: ignore[arg-type, return-value]
    running.register_plugins(staged.hub, principal_of(staged.hub, "hub", "operator"))
    text = AGREEMENT.replace("id: planning", "id: crime").replace("police.establishment", "police.incidents")
    agree(staged.hub, text.replace("[team, area, fte]", "[area]"))
    run = running.request_run(staged.hub, staged.analyst, "counting", "crime", "police", {})
    assert "no version of police.incidents yet" in _failed(staged, run)


def test_a_second_worker_takes_no_run_that_is_in_hand(twice: Staged) -> None:
    run = _request(twice)
    with twice.hub.database.write() as session:
        claimed = runs.claim_next(session, 3600)
    assert claimed is not None
    assert claimed.id == run.id
    assert not running.run_next(twice.hub)


# ---- the tables of states


@pytest.mark.parametrize(
    ("states", "table", "move"),
    [(RunState, RUN_TRANSITIONS, move_run), (ResultState, RESULT_TRANSITIONS, move_result)],
    ids=["run", "result"],
)
def test_states_change_only_along_their_table(
    states: Any, table: dict[tuple[Any, str], Any], move: Callable[[str, str], Any]
) -> None:
    for state in states:
        for event in {event for _, event in table} | {"burn"}:
            if (state, event) in table:
                assert move(state, event) is table[state, event]
            else:
                with pytest.raises(Conflict):
                    move(state, event)
