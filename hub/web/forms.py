"""The forms of the pages: what may be entered, and what is said when it may not.

WTForms checks; Flask-WTF guards each form against cross-site requests. Messages follow the GOV.UK style:
they say what to do ("Enter a surname"), not what is wrong with the person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, ClassVar

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import Field, PasswordField, RadioField, StringField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, Regexp

from hub.web.text import clean
from hub_schemas.identifiers import is_valid

__all__ = [
    "ContractDecisionForm", "DateField", "DecisionForm", "Form", "MendForm", "RegistrationForm", "ReidentifyForm",
    "SearchForm", "SendForm", "UploadForm",
]  # fmt: skip


class Form(FlaskForm):
    """Base of all forms. Spaces around what was typed do not count."""

    class Meta(FlaskForm.Meta):
        """Fields strip white space and control characters."""

        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Any:
            """Add the filter to text fields, but not to passwords, where every character counts."""
            if (
                issubclass(unbound_field.field_class, StringField)
                and unbound_field.field_class is not PasswordField
            ):
                options["filters"] = [*options.get("filters", ()), _tidy]
            return unbound_field.bind(form=form, **options)

    def all_errors(self) -> Iterable[tuple[str, str]]:
        """Each error with the id of the input it is about, in the order of the page."""
        for field in self:
            for message in field.errors:
                yield getattr(field, "first_id", field.id), str(message)
        for message in self.form_errors:
            yield "main-content", str(message)


def _tidy(value: str | None) -> str | None:
    return "\n".join(clean(line) for line in value.splitlines()).strip() if value else value


class DateField(Field):
    """A date typed into three boxes, named NAME-day and so on. `data` is a date or None."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.typed: dict[str, str] = {"day": "", "month": "", "year": ""}

    @property
    def first_id(self) -> str:
        """The id of the box where the error summary leads."""
        return f"{self.id}-{next(iter(self.wrong), 'day')}"

    @property
    def wrong(self) -> tuple[str, ...]:
        """The boxes to mark when there is an error: the empty ones, else all."""
        return tuple(part for part, text in self.typed.items() if not text) or tuple(self.typed)

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        """Read the three boxes."""
        self.process_errors = []
        self.data = data if isinstance(data, date) else None
        if formdata is None:
            if self.data is not None:
                self.typed = {part: str(getattr(self.data, part)) for part in self.typed}
            return
        self.typed = {part: clean(formdata.get(f"{self.name}-{part}", ""), 20) for part in self.typed}
        self.raw_data = [text for text in self.typed.values() if text]
        if self.raw_data:
            try:
                self.data = self._read()
            except ValueError as problem:
                self.process_errors.append(str(problem))

    def _read(self) -> date:
        missing = [part for part, text in self.typed.items() if not text]
        if missing:
            raise ValueError(f"{self.label.text} must include a {' and a '.join(missing)}")
        try:
            day, year = int(self.typed["day"]), int(self.typed["year"])
            return date(year, _month(self.typed["month"]), day)
        except ValueError:
            raise ValueError(f"{self.label.text} must be a real date") from None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _month(text: str) -> int:
    """A month as a number, or by its name or the name's first three letters."""
    return int(text) if text.isdecimal() else _MONTHS.index(text[:3].lower()) + 1


_WAYS = (
    SelectChoice("name", "Name and date of birth"),
    SelectChoice("nhs", "NHS number"),
    SelectChoice("address", "Postcode or UPRN"),
)


class SearchForm(Form):
    """Why, then whom: an agreement whose purpose it is, a reason in words, and a way to look."""

    agreement = RadioField("What is this for?", validators=[InputRequired("Select what this is for")])
    reason = TextAreaField(
        "Why do you need to see this household?",
        validators=[
            InputRequired("Enter why you need to see this household"),
            Length(min=10, message="Say a little more: at least 10 characters"),
            Length(max=500, message="The reason must be 500 characters or fewer"),
        ],
    )
    way = RadioField(
        "How do you want to search?",
        choices=list(_WAYS),
        validators=[InputRequired("Select how you want to search")],
    )
    forename = StringField("First name (optional)", validators=[Optional(), Length(max=100)])
    surname = StringField("Last name", validators=[Length(max=100)])
    date_of_birth = DateField("Date of birth")
    nhs_number = StringField("NHS number", validators=[Length(max=40)])
    postcode = StringField("Postcode", validators=[Length(max=20)])
    uprn = StringField("UPRN", validators=[Length(max=20)])

    def offer(self, agreements: Sequence[tuple[str, str, str]]) -> SearchForm:
        """Offer these agreements: (id, title, purpose). Returns itself."""
        self.agreement.choices = [SelectChoice(ident, title) for ident, title, _ in agreements]
        self.hints = {ident: purpose for ident, _, purpose in agreements}
        if len(agreements) == 1 and self.agreement.raw_data is None:
            self.agreement.data = agreements[0][0]
        return self

    def validate_surname(self, field: Field) -> None:
        """Needed when searching by name."""
        if self.way.data == "name" and not field.data:
            raise ValidationError("Enter a last name")

    def validate_date_of_birth(self, field: Field) -> None:
        """Needed when searching by name, and in the past."""
        if self.way.data != "name":
            field.errors, field.process_errors = [], []
        elif not field.raw_data:
            raise ValidationError("Enter a date of birth")
        elif field.data and not 1880 < field.data.year <= date.today().year:
            raise ValidationError("Date of birth must be in the past")

    def validate_nhs_number(self, field: Field) -> None:
        """Ten digits with a right check digit, when searching by NHS number."""
        if self.way.data != "nhs":
            return
        field.data = re.sub(r"[\s-]", "", field.data or "")
        if not field.data:
            raise ValidationError("Enter an NHS number")
        if not re.fullmatch(r"\d{10}", field.data):
            raise ValidationError("The NHS number must be 10 digits, like 943 476 5919")
        if not is_valid("nhs-number", field.data):
            raise ValidationError("Check the NHS number: at least one of its digits is wrong")

    def validate_postcode(self, field: Field) -> None:
        """A postcode, when searching by address without a UPRN."""
        if self.way.data != "address":
            return
        if not field.data and not self.uprn.data:
            raise ValidationError("Enter a postcode or a UPRN")
        if field.data and not re.fullmatch(r"[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}", field.data):
            raise ValidationError("Enter a full postcode, like AA3 1AB")

    def validate_uprn(self, field: Field) -> None:
        """Up to twelve digits."""
        if self.way.data == "address" and field.data and not re.fullmatch(r"\d{1,12}", field.data):
            raise ValidationError("The UPRN must be up to 12 digits")


