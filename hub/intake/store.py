"""Keeping deliveries: what has arrived, where each stands, what was decided."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, aliased

from hub.errors import Conflict, NotFound
from hub.intake.brief import FaultCount
from hub.intake.states import DeliveryState, move
from hub.intake.tables import DeliveryRow, FaultCountRow, PartRow
from hub.storage.database import utc_now

__all__ = [
    "Decision", "Delivery", "TakenOver", "add_part", "claim_next", "create", "delivery_of", "expire_uploads",
    "finish", "get", "hold", "mark_complete", "missing_parts",
    "note_checked", "open_rows", "parts", "put_off", "release_stale", "replayed_by",

]  # fmt: skip


#: So often a delivery may break off the worker that checks it.
MOST_ATTEMPTS = 5
#: States in which a delivery waits for the hub.
WAITS = (DeliveryState.RECEIVED, DeliveryState.CHECKING)


@dataclass(frozen=True)
class Delivery:
    """A delivery as the rest of the hub sees it.

    Once it is decided, `accepted` + `refused` + `replayed` is `sent`: `refused` are the rows still open in its
    quarantine, `replayed` those that a later delivery brought mended.
    """

    id: str
    client_id: str
    organisation_id: str
    dataset_id: str
    mode: str
    replays: str | None
    manifest: dict[str, Any]
    signature: str
    state: DeliveryState
    problem: str | None
    sent: int
    accepted: int
    refused: int
    replayed: int
    checked: int
    effect: dict[str, int] | None
    version_id: str | None
    quarantine: dict[str, dict[str, Any]]
    made_at: datetime | None
    created_at: datetime
    changed_at: datetime
    lease_until: datetime | None
    put_off: int


@dataclass(frozen=True)
class Decision:
    """What was decided on a delivery; `event` is `accept`, `refuse` or `fail`."""

    event: str
    problem: str | None = None
    accepted: int = 0
    refused: int = 0
    version_id: str | None = None
    quarantine: Mapping[str, Mapping[str, Any]] | None = None
    faults: Sequence[FaultCount] = ()
    effect: Mapping[str, int] | None = None
    open_rows: bytes | None = None


def create(
    session: Session, manifest: Mapping[str, Any], signature: str, organisation_id: str, dataset_id: str
) -> Delivery:
    """Note a delivery that is about to arrive; the same manifest again is the same delivery.

    Raises:
        Conflict: when the id belongs to another manifest or another organisation.
    """
    row = session.get(DeliveryRow, manifest["delivery_id"])
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
    digest = sha256(text.encode()).hexdigest()
    if row is not None:
        if row.manifest_digest != digest or row.organisation_id != organisation_id:
            raise Conflict("This delivery id is taken. Choose a new one for each delivery.")
        return delivery_of(row)
    now = utc_now()
    row = DeliveryRow(
        id=manifest["delivery_id"], client_id=manifest["client_id"], organisation_id=organisation_id,
        dataset_id=dataset_id, mode=manifest["mode"], replays=manifest.get("replays"), manifest=text,
        manifest_digest=digest, signature=signature, source_digest=manifest["source_digest"],
        state=DeliveryState.UPLOADING.value, problem=None, sent=manifest["rows"]["sent"], accepted=0, refused=0,
        replayed=0, checked=0, version_id=None, quarantine=None, made_at=datetime.fromisoformat(manifest["created_at"]),
        created_at=now, changed_at=now, lease_until=None, retry_at=None, attempts=0, put_off=0,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return delivery_of(row)


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
        return delivery_of(row)  # asking twice is no error: the first answer may have been lost
    missing = missing_parts(session, delivery_of(row))
    if missing:
        raise Conflict(
            f"{len(missing)} parts are missing; the first is part {missing[0][1]} of {missing[0][0]}."
        )
    _set(row, "complete")
    session.flush()
    return delivery_of(row)


def claim_next(session: Session, lease_seconds: int) -> Delivery | None:
    """Take the oldest delivery that waits, for so many seconds; None when none waits.

    Deliveries of one dataset are decided in the order in which they were begun. The update names the state it expects,
    so two workers cannot take the same one.
    """
    now, earlier = utc_now(), aliased(DeliveryRow)
    before = (
        select(earlier.id)
        .where(
            earlier.dataset_id == DeliveryRow.dataset_id,
            earlier.state.in_(WAITS),
            or_(
                earlier.created_at < DeliveryRow.created_at,
                (earlier.created_at == DeliveryRow.created_at) & (earlier.id < DeliveryRow.id),
            ),
        )
        .exists()
    )
    query = (
        select(DeliveryRow.id)
        .where(
            DeliveryRow.state == DeliveryState.RECEIVED,
            or_(DeliveryRow.retry_at.is_(None), DeliveryRow.retry_at <= now),
            ~before,
        )
        .order_by(DeliveryRow.created_at)
    )
    for delivery_id in session.scalars(query.limit(5)):
        taken = session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id == delivery_id, DeliveryRow.state == DeliveryState.RECEIVED)
            .values(
                state=move(DeliveryState.RECEIVED, "claim").value, changed_at=now, checked=0,
                lease_until=now + timedelta(seconds=lease_seconds), attempts=DeliveryRow.attempts + 1,
            )
        )  # fmt: skip
        if taken.rowcount == 1:
            return get(session, delivery_id)
    return None


def note_checked(session: Session, delivery_id: str, rows: int) -> None:
    """Note how many rows are checked so far."""
    _row(session, delivery_id).checked = rows


def put_off(session: Session, delivery_id: str, problem: str, until: datetime) -> Delivery:
    """Give a delivery back that the hub could not check for now: nothing is wrong with the delivery itself."""
    row = _row(session, delivery_id)
    _set(row, "release")
    row.problem, row.retry_at, row.put_off, row.attempts = problem, until, row.put_off + 1, 0
    session.flush()
    return delivery_of(row)


def release_stale(session: Session, *, all_of_them: bool = False, survived: bool = False) -> int:
    """Give back deliveries whose worker went away; returns how many.

    One that broke off the worker again and again is not tried for ever: it fails, and says so. It is not held against
    a delivery when the worker `survived` and only could not write down what became of it.
    """
    query = select(DeliveryRow).where(DeliveryRow.state == DeliveryState.CHECKING)
    if not all_of_them:
        query = query.where(DeliveryRow.lease_until < utc_now())
    rows = list(session.scalars(query))
    for row in rows:
        if survived or row.attempts < MOST_ATTEMPTS:
            _set(row, "release")
            row.attempts -= survived
            continue
        problem = (
            f"The hub broke off {row.attempts} times while it checked this delivery, and does not try again. Tell the "
            "hub's operator, then push it again."
        )
        finish(session, row.id, Decision("fail", problem, refused=row.sent))
    session.flush()
    return len(rows)


def expire_uploads(session: Session, before: datetime) -> list[str]:
    """Fail deliveries that were begun before a moment and never finished; returns their ids."""
    query = select(DeliveryRow.id).where(
        DeliveryRow.state == DeliveryState.UPLOADING, DeliveryRow.changed_at < before
    )
    ids = list(session.scalars(query.limit(100)))
    for delivery_id in ids:
        problem = "It was begun and never finished, so the hub has removed what had arrived. Push it again."
        finish(session, delivery_id, Decision("fail", problem, refused=_row(session, delivery_id).sent))
    return ids


class TakenOver(Conflict):
    """Another worker holds this delivery by now: what this one found is not written down."""


def hold(session: Session, delivery: Delivery) -> None:
    """Make sure that who claimed a delivery holds it still, before anything is decided in this transaction.

    Raises:
        TakenOver: when a worker that was thought dead comes back.
    """
    row = session.get(DeliveryRow, delivery.id, with_for_update=True, populate_existing=True)
    if row is None or row.state != DeliveryState.CHECKING or row.lease_until != delivery.lease_until:
        raise TakenOver(f"Another worker holds delivery {delivery.id} by now.")


def finish(session: Session, delivery_id: str, decided: Decision) -> Delivery:
    """Write down what was decided.

    The data keys in the manifest, sealed to the hub, go with it: whoever destroys the keys of what was accepted must
    not leave others behind. The digest of the whole manifest stays, and its signature.
    """
    row = _row(session, delivery_id)
    _set(row, decided.event)
    row.problem, row.accepted, row.refused = decided.problem, decided.accepted, decided.refused
    row.version_id, row.open_rows, row.retry_at = decided.version_id, decided.open_rows, None
    row.quarantine = json.dumps(decided.quarantine) if decided.quarantine else None
    row.effect = json.dumps(dict(decided.effect)) if decided.effect else None
    manifest = json.loads(row.manifest)
    for file in manifest["files"]:
        file.pop("key_material", None)
    row.manifest = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
    session.add_all(
        FaultCountRow(
            delivery_id=delivery_id, place=place, rule=fault.rule, column=fault.column, count=fault.count,
            first_row=fault.first_row,
        )
        for place, fault in enumerate(decided.faults)
    )  # fmt: skip
    session.flush()
    return delivery_of(row)


def open_rows(session: Session, delivery_id: str) -> bytes | None:
    """The packed numbers of rows that are open in a delivery's quarantine (`hub.intake.ledger`)."""
    return _row(session, delivery_id).open_rows


