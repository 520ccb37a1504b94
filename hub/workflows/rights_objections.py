"""Objections: a steward of the agreement decides; until then the person's rows are left out of what it is for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from hub.errors import Conflict, Forbidden, NotFound
from hub.identity.principal import Principal
from hub.policy import store as agreements
from hub.policy.roles import Permission
from hub.policy.scope import whole_hub
from hub.rights import store as rights
from hub.rights.states import RequestKind, RequestState
from hub.rights.store import Request
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.rights import Shown, noted, own_request, shown, step
from hub.workflows.rights_people import check_text

__all__ = ["ask_steward", "decide_objection", "list_objections"]


def list_objections(hub: Hub, principal: Principal) -> list[Shown]:
    """Objections that wait for a steward of this organisation (at the hub: all); that they were read is noted."""
    authorise(principal, Permission.DECIDE_OBJECTIONS)
    with hub.database.write() as session:
        waiting = [
            request
            for request in rights.list_requests(session, only_open=True, limit=1000)
            if request.kind is RequestKind.OBJECTION
            and request.state is RequestState.ASKED
            and _may_decide(session, principal, request)
        ]
        for request in waiting:
            note(session, principal, "rights.request-read", request.id)
        return [shown(hub, session, request) for request in waiting]


def _may_decide(session: Session, principal: Principal, request: Request) -> bool:
    """A steward of one of the agreement's controllers, or of the hub."""
    if request.agreement_id is None:
        return False
    controllers = agreements.get(session, request.agreement_id).controllers
    return principal.organisation in controllers or whole_hub(principal, Permission.DECIDE_OBJECTIONS)


def decide_objection(
    hub: Hub, principal: Principal, request_id: str, *, uphold: bool, reason: str
) -> Request:
    """A steward of the agreement upholds an objection (its restriction stays) or turns it down (it ends).

    The officer then answers the person, with this reason at hand.

    Raises:
        NotFound: when there is no such objection for this steward.
        Forbidden: for the one who handles the request.
    """
    authorise(principal, Permission.DECIDE_OBJECTIONS)
    said = check_text(reason, "reason", "the person's grounds outweigh the purpose")
    with hub.database.write() as session:
        request = rights.get_request(session, request_id, lock=True)
        if request.kind is not RequestKind.OBJECTION or not _may_decide(session, principal, request):
            raise NotFound(f"There is no objection {request_id}.")
        if principal.reference in (request.opened_by, request.handled_by):
            raise Forbidden("You handle this request, so somebody else decides about the objection.")
        verdict = "upheld" if uphold else "turned down"
        text = f"The objection was {verdict}. {said}"
        handled_by = request.handled_by or principal.reference
        request = rights.move(session, request_id, "hear back", handled_by, hub.vault.seal_text(text))
        if not uphold:
            rights.end_restrictions(session, request_id, principal.reference)
        noted(
            session,
            principal,
            request,
            "rights.objection-decided",
            hub.vault.seal_text(said),
            verdict=verdict,
        )
    return request


def ask_steward(hub: Hub, principal: Principal, request_id: str) -> Request:
    """Hand an objection to the stewards of the agreement's controllers.

    Raises:
        Conflict: when it is no objection, or not in hand.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.read() as session:
        if own_request(session, principal, request_id).kind is not RequestKind.OBJECTION:
            raise Conflict("Stewards decide about objections; other requests are the officer's own.")
    return step(hub, principal, request_id, "ask")
