"""Who finds a dataset in the catalogue. Pure functions: the same question always has the same answer.

A dataset is listed or private. A listed one shows what it is to everybody who is signed in, so that an analyst can find
it and ask for it; its rows are read under an agreement only, as ever. A private one is there for the organisation that
publishes it, for those who look after the whole hub, and for the parties to an agreement in force that names it. For
everybody else it does not exist: it is absent from lists, counts and exports, and its address leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hub.policy import scope
from hub.policy.agreement import Agreement
from hub.policy.roles import Permission, may
from hub.policy.scope import Viewer

__all__ = ["Sight", "Visibility", "may_describe", "sight"]


class Visibility(StrEnum):
    """Who finds a dataset."""

    LISTED = "listed"
    PRIVATE = "private"


@dataclass(frozen=True)
class Sight:
    """What somebody finds beyond what is listed.

    `everything`: they look after the whole hub; else what their organisation (slug) publishes, and what agreements in
    force to which it is a party name: pairs of contract id and publisher's slug.
    """

    everything: bool
    organisation: str
    named: frozenset[tuple[str, str]] = frozenset()

    def sees(self, visibility: str, contract: str, publisher: str) -> bool:
        """Whether they find a dataset of this visibility, contract id and publisher (slug).

        Anything but the word "listed" counts as private.
        """
        return (
            visibility == Visibility.LISTED
            or self.everything
            or (bool(publisher) and publisher == self.organisation)
            or (contract, publisher) in self.named
        )


def sight(viewer: Viewer, agreements: Iterable[Agreement]) -> Sight:
    """What a viewer finds, given the agreements that are in force.

    Only what is in force counts: anybody's steward may draft an agreement that names anything.
    """
    if scope.whole_hub(viewer, Permission.READ_CATALOGUE):
        return Sight(True, viewer.organisation)
    named: set[tuple[str, str]] = set()
    for agreement in agreements:
        if viewer.organisation and viewer.organisation in scope.parties(agreement):
            named |= {
                (terms.contract, slug)
                for terms in agreement.datasets
                for slug in agreement.publishers_in(terms)
            }
    return Sight(False, viewer.organisation, frozenset(named))


def may_describe(viewer: Viewer, publisher: str) -> bool:
    """Data stewards say what is known about their own organisation's datasets, and who finds them; nobody else's."""
    mine = bool(publisher) and viewer.organisation == publisher
    return mine and may(viewer.roles, Permission.DESCRIBE_DATASETS)
