"""Deliveries: offered, sent part by part, decided, and their fault reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import CursorQuery, Strict, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.errors import Invalid
from hub.workflows import overview, publish
from hub.workflows.downloads import csv_text

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

_BINARY = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}
}
_DIGEST = {
    "in": "header", "name": "Content-Digest", "required": True, "schema": {"type": "string"},
    "description": "Digest of the part (RFC 9530): sha-256=:BASE64:",
}  # fmt: skip


class Offer(Strict):
    """A signed manifest."""

    manifest = fields.Dict(
        keys=fields.String(), required=True, metadata={"description": "joinedup-delivery/1"}
    )
    signature = fields.String(required=True, validate=validate.Length(1, 200))


class PartRef(Schema):
    """A part that has not arrived."""

    role = fields.String()
    part = fields.Integer()


class Rows(Schema):
    """Rows sent; once the delivery is decided, the other three add up to them.

    Refused rows are open in quarantine; replayed ones were refused and came mended with a later delivery.
    """

    sent = fields.Integer()
    accepted = fields.Integer()
    refused = fields.Integer()
    replayed = fields.Integer()


class EffectAnswer(Schema):
    """What an accepted delivery did to its dataset, in rows; unmatched are keys to delete that were not there."""

    before = fields.Integer()
    added = fields.Integer()
    replaced = fields.Integer()
    removed = fields.Integer()
    unmatched = fields.Integer()
    after = fields.Integer()


class FaultGroup(Schema):
    """How often a rule failed in a column."""

    rule = fields.String()
    column = fields.String()
    count = fields.Integer()
    first_row = fields.Integer(allow_none=True)


class VersionNumber(Schema):
    """The version that a delivery became."""

    id = fields.String()
    number = fields.Integer()


class DeliveryAnswer(Schema):
    """A delivery and what became of it."""

    id = fields.String()
    state = fields.String()
    dataset = fields.String()
    mode = fields.String(metadata={"description": "full, append, upsert or delete"})
    replays = fields.String(
        allow_none=True, metadata={"description": "The delivery whose refused rows come again."}
    )
    replays_of_this = fields.List(fields.String())
    rows = fields.Nested(Rows)
    checked = fields.Integer(metadata={"description": "Rows checked so far, while the delivery is checked."})
    effect = fields.Nested(EffectAnswer, allow_none=True)
    version = fields.Nested(VersionNumber, allow_none=True)
    problem = fields.String(allow_none=True)
    faults_by_rule = fields.List(fields.Nested(FaultGroup))
    missing = fields.List(fields.Nested(PartRef))
    duplicate = fields.Boolean(
        metadata={"description": "The same source data was accepted before, as this delivery."}
    )
    created_at = fields.AwareDateTime(format="iso")


class DeliveryList(Schema):
    """A page of deliveries, newest first."""

    items = fields.List(fields.Nested(DeliveryAnswer))
    next = fields.String(allow_none=True)


class Fault(Schema):
    """A fault; personal values are masked."""

    row = fields.Integer(allow_none=True)
    column = fields.String(allow_none=True)
    value_shown = fields.String(allow_none=True)
    rule = fields.String()
    message = fields.String()


class FaultList(Schema):
    """A page of faults, by row."""

    items = fields.List(fields.Nested(Fault))
    next = fields.String(allow_none=True)


def delivery_answer(delivery: Any, contract: str) -> dict[str, Any]:
    """What the API says of a delivery wherever it names one."""
    return {
        "id": delivery.id, "state": delivery.state.value, "dataset": contract, "problem": delivery.problem,
        "mode": delivery.mode, "replays": delivery.replays, "checked": delivery.checked, "effect": delivery.effect,
        "rows": {
            "sent": delivery.sent, "accepted": delivery.accepted, "refused": delivery.refused,
            "replayed": delivery.replayed,
        },
        "created_at": delivery.created_at, "version": None,
    }  # fmt: skip


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of deliveries."""
    views = closed_blueprint("deliveries", hub, "Deliveries and fault reports")

    @views.post("/deliveries")
    @views.arguments(Offer)
    @views.response(201, DeliveryAnswer)
    @views.alt_response(200, schema=DeliveryAnswer, success=True)
    def offer(body: dict[str, Any]) -> Any:
        """Offer a delivery: send its signed manifest and learn which parts are still to come.

        Offering the same manifest again continues it. When the same source data is the dataset's current version
        already, that delivery is returned with `duplicate` true and nothing needs to be sent.
        """
        delivery, missing, duplicate = publish.offer(hub, principal(), body["manifest"], body["signature"])
        answer = delivery_answer(delivery, str(delivery.manifest["dataset"])) | {
            "missing": [{"role": role, "part": part} for role, part in missing],
            "duplicate": duplicate,
        }
        return answer, 200 if duplicate else 201

    @views.put("/deliveries/<string:delivery_id>/files/<string:role>/parts/<int:part>")
    @views.doc(parameters=[_DIGEST], **_BINARY)
    @views.response(204)
    def put_part(delivery_id: str, role: str, part: int) -> None:
        """Send a part of a file. Answered only when the part is safely stored; sending it again is no error."""
        digest = request.headers.get("Content-Digest", "")
        publish.take_part(hub, principal(), delivery_id, role, part, request.get_data(cache=False), digest)

    @views.post("/deliveries/<string:delivery_id>/complete")
    @views.response(202, DeliveryAnswer)
    def complete(delivery_id: str) -> Any:
        """Say that all parts were sent; the hub decides from here. Saying it again is no error."""
        delivery = publish.complete(hub, principal(), delivery_id)
        return delivery_answer(delivery, str(delivery.manifest["dataset"]))

    @views.get("/deliveries")
    @views.arguments(CursorQuery, location="query")
    @views.response(200, DeliveryList)
    def list_deliveries(query: dict[str, Any]) -> Any:
        """Your organisation's deliveries, newest first."""
        cursor = decode_cursor(query.get("cursor"), (str, str))
        before = (_moment(cursor[0]), cursor[1]) if cursor else None
        found = overview.deliveries(hub, principal(), before=before, limit=query["limit"])
        more = len(found) == query["limit"]
        last = found[-1][0] if found else None
        return {
            "items": [delivery_answer(delivery, dataset.contract) for delivery, dataset in found],
            "next": encode_cursor(last.created_at.isoformat(), last.id) if more and last else None,
        }

    @views.get("/deliveries/<string:delivery_id>")
    @views.response(200, DeliveryAnswer)
    def read_delivery(delivery_id: str) -> Any:
        """One delivery: where it stands, and what was wrong by rule and column."""
        page = overview.delivery_page(hub, principal(), delivery_id)
        missing = publish.missing(hub, principal(), delivery_id)
        return delivery_answer(page.delivery, page.dataset.contract) | {
            "version": page.version,
            "faults_by_rule": page.faults,
            "replays_of_this": page.replays,
            "missing": [{"role": role, "part": part} for role, part in missing],
        }

    @views.get("/deliveries/<string:delivery_id>/faults")
    @views.arguments(CursorQuery, location="query")
    @views.response(200, FaultList)
    def read_faults(query: dict[str, Any], delivery_id: str) -> Any:
        """The delivery's faults by row; personal values are masked."""
        cursor = decode_cursor(query.get("cursor"), (int,))
        start = max(cursor[0], 0) if cursor else 0
        table = overview.faults(hub, principal(), delivery_id)
        end = start + query["limit"]
        more = end < table.num_rows
        return {
            "items": table.slice(start, query["limit"]).to_pylist(),
            "next": encode_cursor(end) if more else None,
        }

    @views.get("/deliveries/<string:delivery_id>/faults.csv")
    @views.response(200, content_type="text/csv", description="The whole fault report.")
    def read_faults_csv(delivery_id: str) -> Any:
        """The delivery's whole fault report as CSV."""
        table = overview.faults(hub, principal(), delivery_id)
        headers = {"Content-Disposition": f'attachment; filename="faults-{delivery_id[:8]}.csv"'}
        return Response(csv_text(table), content_type="text/csv; charset=utf-8", headers=headers)

    return views


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("This cursor is not one that the hub gave; start without a cursor.") from None
