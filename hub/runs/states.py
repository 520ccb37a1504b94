"""The lives of a run and of a result: a table of allowed transitions each."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.errors import Conflict


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ResultState(StrEnum):
    """Where a result stands."""

    HELD = "held"
    RELEASED = "released"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


_R, _O = RunState, ResultState

#: Allowed transitions of a run: (from, event) -> to.
RUN_TRANSITIONS: Final[dict[tuple[RunState, str], RunState]] = {
    (_R.QUEUED, "start"): _R.RUNNING,
    (_R.QUEUED, "cancel"): _R.CANCELLED,
    (_R.RUNNING, "requeue"): _R.QUEUED,  # the worker went away before the plugin had finished
    (_R.RUNNING, "succeed"): _R.SUCCEEDED,
    (_R.RUNNING, "fail"): _R.FAILED,
    (_R.RUNNING, "cancel"): _R.CANCELLED,
}

#: Allowed transitions of a result.
RESULT_TRANSITIONS: Final[dict[tuple[ResultState, str], ResultState]] = {
    (_O.HELD, "release"): _O.RELEASED,
    (_O.HELD, "reject"): _O.REJECTED,
    (_O.RELEASED, "withdraw"): _O.WITHDRAWN,
}


def move_run(state: str, event: str) -> RunState:
    """The state of a run after an event.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return RUN_TRANSITIONS[RunState(state), event]
    except KeyError:
        raise Conflict(f"The run is {state}: it cannot {event} now.") from None


def move_result(state: str, event: str) -> ResultState:
    """The state of a result after an event.

    Raises:
        Conflict: when the table has no such transition.
    """
    try:
        return RESULT_TRANSITIONS[ResultState(state), event]
    except KeyError:
        raise Conflict(f"The result is {state}: one cannot {event} it now.") from None
