"""The audit log."""

from __future__ import annotations

import base64
import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from flask import Response, request

from hub.audit.checkpoint import read_unverified
from hub.errors import Invalid
from hub.storage.database import utc_now
from hub.web import pages
from hub.web.forms_audit import AuditFilter
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.views.common import place
from hub.workflows import auditing

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]

_PAGE = 50


def audit(hub: Hub) -> Any:
    """The newest entries of the log; recomputed and compared with its checkpoints when that is asked for."""
    form = AuditFilter(formdata=request.args)
    well = form.validate()
    since, until = _day(hub, form.day.data if well else None)
    actor = _actor(request.args.get("actor"))
    entries, note, _ = auditing.read_log(
        hub, me(), limit=_PAGE + 1, before=place(request.args.get("before")),
        action=form.action.data if well else None, actor=actor, since=since, until=until,
    )  # fmt: skip
    shown = entries[:_PAGE] if well else []
    verification = auditing.verify(hub) if request.args.get("verify") else None
    said = auditing.explain(hub, me(), shown)
    return render(
        pages.AuditPage(
            entries=tuple(
                pages.AuditLine(entry, who, reason) for entry, (who, reason) in zip(shown, said, strict=True)
            ),
            checkpoint=_checkpoint(note),
            verification=verification,
            verified_at=utc_now() if verification else None,
            older=shown[-1].id if well and len(entries) > _PAGE else None,
            action=form.action.data or "",
            actor=actor or "",
            who=said[0][0] if actor and said else "",
            form=form,
            public=hub.settings.audit_public,
        )
    )


def _day(hub: Hub, day: date | None) -> tuple[datetime | None, datetime | None]:
    """When a day begins and ends where the hub is."""
    if day is None or day == date.max:
        return None, None
    zone = ZoneInfo(hub.settings.schedule_timezone)
    start, end = (datetime.combine(item, time(), zone) for item in (day, day + timedelta(days=1)))
    return start, end


def _actor(text: str | None) -> str | None:
    """The reference of who acted, from a link of this page.

    Raises:
        Invalid: when it is none.
    """
    if text and not re.fullmatch(r"[a-z]+:[A-Za-z0-9_.-]{1,60}", text):
        raise Invalid("This address is not one that the hub gave. Open the list anew and choose there.")
    return text or None


def _checkpoint(note: str | None) -> pages.Checkpoint | None:
    """Size and root of a signed note, for the page."""
    if note is None:
        return None
    found = read_unverified(note)
    return pages.Checkpoint(found.size, base64.b64encode(found.root).decode())


def audit_checkpoint(hub: Hub) -> Any:
    """The newest signed checkpoint as a file to keep outside the hub."""
    note = auditing.checkpoint(hub, me())
    return _file(note, f"checkpoint-{read_unverified(note).size}.txt")


def audit_key(hub: Hub) -> Any:
    """The public keys that signed the log, as a file that `hub audit verify --key` takes."""
    return _file("".join(f"{key}\n" for key in auditing.verifier_keys(hub, me())), "audit-key.txt")


def _file(text: str, name: str) -> Response:
    return Response(
        text,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


VIEWS = {"audit": audit, "audit_checkpoint": audit_checkpoint, "audit_key": audit_key}
