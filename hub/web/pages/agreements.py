"""Agreements in plain words: the list, one of them, reviewing, signing, ending, explaining, and signing keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.policy.agreement import Agreement, DatasetTerms
    from hub.policy.compare import Difference
    from hub.policy.decide import Decision, Explained
    from hub.policy.signing import SigningKey
    from hub.web.forms_agreements import (
        EmptyForm,
        ExplainForm,
        KeyForm,
        ReviewForm,
        SignatureForm,
        WithdrawForm,
    )
    from hub.web.pages.drafting import DraftLine
    from hub.workflows.agreeing import Standing
    from hub_schemas import Contract

__all__ = [
    "AgreementLine", "AgreementPage", "AgreementsPage", "ExplainPage", "KeyLine", "ReviewPage", "SignPage",
    "SigningKeysPage", "WithdrawPage",
]  # fmt: skip


@dataclass(frozen=True)
class AgreementLine:
    """An agreement in the list, with the names of those who may use it."""

    agreement: Agreement
    organisations: tuple[str, ...]

    @property
    def state(self) -> str:
        """Its state, or that its record is not believed."""
        return "not trusted" if self.agreement.trouble else str(self.agreement.state)


@dataclass(frozen=True, kw_only=True)
class AgreementsPage(Page):
    """All agreements this person may read, and those their organisation is writing."""

    template: ClassVar[str] = "pages/agreements.html"
    section: ClassVar[str] = "agreements"

    agreements: tuple[AgreementLine, ...]
    drafts: tuple[DraftLine, ...] = ()
    may_write: bool = False

    @property
    def title(self) -> str:
        """Heading."""
        return "Data sharing agreements"


@dataclass(frozen=True, kw_only=True)
class AgreementPage(Page):
    """One agreement. `contracts` maps contract ids to contracts, for titles and what each column is.

    `organisations` and `controllers` are names; `plugins` maps a plugin's name to its title, `publishers`
    a publisher's slug to its name. `on` is today; `standing` is None only where a test shows the terms alone.
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
    standing: Standing | None = None
    form: EmptyForm | None = None
    request: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return self.agreement.title

    def whose(self, terms: DatasetTerms) -> str:
        """Whose data an entry is about, by name."""
        named = self.agreement.publishers_in(terms)
        return " and ".join(self.publishers.get(slug, slug) for slug in named)

    def name(self, slug: str) -> str:
        """An organisation by name."""
        return self.publishers.get(slug, slug)

    def who(self, reference: str) -> str:
        """Who is behind a reference of the record."""
        return (self.standing.people if self.standing else {}).get(reference, reference)


@dataclass(frozen=True, kw_only=True)
class ReviewPage(Page):
    """What an agreement would change, and the decision of somebody who did not write it."""

    template: ClassVar[str] = "pages/agreement_review.html"
    section: ClassVar[str] = "agreements"

    agreement: Agreement
    other: Agreement | None
    others: tuple[tuple[str, str], ...]
    differences: tuple[Difference, ...]
    authors: tuple[str, ...]
    must_sign: tuple[str, ...]
    form: ReviewForm
    mine: bool = False

    @property
    def title(self) -> str:
        """Heading."""
        return "Review this agreement"


@dataclass(frozen=True, kw_only=True)
class SignPage(Page):
    """What an organisation signs, and its signature. `statement` is empty before it is said who signs."""

    template: ClassVar[str] = "pages/agreement_sign.html"
    section: ClassVar[str] = "agreements"

    agreement: Agreement
    form: SignatureForm
    statement: str = ""

    @property
    def title(self) -> str:
        """Heading."""
        return "Sign this agreement"


@dataclass(frozen=True, kw_only=True)
class WithdrawPage(Page):
    """Ending an agreement."""

    template: ClassVar[str] = "pages/agreement_withdraw.html"
    section: ClassVar[str] = "agreements"

    agreement: Agreement
    form: WithdrawForm

    @property
    def title(self) -> str:
        """Heading."""
        return "End this agreement"


@dataclass(frozen=True, kw_only=True)
class ExplainPage(Page):
    """Why something is allowed or refused. `decision` is None before anything was asked."""

    template: ClassVar[str] = "pages/agreement_explain.html"
    section: ClassVar[str] = "agreements"

    form: ExplainForm
    decision: Decision | None = None
    explained: tuple[Explained, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Heading."""
        return "Why something is allowed or refused"


@dataclass(frozen=True)
class KeyLine:
    """A signing key with its organisation's name, and what the reader may do with it."""

    key: SigningKey
    organisation: str
    may_approve: bool = False
    may_revoke: bool = False


@dataclass(frozen=True, kw_only=True)
class SigningKeysPage(Page):
    """The keys with which organisations sign; `form` registers another, for those who may."""

    template: ClassVar[str] = "pages/agreement_keys.html"
    section: ClassVar[str] = "agreements"

    keys: tuple[KeyLine, ...]
    form: KeyForm | None = None

    @property
    def title(self) -> str:
        """Heading."""
        return "Signing keys"
