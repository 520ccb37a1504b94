"""Plugins, runs and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.policy.agreement import Agreement
    from hub.runs.sandbox.outcome import Isolation
    from hub.runs.store import Plugin, Result, Run, Schedule
    from hub.web.forms import DecisionForm
    from hub.web.reports import ReportView, TableView

__all__ = [
    "OutputView",
    "PluginLine",
    "PluginPage",
    "PluginsPage",
    "ResultLine",
    "ResultPage",
    "ResultsPage",
    "RunInput",
    "RunLine",
    "RunPage",
    "RunsPage",
    "Upcoming",
]


@dataclass(frozen=True)
class RunLine:
    """A run in a list; title is its plugin's.

    result_state is None when it made no result, result_id when this person may not open it.
    """

    run: Run
    title: str
    result_id: str | None = None
    result_state: str | None = None


@dataclass(frozen=True)
class Upcoming:
    """A schedule and when it is due next; next_at is None while it is paused."""

    schedule: Schedule
    title: str
    next_at: datetime | None = None


@dataclass(frozen=True)
class PluginLine:
    """A plugin in the list."""

    plugin: Plugin
    upcoming: tuple[Upcoming, ...] = ()
    last: RunLine | None = None


@dataclass(frozen=True, kw_only=True)
class PluginsPage(Page):
    """The plugins there are, and how they are isolated."""

    template: ClassVar[str] = "pages/plugins.html"
    section: ClassVar[str] = "plugins"

    plugins: tuple[PluginLine, ...]
    isolation: Isolation

    @property
    def title(self) -> str:
        """Heading."""
        return "Plugins"


@dataclass(frozen=True, kw_only=True)
class PluginPage(Page):
    """One plugin. `titles` maps contract ids to titles, where the hub knows them."""

    template: ClassVar[str] = "pages/plugin.html"
    section: ClassVar[str] = "plugins"

    plugin: Plugin
    isolation: Isolation
    upcoming: tuple[Upcoming, ...] = ()
    runs: tuple[RunLine, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Heading."""
        return str(self.plugin.manifest["title"])


@dataclass(frozen=True, kw_only=True)
class RunsPage(Page):
    """Runs, newest first. older is the id to go on from, None on the last page."""

    template: ClassVar[str] = "pages/runs.html"
    section: ClassVar[str] = "runs"

    runs: tuple[RunLine, ...]
    older: str | None = None
    plugin: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "Runs"


@dataclass(frozen=True)
class RunInput:
    """What a run read: the versions of the datasets under one input of the manifest.

    versions are (dataset id, organisation, number) each; absent inputs have none.
    """

    name: str
    contract: str
    title: str
    columns: tuple[str, ...]
    required: bool = True
    versions: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunPage(Page):
    """One run; `outcome` is its line in lists, with the result as far as this person may open it.

    `opted_out` says how many rows the national data opt-out took out, in words; empty where it was not applied.
    """

    template: ClassVar[str] = "pages/run.html"
    section: ClassVar[str] = "runs"

    run: Run
    plugin: Plugin
    agreement_title: str
    organisation: str
    outcome: RunLine
    inputs: tuple[RunInput, ...] = ()
    opted_out: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return f"Run of {self.plugin.manifest['title']}"

    @property
    def waits(self) -> bool:
        """Whether its state will still change."""
        return str(self.run.state) in {"queued", "running"}


@dataclass(frozen=True)
class ResultLine:
    """A result in the list."""

    result: Result
    run: Run
    title: str


@dataclass(frozen=True, kw_only=True)
class ResultsPage(Page):
    """Results: those that wait for a decision first."""

    template: ClassVar[str] = "pages/results.html"
    section: ClassVar[str] = "results"

    waiting: tuple[ResultLine, ...] = ()
    decided: tuple[ResultLine, ...] = ()

    @property
    def title(self) -> str:
        """Heading."""
        return "Results"


@dataclass(frozen=True)
class OutputView:
    """One table of a result. preview is None where it may not be shown as a table."""

    name: str
    rows: int
    disclosure: str
    note: str = ""
    preview: TableView | None = None


@dataclass(frozen=True, kw_only=True)
class ResultPage(Page):
    """One result.

    form is None when this person does not decide; why_not then says why, if it is worth saying. decided_by is
    the name of who decided, and `reason` what they gave as their reason. reidentify: this person may ask who is behind
    a pseudonym in it.
    """

    template: ClassVar[str] = "pages/result.html"
    section: ClassVar[str] = "results"

    result: Result
    run: Run
    plugin_title: str
    agreement_title: str
    report: ReportView
    outputs: tuple[OutputView, ...] = ()
    form: DecisionForm | None = None
    why_not: str = ""
    decided_by: str = ""
    reason: str = ""
    reidentify: bool = False

    @property
    def title(self) -> str:
        """Heading."""
        return self.report.title
