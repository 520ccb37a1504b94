"""Checking outputs before anyone may release them: small counts out, the rest rounded, by the agreement's policy.

This is primary suppression and rounding only (ACRO's default threshold is 10, rounding to 5). Suppressing the
cells from which a small count could be calculated back belongs to the deeper disclosure control to come; until
then the person who releases must look for it, and the page says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from hub_sdk import Output

__all__ = ["Checked", "check_output"]


@dataclass(frozen=True)
class Checked:
    """A table as it may be released, and what was done to it in words."""

    table: pa.Table
    suppressed: int
    note: str
    disclosure: str


def check_output(
    table: pa.Table, output: Output, minimum_count: int, round_to: int, *, open_inputs: bool = False
) -> Checked:
    """Apply the agreement's disclosure policy to one output.

    `person` outputs stay as they are: they never leave the hub as a table. An output that the plugin calls `open` is
    that only where everything it read is open (`open_inputs`); otherwise it counts as `aggregate`.
    In `aggregate` outputs each count from 1 to `minimum_count` - 1, and zero, which tells as much, and one that is
    missing, is removed with every other number of its row (what a row is about is told by texts and dates); other
    counts are rounded to `round_to`.
    """
    claimed = output.disclosure == "open" and not open_inputs
    disclosure = "aggregate" if claimed else output.disclosure
    said = "Called open by the plugin, which also read what is not open: checked as figures about groups. "
    said = said if claimed else ""
    if disclosure != "aggregate" or not output.count_columns:
        notes = {
            "person": "About single households: stays in the hub, behind purpose and reason.",
            "open": "Made from data without personal columns: nothing to suppress.",
            "aggregate": "Names no column of people or cases: nothing was suppressed; look closely.",
        }
        return Checked(table, 0, said + notes[disclosure], disclosure)
    small = pa.array([False] * table.num_rows, pa.bool_())
    for name in output.count_columns:
        small = pc.or_(small, pc.fill_null(pc.less(table[name], minimum_count), True))
    suppressed = pc.sum(pc.cast(small, pa.int64())).as_py() or 0
    for name in table.column_names:
        column = table[name]
        if name in output.count_columns:
            column = _round(column, round_to)
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            column = pc.if_else(small, pa.scalar(None, column.type), column)
        table = table.set_column(table.column_names.index(name), name, column)
    return Checked(
        table,
        suppressed,
        f"{said}{suppressed} of {table.num_rows} rows hidden (fewer than {minimum_count}); counts rounded to "
        f"{round_to}.",
        disclosure,
    )


def _round(column: pa.ChunkedArray, to: int) -> pa.ChunkedArray:
    if to <= 1:
        return column
    half = pc.add(column, to // 2)
    return pc.multiply(pc.divide(half, to), to)
