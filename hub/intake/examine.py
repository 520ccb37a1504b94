"""Examining a delivery: every row is checked again on receipt, for the sender is never trusted.

This runs in the process that holds the delivery's keys and no others (see `hub.intake.limited`). Good data is never
rewritten without need: when a whole dataset was sent and every row holds, its file stays as it lies and only its keys
change hands. When the hub finds faults that the connector did not, or the delivery changes a dataset that is there,
the new version is written anew (`hub.intake.merging`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from hub.errors import Invalid
from hub.intake.brief import Brief, Effect, FaultCount, Verdict, WriteFile, Written
from hub.intake.ledger import Numbers, pack, unpack
from hub.intake.merging import Merge
from hub.intake.sheets import (
    Period,
    RowNumbers,
    column_classes,
    coverage,
    fault_classes,
    read_base,
    read_sheet,
    sheet_schema,
    without,
)
from hub.vault.files import ParquetSheet
from hub_schemas import FAULT_SCHEMA, Checker, Contract, load_contract
from hub_schemas.delivery import ROW_NUMBER

__all__ = ["examine"]

Progress = Callable[[int], None]


def examine(brief: Brief, progress: Progress) -> Verdict:
    """Check every row of a delivery and write what has to be written; `progress` is told how many rows are checked.

    Raises:
        Invalid: when a file cannot be read or is not what the manifest says: the delivery fails as a whole.
        MemoryError: when it needs more memory than there is.
    """
    return _Examination(brief, progress).verdict()


class _Examination:
    """One delivery's pass through validation."""

    def __init__(self, brief: Brief, progress: Progress) -> None:
        self.brief, self.progress = brief, progress
        self.whole = load_contract(brief.contract)
        self.contract = self.whole.key_contract() if brief.mode == "delete" else self.whole
        self.now = datetime.fromisoformat(brief.now)
        self.changes_base = brief.mode != "full" and brief.base is not None
        self.numbers = RowNumbers()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.first: dict[tuple[str, str], int | None] = {}
        self.refused_here = 0
        self.written: dict[str, Written] = {}
        self.period: Period = (None, None)
        self.against: list[str] = []

    def verdict(self) -> Verdict:
        if self.brief.mode == "delete" and self.brief.base is None:
            raise Invalid(
                "This dataset has no version yet, so there is nothing to delete from. Send it whole first."
            )
        bad = self._check_rows()
        self._check_refused()
        still_open = self._open_before()
        self.numbers.check(self.brief.sent, still_open)
        accepted = self.brief.files["rows"].rows - self.refused_here
        refusal = self._refusal(accepted)
        version, effect = None, Effect(self.brief.before, 0, 0, 0, 0, self.brief.before)
        if refusal is None:
            version, effect, refusal = self._version(bad, accepted)
        if refusal is not None:
            version, effect = None, Effect(self.brief.before, 0, 0, 0, 0, self.brief.before)
        left = self._leave_open(bad, still_open, refused=refusal is not None)
        return Verdict(
            accepted=accepted, refused=self.brief.sent - accepted, refusal=refusal, version=version,
            written=self.written, period=self.period, effect=effect, open=left,
            faults=tuple(
                FaultCount(rule, column, number, self.first[rule, column])
                for (rule, column), number in self.counts.most_common()
            ),
        )  # fmt: skip

    # --- checking

    def _check_rows(self) -> Numbers:
        """Check the rows that the connector accepted; returns the numbers of those that are at fault all the same."""
        # The quality of a dataset is that of the whole, which only a delivery of the whole shows by itself.
        contract = replace(self.contract, quality=()) if self.changes_base else self.contract
        checker = Checker(contract, references=self._references(), now=self.now)
        if self.brief.mode == "append" and self.brief.base is not None and checker.key_columns:
            for table in read_base(self.brief.base, list(checker.key_columns)):
                checker.remember(table)
        bad: list[Numbers] = []
        with _Quarantine(self.brief, self.contract) as quarantine:
            seen = 0
            for table in self._read("rows"):
                outcome = _checked(checker, table)
                self.period = coverage(self.period, outcome.accepted, self.contract)
                if outcome.refused.num_rows:
                    bad.append(outcome.refused[ROW_NUMBER].to_numpy())
                    quarantine.add(outcome.refused, outcome.faults)
                    self._count(outcome.faults)
                seen += table.num_rows
                self.progress(seen)
            self.written |= quarantine.finish()
        for fault in checker.finish().to_pylist():
            if checker.blocking:
                self.against.append(f"{fault['column'] or 'dataset'}: {fault['message']}")
            self.counts[fault["rule"], fault["column"] or ""] += 1
            self.first.setdefault((fault["rule"], fault["column"] or ""), None)
        numbers = np.concatenate(bad) if bad else np.zeros(0, dtype=np.int64)
        self.refused_here = len(numbers)
        return numbers

    def _check_refused(self) -> None:
        """What the connector itself refused, and its reasons: rows that are there, each with a number of its own."""
        for _ in self._read("refused"):
            pass
        refused = self.numbers.of("refused")
        if "faults" not in self.brief.files:
            return
        for table in read_sheet(self.brief.files["faults"], self.contract, "faults"):
            rows = table["row"].drop_null().to_numpy()
            if not np.isin(rows, refused).all():
                raise Invalid("The fault list names rows that are not among the refused ones.")
            self._count(table)

    def _read(self, role: str) -> Iterator[pa.Table]:
        if role in self.brief.files:
            for table in read_sheet(self.brief.files[role], self.contract, role):
                self.numbers.add(role, table)
                yield table

    def _references(self) -> dict[str, list[Any]]:
        """The values of each column of another dataset that a column of this contract refers to."""
        found: dict[str, list[Any]] = {}
        for name, file in self.brief.references.items():
            column = name.rpartition(".")[2]
            values = [
                table[column].unique() for table in read_base(file, [column]) if column in table.column_names
            ]
            if values:
                found[name] = pa.chunked_array(values).unique().drop_null().to_pylist()
        return found

    def _count(self, faults: pa.Table) -> None:
        grouped = faults.group_by(["rule", "column"]).aggregate([("row", "min"), ([], "count_all")])
        for line in grouped.to_pylist():
            key = (line["rule"] or "", line["column"] or "")
            if key not in self.counts and len(self.counts) >= 5000:
                raise Invalid("The fault list names more rules and columns than any contract has.")
            self.counts[key] += line["count_all"]
            self.first.setdefault(key, line["row_min"])

    # --- deciding

    def _refusal(self, accepted: int) -> str | None:
        sent, threshold = self.brief.sent, self.contract.refusal_threshold
        share = (sent - accepted) / sent if sent else 0.0
        if share > threshold and self.brief.open_rows is None:  # a replay leaves open what is still at fault
            return (
                f"{sent - accepted:,} of {sent:,} rows are at fault ({share:.1%}); the contract accepts a delivery "
                f"with up to {threshold:.1%}. Mend the rows in the fault report and push again."
            )
        if self.against:
            return "The dataset as a whole breaks its contract: " + "; ".join(self.against[:20])
        if self.brief.mode == "full" and sent == 0 and self.brief.before:
            return (
                f"The delivery has no rows, and the dataset has {self.brief.before:,}: nothing was changed, for an "
                "export that went wrong looks just like this. Rows that are to go are named with mode delete."
            )
        return None

    def _version(self, bad: Numbers, accepted: int) -> tuple[Written | None, Effect, str | None]:
        """The file of the new version, None when the delivered one can stay as it lies; and why not, if not."""
        output = self.brief.outputs["version"]
        if not self.changes_base:
            before = self.brief.before if self.brief.mode == "full" else 0
            effect = Effect(before, accepted, 0, before, 0, accepted)
            if not len(bad):
                return None, effect, None
            return self._rewrite(output, bad), effect, None
        merge = Merge(self.brief, self.whole, self.contract, bad, self.now)
        written, refusal = merge.write(output, column_classes(self.whole), sheet_schema(self.whole, "rows"))
        self.period = merge.period
        return written, merge.effect, refusal

    def _rewrite(self, output: WriteFile, bad: Numbers) -> Written:
        """The delivered rows without those that the hub found at fault."""
        schema = sheet_schema(self.contract, "rows")
        classes = column_classes(self.contract)
        with (
            _stream(output) as stream,
            ParquetSheet(stream, output.key, output.binding, schema, classes) as sheet,
        ):
            for table in read_sheet(self.brief.files["rows"], self.contract, "rows"):
                sheet.write(without(table, bad))
            return Written(sheet.finish(), sheet.rows)

    # --- the ledger of open rows

    def _open_before(self) -> Numbers | None:
        if self.brief.open_rows is None:
            return None
        with open(self.brief.open_rows, "rb", closefd=False) as stream:
            return unpack(stream.read(), 2**31)

    def _leave_open(self, bad: Numbers, still_open: Numbers | None, *, refused: bool) -> int:
        """Write down which rows are open from now on: of this delivery, or of the one that it replays."""
        if still_open is None:
            left = np.sort(np.concatenate([self.numbers.of("refused"), bad]))
        elif refused:
            left = still_open
        else:
            good = np.setdiff1d(self.numbers.of("rows"), bad, assume_unique=True)
            left = np.setdiff1d(still_open, good, assume_unique=True)
        with open(self.brief.open_out, "wb", closefd=False) as stream:
            stream.write(pack(left))
        return len(left)


