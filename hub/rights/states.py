"""The lives of a request, of a correction and of a delay: a table of allowed transitions each."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.errors import Conflict

__all__ = [
    "CORRECTION_TRANSITIONS", "DELAY_TRANSITIONS", "OPEN", "REQUEST_TRANSITIONS", "CorrectionState", "DelayState",
    "RequestKind", "RequestState", "move_correction", "move_delay", "move_request",
]  # fmt: skip


class RequestKind(StrEnum):
    """What a person asks for."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    RESTRICTION = "restriction"
    OBJECTION = "objection"


class RequestState(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    IN_HAND = "in hand"
    ASKED = "asked"
    ANSWERED = "answered"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class CorrectionState(StrEnum):
    """Where a correction stands that was sent to a department."""

    SENT = "sent"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    CALLED_OFF = "called off"


class DelayState(StrEnum):
    """Where the delay of entries stands. One that was approved also ends by itself, when its time is over."""

    ASKED = "asked"
    APPROVED = "approved"
    TURNED_DOWN = "turned down"
    ENDED = "ended"


_R, _C, _D = RequestState, CorrectionState, DelayState

#: Allowed transitions of a request: (from, event) -> to.
REQUEST_TRANSITIONS: Final[dict[tuple[RequestState, str], RequestState]] = {
    (_R.RECEIVED, "take"): _R.IN_HAND,
    (_R.RECEIVED, "withdraw"): _R.WITHDRAWN,
    (_R.IN_HAND, "ask"): _R.ASKED,  # a department about a correction, a steward about an objection
    (_R.IN_HAND, "answer"): _R.ANSWERED,
    (_R.IN_HAND, "refuse"): _R.REFUSED,
    (_R.IN_HAND, "withdraw"): _R.WITHDRAWN,
    (_R.ASKED, "hear back"): _R.IN_HAND,
    (_R.ASKED, "withdraw"): _R.WITHDRAWN,
}

#: Allowed transitions of a correction.
CORRECTION_TRANSITIONS: Final[dict[tuple[CorrectionState, str], CorrectionState]] = {
    (_C.SENT, "confirm"): _C.CONFIRMED,  # a later version has the right value, or the row is gone
    (_C.SENT, "decline"): _C.DECLINED,  # the department says why not
    (_C.SENT, "call off"): _C.CALLED_OFF,  # the person withdrew the request
    (_C.DECLINED, "confirm"): _C.CONFIRMED,  # it was corrected after all
}

#: Allowed transitions of a delay.
DELAY_TRANSITIONS: Final[dict[tuple[DelayState, str], DelayState]] = {
    (_D.ASKED, "approve"): _D.APPROVED,
    (_D.ASKED, "turn down"): _D.TURNED_DOWN,
    (_D.APPROVED, "end"): _D.ENDED,
}

#: Requests that are not closed.
OPEN: Final = (_R.RECEIVED, _R.IN_HAND, _R.ASKED)


def move_request(state: str, event: str) -> RequestState:
    """The state of a request after an event.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return REQUEST_TRANSITIONS[RequestState(state), event]
    except KeyError:
        raise Conflict(f"The request is {state}: one cannot {event} it now.") from None


def move_correction(state: str, event: str) -> CorrectionState:
    """The state of a correction after an event.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return CORRECTION_TRANSITIONS[CorrectionState(state), event]
    except KeyError:
        raise Conflict(f"The correction is {state}: one cannot {event} it now.") from None


def move_delay(state: str, event: str) -> DelayState:
    """The state of a delay after an event.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return DELAY_TRANSITIONS[DelayState(state), event]
    except KeyError:
        raise Conflict(f"The delay is {state}: one cannot {event} it now.") from None
