"""Releasing results: somebody else than the one who asked for the run looks, and decides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hub.errors import Forbidden, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy.decide import whole_file
from hub.policy.roles import Permission
from hub.policy.scope import may_check
from hub.runs import lists as run_lists
from hub.runs import store as runs
from hub.runs.states import RESULT_TRANSITIONS, ResultState
from hub.runs.store import Plugin, Result, Run
from hub.workflows.hub import Hub, authorise, holds, note, today
from hub.workflows.naming import who
from hub.workflows.scoping import held_under, kept_since, result_seen
from hub_sdk import Report

__all__ = ["ListedResult", "ShownResult", "decide", "list_results", "opened", "read_result", "read_table"]

_NOT_YOURS = "You asked for this run, so somebody else decides about its result."


@dataclass(frozen=True)
class ListedResult:
    """A result in a list, with its run and plugin."""

    run: Run
    result: Result
    plugin: Plugin


@dataclass(frozen=True)
class ShownResult:
    """A result with its report, as its reader may see it.

    `previews` are the first rows of each table that is not about single persons; `decided_by` and `reason` say in
    words who decided and why (the reason to those who review); `events` is what the reader may decide now, and
    `why_not` why a reviewer may not.
    """

    run: Run
    result: Result
    report: Report
    plugin: Plugin
    previews: dict[str, pa.Table]
    decided_by: str = ""
    reason: str = ""
    events: tuple[str, ...] = ()
    why_not: str = ""


def decide(hub: Hub, principal: Principal, result_id: str, event: str, reason: str) -> Result:
    """Release, reject or withdraw a result.

    Raises:
        NotFound: when it is not there for this principal.
        Forbidden: for the one who asked for the run.
        Invalid: when no reason is given.
    """
    authorise(principal, Permission.REVIEW_RESULTS)
    if not reason.strip():
        raise Invalid(
            "Say in a few words what you looked at and why you decide so.", fields={"reason": ["missing"]}
        )
    with hub.database.write() as session:
        result, run, agreement = result_seen(hub, session, principal, result_id)
        if not may_check(principal, agreement):
            raise Forbidden("Output checkers of the organisations in its agreement decide about this result.")
        if principal.reference in _authors(session, run):
            raise Forbidden(_NOT_YOURS)
        if event == "release" and not agreement.in_force(today(hub)):
            raise Forbidden(f"Agreement {agreement.id} is not in force, so nothing is released under it.")
        result = runs.decide_result(
            session, result_id, event, principal.reference, hub.vault.seal_text(reason.strip())
        )
        note(
            session, principal, f"result.{result.state.value}", result_id, agreement=run.agreement_id,
            reason=hub.vault.seal_text(reason.strip()),
        )  # fmt: skip
    return result


def _authors(session: Any, run: Run) -> set[str]:
    """Who asked for a run: directly, or by the schedule it came from."""
    if run.schedule_id is None:
        return {run.requested_by}
    return {run.requested_by, runs.get_schedule(session, run.schedule_id).created_by}


def list_results(hub: Hub, principal: Principal, *, limit: int = 100) -> list[ListedResult]:
    """Results that the principal sees, newest first: released ones, and those about which they decide."""
    authorise(principal, Permission.READ_RESULTS)
    with hub.database.read() as session:
        plugins = {item.name: item for item in runs.list_plugins(session)}
        found = run_lists.results(
            session, kept=kept_since(hub, session, principal), held=held_under(session, principal),
            author=principal.reference, limit=limit,
        )  # fmt: skip
        return [ListedResult(run, result, plugins[run.plugin]) for run, result in found]


def opened(hub: Hub, principal: Principal, listed: Sequence[tuple[Run, Result | None]]) -> frozenset[str]:
    """Which of some runs' results the principal may open: their ids."""
    if not holds(principal, Permission.READ_RESULTS):
        return frozenset()
    with hub.database.read() as session:
        kept, held = kept_since(hub, session, principal), set(held_under(session, principal))
        makers = run_lists.makers(session, [run.schedule_id for run, _ in listed if run.schedule_id])
    found = set()
    for run, result in listed:
        if result is None:
            continue
        if result.state is ResultState.RELEASED:
            seen = run.agreement_id in kept and result.created_at >= kept[run.agreement_id]
        else:
            authors = {run.requested_by, makers.get(run.schedule_id or "", "")}
            seen = run.agreement_id in held and principal.reference not in authors
        if seen:
            found.add(result.id)
    return frozenset(found)


def read_result(hub: Hub, principal: Principal, result_id: str, *, preview_rows: int = 0) -> ShownResult:
    """A result's report: a released one for the parties to its agreement, any other for those who check it.

    With `preview_rows`, also the first rows of its tables that are not about single persons.

    Raises:
        NotFound: when it is not there for this principal.
        Forbidden: when it waits for a decision and is the principal's own work.
    """
    with hub.database.read() as session:
        result, run = _visible(hub, session, principal, result_id)
        raw = hub.vault.read_blob(session, result.owner, result.report, result.binding("report"))
        previews = {
            name: _table(hub, session, result, name).slice(0, preview_rows)
            for name, terms in result.tables.items()
            if preview_rows and terms["disclosure"] != "person"
        }
        reviews = holds(principal, Permission.REVIEW_RESULTS)
        mine = principal.reference in _authors(session, run)
        events = (
            tuple(event for state, event in RESULT_TRANSITIONS if state is result.state) if reviews else ()
        )
        shown = ShownResult(
            run, result, Report.from_json(json.loads(raw)), runs.get_plugin(session, run.plugin), previews,
            who(session, result.decided_by) if result.decided_by else "",
            hub.vault.open_text(result.note) if result.note and reviews else "",
            () if mine else events, _NOT_YOURS if events and mine else "",
        )  # fmt: skip
    with hub.database.write() as session:
        note(session, principal, "result.read", result_id, agreement=run.agreement_id)
    return shown


def _table(hub: Hub, session: Any, result: Result, name: str) -> pa.Table:
    terms = result.tables[name]
    file = hub.vault.locate(session, terms["object"], result.binding(name))
    return hub.vault.read(file, terms["columns"], whole_file(name, f"a table of result {result.id}"))


def read_table(hub: Hub, principal: Principal, result_id: str, name: str) -> pa.Table:
    """One table of a result that is not about single persons.

    Raises:
        NotFound: when it is not there for this principal.
        Forbidden: for a table about persons, which never leaves the hub as a table; as for `read_result`.
    """
    with hub.database.read() as session:
        result, _ = _visible(hub, session, principal, result_id)
        terms = result.tables.get(name)
        if terms is None:
            raise NotFound(f"The result has no table {name!r}; it has {', '.join(result.tables)}.")
        if terms["disclosure"] == "person":
            raise Forbidden(
                "This table is about single households: it is shown on their pages only, one at a time."
            )
        table = _table(hub, session, result, name)
    with hub.database.write() as session:
        note(session, principal, "result.downloaded", result_id, detail={"table": name})
    return table


def _visible(hub: Hub, session: Any, principal: Principal, result_id: str) -> tuple[Result, Run]:
    authorise(principal, Permission.READ_RESULTS)
    result, run, _ = result_seen(hub, session, principal, result_id)
    if result.state is not ResultState.RELEASED and principal.reference in _authors(session, run):
        raise Forbidden(_NOT_YOURS)
    return result, run
