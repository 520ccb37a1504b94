"""The life of a proposed contract: one table of allowed transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.errors import Conflict


class ProposalState(StrEnum):
    """Where a proposal stands."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REPLACED = "replaced"


_S = ProposalState

#: Allowed transitions: (from, event) -> to.
TRANSITIONS: Final[dict[tuple[ProposalState, str], ProposalState]] = {
    (_S.PROPOSED, "accept"): _S.ACCEPTED,
    (_S.PROPOSED, "reject"): _S.REJECTED,
    (_S.PROPOSED, "replace"): _S.REPLACED,  # the publisher proposed another text, or went another way
}


def move(state: str, event: str) -> ProposalState:
    """The state after an event.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return TRANSITIONS[ProposalState(state), event]
    except KeyError:
        raise Conflict(f"The proposal is {state}: one cannot {event} it now.") from None
