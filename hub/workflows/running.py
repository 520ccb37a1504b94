"""Running plugins: under an agreement, on the agreed columns, in the sandbox; results are checked and held."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict, Forbidden, HubError, Invalid
from hub.identity.principal import Principal, system
from hub.policy import store as agreements
from hub.policy.agreement import Agreement
from hub.policy.decide import Asked, Grant, decide_for_any
from hub.policy.roles import Permission
from hub.runs import store as runs
from hub.runs.disclose import check_output
from hub.runs.prepare import INDEX_CONTRACT, Prepared, Source, prepare
from hub.runs.sandbox import PluginFailed
from hub.runs.states import ResultState, RunState
from hub.runs.store import Plugin, Result, Run
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.workflows.fitting import check_fit
from hub.workflows.granting import Readable, given_period, readable, strangers
from hub.workflows.hub import Hub, authorise, note, today
from hub.workflows.linking import linked_versions
from hub_sdk import PEOPLE_CONTRACT, FormatError, Input, Manifest
from hub_sdk.tables import arrow_schema

__all__ = ["cancel", "check_agreement", "register_plugins", "request_run", "run_next"]

_LEASE_SECONDS = 7200
_PROGRESS_SECONDS = 0.5
_WORKER = system("runs")


def register_plugins(hub: Hub, principal: Principal) -> tuple[list[Plugin], dict[str, str]]:
    """Ask the sandboxed worker which plugins there are and what they need; note them.

    Returns the plugins, and for each one that could not be described the reason.
    """
    authorise(principal, Permission.MANAGE_RUNS)
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
    """Queue a run, when the agreement lets this organisation run this plugin.

    Raises:
        Forbidden: when it does not, with the reason.
        Invalid: when a parameter is not valid.
    """
    if principal.kind != "system":
        authorise(principal, Permission.MANAGE_RUNS)
    with hub.database.write() as session:
        plugin = runs.get_plugin(session, plugin_name)
        if not plugin.enabled:
            raise Conflict(f"The plugin {plugin_name} is switched off.")
        manifest = Manifest.from_json(plugin.manifest)
        try:
            checked = {name: _json(value) for name, value in manifest.values(parameters).items()}
        except FormatError as error:
            raise Invalid(f"A parameter of {plugin_name} is not valid: {error}.") from None
        check_agreement(hub, agreements.get(session, agreement_id), manifest, organisation)
        run = runs.add_run(
            session, plugin, agreement_id, organisation, principal.reference, checked, as_at=today(hub),
            schedule_id=schedule_id,
        )  # fmt: skip
        note(
            session, principal, "run.requested", run.id, agreement=agreement_id,
            detail={"plugin": plugin_name, "schedule": schedule_id},
        )  # fmt: skip
    return run


def check_agreement(hub: Hub, agreement: Agreement, manifest: Manifest, organisation: str) -> None:
    """Whether an agreement gives a plugin all it must have, for this organisation, today.

    Raises:
        Forbidden: with the reason in words.
    """
    for wanted in manifest.inputs:
        _check_coarse(agreement, wanted, manifest.name)
        if wanted.required:
            _grant(hub, agreement, wanted, manifest.name, organisation)


def _check_coarse(agreement: Agreement, wanted: Input, plugin: str) -> None:
    """Refuse a plugin that would be given text where it counts on exact values: now, and not when it runs."""
    for item in agreement.generalised(wanted.contract):
        if item.column in wanted.columns and item.column not in wanted.generalised:
            raise Forbidden(
                f"Refused: agreement {agreement.id} gives {item.column} of {wanted.contract} as {item.words} (text), "
                f"and the plugin {plugin} reads exact values: its manifest does not name the column under "
                "`generalised`. Use a plugin that does, or an agreement that gives the column exactly."
            )


def cancel(hub: Hub, principal: Principal, run_id: str) -> Run:
    """Cancel a run that waits or runs."""
    authorise(principal, Permission.MANAGE_RUNS)
    with hub.database.write() as session:
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


def _carry_out(hub: Hub, run: Run) -> None:
    ready = _ready(hub, run)
    sandbox = hub.sandbox()
    with hub.database.write() as session:
        runs.start_inputs(session, run.id, ready.prepared.versions, sandbox.isolation().level)
        note(
            session, _WORKER, "data.read", run.id, agreement=run.agreement_id, purpose=ready.agreement.purpose,
            detail={"plugin": run.plugin, "versions": ready.prepared.versions},
        )  # fmt: skip
    watch = _Watch(hub, run.id)
    outcome = sandbox.run(
        run.plugin, ready.prepared.tables, parameters=run.parameters, seed=run.seed, today=run.as_at,
        coverage=ready.prepared.coverage, resources=ready.manifest.resources, on_event=watch.event,
        cancelled=watch.cancelled, digest=run.plugin_digest,
    )  # fmt: skip
    _hold(hub, run, ready, outcome)


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
        for wanted in manifest.inputs:
            _check_coarse(agreement, wanted, manifest.name)
        people = _own_source(hub, session, agreement, PEOPLE_CONTRACT, manifest, run)
        index = _own_source(hub, session, agreement, INDEX_CONTRACT, manifest, run)
        linked = set(catalogue.parents(session, index.version.id)) if index else set()
        sources = {
            wanted.name: _sources(hub, session, agreement, wanted, run, linked)
            for wanted in manifest.inputs
            if wanted.contract != PEOPLE_CONTRACT
        }
    return _Ready(manifest, agreement, prepare(hub.vault, manifest, sources, people, index, agreement.id))


def _asked(hub: Hub, agreement: Agreement, wanted: Input, plugin: str, organisation: str) -> Asked:
    return Asked(
        "run plugin", wanted.contract, organisation, today(hub), frozenset(wanted.columns), plugin=plugin,
        agreement=agreement.id,
    )  # fmt: skip


def _grant(hub: Hub, agreement: Agreement, wanted: Input, plugin: str, organisation: str) -> Grant:
    """What the agreement gives of an input, whoever publishes it; what is read is decided dataset by dataset.

    Raises:
        Forbidden: when it gives nothing, with the reason.
    """
    if wanted.link and "link" not in agreement.operations:
        raise Forbidden(
            f"Refused: agreement {agreement.id} does not allow to link people, which {plugin} needs."
        )
    decision = decide_for_any(_asked(hub, agreement, wanted, plugin, organisation), [agreement])
    if decision.grant is None:
        raise Forbidden(f"Refused: {decision.reason}.")
    return decision.grant


def _sources(
    hub: Hub, session: Any, agreement: Agreement, wanted: Input, run: Run, linked: set[str]
) -> list[Source]:
    """The versions behind an input, of the publishers that the agreement names and no others.

    Current ones, or, where links are needed, those the index was made from.
    """
    try:
        _grant(hub, agreement, wanted, run.plugin, run.organisation)
    except Forbidden:
        if wanted.required:
            raise
        return []
    asked = _asked(hub, agreement, wanted, run.plugin, run.organisation)
    given = readable(session, asked, [agreement])
    if not given and wanted.required and (others := strangers(session, wanted.contract, agreement)):
        raise Conflict(
            f"There is no version of {wanted.contract} by {', '.join(agreement.publishers_of(wanted.contract))}, whom "
            f"agreement {agreement.id} names. {', '.join(others)} publish under this contract, but the agreement does "
            "not name them."
        )
    chosen = [
        (item, _linked_version(session, item, linked) if wanted.link else item.version) for item in given
    ]
    check_fit(session, wanted, [(item.name, version) for item, version in chosen])
    return [_source(hub, session, version, replace(item.grant, on=run.as_at)) for item, version in chosen]


def _linked_version(session: Any, item: Readable, linked: set[str]) -> Version:
    """The newest version of a dataset that the person index was made from."""
    if item.version.id in linked:
        return item.version
    for older in catalogue.versions(session, item.dataset.id):
        if older.id in linked:
            return older
    raise Conflict(
        f"The dataset {item.name} has not been linked yet; link first (hub link). If it stays so, its page says why "
        "it cannot be linked, or no agreement allows to link it."
    )


def _own_source(
    hub: Hub, session: Any, agreement: Agreement, contract: str, manifest: Manifest, run: Run
) -> Source | None:
    """The hub's people table or index, as far as the run needs it."""
    inputs = [item for item in manifest.inputs if item.link or item.contract == PEOPLE_CONTRACT]
    linked = linked_versions(session)  # both of one linking, whatever comes in between two statements
    if not inputs or linked is None:
        return None
    version = linked[0] if contract == PEOPLE_CONTRACT else linked[1]
    columns = frozenset({"person_id", "household_id"})
    if contract == PEOPLE_CONTRACT:
        for item in inputs:
            if item.contract == PEOPLE_CONTRACT:
                columns |= _grant(hub, agreement, item, run.plugin, run.organisation).columns
    else:
        columns = frozenset({"version_id", "source_row", "person_id"})
    if "link" not in agreement.operations:
        raise Forbidden(
            f"Refused: agreement {agreement.id} does not allow to link people, which {run.plugin} needs."
        )
    coarse = agreement.generalised(contract)
    grant = Grant(contract, columns, agreement.id, "links for a run", coarse, run.as_at)
    return _source(hub, session, version, grant)


