"""What the views share: names for ids, and files to take away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Response, g

from hub.errors import HubError, Invalid
from hub.policy.roles import Permission, may
from hub.web.sessions import me
from hub.workflows import enrolling, overview
from hub.workflows.downloads import csv_text

if TYPE_CHECKING:
    import pyarrow as pa

    from hub.identity.principal import Principal
    from hub.identity.store import Organisation
    from hub.workflows.hub import Hub

__all__ = [
    "csv_response",
    "i_may",
    "name_of_slug",
    "organisation_name",
    "organisations",
    "place",
    "plugin_titles",
]


def i_may(permission: Permission) -> bool:
    """Whether who is signed in has a permission."""
    return may(me().roles, permission)


def organisations(hub: Hub, principal: Principal) -> dict[str, Organisation]:
    """All organisations by id, asked for once a request."""
    if "organisations" not in g:
        g.organisations = {item.id: item for item in enrolling.list_organisations(hub, principal)}
    found: dict[str, Organisation] = g.organisations
    return found


def organisation_name(hub: Hub, principal: Principal) -> str:
    """The name of somebody's organisation; its slug where the name cannot be had."""
    try:
        return organisations(hub, principal)[principal.organisation_id].name
    except (HubError, KeyError):
        return principal.organisation


def name_of_slug(hub: Hub, slug: str) -> str:
    """An organisation's name by its slug; the slug itself when it is not one of the hub's."""
    found = organisations(hub, me()).values()
    return next((item.name for item in found if item.slug == slug), slug)


def plugin_titles(hub: Hub) -> dict[str, str]:
    """Titles of plugins by name, for those who may know of them."""
    if not i_may(Permission.READ_RUNS):
        return {}
    return {item.name: str(item.manifest["title"]) for item in overview.plugins(hub, me())}


def place(text: str | None) -> int | None:
    """The number in an address from which a list goes on.

    Raises:
        Invalid: when it is none.
    """
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise Invalid("This address is not one that the hub gave. Open the list anew and go on from there.")
    return int(text)


def csv_response(table: pa.Table, name: str) -> Response:
    """A table as a CSV file to take away."""
    return Response(
        csv_text(table),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{re.sub(r"[^A-Za-z0-9_-]", "-", name)}.csv"',
            "Cache-Control": "no-store",
        },
    )
