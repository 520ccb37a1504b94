"""The life of a registration, of an organisation or of a machine client: one table of allowed transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.errors import Conflict


class Registration(StrEnum):
    """Where a registration stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    REVOKED = "revoked"


_S = Registration

#: Allowed transitions: (from, event) -> to.
TRANSITIONS: Final[dict[tuple[Registration, str], Registration]] = {
    (_S.WAITING, "approve"): _S.APPROVED,  # by an operator who neither registered nor invited it
    (_S.WAITING, "refuse"): _S.REFUSED,
    (_S.WAITING, "revoke"): _S.REVOKED,
    (_S.APPROVED, "revoke"): _S.REVOKED,
}


def move(state: str, event: str) -> Registration:
    """The state after an event.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return TRANSITIONS[Registration(state), event]
    except KeyError:
        raise Conflict(f"The registration is {state}: one cannot {event} it now.") from None
