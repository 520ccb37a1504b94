"""A hub with one of everything in it, made without a sandbox: a plugin's part is played by a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from hub.errors import Conflict
from hub.identity.principal import Principal
from hub.runs import store as runs
from hub.runs.sandbox import Event, Isolation, PluginDescription, RunResult
from hub.runs.states import ResultState
from hub.workflows import releasing, running, scheduling
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import library
from hub_sdk import Input, Manifest, Output, OutputColumn, Parameter, Report, Text
from support.agreements import put_in_force
from support.hubs import principal_of
from support.sealing import Sender

CONTRACT = library.load("police.establishment")
ROWS = [
    {
        "team": f"Team {number}", "area": "North" if number < 12 else "South", "kind": "response",
        "month": "2026-01-01", "fte": "12.5", "contracted_hours": "160", "abstraction_rate": "0.2",
    }
    for number in range(15)
]  # fmt: skip
BAD_ROW = {**ROWS[0], "team": "Team 99", "area": "Atlantis"}

COUNTING = Manifest(
    "counting", "1.0", "Counting", "Counts teams by area.",
    inputs=(Input("teams", CONTRACT.id, ("team", "area", "fte")),),
    outputs=(
        Output(
            "by_area",
            (
                OutputColumn("area", "string", "Policing area"),
                OutputColumn("teams", "integer", "How many teams"),
                OutputColumn("fte", "number", "Mean size of a team"),
            ),
            "aggregate",
            count_columns=("teams",),
        ),
    ),
    parameters=(Parameter("above", "integer", 0, "Count teams above this size", minimum=0, maximum=100),),
)  # fmt: skip

AGREEMENT = """\
id: planning
title: Planning officers' hours
purpose: Plan officers' hours against demand
legal_power: Police Act 1996, section 1
objective: Efficient policing
public_benefit: Officers are where they are needed.
lawful_basis: UK GDPR Article 6(1)(e), public task
controllers: [police]
organisations: [police]
operations: [run plugin, read aggregate]
plugins: [counting]
datasets:
  - contract: police.establishment
    columns: [team, area, fte]
    why: What capacity there is.
start: 2026-01-01
end: 2099-12-31
retention_days: 730
contact: data.protection@police.invalid
"""


def count_teams(inputs: Mapping[str, pa.Table], _parameters: Mapping[str, Any]) -> dict[str, pa.Table]:
    """What the plugin `counting` does."""
    found = inputs["teams"].group_by("area").aggregate([("team", "count"), ("fte", "mean")]).sort_by("area")
    return {
        "by_area": pa.table(
            {
                "area": found["area"], "teams": found["team_count"].cast(pa.int64()),
                "fte": found["fte_mean"].cast(pa.float64()),
            }
        )
    }  # fmt: skip


class FakeSandbox:
    """Stands where the sandbox stands: answers with a function's tables and remembers what it was given."""

    def __init__(
        self,
        *manifests: Manifest,
        answer: Callable[[Mapping[str, pa.Table], Mapping[str, Any]], dict[str, pa.Table]] = count_teams,
    ) -> None:
        self.manifests = {item.name: item for item in manifests or (COUNTING,)}
        self.digests = dict.fromkeys(self.manifests, "a" * 64)
        self.answer = answer
        self.given: list[dict[str, pa.Table]] = []
        self.log: tuple[str, ...] = ()
        self.coverage: Mapping[str, Any] = {}

    def isolation(self) -> Isolation:
        """Said to be full, so that no page warns."""
        return Isolation("full", ("played by a test",))

    def describe(self, on_problem: Any = None) -> list[PluginDescription]:
        """The manifests."""
        return [
            PluginDescription(item, "tests", item.version, self.digests[item.name])
            for item in self.manifests.values()
        ]

    def run(
        self, plugin: str, inputs: Mapping[str, pa.Table], *, parameters: Mapping[str, Any],
        on_event: Callable[[Event], None], cancelled: Callable[[], bool], digest: str | None = None,
        coverage: Mapping[str, Any] | None = None, **_: Any,
    ) -> RunResult:  # fmt: skip
        """Answer."""
        if digest not in (None, self.digests[plugin]):
            raise Conflict(f"The files of the plugin {plugin} have changed since it was approved.")
        self.given.append(dict(inputs))
        self.coverage = coverage or {}
        on_event(Event("progress", "half done", 0.5))
        for line in self.log:
            on_event(Event("log", line))
        tables = self.answer(inputs, parameters)
        title = self.manifests[plugin].title
        return RunResult(tables, Report(title, "What a test made.", (Text("", "Text"),)), 0.1, 10.0, self.log)


@dataclass(frozen=True)
class Staged:
    """A hub with the ids of what is in it."""

    hub: Hub
    sandbox: FakeSandbox
    sender: Sender
    steward: Principal
    analyst: Principal
    checker: Principal
    delivery: str = ""
    dataset: str = ""
    schedule: str = ""
    run: str = ""
    held: str = ""
    released: str = ""

    @property
    def ids(self) -> dict[str, str]:
        """The ids by the names they have in addresses."""
        return {
            "delivery_id": self.delivery, "dataset": self.dataset, "schedule_id": self.schedule, "run_id": self.run,
            "result_id": self.released, "agreement_id": "planning", "slug": "police",
            "name": "by_area", "role": "rows", "part": "1", "client_id": self.sender.client_id, "act": "release",
            "proposal_id": "none", "verdict": "accept", "rights_id": "none", "correction_id": "none",
            "delay_id": "none", "request_id": "none",
            "user_id": "none", "key_id": "none",
        }  # fmt: skip


def agree(hub: Hub, text: str = AGREEMENT) -> str:
    """Have an agreement drafted, reviewed, signed by all parties and so put into force; returns its id."""
    return put_in_force(hub, text).id


def stage(hub: Hub, sandbox: FakeSandbox | None = None, text: str = AGREEMENT) -> Staged:
    """A dataset with a version, an agreement in force and a registered plugin; nothing has run."""
    sandbox = sandbox or FakeSandbox()
    hub = replace(hub, sandbox=lambda: sandbox)  # type: ignore[arg-type, return-value]
    operator = principal_of(hub, "hub", "operator")
    sender = Sender(hub, "police", operator)
    delivery = sender.deliver(CONTRACT, [*ROWS, BAD_ROW])
    agree(hub, text)
    running.register_plugins(hub, operator)
    return Staged(
        hub, sandbox, sender, principal_of(hub, "police", "data steward"), principal_of(hub, "police", "analyst"),
        principal_of(hub, "police", "output checker"), delivery.id, delivery.dataset_id,
    )  # fmt: skip


def stage_all(hub: Hub) -> Staged:
    """The same, with a schedule, two runs, a held result and a released one."""
    staged = stage(hub)
    hub = staged.hub
    schedule = scheduling.add_schedule(hub, staged.analyst, "counting", "planning", None, {})
    finished = []
    for _ in range(2):
        run = running.request_run(hub, staged.analyst, "counting", "planning", "police", {})
        drain(hub)
        with hub.database.read() as session:
            result = runs.result_of_run(session, run.id)
        assert result is not None
        assert result.state is ResultState.HELD
        finished.append((run.id, result.id))
    releasing.decide(hub, staged.checker, finished[0][1], "release", "counts checked")
    return replace(
        staged, schedule=schedule.id, run=finished[0][0], released=finished[0][1], held=finished[1][1]
    )
