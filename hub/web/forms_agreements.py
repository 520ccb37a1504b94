"""The forms of agreements: a form for each question, and those for reviewing, signing, ending and explaining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from flask_wtf.file import FileField, FileRequired
from wtforms import RadioField, SelectMultipleField, StringField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from hub.policy.questions import Field, Question
from hub.web.forms import DateField, Form

__all__ = [
    "DatasetChoiceForm", "DatasetColumnsForm", "EmptyForm", "ExplainForm", "KeyForm", "ReviewForm", "SignatureForm",
    "StartForm", "UploadAgreementForm", "WithdrawForm", "answers_of", "question_form",
]  # fmt: skip

#: What is chosen when none of the choices is: the words beside them count then.
OTHER: Final = "other"
_MOST: Final = 4000


class _Checks(SelectMultipleField):
    """Checkboxes."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def pre_validate(self, form: Any) -> None:
        """Only what was offered."""
        offered = {choice.value for choice in self.choices or ()}
        if set(self.data or ()) - offered:
            raise ValidationError("Choose among those shown")


class EmptyForm(Form):
    """Buttons only."""


def question_form(
    question: Question, answers: Mapping[str, Any], lists: Mapping[str, Sequence[tuple[str, str]]]
) -> Form:
    """The form of one question, filled with what was answered; `lists` are the choices that fields name."""
    made: dict[str, Any] = {}
    for field in question.fields:
        choices = lists.get(field.choices, ()) if isinstance(field.choices, str) else field.choices
        made |= _inputs(field, choices)
    known: dict[str, Any] = {}
    for field in question.fields:
        known |= _shown(field, answers.get(field.name), made)
    form: Form = type("QuestionForm", (Form,), made)(data=known)
    return form


