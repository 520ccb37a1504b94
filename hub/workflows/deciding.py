"""Deciding deliveries: verify, examine row by row, and make a version visible entirely or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset, Version
from hub.errors import HubError, Invalid, NotFound, Unavailable
from hub.identity import store as identities
from hub.identity.principal import system
from hub.intake import history
from hub.intake import store as intake
from hub.intake.brief import Verdict
from hub.intake.states import FINAL
from hub.intake.store import Decision, Delivery
from hub.intake.verify import (
    assemble,
    check_manifest,
    file_key,
    parts_of,
    quarantine_owner,
)
from hub.policy.decide import Grant
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.vault.files import transient
from hub.vault.store import SealedFile, StoredFile
from hub.workflows.desk import Case, Desk
from hub.workflows.hub import Hub, note
from hub.workflows.replaying import replay_problem
from hub_schemas import Contract

__all__ = ["clear_incoming", "decide_next", "give_up_uploads", "sweep"]

_WORKER = system("intake")
_GRACE_SECONDS = 600
_PROGRESS_SECONDS = 1.0
#: How long a delivery waits that the hub could not check, the first time, the second, ...; then always the last.
_WAITS_SECONDS = (5, 30, 120, 600, 1800, 3600)


def decide_next(hub: Hub) -> bool:
    """Take the oldest delivery that waits and decide it; False when none waits.

    Everything slow happens outside a transaction; one transaction at the end makes the version visible, whole, with
    its keys, its quarantine and its audit entry. Killed anywhere before that, the delivery is simply taken again. What
    is wrong with the machine and not with the delivery (no room, no answer) puts the decision off.
    """
    with hub.database.write() as session:
        intake.release_stale(session)
        delivery = intake.claim_next(session, hub.settings.intake_seconds + _GRACE_SECONDS)
    if delivery is None:
        return False
    started = time.monotonic()
    try:
        version = _judge_and_accept(hub, delivery)
    except (Unavailable, DBAPIError, OSError, MemoryError) as error:
        if isinstance(error, OSError) and not transient(error):
            raise
        _put_off(hub, delivery, error)
        return True
    except intake.TakenOver:
        structlog.get_logger().warning("delivery.taken-over", delivery=delivery.id)
        return True
    except HubError as error:
        _fail(hub, delivery, error.detail)
        version = None
    _clear(hub, delivery.id)
    structlog.get_logger().info(
        "delivery.decided",
        delivery=delivery.id,
        version=version,
        seconds=round(time.monotonic() - started, 2),
    )
    return True


def clear_incoming(hub: Hub) -> int:
    """Remove what is left of deliveries that are decided: a worker killed right after deciding leaves it behind."""
    cleared = 0
    for delivery_id in sorted({key.split("/")[1] for key in hub.objects.list(parts_of(""))}):
        try:
            with hub.database.read() as session:
                decided = intake.get(session, delivery_id).state in FINAL
        except NotFound:  # the database is older than the objects: they may be wanted again, so they stay
            structlog.get_logger().warning("incoming.unknown", delivery=delivery_id)
            continue
        if decided:
            _clear(hub, delivery_id)
            cleared += 1
    return cleared


def give_up_uploads(hub: Hub) -> int:
    """Give up deliveries that were begun long ago and never finished; returns how many."""
    before = utc_now() - timedelta(days=hub.settings.upload_days)
    with hub.database.write() as session:
        expired = intake.expire_uploads(session, before)
        for delivery_id in expired:
            note(session, _WORKER, "delivery.given-up", delivery_id)
    for delivery_id in expired:
        _clear(hub, delivery_id)
    return len(expired)


def sweep(hub: Hub, unused_for: timedelta = timedelta(days=1)) -> int:
    """Remove versions and results that nothing refers to: work that broke off before its transaction; how many.

    Only what has lain there for a while, for work that is under way writes its files first and refers to them last.
    """
    gone = 0
    for prefix in ("versions", "results"):
        for key in hub.objects.list(prefix, before=utc_now() - unused_for):
            with hub.database.read() as session:
                known = hub.vault.is_registered(session, key)
            if not known and not key.endswith("/report"):
                hub.objects.delete(key)
                gone += 1
    return gone


def _clear(hub: Hub, delivery_id: str) -> None:
    """Remove a decided delivery's files that nothing refers to; its parts last, by which it is found after a crash."""
    prefix = file_key(delivery_id, "").rpartition("/")[0]
    for key in hub.objects.list(prefix):
        with hub.database.read() as session:
            known = hub.vault.is_registered(session, key)
        if not known:
            hub.objects.delete(key)
    hub.objects.delete_prefix(parts_of(delivery_id))


