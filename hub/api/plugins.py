"""Plugins, schedules, runs and results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import CursorQuery, Strict, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.workflows import overview, releasing, running, scheduling
from hub.workflows.downloads import csv_text

if TYPE_CHECKING:
    from hub.workflows.hub import Hub


class PluginAnswer(Schema):
    """A plugin as it describes itself."""

    name = fields.String()
    version = fields.String()
    distribution = fields.String()
    digest = fields.String()
    enabled = fields.Boolean()
    manifest = fields.Dict()


class PluginList(Schema):
    """All plugins."""

    items = fields.List(fields.Nested(PluginAnswer))


class Registered(PluginList):
    """The plugins that were found; `broken` says of each that could not be described why."""

    broken = fields.Dict(keys=fields.String(), values=fields.String())


class NewSchedule(Strict):
    """When a plugin shall run."""

    plugin = fields.String(required=True, validate=validate.Length(1, 100))
    agreement = fields.String(required=True, validate=validate.Length(1, 64))
    cron = fields.String(
        load_default=None, allow_none=True, validate=validate.Length(1, 100),
        metadata={"description": "Five cron fields; default is what the plugin suggests."},
    )  # fmt: skip
    parameters = fields.Dict(keys=fields.String(), load_default=dict)
    start_now = fields.Boolean(
        load_default=False, metadata={"description": "Run for the first time at once."}
    )


class ScheduleAnswer(Schema):
    """A schedule."""

    id = fields.String()
    plugin = fields.String()
    agreement_id = fields.String()
    cron = fields.String()
    parameters = fields.Dict()
    enabled = fields.Boolean()
    paused_because = fields.String(
        metadata={"description": "Why the hub paused it, for example because its agreement ended."}
    )
    created_at = fields.AwareDateTime(format="iso")


class ScheduleList(Schema):
    """All schedules."""

    items = fields.List(fields.Nested(ScheduleAnswer))


class NewRun(Strict):
    """A run to start now."""

    plugin = fields.String(required=True, validate=validate.Length(1, 100))
    agreement = fields.String(required=True, validate=validate.Length(1, 64))
    parameters = fields.Dict(keys=fields.String(), load_default=dict)


class ResultRef(Schema):
    """A result in short."""

    id = fields.String()
    state = fields.Function(lambda result: result.state.value)


class RunAnswer(Schema):
    """A run."""

    id = fields.String()
    plugin = fields.String()
    plugin_version = fields.String()
    plugin_digest = fields.String()
    agreement_id = fields.String()
    schedule_id = fields.String(allow_none=True)
    state = fields.Function(lambda run: run.state.value)
    progress = fields.Float()
    message = fields.String(allow_none=True)
    parameters = fields.Dict()
    seed = fields.Integer()
    as_at = fields.Date()
    inputs = fields.Dict()
    isolation = fields.String(allow_none=True)
    seconds = fields.Float(allow_none=True)
    queued_at = fields.AwareDateTime(format="iso")
    finished_at = fields.AwareDateTime(format="iso", allow_none=True)


class RunWithResult(Schema):
    """A run and its result."""

    run = fields.Nested(RunAnswer)
    result = fields.Nested(ResultRef, allow_none=True)


class RunList(Schema):
    """A page of runs, newest first."""

    items = fields.List(fields.Nested(RunWithResult))
    next = fields.String(allow_none=True)


class Verdict(Strict):
    """What was looked at, in a few words."""

    reason = fields.String(required=True, validate=validate.Length(1, 2000))


class ResultAnswer(Schema):
    """A result with its report."""

    id = fields.String()
    run = fields.String()
    state = fields.String()
    tables = fields.Dict()
    report = fields.Dict()


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of plugins, schedules, runs and results."""
    views = closed_blueprint("plugins", hub, "Plugins, schedules, runs and results")
    _plugin_views(views, hub)
    _run_views(views, hub)
    _result_views(views, hub)
    return views