class _Quarantine:
    """Rows that the hub refuses though the connector accepted them, and why; files only when there are any."""

    def __init__(self, brief: Brief, contract: Contract) -> None:
        self.brief, self.contract = brief, contract
        self.sheets: dict[str, ParquetSheet] = {}
        self.stack = ExitStack()

    def __enter__(self) -> _Quarantine:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def add(self, refused: pa.Table, faults: pa.Table) -> None:
        for role, table, schema, classes in (
            (
                "refused-by-hub",
                refused,
                sheet_schema(self.contract, "refused"),
                column_classes(self.contract),
            ),
            ("faults-by-hub", faults, FAULT_SCHEMA, fault_classes()),
        ):
            if role not in self.sheets:
                output = self.brief.outputs[role]
                stream = self.stack.enter_context(_stream(output))
                sheet = ParquetSheet(stream, output.key, output.binding, schema, classes)
                self.sheets[role] = self.stack.enter_context(sheet)
            self.sheets[role].write(table.select(schema.names))

    def finish(self) -> dict[str, Written]:
        return {role: Written(sheet.finish(), sheet.rows) for role, sheet in self.sheets.items()}


def _checked(checker: Checker, table: pa.Table) -> Any:
    try:
        return checker.check_typed(table)
    except ValueError as error:  # Arrow data that does not hold together
        raise Invalid(f"The rows cannot be checked ({type(error).__name__}); push them again.") from None


def _stream(output: WriteFile) -> BinaryIO:
    return open(output.fd, "wb", closefd=False)
