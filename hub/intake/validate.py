"""Validating a delivery again on receipt: the sender is never trusted.

Good data is never rewritten: when every row holds, the file stays as it lies and only its keys change hands. When
the hub finds faults that the connector did not, the good rows are written anew and the others go to quarantine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from hub.errors import Invalid
from hub.intake.store import FaultCount
from hub.intake.verify import expected_keys, file_key
from hub.vault.store import OwnerKey, SealedFile, Vault
from hub_schemas import FAULT_SCHEMA, Checker, Contract
from hub_schemas.delivery import ROW_NUMBER

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["Judgement", "fault_classes", "judge", "quarantine_binding", "quarantine_owner"]

_BATCH_ROWS = 65_536
_MAX_FAULTS_KEPT = 1_000_000


@dataclass
class Judgement:
    """What became of a delivery's rows. `version_files` and `quarantine_files` are not registered yet."""

    accepted: int = 0
    refused: int = 0
    refusal: str | None = None
    version_files: list[SealedFile] = field(default_factory=list)
    quarantine_files: list[SealedFile] = field(default_factory=list)
    quarantine: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[FaultCount] = field(default_factory=list)
    period: tuple[str | None, str | None] = (None, None)


def quarantine_owner(delivery_id: str) -> str:
    """The owner of a delivery's quarantine in the vault."""
    return f"quarantine_{delivery_id}"


def quarantine_binding(delivery_id: str, role: str) -> str:
    """What a quarantine file is bound to."""
    return f"quarantine={delivery_id};{role}"


def fault_classes() -> dict[str, str]:
    """The classification of each column of a fault list: it may show (masked) values, so personal throughout."""
    return dict.fromkeys(FAULT_SCHEMA.names, "personal")


def judge(
    vault: Vault,
    contract: Contract,
    manifest: dict[str, Any],
    version: OwnerKey,
    version_binding: str,
    quarantine: OwnerKey,
) -> Judgement:
    """Check every row of an assembled delivery.

    Raises:
        Invalid: when a file cannot be read or is not what the manifest says (the delivery fails as a whole).
    """
    work = _Work(vault, contract, manifest, version, version_binding, quarantine)
    judgement = work.rows()
    work.refused(judgement)
    sent = manifest["rows"]["sent"]
    judgement.refused = sent - judgement.accepted
    share = judgement.refused / sent if sent else 0.0
    if share > contract.refusal_threshold:
        judgement.refusal = (
            f"{judgement.refused:,} of {sent:,} rows are at fault ({share:.1%}); the contract accepts a delivery "
            f"with up to {contract.refusal_threshold:.1%}. Mend the rows in the fault report and push again."
        )
    elif work.dataset_faults:
        judgement.refusal = "The dataset as a whole breaks its contract: " + "; ".join(work.dataset_faults)
    return judgement


