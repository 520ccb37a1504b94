"""What the national data opt-out took out of runs, kept in figures that point at nobody."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.rights.tables import LeftOutRow
from hub.storage.database import utc_now

__all__ = ["LeftOut", "left_out", "note_left_out"]


@dataclass(frozen=True)
class LeftOut:
    """For one run: the inputs the opt-out was applied to, the versions of the lists, and how many rows in words."""

    inputs: tuple[str, ...]
    lists: tuple[str, ...]
    rows: str


def note_left_out(
    session: Session, run_id: str, inputs: Collection[str], lists: Collection[str], rows: str
) -> None:
    """Note what was taken out; a run that is tried again says what the last try did."""
    session.merge(
        LeftOutRow(
            run_id=run_id, inputs=json.dumps(sorted(inputs)), lists=json.dumps(sorted(lists)), rows=rows,
            noted_at=utc_now(),
        )
    )  # fmt: skip
    session.flush()


def left_out(session: Session, run_id: str) -> LeftOut | None:
    """What was taken out of a run; None where the opt-out was not applied."""
    row = session.get(LeftOutRow, run_id)
    return LeftOut(tuple(json.loads(row.inputs)), tuple(json.loads(row.lists)), row.rows) if row else None
