"""A delivery that changes a dataset: the new version is the current one with rows added, replaced or removed.

Every version is whole: a reader never puts rows together from several files, the keys of one version open that version
and nothing else, and the result is checked against the whole contract before anybody sees it (decision 7).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from hub.errors import Invalid
from hub.intake.brief import Brief, Effect, WriteFile, Written
from hub.intake.ledger import Numbers
from hub.intake.sheets import coverage, fit, read_base, read_sheet, without
from hub.vault.files import ParquetSheet
from hub_schemas import Checker, Contract
from hub_schemas.delivery import ROW_NUMBER
from hub_schemas.uniqueness import SeenKeys

__all__ = ["Merge"]


class Merge:
    """One merge. `contract` is what the delivered rows keep (for mode delete only keys), `whole` the dataset's.

    `bad` are numbers of delivered rows that are at fault. After `write`, `effect` and `period` tell of the result.
    """

    def __init__(
        self, brief: Brief, whole: Contract, contract: Contract, bad: Numbers, now: datetime
    ) -> None:
        if brief.base is None:
            raise ValueError("there is nothing to merge with")
        self.brief, self.base, self.whole, self.contract = brief, brief.base, whole, contract
        self.bad, self.now = bad, now
        self.keys = list(whole.primary_key)
        self.matched = self.kept = self.delivered = 0
        self.period: tuple[str | None, str | None] = (None, None)

    @property
    def effect(self) -> Effect:
        """What was done, once it was."""
        if self.brief.mode == "delete":
            missed = self.delivered - self.matched
            return Effect(self.base.rows, 0, 0, self.matched, missed, self.kept)
        added = self.delivered - self.matched
        return Effect(self.base.rows, added, self.matched, 0, 0, self.kept + self.delivered)

    def write(
        self, output: WriteFile, classes: Mapping[str, str], schema: pa.Schema
    ) -> tuple[Written | None, str | None]:
        """Write the new version; or say why it cannot be one.

        Raises:
            Invalid: when rows cannot be told apart, or the contract has changed too much for a merge.
        """
        if self.brief.mode in ("upsert", "delete") and not self.keys:
            raise Invalid(
                f"{self.whole.id} has no primary key, so no row of it can be named: mode {self.brief.mode} needs one."
            )
        checker, number = Checker(self.whole, now=self.now), 1
        with (
            open(output.fd, "wb", closefd=False) as stream,
            ParquetSheet(stream, output.key, output.binding, schema, classes) as sheet,
        ):
            for rows in self._rows(schema):
                numbers = pa.array(np.arange(number, number + rows.num_rows, dtype=np.int64))
                table = rows.set_column(0, schema.field(ROW_NUMBER), numbers)
                number += table.num_rows
                outcome = checker.check_typed(table)
                if outcome.refused.num_rows:
                    return None, _broken(self.whole, outcome.faults)
                self.period = coverage(self.period, table, self.whole)
                sheet.write(table)
            material = sheet.finish()
        faults = checker.finish()
        if checker.blocking:
            listed = "; ".join(
                f"{item['column'] or 'dataset'}: {item['message']}" for item in faults.to_pylist()[:20]
            )
            return None, f"With this delivery the dataset as a whole would break its contract: {listed}"
        return Written(material, sheet.rows), None

    def _rows(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """Rows of the current version that stay, in their order; then the delivered ones."""
        named = self._named() if self.brief.mode in ("upsert", "delete") else None
        for rows in read_base(self.base, schema.names):
            table = fit(rows, schema)
            if named is not None:
                gone = named.find(self._key_columns(table)) > 0
                self.matched += int(gone.sum())
                table = _where(table, ~gone)
            self.kept += table.num_rows
            yield table
        if self.brief.mode == "delete":
            return
        for table in self._delivered():
            self.delivered += table.num_rows
            yield table

    def _named(self) -> SeenKeys:
        """The keys that the good delivered rows name."""
        seen = SeenKeys()
        for table in self._delivered():
            seen.repeats(self._key_columns(table), table[ROW_NUMBER].to_numpy())
            if self.brief.mode == "delete":
                self.delivered += table.num_rows
        return seen

    def _delivered(self) -> Iterator[pa.Table]:
        for table in read_sheet(self.brief.files["rows"], self.contract, "rows"):
            yield without(table, self.bad)

    def _key_columns(self, table: pa.Table) -> list[pl.Series]:
        return [pl.Series(table[name]) for name in self.keys]


def _where(table: pa.Table, mask: Any) -> pa.Table:
    return table.filter(pa.array(mask))


def _broken(contract: Contract, faults: pa.Table) -> str:
    """The merged rows break the contract: rows of the current version that were checked against an earlier one."""
    grouped = faults.group_by(["rule", "column"]).aggregate([([], "count_all")]).to_pylist()
    listed = ", ".join(
        f"{line['column']}: {line['rule']} ({line['count_all']:,} rows)" for line in grouped[:5]
    )
    return (
        f"With this delivery the dataset would break {contract.id} {contract.version}: {listed}. Rows that the "
        "dataset has already may be at fault, where the contract became stricter: send the whole dataset (mode full)."
    )
