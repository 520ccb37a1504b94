"""Which datasets a question to policy gives: the one place that looks up who publishes what before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Version
from hub.identity import store as identities
from hub.policy.agreement import Agreement
from hub.policy.decide import Asked, Decision, Grant, decide
from hub.policy.listing import Visibility
from hub_schemas import Contract

__all__ = ["Readable", "decide_on", "given_period", "readable", "slugs", "strangers"]


@dataclass(frozen=True)
class Readable:
    """A dataset's current version that an agreement gives, with its publisher's slug and what may be read of it."""

    dataset: Dataset
    version: Version
    publisher: str
    grant: Grant

    @property
    def name(self) -> str:
        """How messages name the dataset: publisher/contract."""
        return f"{self.publisher}/{self.dataset.contract}"


def given_period(contract: Contract, version: Version, grant: Grant) -> tuple[str | None, str | None]:
    """The first and the last day that a version covers: values of its rows, so not told where these are coarse."""
    if any(item.column == contract.coverage_column for item in grant.coarse):
        return None, None
    return version.period_start, version.period_end


def slugs(session: Session) -> dict[str, str]:
    """The slug of every organisation by its id."""
    return {item.id: item.slug for item in identities.list_organisations(session)}


def decide_on(
    asked: Asked, dataset: Dataset, agreements: Sequence[Agreement], publishers: Mapping[str, str]
) -> Decision:
    """The answer for one dataset: the question's publisher is whoever publishes it, whatever the question says.

    The grant opens versions of this dataset and of no other under the same contract.
    """
    publisher = publishers.get(dataset.organisation_id, "")
    decision = decide(replace(asked, contract=dataset.contract, publisher=publisher), agreements)
    if decision.grant is None:
        return decision
    return replace(decision, grant=replace(decision.grant, dataset=dataset.id))


def readable(
    session: Session,
    asked: Asked,
    agreements: Sequence[Agreement],
    publishers: Mapping[str, str] | None = None,
) -> list[Readable]:
    """The current versions under the contract in question, of the publishers that an agreement names and no others.

    `publishers` are the `slugs`, for those who ask about many contracts.
    """
    publishers = slugs(session) if publishers is None else publishers
    found = []
    for dataset, version in catalogue.current_versions(session, [asked.contract])[asked.contract]:
        decision = decide_on(asked, dataset, agreements, publishers)
        if decision.grant is not None:
            found.append(Readable(dataset, version, publishers[dataset.organisation_id], decision.grant))
    return found


def strangers(session: Session, contract: str, agreement: Agreement) -> list[str]:
    """Who publishes under a contract, for all to know, without being named by an agreement: slugs, for messages."""
    publishers = slugs(session)
    there = {
        publishers[item.organisation_id]
        for item in catalogue.datasets_of_contract(session, contract)
        if item.visibility == Visibility.LISTED
    }
    return sorted(there - set(agreement.publishers_of(contract)))
