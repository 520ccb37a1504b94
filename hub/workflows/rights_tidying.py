"""What the hub does by itself for people's rights: nothing about a person, only what time and data have decided."""

from __future__ import annotations

import structlog

from hub.errors import HubError
from hub.workflows import rights_copies, rights_corrections
from hub.workflows.hub import Hub

__all__ = ["tidy"]


def tidy(hub: Hub) -> None:
    """Once in a while: confirm corrections that have come, and destroy copies whose time is over."""
    for part in (rights_corrections.confirm_corrections, rights_copies.tidy):
        try:
            part(hub)
        except (HubError, OSError) as error:
            structlog.get_logger().error("rights.tidy", part=part.__name__, error=type(error).__name__)
