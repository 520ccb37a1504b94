"""Requests of people about their own data, corrections, objections and delays, for systems of rights officers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import CursorQuery, Strict, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.errors import Conflict, NotFound
from hub.insights.people import PersonQuery
from hub.rights.states import RequestKind
from hub.workflows import (
    rights,
    rights_copies,
    rights_corrections,
    rights_delays,
    rights_objections,
    rights_people,
)

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

_KINDS: Final = [kind.value for kind in RequestKind]


def _enum(name: str) -> fields.Function:
    return fields.Function(lambda item: getattr(item, name).value)


class RightsWords(Strict):
    """What is said; sealed in the hub."""

    text = fields.String(required=True, validate=validate.Length(1, 2000))


class RightsWhom(Strict):
    """Who asks: what they said of themselves."""

    forename = fields.String(load_default="", validate=validate.Length(max=100))
    surname = fields.String(load_default="", validate=validate.Length(max=100))
    date_of_birth = fields.Date(load_default=None, allow_none=True)
    nhs_number = fields.String(load_default="", validate=validate.Length(max=40))
    uprn = fields.String(load_default="", validate=validate.Length(max=20))
    postcode = fields.String(load_default="", validate=validate.Length(max=20))


class RightsNewRequest(Strict):
    """A request to write down for the one person who matches."""

    person = fields.Nested(RightsWhom, required=True)
    kind = fields.String(required=True, validate=validate.OneOf(_KINDS))
    wish = fields.String(required=True, validate=validate.Length(1, 2000))
    received_on = fields.Date(required=True)
    reason = fields.String(required=True, validate=validate.Length(1, 2000))
    agreement = fields.String(load_default="", validate=validate.Length(max=64))


class RightsNewCopy(Strict):
    """Columns to leave out of a copy, as contract:column."""

    leave_out = fields.List(
        fields.String(validate=validate.Length(1, 300)),
        load_default=list,
        validate=validate.Length(max=500),
    )


class RightsRequestAnswer(Schema):
    """A request, without what the person wrote."""

    id = fields.String()
    kind = _enum("kind")
    state = _enum("state")
    organisation = fields.String()
    received_on = fields.Date()
    due_on = fields.Date()
    extended = fields.Function(lambda item: item.extended_at is not None)
    agreement = fields.String(attribute="agreement_id", allow_none=True)
    answered_at = fields.AwareDateTime(format="iso", allow_none=True)


class RightsRequestList(Schema):
    """A page of requests, by the day they are due."""

    items = fields.List(fields.Nested(RightsRequestAnswer))
    next = fields.String(allow_none=True)


class RightsFullRequest(Schema):
    """A request with its words; that it was read is noted."""

    request = fields.Nested(RightsRequestAnswer)
    wish = fields.String()
    answer = fields.String()
    extension_reason = fields.String()
    overdue = fields.Boolean()
    agreement_title = fields.String()
    restricted = fields.Function(lambda item: any(one.ended_at is None for one in item.restrictions))


class RightsCorrectionAnswer(Schema):
    """A correction, without what it says."""

    id = fields.String()
    request = fields.String(attribute="request_id")
    dataset = fields.String(attribute="dataset_id")
    state = _enum("state")
    sent_at = fields.AwareDateTime(format="iso")
    decided_at = fields.AwareDateTime(format="iso", allow_none=True)


class RightsCorrectionList(Schema):
    """Corrections that wait for the organisation."""

    items = fields.List(fields.Nested(RightsCorrectionAnswer))


class RightsTaskAnswer(Schema):
    """A correction with the row's key and the values; that it was read is noted."""

    correction = fields.Nested(RightsCorrectionAnswer)
    key = fields.Function(lambda item: dict(item.key))
    column = fields.String()
    says = fields.String()
    should = fields.String()
    reason = fields.String()
    due_on = fields.Date()


class RightsNewDelay(Strict):
    """A delay to ask for: an entry of one's own organisation, for so many months, and why."""

    entry = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**62))
    months = fields.Integer(required=True, strict=True, validate=validate.Range(1, 120))
    reason = fields.String(required=True, validate=validate.Length(1, 2000))


