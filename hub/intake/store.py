"""Keeping deliveries: what has arrived, where each stands, what was decided."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hub.errors import Conflict, NotFound
from hub.intake.states import DeliveryState, move
from hub.intake.tables import DeliveryRow, FaultCountRow, PartRow
from hub.storage.database import utc_now

__all__ = [
    "Delivery",
    "FaultCount",
    "add_part",
    "claim_next",
    "create",
    "fault_counts",
    "find_same_source",
    "finish",
    "get",
    "list_recent",
    "mark_complete",
    "missing_parts",
    "parts",
    "release_stale",
    "waiting",
]  # fmt: skip


#: So often a delivery may break off the worker that checks it.
MOST_ATTEMPTS = 5


@dataclass(frozen=True)
class Delivery:
    """A delivery as the rest of the hub sees it."""

    id: str
    client_id: str
    organisation_id: str
    dataset_id: str
    manifest: dict[str, Any]
    signature: str
    state: DeliveryState
    problem: str | None
    sent: int
    accepted: int
    refused: int
    version_id: str | None
    quarantine: dict[str, dict[str, Any]]
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class FaultCount:
    """How often a rule failed in a column; `first_row` is the first data row at fault, None for the whole dataset."""

    rule: str
    column: str
    count: int
    first_row: int | None


def create(
    session: Session, manifest: Mapping[str, Any], signature: str, organisation_id: str, dataset_id: str
) -> Delivery:
    """Note a delivery that is about to arrive; the same manifest again is the same delivery.

    Raises:
        Conflict: when the id belongs to another manifest or another organisation.
    """
    row = session.get(DeliveryRow, manifest["delivery_id"])
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
    if row is not None:
        if row.manifest != text or row.organisation_id != organisation_id:
            raise Conflict("This delivery id is taken. Choose a new one for each delivery.")
        return _read(row)
    now = utc_now()
    row = DeliveryRow(
        id=manifest["delivery_id"], client_id=manifest["client_id"], organisation_id=organisation_id,
        dataset_id=dataset_id, manifest=text, signature=signature, source_digest=manifest["source_digest"],
        state=DeliveryState.UPLOADING.value, problem=None, sent=manifest["rows"]["sent"], accepted=0, refused=0,
        version_id=None, quarantine=None, created_at=now, changed_at=now, lease_until=None, attempts=0,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _read(row)


def find_same_source(session: Session, dataset_id: str, digest: str) -> Delivery | None:
    """The newest accepted delivery of a dataset that was made from the same source data."""
    query = (
        select(DeliveryRow)
        .where(
            DeliveryRow.dataset_id == dataset_id,
            DeliveryRow.source_digest == digest,
            DeliveryRow.state == DeliveryState.ACCEPTED,
        )
        .order_by(DeliveryRow.created_at.desc())
        .limit(1)
    )
    row = session.scalars(query).first()
    return _read(row) if row else None


def add_part(session: Session, delivery_id: str, role: str, part: int, size: int, sha256: str) -> None:
    """Note that a part has arrived; the same part again replaces it."""
    session.merge(PartRow(delivery_id=delivery_id, role=role, part=part, size=size, sha256=sha256))
    session.flush()


def parts(session: Session, delivery_id: str) -> dict[tuple[str, int], int]:
    """The parts that have arrived and their sizes in bytes."""
    query = select(PartRow).where(PartRow.delivery_id == delivery_id)
    return {(row.role, row.part): row.size for row in session.scalars(query)}


def missing_parts(session: Session, delivery: Delivery) -> list[tuple[str, int]]:
    """The parts that have not arrived, counted from 1."""
    if delivery.state is not DeliveryState.UPLOADING:
        return []
    here = parts(session, delivery.id)
    return [
        (file["role"], part)
        for file in delivery.manifest["files"]
        for part in range(1, file["parts"] + 1)
        if (file["role"], part) not in here
    ]


def mark_complete(session: Session, delivery_id: str) -> Delivery:
    """All parts are here: the hub may look at it.

    Raises:
        Conflict: when parts are missing or the delivery was decided already.
    """
    row = _row(session, delivery_id)
    if row.state != DeliveryState.UPLOADING:
        return _read(row)  # asking twice is no error: the first answer may have been lost
    missing = missing_parts(session, _read(row))
    if missing:
        raise Conflict(
            f"{len(missing)} parts are missing; the first is part {missing[0][1]} of {missing[0][0]}."
        )
    _set(row, "complete")
    session.flush()
    return _read(row)


def claim_next(session: Session, lease_seconds: int) -> Delivery | None:
    """Take the oldest delivery that waits, for so many seconds; None when none waits.

    The update names the state it expects, so two workers cannot take the same one.
    """
    query = (
        select(DeliveryRow.id)
        .where(DeliveryRow.state == DeliveryState.RECEIVED)
        .order_by(DeliveryRow.created_at)
    )
    for delivery_id in session.scalars(query.limit(5)):
        now = utc_now()
        taken = session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id == delivery_id, DeliveryRow.state == DeliveryState.RECEIVED)
            .values(
                state=move(DeliveryState.RECEIVED, "claim").value, changed_at=now,
                lease_until=now + timedelta(seconds=lease_seconds), attempts=DeliveryRow.attempts + 1,
            )
        )  # fmt: skip
        if taken.rowcount == 1:
            return get(session, delivery_id)
    return None


def release_stale(session: Session, *, all_of_them: bool = False) -> int:
    """Give back deliveries whose worker went away; returns how many.

    One that broke off the worker again and again is not tried for ever: it fails, and says so.
    """
    query = select(DeliveryRow).where(DeliveryRow.state == DeliveryState.CHECKING)
    if not all_of_them:
        query = query.where(DeliveryRow.lease_until < utc_now())
    rows = list(session.scalars(query))
    for row in rows:
        if row.attempts < MOST_ATTEMPTS:
            _set(row, "release")
            continue
        _set(row, "fail")
        row.refused = row.sent
        row.problem = (
            f"The hub broke off {row.attempts} times while it checked this delivery, and does not try again. Tell the "
            "hub's operator, then push it again."
        )
    session.flush()
    return len(rows)


def finish(
    session: Session,
    delivery_id: str,
    event: str,
    *,
    problem: str | None = None,
    accepted: int = 0,
    refused: int = 0,
    version_id: str | None = None,
    quarantine: Mapping[str, Mapping[str, Any]] | None = None,
    faults: Sequence[FaultCount] = (),
) -> Delivery:
    """Write down what was decided: `accept`, `refuse` or `fail`."""
    row = _row(session, delivery_id)
    _set(row, event)
    row.problem, row.accepted, row.refused, row.version_id = problem, accepted, refused, version_id
    row.quarantine = json.dumps(quarantine) if quarantine else None
    session.add_all(
        FaultCountRow(
            delivery_id=delivery_id, place=place, rule=fault.rule, column=fault.column, count=fault.count,
            first_row=fault.first_row,
        )
        for place, fault in enumerate(faults)
    )  # fmt: skip
    session.flush()
    return _read(row)


def fault_counts(session: Session, delivery_id: str) -> list[FaultCount]:
    """Faults of a delivery by rule and column, most frequent first."""
    query = (
        select(FaultCountRow).where(FaultCountRow.delivery_id == delivery_id).order_by(FaultCountRow.place)
    )
    return [FaultCount(row.rule, row.column, row.count, row.first_row) for row in session.scalars(query)]


def get(session: Session, delivery_id: str) -> Delivery:
    """One delivery.

    Raises:
        NotFound: when there is none.
    """
    return _read(_row(session, delivery_id))


def list_recent(
    session: Session,
    *,
    limit: int = 50,
    before: tuple[datetime, str] | None = None,
    organisation_id: str | None = None,
    dataset_id: str | None = None,
) -> list[Delivery]:
    """Deliveries, newest first, from the one before `before` (its time and id)."""
    query = select(DeliveryRow).order_by(DeliveryRow.created_at.desc(), DeliveryRow.id.desc()).limit(limit)
    if before is not None:
        at, delivery_id = before
        query = query.where(
            (DeliveryRow.created_at < at) | ((DeliveryRow.created_at == at) & (DeliveryRow.id < delivery_id))
        )
    if organisation_id is not None:
        query = query.where(DeliveryRow.organisation_id == organisation_id)
    if dataset_id is not None:
        query = query.where(DeliveryRow.dataset_id == dataset_id)
    return [_read(row) for row in session.scalars(query)]


def waiting(session: Session) -> int:
    """How many deliveries wait to be looked at or are being looked at."""
    query = select(DeliveryRow.id).where(
        DeliveryRow.state.in_([DeliveryState.RECEIVED, DeliveryState.CHECKING])
    )
    return len(session.scalars(query).all())


def _set(row: DeliveryRow, event: str) -> None:
    row.state = move(row.state, event).value
    row.changed_at, row.lease_until = utc_now(), None


def _row(session: Session, delivery_id: str) -> DeliveryRow:
    row = session.get(DeliveryRow, delivery_id)
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return row


def _read(row: DeliveryRow) -> Delivery:
    return Delivery(
        row.id, row.client_id, row.organisation_id, row.dataset_id, json.loads(row.manifest), row.signature,
        DeliveryState(row.state), row.problem, row.sent, row.accepted, row.refused, row.version_id,
        json.loads(row.quarantine) if row.quarantine else {}, row.created_at, row.changed_at,
    )  # fmt: skip
