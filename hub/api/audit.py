"""The audit log over the API."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from hub.api.common import CursorQuery, Strict, closed_blueprint, decode_cursor, encode_cursor, principal
from hub.workflows import auditing

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

_WHOLE = validate.Range(0, 2**62)
#: Views that strangers may use where the setting audit_public is on.
_PUBLIC = ("audit_checkpoint", "audit_keys", "audit_consistency")


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


class InclusionQuery(Strict):
    """Which entry, by its number or its place, and in the log of which size."""

    entry = fields.Integer(validate=_WHOLE, metadata={"description": "The entry's `id`."})
    leaf_index = fields.Integer(validate=_WHOLE, metadata={"description": "The entry's `place`."})
    size = fields.Integer(
        validate=_WHOLE, metadata={"description": "Size of the log; default: that of the newest checkpoint."}
    )


class InclusionAnswer(Schema):
    """An inclusion proof (RFC 9162 section 2.1.3); hashes in base64, from the leaf's side to the root's."""

    leaf_index = fields.Integer()
    size = fields.Integer()
    entry = fields.String(
        metadata={"description": "The text that is hashed: SHA-256 of a zero byte and these bytes."}
    )
    leaf_hash = fields.String()
    hashes = fields.List(fields.String())
    root = fields.String()
    checkpoint = fields.String(
        allow_none=True, metadata={"description": "The signed checkpoint of this size, if there is one."}
    )


class ConsistencyQuery(Strict):
    """Two sizes of the log, the earlier first."""

    first = fields.Integer(load_default=0, validate=_WHOLE, metadata={"description": "From 1."})
    second = fields.Integer(
        validate=_WHOLE, metadata={"description": "Default: the size of the newest checkpoint."}
    )


class ConsistencyAnswer(Schema):
    """A consistency proof (RFC 9162 section 2.1.4); hashes in base64."""

    first = fields.Integer()
    second = fields.Integer()
    first_root = fields.String()
    second_root = fields.String()
    hashes = fields.List(fields.String())


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of the audit log."""
    public = _PUBLIC if hub.settings.audit_public else ()
    views = closed_blueprint("audit", hub, "Audit log", public=public)

    def reader() -> Any:
        return None if public else principal()

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

    @views.get("/audit/checkpoint")
    @views.response(200, {"type": "string"}, content_type="text/plain")
    def audit_checkpoint() -> Response:
        """The newest checkpoint as a signed note (C2SP tlog-checkpoint). Auditor; anybody where audit_public is set."""
        return _plain(auditing.checkpoint(hub, reader()))

    @views.get("/audit/keys")
    @views.response(200, {"type": "string"}, content_type="text/plain")
    def audit_keys() -> Response:
        """The public keys that signed this log, oldest first (C2SP verifier keys). Auditor, or anybody as above.

        Compare them with those that the hub's operator gave you on another way.
        """
        return _plain("".join(f"{key}\n" for key in auditing.verifier_keys(hub, reader())))

    @views.get("/audit/proofs/inclusion")
    @views.arguments(InclusionQuery, location="query")
    @views.response(200, InclusionAnswer)
    def audit_inclusion(query: dict[str, Any]) -> Any:
        """Proof that an entry is in the log of some size (auditor)."""
        found, note = auditing.prove_inclusion(hub, principal(), **query)
        return {
            "leaf_index": found.index, "size": found.size, "entry": found.entry, "leaf_hash": _text(found.leaf),
            "hashes": [_text(item) for item in found.hashes], "root": _text(found.root), "checkpoint": note,
        }  # fmt: skip

    @views.get("/audit/proofs/consistency")
    @views.arguments(ConsistencyQuery, location="query")
    @views.response(200, ConsistencyAnswer)
    def audit_consistency(query: dict[str, Any]) -> Any:
        """Proof that the log of one size begins with an earlier one. Auditor; anybody where audit_public is set."""
        found = auditing.prove_consistency(hub, reader(), first=query["first"], second=query.get("second"))
        return {
            "first": found.first, "second": found.second, "first_root": _text(found.first_root),
            "second_root": _text(found.second_root), "hashes": [_text(item) for item in found.hashes],
        }  # fmt: skip

    @views.get("/audit/export")
    @views.response(200, {"type": "string", "format": "binary"}, content_type="application/jsonl")
    def audit_export() -> Response:
        """The whole log as lines, to verify elsewhere with `hub audit verify --export` (auditor)."""
        lines = auditing.export(hub, principal())
        answer = Response(lines, content_type="application/jsonl")
        answer.headers["Content-Disposition"] = 'attachment; filename="audit-log.jsonl"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return views


def _plain(text: str) -> Response:
    return Response(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
