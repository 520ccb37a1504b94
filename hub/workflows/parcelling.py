"""Parcelling: an uploaded file becomes a sealed and signed delivery, and is offered like any other.

The manifest is signed by a client that the hub keeps for the organisation: its key follows from the hub's keyring and
never leaves it, so nobody can sign in its name, and it gets no tokens (docs/decisions/0008-uploads-are-deliveries.md).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from hub.catalogue import store as catalogue
from hub.catalogue.store import Dataset
from hub.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, TooMany
from hub.identity.own import own_client
from hub.identity.principal import Principal
from hub.intake import store as intake
from hub.intake.states import FINAL, DeliveryState
from hub.intake.store import Decision, Delivery
from hub.intake.upload_brief import Findings, Upload, UploadBrief
from hub.intake.uploads import sealed_mb
from hub.intake.verify import parts_of
from hub.isolation.memory import MemoryFiles
from hub.workflows import publish
from hub.workflows.hub import Hub, note
from hub.workflows.replaying import replay_problem
from hub_schemas import Contract
from hub_schemas.delivery import FORMAT, ROLES, canonical_json, sign_manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["CLIENT_NAME", "Begun", "File", "blocks", "is_the_hubs", "make_delivery", "sender", "take_back"]

CLIENT_NAME: Final = "Uploads on the hub's pages"
#: Files that are read at once, and how long others wait in line.
_AT_ONCE, _LINE_SECONDS = 2, 60.0
#: A file may be read to so many times the size of the largest upload, and to so many MiB whatever that is.
_MOST_SWELLING, _PLENTY_MB = 20, 256
_BLOCK: Final = 1 << 20
_MOST_NAME: Final = 200
#: After so long a delivery whose parts do not come has broken off; so long another request waits for them.
_UNDER_WAY_SECONDS, _ARRIVE_SECONDS = 120, 5.0


@dataclass(frozen=True)
class File:
    """An uploaded file: the name it had, and its bytes in a `hub.isolation.memory.memory_stream`."""

    name: str
    stream: BinaryIO


@dataclass(frozen=True)
class Begun:
    """A delivery that was made of a file, and what was found in it.

    duplicate: the same file came before, as this delivery; then nothing was done.
    """

    delivery: Delivery
    findings: Findings | None = None
    duplicate: bool = False


def make_delivery(
    hub: Hub, principal: Principal, dataset: Dataset, file: File, mode: str, replays: str | None
) -> Begun:
    """Read, check and seal a file of a dataset, sign and offer what came of it, and store its parts.

    Raises:
        Invalid: when the file cannot be read, or no row of a replay is mended.
        Conflict: when the dataset or the delivery that is mended does not allow it now.
        TooLarge: when it holds more than an upload may.
        TooMany: when the hub reads other files already.
    """
    if is_the_hubs(dataset):
        raise Forbidden(f"The hub makes {dataset.contract} itself: nobody uploads it.")
    size = _checked_size(hub, file)
    with hub.database.read() as session:
        contract = catalogue.contract_by_digest(session, dataset.contract_digest)
        if replays is not None and (why := replay_problem(session, replays, dataset.id, mode)) is not None:
            raise Conflict(why)
        packed = intake.open_rows(session, replays) if replays is not None else None
        most = intake.get(session, replays).sent if replays is not None else 0
    client, key = sender(hub, principal)
    name = _tidy_name(file.name)
    digest = _source_digest(hub, principal, file, [contract.digest, mode, replays or "", _kind(name)])
    identity = _free_id(hub, principal, digest)
    if isinstance(identity, Delivery):
        return Begun(identity, duplicate=True)
    sealing = {"id": hub.keyring.current_sealing, "public_key": hub.keyring.sealing_public_text}
    with MemoryFiles() as files:
        brief = UploadBrief(
            contract=contract.text, mode=mode, name=name, delivery_id=identity, sealing_key=sealing,
            part_size=hub.settings.part_size, source=files.adopted(file.stream),
            outputs={role: files.growing() for role in ROLES}, most_sealed=sealed_mb(hub.settings.upload_mb) << 20,
            most_read=(_MOST_SWELLING * hub.settings.upload_mb + _PLENTY_MB) << 20, replays=replays or "",
            open_rows=UploadBrief.packed(packed or b""), open_most=most,
        )  # fmt: skip
        with _turns.take(max(1, hub.settings.threads // 2)):
            made = hub.read_upload(brief, files.fds)
        if replays is not None and not made.findings.accepted:
            raise Invalid(_none_mended(made.findings))
        contents = {role: files.content(fd) for role, fd in brief.outputs.items()}
    manifest = _manifest(hub, brief, contract, client, digest, made) | _described(
        made, contents, brief.part_size
    )
    return _hand_over(hub, principal, client, manifest, sign_manifest(manifest, key), made, contents, size)


def _checked_size(hub: Hub, file: File) -> int:
    size = file.stream.seek(0, os.SEEK_END)
    if size > hub.settings.upload_mb << 20:
        raise TooLarge(
            f"A file that is uploaded may have up to {hub.settings.upload_mb:,} MiB; this one has {size / 2**20:,.1f}. "
            "Use hub-connector push, which takes data of any size, or split the file and add the parts one by one."
        )
    if size == 0:
        raise Invalid("The file is empty. Choose the file that your program exported.")
    return size


def _manifest(
    hub: Hub, brief: UploadBrief, contract: Contract, client: Principal, digest: str, made: Upload
) -> dict[str, Any]:
    """What the hub itself says of the delivery; only how many rows the file had comes from where it was read."""
    found = {
        "format": FORMAT, "delivery_id": brief.delivery_id, "client_id": client.id, "dataset": contract.id,
        "contract": {"id": contract.id, "version": contract.version, "digest": contract.digest}, "mode": brief.mode,
        "created_at": hub.clock().isoformat(timespec="seconds"), "source_digest": digest,
        "sealing_key_id": brief.sealing_key["id"], "source": {"name": brief.name, "rows": made.source_rows},
    }  # fmt: skip
    return found | {"replays": brief.replays} if brief.replays else found


def _described(made: Upload, contents: Mapping[str, bytes], part_size: int) -> dict[str, Any]:
    """What a manifest says of files and rows; sizes and digests are taken here, of the bytes that are kept."""
    counts = {file.role: file.rows for file in made.files}
    accepted, refused = counts.get("rows", 0), counts.get("refused", 0)
    files = [
        {
            "role": file.role, "size": len(contents[file.role]), "rows": file.rows,
            "sha256": hashlib.sha256(contents[file.role]).hexdigest(),
            "parts": max(1, -(-len(contents[file.role]) // part_size)), "key_material": dict(file.key_material),
        }
        for file in made.files if file.role in contents
    ]  # fmt: skip
    rows = {"sent": accepted + refused, "accepted": accepted, "refused": refused}
    return {"rows": rows, "files": files}


def _hand_over(
    hub: Hub, principal: Principal, sender: Principal, manifest: dict[str, Any], signature: str, made: Upload,
    contents: Mapping[str, bytes], size: int,
) -> Begun:  # fmt: skip
    with hub.database.write() as session:
        note(
            session, principal, "upload.begun", manifest["delivery_id"],
            detail={
                "rows": manifest["rows"], "mode": manifest["mode"], "replays": manifest.get("replays"), "bytes": size,
            },
        )  # fmt: skip
    try:
        delivery, to_come, duplicate = publish.offer(hub, sender, manifest, signature)
    except Conflict:
        # The same file at the same time: the other request was quicker with this id.
        if (other := _arriving(hub, manifest["delivery_id"])) is None:
            raise
        return Begun(other, made.findings, duplicate=True)
    part_size = hub.settings.part_size
    for role, part in to_come:
        data = contents[role][(part - 1) * part_size : part * part_size]
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        publish.take_part(hub, sender, delivery.id, role, part, data, f"sha-256=:{digest}:")
    return Begun(delivery, made.findings, duplicate)


def _none_mended(findings: Findings) -> str:
    listed = "; ".join(
        f"{f'{line.column}: ' if line.column else ''}{line.message} (row {line.first_row})"
        for line in findings.lines[:5]
    )
    return f"None of the {findings.rows:,} rows keeps the contract yet, so nothing was sent: {listed}."


def take_back(session: Any, principal: Principal, delivery: Delivery) -> Delivery:
    """Withdraw a delivery that was not sent yet; doing it again is no error.

    Raises:
        Conflict: when it was sent.
    """
    if delivery.state is DeliveryState.WITHDRAWN:
        return delivery
    if delivery.state is not DeliveryState.UPLOADING:
        raise Conflict(
            f"This delivery was sent already (it is {delivery.state.value}), so it cannot be withdrawn."
        )
    note(session, principal, "upload.withdrawn", delivery.id)
    return intake.finish(session, delivery.id, Decision("withdraw"))


def is_the_hubs(dataset: Dataset) -> bool:
    """Whether a dataset is made by the hub itself, of what others delivered."""
    return dataset.contract.startswith("hub.")


# --- who signs, and by what data is known again


def sender(hub: Hub, principal: Principal) -> tuple[Principal, Ed25519PrivateKey]:
    """The client that the hub keeps for an organisation, acting as a connector of it, and its key.

    The power to push is not in the client's record but here: a record that is changed gives it to nobody.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(hub.vault.derived_key(f"uploads|{principal.organisation_id}"))
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
    with hub.database.write() as session:
        client = own_client(
            session, principal.organisation_id, CLIENT_NAME, {"kty": "OKP", "crv": "Ed25519", "x": x}
        )
    if client is None:
        raise Forbidden("The hub's operator has stopped uploads of your organisation. Ask the operator why.")
    return Principal(
        "client",
        client.id,
        client.name,
        principal.organisation_id,
        principal.organisation,
        frozenset({"connector"}),
    ), key


