"""What officers, departments, stewards and investigators do about people's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import flash, redirect, request, url_for

from hub.errors import Conflict, Forbidden, HubError, Invalid, NotFound
from hub.insights.people import PersonQuery
from hub.policy.roles import Permission
from hub.rights.states import RequestKind, RequestState
from hub.web import pages
from hub.web.handles import MINUTES, make_handle, open_handle
from hub.web.rendering import render
from hub.web.rights_forms import (
    ActForm,
    CodeForm,
    CorrectionForm,
    DeclineForm,
    DelayDecisionForm,
    DelayForm,
    FindForm,
    ObjectionForm,
    OpenForm,
)
from hub.web.sessions import me
from hub.web.views.citizen import zip_response
from hub.web.views.common import i_may
from hub.workflows import (
    rights,
    rights_citizen,
    rights_copies,
    rights_corrections,
    rights_delays,
    rights_objections,
    rights_people,
)
from hub.workflows.hub import today

if TYPE_CHECKING:
    from hub.workflows.hub import Hub
    from hub.workflows.rights import Shown

__all__ = ["VIEWS"]

_PAGE = 50
_WAYS: Final = {
    "name": ("forename", "surname", "date_of_birth"), "nhs": ("nhs_number",), "address": ("postcode", "uprn"),
}  # fmt: skip
_KEPT: Final = "rights person"


# --- the officer


def rights_requests(hub: Hub) -> Any:
    """Requests by the day they are due: those that wait, or all."""
    everything = bool(request.args.get("all"))
    after = request.args.get("after", "").split("~")
    found = rights.list_requests(
        hub, me(), only_open=not everything, limit=_PAGE + 1,
        after=(after[0][:10], after[1][:40]) if len(after) == 2 else None,
    )  # fmt: skip
    shown = found[:_PAGE]
    older = ""
    if len(found) > _PAGE:
        place = f"{shown[-1].due_on}~{shown[-1].id}"
        older = url_for("web.rights_requests", after=place, all="yes" if everything else None)
    return render(
        pages.RightsRequestsPage(requests=tuple(shown), on=today(hub), everything=everything, older=older)
    )


def rights_find(hub: Hub) -> Any:
    """Look for the person who asks. Nothing of what is typed stands in an address or a cookie."""
    form = FindForm()
    if request.method == "GET":
        return render(pages.RightsFindPage(form=form))
    if not form.validate_on_submit():
        return render(pages.RightsFindPage(form=form), 422)
    query = PersonQuery(**{name: form[name].data for name in _WAYS[form.way.data] if form[name].data})
    try:
        people = rights_people.find_person(hub, me(), query, form.reason.data)
    except (Invalid, Conflict) as error:
        form.form_errors = [error.detail.rstrip(".")]
        return render(pages.RightsFindPage(form=form), 422)
    hits = tuple((make_handle(hub, _KEPT, me(), {"person": one.person_id}), one) for one in people)
    return render(pages.RightsFindPage(form=form, found=hits))


def rights_person(hub: Hub, handle: str) -> Any:
    """Write down what a person asks for, or give them a code."""
    content = open_handle(hub, _KEPT, me(), handle)
    if content is None:
        raise NotFound(
            f"A link to a person works for {MINUTES} minutes, and only for you. Look for them again."
        )
    opening, coding, code = OpenForm(), CodeForm(), ""
    if request.method == "GET":
        return _person(hub, OpenForm(received_on=today(hub)), coding)
    asked = request.form.get("do")
    form: Any = coding if asked == "code" else opening
    other = OpenForm(formdata=None) if asked == "code" else CodeForm(formdata=None)
    pair = (other, coding) if asked == "code" else (opening, other)
    if not form.validate_on_submit():
        return _person(hub, *pair, status=422)
    try:
        if asked == "code":
            code = rights_citizen.make_code(hub, me(), content["person"], form.born.data, form.checked.data)
            return _person(hub, OpenForm(formdata=None), CodeForm(formdata=None), code)
        made = rights.open_request(
            hub, me(), content["person"], RequestKind(form.kind.data), form.wish.data, form.received_on.data,
            (form.agreement.data or "") if form.kind.data == "objection" else "",
        )  # fmt: skip
    except (Invalid, Conflict) as error:
        form.form_errors = [error.detail.rstrip(".")]
        return _person(hub, *pair, status=422)
    return redirect(url_for("web.rights_request", rights_id=made.id), 303)


def _person(hub: Hub, opening: Any, coding: Any, code: str = "", status: int = 200) -> Any:
    days = hub.settings.rights_code_days
    return render(pages.RightsPersonPage(open_form=opening, code_form=coding, code=code, days=days), status)


def rights_request(hub: Hub, rights_id: str) -> Any:
    """One request, and what can be done with it."""
    if request.method == "GET":
        return _request(hub, rights_id, None)
    shown = rights.read_request(hub, me(), rights_id)
    form = ActForm().offer(_acts(shown))
    if not form.validate_on_submit():
        return _request(hub, rights_id, form, shown)
    try:
        _act(hub, rights_id, form)
    except (Conflict, Invalid, Forbidden) as error:
        form.form_errors = [error.detail.rstrip(".")]
        return _request(hub, rights_id, form, shown)
    flash(_DONE[form.act.data])
    return redirect(url_for("web.rights_request", rights_id=rights_id), 303)


_DONE: Final = {
    "take": "You have taken the request in hand", "copy": "The copy is made. Look at it before you answer",
    "restrict": "Their data is restricted", "lift": "The restriction is lifted", "ask": "The stewards are asked",
    "extend": "The request is extended. Tell the person today", "answer": "The request is answered",
    "refuse": "The request is refused", "withdraw": "The request is withdrawn",
}  # fmt: skip


def _acts(shown: Shown) -> list[str]:
    """What an officer can do with a request now."""
    item, acts = shown.request, []
    in_hand = item.state is RequestState.IN_HAND
    acts += [event for event in ("take",) if event in shown.events]
    if in_hand and item.kind is RequestKind.ACCESS:
        acts.append("copy")
    restricted = any(one.ended_at is None for one in shown.restrictions)
    if item.kind in (RequestKind.RESTRICTION, RequestKind.RECTIFICATION) and in_hand and not restricted:
        acts.append("restrict")
    if in_hand and item.kind is RequestKind.OBJECTION and item.answer is None:
        acts.append("ask")
    if restricted and not (item.kind is RequestKind.OBJECTION and item.is_open):
        acts.append("lift")
    acts += [event for event in ("answer", "refuse", "withdraw") if event in shown.events]
    if item.is_open and item.extended_at is None:
        acts.append("extend")
    return acts


def _act(hub: Hub, rights_id: str, form: ActForm) -> None:
    act, text = form.act.data, form.text.data or ""
    silent = {"take": rights.take, "restrict": rights.restrict, "ask": rights_objections.ask_steward}
    spoken = {
        "lift": rights.lift, "extend": rights.extend, "answer": rights.answer, "refuse": rights.refuse,
        "withdraw": rights.withdraw,
    }  # fmt: skip
    if act == "copy":
        names = (form.leave_out.data or "").replace(",", " ").split()
        rights_copies.make_copy(hub, me(), rights_id, names)
    elif act in silent:
        silent[act](hub, me(), rights_id)
    else:
        spoken[act](hub, me(), rights_id, text)


def _request(hub: Hub, rights_id: str, form: ActForm | None, shown: Shown | None = None) -> Any:
    shown = shown or rights.read_request(hub, me(), rights_id)
    acts = _acts(shown)
    parts = rights_copies.contents(hub, shown.copy) if shown.copy is not None else []
    tasks = rights_corrections.tasks_of_request(hub, me(), rights_id)
    offered = form or (ActForm(formdata=None).offer(acts) if acts else None)
    page = pages.RightsRequestPage(shown=shown, form=offered, parts=tuple(parts), tasks=tuple(tasks))
    return render(page, 422 if form is not None else 200)


def rights_copy(hub: Hub, rights_id: str) -> Any:
    """The copy, for the officer who has to look at it."""
    return zip_response(rights_copies.fetch(hub, me(), rights_id), f"copy-{rights_id}")


def rights_rows(hub: Hub, rights_id: str) -> Any:
    """The rows about a person, and a correction to send."""
    rows = rights_corrections.rows_to_correct(hub, me(), rights_id)
    offered = [
        (f"{row.dataset_id}~{row.row}", f"{row.title}, {row.organisation}, row {number}")
        for number, row in enumerate(rows, 1)
    ]
    form = CorrectionForm().offer(offered)
    page = pages.RightsRowsPage(request_id=rights_id, rows=tuple(rows), form=form)
    if request.method == "GET" or not form.validate_on_submit():
        return render(page, 200 if request.method == "GET" else 422)
    dataset_id, _, row = form.where.data.partition("~")
    try:
        rights_corrections.send(
            hub, me(), rights_id, dataset_id, int(row), form.column.data, form.should.data
        )
    except (Invalid, Conflict, NotFound) as error:
        form.form_errors = [error.detail.rstrip(".")]
        return render(page, 422)
    flash("The correction is sent to the department")
    return redirect(url_for("web.rights_request", rights_id=rights_id), 303)


# --- the department, the steward


def corrections(hub: Hub) -> Any:
    """Corrections that wait for the department."""
    found = rights_corrections.list_tasks(hub, me())
    titles = rights_corrections.titles(hub, me(), found)
    return render(pages.CorrectionsPage(corrections=tuple((item, titles[item.dataset_id]) for item in found)))


def correction(hub: Hub, correction_id: str) -> Any:
    """One correction; the department says why it does not change the value, or just sends its data mended."""
    task, form = rights_corrections.read_task(hub, me(), correction_id), DeclineForm()
    if request.method == "GET" or not form.validate_on_submit():
        open_still = task.correction.state == "sent"
        page = pages.CorrectionPage(task=task, form=form if open_still else None)
        return render(page, 200 if request.method == "GET" else 422)
    rights_corrections.decline(hub, me(), correction_id, form.reason.data)
    flash("Your answer is sent")
    return redirect(url_for("web.corrections"), 303)


def objections(hub: Hub) -> Any:
    """Objections that wait for a steward."""
    return render(pages.ObjectionsPage(objections=tuple(rights_objections.list_objections(hub, me()))))


def objection(hub: Hub, rights_id: str) -> Any:
    """One objection, and the decision about it."""
    found = [item for item in rights_objections.list_objections(hub, me()) if item.request.id == rights_id]
    if not found:
        raise NotFound(f"There is no objection {rights_id} that waits for you.")
    form = ObjectionForm()
    if request.method == "GET" or not form.validate_on_submit():
        return render(pages.ObjectionPage(shown=found[0], form=form), 200 if request.method == "GET" else 422)
    try:
        rights_objections.decide_objection(
            hub, me(), rights_id, uphold=form.decision.data == "uphold", reason=form.reason.data
        )
    except (Conflict, Forbidden) as error:
        form.form_errors = [error.detail.rstrip(".")]
        return render(pages.ObjectionPage(shown=found[0], form=form), 422)
    flash("Your decision is kept. The officer tells the person")
    return redirect(url_for("web.objections"), 303)


# --- delays


def delays(hub: Hub) -> Any:
    """Delays of the organisation's own entries; an investigating officer asks for one here."""
    form = DelayForm()
    if request.method == "POST" and request.form.get("end"):
        rights_delays.end(hub, me(), request.form["end"])
        flash("The delay has ended")
        return redirect(url_for("web.delays"), 303)
    if request.method == "GET" or not form.validate_on_submit():
        return _delays(hub, form, "delays", 200 if request.method == "GET" else 422)
    try:
        rights_delays.ask(hub, me(), form.entry.data, form.reason.data, form.months.data)
    except HubError as error:
        form.form_errors = [error.detail.rstrip(".")]
        return _delays(hub, form, "delays", 422)
    flash("The delay is asked for. Somebody else decides about it")
    return redirect(url_for("web.delays"), 303)


