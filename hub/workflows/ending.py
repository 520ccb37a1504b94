"""When an agreement ends: what it let happen stops in the same transaction, and what it left behind follows its terms.

Decisions refuse on the day after the end without any of this: nothing here is needed for that.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from hub.identity.principal import Principal, system
from hub.policy import store as agreements
from hub.policy.agreement import Agreement, AgreementState
from hub.runs.ending import Ended, end_under
from hub.workflows import shredding
from hub.workflows.hub import Hub, note, today

__all__ = ["end_in", "expire_agreements", "settle"]

_CALENDAR: Final = system("agreements")


def end_in(hub: Hub, session: Session, principal: Principal, agreement: Agreement, reason: str = "") -> Ended:
    """Stop what runs under an agreement that has just ended, in the caller's transaction, and note it.

    `reason` is sealed text.
    """
    how = "was withdrawn" if agreement.state is AgreementState.WITHDRAWN else "has expired"
    message = f"Stopped: agreement {agreement.id} {how}."
    ended = end_under(
        session, agreement.id, message=message, by=principal.reference, note=hub.vault.seal_text(message)
    )
    note(
        session, principal, f"agreement.{agreement.state.value}", agreement.id, agreement=agreement.id, reason=reason,
        detail={
            "schedules_paused": list(ended.schedules), "runs_cancelled": list(ended.runs),
            "results_rejected": list(ended.held), "results_at_end": agreement.results_at_end,
        },
    )  # fmt: skip
    return ended


def settle(hub: Hub, agreement: Agreement) -> None:
    """After the transaction in which an agreement ended: destroy its results, where it says so."""
    if agreement.results_at_end == "destroyed":
        shredding.expire_results(hub)


def expire_agreements(hub: Hub) -> int:
    """End the agreements whose last day is over; returns how many. The worker does this when it tidies."""
    with hub.database.read() as session:
        over = agreements.over(session, today(hub))
    for found in over:
        with hub.database.write() as session:
            if agreements.get(session, found.id).state is not AgreementState.ACTIVE:
                continue
            agreement = agreements.change_state(session, found.id, "expire", _CALENDAR.reference)
            end_in(hub, session, _CALENDAR, agreement)
        settle(hub, agreement)
    return len(over)
