"""Forms of requests for data: one question a page, made from the question itself, and what the two sides say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from wtforms import RadioField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from hub.web.forms import DateField, Form

if TYPE_CHECKING:
    from hub.policy.asking import About, Question

__all__ = ["RequestActionForm", "RequestDecisionForm", "RequestReplyForm", "question_form"]

_WORDS = (
    InputRequired("Enter what you want to say"),
    Length(max=2000, message="It must be 2,000 characters or fewer"),
)


def question_form(question: Question, about: About, value: Any) -> Form:
    """A form with the one field that answers a question, holding the answer there is; the workflow checks it."""

    class QuestionForm(Form):
        """One question."""

        answer = _field(question, about)

        def validate_on_submit(self, extra_validators: Any = None) -> bool:
            """Whether something was sent; a choice that is not offered reaches the workflow, which says so."""
            return bool(self.is_submitted() and self.validate(extra_validators))

    if question.kind == "day" and value:
        value = date.fromisoformat(value)
    return QuestionForm(data={"answer": value})


def _field(question: Question, about: About) -> Any:
    kind = question.kind
    if kind == "day":
        return DateField(question.title)
    if kind in ("columns", "plugins"):
        offered = [(item.name, item.name) for item in about.contract.columns]
        choices = offered if kind == "columns" else list(question.choices)
        return SelectMultipleField(
            question.title, choices=[SelectChoice(*item) for item in choices], validate_choice=False
        )
    if kind == "choice":
        return RadioField(
            question.title, choices=[SelectChoice(*item) for item in question.choices], validate_choice=False
        )
    return (TextAreaField if kind == "words" else StringField)(question.title)


_VERDICTS = {
    "return": ("Ask back", "It goes back to who asked, who answers and may change the request."),
    "accept": ("Accept it", "The hub drafts an agreement. Nothing is shared until that is reviewed and signed."),
    "refuse": ("Refuse it", "It ends here. Who asked reads your reason."),
}  # fmt: skip


class RequestDecisionForm(Form):
    """A data steward of the publisher answers a request."""

    decision = RadioField("Your answer", validators=[InputRequired("Select your answer")])
    words = TextAreaField("Why, or what do you want to know?", validators=list(_WORDS))

    def offer(self, acts: Sequence[str]) -> RequestDecisionForm:
        """Offer these acts of the table of states. Returns itself."""
        offered = [act for act in _VERDICTS if act in acts]
        self.decision.choices = [SelectChoice(act, _VERDICTS[act][0]) for act in offered]
        self.hints = {act: _VERDICTS[act][1] for act in offered}
        return self


class RequestReplyForm(Form):
    """Who asked answers what the publisher's steward asked back."""

    words = TextAreaField("What do you answer?", validators=list(_WORDS))


class RequestActionForm(Form):
    """Buttons: begin, send, withdraw."""
