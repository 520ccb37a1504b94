"""Pages about agreements with made-up content: written, reviewed, signed, ended, explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from browser.samples import AGREEMENT, HOSTILE, NOW
from hub.policy import questions
from hub.policy.agreement import Agreement, AgreementState
from hub.policy.compare import differences
from hub.policy.decide import Asked, Explained, checks, decide
from hub.policy.powers import POWERS
from hub.policy.record import OPERATIONS
from hub.policy.signing import Signature, SigningKey
from hub.policy.statement import Statement
from hub.policy.store import Record
from hub.web import pages
from hub.web.forms_agreements import (
    DatasetChoiceForm,
    DatasetColumnsForm,
    EmptyForm,
    ExplainForm,
    KeyForm,
    ReviewForm,
    SignatureForm,
    StartForm,
    UploadAgreementForm,
    WithdrawForm,
    question_form,
)
from hub.workflows.agreeing import Standing
from hub.workflows.drafting import Offered
from hub_schemas import library

_ORGANISATIONS = [("wexbourne-council", "Wexbourne Council"), ("wexbourne-schools", "Wexbourne Schools")]
_PARTIES = {"wexbourne-council": ("controller",), "wexbourne-schools": ("controller", "publisher")}
_ONE = Signature("wexbourne-council", "Jane Example, chief executive", "agk_1", NOW, "person:1", "", "", True)


def standing(agreement: Agreement = AGREEMENT, *, acts: tuple[str, ...] = (), note: str = "") -> Standing:
    """Where an agreement stands: one party has signed, one has not, one signature does not hold."""
    record = Record(
        agreement.id, 2, NOW, ("person:1", "person:2"), "person:3", NOW, "person:3", _PARTIES, False, ""
    )
    broken = replace(_ONE, organisation="wexbourne-police", signer=HOSTILE, holds=False)
    people = {"person:1": "Stella Marsh", "person:2": HOSTILE, "person:3": "Theo Lamb"}
    return Standing(
        agreement, f"id: {agreement.id}\ntitle: {HOSTILE}\n", record, (_ONE, broken), ("wexbourne-schools",), people,
        acts, note,
    )  # fmt: skip


def agreement_page(state: AgreementState, acts: tuple[str, ...], **more: Any) -> pages.AgreementPage:
    """One agreement, with what its reader may do."""
    agreement = replace(AGREEMENT, state=state, **more)
    return pages.AgreementPage(
        agreement=agreement, organisations=("Children's Services",), on=NOW.date(),
        standing=standing(agreement, acts=acts, note=HOSTILE), form=EmptyForm(formdata=None),
    )  # fmt: skip


def question(ident: str, *, sent: bool = False) -> pages.DraftQuestionPage:
    """One question; with `sent`, nothing was answered."""
    lists = {
        "organisations": _ORGANISATIONS, "powers": [(item.id, item.title) for item in POWERS.values()],
        "operations": [(name, name) for name in OPERATIONS], "roles": [("analyst", "Analyst")],
        "plugins": [("families", "Families")], "objectives": [],
    }  # fmt: skip
    found = questions.question(ident)
    assert found is not None
    form = question_form(found, {}, lists)
    if sent:
        form.validate()
    return pages.DraftQuestionPage(
        draft_id="drf_1", question=found, form=form, number=3, count=22, back="/agreements"
    )


def _datasets() -> pages.DatasetsQuestionPage:
    chosen = {
        "contract": "schools.attendance",
        "publishers": ["wexbourne-schools"],
        "columns": ["upn", HOSTILE],
    }
    return pages.DatasetsQuestionPage(
        draft_id="drf_1", number=14, count=22, back="/agreements", onward="/agreements",
        form=DatasetChoiceForm(formdata=None).offer([("hub/hub.people", "People"), ("a/b.c", HOSTILE)]),
        chosen=(chosen, {"contract": "hub.people", "columns": ["sex"]}),
        names={"wexbourne-schools": "Wexbourne Schools"},
    )  # fmt: skip


def _columns(*, sent: bool = False) -> pages.ColumnsPage:
    contract = library.load("schools.attendance")
    form = DatasetColumnsForm(formdata=None, meta={"csrf": not sent}).offer(
        [(item.name, item.name) for item in contract.columns]
    )
    if sent:
        form.validate()
    return pages.ColumnsPage(
        draft_id="drf_1",
        offered=Offered("wexbourne-schools", contract),
        publisher="Wexbourne Schools",
        form=form,
    )


def _check(*, ready: bool) -> pages.CheckAnswersPage:
    wrong = () if ready else ("Answer this question.",)
    return pages.CheckAnswersPage(
        draft_id="drf_1", form=EmptyForm(formdata=None), ready=ready, text="title: x\n",
        problems=() if ready else (HOSTILE,),
        answers=tuple(
            pages.Answer(item, tuple((field.label, HOSTILE) for field in item.fields), wrong)
            for item in questions.QUESTIONS[:4]
        ),
    )  # fmt: skip


def _review(*, mine: bool = False) -> pages.ReviewPage:
    new = replace(AGREEMENT, id="new", state=AgreementState.IN_REVIEW, retention_days=3650, purpose=HOSTILE)
    other = None if mine else AGREEMENT
    form = ReviewForm(formdata=None, meta={"csrf": not mine})
    if mine:
        form.validate()
    return pages.ReviewPage(
        agreement=new, other=other, others=((AGREEMENT.id, AGREEMENT.title),), form=form, mine=mine,
        differences=tuple(differences(other, new)), authors=("Stella Marsh",), must_sign=("Wexbourne Council",),
    )  # fmt: skip


def _sign(*, shown: bool) -> pages.SignPage:
    said = Statement.about("x", 1, "text", _PARTIES, "wexbourne-council", "Jane Example")
    form = SignatureForm(formdata=None).offer(_ORGANISATIONS)
    return pages.SignPage(
        agreement=replace(AGREEMENT, state=AgreementState.AGREED),
        form=form,
        statement=said.text if shown else "",
    )


def _explain(*, asked: bool) -> pages.ExplainPage:
    form = ExplainForm(None).offer([(name, name) for name in OPERATIONS], _ORGANISATIONS)
    question = Asked(
        "export", "schools.attendance", "wexbourne-council", NOW.date(), publisher="wexbourne-schools"
    )
    explained = (Explained(AGREEMENT.id, "wexbourne-schools", checks(question, AGREEMENT)),)
    return pages.ExplainPage(
        form=form,
        decision=decide(question, [AGREEMENT]) if asked else None,
        explained=explained if asked else (),
    )


def _keys() -> pages.SigningKeysPage:
    key = SigningKey(
        "agk_1", "wexbourne-council", "A" * 43 + "=", HOSTILE, "waiting", NOW, "p", "o", None, None
    )
    return pages.SigningKeysPage(
        keys=(
            pages.KeyLine(key, "Wexbourne Council", True, True),
            pages.KeyLine(replace(key, state="compromised"), HOSTILE),
        ),
        form=KeyForm(formdata=None).offer(_ORGANISATIONS),
    )


def _withdraw() -> pages.WithdrawPage:
    form = WithdrawForm(formdata=None, meta={"csrf": False})
    form.validate()
    return pages.WithdrawPage(agreement=AGREEMENT, form=form)


def _upload() -> pages.UploadAgreementPage:
    form = UploadAgreementForm(formdata=None, meta={"csrf": False})
    form.validate()
    return pages.UploadAgreementPage(form=form, problems=(HOSTILE,))


AGREEMENT_PAGES: dict[str, Callable[[], pages.Page]] = {
    "agreements-writing": lambda: pages.AgreementsPage(
        agreements=(pages.AgreementLine(replace(AGREEMENT, trouble="it was changed"), (HOSTILE,)),),
        drafts=(pages.DraftLine("drf_1", HOSTILE, NOW),),
        may_write=True,
    ),
    "agreement-draft": lambda: agreement_page(AgreementState.DRAFT, ("submit", "withdraw")),
    "agreement-agreed": lambda: agreement_page(
        AgreementState.AGREED, ("sign", "withdraw"), signed_by=frozenset()
    ),
    "agreement-not-trusted": lambda: agreement_page(AgreementState.ACTIVE, (), trouble=HOSTILE),
    "agreement-start": lambda: pages.StartPage(form=StartForm(formdata=None).offer([("a", HOSTILE)])),
    "agreement-upload": _upload,
    "agreement-question": lambda: question("purpose"),
    "agreement-question-empty": lambda: question("dates", sent=True),
    "agreement-question-choices": lambda: question("controllers", sent=True),
    "agreement-question-power": lambda: question("legal_power"),
    "agreement-datasets": _datasets,
    "agreement-columns": _columns,
    "agreement-columns-empty": lambda: _columns(sent=True),
    "agreement-check": lambda: _check(ready=True),
    "agreement-check-open": lambda: _check(ready=False),
    "agreement-review": _review,
    "agreement-review-empty": lambda: _review(mine=True),
    "agreement-sign": lambda: _sign(shown=False),
    "agreement-sign-shown": lambda: _sign(shown=True),
    "agreement-withdraw": _withdraw,
    "agreement-explain": lambda: _explain(asked=False),
    "agreement-explained": lambda: _explain(asked=True),
    "agreement-keys": _keys,
}
