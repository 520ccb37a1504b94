"""Collecting faults, a mask at a time, into one table of FAULT_SCHEMA."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from hub_schemas.arrow import FAULT_SCHEMA
from hub_schemas.cell_texts import Cells
from hub_schemas.contract import Contract
from hub_schemas.faults import HIDDEN, MAX_SHOWN, is_masked_whole, mask, message, row_message
from hub_schemas.model import Column, RowRule
from hub_schemas.texts import as_text

__all__ = ["FaultFrame"]

_SCHEMA = {
    "row": pl.Int64,
    "column": pl.String,
    "value_shown": pl.String,
    "rule": pl.String,
    "message": pl.String,
}


class FaultFrame:
    """Faults of one batch (or of the dataset as a whole)."""

    def __init__(self) -> None:
        self._parts: list[tuple[str | None, str, pl.Series, pl.Series, str | pl.Series]] = []

    def cells(
        self,
        column: Column,
        rule: str,
        rows: pl.Series,
        sent: Cells | pl.Series,
        mask: pl.Series,
        row_rule: RowRule | None = None,
    ) -> None:
        """The rows of the mask are at fault in that column under that rule."""
        words = message(column, rule) if row_rule is None else row_message(row_rule)
        self._add(column.name, rule, rows.filter(mask), shown_series(column, sent.filter(mask)), words)

    def repeats(
        self,
        contract: Contract,
        rule: str,
        names: tuple[str, ...],
        rows: pl.Series,
        sent: Mapping[str, Cells | pl.Series],
        first: np.ndarray[Any, np.dtype[np.int64]],
    ) -> None:
        """Rows whose key stands in an earlier row, whose number is in `first` (0: none; -1: in the dataset so far)."""
        mask = pl.Series(first != 0)
        column = contract.column(names[0])
        together = f"{', '.join(names)} together must be" if len(names) > 1 else f"{names[0]} must be"
        what = f"{together} different in every row; "
        earlier = pl.lit(pl.Series(first).filter(mask))
        words = pl.select(
            pl.when(earlier > 0)
            .then(pl.lit(f"{what}row ") + earlier.cast(pl.String) + " has the same; remove one of them")
            .otherwise(
                pl.lit(f"{what}the dataset has a row with the same already; send changes with mode upsert")
            )
        ).to_series()
        shown = shown_series(column, sent[names[0]].filter(mask))
        self._add(names[0], rule, rows.filter(mask), shown, words)

    def whole(self, column: Column | None, rule: str, words: str) -> None:
        """A fault of the dataset as a whole."""
        name = None if column is None else column.name
        self._add(name, rule, pl.Series([None], dtype=pl.Int64), pl.Series([""]), words)

    def _add(
        self, name: str | None, rule: str, rows: pl.Series, shown: pl.Series, words: str | pl.Series
    ) -> None:
        self._parts.append((name, rule, rows, shown, words))

    def table(self) -> pa.Table:
        """All faults, by row; within a row in the order of the contract's columns."""
        if not self._parts:
            return FAULT_SCHEMA.empty_table()
        names, rules, rows, shown, words = zip(*self._parts, strict=True)
        which = pl.Series(np.repeat(np.arange(len(rows), dtype=np.uint32), [len(part) for part in rows]))
        said = [text if isinstance(text, str) else None for text in words]
        messages = pl.Series(said, dtype=pl.String).gather(which)
        if None in said:
            own = pl.concat([text for text in words if isinstance(text, pl.Series)])
            messages = messages.scatter(messages.is_null().arg_true(), own)
        frame = pl.DataFrame(
            {
                "row": pl.concat(rows),
                "column": pl.Series(names, dtype=pl.String).gather(which),
                "value_shown": pl.concat(shown),
                "rule": pl.Series(rules, dtype=pl.String).gather(which),
                "message": messages,
            },
            schema=_SCHEMA,
        ).sort("row", maintain_order=True)
        return frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(FAULT_SCHEMA)


def shown_series(column: Column, sent: pl.Series) -> pl.Series:
    """What a report may show of each cell, as `faults.shown` does for one."""
    text = as_text(sent).fill_null("")
    if not column.is_personal:
        return text.str.slice(0, MAX_SHOWN)
    if is_masked_whole(column):
        empty = text == ""
        return pl.Series([HIDDEN]).new_from_index(0, len(text)).zip_with(~empty, pl.Series([""]))
    return _shapes(text.str.slice(0, MAX_SHOWN))


@cache
def _shape_of_ascii() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.array([ord(mask(chr(sign))) for sign in range(128)], dtype=np.uint8)


def _shapes(text: pl.Series) -> pl.Series:
    """The shape of each text (no nulls), as `faults.mask` makes it."""
    signs, ends = Cells(text).spans
    signs = signs[int(ends[0]) : int(ends[-1])]
    if len(signs) and signs.max() < 128:
        masked = _shape_of_ascii().take(signs)
        begins = pa.py_buffer((ends - ends[0]).astype(np.int64))
        return pl.Series(pa.LargeStringArray.from_buffers(len(text), begins, pa.py_buffer(masked)))
    shape = text
    for pattern, sign in (("[^ -~]", "?"), ("[A-Z]", "A"), ("[a-z]", "a"), ("[0-9]", "9")):
        shape = shape.str.replace_all(pattern, sign)
    return shape
