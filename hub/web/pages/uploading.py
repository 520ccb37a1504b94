"""Uploading a file, looking at what is in it, and mending rows at fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.catalogue.store import Dataset, Version
    from hub.intake.store import Delivery
    from hub.intake.upload_brief import Findings
    from hub.web.forms import MendForm, SendForm, UploadForm
    from hub_schemas import Contract

__all__ = ["MendPage", "UploadCheckPage", "UploadPage"]


@dataclass(frozen=True, kw_only=True)
class UploadPage(Page):
    """Choosing a file and what it does to a dataset."""

    template: ClassVar[str] = "pages/upload.html"
    section: ClassVar[str] = "datasets"

    dataset: Dataset
    organisation: str
    contract: Contract
    form: UploadForm
    most_mb: int

    @property
    def title(self) -> str:
        """Heading."""
        return "Upload a file"


@dataclass(frozen=True, kw_only=True)
class MendPage(Page):
    """Choosing the file with mended rows of a delivery."""

    template: ClassVar[str] = "pages/mend.html"
    section: ClassVar[str] = "deliveries"

    delivery: Delivery
    dataset: Dataset
    organisation: str
    form: MendForm
    most_mb: int

    @property
    def title(self) -> str:
        """Heading."""
        return "Upload the mended rows"


@dataclass(frozen=True, kw_only=True)
class UploadCheckPage(Page):
    """What is in an uploaded file, before it is sent. findings are None when the browser has them no more."""

    template: ClassVar[str] = "pages/upload_check.html"
    section: ClassVar[str] = "deliveries"

    delivery: Delivery
    dataset: Dataset
    organisation: str
    current: Version | None
    findings: Findings | None
    form: SendForm

    @property
    def title(self) -> str:
        """Heading."""
        return "Check what is in your file"

    @property
    def accepted(self) -> int:
        """Rows that keep the contract."""
        return int(self.delivery.manifest["rows"]["accepted"])

    @property
    def at_fault(self) -> int:
        """Rows that do not; those of a replay stay where they are and are not sent."""
        return self.findings.refused if self.findings else int(self.delivery.manifest["rows"]["refused"])

    @property
    def shrinks(self) -> bool:
        """Whether it would leave the dataset with fewer than half of its rows."""
        return (
            self.delivery.mode == "full"
            and self.current is not None
            and 2 * self.accepted < self.current.rows
        )