class DecisionForm(Form):
    """Somebody else than the author decides about a result."""

    decision = RadioField("Your decision", validators=[InputRequired("Select your decision")])
    reason = TextAreaField(
        "What did you look at, and why do you decide so?",
        validators=[
            InputRequired("Enter what you looked at and why you decide so"),
            Length(max=2000, message="The reason must be 2,000 characters or fewer"),
        ],
    )

    def offer(self, events: Sequence[str]) -> DecisionForm:
        """Offer these events of the result's state table. Returns itself."""
        self.decision.choices = [SelectChoice(event, _DECISIONS[event][0]) for event in events]
        self.hints = {event: _DECISIONS[event][1] for event in events}
        return self


class ReidentifyForm(Form):
    """From a pseudonym back to the person."""

    pseudonym = StringField(
        "Pseudonym",
        validators=[
            InputRequired("Enter the pseudonym, as it stands in the result"),
            Regexp(r"(?i)[0-9a-f]{32}\Z", message="The pseudonym must be 32 of 0 to 9 and a to f"),
        ],
    )
    reason = TextAreaField(
        "Why do you need to know who this is?",
        validators=[
            InputRequired("Enter why you need to know who this is"),
            Length(10, 500, message="The reason must be between 10 and 500 characters"),
        ],
    )


class ContractDecisionForm(Form):
    """A data steward of those concerned decides about a proposed contract."""

    decision = RadioField(
        "Your decision",
        choices=[SelectChoice("accept", "Accept the change"), SelectChoice("reject", "Reject the change")],
        validators=[InputRequired("Select your decision")],
    )
    reason = TextAreaField(
        "Why do you decide so?",
        validators=[
            InputRequired("Enter why you decide so"),
            Length(max=2000, message="The reason must be 2,000 characters or fewer"),
        ],
    )
    hints: ClassVar = {
        "accept": "It is in force at once; the next delivery must be made under it.",
        "reject": "The contract in force stays. The publisher reads your reason and may propose another.",
    }


class RegistrationForm(Form):
    """A second operator decides about an organisation or a machine client that waits."""

    decision = RadioField(
        "Your decision",
        choices=[SelectChoice("approve", "Approve"), SelectChoice("refuse", "Refuse")],
        validators=[InputRequired("Select your decision")],
    )

    @staticmethod
    def hints_for(kind: str) -> dict[str, str]:
        """What each choice means."""
        approve = (
            "I know this organisation and it belongs in this hub."
            if kind == "organisation"
            else "Its people read out the thumbprint that stands above."
        )
        return {"approve": approve, "refuse": "It can never be approved later; it has to be registered anew."}


class UploadForm(Form):
    """A file of a dataset, and what it does to what is there."""

    mode = RadioField("What is in the file?", validators=[InputRequired("Select what is in the file")])
    file = FileField("Choose a file", validators=[FileRequired("Choose a file")])

    def offer(self, key: Sequence[str], *, exists: bool) -> UploadForm:
        """Offer what a dataset with this primary key can do, and what one that exists already can. Returns itself."""
        by = " and ".join(key)
        offered = {
            "full": ("Everything: the whole dataset", "It takes the place of what the hub has now."),
            "append": ("New rows only", "They are added to what the hub has now."),
            "upsert": (
                "New and changed rows",
                f"A row takes the place of the one with the same {by}; the others are added.",
            ),
            "delete": (
                "Rows to remove", f"The hub removes the rows with the same {by}. Other columns are not looked at."
            ),
        }  # fmt: skip
        possible = ["full", "append", *(["upsert"] if key else []), *(["delete"] if key and exists else [])]
        if not exists:
            offered["full"] = (offered["full"][0], "The hub has nothing of this dataset yet.")
        self.mode.choices = [SelectChoice(mode, offered[mode][0]) for mode in possible]
        self.hints = {mode: offered[mode][1] for mode in possible}
        return self


class MendForm(Form):
    """A file with mended rows of a delivery."""

    file = FileField("Choose the mended file", validators=[FileRequired("Choose the mended file")])


class SendForm(Form):
    """Two buttons: send what was uploaded, or do not."""


_DECISIONS = {
    "release": ("Release it", "Everyone who may read results of this agreement can then see it."),
    "reject": ("Do not release it", "It stays closed for good. The plugin can be run again."),
    "withdraw": (
        "Withdraw it",
        "Nobody can open it any more; what was downloaded stays with those who have it.",
    ),
}
