"""Asking for data, one question a page, and answering requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import flash, redirect, request, url_for

from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.policy.asking import OPEN
from hub.policy.roles import Permission, require
from hub.web import pages
from hub.web.question_forms import RequestActionForm, RequestDecisionForm, RequestReplyForm, question_form
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.views.common import i_may, name_of_slug
from hub.workflows import requesting

if TYPE_CHECKING:
    from hub.policy.asking import Question
    from hub.web.forms import Form
    from hub.workflows.hub import Hub
    from hub.workflows.requesting import ShownRequest

__all__ = ["VIEWS", "waiting_requests"]

_PAGE = 50
_DONE = {
    "return": "Your question was sent. The request comes back to you with the answer.",
    "refuse": "The request was refused.",
    "accept": "The request was accepted, and the hub has drafted an agreement.",
}


def ask(hub: Hub, dataset_id: str) -> Any:
    """What will be asked about a dataset and what is known already; then begin."""
    asked = requesting.prepare(hub, me(), dataset_id)
    form = RequestActionForm()
    if form.validate_on_submit():
        begun = requesting.begin(hub, me(), dataset_id)
        return redirect(_question_url(begun.id, asked.questions[0].key), 303)
    return render(
        pages.AskPage(
            dataset_id=dataset_id, asked=asked, publisher=name_of_slug(hub, asked.about.publisher), form=form
        )
    )


def request_question(hub: Hub, request_id: str, key: str) -> Any:
    """One question; the next comes after it, or checking the answers where one came from there."""
    shown = _writable(hub, request_id)
    order = [item.question for item in shown.answers]
    place = next((number for number, item in enumerate(order) if item.key == key), None)
    if place is None:
        raise NotFound("There is no such question in this request.")
    answered = shown.answers[place]
    form = question_form(answered.question, shown.about, answered.value)
    if form.validate_on_submit() and _answered(hub, request_id, answered.question, form):
        return redirect(_next(hub, request_id, key), 303)
    columns = {
        item.name: f"{item.description} ({item.classification.replace('-', ' ')})"
        for item in shown.about.contract.columns
    }
    return render(
        pages.QuestionPage(
            request_id=request_id, about=shown.about, question=answered.question, form=form, number=place + 1,
            count=len(order), back=_back(request_id, order, place), source=answered.source, columns=columns,
        ),
        422 if form.errors else 200,
    )  # fmt: skip


def _answered(hub: Hub, request_id: str, question: Question, form: Form) -> bool:
    field: Any = form["answer"]
    value = field.data.isoformat() if question.kind == "day" and field.data else field.data
    try:
        requesting.answer(hub, me(), request_id, question.key, value)
    except Invalid as error:
        field.errors = [str(problem) for problem in error.fields.get(question.key, [error.detail])]  # type: ignore[attr-defined]
        return False
    return True


def _writable(hub: Hub, request_id: str) -> ShownRequest:
    """One's own request, as long as its answers can be changed."""
    shown = requesting.read(hub, me(), request_id)
    if shown.request.asked_by != me().reference:
        raise NotFound(f"There is no request {request_id}.")
    if shown.request.state not in OPEN:
        raise Conflict("This request was sent, so its answers cannot be changed now.")
    return shown


def _question_url(request_id: str, key: str) -> str:
    return url_for("web.request_question", request_id=request_id, key=key)


def _next(hub: Hub, request_id: str, key: str) -> str:
    """Where one goes on after a question; what was asked may have changed by its answer."""
    order = [item.question.key for item in requesting.read(hub, me(), request_id).answers]
    after = order[order.index(key) + 1 :] if key in order else []
    if "check" in request.args or not after:
        return url_for("web.request_check", request_id=request_id)
    return _question_url(request_id, after[0])


def _back(request_id: str, order: list[Question], place: int) -> str:
    if "check" in request.args:
        return url_for("web.request_check", request_id=request_id)
    if place == 0:
        return url_for("web.requests")
    return _question_url(request_id, order[place - 1].key)


