"""Handing sealed deliveries over to the hub, and learning what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from .client import HubClient
from .config import Config
from .errors import HubRefused, HubUnreachable
from .sending import send
from .state import FINAL, GONE, SEALED, Record, State

if TYPE_CHECKING:
    from .checking import Summary
    from .keys import SigningKey
    from .packing import Package

__all__ = ["Line", "Pusher", "Result", "Sealed", "Watcher"]

_FIRST_LOOK: Final = 0.2
_LONGEST_LOOK: Final = 5.0
_NOT_FOUND: Final = 404
#: Refusals that say nothing about the delivery itself: who is asking, or how often.
_MAY_CHANGE: Final = frozenset({401, 403, 408, 429})
#: So many of the organisation's newest deliveries are looked at to find a dataset's last one.
_LOOKED_AT: Final = 100


class Watcher:
    """What a push tells whoever watches; this one is silent."""

    def stage(self, words: str) -> None:
        """A new stage begins."""

    def warn(self, words: str) -> None:
        """Somebody should read this, whatever becomes of the push."""

    def checked(self, rows: int, refused: int) -> None:
        """So many rows have been checked and sealed."""

    def sent(self, done: int, total: int) -> None:
        """The hub has so many of so many bytes."""


@dataclass(frozen=True)
class Result:
    """What became of a push.

    outcome: "delivered"; "known" (the same data was delivered before, nothing was sent); "nothing new" (a growing
    source had no rows beyond its mark); "nothing to send" (of the mended rows none keeps the contract); "held back"
    (nothing was sent, and `reason` says why). delivery: its id, empty when nothing was sent. status: what the hub
    says of it, as far as it was asked. summary: of the check, None when there was none. earlier: deliveries that a
    cut had left behind and that were sent first.
    """

    outcome: str
    delivery: str = ""
    resumed: bool = False
    status: dict[str, Any] = field(default_factory=dict)
    summary: Summary | None = None
    reason: str = ""
    earlier: tuple[Result, ...] = ()


@dataclass(frozen=True)
class Pusher:
    """How to push: see `pushing.push`.

    again: also when the same data was delivered before. force: also when it would be held back. from_start: read a
    growing source from its start, whatever its mark. keep_mark: go on from the mark although the source has changed.
    wait: seconds to wait for the hub's decision, 0 for not at all.
    """

    config: Config
    again: bool = False
    force: bool = False
    from_start: bool = False
    keep_mark: bool = False
    wait: float = 0.0
    watcher: Watcher = field(default_factory=Watcher)
    sleep: Callable[[float], None] = time.sleep
    connect: Callable[[Config, SigningKey], HubClient] = lambda config, key: HubClient(
        config.hub.url, config.hub, key
    )


@dataclass(frozen=True)
class Sealed:
    """A delivery ready to send; `summary` is None when it was sealed before a cut."""

    package: Package
    record: Record
    summary: Summary | None


@dataclass(frozen=True)
class Line:
    """The line to the hub while one push is under way, with the journal beside it."""

    how: Pusher
    state: State
    client: HubClient
    sealing_key_id: str
    #: Ids of all sealing keys that the hub opens; a delivery sealed to any of them can still be sent.
    opens: frozenset[str] = frozenset()

    def deliver(self, sealed: Sealed) -> Result:
        """Send, and wait for the decision if asked.

        Raises:
            HubUnreachable: when the connection is cut, or the hub has not decided in time; nothing is lost.
            HubRefused: when the hub does not take the delivery.
        """
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
        record = self.note(record, {"state": sent.state})
        self.state.clear(package.id)
        status = self.decision(record.id) if self.how.wait else self.client.delivery(record.id)
        self.note(record, status)
        outcome = "known" if sent.duplicate else "delivered"
        return Result(outcome, record.id, resumed=resumed, status=status, summary=sealed.summary)

    def note(self, record: Record, status: dict[str, Any]) -> Record:
        """Write down what the hub says of a delivery."""
        after = (status.get("effect") or {}).get("after")
        return self.state.settle(record, str(status["state"]), after)

    def decision(self, delivery_id: str) -> dict[str, Any]:
        """What the hub decided; waits for it.

        Raises:
            HubUnreachable: when it has not decided in time.
        """
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

    def status(self, record: Record) -> dict[str, Any] | None:
        """What the hub says of a delivery, written down; None when it does not know it."""
        try:
            status = self.client.delivery(record.id)
        except HubRefused as error:
            if error.status != _NOT_FOUND:
                raise
            return None
        if status["state"] != "uploading":
            self.note(record, status)
        return status

    def accepted(self, delivery_id: str) -> bool:
        """Whether the hub has a delivery and accepted it."""
        try:
            return bool(self.client.delivery(delivery_id)["state"] == "accepted")
        except HubRefused as error:
            if error.status != _NOT_FOUND:
                raise
            return False

    def catch_up(self, dataset: str) -> None:
        """Ask after the deliveries of a dataset that the hub had not decided when it was last asked."""
        for record in self.state.of(dataset):
            if record.state not in FINAL and record.state != SEALED and self.status(record) is None:
                self.state.settle(record, GONE)

    def arrived(self, record: Record) -> bool:
        """Whether the hub has all of a sealed delivery after all: only its last answer was lost."""
        status = self.status(record)
        return status is not None and status["state"] != "uploading"

    def last_accepted(self, dataset: str, *, replays: bool) -> dict[str, Any] | None:
        """The newest delivery of a dataset that the hub accepted, from whomever; None when it is long ago."""
        for item in self.client.deliveries(_LOOKED_AT):
            accepted = item.get("dataset") == dataset and item["state"] == "accepted"
            if accepted and (replays or not item.get("replays")):
                return item
        return None

    def rows_now(self, dataset: str) -> int | None:
        """Rows of the dataset as it stands at the hub, None when that is not known."""
        item = self.last_accepted(dataset, replays=True)
        if item is not None:
            full = item if "effect" in item else self.client.delivery(str(item["id"]))
            if full.get("effect"):
                return int(full["effect"]["after"])
            if full.get("mode", "full") == "full":
                return int(full["rows"]["accepted"])
        known = [record.after for record in self.state.of(dataset) if record.after is not None]
        return known[-1] if known else None
