"""What people ask about their own data: requests with due dates, from receipt to answer.

An officer finds the person, opens the request, takes it in hand and answers; nothing acts on a person, or gives
anything away, without one. Every step stands in the audit log, with the person's keyed reference; what was typed is
sealed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import Session

from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.identity.principal import Principal
from hub.policy import store as agreements
from hub.policy.roles import Permission
from hub.policy.scope import for_organisation, may_act_for
from hub.rights import corrections
from hub.rights import store as rights
from hub.rights.corrections import Copy
from hub.rights.due import due_on, parse_days
from hub.rights.states import CorrectionState, RequestKind, RequestState, move_request
from hub.rights.store import Request, Restriction
from hub.vault import shred
from hub.workflows.hub import Hub, authorise, note, today
from hub.workflows.rights_people import check_text, reference, seal, subject_of

__all__ = [
    "Shown", "answer", "destroy_copies", "extend", "lift", "list_requests", "noted", "open_for", "open_request",
    "own_request", "read_request", "refuse", "restrict", "shown", "step", "take", "withdraw",
]  # fmt: skip

_EARLIEST = timedelta(days=366)
_ANSWER = "we have sent you the copy you asked for"


@dataclass(frozen=True, repr=False)
class Shown:
    """A request with its texts in the clear, for those who handle it; `events` are what can be done with it now."""

    request: Request
    wish: str
    answer: str
    extension_reason: str
    overdue: bool
    restrictions: tuple[Restriction, ...]
    copy: Copy | None
    agreement_title: str
    events: tuple[str, ...]


# --- opening


def open_request(
    hub: Hub, principal: Principal, person_id: str, kind: RequestKind, wish: str, received_on: date,
    agreement_id: str = "",
) -> Request:  # fmt: skip
    """An officer writes down what somebody whom they found asks for; it is due a month after the day of receipt.

    Raises:
        Invalid: when nothing is said, the day cannot be, or an objection names no agreement.
        NotFound: when the person is not known (any more).
        Conflict: when the same was asked for already.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    if not today(hub) - _EARLIEST <= received_on <= today(hub):
        raise Invalid(
            "The day of receipt must be in the past, and within the last year.",
            fields={"received_on": ["not possible"]},
        )
    with hub.database.write() as session:
        subject = subject_of(hub, session, person_id)
        return open_for(
            hub, session, principal, (reference(hub, person_id), seal(hub, subject)), principal.organisation, kind,
            wish, received_on, agreement_id,
        )  # fmt: skip


def open_for(
    hub: Hub, session: Session, by: Principal, person: tuple[str, str], organisation: str, kind: RequestKind, wish: str,
    received_on: date, agreement_id: str = "",
) -> Request:  # fmt: skip
    """Write a request down, in the caller's transaction; `person` is the keyed reference and the sealed person.

    Who objects is restricted for that purpose from now on, until somebody has decided (UK GDPR Article 18(1)(d)).
    """
    said = check_text(wish, "wish", "I want a copy of everything you hold about me")
    if kind is RequestKind.OBJECTION:
        _known_agreement(session, agreement_id)
    elif agreement_id:
        raise Invalid("Only an objection is about one agreement; leave the agreement out.")
    holidays = parse_days(hub.settings.extra_holidays)
    request = rights.add_request(
        session, kind, *person, organisation, by.reference, hub.vault.seal_text(said), received_on,
        due_on(received_on, holidays=holidays), agreement_id or None,
    )  # fmt: skip
    detail: dict[str, Any] = {"kind": kind.value, "due": request.due_on.isoformat()}
    note(
        session,
        by,
        "rights.request-opened",
        request.id,
        agreement=agreement_id,
        subjects=[person[0]],
        detail=detail,
    )
    if kind is RequestKind.OBJECTION:
        rights.begin_restriction(session, request, agreement_id, by.reference)
        note(
            session, by, "rights.restriction-began", request.id, agreement=agreement_id, subjects=[person[0]]
        )
    return request


def _known_agreement(session: Session, agreement_id: str) -> None:
    try:
        agreements.get(session, agreement_id)
    except NotFound:
        raise Invalid(
            "Choose the agreement whose use of the data the person objects to.",
            fields={"agreement": ["not one of this hub"]},
        ) from None


# --- reading