def _inputs(field: Field, choices: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The inputs of one field: itself, and perhaps one for other words."""
    label, length = field.label, Length(max=_MOST, message=f"It must be {_MOST:,} characters or fewer")
    needed = InputRequired("Answer this question") if field.required and not field.others else Optional()
    if field.kind == "line":
        return {field.name: StringField(label, validators=[needed, length])}
    if field.kind == "number":
        return {field.name: StringField(label, validators=[needed, _whole_number])}
    if field.kind == "date":
        check = [] if not field.required else [_a_day]
        return {field.name: DateField(label, validators=check)}
    if field.kind in ("one", "some"):
        offered = [SelectChoice(*pair) for pair in choices]
        if field.others and field.kind == "one":
            offered.append(SelectChoice(OTHER, field.others))
        kind = RadioField if field.kind == "one" else _Checks
        found: dict[str, Any] = {
            field.name: kind(
                label, choices=offered, validators=[_chosen(field)] if field.required else [Optional()]
            )
        }
        if field.others:
            more = StringField if field.kind == "one" else TextAreaField
            found[f"{field.name}_other"] = more(field.others, validators=[length])
        return found
    return {field.name: TextAreaField(label, validators=[needed, length])}


def _chosen(field: Field) -> Any:
    def check(form: Any, given: Any) -> None:
        other = form[f"{field.name}_other"].data if field.others else ""
        if field.kind == "one" and given.data == OTHER and not other:
            raise ValidationError("Say it in words")
        if not given.data and not (field.kind == "some" and other):
            raise ValidationError("Choose one" if field.kind == "one" else "Choose at least one")

    return check


def _a_day(_form: Any, given: Any) -> None:
    if given.data is None and not given.process_errors:
        raise ValidationError(f"Enter the {given.label.text.lower()}")


def _whole_number(_form: Any, given: Any) -> None:
    if not (given.data or "").isdecimal() or not given.data.isascii() or len(given.data) > 6:
        raise ValidationError("Enter a whole number, such as 365")


def _shown(field: Field, value: Any, made: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the inputs of a field for an answer."""
    if value is None:
        return {}
    if field.kind == "lines":
        return {field.name: "\n".join(map(str, value))}
    if field.kind == "pairs":
        return {field.name: "\n".join(f"{name}: {words}" for name, words in value.items())}
    if field.kind == "date":
        return {field.name: date.fromisoformat(value) if isinstance(value, str) and value else None}
    if field.kind == "number":
        return {field.name: str(value)}
    if field.others:
        offered = {choice.value for choice in made[field.name].kwargs["choices"]}
        if field.kind == "one":
            known = value in offered
            return {field.name: value if known else OTHER, f"{field.name}_other": "" if known else value}
        rest = [item for item in value if item not in offered]
        return {
            field.name: [item for item in value if item in offered], f"{field.name}_other": "\n".join(rest)
        }  # fmt: skip
    return {field.name: value}


def answers_of(question: Question, form: Form) -> dict[str, Any]:
    """What was answered, as the agreement's YAML has it."""
    return {field.name: _answer(field, form) for field in question.fields}


def _answer(field: Field, form: Form) -> Any:
    given: Any = form[field.name].data
    other = (form[f"{field.name}_other"].data or "") if field.others else ""
    if field.kind == "lines":
        return _lines(given)
    if field.kind == "pairs":
        pairs = (line.partition(":") for line in _lines(given))
        return {name.strip(): words.strip() for name, _, words in pairs}
    if field.kind == "date":
        return given.isoformat() if given else None
    if field.kind == "number":
        return int(given) if given else None
    if field.kind == "some":
        return [*(given or ()), *_lines(other)]
    if field.kind == "one":
        return other if given == OTHER else given or ""
    return given or ""


def _lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


class StartForm(Form):
    """How to begin."""

    way = RadioField(
        "How do you want to write it?",
        choices=[
            SelectChoice("questions", "Answer questions, one at a time"),
            SelectChoice("like", "Begin with a copy of another agreement"),
            SelectChoice("upload", "Upload it as a YAML file"),
        ],
        validators=[InputRequired("Choose how you want to write it")],
    )
    like = RadioField("Which agreement?", validators=[Optional()], validate_choice=False)

    def offer(self, agreements: Sequence[tuple[str, str]]) -> StartForm:
        """Offer these agreements to copy: (id, title). Returns itself."""
        self.like.choices = [SelectChoice(*pair) for pair in agreements]
        return self

    def validate_like(self, field: Any) -> None:
        """Needed for a copy, and among those offered."""
        offered = {choice.value for choice in field.choices}
        if self.way.data == "like" and field.data not in offered:
            raise ValidationError("Choose the agreement to copy")


class UploadAgreementForm(Form):
    """An agreement as a file."""

    file = FileField("Choose the YAML file", validators=[FileRequired("Choose a file")])


class DatasetChoiceForm(Form):
    """Which dataset of whom."""

    dataset = RadioField("Which dataset?", validators=[InputRequired("Choose a dataset")])

    def offer(self, datasets: Sequence[tuple[str, str]]) -> DatasetChoiceForm:
        """Offer these: (value, words). Returns itself."""
        self.dataset.choices = [SelectChoice(*pair) for pair in datasets]
        return self


class DatasetColumnsForm(Form):
    """Which columns of a dataset, why, and how exactly."""

    columns = _Checks("Which columns?", validators=[])
    why = TextAreaField(
        "Why are these columns needed?",
        validators=[InputRequired("Say why these columns are needed"), Length(max=2000)],
    )
    generalise = TextAreaField("Less exactly (optional)", validators=[Optional(), Length(max=_MOST)])

    def offer(self, columns: Sequence[tuple[str, str]]) -> DatasetColumnsForm:
        """Offer these columns: (name, words). Returns itself."""
        self.columns.choices = [SelectChoice(*pair) for pair in columns]
        return self

    def validate_columns(self, field: Any) -> None:
        """At least one."""
        if not field.data:
            raise ValidationError("Choose at least one column")


class ReviewForm(Form):
    """Somebody else approves an agreement or hands it back."""

    decision = RadioField(
        "Your decision",
        choices=[
            SelectChoice("approve", "Approve it, so that it can be signed"),
            SelectChoice("return", "Hand it back"),
        ],
        validators=[InputRequired("Choose your decision")],
    )
    reason = TextAreaField(
        "What has to change?", validators=[Length(max=2000, message="It must be 2,000 characters or fewer")]
    )

    def validate_reason(self, field: Any) -> None:
        """Needed when it is handed back."""
        if self.decision.data == "return" and len(field.data or "") < 10:
            raise ValidationError("Say what has to change, in at least 10 characters")


class WithdrawForm(Form):
    """End an agreement."""

    reason = TextAreaField(
        "Why does it end?",
        validators=[
            InputRequired("Say why it ends"),
            Length(max=2000, message="It must be 2,000 characters or fewer"),
        ],
    )


class SignatureForm(Form):
    """Who signs for which organisation, and the signature."""

    organisation = RadioField(
        "Which organisation signs?", validators=[InputRequired("Choose an organisation")]
    )
    signer = StringField(
        "Who signs for it?",
        validators=[InputRequired("Enter who signs"), Length(2, 200, message="Enter 2 to 200 characters")],
    )
    signature = TextAreaField("The signature", validators=[Optional(), Length(max=400)])

    def offer(self, organisations: Sequence[tuple[str, str]]) -> SignatureForm:
        """Offer these: (slug, name). Returns itself."""
        self.organisation.choices = [SelectChoice(*pair) for pair in organisations]
        return self


class KeyForm(Form):
    """An organisation's public key."""

    organisation = RadioField("Whose key is it?", validators=[InputRequired("Choose an organisation")])
    name = StringField(
        "What is it called?", validators=[InputRequired("Say what it is called"), Length(max=200)]
    )
    public_key = StringField(
        "The public key", validators=[InputRequired("Enter the public key"), Length(max=200)]
    )

    def offer(self, organisations: Sequence[tuple[str, str]]) -> KeyForm:
        """Offer these: (slug, name). Returns itself."""
        self.organisation.choices = [SelectChoice(*pair) for pair in organisations]
        if len(organisations) == 1 and self.organisation.raw_data is None:
            self.organisation.data = organisations[0][0]
        return self


class ExplainForm(Form):
    """A question to policy. It comes in the address: nothing in it is about a person."""

    class Meta(Form.Meta):
        """Asking changes nothing, so it needs no token."""

        csrf = False

    operation = RadioField("What would be done?", validators=[InputRequired("Choose what would be done")])
    contract = StringField(
        "With which contract's data?",
        validators=[InputRequired("Enter the id of a contract"), Length(max=200)],
    )
    organisation = RadioField("By which organisation?", validators=[InputRequired("Choose an organisation")])
    columns = StringField("Which columns? (optional)", validators=[Optional(), Length(max=2000)])
    publisher = StringField("Published by whom? (optional)", validators=[Optional(), Length(max=64)])
    plugin = StringField("By which plugin? (optional)", validators=[Optional(), Length(max=100)])

    def offer(
        self, operations: Sequence[tuple[str, str]], organisations: Sequence[tuple[str, str]]
    ) -> ExplainForm:
        """Offer these. Returns itself."""
        self.operation.choices = [SelectChoice(*pair) for pair in operations]
        self.organisation.choices = [SelectChoice(*pair) for pair in organisations]
        return self
