"""Requests of people about their own data, as officers, departments, stewards and investigators see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, ClassVar, Final

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.insights.people import Found
    from hub.rights.corrections import Correction
    from hub.rights.store import Request
    from hub.web.forms import Form
    from hub.web.rights_forms import (
        ActForm,
        CodeForm,
        CorrectionForm,
        DeclineForm,
        DelayForm,
        FindForm,
        ObjectionForm,
        OpenForm,
    )
    from hub.workflows.rights import Shown
    from hub.workflows.rights_copies import Part
    from hub.workflows.rights_corrections import OwnRow, Task
    from hub.workflows.rights_delays import ShownDelay

__all__ = [
    "CorrectionPage", "CorrectionsPage", "DelaysPage", "ObjectionPage", "ObjectionsPage", "RightsFindPage",
    "RightsPersonPage", "RightsRequestPage", "RightsRequestsPage", "RightsRowsPage",
]  # fmt: skip

KINDS: Final[Mapping[str, str]] = {
    "access": "Copy of their data", "rectification": "Something put right", "restriction": "Restriction of use",
    "objection": "Objection",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Rights(Page):
    section: ClassVar[str] = "rights_requests"

    def kind(self, request: Request) -> str:
        """What is asked for."""
        return KINDS[request.kind.value]


@dataclass(frozen=True, kw_only=True)
class RightsRequestsPage(_Rights):
    """Requests by the day they are due. `on` is today; older is the address of the next ones, empty without."""

    template: ClassVar[str] = "pages/rights_requests.html"

    requests: tuple[Request, ...]
    on: date
    everything: bool = False
    older: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "What people ask about their data"


@dataclass(frozen=True, kw_only=True, repr=False)
class RightsFindPage(_Rights):
    """Look for the person who asks; found are (handle, person), None before."""

    template: ClassVar[str] = "pages/rights_find.html"

    form: FindForm
    found: tuple[tuple[str, Found], ...] | None = None

    @property
    def title(self) -> str:
        """Heading."""
        return "Find the person who asks"


@dataclass(frozen=True, kw_only=True, repr=False)
class RightsPersonPage(_Rights):
    """What to do for a person who was found: write down what they ask for, or give them a code (shown once)."""

    template: ClassVar[str] = "pages/rights_person.html"

    open_form: OpenForm
    code_form: CodeForm
    code: str = ""
    days: int = 14

    @property
    def title(self) -> str:
        """Heading: no name, because titles end up in browser histories."""
        return "The person who asks"

    @property
    def forms(self) -> tuple[Form, ...]:
        """Both forms."""
        return (self.open_form, self.code_form)


@dataclass(frozen=True, kw_only=True, repr=False)
class RightsRequestPage(_Rights):
    """One request. parts are what is in its copy; tasks the corrections that were sent."""

    template: ClassVar[str] = "pages/rights_request.html"

    shown: Shown
    form: ActForm | None
    parts: tuple[Part, ...] = ()
    tasks: tuple[Task, ...] = ()

    @property
    def title(self) -> str:
        """Heading."""
        return KINDS[self.shown.request.kind.value]

    @property
    def restricted(self) -> bool:
        """Whether a restriction of this request is in force."""
        return any(item.ended_at is None for item in self.shown.restrictions)


@dataclass(frozen=True, kw_only=True, repr=False)
class RightsRowsPage(_Rights):
    """The rows about a person, and which of them is wrong."""

    template: ClassVar[str] = "pages/rights_rows.html"

    request_id: str
    rows: tuple[OwnRow, ...]
    form: CorrectionForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Send a correction to a department"


@dataclass(frozen=True, kw_only=True)
class CorrectionsPage(Page):
    """Corrections that wait for a department: (correction, title of the dataset)."""

    template: ClassVar[str] = "pages/corrections.html"
    section: ClassVar[str] = "corrections"

    corrections: tuple[tuple[Correction, str], ...]

    @property
    def title(self) -> str:
        """Heading."""
        return "Corrections that people ask for"


@dataclass(frozen=True, kw_only=True, repr=False)
class CorrectionPage(Page):
    """One correction, for the department."""

    template: ClassVar[str] = "pages/correction.html"
    section: ClassVar[str] = "corrections"

    task: Task
    form: DeclineForm | None

    @property
    def title(self) -> str:
        """Heading."""
        return "A value that a person says is wrong"


@dataclass(frozen=True, kw_only=True, repr=False)
class ObjectionsPage(Page):
    """Objections that wait for a steward."""

    template: ClassVar[str] = "pages/objections.html"
    section: ClassVar[str] = "objections"

    objections: tuple[Shown, ...]

    @property
    def title(self) -> str:
        """Heading."""
        return "Objections"


@dataclass(frozen=True, kw_only=True, repr=False)
class ObjectionPage(Page):
    """One objection, and the steward's decision."""

    template: ClassVar[str] = "pages/objection.html"
    section: ClassVar[str] = "objections"

    shown: Shown
    form: ObjectionForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Objection to an agreement"


@dataclass(frozen=True, kw_only=True, repr=False)
class DelaysPage(Page):
    """Delays of entries; form for those who may ask for one, decision for the one that is to be decided."""

    template: ClassVar[str] = "pages/delays.html"

    delays: tuple[ShownDelay, ...]
    most: int
    form: DelayForm | None = None
    decisions: Mapping[str, Form]
    place: str = "delays"

    @property
    def section(self) -> str:  # type: ignore[override]
        """Which of the two pages it is."""
        return self.place

    @property
    def title(self) -> str:
        """Heading."""
        return "Entries that people see later"

    @property
    def forms(self) -> tuple[Form, ...]:
        """All forms."""
        return (*([self.form] if self.form is not None else []), *self.decisions.values())
