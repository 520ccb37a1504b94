"""Made-up content for the pages about signing in and accounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from browser.samples import HOSTILE, NOW
from hub.identity.people import Account
from hub.web import pages
from hub.web.account_forms import (
    BindForm,
    ChangePasswordForm,
    CodeForm,
    FactorForm,
    InviteForm,
    OneTimeCodeForm,
    ProofForm,
    RolesForm,
    SignInForm,
)
from hub.web.qr import qr_svg
from hub.web.views.signing_in import QR_TITLE
from hub.workflows.accounts import AccountLine

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CODES = tuple(f"a{number}bc-defg-hjkm-npqr" for number in range(10))


def _form(kind: type[Any], *, validate: bool) -> Any:
    return kind(formdata=None, meta={"csrf": not validate})


def _checked(form: Any, validate: bool) -> Any:
    if validate:
        form.validate()
    return form


def sign_in(*, validate: bool = False, **more: str) -> pages.SignInPage:
    """Name and password; with `validate`, nothing was entered."""
    return pages.SignInPage(form=_checked(_form(SignInForm, validate=validate), validate), **more)


def code(*, validate: bool = False) -> pages.SignInCodePage:
    """The second step."""
    return pages.SignInCodePage(form=_checked(_form(CodeForm, validate=validate), validate))


def one_time(*, validate: bool = False) -> pages.OneTimeCodePage:
    """A one-time code and a new password."""
    return pages.OneTimeCodePage(form=_checked(_form(OneTimeCodeForm, validate=validate), validate))


def factor(proof: str, *, validate: bool = False, **more: bool) -> pages.FactorPage:
    """Setting up an app."""
    form = _form(FactorForm, validate=validate)
    form.ask_for(proof)
    picture = qr_svg(f"otpauth://totp/Hub:sam?secret={SECRET}&issuer=Hub", QR_TITLE)
    return pages.FactorPage(form=_checked(form, validate), secret=SECRET, picture=picture, **more)


def account(**more: Any) -> pages.AccountPage:
    """An account in use."""
    told: dict[str, Any] = {
        "name": "Sam Key", "username": "sam", "organisation": "Children's Services", "roles": ("service user",),
        "permissions": ("read the catalogue", "search people and read households"), "session_minutes": 30,
        "session_hours": 12, "has_password": True, "second_factor": True, "required": True, "recovery_left": 2,
        "sessions": (
            pages.SessionLine("ses_1", "Firefox on Windows", NOW - timedelta(hours=2), NOW, True),
            pages.SessionLine("ses_2", HOSTILE, NOW - timedelta(hours=5), NOW - timedelta(hours=4), False),
        ),
    }  # fmt: skip
    return pages.AccountPage(**told | more)


def user(*, validate: bool = False, mine: bool = False, active: bool = True) -> pages.UserPage:
    """One account as an operator sees it."""
    form = _form(RolesForm, validate=validate)
    form.offer_roles(("analyst",))
    if validate:
        form.roles.data = []
    bind = _form(BindForm, validate=False)
    return pages.UserPage(
        user=line("usr_1", "Ana Lindqvist", active=active), roles_form=_checked(form, validate), bind_form=bind,
        provider="Wexbourne Council", mine=mine,
    )  # fmt: skip


def line(ident: str, name: str, *, active: bool = True, invited: bool = False) -> AccountLine:
    """An account in the list."""
    found = Account(ident, "ana", name, "org1", "police", ("analyst",), active, not invited)
    return AccountLine(found, "Wexbourne Police", not invited, invited)


def invite(*, validate: bool = False) -> pages.InvitePage:
    """A new account."""
    form = _form(InviteForm, validate=validate)
    form.offer([("police", "Wexbourne Police"), ("hub", HOSTILE)], "Wexbourne Council")
    return pages.InvitePage(form=_checked(form, validate))


def made(given: str) -> pages.UserCodePage:
    """What is told after an account was made."""
    address = "https://hub.wexbourne.example/sign-in/one-time-code"
    return pages.UserCodePage(
        user_id="usr_1", name=HOSTILE, code=given, hours=72, address=address, provider="Wexbourne Council"
    )


#: Name -> a function that makes the page, called inside a request.
ACCOUNTS: dict[str, Callable[[], pages.Page]] = {
    "sign_in": sign_in,
    "sign_in-errors": lambda: sign_in(validate=True),
    "sign_in-provider": lambda: sign_in(provider="Wexbourne Council", provider_href="/sign-in/provider"),
    "sign_in_code": code,
    "sign_in_code-errors": lambda: code(validate=True),
    "sign_in_one_time": one_time,
    "sign_in_one_time-errors": lambda: one_time(validate=True),
    "sign_in_set_up": lambda: factor("", required=True),
    "signed_out": lambda: pages.SignedOutPage(provider="Wexbourne Council", provider_href="/sign-in"),
    "account": account,
    "account-empty": lambda: account(
        second_factor=False, required=False, has_password=False, permissions=(), sessions=()
    ),
    "account_factor": lambda: factor("password"),
    "account_factor-errors": lambda: factor("code", validate=True, replaces=True),
    "account_recovery": lambda: pages.RecoveryCodesPage(
        form=ProofForm(formdata=None, meta={"csrf": False}).ask_for("password")
    ),
    "account_recovery-codes": lambda: pages.RecoveryCodesPage(codes=CODES, goal="/"),
    "account_password": lambda: pages.ChangePasswordPage(form=_form(ChangePasswordForm, validate=False)),
    "account_password-errors": lambda: pages.ChangePasswordPage(
        form=_checked(_form(ChangePasswordForm, validate=True), True)
    ),
    "users": lambda: pages.UsersPage(
        users=(
            line("usr_1", "Ana Lindqvist"), line("usr_2", HOSTILE, active=False), line("usr_3", "Pat", invited=True),
        )
    ),
    "user": user,
    "user-errors": lambda: user(validate=True),
    "user-mine": lambda: user(mine=True),
    "user-closed": lambda: user(active=False),
    "user_new": invite,
    "user_new-errors": lambda: invite(validate=True),
    "user_code": lambda: made("3f2a-9c01-77de-b045-18aa"),
    "user_code-provider": lambda: made(""),
}  # fmt: skip

#: Those that are seen before signing in.
PUBLIC = frozenset(name for name in ACCOUNTS if name.startswith(("sign_in", "signed_out")))
