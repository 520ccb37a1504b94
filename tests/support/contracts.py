"""Contracts for tests: variants of a contract, edited as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from hub_schemas import Contract, load_contract


def variant(
    contract: Contract, version: str | None = None, edit: Callable[[dict[str, Any]], None] = lambda _: None,
    *, id: str | None = None,
) -> Contract:  # fmt: skip
    """The contract under another version or id, with its document changed by `edit`."""
    document = yaml.safe_load(contract.text)
    document |= {"version": version or contract.version, "id": id or contract.id}
    edit(document)
    return load_contract(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def column(document: dict[str, Any], name: str) -> dict[str, Any]:
    """One column of a contract's document."""
    found: dict[str, Any] = next(item for item in columns(document) if item["name"] == name)
    return found


def columns(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns of a contract's document."""
    found: list[dict[str, Any]] = document["schema"][0]["properties"]
    return found


def dropped(name: str) -> Callable[[dict[str, Any]], None]:
    """Drop a column."""
    return lambda document: columns(document).remove(column(document, name))


def added(name: str, **more: Any) -> Callable[[dict[str, Any]], None]:
    """Add a column that may be empty."""
    new = {"name": name, "logicalType": "string", "classification": "official"} | more
    return lambda document: columns(document).append(new)


def retyped(name: str, kind: str) -> Callable[[dict[str, Any]], None]:
    """Give a column another type, without the checks that only the old one can have."""

    def edit(document: dict[str, Any]) -> None:
        found = column(document, name)
        for key in ("logicalTypeOptions", "quality"):
            found.pop(key, None)
        kept = [item for item in found.pop("customProperties", []) if item["property"] == "linkageRole"]
        found |= {"logicalType": kind, "customProperties": kept}

    return edit
