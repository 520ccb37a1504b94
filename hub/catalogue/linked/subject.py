"""What a profile is told: one dataset with all that is known of it, and the addresses that the hub gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.catalogue.described import Described
from hub.catalogue.entries import Entry
from hub.catalogue.store import Dataset, Version

__all__ = ["HOW", "MEDIA_TYPE", "Addresses", "Subject", "plain"]

#: In which form the rows lie in the hub (registered with IANA).
MEDIA_TYPE: Final = "application/vnd.apache.parquet"
#: How one gets at them.
HOW: Final = "Rows are read through the hub, under a data sharing agreement; ask for access on the page."


@dataclass(frozen=True)
class Addresses:
    """The addresses under which the hub's things are known; `base` is the hub's public address, with no slash."""

    base: str

    @property
    def catalogue(self) -> str:
        """The catalogue itself."""
        return f"{self.base}/api/v1/catalogue#catalogue"

    def organisation(self, slug: str) -> str:
        """An organisation, as the catalogue's document describes it."""
        return f"{self.base}/api/v1/catalogue#organisation-{slug}"

    def page(self, dataset_id: str) -> str:
        """The page of a dataset, which is also where one asks for access."""
        return f"{self.base}/datasets/{dataset_id}"

    def dataset(self, dataset_id: str) -> str:
        """A dataset."""
        return f"{self.page(dataset_id)}#dataset"

    def contract(self, digest: str) -> str:
        """One text of a contract."""
        return f"{self.base}/contracts/versions/{digest}"


@dataclass(frozen=True)
class Subject:
    """A dataset with its publisher (slug and name), its entry and its current version, for one profile."""

    dataset: Dataset
    entry: Entry
    version: Version | None
    slug: str
    publisher: str
    contact: str = ""
    govuk_organisation: str = ""

    @property
    def known(self) -> Described:
        """What contract and steward say."""
        return self.entry.described

    @property
    def email(self) -> str:
        """Whom to ask: the dataset's own address, else the hub's for its catalogue."""
        return self.known.contact_email or self.contact

    @property
    def govuk(self) -> str:
        """The publisher's slug on GOV.UK, else that of the body that answers for the hub's catalogue."""
        return self.known.govuk_organisation or self.govuk_organisation

    @property
    def modified(self) -> datetime:
        """When the data last changed: when its last version was accepted, else when the dataset was made."""
        return self.version.accepted_at if self.version else self.dataset.created_at

    @property
    def number(self) -> str:
        """The version of the data; the contract's before there is any."""
        return str(self.version.number) if self.version else self.known.version or "0"


def plain(text: str) -> str:
    """A text without control characters (but for line ends and tabs), which neither format can carry safely."""
    return "".join(sign for sign in text if sign in "\n\t" or (ord(sign) >= 32 and sign != "\x7f"))
