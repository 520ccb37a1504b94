"""The forms about people's rights: the citizen's own page, and what officers and departments fill in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar

from wtforms import Field, IntegerField, RadioField, StringField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from hub.web.forms import DateField, Form, SearchForm

__all__ = [
    "ActForm", "AskForm", "CodeForm", "CorrectionForm", "DeclineForm", "DelayDecisionForm", "DelayForm", "FindForm",
    "MyCodeForm", "ObjectionForm", "OpenForm",
]  # fmt: skip


def _must_be_past(field: Field) -> None:
    if field.data and not date(1880, 1, 1) < field.data <= date.today():
        raise ValidationError(f"{field.label.text} must be in the past")


def _text(label: str, missing: str, most: int = 2000) -> TextAreaField:
    return TextAreaField(
        label,
        validators=[
            InputRequired(missing),
            Length(min=10, message="Write a little more: at least 10 characters"),
            Length(max=most, message=f"Write at most {most:,} characters"),
        ],
    )


class MyCodeForm(Form):
    """What opens a person's own page."""

    code = StringField("Your code", validators=[InputRequired("Enter your code"), Length(max=100)])
    born = DateField("Your date of birth")

    def validate_born(self, field: Field) -> None:
        """Needed, and a real date."""
        if not field.raw_data:
            raise ValidationError("Enter your date of birth")
        _must_be_past(field)


_KINDS = (
    ("access", "I want a copy of my data", "We send you everything we hold about you."),
    ("rectification", "Something is wrong", "We ask the service that sent it to put it right."),
    ("restriction", "I want you to stop using my data for now", "For example while something is being put right."),
    ("objection", "I do not want my data used for one purpose", "You choose the purpose below."),
)  # fmt: skip


class AskForm(Form):
    """What a person asks for on their own page."""

    kind = RadioField(
        "What do you want?",
        choices=[SelectChoice(kind, label) for kind, label, _ in _KINDS],
        validators=[InputRequired("Choose what you want")],
    )
    agreement = RadioField("Which use do you not want?", validators=[Optional()], validate_choice=False)
    wish = _text("Tell us more", "Tell us more about what you want")
    hints: ClassVar = {kind: hint for kind, _, hint in _KINDS}

    def offer(self, agreements: Sequence[tuple[str, str, str]]) -> AskForm:
        """Offer these agreements to object to: (id, title, purpose). Returns itself."""
        self.agreement.choices = [SelectChoice(ident, purpose) for ident, _, purpose in agreements]
        return self

    def validate_agreement(self, field: Field) -> None:
        """Needed for an objection."""
        if self.kind.data == "objection" and field.data not in {
            choice.value for choice in field.choices or ()
        }:
            raise ValidationError("Choose the use that you do not want")


class FindForm(SearchForm):
    """Whom an officer looks for, and why; there is no agreement, but a duty."""

    agreement = None
    reason = _text("Why do you look for this person?", "Enter why you look for this person", 500)


class CodeForm(Form):
    """A code for a person whose identity was checked."""

    born = DateField("Date of birth, as on what they showed you")
    checked = _text("How did you check who they are?", "Enter how you checked who they are", 500)

    def validate_born(self, field: Field) -> None:
        """Needed, and in the past."""
        if not field.raw_data:
            raise ValidationError("Enter the date of birth")
        _must_be_past(field)


_OFFICER = (
    ("access", "A copy of their data"), ("rectification", "Something put right"),
    ("restriction", "A restriction of use"), ("objection", "An objection to one agreement"),
)  # fmt: skip


class OpenForm(Form):
    """A request that an officer writes down for a person."""

    kind = RadioField(
        "What do they ask for?",
        choices=[SelectChoice(kind, label) for kind, label in _OFFICER],
        validators=[InputRequired("Select what they ask for")],
    )
    agreement = StringField("Agreement they object to (its id)", validators=[Optional(), Length(max=64)])
    received_on = DateField("Day you received it")
    wish = _text("What did they say?", "Enter what they said")

    def validate_received_on(self, field: Field) -> None:
        """Needed, and in the past."""
        if not field.raw_data:
            raise ValidationError("Enter the day you received it")
        _must_be_past(field)

    def validate_agreement(self, field: Field) -> None:
        """Needed for an objection."""
        if self.kind.data == "objection" and not field.data:
            raise ValidationError("Enter the agreement they object to")


