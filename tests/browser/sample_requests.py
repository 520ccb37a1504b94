"""Made-up requests for data, for the pages about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from browser.samples import DATASET, HOSTILE, NOW, TODAY
from hub.policy.asking import About, RequestState, known, questions, unanswered
from hub.policy.requests import AccessRequest
from hub.web import pages
from hub.web.question_forms import RequestActionForm, RequestDecisionForm, RequestReplyForm, question_form
from hub.workflows.requesting import Answered, Asked, ListedRequest, ShownRequest, ShownStep
from hub_schemas import library

__all__ = ["PAGES"]

_ABOUT = About(
    DATASET.title, library.load("schools.attendance"), "wexbourne-schools", "wexbourne-childrens-services",
    "Children's Services", ("analyst",), (("families", "Families who may need help"),),
)  # fmt: skip
_ANSWERS: dict[str, Any] = known(_ABOUT, (), TODAY)[0] | {
    "columns": ["term", "sessions_possible", "provision"], "purpose": "Find families who may need help and offer it",
    "level": "pseudonyms", "power": "children-wellbeing", "retention_days": 365, "contact": "data@wexbourne.invalid",
}  # fmt: skip
_REQUEST = AccessRequest(
    "req_1", DATASET.id, "schools.attendance", "wexbourne-schools", "wexbourne-childrens-services", "person:ana",
    RequestState.ASKED, "", None, NOW, NOW,
)  # fmt: skip
_LISTED = ListedRequest(_REQUEST, DATASET.title, "Wexbourne Schools", "Children's Services", True)


def _shown(state: RequestState, **more: Any) -> ShownRequest:
    lines = tuple(
        Answered(
            item, _ANSWERS.get(item.key), "your agreement Help for families" if item.key == "power" else ""
        )
        for item in questions(_ABOUT, _ANSWERS)
    )
    request = replace(_REQUEST, state=state)
    steps = (ShownStep("ask", "Ana Lindqvist, Children's Services", NOW, ""),)
    shown = ShownRequest(
        request, DATASET, _ABOUT, "Wexbourne Schools", "Ana Lindqvist, Children's Services", lines,
        unanswered(_ABOUT, _ANSWERS), steps, (),
    )  # fmt: skip
    return replace(shown, **more)


def _question(key: str, **more: Any) -> pages.QuestionPage:
    question = next(item for item in questions(_ABOUT, _ANSWERS) if item.key == key)
    columns = {item.name: f"{item.description} ({item.classification})" for item in _ABOUT.contract.columns}
    form = question_form(question, _ABOUT, _ANSWERS.get(key))
    if more.pop("wrong", False):
        form["answer"].errors = ["Choose at least one."]  # type: ignore[attr-defined]
    return pages.QuestionPage(
        request_id="req_1", about=_ABOUT, question=question, form=form, number=3, count=23, back="/requests",
        columns=columns, **more,
    )  # fmt: skip


def _wrong() -> pages.RequestPage:
    form = RequestDecisionForm(formdata=None, meta={"csrf": False}, prefix="decide").offer(
        ("return", "refuse", "accept")
    )
    form.validate()
    return pages.RequestPage(shown=_shown(RequestState.ASKED), decision=form)


PAGES: dict[str, Callable[[], pages.Page]] = {
    "ask": lambda: pages.AskPage(
        dataset_id="ds1", asked=Asked(_ABOUT, questions(_ABOUT, _ANSWERS), _ANSWERS, {"power": "an agreement"}),
        publisher="Wexbourne Schools", form=RequestActionForm(formdata=None),
    ),
    "question-columns": lambda: _question("columns", source="the dataset's contract"),
    "question-errors": lambda: _question("columns", wrong=True),
    "question-power": lambda: _question("power", source="your agreement Help for families"),
    "question-day": lambda: _question("until"),
    "question-words": lambda: _question("purpose"),
    "request-check": lambda: pages.RequestCheckPage(
        shown=_shown(RequestState.DRAFT), form=RequestActionForm(formdata=None)
    ),
    "request-send": lambda: pages.RequestCheckPage(
        shown=_shown(RequestState.DRAFT, left=()), form=RequestActionForm(formdata=None)
    ),
    "requests": lambda: pages.RequestsPage(
        requests=(_LISTED, replace(_LISTED, mine=False, request=replace(_REQUEST, state=RequestState.ACCEPTED))),
        older="req_0",
    ),
    "requests-empty": lambda: pages.RequestsPage(requests=()),
    "request-to-decide": lambda: pages.RequestPage(
        shown=_shown(RequestState.ASKED),
        decision=RequestDecisionForm(formdata=None, prefix="decide").offer(("return", "refuse", "accept")),
    ),
    "request-errors": _wrong,
    "request-returned": lambda: pages.RequestPage(
        shown=_shown(
            RequestState.RETURNED, steps=(ShownStep("return", "Stella Marsh, Schools", NOW, HOSTILE),),
            agreement="request-schools-attendance",
        ),
        reply=RequestReplyForm(formdata=None, prefix="reply"),
        withdraw=RequestActionForm(formdata=None, prefix="withdraw"),
    ),
    "request-not-yours": lambda: pages.RequestPage(
        shown=_shown(RequestState.ASKED, why_not="You asked for this yourself, so somebody else answers.")
    ),
}  # fmt: skip
