"""Uploading: a department that cannot run a connector sends a file, and the hub makes the delivery that one would make.

The file is read, checked and sealed by the connector's own code, where it can do no harm, and becomes a delivery
(`hub.workflows.parcelling`). A machine sends it in one go; a person looks at what was found, and then sends it or does
not. From there on everything is as with any other delivery.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
import time
from typing import Any, BinaryIO, Final

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset
from hub.errors import Conflict, Invalid, NotFound
from hub.identity.own import own_client_id
from hub.identity.principal import Principal
from hub.intake import store as intake
from hub.intake.states import FINAL, DeliveryState
from hub.intake.store import Delivery
from hub.intake.verify import parts_of
from hub.policy.roles import Permission
from hub.workflows import publish
from hub.workflows.hub import Hub, authorise, holds, note
from hub.workflows.parcelling import Begun, File, blocks, is_the_hubs, make_delivery, sender, take_back
from hub.workflows.replaying import replay_mode

__all__ = [
    "Begun", "File", "begin", "begin_mended", "may_upload", "outcome", "own_dataset", "send", "upload", "uploaded_here",
    "waiting_here", "withdraw",
]  # fmt: skip

#: An algorithm and its digest in a Content-Digest header (RFC 9530).
_DIGESTS: Final = re.compile(r"\s*(sha-256|sha-512)=:([A-Za-z0-9+/=]*):\s*")
#: So many wait for a decision; were it more, nobody could be served meanwhile.
_patient = threading.BoundedSemaphore(3)


def upload(
    hub: Hub, principal: Principal, contract_id: str, file: File, *, mode: str | None, replays: str | None = None,
    content_digest: str = "",
) -> Begun:  # fmt: skip
    """A machine sends a file of its organisation's dataset; from now on the delivery is the hub's to decide.

    mode may be left out for a replay: it follows from the delivery that is mended.

    Raises:
        Invalid: when the file cannot be read, or does not match its digest.
        NotFound: when the organisation has no such dataset, or no such delivery.
        TooLarge: when it holds more than an upload may.
    """
    authorise(principal, Permission.PUSH_DELIVERIES)
    with hub.database.read() as session:
        dataset = catalogue.find_dataset(session, principal.organisation_id, contract_id)
        if dataset is None:
            raise NotFound(f"You have no dataset {contract_id}: publish its contract first.")
        if replays is not None:
            original = _own(session, principal, replays)
            mode = mode or replay_mode(original.mode)
    if mode is None:
        raise Invalid("Say what the file does to the dataset: mode=full, append, upsert or delete.")
    _check_digest(file.stream, content_digest)
    begun = make_delivery(hub, principal, dataset, file, mode, replays)
    return begun if begun.duplicate else Begun(_complete(hub, principal, begun.delivery), begun.findings)


def begin(hub: Hub, principal: Principal, dataset_id: str, file: File, mode: str) -> Begun:
    """A person uploads a file of their organisation's dataset: it is read, checked and sealed, and waits to be sent.

    Raises:
        as `upload`.
    """
    authorise(principal, Permission.UPLOAD_FILES)
    return make_delivery(hub, principal, own_dataset(hub, principal, dataset_id), file, mode, None)


def begin_mended(hub: Hub, principal: Principal, delivery_id: str, file: File) -> Begun:
    """A person uploads mended rows of a delivery.

    Raises:
        as `upload`; Conflict: when no row of the delivery can be mended any more.
    """
    authorise(principal, Permission.UPLOAD_FILES)
    with hub.database.read() as session:
        original = _own(session, principal, delivery_id)
        dataset = catalogue.dataset(session, original.dataset_id)
    return make_delivery(hub, principal, dataset, file, replay_mode(original.mode), delivery_id)


def send(hub: Hub, principal: Principal, delivery_id: str) -> Delivery:
    """Who uploaded has looked at what was found and sends it; saying so again is no error.

    Raises:
        NotFound: when there is no such upload of this organisation.
        Conflict: when it was withdrawn.
    """
    authorise(principal, Permission.UPLOAD_FILES)
    return _complete(hub, principal, waiting_here(hub, principal, delivery_id))


def withdraw(hub: Hub, principal: Principal, delivery_id: str) -> Delivery:
    """Who uploaded has looked at what was found and does not send it.

    Raises:
        Conflict: when it was sent already.
    """
    authorise(principal, Permission.UPLOAD_FILES)
    delivery = waiting_here(hub, principal, delivery_id)
    with hub.database.write() as session:
        delivery = take_back(session, principal, delivery)
    hub.objects.delete_prefix(parts_of(delivery_id))
    return delivery


def waiting_here(hub: Hub, principal: Principal, delivery_id: str) -> Delivery:
    """A delivery that was uploaded on the hub's pages by this organisation, waiting to be sent or sent already.

    Raises:
        NotFound: when there is none that this principal may see.
    """
    authorise(principal, Permission.UPLOAD_FILES)
    with hub.database.read() as session:
        delivery = _own(session, principal, delivery_id)
    if not uploaded_here(delivery):
        raise NotFound(f"There is no delivery {delivery_id}.")
    return delivery


def uploaded_here(delivery: Delivery) -> bool:
    """Whether a delivery came as a file to the hub, and not from a connector."""
    return delivery.client_id == own_client_id(delivery.organisation_id)


def own_dataset(hub: Hub, principal: Principal, dataset_id: str) -> Dataset:
    """A dataset of the principal's own organisation.

    Raises:
        NotFound: when it is another's.
    """
    authorise(principal, Permission.UPLOAD_FILES)
    with hub.database.read() as session:
        dataset = catalogue.dataset(session, dataset_id)
    if dataset.organisation_id != principal.organisation_id:
        raise NotFound(f"There is no dataset {dataset_id}.")
    return dataset


def may_upload(principal: Principal, dataset: Dataset) -> bool:
    """Whether a person may upload files of a dataset."""
    mine = dataset.organisation_id == principal.organisation_id
    return mine and holds(principal, Permission.UPLOAD_FILES) and not is_the_hubs(dataset)


def outcome(hub: Hub, principal: Principal, delivery_id: str, seconds: float) -> Delivery:
    """The delivery, once it is decided or the time is over; people need not ask again for what takes a moment."""
    authorise(principal, Permission.READ_DELIVERIES)
    patient = _patient.acquire(blocking=False)
    end = time.monotonic() + seconds * patient
    try:
        while True:
            with hub.database.read() as session:
                delivery = publish.own_delivery(session, principal, delivery_id)
            if (
                delivery.state in FINAL
                or delivery.state is DeliveryState.UPLOADING
                or time.monotonic() >= end
            ):
                return delivery
            time.sleep(0.1)
    finally:
        if patient:
            _patient.release()


def _complete(hub: Hub, principal: Principal, delivery: Delivery) -> Delivery:
    if delivery.state is DeliveryState.WITHDRAWN:
        raise Conflict("This upload was withdrawn, so it cannot be sent. Upload the file again.")
    client, _ = sender(hub, principal)
    if delivery.state is DeliveryState.UPLOADING:
        with hub.database.write() as session:
            dataset = catalogue.dataset(session, delivery.dataset_id)
            if dataset.contract_digest != delivery.manifest["contract"]["digest"]:
                raise Conflict(
                    "The dataset's contract was changed since this file was checked. Upload it again."
                )
            note(session, principal, "upload.sent", delivery.id)
    return publish.complete(hub, client, delivery.id)


def _own(session: Any, principal: Principal, delivery_id: str) -> Delivery:
    delivery = intake.get(session, delivery_id)
    if delivery.organisation_id != principal.organisation_id:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return delivery


def _check_digest(stream: BinaryIO, header: str) -> None:
    """Compare with a Content-Digest header, when there is one.

    Raises:
        Invalid: when the bytes do not match it, or it says nothing that can be checked.
    """
    if not header.strip():
        return
    said = [found.groups() for part in header.split(",") if (found := _DIGESTS.fullmatch(part))]
    if not said:
        raise Invalid("The Content-Digest header must be sha-256=:BASE64: or sha-512=:BASE64: (RFC 9530).")
    for algorithm, text in said:
        digest = hashlib.new(algorithm.replace("-", ""))
        for block in blocks(stream):
            digest.update(block)
        if not hmac.compare_digest(base64.b64encode(digest.digest()).decode(), text):
            raise Invalid(
                "The file does not match its Content-Digest header: it was changed on its way. Send it again."
            )
