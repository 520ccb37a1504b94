"""Running plugins: under an agreement, on the agreed columns, in the sandbox; results are checked and held."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from hub.errors import Conflict, Forbidden, HubError, Invalid
from hub.identity.principal import Principal, system
from hub.policy import store as agreements
from hub.policy.agreement import Agreement
from hub.policy.roles import Permission
from hub.policy.scope import may_act_for, whole_hub
from hub.rights.leftout import note_left_out
from hub.runs import store as runs
from hub.runs.disclose import check_output
from hub.runs.prepare import Prepared, prepare
from hub.runs.sandbox import PluginFailed
from hub.runs.states import ResultState, RunState
from hub.runs.store import Plugin, Result, Run
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.workflows.hub import Hub, authorise, note, today
from hub.workflows.leaving_out import Applied, leave_out
from hub.workflows.run_inputs import all_open, check_agreement, check_organisation, gather
from hub.workflows.scoping import agreement_seen, changeable_run
from hub_sdk import FormatError, Manifest
from hub_sdk.tables import arrow_schema

__all__ = ["cancel", "queue_run", "register_plugins", "request_run", "run_next"]

_LEASE_SECONDS = 7200
_PROGRESS_SECONDS = 0.5
_WORKER = system("runs")


def register_plugins(hub: Hub, principal: Principal) -> tuple[list[Plugin], dict[str, str]]:
    """Ask the sandboxed worker which plugins there are and what they need; note them.

    Returns the plugins, and for each one that could not be described the reason.

    Raises:
        Forbidden: for those who do not look after the hub: plugins are for all its organisations.
    """
    authorise(principal, Permission.MANAGE_RUNS)
    if not whole_hub(principal, Permission.MANAGE_RUNS):
        raise Forbidden("Plugins are registered for the whole hub; ask an operator of the hub.")
    broken: dict[str, str] = {}
    described = hub.sandbox().describe(
        on_problem=lambda name, error: broken.update({name: f"{error.kind}: {error.message}"})
    )
    found = [
        Plugin(
            item.manifest.name, item.manifest.version, item.distribution, item.digest, item.manifest.to_json(),
            True, utc_now(),
        )
        for item in described
    ]  # fmt: skip
    with hub.database.write() as session:
        for plugin in found:
            runs.put_plugin(session, plugin)
            note(session, principal, "plugin.registered", plugin.name, detail={"digest": plugin.digest})
    return found, broken


def request_run(
    hub: Hub, principal: Principal, plugin_name: str, agreement_id: str, organisation: str,
    parameters: Mapping[str, Any], *, schedule_id: str | None = None,
) -> Run:  # fmt: skip
    """Queue a run, when the agreement lets this organisation run this plugin in one of the principal's roles.

    One asks for one's own organisation; the hub's operators may ask for others, within what the agreement allows.

    Raises:
        NotFound: when there is no such agreement that the principal may see.
        Forbidden: when it does not allow the run, with the reason.
        Invalid: when a parameter is not valid.
    """
    authorise(principal, Permission.MANAGE_RUNS)
    if not may_act_for(principal, organisation, Permission.MANAGE_RUNS):
        raise Forbidden(
            "One asks for runs for one's own organisation. Ask somebody there, or the hub's operator."
        )
    with hub.database.read() as session:
        agreement_seen(session, principal, agreement_id)
    return queue_run(
        hub, principal, plugin_name, agreement_id, organisation, parameters, schedule_id=schedule_id
    )


def queue_run(
    hub: Hub, principal: Principal, plugin_name: str, agreement_id: str, organisation: str,
    parameters: Mapping[str, Any], *, schedule_id: str | None = None,
) -> Run:  # fmt: skip
    """Queue a run for those who have the right to ask: for `request_run`, and for the scheduler, which has no roles.

    Raises:
        as `request_run`.
    """
    with hub.database.write() as session:
        plugin = runs.get_plugin(session, plugin_name)
        if not plugin.enabled:
            raise Conflict(f"The plugin {plugin_name} is switched off.")
        manifest = Manifest.from_json(plugin.manifest)
        try:
            checked = {name: _json(value) for name, value in manifest.values(parameters).items()}
        except FormatError as error:
            raise Invalid(f"A parameter of {plugin_name} is not valid: {error}.") from None
        agreement = agreements.get(session, agreement_id)
        check_organisation(session, organisation)
        check_agreement(hub, agreement, manifest, organisation, principal.roles)
        run = runs.add_run(
            session, plugin, agreement_id, organisation, principal.reference, checked, as_at=today(hub),
            schedule_id=schedule_id,
        )  # fmt: skip
        note(
            session, principal, "run.requested", run.id, agreement=agreement_id,
            detail={"plugin": plugin_name, "schedule": schedule_id},
        )  # fmt: skip
    return run


def cancel(hub: Hub, principal: Principal, run_id: str) -> Run:
    """Cancel a run that waits or runs, for the principal's own organisation.

    Raises:
        NotFound: when it is not there for this principal.
        Forbidden: when it is for another organisation.
        Conflict: when it has ended.
    """
    authorise(principal, Permission.MANAGE_RUNS)
    with hub.database.write() as session:
        changeable_run(session, principal, run_id)
        run = runs.finish_run(session, run_id, "cancel", message="Cancelled.")
        note(session, principal, "run.cancelled", run_id)
    return run


def run_next(hub: Hub) -> bool:
    """Take the oldest queued run and carry it out; False when none waits."""
    with hub.database.write() as session:
        runs.release_stale(session)
        run = runs.claim_next(session, _LEASE_SECONDS)
        if run is not None:
            note(session, _WORKER, "run.started", run.id, agreement=run.agreement_id)
    if run is None:
        return False
    started = time.monotonic()
    try:
        _carry_out(hub, run)
    except PluginFailed as error:
        _end(hub, run, f"{error.kind}: {error.message}", "\n".join(error.log), time.monotonic() - started)
    except HubError as error:
        _end(hub, run, error.detail, "", time.monotonic() - started)
    except Exception:
        _end(
            hub,
            run,
            "The hub could not carry out this run; its log says why.",
            "",
            time.monotonic() - started,
        )
        raise
    structlog.get_logger().info(
        "run.ended", run=run.id, plugin=run.plugin, seconds=round(time.monotonic() - started, 2)
    )
    return True


@dataclass(frozen=True)
class _Ready:
    manifest: Manifest
    agreement: Agreement
    prepared: Prepared
    opt_out: Applied | None
    open: bool


def _carry_out(hub: Hub, run: Run) -> None:
    ready = _ready(hub, run)
    sandbox = hub.sandbox()
    with hub.database.write() as session:
        runs.start_inputs(session, run.id, ready.prepared.versions, sandbox.isolation().level)
        note(
            session, _WORKER, "data.read", run.id, agreement=run.agreement_id, purpose=ready.agreement.purpose,
            detail={"plugin": run.plugin, "versions": ready.prepared.versions} | _opted_out(session, run, ready),
        )  # fmt: skip
    watch = _Watch(hub, run.id)
    outcome = sandbox.run(
        run.plugin, ready.prepared.tables, parameters=run.parameters, seed=run.seed, today=run.as_at,
        coverage=ready.prepared.coverage, resources=ready.manifest.resources, on_event=watch.event,
        cancelled=watch.cancelled, digest=run.plugin_digest,
    )  # fmt: skip
    _hold(hub, run, ready, outcome)


def _opted_out(session: Any, run: Run, ready: _Ready) -> dict[str, Any]:
    """Note what the national data opt-out took out of a run, in figures that point at nobody; for the log as well."""
    if (applied := ready.opt_out) is None:
        return {}
    note_left_out(session, run.id, applied.inputs, applied.lists, applied.figure)
    return {"opt_out": applied.detail}


def _ready(hub: Hub, run: Run) -> _Ready:
    """Decide once more, now, what the run may read, and read it."""
    with hub.database.read() as session:
        plugin = runs.get_plugin(session, run.plugin)
        if plugin.digest != run.plugin_digest or not plugin.enabled:
            raise Conflict(
                f"The plugin {run.plugin} was changed or switched off since the run was asked for."
            )
        manifest = Manifest.from_json(plugin.manifest)
        agreement = agreements.get(session, run.agreement_id)
        given, sources, people, index = gather(hub, session, agreement, manifest, run)
        everything_open = all_open(session, given, sources)
        sources, people, opt_out = leave_out(hub, session, agreement, sources, people)
    zone = ZoneInfo(hub.settings.schedule_timezone)
    prepared = prepare(hub.vault, given, sources, people, index, agreement.id, zone)
    return _Ready(manifest, agreement, prepared, opt_out, everything_open)


class _Watch:
    """Keeps a run's progress in the database, not too often, and looks whether it was cancelled."""

    def __init__(self, hub: Hub, run_id: str) -> None:
        self.hub, self.run_id, self.last = hub, run_id, 0.0
        self._state, self._asked = RunState.RUNNING, 0.0

    def event(self, event: Any) -> None:
        """Called by the sandbox for each event; the plugin's own words may hold what it read and are not kept."""
        if event.kind == "progress" and time.monotonic() - self.last > _PROGRESS_SECONDS:
            self.last = time.monotonic()
            with self.hub.database.write() as session:
                runs.note_progress(session, self.run_id, event.fraction)

    def cancelled(self) -> bool:
        """Whether somebody cancelled the run; asks the database at most once a second."""
        if time.monotonic() - self._asked > 1.0:
            self._asked = time.monotonic()
            with self.hub.database.read() as session:
                self._state = runs.get_run(session, self.run_id).state
        return self._state is RunState.CANCELLED