def _judge_and_accept(hub: Hub, delivery: Delivery) -> str | None:
    case = _case(hub, delivery)
    if (why := _stands_in_the_way(hub, delivery)) is not None:
        _refuse(hub, delivery, why)
        return None
    for file in delivery.manifest["files"]:
        assemble(hub.objects, delivery.id, file)
    with ExitStack() as stack:
        desk = Desk(hub, case, stack)
        verdict = hub.examine(desk.brief, _watch(hub, delivery), desk.fds)
        files, kept, open_rows = desk.keep(verdict)
    return _settle(hub, case, verdict, files, kept, open_rows)


def _case(hub: Hub, delivery: Delivery) -> Case:
    with hub.database.read() as session:
        dataset = catalogue.dataset(session, delivery.dataset_id)
        contract = catalogue.contract_by_digest(session, delivery.manifest["contract"]["digest"])
        # Those that held when it was offered: its connector may have changed keys since.
        keys = identities.signing_keys(session, delivery.client_id, at=delivery.created_at)
        if not keys:
            raise Invalid("The connector that sent this delivery was revoked before the hub could check it.")
        base = catalogue.version(session, dataset.current_version) if dataset.current_version else None
        base_file = hub.vault.locate(session, base.object_key, base.binding) if base else None
        open_rows = intake.open_rows(session, delivery.replays) if delivery.replays else None
        references = _references(hub, session, dataset, contract)
    # Once more, for the manifest has lain in the database since: a change there breaks the signature.
    check_manifest(
        delivery.manifest, delivery.signature, delivery.client_id, keys, hub.settings.max_delivery_bytes
    )
    version = Version(
        id=new_id("ver"), dataset_id=dataset.id, number=0, contract_digest=contract.digest, object_key="",
        origin=delivery.id, rows=0, accepted_at=utc_now(), period_start=None, period_end=None,
    )  # fmt: skip
    return Case(
        delivery, dataset, contract, base, base_file, references, open_rows, version,
        hub.vault.new_owner(version.id), hub.vault.new_owner(quarantine_owner(delivery.id)),
    )  # fmt: skip


def _references(
    hub: Hub, session: Any, dataset: Dataset, contract: Contract
) -> dict[str, tuple[StoredFile, Grant]]:
    """The columns of the organisation's own other datasets that this contract's columns must refer to."""
    found = {}
    for wanted in {column.references for column in contract.columns if column.references}:
        other = catalogue.find_dataset(session, dataset.organisation_id, wanted.dataset)
        if other is None or other.current_version is None:
            structlog.get_logger().warning("reference.unknown", dataset=wanted.dataset, column=wanted.column)
            continue
        version = catalogue.version(session, other.current_version)
        file = hub.vault.locate(session, version.object_key, version.binding)
        grant = Grant(other.contract, frozenset({wanted.column}), "", "a column that a delivery refers to")
        found[f"{wanted.dataset}.{wanted.column}"] = (file, grant)
    return found