def list_requests(
    hub: Hub, principal: Principal, *, only_open: bool = False, limit: int = 50, after: tuple[str, str] | None = None
) -> list[Request]:  # fmt: skip
    """Requests by the day they are due: those of the officer's organisation, at the hub itself all."""
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.read() as session:
        return rights.list_requests(
            session, organisation=for_organisation(principal, Permission.HANDLE_RIGHTS), only_open=only_open,
            limit=limit, after=after,
        )  # fmt: skip


def own_request(session: Session, principal: Principal, request_id: str) -> Request:
    """A request that the officer may handle.

    Raises:
        NotFound: when there is none, or it is another organisation's.
    """
    request = rights.get_request(session, request_id)
    if not may_act_for(principal, request.organisation, Permission.HANDLE_RIGHTS):
        raise NotFound(f"There is no request {request_id}.")
    return request


def read_request(hub: Hub, principal: Principal, request_id: str) -> Shown:
    """One request with what the person wrote; that it was read is noted.

    Raises:
        NotFound: when it is not there for this officer.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        note(session, principal, "rights.request-read", request.id)
        return shown(hub, session, request)


def shown(hub: Hub, session: Session, request: Request) -> Shown:
    """A request with its texts in the clear; the caller has looked who may read them."""
    from hub.rights.states import REQUEST_TRANSITIONS

    mine = tuple(
        item for item in rights.restrictions_of(session, request.subject) if item.request_id == request.id
    )
    title = ""
    if request.agreement_id is not None:
        title = agreements.get(session, request.agreement_id).title
    return Shown(
        request, hub.vault.open_text(request.wish), hub.vault.open_text(request.answer) if request.answer else "",
        hub.vault.open_text(request.extension_reason) if request.extension_reason else "",
        request.overdue(today(hub)), mine, corrections.copy_of(session, request.id), title,
        tuple(event for state, event in REQUEST_TRANSITIONS if state is request.state),
    )  # fmt: skip


# --- handling


def take(hub: Hub, principal: Principal, request_id: str) -> Request:
    """An officer takes a request in hand."""
    return step(hub, principal, request_id, "take")


def extend(hub: Hub, principal: Principal, request_id: str, reason: str) -> Request:
    """Put the due day off to three months after receipt; the reason is what the person is told.

    Raises:
        Conflict: when the first month is over, or it was extended before.
        Invalid: when the reason says nothing.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    said = check_text(reason, "reason", "records of five services have to be read by hand")
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        if request.is_open and request.extended_at is None and request.due_on < today(hub):
            raise Conflict(
                f"The request was due on {request.due_on}: people are told of an extension within the first month. "
                "Answer it now."
            )
        later = due_on(request.received_on, extended=True, holidays=parse_days(hub.settings.extra_holidays))
        request = rights.extend(session, request_id, later, hub.vault.seal_text(said))
        noted(
            session,
            principal,
            request,
            "rights.request-extended",
            hub.vault.seal_text(said),
            due=later.isoformat(),
        )
    return request