def request_check(hub: Hub, request_id: str) -> Any:
    """All answers on one page; then send."""
    shown = _writable(hub, request_id)
    form = RequestActionForm()
    if shown.request.state == "returned":
        return redirect(url_for("web.request", request_id=request_id), 303)
    if form.validate_on_submit() and not shown.left:
        requesting.ask(hub, me(), request_id)
        flash(f"Your request was sent to {shown.publisher}.")
        return redirect(url_for("web.request", request_id=request_id), 303)
    return render(pages.RequestCheckPage(shown=shown, form=form), 422 if request.method == "POST" else 200)


def requests(hub: Hub) -> Any:
    """Requests, newest first."""
    found = requesting.list_requests(hub, me(), before=request.args.get("before"), limit=_PAGE + 1)
    shown = found[:_PAGE]
    return render(
        pages.RequestsPage(requests=tuple(shown), older=shown[-1].request.id if len(found) > _PAGE else None)
    )


def one_request(hub: Hub, request_id: str) -> Any:
    """One request with its story; both sides act here."""
    shown = requesting.read(hub, me(), request_id)
    verdicts = [act for act in ("return", "refuse", "accept") if act in shown.acts]
    decision = RequestDecisionForm(prefix="decide").offer(verdicts) if verdicts else None
    reply = RequestReplyForm(prefix="reply") if "answer" in shown.acts else None
    withdraw = RequestActionForm(prefix="withdraw") if "withdraw" in shown.acts else None
    if request.method == "POST":
        done = _acted(hub, shown, decision, reply)
        if done is not None:
            return done
    page = pages.RequestPage(shown=shown, decision=decision, reply=reply, withdraw=withdraw)
    return render(page, 422 if page.has_errors else 200)


def _acted(
    hub: Hub, shown: ShownRequest, decision: RequestDecisionForm | None, reply: RequestReplyForm | None
) -> Any:
    """What was asked for in a form; None when it cannot be done so and the form says why."""
    here = url_for("web.request", request_id=shown.request.id)
    act = request.form.get("act")
    if act == "withdraw" and "withdraw" in shown.acts:
        requesting.withdraw(hub, me(), shown.request.id)
        flash("Your request was withdrawn.")
        return redirect(here, 303)
    if act == "decide" and decision is not None:
        return _try(decision, lambda: _decided(hub, shown, decision), here)
    if act == "reply" and reply is not None:
        return _try(reply, lambda: _replied(hub, shown, reply), here)
    if act in ("decide", ""):
        require(me().roles, Permission.ANSWER_REQUESTS)
    raise Forbidden(
        shown.why_not or "You cannot do that with this request now. Open it anew to see what you can do."
    )


def _try(form: Any, act: Any, here: str) -> Any:
    if not form.validate():
        return None
    try:
        act()
    except (Invalid, Conflict) as error:
        form.words.errors = [error.detail]
        return None
    return redirect(here, 303)


def _decided(hub: Hub, shown: ShownRequest, form: RequestDecisionForm) -> None:
    requesting.decide(hub, me(), shown.request.id, form.decision.data, form.words.data)
    flash(_DONE[form.decision.data])


def _replied(hub: Hub, shown: ShownRequest, form: RequestReplyForm) -> None:
    requesting.reply(hub, me(), shown.request.id, form.words.data)
    flash(f"Your answer was sent to {shown.publisher}.")


def waiting_requests(hub: Hub) -> tuple[pages.Attention, ...]:
    """Requests that wait for this very person, for the first page."""
    if not i_may(Permission.READ_REQUESTS):
        return ()
    found = []
    for item in requesting.waiting(hub, me()):
        asked_back = item.request.state == "returned"
        text = (
            f"{item.publisher} asked back about your request for {item.title}"
            if asked_back
            else f"{item.organisation} asks for {item.title}"
        )
        href = url_for("web.request", request_id=item.request.id)
        found.append(
            pages.Attention(text, href, "Answer" if asked_back else "Decide", item.request.changed_at)
        )
    return tuple(found)


VIEWS = {
    "ask": ask, "requests": requests, "request": one_request, "request_question": request_question,
    "request_check": request_check,
}  # fmt: skip
