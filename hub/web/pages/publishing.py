"""Datasets, their versions, and what became of each delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page
from hub.web.pages.catalogue import SearchView

if TYPE_CHECKING:
    from hub.catalogue.store import Dataset, Publication, Version
    from hub.intake.store import Delivery, FaultCount
    from hub.policy.agreement import Agreement
    from hub.web.forms import ContractDecisionForm
    from hub.web.pages.contracts import ProposalLine
    from hub.workflows.finding import Known
    from hub_schemas import Contract

__all__ = [
    "DatasetLine",
    "DatasetPage",
    "DatasetsPage",
    "DeliveriesPage",
    "DeliveryLine",
    "DeliveryPage",
    "FaultLine",
]


@dataclass(frozen=True)
class DatasetLine:
    """A dataset in the list. rows, number and updated are None before the first accepted delivery."""

    id: str
    contract: str
    title: str
    organisation: str
    rows: int | None = None
    number: int | None = None
    updated: datetime | None = None
    period_start: str | None = None
    period_end: str | None = None
    sensitivity: str = ""
    frequency: str = ""
    freshness: str = "not stated"
    visibility: str = "listed"


@dataclass(frozen=True)
class DeliveryLine:
    """A delivery in a list; title is the dataset's, organisation its owner's name.

    refused are the rows at fault: of an accepted delivery those that are still open; replayed came mended since.
    """

    id: str
    title: str
    organisation: str
    state: str
    sent: int
    accepted: int
    refused: int
    at: datetime
    mode: str = "full"
    replays: str | None = None
    replayed: int = 0
    checked: int = 0
    effect: dict[str, int] | None = None


@dataclass(frozen=True)
class FaultLine:
    """One fault, as in hub_schemas' FAULT_SCHEMA; value_shown is masked already where it is personal."""

    row: int | None
    column: str | None
    value_shown: str | None
    rule: str
    message: str


@dataclass(frozen=True, kw_only=True)
class DatasetsPage(Page):
    """The datasets that fit what is looked for, of those this person may know of."""

    template: ClassVar[str] = "pages/datasets.html"
    section: ClassVar[str] = "datasets"

    datasets: tuple[DatasetLine, ...]
    search: SearchView = field(default_factory=SearchView)

    @property
    def title(self) -> str:
        """Heading."""
        return "Datasets"


@dataclass(frozen=True, kw_only=True)
class DatasetPage(Page):
    """One dataset: its contract in words, its versions (newest first), deliveries, and who may use it.

    deliveries are None for those who may not know of them. `publications` are the contract's versions that were in
    force; `form` is there for those who may decide about the proposal that waits, `why_not` says why a data steward
    may not; `not_linked` why the dataset is left out of linking. `may_upload`: whether this person may upload a file.
    `known` is what the catalogue knows beside the contract; `ask` the address where this person asks for access.
    """

    template: ClassVar[str] = "pages/dataset.html"
    section: ClassVar[str] = "datasets"

    dataset: Dataset
    organisation: str
    contract: Contract
    versions: tuple[Version, ...] = ()
    deliveries: tuple[DeliveryLine, ...] | None = ()
    agreements: tuple[Agreement, ...] = ()
    publications: tuple[Publication, ...] = ()
    proposals: tuple[ProposalLine, ...] = ()
    form: ContractDecisionForm | None = None
    why_not: str = ""
    not_linked: str = ""
    may_upload: bool = False
    known: Known | None = None
    ask: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return self.dataset.title


@dataclass(frozen=True, kw_only=True)
class DeliveriesPage(Page):
    """Deliveries, newest first; older is the place to go on from, None on the last page."""

    template: ClassVar[str] = "pages/deliveries.html"
    section: ClassVar[str] = "deliveries"

    deliveries: tuple[DeliveryLine, ...]
    older: str | None = None

    @property
    def title(self) -> str:
        """Heading."""
        return "Deliveries"


@dataclass(frozen=True, kw_only=True)
class DeliveryPage(Page):
    """One delivery and its quarantine report.

    faults are the first of them, at most a few hundred; the CSV has all. `waits` says that its state will
    still change. replays are the deliveries that brought rows of this one mended. uploaded: it came
    as a file, and not from a connector. may_mend: whether this person may
    take out rows at fault and upload them mended; may_send: whether it is theirs to look at and send.
    """

    template: ClassVar[str] = "pages/delivery.html"
    section: ClassVar[str] = "deliveries"

    delivery: Delivery
    dataset: Dataset
    organisation: str
    connector: str
    refusal_threshold: float
    version: Version | None = None
    fault_counts: tuple[FaultCount, ...] = ()
    faults: tuple[FaultLine, ...] = ()
    replays: tuple[str, ...] = ()
    uploaded: bool = False
    may_mend: bool = False
    may_send: bool = False

    @property
    def title(self) -> str:
        """Heading."""
        return f"Delivery of {self.dataset.title}"

    @property
    def waits(self) -> bool:
        """Whether the hub has still to decide."""
        return str(self.delivery.state) in {"uploading", "received", "checking"}

    @property
    def fault_total(self) -> int:
        """All faults that were found."""
        return sum(item.count for item in self.fault_counts)
