"""Deliveries that a cut left behind: sealed, signed, and not all of them with the hub.

What the next push makes of one:

| the delivery left behind | becomes |
|---|---|
| holds the very data that is pushed now | sent: the push goes on where it stopped |
| a whole dataset from a file, and a whole dataset is pushed now | dropped: the new one replaces it anyway |
| anything else | sent first, so that nothing is lost and the order is kept |
| cannot be sent any more (its files or the sealing key are gone) | dropped if its rows are read again, else a stop |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from .delivering import Line, Result, Sealed
from .errors import ConfigError
from .packing import Package
from .state import FINAL, SEALED, Record

if TYPE_CHECKING:
    from .jobs import Job

__all__ = ["send_unfinished"]

#: A streamed delivery that waited longer is not what the source holds now; it is read afresh.
_STALE: Final = timedelta(hours=1)


def send_unfinished(line: Line, job: Job, digest: str) -> tuple[list[Result], bool]:
    """Send what was left behind of this dataset; returns what became of each, and whether that was all there is to do.

    digest: of the settled source that is pushed now; empty for a streamed one.

    Raises:
        ConfigError: when rows would be lost.
    """
    results: list[Result] = []
    for record in [known for known in line.state.of(job.contract.id) if known.state == SEALED]:
        package = Package.load(line.state.folder_of(record.id))
        same = bool(digest) and _same(record, job, digest)
        if package is None or record.sealing_key_id not in {line.sealing_key_id, *line.opens}:
            _give_up(line, job, record, same)
        elif same:
            result = line.deliver(Sealed(package, record, None))
            if result.status.get("state") != "failed":
                return [*results, result], True
            # The hub gave up waiting for the rest of it: the same data is sealed anew.
        elif job.mode == "full" == record.mode and not record.streamed:
            _drop(line, record)
        else:
            results.append(line.deliver(Sealed(package, record, None)))
            if _was_this(record, job) and _enough(record, job, results[-1]):
                return results, True
    return results, False


def _same(record: Record, job: Job, digest: str) -> bool:
    return (record.source_digest, record.contract_digest, record.mode, record.replays) == (
        digest, job.contract.digest, job.mode, job.mended,
    )  # fmt: skip


def _was_this(record: Record, job: Job) -> bool:
    """Whether the delivery was made from the streamed source that is pushed now."""
    return record.streamed and not job.mended and (record.called, record.mode) == (job.called, job.mode)


def _enough(record: Record, job: Job, result: Result) -> bool:
    """Whether the source need not be read again after a delivery of it was sent at last."""
    if job.growing is not None:
        # From where to read on is known once the hub has decided.
        return result.status.get("state") not in FINAL
    return datetime.now(UTC) - datetime.fromisoformat(record.created_at) < _STALE


def _give_up(line: Line, job: Job, record: Record, same: bool) -> None:
    if line.arrived(record):
        line.state.clear(record.id)
        return
    read_again = same or _was_this(record, job) or job.mode == "full" or bool(record.replays)
    if not read_again and not line.how.force:
        raise ConfigError(
            f"A delivery of {record.source} ({record.mode}, {record.created_at}) was cut off before the hub had all of "
            "it, and it cannot be sent any more: the hub's sealing key was changed, or its files are gone.",
            "Push that source again first; or give it up and go on: --force.",
        )
    line.state.forget(record)


def _drop(line: Line, record: Record) -> None:
    if line.arrived(record):
        line.state.clear(record.id)
    else:
        line.state.forget(record)
