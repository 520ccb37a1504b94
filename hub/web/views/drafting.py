"""Writing an agreement, one question a page, or as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flask import flash, redirect, request, url_for

from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.policy import questions
from hub.policy.powers import POWERS, objective_words, power_words
from hub.policy.record import OPERATIONS
from hub.policy.roles import PERSON_ROLES
from hub.web import pages
from hub.web.forms_agreements import (
    DatasetChoiceForm,
    DatasetColumnsForm,
    EmptyForm,
    StartForm,
    UploadAgreementForm,
    answers_of,
    question_form,
)
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.text import clean
from hub.web.views.common import organisations, plugin_titles
from hub.workflows import agreeing, drafting

if TYPE_CHECKING:
    from hub.policy.drafts import Draft
    from hub.policy.questions import Field
    from hub.workflows.hub import Hub

__all__ = ["VIEWS", "draft_lines"]

_MOST_FILE: Final = 200_000


def draft_lines(hub: Hub) -> tuple[pages.DraftLine, ...]:
    """What one's organisation is writing."""
    return tuple(
        pages.DraftLine(
            item.id, str(item.answers.get("title") or "An agreement without a name"), item.changed_at
        )
        for item in drafting.list_drafts(hub, me())
    )


def agreement_start(hub: Hub) -> Any:
    """How to begin: questions, a copy, or a file."""
    form = StartForm().offer([(item.id, item.title) for item in agreeing.list_agreements(hub, me())])
    if form.validate_on_submit():
        if form.way.data == "upload":
            return redirect(url_for("web.agreement_upload"), 303)
        begun = drafting.begin(hub, me(), like=form.like.data if form.way.data == "like" else "")
        return redirect(_url(begun.id, questions.QUESTIONS[0].id), 303)
    return render(pages.StartPage(form=form), 422 if form.errors else 200)


def agreement_upload(hub: Hub) -> Any:
    """An agreement as YAML: it becomes a draft at once."""
    form, problems = UploadAgreementForm(), ()
    if form.validate_on_submit():
        try:
            made = agreeing.draft(hub, me(), form.file.data.stream.read(_MOST_FILE + 1).decode("utf-8-sig"))
        except UnicodeDecodeError:
            form.file.errors = ["The file must be text in UTF-8"]
        except (Invalid, Conflict, Forbidden) as error:
            form.file.errors = [clean(error.detail)]
            problems = tuple(f"{clean(name)}: {clean(_flat(what))}" for name, what in error.fields.items())
        else:
            flash("The agreement is a draft. Read it as it will be read, then hand it in for review.")
            return redirect(url_for("web.agreement", agreement_id=made.id), 303)
    return render(pages.UploadAgreementPage(form=form, problems=problems), 422 if form.errors else 200)


def _flat(problem: object) -> str:
    if isinstance(problem, Mapping):
        return "; ".join(f"{name}: {_flat(value)}" for name, value in problem.items())
    if isinstance(problem, list):
        return " ".join(_flat(item) for item in problem)
    return str(problem)


def agreement_question(hub: Hub, draft_id: str, question: str) -> Any:
    """One question; its answer is saved, and the next comes."""
    draft = drafting.read_draft(hub, me(), draft_id)
    found = questions.question(question)
    if found is None:
        raise NotFound("There is no such question.")
    if found.id == "datasets":
        return _datasets(hub, draft)
    form = question_form(found, draft.answers, _lists(hub, draft))
    if form.validate_on_submit():
        answers = answers_of(found, form)
        if answers.get("legal_power", draft.answers.get("legal_power")) != draft.answers.get("legal_power"):
            answers |= {"objective": "", "listed_bodies": {}}  # both belong to the power
        draft = drafting.save(hub, me(), draft_id, answers)
        return redirect(_onward(draft, found.id), 303)
    number, count = _place(draft, found.id)
    page = pages.DraftQuestionPage(
        draft_id=draft_id, question=found, form=form, number=number, count=count, back=_back(draft, found.id)
    )
    return render(page, 422 if form.errors else 200)


def _order(draft: Draft) -> list[str]:
    return [item.id for item in questions.asked(draft.answers)]


