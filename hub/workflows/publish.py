"""Publishing: a delivery from its offer to an accepted version."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

import structlog

from hub.catalogue import store as catalogue
from hub.catalogue.store import Version
from hub.errors import Conflict, HubError, Invalid, NotFound, TooLarge
from hub.identity import store as identities
from hub.identity.principal import Principal, system
from hub.intake import store as intake
from hub.intake.states import FINAL, DeliveryState
from hub.intake.store import Delivery
from hub.intake.validate import Judgement, judge, quarantine_owner
from hub.intake.verify import assemble, check_manifest, part_key, parts_of
from hub.policy.roles import Permission
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.workflows.hub import Hub, authorise, note

__all__ = [
    "clear_incoming",
    "complete",
    "decide_next",
    "missing",
    "offer",
    "own_delivery",
    "scope",
    "take_part",
]

_LEASE_SECONDS = 3600
_WORKER = system("intake")


def offer(
    hub: Hub, principal: Principal, document: Any, signature: str
) -> tuple[Delivery, list[tuple[str, int]], bool]:
    """A connector offers a delivery: its manifest is verified and noted.

    Returns the delivery, the parts that are still to come, and whether the same source data was accepted before (then
    the earlier delivery is returned and nothing needs to be sent).

    Raises:
        Invalid: when the manifest, its signature or its contract does not hold.
    """
    authorise(principal, Permission.PUSH_DELIVERIES)
    with hub.database.write() as session:
        known = identities.client_principal(session, principal.id)
        if known is None:
            raise Invalid("Only a registered connector can offer a delivery.")
        manifest = check_manifest(
            document, signature, principal.id, known[1], hub.settings.max_delivery_bytes
        )
        dataset = catalogue.find_dataset(session, principal.organisation_id, manifest["dataset"])
        if dataset is None:
            raise NotFound(f"You have no dataset {manifest['dataset']}: publish its contract first.")
        if manifest["contract"]["digest"] != dataset.contract_digest:
            raise Conflict(
                f"The delivery was made under another contract than the one published for {dataset.contract}. "
                "Publish the new contract first (hub-connector push does it with --contract)."
            )
        if manifest["sealing_key_id"] not in hub.keyring.sealing:
            raise Invalid(
                "The delivery is sealed to a key this hub does not have; fetch the current key and push again."
            )
        same = intake.find_same_source(session, dataset.id, manifest["source_digest"])
        if (
            same is not None
            and same.version_id == dataset.current_version
            and same.id != manifest["delivery_id"]
        ):
            return same, [], True
        fresh = intake.create(session, manifest, signature, principal.organisation_id, dataset.id)
        to_come = intake.missing_parts(session, fresh)
        note(
            session, principal, "delivery.offered", fresh.id,
            detail={"dataset": dataset.id, "rows": manifest["rows"], "files": len(manifest["files"])},
        )  # fmt: skip
    return fresh, to_come, False


def take_part(
    hub: Hub, principal: Principal, delivery_id: str, role: str, part: int, data: bytes, content_digest: str
) -> None:
    """Keep one part of a file; when this returns, the part is on disk.

    Raises:
        Invalid: when the bytes do not match their digest, or the part is not one of the manifest's.
    """
    authorise(principal, Permission.PUSH_DELIVERIES)
    if len(data) > hub.settings.part_size:
        raise TooLarge(f"A part may have up to {hub.settings.part_size:,} bytes.")
    digest = hashlib.sha256(data).digest()
    if content_digest != f"sha-256=:{base64.b64encode(digest).decode()}:":
        raise Invalid("The part does not match its Content-Digest header (sha-256=:BASE64:); send it again.")
    with hub.database.read() as session:
        delivery = _mine(session, principal, delivery_id)
        file = next((file for file in delivery.manifest["files"] if file["role"] == role), None)
    if file is None or not 1 <= part <= file["parts"]:
        raise NotFound(f"The manifest of this delivery has no part {part} of {role}.")
    if delivery.state is not DeliveryState.UPLOADING:
        raise Conflict(f"The delivery is {delivery.state.value}: it takes no more parts.")
    hub.objects.put_bytes(part_key(delivery_id, role, part), data)
    with hub.database.write() as session:
        intake.add_part(session, delivery_id, role, part, len(data), digest.hex())


def complete(hub: Hub, principal: Principal, delivery_id: str) -> Delivery:
    """All parts are here: from now on the delivery is the hub's to decide.

    Raises:
        Conflict: when parts are missing.
    """
    authorise(principal, Permission.PUSH_DELIVERIES)
    with hub.database.write() as session:
        before = _mine(session, principal, delivery_id)
        delivery = intake.mark_complete(session, delivery_id)
        if before.state is not delivery.state:
            note(session, principal, "delivery.received", delivery_id)
    return delivery


def decide_next(hub: Hub) -> bool:
    """Take the oldest delivery that waits and decide it; False when none waits.

    Everything slow happens outside a transaction; one transaction at the end makes the version visible, whole, with
    its keys, its quarantine and its audit entry. Killed anywhere before that, the delivery is simply taken again.
    """
    with hub.database.write() as session:
        intake.release_stale(session)
        delivery = intake.claim_next(session, _LEASE_SECONDS)
    if delivery is None:
        return False
    started = time.monotonic()
    try:
        version = _judge_and_accept(hub, delivery)
    except HubError as error:
        _fail(hub, delivery, error.detail)
        version = None
    hub.objects.delete_prefix(parts_of(delivery.id))
    structlog.get_logger().info(
        "delivery.decided",
        delivery=delivery.id,
        version=version,
        seconds=round(time.monotonic() - started, 2),
    )
    return True


def clear_incoming(hub: Hub) -> int:
    """Remove the parts of deliveries that are decided: a worker killed right after deciding leaves them behind."""
    cleared = 0
    for delivery_id in sorted({key.split("/")[1] for key in hub.objects.list(parts_of(""))}):
        try:
            with hub.database.read() as session:
                decided = intake.get(session, delivery_id).state in FINAL
        except NotFound:  # the database is older than the objects: they may be wanted again, so they stay
            structlog.get_logger().warning("incoming.unknown", delivery=delivery_id)
            continue
        if decided:
            hub.objects.delete_prefix(parts_of(delivery_id))
            cleared += 1
    return cleared


def _judge_and_accept(hub: Hub, delivery: Delivery) -> str | None:
    with hub.database.read() as session:
        dataset = catalogue.dataset(session, delivery.dataset_id)
        contract = catalogue.contract_by_digest(session, delivery.manifest["contract"]["digest"])
        known = identities.client_principal(session, delivery.client_id)
        if known is None:
            raise Invalid("The connector that sent this delivery was revoked before the hub could check it.")
        number = catalogue.next_number(session, dataset.id)
    # Once more, for the manifest has lain in the database since: a change there breaks the signature.
    most = hub.settings.max_delivery_bytes
    check_manifest(delivery.manifest, delivery.signature, delivery.client_id, known[1], most)
    for file in delivery.manifest["files"]:
        assemble(hub.objects, delivery.id, file)
    version = Version(
        id=new_id("ver"), dataset_id=dataset.id, number=number, contract_digest=contract.digest, object_key="",
        origin=delivery.id, rows=0, accepted_at=utc_now(), period_start=None, period_end=None,
    )  # fmt: skip
    owner, quarantine = hub.vault.new_owner(version.id), hub.vault.new_owner(quarantine_owner(delivery.id))
    judgement = judge(hub.vault, contract, delivery.manifest, owner, version.binding, quarantine)
    with hub.database.write() as session:
        if judgement.quarantine_files:
            hub.vault.register(session, quarantine, judgement.quarantine_files)
        if judgement.refusal is not None:
            _decided(session, delivery, "refuse", judgement)
            return None
        hub.vault.register(session, owner, judgement.version_files)
        accepted = Version(
            **version.__dict__
            | {
                "number": catalogue.next_number(session, dataset.id),
                "object_key": judgement.version_files[0].object_key,
                "rows": judgement.accepted,
                "period_start": judgement.period[0],
                "period_end": judgement.period[1],
            }
        )
        catalogue.add_version(session, accepted)
        _decided(session, delivery, "accept", judgement, accepted.id)
    return accepted.id


def _decided(
    session: Any, delivery: Delivery, event: str, judgement: Judgement, version_id: str | None = None
) -> None:
    intake.finish(
        session, delivery.id, event, problem=judgement.refusal,
        accepted=judgement.accepted if version_id else 0,
        refused=judgement.refused if version_id else delivery.sent, version_id=version_id,
        quarantine=judgement.quarantine, faults=judgement.faults,
    )  # fmt: skip
    note(
        session, _WORKER, f"delivery.{'accepted' if version_id else 'refused'}", delivery.id,
        detail={"version": version_id, "accepted": judgement.accepted, "at_fault": judgement.refused},
    )  # fmt: skip


def _fail(hub: Hub, delivery: Delivery, problem: str) -> None:
    with hub.database.write() as session:
        intake.finish(session, delivery.id, "fail", problem=problem, refused=delivery.sent)
        note(session, _WORKER, "delivery.failed", delivery.id)


def scope(principal: Principal) -> str | None:
    """The organisation whose deliveries a principal may see; None for those who serve the whole hub."""
    return None if principal.roles & {"operator", "auditor"} else principal.organisation_id


def own_delivery(session: Any, principal: Principal, delivery_id: str) -> Delivery:
    """A delivery that the principal may see; others look as if they were not there.

    Raises:
        NotFound: when there is none that this principal may see.
    """
    delivery = intake.get(session, delivery_id)
    if scope(principal) not in (None, delivery.organisation_id):
        raise NotFound(f"There is no delivery {delivery_id}.")
    return delivery


def missing(hub: Hub, principal: Principal, delivery_id: str) -> list[tuple[str, int]]:
    """The parts of a delivery that have not arrived."""
    authorise(principal, Permission.READ_DELIVERIES)
    with hub.database.read() as session:
        return intake.missing_parts(session, own_delivery(session, principal, delivery_id))


def _mine(session: Any, principal: Principal, delivery_id: str) -> Delivery:
    """A delivery of the principal's own organisation, to go on with it: nobody does that for another."""
    delivery = intake.get(session, delivery_id)
    if delivery.organisation_id != principal.organisation_id:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return delivery
