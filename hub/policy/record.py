"""The data sharing agreement as a value: what the code decides on, and what people agreed besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from hub.policy.generalise import Generalisation, of_columns
from hub.policy.powers import POWERS, Power, objective_words, power_words
from hub.policy.states import AgreementState

__all__ = ["HUB_PUBLISHER", "OPERATIONS", "Agreement", "DatasetTerms"]

#: Who publishes the hub's own datasets (contracts that start with `hub.`): nobody else can.
HUB_PUBLISHER: Final = "hub"
HUBS_OWN: Final = "hub."

#: What an agreement may allow.
OPERATIONS: Final = (
    "link", "run plugin", "read aggregate", "read person", "re-identify", "prefill", "alert", "export",
)  # fmt: skip


@dataclass(frozen=True)
class DatasetTerms:
    """What an agreement gives of one dataset: its contract id, the columns, why they are needed, and from whom.

    `publishers` are slugs of the organisations whose data this is; empty stands for the agreement's controllers.
    `generalise` are the columns that are given less exactly than they were sent.
    """

    contract: str
    columns: frozenset[str]
    why: str = ""
    publishers: tuple[str, ...] = ()
    generalise: tuple[Generalisation, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """A data sharing agreement. Dates are inclusive; `organisations` are the slugs of those who may use it.

    What stands in the YAML comes first. `state`, `version`, `signed_by`, `trouble` and `ended_on` are the hub's:
    `signed_by` are the organisations whose signatures hold, None for one that was put into force before signatures
    were kept; `trouble` says why the hub does not believe its own record of it: then nothing is given under it.
    """

    id: str
    title: str
    purpose: str
    legal_power: str
    objective: str
    public_benefit: str
    lawful_basis: str
    special_category_basis: str
    controllers: tuple[str, ...]
    organisations: tuple[str, ...]
    roles: tuple[str, ...]
    operations: frozenset[str]
    plugins: frozenset[str]
    datasets: tuple[DatasetTerms, ...]
    start: date
    end: date
    retention_days: int
    minimum_count: int
    round_to: int
    contact: str
    dpia: str = ""
    state: AgreementState = AgreementState.DRAFT
    subjects: tuple[str, ...] = ()
    aims: tuple[str, ...] = ()
    impact_if_refused: str = ""
    needed_by: date | None = None
    other_organisations: tuple[str, ...] = ()
    processors: tuple[str, ...] = ()
    controller_role: str = "separate"
    listed_bodies: Mapping[str, str] = field(default_factory=dict, hash=False)
    legal_advice: str = ""
    substantial_public_interest: str = ""
    countries: tuple[str, ...] = ()
    onward_sharing: str = ""
    opt_out: str = ""
    opt_out_reason: str = ""
    individual_care: bool = False
    rights_contact: str = ""
    data_protection_review: str = ""
    security_review: str = ""
    review_date: date | None = None
    retention_trigger: str = "made"
    results_at_end: str = "closed"
    disposal: str = ""
    request: str = ""
    version: int = 1
    signed_by: frozenset[str] | None = None
    trouble: str = ""
    ended_on: date | None = None

    @property
    def known_power(self) -> Power | None:
        """The power in the hub's table; None for one written in the agreement's own words, which nobody checked."""
        return POWERS.get(self.legal_power)

    @property
    def power_words(self) -> str:
        """The legal power as people read it."""
        return power_words(self.legal_power)

    @property
    def objective_words(self) -> str:
        """The objective as people read it."""
        return objective_words(self.legal_power, self.objective)

    @property
    def last_day(self) -> date:
        """The last day on which it held or will hold: that of its end, or that on which it was withdrawn."""
        return min(self.end, self.ended_on) if self.ended_on else self.end

    def holds_on(self, day: date) -> bool:
        """Whether a day lies in its time."""
        return self.start <= day <= self.end

    def in_force(self, day: date) -> bool:
        """Whether it is active and believed, and the day lies in its time."""
        return self.state is AgreementState.ACTIVE and not self.trouble and self.holds_on(day)

    def columns_of(self, contract: str) -> frozenset[str]:
        """The columns this agreement names of a contract, whoever publishes under it; empty when it names none."""
        return frozenset().union(*(terms.columns for terms in self.datasets if terms.contract == contract))

    def columns_from(self, contract: str, publisher: str) -> frozenset[str]:
        """The columns this agreement gives of what one organisation (slug) publishes; empty when it gives none."""
        return frozenset().union(
            *(
                terms.columns
                for terms in self.datasets
                if terms.contract == contract and publisher and publisher in self.publishers_in(terms)
            )
        )

    def generalised(self, contract: str) -> tuple[Generalisation, ...]:
        """How columns of a contract are given that are not given exactly; all its entries say the same."""
        found = [item for terms in self.datasets if terms.contract == contract for item in terms.generalise]
        return of_columns(found, self.columns_of(contract))

    def publishers_of(self, contract: str) -> tuple[str, ...]:
        """Whose data under a contract this agreement is about: slugs, in the order in which they are named."""
        named = (self.publishers_in(terms) for terms in self.datasets if terms.contract == contract)
        return tuple(dict.fromkeys(slug for slugs in named for slug in slugs))

    def publishers_in(self, terms: DatasetTerms) -> tuple[str, ...]:
        """Whose data one entry of this agreement is about.

        The hub's own datasets are the hub's. Of others, those the entry names; when it names nobody, the controllers
        that are written as slugs: a controller written as a name is no organisation of the hub and so gives nothing.
        """
        if terms.contract.startswith(HUBS_OWN):
            return (HUB_PUBLISHER,)
        return terms.publishers or self.controllers

    @property
    def gives_hubs_own(self) -> bool:
        """Whether it gives datasets of the hub itself, which are made of what all publishers sent."""
        return any(item.contract.startswith(HUBS_OWN) for item in self.datasets)

    @property
    def publishers(self) -> tuple[str, ...]:
        """Whose data it is about, all datasets together, without the hub's own."""
        named = (self.publishers_in(item) for item in self.datasets if not item.contract.startswith(HUBS_OWN))
        return tuple(dict.fromkeys(slug for slugs in named for slug in slugs))

    def parties(self) -> dict[str, tuple[str, ...]]:
        """Everybody it binds, with their parts: controller, publisher, user. Names and slugs as they are written."""
        found: dict[str, list[str]] = {}
        for part, names in (
            ("controller", self.controllers),
            ("publisher", self.publishers),
            ("user", self.organisations),
        ):
            for name in names:
                if part not in found.setdefault(name, []):
                    found[name].append(part)
        return {name: tuple(parts) for name, parts in found.items()}