def _settle(
    hub: Hub, case: Case, verdict: Verdict, files: list[SealedFile], kept: list[tuple[str, SealedFile]],
    open_rows: bytes,
) -> str | None:  # fmt: skip
    """The one transaction: the version with its keys, the quarantine, the ledger and the audit entry."""
    delivery = case.delivery
    with hub.database.write() as session:
        intake.hold(session, delivery)
        current = catalogue.dataset(session, case.dataset.id).current_version
        if current != (case.base.id if case.base else None):
            raise Unavailable("The dataset was changed meanwhile.")
        decided = Decision(
            "accept", accepted=verdict.accepted, refused=verdict.refused, effect=asdict(verdict.effect),
            faults=verdict.faults, quarantine={r: {"object": f.object_key, "rows": f.rows} for r, f in kept},
        )  # fmt: skip
        if kept:
            hub.vault.register(session, case.quarantine, [file for _, file in kept])
        if verdict.refusal is not None:
            decided = replace(
                decided,
                event="refuse",
                problem=verdict.refusal,
                accepted=0,
                refused=delivery.sent,
                effect=None,
            )
            intake.finish(session, delivery.id, decided)
            _note(session, delivery, "delivery.refused", None, verdict)
            return None
        hub.vault.register(session, case.owner, files)
        version = replace(
            case.version, number=catalogue.next_number(session, case.dataset.id), object_key=files[0].object_key,
            rows=files[0].rows, period_start=verdict.period[0], period_end=verdict.period[1],
        )  # fmt: skip
        catalogue.add_version(
            session, version, [case.base.id] if case.base and delivery.mode != "full" else ()
        )
        if delivery.replays:
            intake.finish(session, delivery.id, replace(decided, version_id=version.id))
            intake.replayed_by(session, delivery.replays, verdict.accepted, open_rows)
        else:
            intake.finish(session, delivery.id, replace(decided, version_id=version.id, open_rows=open_rows))
        _note(session, delivery, "delivery.accepted", version.id, verdict)
    return version.id


def _note(session: Any, delivery: Delivery, act: str, version_id: str | None, verdict: Verdict) -> None:
    note(
        session, _WORKER, act, delivery.id,
        detail={
            "version": version_id, "accepted": verdict.accepted, "at_fault": verdict.refused, "mode": delivery.mode,
            "replays": delivery.replays, "effect": asdict(verdict.effect),
        },
    )  # fmt: skip


def _stands_in_the_way(hub: Hub, delivery: Delivery) -> str | None:
    """What was accepted since this delivery was made, so that it must not be; None when nothing was."""
    with hub.database.read() as session:
        if delivery.replays is not None:
            return replay_problem(session, delivery.replays, delivery.dataset_id, delivery.mode)
        newer = history.newer_accepted(session, delivery)
    if newer is None:
        return None
    return (
        f"A newer delivery of this dataset (made at {newer.made_at:%Y-%m-%d %H:%M:%S} UTC, {newer.id[:8]}) was "
        "accepted already; this one would undo it. If these rows are right, push them again: they are then the newest."
    )


def _refuse(hub: Hub, delivery: Delivery, problem: str) -> None:
    with hub.database.write() as session:
        intake.hold(session, delivery)
        intake.finish(session, delivery.id, Decision("refuse", problem, refused=delivery.sent))
        note(
            session, _WORKER, "delivery.refused", delivery.id, detail={"version": None, "mode": delivery.mode}
        )


def _watch(hub: Hub, delivery: Delivery) -> Callable[[int], None]:
    """Keeps the number of rows checked in the database, not too often."""
    last = time.monotonic()

    def progress(rows: int) -> None:
        nonlocal last
        if time.monotonic() - last > _PROGRESS_SECONDS:
            last = time.monotonic()
            with hub.database.write() as session:
                intake.note_checked(session, delivery.id, rows)

    return progress


def _put_off(hub: Hub, delivery: Delivery, error: Exception) -> None:
    wait = _WAITS_SECONDS[min(delivery.put_off, len(_WAITS_SECONDS) - 1)]
    why = error.detail if isinstance(error, HubError) else f"{type(error).__name__}"
    until = utc_now() + timedelta(seconds=wait)
    with hub.database.write() as session:
        intake.hold(session, delivery)
        intake.put_off(
            session,
            delivery.id,
            f"The hub cannot check this delivery just now ({why}); it tries again.",
            until,
        )
        note(session, _WORKER, "delivery.put-off", delivery.id, detail={"error": type(error).__name__})
    structlog.get_logger().warning(
        "delivery.put-off", delivery=delivery.id, error=type(error).__name__, wait=wait
    )


def _fail(hub: Hub, delivery: Delivery, problem: str) -> None:
    with hub.database.write() as session:
        intake.hold(session, delivery)
        intake.finish(session, delivery.id, Decision("fail", problem, refused=delivery.sent))
        note(session, _WORKER, "delivery.failed", delivery.id)
