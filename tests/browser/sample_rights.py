"""Made-up content for the pages about people's rights, ordinary and hostile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from browser.samples import AGREEMENT, DATASET, HOSTILE, NOW, TODAY
from hub.insights.people import Found
from hub.rights.corrections import Copy, Correction
from hub.rights.delays import Delay
from hub.rights.states import CorrectionState, DelayState, RequestKind, RequestState
from hub.rights.store import Request, Restriction
from hub.rights.uses import Line, Use
from hub.web import pages
from hub.web.rights_forms import (
    ActForm,
    AskForm,
    CodeForm,
    CorrectionForm,
    DeclineForm,
    DelayDecisionForm,
    DelayForm,
    FindForm,
    MyCodeForm,
    ObjectionForm,
    OpenForm,
)
from hub.workflows.rights import Shown
from hub.workflows.rights_citizen import MyRequest
from hub.workflows.rights_copies import Part
from hub.workflows.rights_corrections import OwnRow, Task
from hub.workflows.rights_delays import ShownDelay

__all__ = ["PUBLIC", "RIGHTS"]

PUBLIC = {"your-rights", "my-code", "my-code-errors", "my-data", "my-data-empty", "my-data-ask"}


def _request(**more: Any) -> Request:
    values: dict[str, Any] = {
        "id": "rgt_01kb2", "kind": RequestKind.ACCESS, "subject": "a", "person": "s", "state": RequestState.IN_HAND,
        "organisation": "council", "opened_by": "person:1", "opened_at": NOW, "received_on": TODAY,
        "due_on": TODAY + timedelta(30), "wish": "s", "agreement_id": None, "handled_by": None, "extended_at": None,
        "extension_reason": None, "answered_at": None, "answer": None,
    }  # fmt: skip
    return Request(**values | more)


COPY = Copy("rgt_01kb2", "cpy", "o", (), "s", 5000, NOW, "person:1", NOW, NOW + timedelta(30), None)
USE = Use(
    NOW, "household.read", "Your household was looked at", "Wexbourne Children's Services", "a worker who helps people",
    "find families who may need help", AGREEMENT.title,
)  # fmt: skip
LINES = (
    Line(USE, 1, NOW, NOW),
    Line(replace(USE, held_back=True, organisation=HOSTILE, purpose=HOSTILE, agreement=HOSTILE), 1, NOW, NOW),
    Line(
        replace(USE, act="data.read", said="A computer program used rows about you", what=HOSTILE, job="a computer"),
        31, NOW - timedelta(31), NOW,
    ),
)  # fmt: skip
MINE = (
    MyRequest(_request(), HOSTILE, "", HOSTILE, HOSTILE, (("Wexbourne Housing", "declined", HOSTILE),), None),
    MyRequest(_request(state=RequestState.ANSWERED), "a copy, please", HOSTILE, "", "", (), COPY),
)
SHOWN = Shown(
    _request(due_on=TODAY - timedelta(2)), HOSTILE, HOSTILE, HOSTILE, True,
    (Restriction("r", "q", "a", "s", None, NOW, None),), COPY, AGREEMENT.title, ("answer", "refuse", "withdraw"),
)  # fmt: skip
TASK = Task(
    Correction("cor1", "q", "ds1", "v", "o", "s", CorrectionState.SENT, NOW, None, None, None, None), DATASET,
    "Wexbourne Schools", (("upn", HOSTILE), ("term", "2025/26 Autumn")), "date_of_birth", HOSTILE, HOSTILE, HOSTILE,
    TODAY,
)  # fmt: skip
DELAY = Delay(
    "dly1", "wexbourne-police", frozenset("a"), NOW, NOW + timedelta(60), DelayState.ASKED, "s", "person:1", NOW, None,
    None, None,
)  # fmt: skip
_ACTS = ["copy", "restrict", "lift", "answer", "refuse", "withdraw", "extend"]


def _wrong(form: Any) -> Any:
    form.validate()
    return form


def _bare(kind: type, **options: Any) -> Any:
    return kind(formdata=None, meta={"csrf": False}, **options)


def _delays(place: str) -> pages.DelaysPage:
    shown = (
        ShownDelay(DELAY, HOSTILE, False, True, False),
        ShownDelay(replace(DELAY, id="dly2", state=DelayState.APPROVED), "a reason", True, False, True),
        ShownDelay(replace(DELAY, id="dly3", state=DelayState.APPROVED), "a reason", False, False, False),
    )
    decisions = (
        {"dly1": _wrong(_bare(DelayDecisionForm, prefix="dly1-"))} if place == "delay_decisions" else {}
    )
    form = _bare(DelayForm) if place == "delays" else None
    return pages.DelaysPage(delays=shown, most=6, form=form, decisions=decisions, place=place)


#: Name -> a function that makes the page, called inside a request.
RIGHTS: dict[str, Callable[[], pages.Page]] = {
    "your-rights": lambda: pages.YourRightsPage(services=("Wexbourne Schools", HOSTILE), purposes=(HOSTILE,)),
    "my-code": lambda: pages.MyCodePage(form=MyCodeForm(formdata=None), closed=True),
    "my-code-errors": lambda: pages.MyCodePage(form=_wrong(_bare(MyCodeForm))),
    "my-data": lambda: pages.MyDataPage(lines=LINES, requests=MINE, until=NOW, made=NOW),
    "my-data-empty": lambda: pages.MyDataPage(lines=(), requests=(), until=NOW, made=NOW),
    "my-data-ask": lambda: pages.MyDataAskPage(
        form=_wrong(_bare(AskForm).offer([("a", "Title", HOSTILE), ("b", "Title", "Plan surgeries")]))
    ),
    "rights-requests": lambda: pages.RightsRequestsPage(
        requests=(SHOWN.request, _request(state=RequestState.ASKED, extended_at=NOW)), on=TODAY, older="/x"
    ),
    "rights-requests-empty": lambda: pages.RightsRequestsPage(requests=(), on=TODAY, everything=True),
    "rights-find": lambda: pages.RightsFindPage(form=_wrong(_bare(FindForm))),
    "rights-found": lambda: pages.RightsFindPage(
        form=FindForm(formdata=None), found=(("handle", Found("p", "h", HOSTILE, "Key", TODAY, "AA1 1AA")),)
    ),
    "rights-person": lambda: pages.RightsPersonPage(
        open_form=_wrong(_bare(OpenForm)), code_form=_wrong(_bare(CodeForm))
    ),
    "rights-code": lambda: pages.RightsPersonPage(
        open_form=_bare(OpenForm), code_form=_bare(CodeForm), code="7KQ2-M4XR-91TB-HDZ8"
    ),
    "rights-request": lambda: pages.RightsRequestPage(
        shown=SHOWN, form=ActForm(formdata=None).offer(_ACTS),
        parts=(Part("x", HOSTILE, "Wexbourne Schools", 3, ("a",), ("b", HOSTILE)),),
    ),
    "rights-request-correction": lambda: pages.RightsRequestPage(
        shown=replace(SHOWN, request=_request(kind=RequestKind.RECTIFICATION), overdue=False),
        form=_wrong(_bare(ActForm).offer(_ACTS)), tasks=(TASK,),
    ),
    "rights-rows": lambda: pages.RightsRowsPage(
        request_id="rgt_01kb2", rows=(OwnRow("ds1", "Tenancies", "Housing", 4, (("forename", HOSTILE), ("uprn", ""))),),
        form=_wrong(_bare(CorrectionForm).offer([("ds1~4", "Tenancies, Housing, row 1")])),
    ),
    "rights-rows-empty": lambda: pages.RightsRowsPage(request_id="r", rows=(), form=_bare(CorrectionForm).offer([])),
    "corrections": lambda: pages.CorrectionsPage(corrections=((TASK.correction, HOSTILE),)),
    "corrections-empty": lambda: pages.CorrectionsPage(corrections=()),
    "correction": lambda: pages.CorrectionPage(task=TASK, form=_wrong(_bare(DeclineForm))),
    "objections": lambda: pages.ObjectionsPage(objections=(SHOWN,)),
    "objections-empty": lambda: pages.ObjectionsPage(objections=()),
    "objection": lambda: pages.ObjectionPage(shown=SHOWN, form=_wrong(_bare(ObjectionForm))),
    "delays": lambda: _delays("delays"),
    "delay-decisions": lambda: _delays("delay_decisions"),
}  # fmt: skip
