"""Sources that grow: reading only what came since the last accepted delivery.

A mark says how far a source has been read. It moves when the hub has accepted the delivery that carried the rows, and
in no other case: rows that were refused, held back, cut off or never decided are read again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .digests import identity_of
from .errors import ConfigError, HubUnreachable
from .state import FINAL, SEALED, Mark

if TYPE_CHECKING:
    from .delivering import Line
    from .jobs import Job
    from .keys import SigningKey
    from .sources import Incremental

__all__ = ["current_mark", "settle_before"]


def settle_before(line: Line, job: Job) -> None:
    """See that every earlier delivery of this source is decided, so that its rows are neither skipped nor read twice.

    Raises:
        HubUnreachable: when the hub has not decided one of them yet.
    """
    for record in line.state.of(job.contract.id):
        if record.called != job.called or record.state in FINAL or record.state == SEALED:
            continue
        if not line.how.wait:
            raise HubUnreachable(
                f"The hub has not decided on delivery {record.id[:8]} of {job.called} yet. Until it has, nobody knows "
                f"from where {job.source.name} is to be read on.",
                "Nothing is lost. Push again in a while, or wait for it with --wait.",
            )
        line.note(record, line.decision(record.id))


def current_mark(line: Line, job: Job, key: SigningKey, growing: Incremental) -> Mark | None:
    """From where to read on; None to read from the start.

    Raises:
        ConfigError: when it is not certain that the mark still fits the source and the hub.
    """
    mark = line.state.marks().get(job.called)
    if mark is None:
        return None
    if line.how.from_start:
        if job.mode == "append" and not line.how.force:
            raise ConfigError(
                f"{job.called} is in mode append and was read up to {mark.shown}: from the start, "
                "its rows would be added a second time.",
                "Use --mode upsert, which replaces rows that are there already, or say --force if the hub lost them.",
            )
        return None
    identity = identity_of(key, job.source, str(growing.watermark))
    if line.how.keep_mark:
        mark = replace(mark, identity=identity, column=str(growing.watermark), delivery="")
        line.state.set_mark(job.called, mark)
        return mark
    choice = (
        f"To go on from {mark.shown}: --keep-mark. To read everything again: --from-start. Nothing was read."
    )
    if mark.identity != identity:
        raise ConfigError(
            f"The source of {job.called} is not the one whose mark is kept here: its address, what it selects or its "
            "watermark was changed.",
            choice,
        )
    if mark.delivery and not line.accepted(mark.delivery):
        raise ConfigError(
            f"The hub does not have delivery {mark.delivery[:8]} any more, up to which {job.called} was read: it may "
            "have been restored from a backup, and later deliveries may be missing too.",
            choice,
        )
    return mark
