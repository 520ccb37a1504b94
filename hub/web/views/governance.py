"""Agreements in plain words, and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, request

from hub.errors import NotFound
from hub.storage.database import utc_now
from hub.web import pages
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.views.common import name_of_slug, place, plugin_titles
from hub.workflows import agreeing, auditing, overview
from hub.workflows.hub import today

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]

_PAGE = 50


def agreements(hub: Hub) -> Any:
    """All agreements."""
    found = agreeing.list_agreements(hub, me())
    return render(
        pages.AgreementsPage(
            agreements=tuple(
                pages.AgreementLine(item, tuple(name_of_slug(hub, slug) for slug in item.organisations))
                for item in found
            )
        )
    )


def agreement(hub: Hub, agreement_id: str) -> Any:
    """One agreement in plain words."""
    found, _ = agreeing.read(hub, me(), agreement_id)
    return render(
        pages.AgreementPage(
            agreement=found,
            organisations=tuple(name_of_slug(hub, slug) for slug in found.organisations),
            controllers=tuple(name_of_slug(hub, slug) for slug in found.controllers),
            on=today(hub),
            contracts=overview.contracts(
                hub,
                me(),
                {terms.contract for terms in found.datasets},
                {terms.contract: found.publishers_of(terms.contract) for terms in found.datasets},
            ),
            publishers={
                slug: name_of_slug(hub, slug)
                for terms in found.datasets
                for slug in found.publishers_in(terms)
            },
            plugins=plugin_titles(hub),
        )
    )


def audit(hub: Hub) -> Any:
    """The newest entries of the log; recomputed and compared with its checkpoints when that is asked for."""
    action = request.args.get("action") or None
    before = place(request.args.get("before"))
    entries, note, _ = auditing.read_log(hub, me(), limit=_PAGE + 1, before=before, action=action)
    shown = entries[:_PAGE]
    verification = auditing.verify(hub) if request.args.get("verify") else None
    lines = zip(shown, auditing.explain(hub, me(), shown), strict=True)
    return render(
        pages.AuditPage(
            entries=tuple(pages.AuditLine(entry, who, reason) for entry, (who, reason) in lines),
            checkpoint=_checkpoint(note),
            verification=verification,
            verified_at=utc_now() if verification else None,
            older=shown[-1].id if len(entries) > _PAGE else None,
            action=action or "",
        )
    )


def _checkpoint(note: str | None) -> pages.Checkpoint | None:
    """Size and root of a signed note, whose first lines are origin, size and root."""
    if note is None:
        return None
    _, size, root, *_ = note.split("\n")
    return pages.Checkpoint(int(size), root)


def audit_checkpoint(hub: Hub) -> Any:
    """The newest signed checkpoint as a file to keep outside the hub."""
    _, note, _ = auditing.read_log(hub, me(), limit=1)
    checkpoint = _checkpoint(note)
    if note is None or checkpoint is None:
        raise NotFound("The log has no checkpoint yet. One is signed a moment after the first entry.")
    name = f"checkpoint-{checkpoint.size}.txt"
    return Response(
        note,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


VIEWS = {
    "agreements": agreements, "agreement": agreement, "audit": audit, "audit_checkpoint": audit_checkpoint,
}  # fmt: skip
