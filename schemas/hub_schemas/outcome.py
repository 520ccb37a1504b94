"""What became of one batch."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

__all__ = ["Outcome"]


class Outcome:
    """Every row of a batch stands in exactly one of `accepted` and `refused`.

    accepted: row_number, then the contract's columns typed; made when it is first asked for, so that who only counts
    (`accepted_rows`) does not pay for it. refused: row_number, then the columns as the text that was sent. faults:
    FAULT_SCHEMA, ordered by row and column.
    """

    def __init__(
        self,
        accepted: pa.Table | Callable[[], pa.Table],
        refused: pa.Table,
        faults: pa.Table,
        *,
        accepted_rows: int | None = None,
    ) -> None:
        """accepted: the table, or what makes it; then `accepted_rows` says how many rows it will have."""
        self._accepted = accepted
        self.refused, self.faults = refused, faults
        self.accepted_rows: int = len(self.accepted) if accepted_rows is None else accepted_rows

    @property
    def accepted(self) -> pa.Table:
        """The accepted rows."""
        if not isinstance(self._accepted, pa.Table):
            self._accepted = self._accepted()
        return self._accepted
