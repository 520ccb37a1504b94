"""Looking back at deliveries: lists, counts, and what came before or after another one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.intake.brief import FaultCount
from hub.intake.states import DeliveryState
from hub.intake.store import WAITS, Delivery, delivery_of
from hub.intake.tables import DeliveryRow, FaultCountRow

__all__ = [
    "fault_counts",
    "find_same_source",
    "list_recent",
    "newer_accepted",
    "replaced_since",
    "replays_of",
    "waiting",
]


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
    return delivery_of(row) if row else None


def newer_accepted(session: Session, delivery: Delivery) -> Delivery | None:
    """An accepted delivery of the same connector and dataset that was made later and must not be undone by this one.

    Adding rows undoes nothing but a whole dataset sent since; every other mode undoes what came after.
    """
    modes = {
        "append": ("full",), "full": ("full", "append", "upsert", "delete"), "upsert": ("full", "upsert", "delete"),
        "delete": ("full", "upsert", "delete"),
    }[delivery.mode]  # fmt: skip
    if delivery.made_at is None:
        return None
    query = (
        select(DeliveryRow)
        .where(
            DeliveryRow.dataset_id == delivery.dataset_id,
            DeliveryRow.client_id == delivery.client_id,
            DeliveryRow.state == DeliveryState.ACCEPTED,
            DeliveryRow.mode.in_(modes),
            DeliveryRow.replays.is_(None),
            DeliveryRow.made_at > delivery.made_at,
        )
        .limit(1)
    )
    row = session.scalars(query).first()
    return delivery_of(row) if row else None


def replaced_since(session: Session, original: Delivery) -> bool:
    """Whether the whole dataset was sent and accepted after a delivery was."""
    query = select(DeliveryRow.id).where(
        DeliveryRow.dataset_id == original.dataset_id, DeliveryRow.mode == "full", DeliveryRow.id != original.id,
        DeliveryRow.state == DeliveryState.ACCEPTED, DeliveryRow.changed_at > original.changed_at,
    )  # fmt: skip
    return session.scalars(query.limit(1)).first() is not None


def replays_of(session: Session, delivery_id: str) -> list[str]:
    """The deliveries that replayed rows of a delivery, oldest first."""
    query = select(DeliveryRow.id).where(DeliveryRow.replays == delivery_id).order_by(DeliveryRow.created_at)
    return list(session.scalars(query))


def fault_counts(session: Session, delivery_id: str) -> list[FaultCount]:
    """Faults of a delivery by rule and column, most frequent first."""
    query = (
        select(FaultCountRow).where(FaultCountRow.delivery_id == delivery_id).order_by(FaultCountRow.place)
    )
    return [FaultCount(row.rule, row.column, row.count, row.first_row) for row in session.scalars(query)]


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
    return [delivery_of(row) for row in session.scalars(query)]


def waiting(session: Session) -> int:
    """How many deliveries wait to be looked at or are being looked at."""
    query = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.state.in_(WAITS))
    return int(session.scalar(query) or 0)