class _Work:
    """One delivery's pass through validation."""

    def __init__(
        self, vault: Vault, contract: Contract, manifest: dict[str, Any], version: OwnerKey, binding: str,
        quarantine: OwnerKey,
    ) -> None:  # fmt: skip
        self.vault, self.contract, self.manifest = vault, contract, manifest
        self.version, self.binding, self.quarantine = version, binding, quarantine
        self.id = manifest["delivery_id"]
        self.files = {file["role"]: file for file in manifest["files"]}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.first: dict[tuple[str, str], int | None] = {}
        self.dataset_faults: list[str] = []
        self.schema = pa.schema([pa.field(ROW_NUMBER, pa.int64(), nullable=False), *contract.arrow_schema()])
        self.text_schema = pa.schema(
            [self.schema.field(0), *(pa.field(column.name, pa.string()) for column in contract.columns)]
        )

    def rows(self) -> Judgement:
        checker, judgement = Checker(self.contract), Judgement()
        refused: list[pa.Table] = []
        faults: list[pa.Table] = []
        for table in self._read("rows", self.schema):
            try:
                outcome = checker.check_typed(table)
            except (
                ValueError
            ) as error:  # row numbers that do not rise, Arrow data that does not hold together
                raise Invalid(
                    f"The rows cannot be checked ({type(error).__name__}); push them again."
                ) from None
            judgement.accepted += outcome.accepted.num_rows
            judgement.period = _widen(judgement.period, outcome.accepted, self.contract)
            if outcome.refused.num_rows:
                refused.append(outcome.refused)
                faults.append(outcome.faults)
        for fault in checker.finish().to_pylist():
            if checker.blocking:
                self.dataset_faults.append(f"{fault['column'] or 'dataset'}: {fault['message']}")
            self.counts[fault["rule"], fault["column"] or ""] += 1
            self.first[fault["rule"], fault["column"] or ""] = None
        if not refused:
            client = self.vault.sealed_client(self.manifest["sealing_key_id"], self.id, "rows")
            file = self.files["rows"]
            judgement.version_files.append(
                self.vault.take_over(
                    self.version,
                    file_key(self.id, "rows"),
                    self.binding,
                    client,
                    file["key_material"],
                    file["rows"],
                )
            )
        else:
            self._rewrite(judgement, pa.concat_tables(refused), pa.concat_tables(faults))
        return judgement

    def _rewrite(self, judgement: Judgement, refused: pa.Table, faults: pa.Table) -> None:
        """The rare path: the hub found faults the connector had not reported."""
        bad = refused[ROW_NUMBER].combine_chunks()
        good = (
            table.filter(pc.invert(pc.is_in(table[ROW_NUMBER], bad)))
            for table in self._read("rows", self.schema)
        )
        classes = {ROW_NUMBER: "open", **{item.name: item.classification for item in self.contract.columns}}
        key = f"versions/{self.version.owner}/rows.parquet"
        judgement.version_files.append(
            self.vault.write(self.version, key, self.binding, good, self.schema, classes)
        )
        self._keep(judgement, "refused-by-hub", refused, self.text_schema, classes)
        self._keep(judgement, "faults-by-hub", faults, FAULT_SCHEMA, fault_classes())
        self._count(faults)

    def refused(self, judgement: Judgement) -> None:
        """Take over what the connector itself refused, and its reasons."""
        for role, schema in (("refused", self.text_schema), ("faults", FAULT_SCHEMA)):
            if role not in self.files:
                continue
            for table in self._read(role, schema):
                if role == "faults":
                    self._count(table)
            client = self.vault.sealed_client(self.manifest["sealing_key_id"], self.id, role)
            file, key = self.files[role], file_key(self.id, role)
            judgement.quarantine_files.append(
                self.vault.take_over(
                    self.quarantine,
                    key,
                    quarantine_binding(self.id, role),
                    client,
                    file["key_material"],
                    file["rows"],
                )
            )
            judgement.quarantine[role] = {"object": key, "rows": file["rows"]}
        judgement.faults = [
            FaultCount(rule, column, number, self.first[rule, column])
            for (rule, column), number in self.counts.most_common()
        ]

    def _keep(
        self, judgement: Judgement, role: str, table: pa.Table, schema: pa.Schema, classes: dict[str, str]
    ) -> None:
        key = f"deliveries/{self.id}/{role}.parquet"
        binding = quarantine_binding(self.id, role)
        judgement.quarantine_files.append(
            self.vault.write(self.quarantine, key, binding, [table.select(schema.names)], schema, classes)
        )
        judgement.quarantine[role] = {"object": key, "rows": table.num_rows}

    def _count(self, faults: pa.Table) -> None:
        grouped = faults.group_by(["rule", "column"]).aggregate([("row", "min"), ([], "count_all")])
        for line in grouped.to_pylist():
            key = (str(line["rule"] or "")[:100], str(line["column"] or "")[:200])
            self.counts[key] += line["count_all"]
            self.first.setdefault(key, line["row_min"])

    def _read(self, role: str, schema: pa.Schema) -> Iterator[pa.Table]:
        """A file of the delivery in batches, with its schema, keys and row count checked."""
        file = self.files[role]
        client = self.vault.sealed_client(self.manifest["sealing_key_id"], self.id, role)
        rows = 0
        with self.vault.open_sealed(client, file_key(self.id, role), file["key_material"]) as parquet:
            _check_schema(parquet, schema, role)
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
                rows += batch.num_rows
                yield pa.Table.from_batches([batch])
        if rows != file["rows"]:
            raise Invalid(f"The file {role} holds {rows:,} rows, its manifest says {file['rows']:,}.")
        if file["rows"] and (missing := expected_keys(self.contract, role) - client.opened):
            raise Invalid(
                f"The file {role} is not sealed column by column: {', '.join(sorted(missing)[:5])} is open."
            )


def _check_schema(parquet: pq.ParquetFile, schema: pa.Schema, role: str) -> None:
    found = parquet.schema_arrow
    if found.names != schema.names:
        extra, missing = set(found.names) - set(schema.names), set(schema.names) - set(found.names)
        raise Invalid(
            f"The file {role} has other columns than its contract (missing: {', '.join(sorted(missing)) or 'none'}; "
            f"unknown: {', '.join(sorted(extra)) or 'none'}; or another order)."
        )
    wrong = [field.name for field in schema if found.field(field.name).type != field.type]
    if wrong:
        raise Invalid(f"The file {role} has other types than its contract: {', '.join(wrong)}.")


def _widen(
    period: tuple[str | None, str | None], table: pa.Table, contract: Contract
) -> tuple[str | None, str | None]:
    """The period widened by a batch: the range of the contract's coverage column."""
    column = contract.coverage_column
    if column is None or table.num_rows == 0:
        return period
    ends = pc.min_max(table[column]).as_py()
    if ends["min"] is None:
        return period
    low, high = str(ends["min"])[:10], str(ends["max"])[:10]
    return min(period[0] or low, low), max(period[1] or high, high)
