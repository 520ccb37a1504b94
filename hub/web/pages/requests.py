"""Asking for data: the questions one by one, checking the answers, and the request as both sides see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.policy.asking import About, Question
    from hub.web.forms import Form
    from hub.web.question_forms import RequestActionForm, RequestDecisionForm, RequestReplyForm
    from hub.workflows.requesting import Answered, Asked, ListedRequest, ShownRequest

__all__ = ["AskPage", "QuestionPage", "RequestCheckPage", "RequestPage", "RequestsPage", "in_words"]


def in_words(answered: Answered) -> Any:
    """An answer as people read it; an empty one as None."""
    from datetime import date

    value, question = answered.value, answered.question
    if value in (None, "", []):
        return None
    if question.kind in ("columns", "plugins"):
        words = dict(question.choices)
        return ", ".join(str(words.get(item, item)) for item in value)
    if question.kind == "choice":
        return dict(question.choices).get(str(value), value)
    return date.fromisoformat(value) if question.kind == "day" else value


@dataclass(frozen=True, kw_only=True)
class AskPage(Page):
    """Before asking for a dataset: what will be asked, and what is known."""

    template: ClassVar[str] = "pages/ask.html"
    section: ClassVar[str] = "requests"

    dataset_id: str
    asked: Asked
    publisher: str
    form: RequestActionForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Ask for this data"


@dataclass(frozen=True, kw_only=True)
class QuestionPage(Page):
    """One question, `number` of `count`.

    `source` says where the answer in the form comes from; `columns` maps each column to what it is and how sensitive.
    """

    template: ClassVar[str] = "pages/question.html"
    section: ClassVar[str] = "requests"

    request_id: str
    about: About
    question: Question
    form: Form
    number: int
    count: int
    back: str
    source: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Heading."""
        return self.question.title


@dataclass(frozen=True, kw_only=True)
class RequestCheckPage(Page):
    """Check your answers before they are sent."""

    template: ClassVar[str] = "pages/request_check.html"
    section: ClassVar[str] = "requests"

    shown: ShownRequest
    form: RequestActionForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Check your answers"


@dataclass(frozen=True, kw_only=True)
class RequestsPage(Page):
    """Requests that this person's organisation made or is asked; `older` is the one to go on from."""

    template: ClassVar[str] = "pages/requests.html"
    section: ClassVar[str] = "requests"

    requests: tuple[ListedRequest, ...]
    older: str | None = None

    @property
    def title(self) -> str:
        """Heading."""
        return "Requests for data"


@dataclass(frozen=True, kw_only=True)
class RequestPage(Page):
    """One request. One of the forms is there, when there is something to do."""

    template: ClassVar[str] = "pages/request.html"
    section: ClassVar[str] = "requests"

    shown: ShownRequest
    decision: RequestDecisionForm | None = None
    reply: RequestReplyForm | None = None
    withdraw: RequestActionForm | None = None

    @property
    def title(self) -> str:
        """Heading."""
        return f"Request for {self.shown.dataset.title}"

    @property
    def forms(self) -> tuple[Form, ...]:
        """Those whose errors stand in the error summary."""
        return tuple(form for form in (self.decision, self.reply) if form is not None)
