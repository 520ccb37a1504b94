"""Replays: rows that were refused come again, mended; what can be replayed, and how."""

from __future__ import annotations

from typing import Any

from hub.errors import NotFound
from hub.intake import history
from hub.intake import store as intake
from hub.intake.states import DeliveryState

__all__ = ["replay_mode", "replay_problem"]


def replay_problem(session: Any, original_id: str, dataset_id: str, mode: str) -> str | None:
    """Why a delivery cannot replay rows of an earlier one; None when it can."""
    try:
        original = intake.get(session, original_id)
    except NotFound:
        return f"There is no delivery {original_id} to replay rows of."
    if original.dataset_id != dataset_id or original.replays is not None:
        return f"Delivery {original_id[:8]} is not one of this dataset whose rows can be replayed."
    if original.state is not DeliveryState.ACCEPTED:
        return (
            f"Delivery {original_id[:8]} is {original.state.value}: only rows that an accepted delivery left in "
            "quarantine can be replayed. Push the whole source again."
        )
    if intake.open_rows(session, original_id) is None or not original.refused:
        return f"Delivery {original_id[:8]} has no open rows."
    if mode != replay_mode(original.mode):
        return (
            f"Rows of a delivery of mode {original.mode} are replayed with mode {replay_mode(original.mode)}."
        )
    if original.version_id and original.mode != "delete" and history.replaced_since(session, original):
        return (
            f"The dataset was sent whole since delivery {original_id[:8]}, so its open rows count no more. Mend them "
            "in the source and push it again."
        )
    return None


def replay_mode(mode: str) -> str:
    """The mode in which refused rows of a delivery come again: a row that was never taken is added."""
    return "append" if mode == "full" else mode
