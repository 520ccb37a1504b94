"""Pages of operators about people's accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.web.account_forms import BindForm, InviteForm, RolesForm
    from hub.web.forms import Form
    from hub.workflows.accounts import AccountLine

__all__ = ["InvitePage", "UserCodePage", "UserPage", "UsersPage"]


@dataclass(frozen=True, kw_only=True)
class UsersPage(Page):
    """All accounts that an operator looks after."""

    template: ClassVar[str] = "pages/users.html"
    section: ClassVar[str] = "users"

    users: tuple[AccountLine, ...]

    @property
    def title(self) -> str:
        """Heading."""
        return "People and their accounts"


@dataclass(frozen=True, kw_only=True)
class InvitePage(Page):
    """A new account."""

    template: ClassVar[str] = "pages/user_new.html"
    section: ClassVar[str] = "users"

    form: InviteForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Invite somebody"


@dataclass(frozen=True, kw_only=True)
class UserPage(Page):
    """One account, and what an operator can do about it. `mine`: it is the operator's own."""

    template: ClassVar[str] = "pages/user.html"
    section: ClassVar[str] = "users"

    user: AccountLine
    roles_form: RolesForm
    bind_form: BindForm | None
    provider: str
    mine: bool

    @property
    def title(self) -> str:
        """Heading."""
        return self.user.account.name

    @property
    def forms(self) -> tuple[Form, ...]:
        """Both forms."""
        return (self.roles_form, *((self.bind_form,) if self.bind_form is not None else ()))


@dataclass(frozen=True, kw_only=True)
class UserCodePage(Page):
    """A one-time code, shown once. Without one: the account is for the provider, and waits to be bound."""

    template: ClassVar[str] = "pages/user_code.html"
    section: ClassVar[str] = "users"

    user_id: str
    name: str
    code: str
    hours: int
    address: str
    provider: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return f"One-time code for {self.name}" if self.code else f"{self.name} has an account"
