"""The forms for signing in, for one's account, and for other people's accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from wtforms import PasswordField, RadioField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, Regexp

from hub.policy.roles import PERSON_ROLES, ROLES
from hub.web.forms import Form

__all__ = [
    "BindForm", "ChangePasswordForm", "CodeForm", "FactorForm", "InviteForm", "OneTimeCodeForm", "ProofForm",
    "RolesForm", "SignInForm",
]  # fmt: skip

_LONG = Length(max=1000, message="This is too long")
_NEW_PASSWORD = (
    InputRequired("Enter a new password"),
    Length(12, 500, message="The new password must be between 12 and 500 characters"),
)


class SignInForm(Form):
    """Name and password of a local account."""

    username = StringField(
        "Username",
        validators=[InputRequired("Enter your username"), Length(max=100, message="This is too long")],
    )
    password = PasswordField("Password", validators=[InputRequired("Enter your password"), _LONG])


class CodeForm(Form):
    """The second step of signing in."""

    code = StringField(
        "Code",
        validators=[
            InputRequired("Enter the code from your app, or a recovery code"),
            Length(max=50, message="Enter the 6 digits from your app, or a recovery code"),
        ],
    )


class OneTimeCodeForm(Form):
    """A code from an operator, and the password that the person chooses."""

    code = StringField("One-time code", validators=[InputRequired("Enter your one-time code"), _LONG])
    password = PasswordField("New password", validators=_NEW_PASSWORD)


class ChangePasswordForm(Form):
    """The old password and the new one."""

    old = PasswordField("Current password", validators=[InputRequired("Enter your current password"), _LONG])
    new = PasswordField("New password", validators=_NEW_PASSWORD)


class ProofForm(Form):
    """Proving once more who one is: by the password, or a code where there is none."""

    proof = PasswordField("Your password", validators=[InputRequired("Enter your password"), _LONG])

    def ask_for(self, proof: str) -> ProofForm:
        """Ask for "password", "code" or nothing (""). Returns itself."""
        if proof == "code":
            self.proof.label.text = "A code from the app you use now, or a recovery code"
            self.proof.validators = [
                InputRequired("Enter a code from the app you use now, or a recovery code")
            ]
        elif not proof:
            del self.proof
        return self


class FactorForm(ProofForm):
    """A code of the new app, after the proof."""

    code = StringField(
        "Code from the new app",
        validators=[
            InputRequired("Enter the 6 digits that the app shows"),
            Regexp(r"\d{3} ?\d{3}\Z", message="The code is 6 digits, like 123 456"),
        ],
    )


class _Roles:
    def offer_roles(self, held: Sequence[str] = ()) -> None:
        """Offer all roles of people; those held are ticked until something is sent."""
        self.roles.choices = [SelectChoice(role, role.capitalize()) for role in PERSON_ROLES]  # type: ignore[attr-defined]
        if not self.is_submitted():  # type: ignore[attr-defined]
            self.roles.data = list(held)  # type: ignore[attr-defined]

    hints: ClassVar = {
        role: ", ".join(sorted(item.value for item in ROLES[role]))[:1].upper()
        + ", ".join(sorted(item.value for item in ROLES[role]))[1:]
        for role in PERSON_ROLES
    }


class RolesForm(_Roles, Form):
    """Somebody's roles."""

    roles = SelectMultipleField("Roles", validators=[InputRequired("Select at least one role")])


class InviteForm(_Roles, Form):
    """A new account."""

    name = StringField(
        "Full name",
        validators=[InputRequired("Enter the person's name"), Length(max=200, message="This is too long")],
    )
    username = StringField(
        "Username",
        validators=[
            InputRequired("Enter a username"),
            Regexp(
                r"[A-Za-z0-9][A-Za-z0-9._@-]{1,98}\Z",
                message="The username must be 2 to 99 letters, digits, dots, hyphens or underscores",
            ),
        ],
    )
    organisation = SelectField("Organisation", validators=[InputRequired("Select an organisation")])
    roles = SelectMultipleField("Roles", validators=[InputRequired("Select at least one role")])
    way = RadioField("How will they sign in?", validators=[InputRequired("Select how they will sign in")])

    def offer(self, organisations: Sequence[tuple[str, str]], provider: str) -> InviteForm:
        """Offer organisations as (slug, name), and a provider by its name where there is one. Returns itself."""
        self.offer_roles()
        self.organisation.choices = [SelectChoice(slug, name) for slug, name in organisations]
        self.way.choices = [SelectChoice("password", "With a password they choose themselves")]
        if provider:
            self.way.choices.append(SelectChoice("provider", f"Through {provider} only"))
        elif not self.is_submitted():
            self.way.data = "password"
        return self


class BindForm(Form):
    """What the provider calls somebody."""

    subject = StringField(
        "Reference at the provider",
        validators=[Optional(), Length(max=255, message="The reference must be 255 characters or fewer")],
    )
