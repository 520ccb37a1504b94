"""Releasing results: somebody else than the one who asked for the run looks, and decides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hub.errors import Forbidden, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy.decide import whole_file
from hub.policy.roles import Permission, may
from hub.runs import store as runs
from hub.runs.states import ResultState
from hub.runs.store import Result, Run
from hub.workflows.hub import Hub, authorise, note
from hub_sdk import Report

__all__ = ["ShownResult", "decide", "read_result", "read_table"]


@dataclass(frozen=True)
class ShownResult:
    """A result with its report, as its reader may see it."""

    run: Run
    result: Result
    report: Report


def decide(hub: Hub, principal: Principal, result_id: str, event: str, reason: str) -> Result:
    """Release, reject or withdraw a result.

    Raises:
        Forbidden: for the one who asked for the run.
        Invalid: when no reason is given.
    """
    authorise(principal, Permission.REVIEW_RESULTS)
    if not reason.strip():
        raise Invalid(
            "Say in a few words what you looked at and why you decide so.", fields={"reason": ["missing"]}
        )
    with hub.database.write() as session:
        run = runs.get_run(session, runs.get_result(session, result_id).run_id)
        authors = {run.requested_by}
        if run.schedule_id is not None:
            authors.add(runs.get_schedule(session, run.schedule_id).created_by)
        if principal.reference in authors:
            raise Forbidden("You asked for this run, so somebody else decides about its result.")
        result = runs.decide_result(
            session, result_id, event, principal.reference, hub.vault.seal_text(reason.strip())
        )
        note(
            session, principal, f"result.{result.state.value}", result_id, agreement=run.agreement_id,
            reason=hub.vault.seal_text(reason.strip()),
        )  # fmt: skip
    return result


def read_result(hub: Hub, principal: Principal, result_id: str) -> ShownResult:
    """A result's report: a released one for those who read results, a held one for those who review.

    Raises:
        NotFound: when it is not there for this principal.
    """
    with hub.database.read() as session:
        result = _visible(session, principal, result_id)
        run = runs.get_run(session, result.run_id)
        raw = hub.vault.read_blob(session, result.owner, result.report, result.binding("report"))
    with hub.database.write() as session:
        note(session, principal, "result.read", result_id, agreement=run.agreement_id)
    return ShownResult(run, result, Report.from_json(json.loads(raw)))


def read_table(hub: Hub, principal: Principal, result_id: str, name: str) -> pa.Table:
    """One table of a result that is not about single persons.

    Raises:
        NotFound: when it is not there for this principal.
        Forbidden: for a table about persons, which never leaves the hub as a table.
    """
    with hub.database.read() as session:
        result = _visible(session, principal, result_id)
        terms = result.tables.get(name)
        if terms is None:
            raise NotFound(f"The result has no table {name!r}; it has {', '.join(result.tables)}.")
        if terms["disclosure"] == "person":
            raise Forbidden(
                "This table is about single households: it is shown on their pages only, one at a time."
            )
        file = hub.vault.locate(session, terms["object"], result.binding(name))
    table = hub.vault.read(file, terms["columns"], whole_file(name, "a released table"))
    with hub.database.write() as session:
        note(session, principal, "result.downloaded", result_id, detail={"table": name})
    return table


def _visible(session: Any, principal: Principal, result_id: str) -> Result:
    result = runs.get_result(session, result_id)
    if result.state is ResultState.RELEASED:
        authorise(principal, Permission.READ_RESULTS)
    elif not may(principal.roles, Permission.REVIEW_RESULTS):
        raise NotFound(f"There is no released result {result_id}.")
    return result
