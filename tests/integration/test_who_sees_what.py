"""Who sees what: runs, schedules, results and agreements by organisation, under paging, with and after an agreement."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from hub.errors import Forbidden, NotFound
from hub.identity.principal import Principal
from hub.policy import scope
from hub.policy.agreement import load_agreement
from hub.policy.roles import Permission
from hub.policy.states import AgreementState
from hub.runs import store as runs
from hub.storage.database import utc_now
from hub.workflows import agreeing, overview, releasing, running, scheduling
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from support.hubs import principal_of
from support.staged import AGREEMENT, Staged, agree, stage

COUNCIL = AGREEMENT.replace("id: planning", "id: council").replace(
    "organisations: [police]", "organisations: [council]"
)


@pytest.fixture
def staged(sqlite_hub: Hub) -> Staged:
    """The police publish; they and the council each have an agreement; housing has none."""
    principal_of(sqlite_hub, "council", "analyst")
    made = stage(sqlite_hub)
    agree(made.hub, COUNCIL)
    return made


def _run(staged: Staged, who: Principal, agreement: str) -> tuple[str, str]:
    run = running.request_run(staged.hub, who, "counting", agreement, who.organisation, {})
    drain(staged.hub)
    with staged.hub.database.read() as session:
        result = runs.result_of_run(session, run.id)
    assert result is not None
    return run.id, result.id


def test_runs_and_their_log_are_seen_by_the_parties_and_by_those_they_ran_for(staged: Staged) -> None:
    hub, council = staged.hub, principal_of(staged.hub, "council", "analyst")
    staged.sandbox.log = ("what the plugin said",)
    ours, _ = _run(staged, council, "council")
    theirs, _ = _run(staged, staged.analyst, "planning")
    seen = {item.id for item, _ in overview.runs_page(hub, council)}
    assert seen == {ours}
    with pytest.raises(NotFound):
        overview.run_page(hub, council, theirs)
    assert "what the plugin said" in overview.run_page(hub, council, ours)[0].log
    publisher = overview.run_page(hub, staged.analyst, ours)[0]
    assert publisher.log == "", "who publishes sees that it ran, not what the plugin said"
    for everything in (principal_of(hub, "hub", "operator"), principal_of(hub, "housing", "auditor")):
        assert {item.id for item, _ in overview.runs_page(hub, everything)} == {ours, theirs}
    nobody = principal_of(hub, "housing", "operator", "analyst", "output checker")
    assert overview.runs_page(hub, nobody) == []
    both = principal_of(hub, "housing", "auditor", "analyst")
    assert releasing.list_results(hub, both) == [], (
        "an auditor's sight does not go with an analyst's permission"
    )


def test_who_sees_a_run_or_a_schedule_may_not_for_that_reason_change_it(staged: Staged) -> None:
    hub, council = staged.hub, principal_of(staged.hub, "council", "analyst")
    schedule = scheduling.add_schedule(hub, council, "counting", "council", "0 6 * * MON", {})
    run = running.request_run(hub, council, "counting", "council", "council", {})
    assert [item.id for item in scheduling.list_schedules(hub, staged.analyst)] == [schedule.id]
    for refused, kind in ((staged.analyst, Forbidden), (principal_of(hub, "housing", "analyst"), NotFound)):
        with pytest.raises(kind):
            scheduling.pause(hub, refused, schedule.id, enabled=False)
        with pytest.raises(kind):
            running.cancel(hub, refused, run.id)
        with pytest.raises(kind):
            running.request_run(hub, refused, "counting", "council", refused.organisation, {})
    with pytest.raises(Forbidden):
        running.request_run(hub, council, "counting", "council", "police", {})
    assert (
        scheduling.pause(hub, principal_of(hub, "hub", "operator"), schedule.id, enabled=False).enabled
        is False
    )
    assert running.cancel(hub, council, run.id).state.value == "cancelled"


def test_output_checkers_see_what_they_check_and_never_their_own_work(staged: Staged) -> None:
    hub = staged.hub
    both = principal_of(hub, "council", "analyst", "output checker", name="both")
    _, held = _run(staged, both, "council")
    with pytest.raises(Forbidden, match="You asked for this run"):
        releasing.read_result(hub, both, held)
    assert releasing.list_results(hub, both) == []
    assert overview.home(hub, both).held == []
    for checker in (
        staged.checker,
        principal_of(hub, "council", "output checker"),
        principal_of(hub, "hub", "output checker"),
    ):
        assert releasing.read_result(hub, checker, held).events
        assert [result.id for _, result in overview.home(hub, checker).held] == [held]
    for stranger in (
        principal_of(hub, "housing", "output checker"), principal_of(hub, "council", "analyst"),
        principal_of(hub, "hub", "operator"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            releasing.read_result(hub, stranger, held)
    with pytest.raises(NotFound):
        releasing.decide(hub, principal_of(hub, "housing", "output checker"), held, "release", "no")


def test_the_roles_of_an_agreement_bind_runs_schedules_and_results(sqlite_hub: Hub) -> None:
    staged = stage(sqlite_hub, text=AGREEMENT + "roles: [service user]\n")
    hub = staged.hub
    for act in (
        lambda: running.request_run(hub, staged.analyst, "counting", "planning", "police", {}),
        lambda: scheduling.add_schedule(hub, staged.analyst, "counting", "planning", "0 6 * * MON", {}),
    ):
        with pytest.raises(Forbidden, match="for the roles service user only"):
            act()
    both = principal_of(hub, "police", "analyst", "service user")
    _, result = _run(staged, both, "planning")
    releasing.decide(hub, staged.checker, result, "release", "looked at it")
    releasing.read_result(hub, both, result)
    releasing.read_result(hub, staged.steward, result)
    with pytest.raises(NotFound):
        releasing.read_result(hub, staged.analyst, result)
    assert releasing.list_results(hub, staged.analyst) == []
    listed = overview.runs_page(hub, staged.analyst)
    assert releasing.opened(hub, staged.analyst, listed) == frozenset()


def test_a_released_result_outlives_its_agreement_only_as_it_says_itself() -> None:
    now = utc_now()
    terms: dict[str, Any] = {"retention_days": 30}
    agreement = replace(load_agreement(AGREEMENT), state=AgreementState.ACTIVE, **terms)
    on = now.date()
    assert scope.kept_since(agreement, now, on) == now - timedelta(days=30)
    for ended in (AgreementState.WITHDRAWN, AgreementState.EXPIRED):
        closed = replace(agreement, state=ended, results_at_end="closed")
        assert scope.kept_since(closed, now, on) is None
        open_still = replace(closed, results_at_end="readable")
        assert scope.kept_since(open_still, now, on) == now - timedelta(days=30)
    over = replace(agreement, end=on - timedelta(days=31), results_at_end="readable", retention_trigger="end")
    assert scope.kept_since(over, now, on) is None
    assert scope.kept_since(replace(over, end=on - timedelta(days=30)), now, on) is not None


def test_when_the_agreement_ends_results_close_for_everybody(staged: Staged) -> None:
    hub = staged.hub
    _, result = _run(staged, staged.analyst, "planning")
    releasing.decide(hub, staged.checker, result, "release", "looked at it")
    releasing.read_result(hub, staged.analyst, result)
    agreeing.change(hub, staged.steward, "planning", "withdraw", "It is no longer needed at all.")
    for reader in (staged.analyst, staged.checker, principal_of(hub, "hub", "operator")):
        with pytest.raises(NotFound):
            releasing.read_table(hub, reader, result, "by_area")


def test_lists_are_whole_under_paging_and_ask_the_database_a_constant_number_of_times(staged: Staged) -> None:
    hub, council = staged.hub, principal_of(staged.hub, "council", "analyst")
    ours = []
    for number in range(8):
        who, agreement = (council, "council") if number % 2 else (staged.analyst, "planning")
        _, result = _run(staged, who, agreement)
        checker = principal_of(hub, "hub", "output checker")
        releasing.decide(hub, checker, result, "release", "looked at it")
        if number % 2:
            ours.append(result)
    found, before = [], None
    while page := overview.runs_page(hub, council, before=before, limit=2):
        assert len(page) == 2 or not overview.runs_page(hub, council, before=page[-1][0].id, limit=2)
        found += [result.id for _, result in page if result]
        before = page[-1][0].id
    assert found == ours[::-1]
    assert [item.result.id for item in releasing.list_results(hub, council, limit=2)] == ours[:1:-1]

    asked: list[str] = []
    event.listen(hub.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    for listing in (
        lambda limit: overview.runs_page(hub, council, limit=limit),
        lambda limit: releasing.list_results(hub, council, limit=limit),
        lambda limit: overview.deliveries(hub, principal_of(hub, "hub", "operator"), limit=limit),
    ):
        counts = []
        for limit in (1, 50):
            asked.clear()
            listing(limit)
            counts.append(len(asked))
        assert counts[0] == counts[1]


def test_the_rule_is_pure_and_the_hub_itself_is_no_party_for_its_people_table() -> None:
    people = "start: 2026-01-01", "  - {contract: hub.people, columns: [sex]}\nstart: 2026-01-01"
    agreement = load_agreement(AGREEMENT.replace(*people))
    who = Principal("person", "x", "x", "org", "hub", frozenset({"analyst"}))
    assert scope.parties(agreement) == {"police"}
    assert not scope.may_see_agreement(who, agreement)
    steward = replace(who, roles=frozenset({"data steward"}))
    assert scope.may_see_agreement(steward, agreement) and scope.may_change_agreement(steward, agreement)
    assert not scope.may_act_for(replace(who, organisation=""), "", Permission.MANAGE_RUNS)
    assert not scope.may_see_result(who, agreement, released=True)