def delay_decisions(hub: Hub) -> Any:
    """Delays that somebody else asked for, and the decision about them."""
    if request.method == "GET":
        return _delays(hub, None, "delay_decisions", 200)
    if request.form.get("end"):
        rights_delays.end(hub, me(), request.form["end"])
        flash("The delay has ended")
        return redirect(url_for("web.delay_decisions"), 303)
    which = str(request.form.get("which", ""))[:40]
    form = _deciding(which)
    if form.validate_on_submit():
        try:
            rights_delays.decide(
                hub, me(), which, approve=form.decision.data == "approve", reason=form.reason.data
            )
            flash("Your decision is kept")
            return redirect(url_for("web.delay_decisions"), 303)
        except (Conflict, Forbidden) as error:
            form.form_errors = [error.detail.rstrip(".")]
    return _delays(hub, None, "delay_decisions", 422, {which: form})


def _deciding(delay_id: str, **options: Any) -> DelayDecisionForm:
    """The form of one of several delays on a page; the page as a whole is guarded against cross-site requests."""
    return DelayDecisionForm(prefix=f"{delay_id}-", meta={"csrf": False}, **options)


def _delays(
    hub: Hub, form: DelayForm | None, place: str, status: int, wrong: dict[str, Any] | None = None
) -> Any:
    found = rights_delays.list_delays(hub, me())
    decisions = {
        item.delay.id: (wrong or {}).get(item.delay.id) or _deciding(item.delay.id, formdata=None)
        for item in found
        if item.may_decide and place == "delay_decisions"
    }
    asking = form if i_may(Permission.DELAY_ENTRIES) else None
    page = pages.DelaysPage(
        delays=tuple(found), most=hub.settings.delay_months, form=asking, decisions=decisions, place=place
    )
    return render(page, status)


VIEWS = {
    "rights_requests": rights_requests, "rights_find": rights_find, "rights_person": rights_person,
    "rights_request": rights_request, "rights_copy": rights_copy, "rights_rows": rights_rows,
    "corrections": corrections, "correction": correction, "objections": objections, "objection": objection,
    "delays": delays, "delay_decisions": delay_decisions,
}  # fmt: skip
