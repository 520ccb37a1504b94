"""Pages of signing in and of one's own account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from markupsafe import Markup

    from hub.web.account_forms import (
        ChangePasswordForm,
        CodeForm,
        FactorForm,
        OneTimeCodeForm,
        ProofForm,
        SignInForm,
    )

__all__ = [
    "AccountPage", "ChangePasswordPage", "FactorPage", "OneTimeCodePage", "RecoveryCodesPage", "SessionLine",
    "SignInCodePage", "SignInPage", "SignedOutPage",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SignInPage(Page):
    """Signing in; `provider` is what another way of signing in is called, and `provider_href` where it begins."""

    template: ClassVar[str] = "pages/sign_in.html"

    form: SignInForm
    provider: str = ""
    provider_href: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "Sign in"


@dataclass(frozen=True, kw_only=True)
class SignInCodePage(Page):
    """The second step."""

    template: ClassVar[str] = "pages/sign_in_code.html"

    form: CodeForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Enter the code from your app"


@dataclass(frozen=True, kw_only=True)
class OneTimeCodePage(Page):
    """Choosing a password with a code from an operator."""

    template: ClassVar[str] = "pages/one_time_code.html"

    form: OneTimeCodeForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Choose a password"


@dataclass(frozen=True, kw_only=True)
class SignedOutPage(Page):
    """After signing out, for who came through a provider: its session goes on until they end it there."""

    template: ClassVar[str] = "pages/signed_out.html"

    provider: str = ""
    provider_href: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "You are signed out"


@dataclass(frozen=True, kw_only=True)
class FactorPage(Page):
    """Setting up an authenticator app. `required`: at the first sign-in; `replaces`: another app is in use."""

    template: ClassVar[str] = "pages/second_factor.html"
    section: ClassVar[str] = "account"

    form: FactorForm
    secret: str
    picture: Markup
    required: bool = False
    replaces: bool = False

    @property
    def title(self) -> str:
        """Heading."""
        return "Use another authenticator app" if self.replaces else "Set up a second factor"

    @property
    def key(self) -> str:
        """The secret in groups of four, as people type it."""
        return " ".join(self.secret[place : place + 4] for place in range(0, len(self.secret), 4))


@dataclass(frozen=True, kw_only=True)
class RecoveryCodesPage(Page):
    """Recovery codes: a form to make new ones, or the codes, once; `goal` is where to go on."""

    template: ClassVar[str] = "pages/recovery_codes.html"
    section: ClassVar[str] = "account"

    codes: tuple[str, ...] = ()
    form: ProofForm | None = None
    goal: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "Your recovery codes" if self.codes else "Make new recovery codes"


@dataclass(frozen=True, kw_only=True)
class ChangePasswordPage(Page):
    """Changing one's password."""

    template: ClassVar[str] = "pages/change_password.html"
    section: ClassVar[str] = "account"

    form: ChangePasswordForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Change your password"


@dataclass(frozen=True)
class SessionLine:
    """A browser that is signed in; `here`: this one."""

    id: str
    device: str
    since: datetime
    seen: datetime
    here: bool


@dataclass(frozen=True, kw_only=True)
class AccountPage(Page):
    """Who I am, what I may do, how I sign in; permissions are in words ("read the audit log")."""

    template: ClassVar[str] = "pages/account.html"
    section: ClassVar[str] = "account"

    name: str
    username: str
    organisation: str
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    session_minutes: int
    session_hours: int
    has_password: bool
    second_factor: bool
    required: bool
    recovery_left: int
    sessions: tuple[SessionLine, ...]

    @property
    def title(self) -> str:
        """Heading."""
        return "Your account"