def _plugin_views(views: Blueprint, hub: Hub) -> None:
    @views.get("/plugins")
    @views.response(200, PluginList)
    def list_plugins() -> Any:
        """The registered plugins."""
        return {"items": overview.plugins(hub, principal())}

    @views.post("/plugins/register")
    @views.response(200, Registered)
    def register() -> Any:
        """Look for installed plugins, in the sandbox, and register them (operator)."""
        found, broken = running.register_plugins(hub, principal())
        return {"items": found, "broken": broken}

    @views.get("/schedules")
    @views.response(200, ScheduleList)
    def list_schedules() -> Any:
        """All schedules."""
        return {"items": scheduling.list_schedules(hub, principal())}

    @views.post("/schedules")
    @views.arguments(NewSchedule)
    @views.response(201, ScheduleAnswer)
    def add_schedule(body: dict[str, Any]) -> Any:
        """Let a plugin run regularly, under an agreement."""
        return scheduling.add_schedule(
            hub, principal(), body["plugin"], body["agreement"], body["cron"], body["parameters"],
            start_now=body["start_now"],
        )  # fmt: skip

    @views.post("/schedules/<string:schedule_id>/pause")
    @views.response(200, ScheduleAnswer)
    def pause(schedule_id: str) -> Any:
        """Pause a schedule."""
        return scheduling.pause(hub, principal(), schedule_id, enabled=False)

    @views.post("/schedules/<string:schedule_id>/resume")
    @views.response(200, ScheduleAnswer)
    def resume(schedule_id: str) -> Any:
        """Let a paused schedule go on."""
        return scheduling.pause(hub, principal(), schedule_id, enabled=True)


def _run_views(views: Blueprint, hub: Hub) -> None:
    @views.get("/runs")
    @views.arguments(CursorQuery, location="query")
    @views.response(200, RunList)
    def list_runs(query: dict[str, Any]) -> Any:
        """Runs with their results, newest first."""
        cursor = decode_cursor(query.get("cursor"), (str,))
        found = overview.runs_page(
            hub, principal(), before=cursor[0] if cursor else None, limit=query["limit"]
        )
        more = len(found) == query["limit"]
        return {
            "items": [{"run": run, "result": result} for run, result in found],
            "next": encode_cursor(found[-1][0].id) if more else None,
        }

    @views.post("/runs")
    @views.arguments(NewRun)
    @views.response(202, RunAnswer)
    def start_run(body: dict[str, Any]) -> Any:
        """Run a plugin now, under an agreement."""
        who = principal()
        return running.request_run(
            hub, who, body["plugin"], body["agreement"], who.organisation, body["parameters"]
        )

    @views.get("/runs/<string:run_id>")
    @views.response(200, RunWithResult)
    def read_run(run_id: str) -> Any:
        """One run."""
        run, result = overview.run_page(hub, principal(), run_id)
        return {"run": run, "result": result}

    @views.post("/runs/<string:run_id>/cancel")
    @views.response(200, RunAnswer)
    def cancel(run_id: str) -> Any:
        """Cancel a run."""
        return running.cancel(hub, principal(), run_id)


def _result_views(views: Blueprint, hub: Hub) -> None:
    @views.get("/results/<string:result_id>")
    @views.response(200, ResultAnswer)
    def read_result(result_id: str) -> Any:
        """A result's report: a released one, or a held one for those who review."""
        shown = releasing.read_result(hub, principal(), result_id)
        return {
            "id": result_id, "run": shown.run.id, "state": shown.result.state.value,
            "tables": shown.result.tables, "report": shown.report.to_json(),
        }  # fmt: skip

    @views.get("/results/<string:result_id>/tables/<string:name>.csv")
    @views.response(200, content_type="text/csv", description="The table.")
    def read_table(result_id: str, name: str) -> Any:
        """One table of a result as CSV; tables about single households are never given out."""
        table = releasing.read_table(hub, principal(), result_id, name)
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return Response(csv_text(table), content_type="text/csv; charset=utf-8", headers=headers)

    @views.post("/results/<string:result_id>/<any(release,reject,withdraw):act>")
    @views.arguments(Verdict)
    @views.response(200, ResultRef)
    def decide(body: dict[str, Any], result_id: str, act: str) -> Any:
        """Release, reject or withdraw a result (output checker, not the one who asked for the run)."""
        return releasing.decide(hub, principal(), result_id, act, body["reason"])