def _source_digest(hub: Hub, principal: Principal, file: File, purpose: list[str]) -> str:
    """HMAC-SHA-256 (hex) of the file and of what it is for, under a key that only the hub has."""
    mac = hmac.new(hub.vault.derived_key(f"upload digests|{principal.organisation_id}"), digestmod="sha256")
    mac.update(canonical_json(purpose) + b"\n")
    for block in blocks(file.stream):
        mac.update(block)
    return mac.hexdigest()


def _free_id(hub: Hub, principal: Principal, digest: str) -> str | Delivery:
    """An id for a delivery of this data, or the delivery itself when it is under way.

    The id follows from the data and from the deliveries of it that are decided, so that of the same file sent twice at
    once only one can be offered.

    Raises:
        Conflict: when the same file is being sent just now.
    """
    key, identity = hub.vault.derived_key("upload ids"), ""
    while True:
        identity = hmac.digest(key, f"{digest}|{identity}".encode(), "sha256").hex()[:32]
        delivery = _arriving(hub, identity)
        if delivery is None:
            return identity
        if delivery.state is DeliveryState.UPLOADING:
            # It waits for somebody's word, or broke off: the newer upload takes its place.
            with hub.database.write() as session:
                delivery = take_back(session, principal, delivery)
            hub.objects.delete_prefix(parts_of(identity))
        if delivery.state not in FINAL:
            return delivery