def _place(draft: Draft, ident: str) -> tuple[int, int]:
    order = _order(draft)
    return (order.index(ident) + 1 if ident in order else len(order)), len(order)


def _url(draft_id: str, ident: str) -> str:
    return url_for("web.agreement_question", draft_id=draft_id, question=ident)


def _onward(draft: Draft, ident: str) -> str:
    """Where one goes on: back to checking where one came from there, else to the next question."""
    order = _order(draft)
    after = order[order.index(ident) + 1 :] if ident in order else []
    if "check" in request.args or not after:
        return url_for("web.agreement_draft", draft_id=draft.id)
    return _url(draft.id, after[0])


def _back(draft: Draft, ident: str) -> str:
    order = _order(draft)
    place = order.index(ident) if ident in order else 0
    if "check" in request.args:
        return url_for("web.agreement_draft", draft_id=draft.id)
    return _url(draft.id, order[place - 1]) if place else url_for("web.agreements")


def _lists(hub: Hub, draft: Draft) -> dict[str, Sequence[tuple[str, str]]]:
    """The choices that questions name."""
    power = POWERS.get(str(draft.answers.get("legal_power", "")))
    named = sorted((item.slug, item.name) for item in organisations(hub, me()).values())
    return {
        "organisations": [(slug, f"{name} ({slug})") for slug, name in named],
        "roles": [(role, role.capitalize()) for role in PERSON_ROLES],
        "operations": [(name, name.capitalize()) for name in OPERATIONS],
        "plugins": sorted(plugin_titles(hub).items()),
        "powers": [(item.id, f"{item.title} ({item.source})") for item in POWERS.values()],
        "objectives": [(item.id, item.title) for item in power.objectives] if power else [],
    }


def _datasets(hub: Hub, draft: Draft) -> Any:
    """Which data: entries that were chosen, with a way to take one out, and a choice of more."""
    offered = drafting.offered(hub, me())
    entries = [item for item in draft.answers.get("datasets") or () if isinstance(item, Mapping)]
    names = {item.slug: item.name for item in organisations(hub, me()).values()}
    form = DatasetChoiceForm().offer(
        [
            (item.value, f"{item.contract.title}, {names.get(item.publisher, item.publisher)}")
            for item in offered
        ]
    )
    if request.form.get("remove") and EmptyForm().validate_on_submit():
        place = request.form["remove"]
        kept = [item for number, item in enumerate(entries) if str(number) != place]
        drafting.save(hub, me(), draft.id, {"datasets": kept})
        return redirect(_url(draft.id, "datasets"), 303)
    if form.validate_on_submit():
        publisher, _, contract = form.dataset.data.partition("/")
        return redirect(
            url_for("web.agreement_columns", draft_id=draft.id, publisher=publisher, contract=contract), 303
        )
    number, count = _place(draft, "datasets")
    page = pages.DatasetsQuestionPage(
        draft_id=draft.id, form=form, number=number, count=count, back=_back(draft, "datasets"),
        onward=_onward(draft, "datasets"), chosen=tuple(entries),
        names={**names, **{item.contract.id: item.contract.title for item in offered}},
    )  # fmt: skip
    return render(page, 422 if form.errors else 200)


def agreement_columns(hub: Hub, draft_id: str, publisher: str, contract: str) -> Any:
    """Which columns of one dataset, why, and how exactly."""
    draft = drafting.read_draft(hub, me(), draft_id)
    found = next(
        (item for item in drafting.offered(hub, me()) if (item.publisher, item.contract.id) == (publisher, contract)),
        None,
    )  # fmt: skip
    if found is None:
        raise NotFound("There is no such dataset.")
    entries = [item for item in draft.answers.get("datasets") or () if isinstance(item, Mapping)]
    place = next((number for number, item in enumerate(entries) if _same(item, publisher, contract)), None)
    before = entries[place] if place is not None else {}
    coarse = "\n".join(f"{name}: {how}" for name, how in (before.get("generalise") or {}).items())
    form = DatasetColumnsForm(
        data={"columns": before.get("columns"), "why": before.get("why", ""), "generalise": coarse}
    ).offer([(item.name, item.name) for item in found.contract.columns])
    if form.validate_on_submit():
        entry: dict[str, Any] = {"contract": contract, "columns": form.columns.data, "why": form.why.data}
        if publisher != "hub":
            entry["publishers"] = [publisher]
        pairs = (line.partition(":") for line in (form.generalise.data or "").splitlines() if line.strip())
        if exact := {name.strip(): how.strip() for name, _, how in pairs}:
            entry["generalise"] = exact
        entries = [item for number, item in enumerate(entries) if number != place] + [entry]
        drafting.save(hub, me(), draft_id, {"datasets": entries})
        return redirect(_url(draft_id, "datasets"), 303)
    page = pages.ColumnsPage(
        draft_id=draft_id, offered=found, form=form,
        publisher=next((item.name for item in organisations(hub, me()).values() if item.slug == publisher), publisher),
    )  # fmt: skip
    return render(page, 422 if form.errors else 200)


