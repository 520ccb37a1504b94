"""Pushing a dataset: look whether it is new, check, seal, sign, send, and say what became of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from .checking import Summary
from .client import HubClient
from .config import Config, read_sealing_key
from .delivering import Line, Pusher, Result, Sealed, Watcher
from .digests import Metered, identity_of, is_streamed, source_digest
from .errors import ConfigError, HubRefused
from .files import exclusive
from .growing import current_mark, settle_before
from .jobs import Job
from .keys import SigningKey, fingerprint
from .packing import Packer
from .state import GONE, SEALED, Mark, Record, State, shown_value
from .unfinished import send_unfinished

if TYPE_CHECKING:
    from hub_schemas import Outcome

    from .report import FaultReport
    from .sources import Source

__all__ = ["Job", "Pusher", "Result", "Watcher", "catch_up", "push", "verified_hub"]

_MOST_PART: Final = 64 * 1024 * 1024

Report = Callable[[], "AbstractContextManager[FaultReport | None]"]


def push(how: Pusher, job: Job, report: Report | None = None) -> Result:
    """Deliver a source to the hub; interrupted at any point, the same call goes on where it stopped.

    Raises:
        ConnectorError: in words, saying what to do next.
    """
    job.check()
    if (how.from_start or how.keep_mark) and job.growing is None:
        raise ConfigError(
            f"{job.source.name} has no watermark, so it is always read from its start.",
            "Leave --from-start and --keep-mark out.",
        )
    state = State(how.config.state)
    with exclusive(state.lock, "this connector's outbox"):
        key = SigningKey.load(how.config.hub.signing_key)
        state.sweep()
        how.watcher.stage(f"Looking at {job.source.name}")
        digest = "" if is_streamed(job.source) else source_digest(
            key, job.source, job.contract, job.mode, replays=job.mended
        )  # fmt: skip
        with how.connect(how.config, key) as client:
            hub = verified_hub(client, how.config, how.watcher)
            line = Line(how, state, client, hub.sealing_key["id"], hub.opens)
            packer = Packer(how.config.hub.client_id, key, hub.sealing_key, hub.part_size)
            this = _Push(line, job, packer, key, digest, report or _no_report)
            line.catch_up(job.contract.id)
            if digest and (known := this.delivered_before(digest)) is not None:
                return known
            earlier, done = send_unfinished(line, job, digest)
            if done:
                return replace(earlier[-1], earlier=tuple(earlier[:-1]))
            return replace(this.fresh(), earlier=tuple(earlier))


def catch_up(how: Pusher, dataset: str) -> None:
    """Learn what became of a dataset's deliveries whose last answer was lost, without sending anything.

    Raises:
        ConnectorError: in words, saying what to do next.
    """
    state = State(how.config.state)
    with exclusive(state.lock, "this connector's outbox"):
        key = SigningKey.load(how.config.hub.signing_key)
        with how.connect(how.config, key) as client:
            line = Line(how, state, client, "")
            line.catch_up(dataset)
            for record in state.of(dataset):
                if record.state == SEALED and line.arrived(record):
                    state.clear(record.id)


@dataclass(frozen=True)
class HubNow:
    """What a push needs to know of the hub: the key to seal to, its part size, and ids of all keys that it opens."""

    sealing_key: dict[str, str]
    part_size: int
    opens: frozenset[str]


def verified_hub(client: HubClient, config: Config, watcher: Watcher | None = None) -> HubNow:
    """The pinned sealing key, when the hub still presents or opens it.

    A hub that changes its key says until when it opens the one before; until then rows are sealed to that.

    Raises:
        ConfigError: when the hub neither presents nor opens the key that was pinned.
    """
    pinned, hub = read_sealing_key(config.hub.sealing_key), client.hub()
    offered = hub["sealing_key"]
    earlier = [item for item in hub.get("earlier_sealing_keys") or () if _still(item)]
    taken = next((item for item in (offered, *earlier) if _same_key(pinned, item)), None)
    if taken is None:
        raise ConfigError(
            f"The hub at {config.hub.url} presents another sealing key than the one pinned here "
            f"(pinned {fingerprint(pinned)}, presented {fingerprint(offered)}). Nothing was sent.",
            "Ask the hub's operator, by telephone, whether the key was changed and what its fingerprint is. "
            "If it is the one presented: hub-connector trust.",
        )
    if taken is not offered and watcher is not None:
        watcher.warn(
            f"The hub has a new sealing key and opens the one pinned here until {taken['until'][:10]}. Ask its "
            f"operator, by telephone, whether the new one is {fingerprint(offered)}; then run: hub-connector trust"
        )
    part_size = max(1, min(int(hub.get("part_size", 8 << 20)), _MOST_PART))
    opens = frozenset(str(item["id"]) for item in (offered, *earlier))
    return HubNow({**pinned, "id": str(taken["id"])}, part_size, opens)


def _same_key(pinned: Mapping[str, str], offered: Mapping[str, Any]) -> bool:
    return all(pinned[name] == offered.get(name) for name in ("suite", "public_key"))


def _still(item: Mapping[str, Any]) -> bool:
    """Whether a key that was followed by another is still opened."""
    try:
        return datetime.fromisoformat(str(item["until"])) > datetime.now(UTC)
    except (KeyError, ValueError, TypeError):
        return False


@dataclass(frozen=True)
class _Reading:
    """What is read this time: the source, or what it has beyond its mark."""

    source: Source
    column: str = ""
    identity: str = ""
    mark: Mark | None = None

    def high_water(self) -> str | None:
        """How far it was read, None when no row came."""
        inner = self.source.source if isinstance(self.source, Metered) else self.source
        return inner.high_water() if self.column and hasattr(inner, "high_water") else None


@dataclass
class _Push:
    """One push under way."""

    line: Line
    job: Job
    packer: Packer
    key: SigningKey
    digest: str
    report: Report

    def fresh(self) -> Result:
        """Read, check, seal and send."""
        self._publish()
        reading, summary = self._reading(), Summary()
        sealed = self._pack(reading, summary)
        record = sealed.record
        try:
            if (instead := self._instead(record, summary)) is not None:
                self.line.state.clear(record.id)
                return instead
        except BaseException:
            self.line.state.clear(record.id)
            raise
        self.line.state.put(record)
        return self.line.deliver(sealed)

    def _publish(self) -> None:
        """Tell the hub the contract, and go on when it is in force: rows under another would be refused.

        Raises:
            HubRefused: when the contract waits until those it touches have agreed.
        """
        contract = self.job.contract
        held = self.line.client.put_dataset(contract.id, contract.text).get("proposal")
        if held:
            who = f" ({', '.join(held['waits_for'])})" if held.get("waits_for") else ""
            raise HubRefused(
                f"Version {contract.version} of {contract.id} breaks what others rely on, so the hub holds it as a "
                f"proposal{who}. Nothing was sent.",
                "Push with the version that is in force, or wait for the decision: its page on the hub says what it "
                "touches and who decides.",
            )

    def _reading(self) -> _Reading:
        """The source from its mark on; digested while it is read when that is the only way."""
        job, growing = self.job, self.job.growing
        if growing is None:
            return _Reading(self._metered(job.source)) if is_streamed(job.source) else _Reading(job.source)
        settle_before(self.line, job)
        mark = current_mark(self.line, job, self.key, growing)
        column = str(growing.watermark)
        beyond = growing.after(mark.value if mark else None)
        source = self._metered(beyond) if is_streamed(job.source) else beyond
        self.line.how.watcher.stage(f"Reading on from {mark.shown}" if mark else "Reading from the start")
        return _Reading(source, column, identity_of(self.key, job.source, column), mark)

    def _metered(self, source: Source) -> Metered:
        return Metered(source, self.key, self.job.contract.digest, self.job.mode)

    def _pack(self, reading: _Reading, summary: Summary) -> Sealed:
        """Check, seal and sign; the record is not in the journal yet."""
        job, how = self.job, self.line.how
        how.watcher.stage(
            f"Checking and sealing {job.source.name} against {job.contract.id} ({job.intent()})"
        )
        folder = self.line.state.new_folder()
        # Under a digest of its own the hub takes the same data for new.
        announced = secrets.token_hex(32) if how.again else ""
        source, digest = reading.source, self.digest
        if not isinstance(source, Metered) and source is not job.source:
            digest = source_digest(self.key, source, job.contract, job.mode)
        try:
            with self.report() as faults:

                def each(outcome: Outcome) -> None:
                    if faults is not None:
                        faults.add(outcome.faults)
                    how.watcher.checked(summary.rows, summary.refused)

                package = self.packer.pack(
                    job.contract, source, job.mode, folder, digest, summary, each, announced, job.replays
                )
        except BaseException:
            self.line.state.clear(folder.name)
            raise
        mark = reading.mark.value if reading.mark else None
        record = Record(
            id=package.id, dataset=job.contract.id, contract_digest=job.contract.digest, mode=job.mode,
            source_digest=source.digest if isinstance(source, Metered) else digest, source=job.source.name,
            created_at=package.manifest["created_at"], state=SEALED, sent=package.manifest["rows"]["sent"],
            refused=package.manifest["rows"]["refused"], sealing_key_id=self.line.sealing_key_id, name=job.called,
            replays=job.mended, streamed=is_streamed(job.source), location=job.location, options=job.options,
            contract=job.contract_place, column=reading.column, identity=reading.identity, mark_from=mark,
            mark_to=reading.high_water(),
        )  # fmt: skip
        return Sealed(package, record, summary)

    def _instead(self, record: Record, summary: Summary) -> Result | None:
        """What becomes of it when it shall not be sent."""
        if record.mark_from is not None and not summary.rows:
            return Result(
                "nothing new", reason=f"no rows beyond {record.column} {shown_value(record.mark_from)}"
            )
        if self.job.mended and not record.sent:
            return Result("nothing to send", summary=summary)
        if record.streamed and (known := self.delivered_before(record.source_digest)) is not None:
            if record.mark_to is not None and known.status.get("state") == "accepted":
                settled = self.line.state.get(known.delivery)
                moved = settled.created_at if settled else record.created_at
                mark = Mark(record.identity, record.column, record.mark_to, known.delivery, moved)
                self.line.state.set_mark(self.job.called, mark)
            return known
        if not self.line.how.force and (reason := self._held_back(summary)):
            return Result("held back", summary=summary, reason=reason)
        return None

    def _held_back(self, summary: Summary) -> str:
        """Why this should not be sent; empty when nothing speaks against it."""
        job = self.job
        if not job.mended and (reason := summary.would_be_refused(job.contract)):
            return f"the hub would refuse it: {reason}"
        if job.mode != "full" or not job.least_share:
            return ""
        before = self.line.rows_now(job.contract.id)
        if before and summary.accepted < job.least_share * before:
            return (
                f"it would replace the {before:,} rows that the hub has with {summary.accepted:,}. "
                "If it is right, say --force; if these are only the rows that are new or changed, say --mode append "
                "or --mode upsert"
            )
        return ""

    def delivered_before(self, digest: str) -> Result | None:
        """Whether the hub has this data already. In a full delivery only the latest counts: A, B, A is a change.

        What the hub refused may be welcome by now (another delivery came first, a dataset it refers to was missing).
        """
        job, line = self.job, self.line
        if line.how.again:
            return None
        sent = [known for known in line.state.of(job.contract.id) if known.state not in (SEALED, GONE)]
        # Mended rows belong to the delivery that they mend, and do not make its data new.
        sent = [known for known in sent if known.replays == job.mended]
        for record in sent if job.mode == "append" or job.mended else sent[-1:]:
            if (record.source_digest, record.contract_digest, record.mode) != (
                digest, job.contract.digest, job.mode,
            ):  # fmt: skip
                continue
            status = line.status(record)
            if status is None:
                line.state.settle(record, GONE)
            elif status["state"] not in ("refused", "failed") and not self._overtaken(record, status):
                return Result("known", record.id, status=status)
        return None

    def _overtaken(self, record: Record, status: dict[str, Any]) -> bool:
        """Whether other data came to the hub since, from elsewhere, so that the same data is a change."""
        if self.job.mode == "append" or self.job.mended or status["state"] != "accepted":
            return False
        last = self.line.last_accepted(self.job.contract.id, replays=False)
        return last is not None and last["id"] != record.id


def _no_report() -> AbstractContextManager[None]:
    return nullcontext()
