"""Which datasets somebody finds: the one place where doors and other workflows ask.

`hub.policy.listing` has the rule, `hub.catalogue.search` says it in SQL.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from hub.catalogue import search
from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset
from hub.errors import NotFound
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.policy import store as agreements
from hub.policy.listing import Sight, sight
from hub.workflows.hub import Hub, today

__all__ = ["condition", "only_visible", "sight_of", "visible_dataset"]


def sight_of(hub: Hub, session: Session, principal: Principal) -> Sight:
    """What somebody finds beyond what is listed, today."""
    return sight(principal, agreements.active(session, today(hub)))


def condition(hub: Hub, session: Session, principal: Principal) -> ColumnElement[bool]:
    """The same as a condition of queries over datasets."""
    homes = {item.slug: item.id for item in identities.list_organisations(session)}
    return search.condition_of(session, sight_of(hub, session, principal), homes)


def only_visible(hub: Hub, session: Session, principal: Principal, found: Iterable[Dataset]) -> list[Dataset]:
    """Those of some datasets that somebody finds."""
    found = list(found)
    if all(item.visibility == "listed" for item in found):
        return found
    sees = sight_of(hub, session, principal)
    slugs = {item.id: item.slug for item in identities.list_organisations(session)}
    return [item for item in found if sees.sees(item.visibility, item.contract, slugs[item.organisation_id])]


def visible_dataset(hub: Hub, session: Session, principal: Principal, dataset_id: str) -> Dataset:
    """One dataset.

    Raises:
        NotFound: when there is none that this principal finds, in the same words as when there is none at all.
    """
    found = catalogue.dataset(session, dataset_id)
    if not only_visible(hub, session, principal, [found]):
        raise NotFound(f"There is no dataset {dataset_id}.")
    return found
