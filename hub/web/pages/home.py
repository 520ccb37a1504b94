"""The first page after signing in: what is happening."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.web.pages.analysis import ResultLine, RunLine, Upcoming
    from hub.web.pages.publishing import DeliveryLine

__all__ = ["Attention", "Figure", "HomePage", "Linked"]


@dataclass(frozen=True)
class Attention:
    """Something a person should look at. href leads there; at is when it came up."""

    text: str
    href: str
    label: str = "Check"
    at: datetime | None = None


@dataclass(frozen=True)
class Figure:
    """A number at a glance; href leads to what it counts, detail says what it is."""

    label: str
    value: int
    href: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Linked:
    """The newest linkage."""

    at: datetime
    records: int
    people: int
    households: int | None
    datasets: int


@dataclass(frozen=True, kw_only=True)
class HomePage(Page):
    """What is happening: figures, what needs attention, deliveries, linkage, runs, what comes next.

    start: what this person most likely came for, as address and words; released: newest results, for those who see
    no runs.
    Any part a person may not see is simply empty; `sees` names the parts to show ("deliveries", "linkage",
    "runs", "schedules").
    """

    template: ClassVar[str] = "pages/home.html"
    section: ClassVar[str] = "home"

    start: tuple[tuple[str, str], ...] = ()
    figures: tuple[Figure, ...] = ()
    attention: tuple[Attention, ...] = ()
    deliveries: tuple[DeliveryLine, ...] = ()
    linked: Linked | None = None
    runs: tuple[RunLine, ...] = ()
    upcoming: tuple[Upcoming, ...] = ()
    released: tuple[ResultLine, ...] = ()
    sees: frozenset[str] = field(default=frozenset({"deliveries", "linkage", "runs", "schedules"}))

    @property
    def title(self) -> str:
        """Heading."""
        return "What is happening"
