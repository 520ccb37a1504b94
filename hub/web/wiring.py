"""Puts the pages on the application."""

from __future__ import annotations

from typing import Any


def error_page(status: int, title: str, detail: str, request_id: str) -> Any:
    return f"{status} {title}: {detail} {request_id}", status


def register_web(app: Any, hub: Any) -> None:
    pass
