"""Pushing a dataset: look whether it is new, check, seal, sign, send, and say what became of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from .checking import Summary
from .client import HubClient
from .config import Config, read_sealing_key
from .errors import ConfigError, HubRefused, HubUnreachable
from .files import exclusive
from .keys import SigningKey, fingerprint
from .packing import Package, Packer, source_digest
from .sending import send
from .state import FINAL, Record, State

if TYPE_CHECKING:
    from hub_schemas import Contract, Outcome

    from .report import FaultReport
    from .sources import Source

__all__ = ["Pusher", "Result", "Watcher", "push", "verified_hub"]

_FIRST_LOOK: Final = 0.2
_LONGEST_LOOK: Final = 5.0
_NOT_FOUND: Final = 404
#: Refusals that say nothing about the delivery itself: who is asking, or how often.
_MAY_CHANGE: Final = frozenset({401, 403, 408, 429})
_MOST_PART: Final = 64 * 1024 * 1024


class Watcher:
    """What a push tells whoever watches; this one is silent."""

    def stage(self, words: str) -> None:
        """A new stage begins."""

    def checked(self, rows: int, refused: int) -> None:
        """So many rows have been checked and sealed."""

    def sent(self, done: int, total: int) -> None:
        """The hub has so many of so many bytes."""


@dataclass(frozen=True)
class Result:
    """What became of a push.

    outcome: "delivered"; "known" (the same data was delivered before, nothing was sent); "held back" (the
    contract's threshold forbids it, nothing was sent). delivery: its id, empty when nothing was sent. status: what
    the hub says of it, as far as it was asked. summary: of the check, None when there was none.
    """

    outcome: str
    delivery: str = ""
    resumed: bool = False
    status: dict[str, Any] = field(default_factory=dict)
    summary: Summary | None = None
    reason: str = ""


@dataclass(frozen=True)
class Pusher:
    """How to push: see `push`.

    again: also when the same data was delivered before. force: also when the contract's threshold forbids it.
    wait: seconds to wait for the hub's decision, 0 for not at all.
    """

    config: Config
    again: bool = False
    force: bool = False
    wait: float = 0.0
    watcher: Watcher = field(default_factory=Watcher)
    sleep: Callable[[float], None] = time.sleep
    connect: Callable[[Config, SigningKey], HubClient] = lambda config, key: HubClient(
        config.hub.url, config.hub, key
    )


def push(
    how: Pusher,
    contract: Contract,
    source: Source,
    mode: str,
    report: Callable[[], AbstractContextManager[FaultReport]] | None = None,
) -> Result:
    """Deliver a source to the hub; interrupted at any point, the same call goes on where it stopped.

    Raises:
        ConnectorError: in words, saying what to do next.
    """
    state = State(how.config.state)
    with exclusive(state.lock, "this connector's outbox"):
        key = SigningKey.load(how.config.hub.signing_key)
        state.sweep()
        how.watcher.stage(f"Looking at {source.name}")
        digest = source_digest(key, source, contract, mode)
        with how.connect(how.config, key) as client:
            sealing_key, part_size = verified_hub(client, how.config)
            this = _Push(how, contract, source, mode, digest, sealing_key["id"], state, client)
            if (known := this.delivered_before()) is not None:
                return known
            client.put_dataset(contract.id, contract.text)
            sealed = this.unfinished()
            if sealed is None:
                packer = Packer(how.config.hub.client_id, key, sealing_key, part_size)
                summary = Summary()
                sealed = this.pack(packer, summary, report or _no_report)
                if sealed is None:
                    reason = summary.would_be_refused(contract)
                    return Result("held back", summary=summary, reason=reason)
            return this.deliver(sealed)


def verified_hub(client: HubClient, config: Config) -> tuple[dict[str, str], int]:
    """The pinned sealing key, when the hub still presents it, and the hub's part size.

    Raises:
        ConfigError: when the hub presents another key than the one that was pinned.
    """
    pinned, hub = read_sealing_key(config.hub.sealing_key), client.hub()
    offered = hub["sealing_key"]
    if any(pinned[name] != offered.get(name) for name in ("suite", "public_key")):
        raise ConfigError(
            f"The hub at {config.hub.url} presents another sealing key than the one pinned here "
            f"(pinned {fingerprint(pinned)}, presented {fingerprint(offered)}). Nothing was sent.",
            "Ask the hub's operator, by telephone, whether the key was changed and what its fingerprint is. "
            "If it is the one presented: hub-connector trust.",
        )
    return {**pinned, "id": str(offered["id"])}, max(1, min(int(hub.get("part_size", 8 << 20)), _MOST_PART))


@dataclass(frozen=True)
class _Sealed:
    """A delivery ready to send; `summary` is None when it was sealed before a cut."""

    package: Package
    record: Record
    summary: Summary | None


@dataclass
class _Push:
    """One push under way."""

    how: Pusher
    contract: Contract
    source: Source
    mode: str
    digest: str
    sealing_key_id: str
    state: State
    client: HubClient

    def same(self, record: Record) -> bool:
        return (record.source_digest, record.contract_digest, record.mode) == (
            self.digest, self.contract.digest, self.mode,
        )  # fmt: skip

    def delivered_before(self) -> Result | None:
        """Whether the hub has this data already. In a full delivery only the latest counts: A, B, A is a change."""
        if self.how.again:
            return None
        sent = [record for record in self.state.of(self.contract.id) if record.state != "sealed"]
        for record in [known for known in (sent if self.mode == "append" else sent[-1:]) if self.same(known)]:
            try:
                status = self.client.delivery(record.id)
            except HubRefused as error:
                if error.status != _NOT_FOUND:
                    raise
                continue  # the hub does not know it any more
            self.state.settle(record, str(status["state"]))
            if status["state"] != "failed":
                return Result("known", record.id, status=status)
        return None

    def unfinished(self) -> _Sealed | None:
        """A sealed delivery of this very data that a cut left behind; any other one gives way or stops us."""
        found: _Sealed | None = None
        for record in [known for known in self.state.of(self.contract.id) if known.state == "sealed"]:
            package = Package.load(self.state.folder_of(record.id))
            if package and self.same(record) and record.sealing_key_id == self.sealing_key_id:
                found = _Sealed(package, record, None)
            elif self._arrived(record):
                self.state.clear(record.id)
            elif (
                package
                and record.mode != "full"
                and record.source_digest != self.digest
                and not self.how.force
            ):
                raise ConfigError(
                    f"A delivery of {record.source} ({record.mode}, {record.created_at}) was cut off before the hub "
                    "had all of it, and its rows may not be in this source.",
                    "Push that source again first; or give it up and go on: --force.",
                )
            else:
                self.state.forget(record)
        return found

    def _arrived(self, record: Record) -> bool:
        """Whether the hub has all of it after all: only its last answer was lost."""
        try:
            reached = str(self.client.delivery(record.id)["state"])
        except HubRefused as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        if reached == "uploading":
            return False
        self.state.settle(record, reached)
        return True

    def pack(
        self,
        packer: Packer,
        summary: Summary,
        report: Callable[[], AbstractContextManager[FaultReport | None]],
    ) -> _Sealed | None:
        """Check, seal and sign; None when the contract's threshold forbids sending it."""
        self.how.watcher.stage(f"Checking and sealing {self.source.name} against {self.contract.id}")
        folder = self.state.new_folder()
        # Under a digest of its own the hub takes the same data for new.
        announced = secrets.token_hex(32) if self.how.again else ""
        try:
            with report() as faults:

                def each(outcome: Outcome) -> None:
                    if faults is not None:
                        faults.add(outcome.faults)
                    self.how.watcher.checked(summary.rows, summary.refused)

                package = packer.pack(
                    self.contract, self.source, self.mode, folder, self.digest, summary, each, announced
                )
        except BaseException:
            self.state.clear(folder.name)
            raise
        if summary.would_be_refused(self.contract) and not self.how.force:
            self.state.clear(folder.name)
            return None
        record = Record(
            id=package.id, dataset=self.contract.id, contract_digest=self.contract.digest, mode=self.mode,
            source_digest=self.digest, source=self.source.name, created_at=package.manifest["created_at"],
            state="sealed", sent=summary.rows, refused=summary.refused, sealing_key_id=self.sealing_key_id,
        )  # fmt: skip
        self.state.put(record)
        return _Sealed(package, record, summary)

    def deliver(self, sealed: _Sealed) -> Result:
        """Send, and wait for the decision if asked."""
        package, record, resumed = sealed.package, sealed.record, sealed.summary is None
        self.how.watcher.stage(f"{'Going on with' if resumed else 'Sending'} delivery {package.id[:8]}")
        try:
            sent = send(self.client, package, self.how.watcher.sent)
        except HubRefused as error:
            if error.status not in _MAY_CHANGE:
                # It will never be taken as it is; sealing it anew is the only way on.
                self.state.forget(record)
            raise
        if sent.duplicate:
            # The hub remembers what this journal does not; from now on both do.
            self.state.forget(record)
            record = replace(record, id=sent.delivery)
        record = self.state.settle(record, sent.state)
        self.state.clear(package.id)
        status = self._decision(record.id) if self.how.wait else self.client.delivery(record.id)
        self.state.settle(record, str(status["state"]))
        outcome = "known" if sent.duplicate else "delivered"
        return Result(outcome, record.id, resumed=resumed, status=status, summary=sealed.summary)

    def _decision(self, delivery_id: str) -> dict[str, Any]:
        self.how.watcher.stage("Waiting for the hub's decision")
        pause, waited = _FIRST_LOOK, 0.0
        while True:
            status = self.client.delivery(delivery_id)
            if status["state"] in FINAL:
                return status
            if waited >= self.how.wait:
                raise HubUnreachable(
                    f"The hub has all of delivery {delivery_id} and has not decided yet.",
                    f"Look later: hub-connector status {delivery_id[:8]}",
                )
            self.how.sleep(pause)
            waited += pause
            pause = min(pause * 1.5, _LONGEST_LOOK)


def _no_report() -> AbstractContextManager[None]:
    return nullcontext()
