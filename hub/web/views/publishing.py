"""Datasets, deliveries and their quarantine reports."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import request, url_for

from hub.errors import Invalid
from hub.intake.states import DeliveryState
from hub.policy.roles import Permission
from hub.web import pages
from hub.web.rendering import render
from hub.web.routes import ROUTES
from hub.web.sessions import me
from hub.web.views.common import csv_response, i_may, organisations
from hub.web.views.contracts import decided, proposal_line
from hub.workflows import agreeing, cataloguing, contracting, finding, mending, overview, uploading

if TYPE_CHECKING:
    from hub.catalogue.store import Dataset
    from hub.intake.store import Delivery
    from hub.policy.agreement import Agreement
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]

_MOST_FAULTS = 100
_MOST_PROPOSALS = 10
_PAGE = 50
#: How long "Look again" waits for the hub's decision, so that there is most often something new to see.
_PATIENCE = 3.0


def dataset(hub: Hub, dataset_id: str) -> Any:
    """One dataset: its contract in words, its versions, changes about which stewards decide, and who may use it."""
    found = overview.dataset_page(hub, me(), dataset_id)
    proposed = contracting.list_proposals(hub, me(), dataset_id=dataset_id, limit=_MOST_PROPOSALS)
    waiting = next((item for item in proposed if item.proposal.state == "proposed"), None)
    form, done = decided(hub, dataset_id, waiting)
    if done is not None:
        return done
    deliveries = found.deliveries
    return render(
        pages.DatasetPage(
            dataset=found.dataset,
            organisation=found.organisation.name,
            contract=found.contract,
            versions=tuple(found.versions),
            deliveries=None
            if deliveries is None
            else tuple(_line(item, found.dataset, found.organisation.name) for item in deliveries),
            agreements=_agreements_on(hub, found.dataset.contract, found.organisation.slug),
            publications=tuple(cataloguing.history(hub, me(), found.dataset)),
            proposals=tuple(proposal_line(hub, item) for item in proposed),
            form=form,
            why_not=waiting.why_not if waiting is not None else "",
            not_linked=cataloguing.why_not_linked(hub, me(), dataset_id),
            may_upload=uploading.may_upload(me(), found.dataset),
            known=finding.known(hub, me(), dataset_id),
            ask=_ask(dataset_id) if found.dataset.organisation_id != me().organisation_id else "",
        ),
        422 if form is not None and form.errors else 200,
    )


def _ask(dataset_id: str) -> str:
    """Where this person asks for access to a dataset; empty for those who do not ask for data."""
    route = next((item for item in ROUTES if item.name == "ask"), None)
    if route is None or (route.needs is not None and not i_may(route.needs)):
        return ""
    return url_for("web.ask", dataset_id=dataset_id)


def _agreements_on(hub: Hub, contract: str, publisher: str) -> tuple[Agreement, ...]:
    if not i_may(Permission.READ_AGREEMENTS):
        return ()
    found = agreeing.list_agreements(hub, me())
    return tuple(item for item in found if item.columns_from(contract, publisher))


def deliveries(hub: Hub) -> Any:
    """Deliveries, newest first."""
    found = overview.deliveries(hub, me(), before=_moment(request.args.get("before")), limit=_PAGE + 1)
    names = organisations(hub, me())
    shown = found[:_PAGE]
    return render(
        pages.DeliveriesPage(
            deliveries=tuple(
                _line(item, dataset, names[item.organisation_id].name) for item, dataset in shown
            ),
            older=_text(shown[-1][0]) if len(found) > _PAGE else None,
        )
    )


def _line(item: Delivery, dataset: Dataset, organisation: str) -> pages.DeliveryLine:
    return pages.DeliveryLine(
        item.id,
        dataset.title,
        organisation,
        item.state,
        item.sent,
        item.accepted,
        item.refused,
        item.created_at,
        mode=item.mode,
        replays=item.replays,
        replayed=item.replayed,
        checked=item.checked,
        effect=item.effect,
    )


def _text(item: Delivery) -> str:
    """From where the list of deliveries goes on, as it stands in an address."""
    place = json.dumps([item.created_at.isoformat(), item.id])
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _moment(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    try:
        at, delivery_id = json.loads(urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not str(delivery_id).isalnum():
            raise ValueError("not one of ours")
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise Invalid(
            "This address is not one that the hub gave. Open the list of deliveries anew."
        ) from None
    return moment, str(delivery_id)


def delivery(hub: Hub, delivery_id: str) -> Any:
    """One delivery with its quarantine report."""
    if "look" in request.args:
        uploading.outcome(hub, me(), delivery_id, _PATIENCE)
    found = overview.delivery_page(hub, me(), delivery_id)
    mine = uploading.may_upload(me(), found.dataset)
    return render(
        pages.DeliveryPage(
            delivery=found.delivery,
            dataset=found.dataset,
            organisation=found.organisation.name,
            connector=found.sender,
            refusal_threshold=found.contract.refusal_threshold,
            version=found.version,
            fault_counts=tuple(found.faults),
            faults=_first_faults(hub, delivery_id) if found.faults else (),
            replays=tuple(found.replays),
            uploaded=uploading.uploaded_here(found.delivery),
            may_mend=mine and mending.can_be_mended(hub, me(), delivery_id) is None,
            may_send=mine
            and found.delivery.state is DeliveryState.UPLOADING
            and uploading.uploaded_here(found.delivery),
        )
    )


def _first_faults(hub: Hub, delivery_id: str) -> tuple[pages.FaultLine, ...]:
    rows = overview.faults(hub, me(), delivery_id).slice(0, _MOST_FAULTS).to_pylist()
    return tuple(pages.FaultLine(**row) for row in rows)


def delivery_faults(hub: Hub, delivery_id: str) -> Any:
    """All faults of a delivery as CSV."""
    return csv_response(overview.faults(hub, me(), delivery_id), f"faults-{delivery_id[:8]}")


VIEWS = {
    "dataset": dataset, "deliveries": deliveries, "delivery": delivery,
    "delivery_faults": delivery_faults,
}  # fmt: skip