class RightsDelayAnswer(Schema):
    """A delay; whom it is about is not told."""

    id = fields.String()
    organisation = fields.String()
    state = _enum("state")
    since = fields.AwareDateTime(format="iso")
    until = fields.AwareDateTime(format="iso")


class RightsDelayList(Schema):
    """Delays, newest first."""

    items = fields.List(fields.Nested(RightsDelayAnswer))


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of people's rights."""
    views = closed_blueprint("rights", hub, "People's rights over data about them")
    _requests(hub, views)
    _steps(hub, views)
    _corrections(hub, views)
    _objections(hub, views)
    _delays(hub, views)
    return views


def _requests(hub: Hub, views: Blueprint) -> None:
    @views.get("/rights/requests")
    @views.arguments(CursorQuery, location="query")
    @views.response(200, RightsRequestList)
    def list_rights_requests(query: dict[str, Any]) -> Any:
        """Requests by the day they are due (rights officer)."""
        cursor = decode_cursor(query.get("cursor"), (str, str))
        after = (str(cursor[0]), str(cursor[1])) if cursor else None
        found = rights.list_requests(hub, principal(), limit=query["limit"], after=after)
        more = len(found) == query["limit"]
        last = found[-1] if more else None
        return {"items": found, "next": encode_cursor(last.due_on.isoformat(), last.id) if last else None}

    @views.post("/rights/requests")
    @views.arguments(RightsNewRequest)
    @views.response(201, RightsRequestAnswer)
    def open_rights_request(body: dict[str, Any]) -> Any:
        """Write down what somebody asks for; exactly one person must match (rights officer)."""
        found = rights_people.find_person(hub, principal(), PersonQuery(**body["person"]), body["reason"])
        if not found:
            raise NotFound("Nobody matches. The hub may hold nothing about this person.")
        if len(found) > 1:
            raise Conflict(f"{len(found)} people match; say more about the person who asks.")
        return rights.open_request(
            hub, principal(), found[0].person_id, RequestKind(body["kind"]), body["wish"], body["received_on"],
            body["agreement"],
        )  # fmt: skip

    @views.get("/rights/requests/<string:rights_id>")
    @views.response(200, RightsFullRequest)
    def read_rights_request(rights_id: str) -> Any:
        """One request with its words (rights officer)."""
        return rights.read_request(hub, principal(), rights_id)

    @views.post("/rights/requests/<string:rights_id>/copy")
    @views.arguments(RightsNewCopy)
    @views.response(204)
    def make_rights_copy(body: dict[str, Any], rights_id: str) -> None:
        """Make the copy of what the hub holds about the person (rights officer)."""
        rights_copies.make_copy(hub, principal(), rights_id, body["leave_out"])

    @views.get("/rights/requests/<string:rights_id>/copy.zip")
    @views.response(200, content_type="application/zip")
    def fetch_rights_copy(rights_id: str) -> Any:
        """The copy, to look at before it is given (rights officer)."""
        data = rights_copies.fetch(hub, principal(), rights_id)
        return Response(data, content_type="application/zip", headers={"Cache-Control": "no-store"})


#: Steps of a request: name -> (what it does, the use case, whether words belong to it).
_STEPS: Final[dict[str, tuple[str, Callable[..., Any], bool]]] = {
    "take": ("Take a request in hand", rights.take, False),
    "ask": ("Hand an objection to the agreement's stewards", rights_objections.ask_steward, False),
    "restrict": ("Leave the person's rows out until it is lifted", rights.restrict, False),
    "lift": ("End the request's restrictions", rights.lift, True),
    "extend": ("Put the due day off by two months; the person reads why", rights.extend, True),
    "answer": ("Answer a request; the person reads it", rights.answer, True),
    "refuse": ("Refuse a request; the person reads why", rights.refuse, True),
    "withdraw": ("The person takes a request back", rights.withdraw, True),
}


def _steps(hub: Hub, views: Blueprint) -> None:
    for name, (words, act, spoken) in _STEPS.items():
        view = _spoken(hub, act) if spoken else _silent(hub, act)
        view.__name__, view.__doc__ = f"rights_{name}", f"{words} (rights officer)."
        taking = views.arguments(RightsWords)(view) if spoken else view
        views.post(f"/rights/requests/<string:rights_id>/{name}")(views.response(204)(taking))