def _same(entry: Mapping[str, Any], publisher: str, contract: str) -> bool:
    return entry.get("contract") == contract and (
        publisher == "hub" or list(entry.get("publishers") or ()) == [publisher]
    )


def agreement_draft(hub: Hub, draft_id: str) -> Any:
    """Check the answers; hand them in, or throw them away."""
    draft = drafting.read_draft(hub, me(), draft_id)
    form = EmptyForm()
    wrong: tuple[str, ...] = ()
    if form.validate_on_submit():
        if request.form.get("act") == "discard":
            drafting.discard(hub, me(), draft_id)
            flash("What was written was thrown away.")
            return redirect(url_for("web.agreements"), 303)
        try:
            made = drafting.submit(hub, me(), draft_id)
        except (Invalid, Conflict, Forbidden) as error:
            wrong = (clean(error.detail),)
            form.form_errors = list(wrong)
        else:
            flash("The agreement is in review. Another data steward approves it or hands it back.")
            return redirect(url_for("web.agreement", agreement_id=made.id), 303)
    return render(_check(hub, draft, form, wrong), 422 if wrong else 200)


def _check(hub: Hub, draft: Draft, form: EmptyForm, wrong: tuple[str, ...]) -> pages.CheckAnswersPage:
    problems = questions.problems(draft.answers)
    names = {item.slug: item.name for item in organisations(hub, me()).values()}
    asked = questions.asked(draft.answers)
    return pages.CheckAnswersPage(
        draft_id=draft.id,
        answers=tuple(
            pages.Answer(
                item,
                tuple((field.label, _words(field, draft.answers, names)) for field in item.fields),
                tuple(clean(text) for text in problems.get(item.id, ())),
            )
            for item in asked
        ),
        form=form,
        ready=not problems,
        problems=(
            *wrong,
            *(
                f"{clean(name)}: {clean(' '.join(texts))}"
                for name, texts in problems.items()
                if name not in {item.id for item in asked}
            ),
        ),
        text=questions.text_of(draft.answers),
    )


def _words(field: Field, answers: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """An answer as people read it."""
    value = answers.get(field.name)
    if value in (None, "", [], {}):
        return ""
    if field.name == "legal_power":
        return power_words(str(value)) + ("" if value in POWERS else " (not checked by the hub)")
    if field.name == "objective":
        return objective_words(str(answers.get("legal_power", "")), str(value))
    if field.kind == "datasets":
        return "\n".join(_entry(item, names) for item in value)
    if field.kind == "pairs":
        return "\n".join(f"{names.get(name, name)}: {words}" for name, words in value.items())
    choices = dict(field.choices) if isinstance(field.choices, tuple) else {}
    if isinstance(value, list):
        return "\n".join(names.get(str(item), str(item)) for item in value)
    return str(choices.get(str(value), value))


def _entry(item: Mapping[str, Any], names: Mapping[str, str]) -> str:
    whose = ", ".join(names.get(one, one) for one in item.get("publishers") or ["the hub"])
    return f"{item.get('contract')} of {whose}: {', '.join(item.get('columns') or ())}"


VIEWS = {
    "agreement_start": agreement_start, "agreement_upload": agreement_upload, "agreement_draft": agreement_draft,
    "agreement_question": agreement_question, "agreement_columns": agreement_columns,
}  # fmt: skip