def _source(hub: Hub, session: Any, version: Version, grant: Any) -> Source:
    file = hub.vault.locate(session, version.object_key, version.binding)
    contract = catalogue.contract_by_digest(session, version.contract_digest)
    start, end = given_period(contract, version, grant)
    return Source(replace(version, period_start=start, period_end=end), file, grant)


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
    for output in ready.manifest.outputs:
        checked = check_output(
            outcome.tables[output.name], output, ready.agreement.minimum_count, ready.agreement.round_to
        )
        schema = arrow_schema(output)
        kind = {"person": "special-category", "aggregate": "official", "open": "open"}[output.disclosure]
        file = hub.vault.write(
            owner, f"results/{result.id}/{output.name}.parquet", result.binding(output.name), [checked.table], schema,
            dict.fromkeys(schema.names, kind),
        )  # fmt: skip
        files.append(file)
        tables[output.name] = {
            "object": file.object_key, "rows": checked.table.num_rows, "disclosure": output.disclosure,
            "suppressed": checked.suppressed, "note": checked.note, "columns": schema.names,
        }  # fmt: skip
    report = f"results/{result.id}/report"
    hub.vault.write_blob(
        owner, report, result.binding("report"), json.dumps(outcome.report.to_json()).encode()
    )
    with hub.database.write() as session:
        if runs.get_run(session, run.id).state is RunState.CANCELLED:
            return
        hub.vault.register(session, owner, files)
        runs.add_result(session, Result(**result.__dict__ | {"tables": tables, "report": report}))
        runs.finish_run(
            session, run.id, "succeed", message="Finished; the result is held until somebody else releases it.",
            log=hub.vault.seal_text("\n".join(outcome.log)), seconds=outcome.seconds,
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
    with hub.database.write() as session:
        if runs.get_run(session, run.id).state is RunState.RUNNING:
            runs.finish_run(
                session, run.id, "fail", message=message, log=hub.vault.seal_text(log), seconds=seconds
            )
            note(session, _WORKER, "run.failed", run.id, agreement=run.agreement_id)


def _json(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
