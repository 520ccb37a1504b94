"""Writing an agreement: how to begin, one question a page, and checking the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.policy.questions import Question
    from hub.web.forms import Form
    from hub.web.forms_agreements import (
        DatasetChoiceForm,
        DatasetColumnsForm,
        EmptyForm,
        StartForm,
        UploadAgreementForm,
    )
    from hub.workflows.drafting import Offered

__all__ = [
    "Answer", "CheckAnswersPage", "ColumnsPage", "DatasetsQuestionPage", "DraftLine", "DraftQuestionPage", "StartPage",
    "UploadAgreementPage",
]  # fmt: skip


@dataclass(frozen=True)
class DraftLine:
    """Something that is being written."""

    id: str
    title: str
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class StartPage(Page):
    """How to begin to write an agreement."""

    template: ClassVar[str] = "pages/agreement_start.html"
    section: ClassVar[str] = "agreements"

    form: StartForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Write an agreement"


@dataclass(frozen=True, kw_only=True)
class UploadAgreementPage(Page):
    """An agreement as a file; `problems` say what is wrong with the one that was sent."""

    template: ClassVar[str] = "pages/agreement_upload.html"
    section: ClassVar[str] = "agreements"

    form: UploadAgreementForm
    problems: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Heading."""
        return "Upload an agreement"


@dataclass(frozen=True, kw_only=True)
class DraftQuestionPage(Page):
    """One question, `number` of `count`."""

    template: ClassVar[str] = "pages/agreement_question.html"
    section: ClassVar[str] = "agreements"

    draft_id: str
    question: Question
    form: Form
    number: int
    count: int
    back: str

    @property
    def title(self) -> str:
        """Heading."""
        return self.question.title


@dataclass(frozen=True, kw_only=True)
class DatasetsQuestionPage(Page):
    """Which data: what was chosen so far, and what there is. `chosen` are the entries of the answers."""

    template: ClassVar[str] = "pages/agreement_datasets.html"
    section: ClassVar[str] = "agreements"

    draft_id: str
    form: DatasetChoiceForm
    number: int
    count: int
    back: str
    onward: str
    chosen: tuple[Mapping[str, Any], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Heading."""
        return "Which data is shared?"


@dataclass(frozen=True, kw_only=True)
class ColumnsPage(Page):
    """Which columns of one dataset."""

    template: ClassVar[str] = "pages/agreement_columns.html"
    section: ClassVar[str] = "agreements"

    draft_id: str
    offered: Offered
    publisher: str
    form: DatasetColumnsForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Which columns are needed?"


@dataclass(frozen=True)
class Answer:
    """A question with its answer in words, and what is wrong with it."""

    question: Question
    rows: tuple[tuple[str, str], ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CheckAnswersPage(Page):
    """All answers; `ready` when they are an agreement. `problems` are those of no single question."""

    template: ClassVar[str] = "pages/agreement_check.html"
    section: ClassVar[str] = "agreements"

    draft_id: str
    answers: tuple[Answer, ...]
    form: EmptyForm
    ready: bool
    problems: tuple[str, ...] = ()
    text: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "Check your answers" if self.ready else "What you have answered so far"

    @property
    def first_open(self) -> str:
        """The first question that is not answered well; empty when there is none."""
        return next((item.question.id for item in self.answers if item.problems), "")
