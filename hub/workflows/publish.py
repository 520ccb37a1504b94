"""Publishing: a connector hands over a delivery, part by part; from then on it is the hub's to decide."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset
from hub.errors import Conflict, Invalid, NotFound, TooLarge
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.intake import history
from hub.intake import store as intake
from hub.intake.states import DeliveryState
from hub.intake.store import Delivery
from hub.intake.verify import check_manifest, part_key
from hub.policy.roles import Permission
from hub.policy.scope import whole_hub
from hub.storage.database import utc_now
from hub.workflows import contracting
from hub.workflows.hub import Hub, authorise, note
from hub.workflows.replaying import replay_problem

__all__ = ["complete", "missing", "offer", "own_delivery", "scope", "take_part"]

#: So far a connector's clock may be ahead of the hub's.
_AHEAD: Final = timedelta(minutes=15)


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
        keys = identities.signing_keys(session, principal.id)
        if not keys:
            raise Invalid("Only a registered connector can offer a delivery.")
        manifest = check_manifest(document, signature, principal.id, keys, hub.settings.max_delivery_bytes)
        _check_moment(manifest["created_at"])
        dataset = catalogue.find_dataset(session, principal.organisation_id, manifest["dataset"])
        if dataset is None:
            raise NotFound(f"You have no dataset {manifest['dataset']}: publish its contract first.")
        if manifest["contract"]["digest"] != dataset.contract_digest:
            digest = manifest["contract"]["digest"]
            raise Conflict(contracting.other_contract(hub, session, dataset, digest))
        if manifest["sealing_key_id"] not in hub.keyring.sealing:
            raise Invalid(
                "The delivery is sealed to a key this hub does not have; fetch the current key and push again."
            )
        _check_mode(session, dataset, manifest)
        same = _delivered_before(session, dataset, manifest)
        if same is not None:
            return same, [], True
        fresh = intake.create(session, manifest, signature, principal.organisation_id, dataset.id)
        to_come = intake.missing_parts(session, fresh)
        note(
            session, principal, "delivery.offered", fresh.id,
            detail={
                "dataset": dataset.id, "rows": manifest["rows"], "mode": manifest["mode"], "replays": fresh.replays,
            },
        )  # fmt: skip
    return fresh, to_come, False


def _check_moment(made_at: str) -> None:
    """Of two deliveries the later made holds, so one from a time to come would stand in the way of all that follow."""
    try:
        ahead = datetime.fromisoformat(made_at).astimezone(UTC) > utc_now() + _AHEAD
    except OverflowError:  # at the ends of the calendar
        ahead = True
    if ahead:
        raise Invalid(
            f"By its manifest this delivery was made at {made_at}, which is no time that has been. Set the clock of "
            "the machine that the connector runs on, and push again."
        )


def _check_mode(session: Any, dataset: Dataset, manifest: dict[str, Any]) -> None:
    """Say at once what could only be refused later."""
    mode, replays = manifest["mode"], manifest.get("replays")
    contract = catalogue.contract_by_digest(session, dataset.contract_digest)
    if mode in ("upsert", "delete") and not contract.primary_key:
        raise Invalid(
            f"{contract.id} has no primary key, so no row of it can be named: mode {mode} needs one. Send the whole "
            "dataset (mode full), or give the contract a primary key."
        )
    if mode == "delete" and dataset.current_version is None:
        raise Conflict(
            "This dataset has no version yet, so there is nothing to delete from. Send it whole first."
        )
    if replays and (why := replay_problem(session, replays, dataset.id, mode)) is not None:
        raise Conflict(why)


def _delivered_before(session: Any, dataset: Dataset, manifest: dict[str, Any]) -> Delivery | None:
    """The accepted delivery that brought the same data, if bringing it again would change nothing (or add it twice)."""
    same = history.find_same_source(session, dataset.id, manifest["source_digest"])
    if same is None or same.id == manifest["delivery_id"] or manifest.get("replays"):
        return None
    return same if manifest["mode"] == "append" or same.version_id == dataset.current_version else None


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
        others = sum(
            size
            for (of, number), size in intake.parts(session, delivery_id).items()
            if of == role and number != part
        )
    if delivery.state is not DeliveryState.UPLOADING:
        raise Conflict(f"The delivery is {delivery.state.value}: it takes no more parts.")
    if others + len(data) > file["size"]:
        raise TooLarge(
            f"The manifest gives {role} {file['size']:,} bytes; with this part there would be more."
        )
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


def scope(principal: Principal) -> str | None:
    """The organisation whose deliveries a principal may see; None for those who serve the whole hub."""
    return None if whole_hub(principal, Permission.READ_DELIVERIES) else principal.organisation_id


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