def _arriving(hub: Hub, identity: str) -> Delivery | None:
    """A delivery with all its parts, None when there is none; one whose parts are arriving is waited for.

    Raises:
        Conflict: when they do not arrive.
    """
    end = time.monotonic() + _ARRIVE_SECONDS
    while True:
        with hub.database.read() as session:
            try:
                delivery = intake.get(session, identity)
            except NotFound:
                return None
            whole = not intake.missing_parts(session, delivery)
        if whole or (hub.clock() - delivery.changed_at).total_seconds() > _UNDER_WAY_SECONDS:
            return delivery
        if time.monotonic() > end:
            raise Conflict(
                f"The same file is being sent just now, as delivery {identity[:8]}. Try again in two minutes."
            )
        time.sleep(0.1)


# --- small things


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """All of a stream, from its beginning."""
    stream.seek(0)
    while block := stream.read(_BLOCK):
        yield block


def _tidy_name(name: str) -> str:
    """A file's name without folders and without what cannot be shown."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(sign for sign in last if sign.isprintable()).strip()
    return shown[-_MOST_NAME:] or "upload.csv"


def _kind(name: str) -> str:
    """What of a name says how the file is read."""
    return "".join(PurePosixPath(name.lower()).suffixes[-2:])


class _Turns:
    """So many files are read at once, and some more wait in line: never so many that nobody else is served."""

    def __init__(self) -> None:
        self._places, self._lock, self._inside = threading.BoundedSemaphore(_AT_ONCE), threading.Lock(), 0

    @contextmanager
    def take(self, most: int) -> Iterator[None]:
        """Wait for one's turn; `most` may read or wait.

        Raises:
            TooMany: when the line is full, or does not move.
        """
        busy = TooMany("The hub is reading other files just now. Try again in a few minutes.")
        with self._lock:
            if self._inside >= most:
                raise busy
            self._inside += 1
        try:
            if not self._places.acquire(timeout=_LINE_SECONDS):
                raise busy
            try:
                yield
            finally:
                self._places.release()
        finally:
            with self._lock:
                self._inside -= 1


_turns = _Turns()
