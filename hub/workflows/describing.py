"""What a publisher's data stewards say of their datasets beyond the contract, and who finds them."""

from __future__ import annotations

from hub.catalogue import entries
from hub.catalogue import store as catalogue
from hub.catalogue.described import sensitivity_of
from hub.catalogue.entries import Entry
from hub.catalogue.record import FIELDS, Record, checked
from hub.catalogue.store import Dataset
from hub.errors import Forbidden, Invalid
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.policy.listing import Visibility, may_describe
from hub.policy.roles import Permission
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.visible import visible_dataset

__all__ = ["describe", "set_visibility"]


def describe(hub: Hub, principal: Principal, dataset_id: str, record: Record) -> Entry:
    """Say what is known of a dataset; what was said before is replaced as a whole.

    Raises:
        NotFound: when there is no dataset that this principal finds.
        Forbidden: for those who are not data stewards of its publisher.
        Invalid: naming each field at fault.
    """
    authorise(principal, Permission.DESCRIBE_DATASETS)
    with hub.database.write() as session:
        dataset = visible_dataset(hub, session, principal, dataset_id)
        organisation = identities.organisation(session, dataset.organisation_id)
        _require_mine(principal, organisation.slug, organisation.name)
        dataset = catalogue.dataset(session, dataset_id, lock=True)  # its contract stays as it is meanwhile
        contract = catalogue.contract_by_digest(session, dataset.contract_digest)
        tidy = checked(record, sensitivity_of(contract))
        before = entries.entry(session, dataset_id)
        if tidy == before.record:
            return before
        changed = [name for name in FIELDS if getattr(tidy, name) != getattr(before.record, name)]
        after = entries.set_record(session, dataset_id, contract, tidy)
        note(session, principal, "dataset.described", dataset_id, detail={"fields": changed})
    return after


def set_visibility(hub: Hub, principal: Principal, dataset_id: str, visibility: str) -> Dataset:
    """Say who finds a dataset: everybody who is signed in ("listed"), or only those concerned ("private").

    Raises:
        NotFound: when there is no dataset that this principal finds.
        Forbidden: for those who are not data stewards of its publisher.
        Invalid: for another word.
    """
    authorise(principal, Permission.DESCRIBE_DATASETS)
    if visibility not in tuple(Visibility):
        raise Invalid(f"A dataset is {' or '.join(Visibility)}.", fields={"visibility": ["is neither"]})
    with hub.database.write() as session:
        dataset = visible_dataset(hub, session, principal, dataset_id)
        organisation = identities.organisation(session, dataset.organisation_id)
        _require_mine(principal, organisation.slug, organisation.name)
        if entries.set_visibility(session, dataset_id, visibility):
            note(session, principal, "dataset.visibility", dataset_id, detail={"visibility": visibility})
        return catalogue.dataset(session, dataset_id)


def _require_mine(principal: Principal, slug: str, name: str) -> None:
    if not may_describe(principal, slug):
        raise Forbidden(f"This is not yours to say: a data steward of {name} describes its datasets.")
