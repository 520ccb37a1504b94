"""Checks of the dataset as a whole: counted batch by batch, judged at the end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

import numpy as np
import polars as pl

from hub_schemas.cell_texts import Cells
from hub_schemas.checked_column import Checked
from hub_schemas.contract import Contract
from hub_schemas.fault_frame import FaultFrame
from hub_schemas.measures_text import measure_text
from hub_schemas.model import OPERATORS, Quality
from hub_schemas.texts import as_text
from hub_schemas.uniqueness import SeenKeys

__all__ = ["Measures"]

_RULES = {
    "rowCount": "table-dimensions",
    "nullValues": "null-values",
    "missingValues": "null-values",
    "invalidValues": "invalid-values",
    "duplicateValues": "duplicate-values",
    "freshness": "freshness",
}


class Measures:
    """The figures that a contract's dataset checks need, over all rows sent (accepted or not)."""

    def __init__(self, contract: Contract, now: datetime) -> None:
        self._contract, self._now = contract, now
        self._rows = 0
        self._counts = [0] * len(contract.quality)
        self._newest: list[datetime | None] = [None] * len(contract.quality)
        self._seen = {
            index: SeenKeys()
            for index, check in enumerate(contract.quality)
            if check.metric == "duplicateValues"
        }

    def add(self, sent: Mapping[str, Cells | pl.Series], checked: dict[str, Checked], rows: int) -> None:
        """Count one batch. sent: the cells as they came; checked: what became of them."""
        for index, check in enumerate(self._contract.quality):
            if check.metric == "duplicateValues":
                self._counts[index] += self._duplicates(
                    index, [checked[name].value for name in check.columns]
                )
            elif check.metric == "freshness":
                self._note_newest(index, checked[check.columns[0]].value)
            elif check.metric != "rowCount":
                name = check.columns[0]
                self._counts[index] += _count(check, sent[name], checked[name])
        self._rows += rows

    def _duplicates(self, index: int, values: list[pl.Series]) -> int:
        complete = pl.Series(np.ones(len(values[0]), dtype=np.bool_))
        for value in values:
            complete = complete & value.is_not_null()
        numbers = np.arange(self._rows + 1, self._rows + 1 + int(complete.sum()), dtype=np.int64)
        return int(
            (self._seen[index].repeats([value.filter(complete) for value in values], numbers) > 0).sum()
        )

    def _note_newest(self, index: int, value: pl.Series) -> None:
        newest = value.max()
        if isinstance(newest, date) and not isinstance(newest, datetime):
            newest = datetime.combine(newest, time(), UTC)
        if isinstance(newest, datetime):
            before = self._newest[index]
            self._newest[index] = newest if before is None else max(before, newest)

    def report(self, frame: FaultFrame) -> bool:
        """Add a fault for each check that fails; return whether any of them stops the delivery."""
        blocking = False
        for index, check in enumerate(self._contract.quality):
            figure = self._figure(index, check)
            if figure is None or OPERATORS[check.operator](figure, check.operands):
                continue
            blocking |= check.blocking
            column = self._contract.column(check.columns[0]) if check.columns else None
            frame.whole(column, _RULES[check.metric], measure_text(check, figure))
        return blocking

    def _figure(self, index: int, check: Quality) -> float | None:
        if check.metric == "rowCount":
            return self._rows
        if check.metric == "freshness":
            newest = self._newest[index]
            return None if newest is None else (self._now - newest).total_seconds() / 86_400
        if check.unit == "percent":
            return 100 * self._counts[index] / self._rows if self._rows else 0.0
        return self._counts[index]


def _count(check: Quality, sent: Cells | pl.Series, checked: Checked) -> int:
    if check.metric == "nullValues":
        return int((~checked.present).sum())
    if check.metric == "missingValues":
        texts = as_text(sent.series if isinstance(sent, Cells) else sent).str.strip_chars()
        return int((~checked.present | texts.is_in(list(check.values)).fill_null(False)).sum())
    valid = pl.Series(list(check.values), dtype=checked.value.dtype)
    return int((checked.present & ~checked.value.is_in(valid.implode()).fill_null(False)).sum())
