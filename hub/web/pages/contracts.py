"""Contracts: the list, one of them in words, and what a dataset's page says about changes of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.workflows.cataloguing import ContractLine
    from hub_schemas.changes import Change
    from hub_schemas.pages import ContractDescription

__all__ = ["ContractPage", "ContractsPage", "ProposalLine", "TouchedLine", "UsedBy"]


@dataclass(frozen=True)
class UsedBy:
    """A dataset under a contract: whose it is, and which version of the contract it has in force."""

    dataset_id: str
    organisation: str
    version: str


@dataclass(frozen=True)
class TouchedLine:
    """Somebody whom a proposed contract touches. href is empty where the reader may not open their page."""

    kind: str
    title: str
    href: str
    columns: tuple[str, ...]
    organisations: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProposalLine:
    """A proposed contract of a dataset; `waits_for` names those whose data stewards decide."""

    id: str
    version: str
    digest: str
    state: str
    effect: str
    changes: tuple[Change, ...]
    touched: tuple[TouchedLine, ...]
    proposed_at: datetime
    proposed_by: str
    waits_for: str = ""
    problem: str = ""
    decided_at: datetime | None = None
    decided_by: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ContractsPage(Page):
    """The library's contracts and those that organisations publish."""

    template: ClassVar[str] = "pages/contracts.html"
    section: ClassVar[str] = "datasets"

    library: tuple[ContractLine, ...]
    others: tuple[ContractLine, ...] = ()

    @property
    def title(self) -> str:
        """Heading."""
        return "Contracts"


@dataclass(frozen=True, kw_only=True)
class ContractPage(Page):
    """One contract in words, and who publishes under it."""

    template: ClassVar[str] = "pages/contract.html"
    section: ClassVar[str] = "datasets"

    contract: ContractDescription
    in_library: bool
    used_by: tuple[UsedBy, ...] = ()

    @property
    def title(self) -> str:
        """Heading."""
        return self.contract.title
