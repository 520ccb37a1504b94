"""Finding a household and reading its page: behind a purpose, a reason and an entry in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.insights.household import HouseholdView, Member
    from hub.web.forms import ReidentifyForm, SearchForm
    from hub.workflows.reidentifying import Reidentified

__all__ = ["Access", "Hit", "HouseholdPage", "ReidentifyPage", "SearchPage"]


@dataclass(frozen=True, repr=False)
class Hit:
    """A person that matched.

    `handle` opens the household: opaque, short-lived, and of no meaning elsewhere. It is empty when the person is in
    no household.
    """

    handle: str
    name: str
    date_of_birth: date | str | None
    postcode: str


@dataclass(frozen=True, kw_only=True, repr=False)
class SearchPage(Page):
    """The search; found is None before the first search and empty when nobody matched."""

    template: ClassVar[str] = "pages/search.html"
    section: ClassVar[str] = "search"

    form: SearchForm
    found: tuple[Hit, ...] | None = None

    @property
    def title(self) -> str:
        """Heading."""
        return "Find a household"


@dataclass(frozen=True, repr=False)
class Access:
    """The access that opened the page, as it stands in the audit log."""

    purpose: str
    agreement_id: str
    agreement_title: str
    reason: str
    at: datetime
    entry: int | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class HouseholdPage(Page):
    """One household. `on` is the day ages are counted to; `searched` the person_id that was looked for.

    `contact` says where the household can be given right: the agreement's contact.
    """

    template: ClassVar[str] = "pages/household.html"
    section: ClassVar[str] = "search"

    view: HouseholdView
    access: Access
    on: date
    contact: str = ""
    searched: str = ""

    @property
    def title(self) -> str:
        """Heading: no name and no address, because titles end up in browser histories."""
        return "Household"

    def name(self, member: Member) -> str:
        """A member's name as read out."""
        return f"{member.forename} {member.surname}".strip() or "Name not known"

    def short_name(self, person_id: str) -> str:
        """The forename that stands for a person in the tables of services."""
        for member in self.view.members:
            if member.person_id == person_id:
                return member.forename or self.name(member)
        return "Somebody no longer in this household"


@dataclass(frozen=True, kw_only=True, repr=False)
class ReidentifyPage(Page):
    """From a pseudonym to the person. found is None before; why_not stands in place of the form."""

    template: ClassVar[str] = "pages/reidentify.html"
    section: ClassVar[str] = "results"

    result_id: str
    form: ReidentifyForm
    why_not: str = ""
    found: Reidentified | None = None

    @property
    def title(self) -> str:
        """Heading: no name, because titles end up in browser histories."""
        return "Find the person behind a pseudonym"
