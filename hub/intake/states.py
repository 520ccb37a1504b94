"""The life of a delivery: one table of allowed transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.errors import Conflict


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    UPLOADING = "uploading"
    RECEIVED = "received"
    CHECKING = "checking"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


_S = DeliveryState

#: Allowed transitions: (from, event) -> to.
TRANSITIONS: Final[dict[tuple[DeliveryState, str], DeliveryState]] = {
    (_S.UPLOADING, "complete"): _S.RECEIVED,
    (_S.UPLOADING, "fail"): _S.FAILED,  # it was begun and never finished
    (_S.UPLOADING, "withdraw"): _S.WITHDRAWN,  # who uploaded it looked at what was found, and did not send it
    (_S.RECEIVED, "claim"): _S.CHECKING,
    (_S.CHECKING, "release"): _S.RECEIVED,  # the worker went away, or could not decide now
    (_S.CHECKING, "accept"): _S.ACCEPTED,
    (_S.CHECKING, "refuse"): _S.REFUSED,
    (_S.CHECKING, "fail"): _S.FAILED,
}

#: States in which nothing more happens.
FINAL: Final = frozenset({_S.ACCEPTED, _S.REFUSED, _S.FAILED, _S.WITHDRAWN})


def move(state: str, event: str) -> DeliveryState:
    """The state after an event.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return TRANSITIONS[DeliveryState(state), event]
    except KeyError:
        raise Conflict(f"The delivery is {state}: it cannot {event} now.") from None
