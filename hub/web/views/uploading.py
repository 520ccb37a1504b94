"""Uploading a file on a page, looking at what is in it, sending it; and mending the rows at fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from flask import Response, flash, redirect, request, url_for

from hub.errors import Conflict, Invalid, NotFound, TooLarge, TooMany, Unavailable
from hub.intake.states import DeliveryState
from hub.intake.upload_brief import Findings
from hub.web import pages
from hub.web.forms import MendForm, SendForm, UploadForm
from hub.web.handles import make_handle, open_handle
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.text import clean
from hub.workflows import mending, overview, uploading

if TYPE_CHECKING:
    from hub.workflows.hub import Hub
    from hub.workflows.uploading import Begun, File

__all__ = ["VIEWS"]

_USE: Final = "what an upload holds"
#: What travels in an address must stay short.
_MOST_FINDINGS: Final = 3000
#: How long a page waits for the hub's decision before it says that there is none yet.
_PATIENCE: Final = 3.0


def upload(hub: Hub, dataset_id: str) -> Any:
    """Choose a file and what it does to the dataset."""
    dataset = uploading.own_dataset(hub, me(), dataset_id)
    shown = overview.dataset_page(hub, me(), dataset_id)
    form = UploadForm().offer(shown.contract.primary_key, exists=dataset.current_version is not None)
    if form.validate_on_submit():
        done = _begun(hub, form, lambda file: uploading.begin(hub, me(), dataset_id, file, form.mode.data))
        if done is not None:
            return done
    page = pages.UploadPage(
        dataset=dataset, organisation=shown.organisation.name, contract=shown.contract, form=form,
        most_mb=hub.settings.upload_mb,
    )  # fmt: skip
    return render(page, 422 if form.errors else 200)


def mend(hub: Hub, delivery_id: str) -> Any:
    """Choose the file with the mended rows of a delivery."""
    shown = overview.delivery_page(hub, me(), delivery_id)
    if shown.delivery.organisation_id != me().organisation_id:
        raise NotFound(f"There is no delivery {delivery_id}.")
    if (why := mending.can_be_mended(hub, me(), delivery_id)) is not None:
        raise Conflict(why)
    form = MendForm()
    if form.validate_on_submit():
        done = _begun(hub, form, lambda file: uploading.begin_mended(hub, me(), delivery_id, file))
        if done is not None:
            return done
    page = pages.MendPage(
        delivery=shown.delivery, dataset=shown.dataset, organisation=shown.organisation.name, form=form,
        most_mb=hub.settings.upload_mb,
    )  # fmt: skip
    return render(page, 422 if form.errors else 200)


def _begun(hub: Hub, form: UploadForm | MendForm, begin: Callable[[File], Begun]) -> Any:
    """Read the file of a form and lead on to what is in it; None with the reason in the form when it cannot be used."""
    given = form.file.data
    try:
        begun = begin(uploading.File(given.filename or "", given.stream))
    except (Invalid, TooLarge, TooMany, Unavailable, Conflict) as error:
        form.file.errors = [clean(error.detail)]
        return None
    if begun.delivery.state is not DeliveryState.UPLOADING:
        flash("This very file came before. Nothing was sent again: this is what became of it.")
        return redirect(url_for("web.delivery", delivery_id=begun.delivery.id), 303)
    found = (
        None
        if begun.findings is None
        else make_handle(hub, _USE, me(), _short(begun.findings, begun.delivery.id))
    )
    return redirect(url_for("web.upload_check", delivery_id=begun.delivery.id, found=found), 303)


def _short(findings: Findings, delivery_id: str) -> dict[str, Any]:
    """Findings as they travel to the next page: the most frequent faults, as many as there is room for."""
    lines = list(findings.lines)
    while (
        len(json.dumps(content := asdict(replace(findings, lines=tuple(lines))))) > _MOST_FINDINGS and lines
    ):
        lines.pop()
    return {"findings": content, "delivery": delivery_id}


def upload_check(hub: Hub, delivery_id: str) -> Any:
    """Look at what is in the file; then send it, or do not."""
    delivery = uploading.waiting_here(hub, me(), delivery_id)
    form = SendForm()
    if form.validate_on_submit():
        if request.form.get("act") == "send":
            uploading.send(hub, me(), delivery_id)
            uploading.outcome(hub, me(), delivery_id, _PATIENCE)
            return redirect(url_for("web.delivery", delivery_id=delivery_id), 303)
        uploading.withdraw(hub, me(), delivery_id)
        flash("Nothing was sent. The hub has removed what you uploaded.")
        return redirect(url_for("web.dataset", dataset_id=delivery.dataset_id), 303)
    if delivery.state is not DeliveryState.UPLOADING:
        return redirect(url_for("web.delivery", delivery_id=delivery_id), 303)
    shown = overview.dataset_page(hub, me(), delivery.dataset_id)
    current = next((item for item in shown.versions if item.id == shown.dataset.current_version), None)
    return render(
        pages.UploadCheckPage(
            delivery=delivery, dataset=shown.dataset, organisation=shown.organisation.name, current=current,
            findings=_findings(hub, delivery_id), form=form,
        )
    )  # fmt: skip


def _findings(hub: Hub, delivery_id: str) -> Findings | None:
    content = open_handle(hub, _USE, me(), request.args.get("found"))
    if content is None or content["delivery"] != delivery_id:
        return None
    found = content["findings"]
    lines = [
        [line[name] for name in ("rule", "column", "count", "first_row", "message")]
        for line in found["lines"]
    ]
    return Findings.from_json({**found, "lines": lines})


def rows_at_fault(hub: Hub, delivery_id: str) -> Any:
    """The rows of a delivery that are still open, as CSV to mend."""
    text = mending.rows_at_fault(hub, me(), delivery_id)
    return Response(
        text, content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="rows-at-fault-{delivery_id[:8]}.csv"',
            "Cache-Control": "no-store",
        },
    )  # fmt: skip


VIEWS = {"upload": upload, "upload_check": upload_check, "mend": mend, "rows_at_fault": rows_at_fault}
