"""The audit log over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields

from hub.api.common import CursorQuery, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.workflows import auditing

if TYPE_CHECKING:
    from hub.workflows.hub import Hub


class EntryAnswer(Schema):
    """An entry; `place` is its index in the Merkle tree, null until it is sealed."""

    id = fields.Integer()
    place = fields.Integer(allow_none=True)
    at = fields.AwareDateTime(format="iso")
    actor = fields.String()
    action = fields.String()
    content = fields.Dict()


class EntryList(Schema):
    """A page of entries, newest first."""

    items = fields.List(fields.Nested(EntryAnswer))
    next = fields.String(allow_none=True)
    checkpoint = fields.String(
        allow_none=True, metadata={"description": "The newest signed checkpoint (C2SP)."}
    )
    entries = fields.Integer()


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of the audit log."""
    views = closed_blueprint("audit", hub, "Audit log")

    @views.get("/audit/entries")
    @views.arguments(CursorQuery, location="query")
    @views.response(200, EntryList)
    def list_entries(query: dict[str, Any]) -> Any:
        """Entries, newest first (auditor)."""
        cursor = decode_cursor(query.get("cursor"), (int,))
        entries, checkpoint, count = auditing.read_log(
            hub, principal(), limit=query["limit"], before=cursor[0] if cursor else None
        )
        more = len(entries) == query["limit"]
        return {
            "items": entries, "next": encode_cursor(entries[-1].id) if more else None, "checkpoint": checkpoint,
            "entries": count,
        }  # fmt: skip

    return views