def answer(hub: Hub, principal: Principal, request_id: str, text: str) -> Request:
    """Answer a request: what is said here the person reads. A copy that was made can be fetched from now on.

    Raises:
        Conflict: when a request for a copy has none yet, or for a restriction none was set.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    said = check_text(text, "answer", _ANSWER)
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        _ready(session, request)
        request = rights.move(session, request_id, "answer", principal.reference, hub.vault.seal_text(said))
        noted(session, principal, request, "rights.request-answered")
        if request.kind is RequestKind.ACCESS:
            corrections.give_copy(session, request_id, hub.clock())
            noted(session, principal, request, "rights.copy-given")
    return request


def _ready(session: Session, request: Request) -> None:
    """Whether what was asked for has been done, so that one can say so."""
    move_request(request.state, "answer")
    if request.kind is RequestKind.ACCESS:
        copy = corrections.copy_of(session, request.id)
        if copy is None or copy.destroyed_at is not None:
            raise Conflict("Make the copy first and look at what is in it; then answer.")
    restricted = any(
        item.request_id == request.id and item.ended_at is None
        for item in rights.restrictions_of(session, request.subject)
    )
    if request.kind is RequestKind.RESTRICTION and not restricted:
        raise Conflict("Set the restriction first, or refuse the request with your reason.")
    _decided(request)


def _decided(request: Request) -> None:
    if request.kind is RequestKind.OBJECTION and request.answer is None:
        raise Conflict("A steward of the agreement decides about the objection first: ask them.")


def refuse(hub: Hub, principal: Principal, request_id: str, text: str) -> Request:
    """Refuse a request, saying why and where one can complain; restrictions that came with it end."""
    return _close(
        hub, principal, request_id, "refuse", text, "we do not hold what you ask for; complain to ..."
    )


def withdraw(hub: Hub, principal: Principal, request_id: str, text: str) -> Request:
    """The person takes a request back: what was begun for it ends."""
    return _close(
        hub, principal, request_id, "withdraw", text, "you told us on the telephone that it is settled"
    )


def _close(hub: Hub, principal: Principal, request_id: str, event: str, text: str, example: str) -> Request:
    authorise(principal, Permission.HANDLE_RIGHTS)
    said = check_text(text, "answer", example)
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        if event == "refuse":
            _decided(request)
        request = rights.move(session, request_id, event, principal.reference, hub.vault.seal_text(said))
        lifted = rights.end_restrictions(session, request_id, principal.reference)
        for item in corrections.corrections_of(session, request_id):
            if item.state is CorrectionState.SENT:
                corrections.decide(session, item.id, "call off", principal.reference)
        destroy_copies(hub, session, [corrections.copy_of(session, request_id)])
        noted(
            session, principal, request, f"rights.request-{request.state.value}", restrictions_lifted=lifted
        )
    return request


def step(hub: Hub, principal: Principal, request_id: str, event: str) -> Request:
    """Let a request go on by an event of its table, and note it."""
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.write() as session:
        own_request(session, principal, request_id)
        request = rights.move(session, request_id, event, principal.reference)
        noted(session, principal, request, f"rights.request-{event.replace(' ', '-')}")
    return request


def noted(
    session: Session, by: Principal, request: Request, action: str, reason: str = "", **detail: Any
) -> None:
    """Write a step of a request into the audit log, so that the person finds it."""
    note(
        session, by, action, request.id, agreement=request.agreement_id or "", reason=reason,
        subjects=[request.subject], detail={"kind": request.kind.value} | detail,
    )  # fmt: skip


def destroy_copies(hub: Hub, session: Session, copies: list[Copy | None]) -> list[str]:
    """Destroy the keys of copies, in the caller's transaction; returns the objects, which are removed later."""
    gone = [copy for copy in copies if copy is not None and copy.destroyed_at is None]
    shred.destroy(session, [copy.owner for copy in gone])
    corrections.forget_copies(session, [copy.owner for copy in gone], hub.clock())
    return [copy.object_key for copy in gone]


# --- restriction


def restrict(hub: Hub, principal: Principal, request_id: str) -> Restriction:
    """Leave the person's rows out of runs, searches and household pages, until the restriction is lifted.

    Raises:
        Conflict: when the request is not in hand, or is no request for a restriction.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        if request.kind not in (RequestKind.RESTRICTION, RequestKind.RECTIFICATION):
            raise Conflict(
                "Only a request for a restriction or a correction restricts; open one for this person."
            )
        if request.state not in (RequestState.IN_HAND, RequestState.ASKED):
            raise Conflict(f"The request is {request.state}: take it in hand first.")
        restriction = rights.begin_restriction(session, request, None, principal.reference)
        noted(session, principal, request, "rights.restriction-began")
    return restriction


def lift(hub: Hub, principal: Principal, request_id: str, reason: str) -> int:
    """End a request's restrictions; the person is told before (UK GDPR Article 18(3)). Returns how many ended.

    Raises:
        Conflict: when there is none.
        Forbidden: for an objection on which a steward has still to decide.
    """
    authorise(principal, Permission.HANDLE_RIGHTS)
    said = check_text(reason, "reason", "told the person on 3 March that the record is right now")
    with hub.database.write() as session:
        request = own_request(session, principal, request_id)
        if request.kind is RequestKind.OBJECTION and request.is_open:
            raise Forbidden("While an objection waits for a decision, its restriction stays.")
        count = rights.end_restrictions(session, request_id, principal.reference)
        if not count:
            raise Conflict("Nothing is restricted by this request.")
        noted(session, principal, request, "rights.restriction-lifted", hub.vault.seal_text(said))
    return count
