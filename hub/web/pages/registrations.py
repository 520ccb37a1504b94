"""Pages of operators about registrations that wait for a second person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.web.forms import RegistrationForm
    from hub.workflows.registering import Waiting

__all__ = ["RegistrationPage", "RegistrationsPage"]


@dataclass(frozen=True, kw_only=True)
class RegistrationsPage(Page):
    """Everything that waits for approval. `problem` says why nobody could approve it, where that is so."""

    template: ClassVar[str] = "pages/registrations.html"
    section: ClassVar[str] = "registrations"

    waiting: tuple[Waiting, ...]
    problem: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "Waiting for approval"


@dataclass(frozen=True, kw_only=True)
class RegistrationPage(Page):
    """One registration that waits, and the decision."""

    template: ClassVar[str] = "pages/registration.html"
    section: ClassVar[str] = "registrations"

    item: Waiting
    form: RegistrationForm

    @property
    def title(self) -> str:
        """Heading."""
        return f"Approve {'an organisation' if self.item.kind == 'organisation' else 'a machine client'}"
