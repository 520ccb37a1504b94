"""Plugins, runs and results, and deciding about results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import flash, redirect, request, url_for

from hub.errors import Forbidden, NotFound
from hub.policy.roles import Permission, require
from hub.web import pages
from hub.web.forms import DecisionForm
from hub.web.rendering import render
from hub.web.reports import MOST_ROWS, view_report, view_table
from hub.web.sessions import me
from hub.web.views.common import csv_response, i_may, name_of_slug, plugin_titles
from hub.workflows import agreeing, overview, reidentifying, releasing, scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.runs.store import Plugin, Result, Run
    from hub.workflows.hub import Hub
    from hub.workflows.releasing import ListedResult, ShownResult

__all__ = ["VIEWS", "run_lines", "upcoming"]

_PAGE = 50
_LAST_RUNS = 10
_DONE = {
    "release": "The result was released.",
    "reject": "The result stays closed.",
    "withdraw": "The result was withdrawn.",
}


# --- lines that other pages show, too


def run_lines(
    hub: Hub, listed: Sequence[tuple[Run, Result | None]], titles: Mapping[str, str]
) -> tuple[pages.RunLine, ...]:
    """Runs in a list, each with a link to its result for those who may open it."""
    opened = releasing.opened(hub, me(), listed)
    return tuple(
        pages.RunLine(
            run,
            titles.get(run.plugin, run.plugin),
            result.id if result is not None and result.id in opened else None,
            result.state if result is not None else None,
        )
        for run, result in listed
    )


def upcoming(hub: Hub, titles: Mapping[str, str]) -> tuple[pages.Upcoming, ...]:
    """The schedules, soonest first."""
    return tuple(
        pages.Upcoming(item, titles.get(item.plugin, item.plugin), at)
        for item, at in scheduling.upcoming(hub, me())
    )


# --- plugins


def plugins(hub: Hub) -> Any:
    """The plugins there are, and how they are isolated."""
    titles = plugin_titles(hub)
    planned = upcoming(hub, titles)
    lines = []
    for item in overview.plugins(hub, me()):
        last = overview.runs_page(hub, me(), plugin=item.name, limit=1)
        lines.append(
            pages.PluginLine(
                item,
                tuple(one for one in planned if one.schedule.plugin == item.name),
                run_lines(hub, last, titles)[0] if last else None,
            )
        )
    return render(pages.PluginsPage(plugins=tuple(lines), isolation=overview.isolation(hub, me())))


def plugin(hub: Hub, name: str) -> Any:
    """One plugin: what it reads and hands back, when it runs, under which agreements."""
    item = _plugin(hub, name)
    titles = {item.name: str(item.manifest["title"])}
    contracts = overview.contracts(hub, me(), [wanted["contract"] for wanted in item.manifest["inputs"]])
    return render(
        pages.PluginPage(
            plugin=item,
            isolation=overview.isolation(hub, me()),
            upcoming=tuple(one for one in upcoming(hub, titles) if one.schedule.plugin == name),
            runs=run_lines(hub, overview.runs_page(hub, me(), plugin=name, limit=_LAST_RUNS), titles),
            agreements=tuple(one for one in agreeing.list_agreements(hub, me()) if name in one.plugins),
            titles={contract.id: contract.title for contract in contracts.values()},
        )
    )


def _plugin(hub: Hub, name: str) -> Plugin:
    found = next((item for item in overview.plugins(hub, me()) if item.name == name), None)
    if found is None:
        raise NotFound("The hub has no plugin of this name.")
    return found


# --- runs


def runs(hub: Hub) -> Any:
    """Runs, newest first; of one plugin if the address names it."""
    name, titles = request.args.get("plugin") or None, plugin_titles(hub)
    found = overview.runs_page(hub, me(), before=request.args.get("before"), limit=_PAGE + 1, plugin=name)
    shown = found[:_PAGE]
    return render(
        pages.RunsPage(
            runs=run_lines(hub, shown, titles),
            older=shown[-1][0].id if len(found) > _PAGE else None,
            plugin=name or "",
        )
    )


def run(hub: Hub, run_id: str) -> Any:
    """One run: how far it is, what went in, what came out."""
    item, result = overview.run_page(hub, me(), run_id)
    titles = plugin_titles(hub)
    return render(
        pages.RunPage(
            run=item,
            plugin=_plugin(hub, item.plugin),
            agreement_title=agreeing.read(hub, me(), item.agreement_id)[0].title,
            organisation=name_of_slug(hub, item.organisation),
            inputs=_inputs(hub, item),
            opted_out=overview.opted_out(hub, me(), run_id),
            outcome=run_lines(hub, [(item, result)], titles)[0],
        )
    )


def _inputs(hub: Hub, item: Run) -> tuple[pages.RunInput, ...]:
    """What the run read. A plugin that changed since may declare other inputs: those it had then are shown."""
    if not item.inputs:
        return ()
    declared = {wanted["name"]: wanted for wanted in _plugin(hub, item.plugin).manifest["inputs"]}
    known = overview.versions(hub, me(), [ident for ids in item.inputs.values() for ident in ids])
    wanted_contracts = [wanted["contract"] for wanted in declared.values()]
    titles = {one.id: one.title for one in overview.contracts(hub, me(), wanted_contracts).values()}
    lines = []
    for name in dict.fromkeys([*declared, *item.inputs]):
        used = [known[ident] for ident in item.inputs.get(name, ()) if ident in known]
        contract, title = (used[0][1].contract, used[0][1].title) if used else ("", name)
        wanted = declared.get(name, {"contract": contract, "columns": (), "required": True})
        lines.append(
            pages.RunInput(
                name, wanted["contract"], titles.get(wanted["contract"], title), tuple(wanted["columns"]),
                wanted["required"],
                tuple((dataset.id, home.name, version.number) for version, dataset, home in used),
            )
        )  # fmt: skip
    return tuple(lines)


# --- results


def results(hub: Hub) -> Any:
    """Results that this person may open; those that wait for a decision first."""
    lines = [(item.result.state, _result_line(item)) for item in releasing.list_results(hub, me())]
    return render(
        pages.ResultsPage(
            waiting=tuple(line for state, line in lines if state == "held"),
            decided=tuple(line for state, line in lines if state != "held"),
        )
    )


def _result_line(item: ListedResult) -> pages.ResultLine:
    return pages.ResultLine(item.result, item.run, str(item.plugin.manifest["title"]))


def result(hub: Hub, result_id: str) -> Any:
    """One result with its report; an output checker decides about it here."""
    shown = releasing.read_result(hub, me(), result_id, preview_rows=MOST_ROWS)
    form = DecisionForm().offer(shown.events) if shown.events else None
    if form is not None and form.validate_on_submit():
        releasing.decide(hub, me(), result_id, form.decision.data, form.reason.data)
        flash(_DONE[form.decision.data])
        return redirect(url_for("web.result", result_id=result_id), 303)
    if request.method == "POST" and form is None:
        require(me().roles, Permission.REVIEW_RESULTS)
        raise Forbidden(shown.why_not or "Nothing more can be decided about this result.")
    return render(_result_page(hub, shown, form), 422 if form is not None and form.errors else 200)


def _result_page(hub: Hub, shown: ShownResult, form: DecisionForm | None) -> pages.ResultPage:
    agreement, _ = agreeing.read(hub, me(), shown.run.agreement_id)
    outputs = []
    for name, terms in shown.result.tables.items():
        rows = shown.previews.get(name)
        preview = None
        if rows is not None:
            cells = [tuple(row.values()) for row in rows.to_pylist()]
            preview = view_table(name, rows.column_names, cells)
        outputs.append(pages.OutputView(name, terms["rows"], terms["disclosure"], terms["note"], preview))
    return pages.ResultPage(
        result=shown.result,
        run=shown.run,
        plugin_title=str(shown.plugin.manifest["title"]),
        agreement_title=agreement.title,
        report=view_report(shown.report),
        outputs=tuple(outputs),
        form=form,
        why_not=shown.why_not,
        decided_by=shown.decided_by,
        reason=shown.reason,
        reidentify=shown.result.state == "released"
        and i_may(Permission.REIDENTIFY)
        and not reidentifying.why_not(hub, me(), shown.result.id),
    )


def result_table(hub: Hub, result_id: str, table: str) -> Any:
    """One table of a result as CSV."""
    return csv_response(releasing.read_table(hub, me(), result_id, table), table)


VIEWS = {
    "plugins": plugins, "plugin": plugin, "runs": runs, "run": run, "results": results, "result": result,
    "result_table": result_table,
}  # fmt: skip