#: What an officer can do with a request: event -> words, and what to write.
_ACTS = {
    "take": ("Take it in hand", "You answer it from now on."),
    "copy": ("Make the copy", "It replaces one that was made before. You look at it before you give it."),
    "restrict": ("Restrict the use of their data now", "Their rows are left out until you lift it."),
    "lift": ("Lift the restriction", "You have told the person before. Write when and how."),
    "ask": ("Ask the stewards of the agreement to decide", "Until then the use stays restricted."),
    "extend": ("Extend by two months", "Only within the first month. The person reads your reason."),
    "answer": ("Answer it", "The person reads what you write. A copy can be fetched from then on."),
    "refuse": ("Refuse it", "Write why, and that they can complain to the Information Commissioner."),
    "withdraw": ("The person takes it back", "Write how they told you."),
}
_SILENT = frozenset({"take", "copy", "restrict", "ask"})


class ActForm(Form):
    """What an officer does with a request."""

    act = RadioField("What do you want to do?", validators=[InputRequired("Select what you want to do")])
    text = TextAreaField(
        "Your words", validators=[Optional(), Length(max=2000, message="Write at most 2,000 characters")]
    )
    leave_out = StringField("Columns to leave out of the copy", validators=[Optional(), Length(max=2000)])

    def offer(self, acts: Sequence[str]) -> ActForm:
        """Offer these acts. Returns itself."""
        self.act.choices = [SelectChoice(act, _ACTS[act][0]) for act in acts]
        self.hints = {act: _ACTS[act][1] for act in acts}
        return self

    def validate_text(self, field: Field) -> None:
        """Needed where somebody reads it later."""
        if self.act.data and self.act.data not in _SILENT and len(field.data or "") < 10:
            field.errors = []
            raise ValidationError("Enter at least 10 characters")


class CorrectionForm(Form):
    """A value that is wrong in one row."""

    where = RadioField("Which row?", validators=[InputRequired("Select the row")])
    column = StringField("Column", validators=[InputRequired("Enter the column"), Length(max=100)])
    should = StringField(
        "What it should say", validators=[InputRequired("Enter what it should say"), Length(max=500)]
    )

    def offer(self, rows: Sequence[tuple[str, str]]) -> CorrectionForm:
        """Offer these rows. Returns itself."""
        self.where.choices = [SelectChoice(value, label) for value, label in rows]
        return self


class DeclineForm(Form):
    """A department says why it does not change a value."""

    reason = _text("Why is it not changed?", "Enter why it is not changed")


class ObjectionForm(Form):
    """A steward decides about an objection."""

    decision = RadioField(
        "Your decision",
        choices=[SelectChoice("uphold", "Uphold it"), SelectChoice("turn-down", "Turn it down")],
        validators=[InputRequired("Select your decision")],
    )
    reason = _text("Why do you decide so?", "Enter why you decide so")
    hints: ClassVar = {
        "uphold": "Their rows stay out of everything this agreement is for.",
        "turn-down": "You have compelling grounds that outweigh theirs. The use goes on.",
    }


_ENTRY = "Enter the number of the entry"


class DelayForm(Form):
    """An investigating officer asks for a delay."""

    entry = IntegerField(
        "Number of the entry",
        validators=[InputRequired(_ENTRY), NumberRange(min=1, max=10**15, message=_ENTRY)],
    )
    months = IntegerField("For how many months?", validators=[InputRequired("Enter for how many months")])
    reason = _text("Why must they not see it yet?", "Enter why they must not see it yet")


class DelayDecisionForm(Form):
    """A second person decides about a delay."""

    decision = RadioField(
        "Your decision",
        choices=[SelectChoice("approve", "Approve it"), SelectChoice("turn-down", "Turn it down")],
        validators=[InputRequired("Select your decision")],
    )
    reason = _text("Why do you decide so?", "Enter why you decide so")
