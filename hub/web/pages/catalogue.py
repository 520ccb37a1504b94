"""The catalogue: the list with its filters, describing a dataset, who finds it, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.catalogue.store import Dataset
    from hub.web.forms_catalogue import DescribeForm, VisibilityForm
    from hub.workflows.finding import Known
    from hub.workflows.tracing import Lineage, Place

__all__ = ["DescribePage", "FilterOption", "FilterView", "LineagePage", "SearchView", "VisibilityPage"]


@dataclass(frozen=True)
class FilterOption:
    """A value of a filter, in words, with how many datasets it leaves."""

    value: str
    text: str
    datasets: int
    chosen: bool = False


@dataclass(frozen=True)
class FilterView:
    """A filter: its name in the address, what it is called, and what can be chosen."""

    name: str
    label: str
    options: tuple[FilterOption, ...]


@dataclass(frozen=True)
class SearchView:
    """What was looked for, and what is found: `total` datasets; `older` is the place where the next page begins."""

    text: str = ""
    filters: tuple[FilterView, ...] = ()
    sort: str = "title"
    total: int = 0
    older: str | None = None
    contract: str = ""

    @property
    def narrowed(self) -> bool:
        """Whether anything was looked for."""
        chosen = any(option.chosen for item in self.filters for option in item.options)
        return bool(self.text or self.contract or chosen)

    @property
    def address(self) -> dict[str, str]:
        """What stands in the address of the next page, but for the place."""
        chosen = {
            item.name: option.value for item in self.filters for option in item.options if option.chosen
        }
        more = {"q": self.text, "contract": self.contract, "sort": self.sort if self.sort != "title" else ""}
        return chosen | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, kw_only=True)
class DescribePage(Page):
    """What a data steward says of a dataset. `known` is what stands there now, and who said it."""

    template: ClassVar[str] = "pages/describe.html"
    section: ClassVar[str] = "datasets"

    known: Known
    form: DescribeForm
    missing: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Heading."""
        return "Describe this dataset"


@dataclass(frozen=True, kw_only=True)
class VisibilityPage(Page):
    """Who finds a dataset."""

    template: ClassVar[str] = "pages/visibility.html"
    section: ClassVar[str] = "datasets"

    dataset: Dataset
    organisation: str
    form: VisibilityForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Who finds this dataset"


@dataclass(frozen=True, kw_only=True)
class LineagePage(Page):
    """What a dataset came from and what came of it. `names` are of plugins; ids of places lead to their pages."""

    template: ClassVar[str] = "pages/lineage.html"
    section: ClassVar[str] = "datasets"

    dataset: Dataset
    organisation: str
    lineage: Lineage
    names: dict[str, str]

    @property
    def title(self) -> str:
        """Heading."""
        return "Where it came from and what came of it"

    def causes(self, place: Place) -> tuple[Place, ...]:
        """What something was directly made from, as far as it is shown."""
        ids = {cause for cause, effect in self.lineage.edges if effect == place.id}
        return tuple(item for item in self._all if item.id in ids)

    def name(self, place: Place) -> str:
        """What something is called."""
        return self.names.get(place.title, place.title)

    @property
    def _all(self) -> list[Place]:
        return [*self.lineage.upstream, *self.lineage.versions, *self.lineage.downstream]