def replayed_by(session: Session, delivery_id: str, rows: int, still_open: bytes) -> None:
    """Note that so many refused rows of a delivery came mended, and which are still open."""
    row = _row(session, delivery_id)
    if rows > row.refused:
        raise Conflict(f"Only {row.refused:,} rows of delivery {delivery_id} are open.")
    row.refused, row.replayed, row.open_rows = row.refused - rows, row.replayed + rows, still_open
    session.flush()


def get(session: Session, delivery_id: str) -> Delivery:
    """One delivery.

    Raises:
        NotFound: when there is none.
    """
    return delivery_of(_row(session, delivery_id))


def _set(row: DeliveryRow, event: str) -> None:
    row.state = move(row.state, event).value
    row.changed_at, row.lease_until = utc_now(), None


def _row(session: Session, delivery_id: str) -> DeliveryRow:
    row = session.get(DeliveryRow, delivery_id)
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return row


def delivery_of(row: DeliveryRow) -> Delivery:
    """A row as the rest of the hub sees it."""
    return Delivery(
        row.id, row.client_id, row.organisation_id, row.dataset_id, row.mode, row.replays, json.loads(row.manifest),
        row.signature, DeliveryState(row.state), row.problem, row.sent, row.accepted, row.refused, row.replayed,
        row.checked, json.loads(row.effect) if row.effect else None, row.version_id,
        json.loads(row.quarantine) if row.quarantine else {}, row.made_at, row.created_at, row.changed_at,
        row.lease_until, row.put_off,
    )  # fmt: skip