def _silent(hub: Hub, act: Callable[..., Any]) -> Callable[..., None]:
    def step(rights_id: str) -> None:
        act(hub, principal(), rights_id)

    return step


def _spoken(hub: Hub, act: Callable[..., Any]) -> Callable[..., None]:
    def step(body: dict[str, Any], rights_id: str) -> None:
        act(hub, principal(), rights_id, body["text"])

    return step


def _corrections(hub: Hub, views: Blueprint) -> None:
    @views.get("/rights/corrections")
    @views.response(200, RightsCorrectionList)
    def list_corrections() -> Any:
        """Corrections that wait for the organisation (data steward)."""
        return {"items": rights_corrections.list_tasks(hub, principal())}

    @views.get("/rights/corrections/<string:correction_id>")
    @views.response(200, RightsTaskAnswer)
    def read_correction(correction_id: str) -> Any:
        """One correction with the row's key and the values (data steward)."""
        return rights_corrections.read_task(hub, principal(), correction_id)

    @views.post("/rights/corrections/<string:correction_id>/decline")
    @views.arguments(RightsWords)
    @views.response(200, RightsCorrectionAnswer)
    def decline_correction(body: dict[str, Any], correction_id: str) -> Any:
        """Say why a value is not changed; the person reads it (data steward)."""
        return rights_corrections.decline(hub, principal(), correction_id, body["text"])


def _objections(hub: Hub, views: Blueprint) -> None:
    @views.post("/rights/objections/<string:rights_id>/uphold")
    @views.arguments(RightsWords)
    @views.response(200, RightsRequestAnswer)
    def uphold_objection(body: dict[str, Any], rights_id: str) -> Any:
        """Uphold an objection: the person's rows stay out (data steward of a controller)."""
        return rights_objections.decide_objection(
            hub, principal(), rights_id, uphold=True, reason=body["text"]
        )

    @views.post("/rights/objections/<string:rights_id>/turn-down")
    @views.arguments(RightsWords)
    @views.response(200, RightsRequestAnswer)
    def turn_down_objection(body: dict[str, Any], rights_id: str) -> Any:
        """Turn an objection down: the use goes on (data steward of a controller)."""
        return rights_objections.decide_objection(
            hub, principal(), rights_id, uphold=False, reason=body["text"]
        )


def _delays(hub: Hub, views: Blueprint) -> None:
    @views.get("/rights/delays")
    @views.response(200, RightsDelayList)
    def list_delays() -> Any:
        """Delays of the organisation's entries (investigating officer, rights officer)."""
        return {"items": [item.delay for item in rights_delays.list_delays(hub, principal())]}

    @views.post("/rights/delays")
    @views.arguments(RightsNewDelay)
    @views.response(201, RightsDelayAnswer)
    def ask_for_delay(body: dict[str, Any]) -> Any:
        """Ask that people see an entry about them later (investigating officer)."""
        return rights_delays.ask(hub, principal(), body["entry"], body["reason"], body["months"])

    @views.post("/rights/delays/<string:delay_id>/approve")
    @views.arguments(RightsWords)
    @views.response(200, RightsDelayAnswer)
    def approve_delay(body: dict[str, Any], delay_id: str) -> Any:
        """Approve a delay, never one's own (rights officer)."""
        return rights_delays.decide(hub, principal(), delay_id, approve=True, reason=body["text"])

    @views.post("/rights/delays/<string:delay_id>/turn-down")
    @views.arguments(RightsWords)
    @views.response(200, RightsDelayAnswer)
    def turn_down_delay(body: dict[str, Any], delay_id: str) -> Any:
        """Turn a delay down (rights officer)."""
        return rights_delays.decide(hub, principal(), delay_id, approve=False, reason=body["text"])

    @views.post("/rights/delays/<string:delay_id>/end")
    @views.response(200, RightsDelayAnswer)
    def end_delay(delay_id: str) -> Any:
        """End a delay before its time (investigating officer, rights officer)."""
        return rights_delays.end(hub, principal(), delay_id)