def _hold(hub: Hub, run: Run, ready: _Ready, outcome: Any) -> None:
    """Check the outputs, encrypt them, and hold them for somebody else to release."""
    result = Result(new_id("res"), run.id, ResultState.HELD, {}, "", utc_now(), None, None, None)
    owner, files, tables = hub.vault.new_owner(result.owner), [], {}
    log_owner = hub.vault.new_owner(run.id)
    for output in ready.manifest.outputs:
        checked = check_output(
            outcome.tables[output.name], output, ready.agreement.minimum_count, ready.agreement.round_to,
            open_inputs=ready.open,
        )  # fmt: skip
        schema = arrow_schema(output)
        kind = {"person": "special-category", "aggregate": "official", "open": "open"}[checked.disclosure]
        file = hub.vault.write(
            owner, f"results/{result.id}/{output.name}.parquet", result.binding(output.name), [checked.table], schema,
            dict.fromkeys(schema.names, kind),
        )  # fmt: skip
        files.append(file)
        tables[output.name] = {
            "object": file.object_key, "rows": checked.table.num_rows, "disclosure": checked.disclosure,
            "suppressed": checked.suppressed, "note": checked.note, "columns": schema.names,
        }  # fmt: skip
    report = f"results/{result.id}/report"
    hub.vault.write_blob(
        owner, report, result.binding("report"), json.dumps(outcome.report.to_json()).encode()
    )
    with hub.database.write() as session:
        if runs.get_run(session, run.id).state is RunState.CANCELLED:
            return
        if not agreements.get(session, run.agreement_id).in_force(today(hub)):
            raise Forbidden(
                f"Agreement {run.agreement_id} ended while the run was under way; its result was not kept."
            )
        hub.vault.register(session, owner, files)
        hub.vault.register(session, log_owner, [])
        runs.add_result(session, Result(**result.__dict__ | {"tables": tables, "report": report}))
        runs.finish_run(
            session, run.id, "succeed", message="Finished; the result is held until somebody else releases it.",
            log=hub.vault.seal_text("\n".join(outcome.log), log_owner), seconds=outcome.seconds,
        )  # fmt: skip
        note(
            session,
            _WORKER,
            "run.succeeded",
            run.id,
            agreement=run.agreement_id,
            detail={"result": result.id},
        )


def _end(hub: Hub, run: Run, message: str, log: str, seconds: float) -> None:
    owner = hub.vault.new_owner(
        run.id
    )  # what a plugin says may hold what it read: it goes with a key of its own
    with hub.database.write() as session:
        if runs.get_run(session, run.id).state is RunState.RUNNING:
            hub.vault.register(session, owner, [])
            runs.finish_run(
                session, run.id, "fail", message=message, log=hub.vault.seal_text(log, owner), seconds=seconds
            )
            note(session, _WORKER, "run.failed", run.id, agreement=run.agreement_id)


def _json(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
