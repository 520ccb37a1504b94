"""Agreements in plain words, and the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.audit.log import Entry, Verification
    from hub.policy.agreement import Agreement, DatasetTerms
    from hub_schemas import Contract

__all__ = ["AgreementLine", "AgreementPage", "AgreementsPage", "AuditLine", "AuditPage", "Checkpoint"]


@dataclass(frozen=True)
class AgreementLine:
    """An agreement in the list, with the names of those who may use it."""

    agreement: Agreement
    organisations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AgreementsPage(Page):
    """All agreements this person may read."""

    template: ClassVar[str] = "pages/agreements.html"
    section: ClassVar[str] = "agreements"

    agreements: tuple[AgreementLine, ...]

    @property
    def title(self) -> str:
        """Heading."""
        return "Data sharing agreements"


@dataclass(frozen=True, kw_only=True)
class AgreementPage(Page):
    """One agreement. `contracts` maps contract ids to contracts, for titles and what each column is.

    `organisations` and `controllers` are names; `plugins` maps a plugin's name to its title, `publishers`
    a publisher's slug to its name. `on` is today.
    """

    template: ClassVar[str] = "pages/agreement.html"
    section: ClassVar[str] = "agreements"

    agreement: Agreement
    organisations: tuple[str, ...]
    on: date
    controllers: tuple[str, ...] = ()
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)
    publishers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Heading."""
        return self.agreement.title

    def whose(self, terms: DatasetTerms) -> str:
        """Whose data an entry is about, by name."""
        named = self.agreement.publishers_in(terms)
        return " and ".join(self.publishers.get(slug, slug) for slug in named)


@dataclass(frozen=True)
class AuditLine:
    """An entry with the name of who acted; reason is given only to those who may read it."""

    entry: Entry
    who: str
    reason: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """The newest signed checkpoint: the size of the log it covers, and its root in base64."""

    size: int
    root: str


@dataclass(frozen=True, kw_only=True)
class AuditPage(Page):
    """The newest entries, and whether the log holds.

    verification is None where it was not asked for; older is the entry to go on from; action is the one kind of act
    that is shown, empty for all.
    """

    template: ClassVar[str] = "pages/audit.html"
    section: ClassVar[str] = "audit"

    entries: tuple[AuditLine, ...]
    checkpoint: Checkpoint | None = None
    verification: Verification | None = None
    verified_at: datetime | None = None
    older: int | None = None
    action: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "Audit log"
