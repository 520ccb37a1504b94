"""What every page has: a title, a place in the navigation, perhaps a form; and the shell around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from hub.web.forms import Form

__all__ = ["Page", "Shell", "SignedIn"]


@dataclass(frozen=True)
class SignedIn:
    """Who is signed in, for the top of the page."""

    name: str
    organisation: str


@dataclass(frozen=True)
class Shell:
    """What stands around every page.

    may_open: names of the routes that this person's navigation offers (``hub.web.routes.NAVIGATION``); None
    offers all. synthetic and unsandboxed put a notice on every page.
    """

    hub_name: str
    user: SignedIn | None = None
    may_open: frozenset[str] | None = None
    synthetic: bool = False
    unsandboxed: bool = False
    crown: bool = False

    def opens(self, name: str) -> bool:
        """Whether this person may open the pages of a section, so that a link there leads somewhere."""
        return self.may_open is None or name in self.may_open


@dataclass(frozen=True, kw_only=True)
class Page:
    """Base of all pages. A subclass says its template and the navigation entry it belongs to."""

    template: ClassVar[str]
    section: ClassVar[str] = ""

    @property
    def title(self) -> str:
        """The page's heading and the first part of its title."""
        raise NotImplementedError

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms on the page, whose errors stand in the error summary."""
        form = getattr(self, "form", None)
        return (form,) if form is not None else ()

    @property
    def has_errors(self) -> bool:
        """Whether the title starts with "Error:" and an error summary stands at the top."""
        return any(form.errors for form in self.forms)
