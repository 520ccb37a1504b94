"""The API's description as a page: made on the server from the OpenAPI document, without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

if TYPE_CHECKING:
    from flask_smorest import Api

_METHODS = ("get", "put", "post", "delete")


def docs_blueprint(api: Api) -> Blueprint:
    """The blueprint with /api/docs."""
    views = Blueprint("api_docs", __name__, url_prefix="/api")

    @views.get("/docs")
    def read() -> str:
        """Every operation, by subject, with its parameters and answers."""
        spec = api.spec.to_dict()
        return render_template("api_docs.html", info=spec["info"], groups=_groups(spec))

    return views


def _groups(spec: dict[str, Any]) -> list[dict[str, Any]]:
    groups = {
        tag["name"]: {"title": tag.get("description", tag["name"]), "operations": []} for tag in spec["tags"]
    }
    for path, item in spec["paths"].items():
        shared = item.get("parameters", [])
        for method in _METHODS:
            if (operation := item.get(method)) is None:
                continue
            groups[operation["tags"][0]]["operations"].append(
                {
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("summary", ""),
                    "description": operation.get("description", ""),
                    "open": operation.get("security") == [],
                    "parameters": [*shared, *operation.get("parameters", [])],
                    "fields": _fields(spec, operation.get("requestBody", {})),
                    "answers": [
                        {"status": status, "text": answer.get("description", "")}
                        for status, answer in operation["responses"].items()
                        if status != "default"
                    ],
                }
            )
    return [group for group in groups.values() if group["operations"]]


def _fields(spec: dict[str, Any], body: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a request body, one level deep."""
    for content in body.get("content", {}).values():
        schema = content.get("schema", {})
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        schema = spec["components"]["schemas"].get(name, schema)
        required = schema.get("required", [])
        return [
            {
                "name": field,
                "type": _type(about),
                "required": field in required,
                "text": about.get("description", ""),
            }
            for field, about in schema.get("properties", {}).items()
        ]
    return []


def _type(about: dict[str, Any]) -> str:
    kind = about.get("type", "object")
    return " or ".join(str(item) for item in kind) if isinstance(kind, list) else str(kind)
