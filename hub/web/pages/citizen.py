"""The pages that need no account: a person's own page, and what everybody can know about their rights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.rights.uses import Line
    from hub.web.rights_forms import AskForm, MyCodeForm
    from hub.workflows.rights_citizen import MyRequest

__all__ = ["ASKED_FOR", "MyCodePage", "MyDataAskPage", "MyDataPage", "YourRightsPage"]

#: What a person asked for, in their words.
ASKED_FOR: Final[Mapping[str, str]] = {
    "access": "A copy of your data", "rectification": "Something put right",
    "restriction": "To stop using your data for now", "objection": "Not to use your data for one purpose",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class YourRightsPage(Page):
    """What the hub holds, what people can ask for, and how; `services` are the names of those who send data."""

    template: ClassVar[str] = "pages/your_rights.html"

    services: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Heading."""
        return "Your data and your rights"


@dataclass(frozen=True, kw_only=True)
class MyCodePage(Page):
    """Where the code is entered; closed says that a page was open here and is not any more."""

    template: ClassVar[str] = "pages/my_code.html"

    form: MyCodeForm
    closed: bool = False

    @property
    def title(self) -> str:
        """Heading."""
        return "See who used your data"


@dataclass(frozen=True, kw_only=True, repr=False)
class MyDataPage(Page):
    """Who used a person's data, and what they asked for."""

    template: ClassVar[str] = "pages/my_data.html"

    lines: tuple[Line, ...]
    requests: tuple[MyRequest, ...]
    until: datetime
    made: datetime

    @property
    def title(self) -> str:
        """Heading: no name, because titles end up in browser histories."""
        return "Who used your data"

    def kind(self, request: MyRequest) -> str:
        """What was asked for, in the person's words."""
        return ASKED_FOR[request.request.kind.value]


@dataclass(frozen=True, kw_only=True)
class MyDataAskPage(Page):
    """Ask for something."""

    template: ClassVar[str] = "pages/my_data_ask.html"

    form: AskForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Ask us something about your data"
