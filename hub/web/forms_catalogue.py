"""Forms about datasets: what is known of one beyond its contract, and who finds it.

What may be entered is checked in one place (`hub.catalogue.record`); its complaints are put beside the fields here.
"""

from __future__ import annotations

from typing import ClassVar

from wtforms import RadioField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from hub.catalogue.record import Record
from hub.catalogue.terms import ACCESS, CLASSIFICATIONS, FREQUENCIES, LANGUAGES, THEMES
from hub.errors import Invalid
from hub.policy.listing import Visibility
from hub.web.forms import Form

__all__ = ["DescribeForm", "VisibilityForm"]

_CODES = 20


class DescribeForm(Form):
    """What a data steward says of a dataset. Lists are written one entry a line."""

    summary = StringField("Summary", validators=[Length(max=500)])
    keywords = TextAreaField("Keywords", validators=[Length(max=2000)])
    contact_name = StringField("Team to contact", validators=[Length(max=300)])
    contact_email = StringField("Email address of the team", validators=[Length(max=300)])
    frequency = SelectField("How often it is updated", choices=[], validate_choice=False)
    access = SelectField("Who may have the data", choices=[], validate_choice=False)
    licence = StringField("Address of the licence", validators=[Length(max=600)])
    themes = SelectMultipleField("Themes", choices=[], validate_choice=False)
    spatial = TextAreaField("Places it covers", validators=[Length(max=12_000)])
    language = SelectField("Language", choices=[], validate_choice=False)
    classification = SelectField("Security classification", choices=[], validate_choice=False)
    govuk_organisation = StringField("Organisation on GOV.UK", validators=[Length(max=300)])

    codes: ClassVar = {
        "frequency": {code: item.words for code, item in FREQUENCIES.items() if code},
        "access": {code: item.words for code, item in ACCESS.items()},
        "language": {code: item.words for code, item in LANGUAGES.items()},
        "classification": {code: code.capitalize() for code in CLASSIFICATIONS},
    }

    def show(self, record: Record) -> DescribeForm:
        """Offer what can be chosen, and put in what was said before unless something was sent. Returns itself."""
        for name, words in self.codes.items():
            offered = [SelectChoice(code, text) for code, text in words.items()]
            self[name].choices = [SelectChoice("", "Leave it to the contract"), *offered]
        self.themes.choices = [SelectChoice(code, text) for code, text in THEMES.items()]
        if not self.is_submitted():
            for name, value in vars(record).items():
                lines = isinstance(value, tuple) and name != "themes"
                self[name].data = "\n".join(value) if lines else list(value) if name == "themes" else value
        return self

    def record(self) -> Record:
        """What was entered."""
        return Record(
            summary=self.summary.data or "", keywords=_lines(self.keywords.data),
            contact_name=self.contact_name.data or "", contact_email=self.contact_email.data or "",
            licence=self.licence.data or "", themes=tuple((self.themes.data or [])[:_CODES]),
            frequency=self.frequency.data or "", spatial=_lines(self.spatial.data), language=self.language.data or "",
            access=self.access.data or "", classification=self.classification.data or "",
            govuk_organisation=self.govuk_organisation.data or "",
        )  # fmt: skip

    def complain(self, error: Invalid) -> None:
        """Put each complaint beside its field."""
        for name, problems in error.fields.items():
            if name in self:
                field = self[name]
                field.errors = [*field.errors, f"{field.label.text} {' '.join(map(str, problems))}"]


def _lines(text: str | None) -> tuple[str, ...]:
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())


class VisibilityForm(Form):
    """Who finds a dataset."""

    visibility = RadioField(
        "Who finds this dataset?",
        choices=[
            SelectChoice(Visibility.LISTED.value, "Everybody who is signed in"),
            SelectChoice(Visibility.PRIVATE.value, "Only those concerned"),
        ],
        validators=[InputRequired("Select who finds this dataset")],
    )
    hints: ClassVar = {
        Visibility.LISTED.value: "They read what it is and whom to ask. Its rows are read under an agreement only.",
        Visibility.PRIVATE.value: "Your organisation, those who look after the hub, and the parties to an agreement in "
        "force that names it. For everybody else it does not exist.",
    }
