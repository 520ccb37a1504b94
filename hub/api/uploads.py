"""Uploads: a plain file becomes a delivery, for departments that cannot run a connector."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from flask import request
from flask_smorest import Blueprint
from marshmallow import fields, validate
from werkzeug.exceptions import UnsupportedMediaType

from hub.api.common import Strict, closed_blueprint, principal
from hub.api.deliveries import DeliveryAnswer, delivery_answer
from hub.isolation.memory import memory_stream
from hub.workflows import uploading
from hub_schemas.delivery import MODES

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

_TYPES = {
    "text/csv": "csv", "text/tab-separated-values": "tsv", "application/json": "json", "application/x-ndjson": "ndjson",
    "application/xml": "xml", "text/xml": "xml", "application/vnd.apache.parquet": "parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx", "application/vnd.ms-excel": "xls",
    "application/vnd.oasis.opendocument.spreadsheet": "ods", "application/gzip": "csv.gz", "application/zip": "zip",
}  # fmt: skip
_FILE = {
    "requestBody": {
        "required": True,
        "description": "The file itself, not a form.",
        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/octet-stream")},
    }
}  # fmt: skip
_DIGEST = {
    "in": "header", "name": "Content-Digest", "required": False, "schema": {"type": "string"},
    "description": "Digest of the file (RFC 9530): sha-256=:BASE64: or sha-512=:BASE64:. Checked when it is given.",
}  # fmt: skip


class UploadQuery(Strict):
    """What the file does to the dataset."""

    mode = fields.String(
        validate=validate.OneOf(MODES),
        metadata={
            "description": "full: the file is the whole dataset; append: rows to add; upsert: rows to add, or to put "
            "in place of those with the same key; delete: keys of rows to remove. May be left out with `replays`."
        },
    )
    filename = fields.String(
        validate=validate.Length(1, 500),
        metadata={
            "description": "The file's name; its suffix helps to tell the format. Default: from Content-Type."
        },
    )
    replays = fields.String(
        validate=validate.Regexp(r"\A[0-9a-f]{32}\Z", error="must be the id of a delivery"),
        metadata={
            "description": "The delivery whose refused rows come again, mended. Then the file's first column is `row`, "
            "the number that the row had in that delivery."
        },
    )


def blueprint(hub: Hub) -> Blueprint:
    """The blueprint of uploads."""
    views = closed_blueprint("uploads", hub, "Uploads of plain files")

    @views.post("/datasets/<string:dataset>/uploads")
    @views.arguments(UploadQuery, location="query")
    @views.doc(parameters=[_DIGEST], **_FILE)
    @views.response(202, DeliveryAnswer)
    @views.alt_response(200, schema=DeliveryAnswer, success=True)
    def upload(query: dict[str, Any], dataset: str) -> Any:
        """Upload a file of your organisation's dataset, named by its contract's id.

        The file is read, checked and sealed as hub-connector would, and becomes a delivery; the hub decides from here.
        When the same file came before and would change nothing, that delivery is returned with `duplicate` true.
        """
        who = principal()
        with memory_stream() as stream:
            _take_body(stream)
            begun = uploading.upload(
                hub, who, dataset, uploading.File(query.get("filename") or _name(), stream),
                mode=query.get("mode"), replays=query.get("replays"),
                content_digest=request.headers.get("Content-Digest", ""),
            )  # fmt: skip
        answer = delivery_answer(begun.delivery, str(begun.delivery.manifest["dataset"]))
        return answer | {"duplicate": begun.duplicate}, 200 if begun.duplicate else 202

    return views


def _take_body(stream: Any) -> None:
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise UnsupportedMediaType(
            "Send the file itself as the body, and say what it is: "
            "curl --data-binary @FILE.csv -H 'Content-Type: text/csv'."
        )
    shutil.copyfileobj(request.stream, stream, 1 << 20)


def _name() -> str:
    return f"upload.{_TYPES.get(request.mimetype, 'csv')}"
