"""One delivery on the desk: its files open, a brief that names them, and a place for what will be written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

from hub.catalogue.store import Dataset, Version
from hub.intake.brief import Brief, ReadFile, Verdict, WriteFile
from hub.intake.store import Delivery
from hub.intake.verify import file_key, quarantine_binding
from hub.isolation.memory import MemoryFiles
from hub.policy.decide import Grant, whole_file
from hub.storage.objects import Spool
from hub.vault.store import OwnerKey, SealedFile, StoredFile
from hub.workflows.hub import Hub
from hub_schemas import Contract

__all__ = ["Case", "Desk"]


@dataclass(frozen=True)
class Case:
    """A delivery with all that decides it; `version` is what it becomes if it is accepted."""

    delivery: Delivery
    dataset: Dataset
    contract: Contract
    base: Version | None
    base_file: StoredFile | None
    references: Mapping[str, tuple[StoredFile, Grant]]
    open_rows: bytes | None
    version: Version
    owner: OwnerKey
    quarantine: OwnerKey


class Desk:
    """The open files of one delivery, the brief that names them, and where what was written goes."""

    def __init__(self, hub: Hub, case: Case, stack: ExitStack) -> None:
        self._hub, self._case, self._stack = hub, case, stack
        self.fds: list[int] = []
        self._memory = stack.enter_context(MemoryFiles())
        self._keys: dict[str, dict[str, bytes]] = {}
        manifest, changes = (
            case.delivery.manifest,
            case.delivery.mode != "full" and case.base_file is not None,
        )
        files = {file["role"]: self._delivered(file) for file in manifest["files"]}
        bindings = {"version": case.version.binding}
        for role in ("refused-by-hub", "faults-by-hub"):
            bindings[role] = quarantine_binding(case.delivery.id, role)
        self._spools: dict[str, Spool] = {role: stack.enter_context(hub.objects.spool()) for role in bindings}
        owners = {role: case.owner if role == "version" else case.quarantine for role in bindings}
        whole = whole_file(case.contract.id, "a delivery changes this dataset")
        self._open_out = self._memory.growing()
        self.brief = Brief(
            contract=case.contract.text, mode=case.delivery.mode, sent=case.delivery.sent,
            before=case.base.rows if case.base else 0, files=files,
            outputs={
                role: WriteFile(self._fd(spool.stream), owners[role].key, bindings[role])
                for role, spool in self._spools.items()
            },
            open_out=self._open_out, now=hub.clock().isoformat(),
            base=self._stored(case.base_file, whole) if changes and case.base_file else None,
            references={name: self._stored(file, grant) for name, (file, grant) in case.references.items()},
            open_rows=None if case.open_rows is None else self._memory.sealed(case.open_rows),
        )  # fmt: skip
        self.fds += self._memory.fds

    def _fd(self, stream: BinaryIO) -> int:
        self.fds.append(stream.fileno())
        return stream.fileno()

    def _delivered(self, file: Mapping[str, Any]) -> ReadFile:
        delivery, role = self._case.delivery, file["role"]
        self._keys[role] = self._hub.vault.sealed_keys(
            delivery.manifest["sealing_key_id"], delivery.id, role, file["key_material"]
        )
        return self._read(
            file_key(delivery.id, role), json.dumps(file["key_material"]), self._keys[role], file["rows"]
        )

    def _stored(self, file: StoredFile, grant: Grant) -> ReadFile:
        keys = self._hub.vault.data_keys(file, grant)
        return self._read(file.object_key, file.material.decode(), keys, file.rows)

    def _read(self, key: str, material: str, keys: Mapping[str, bytes], rows: int) -> ReadFile:
        return ReadFile(
            self._fd(self._stack.enter_context(self._hub.objects.local(key))), material, keys, rows
        )

    def keep(self, verdict: Verdict) -> tuple[list[SealedFile], list[tuple[str, SealedFile]], bytes]:
        """Put what was written into its place; returns the version's file, the quarantine's, and the open rows."""
        delivery, version = self._case.delivery, []
        if verdict.refusal is None and verdict.version is None:
            version = [self._take_over("rows", self._case.owner, self._case.version.binding)]
        elif verdict.refusal is None and verdict.version is not None:
            key = f"versions/{self._case.version.id}/rows.parquet"
            self._spools["version"].publish(key)
            written = verdict.version
            version = [SealedFile(key, self._case.version.binding, written.material, written.rows)]
        kept = []
        for role in ("refused", "faults"):
            if role in self._keys:
                binding = quarantine_binding(delivery.id, role)
                kept.append((role, self._take_over(role, self._case.quarantine, binding)))
        for role, written in verdict.written.items():
            key = file_key(delivery.id, role)
            self._spools[role].publish(key)
            binding = quarantine_binding(delivery.id, role)
            kept.append((role, SealedFile(key, binding, written.material, written.rows)))
        return version, kept, self._memory.content(self._open_out)

    def _take_over(self, role: str, owner: OwnerKey, binding: str) -> SealedFile:
        file = next(file for file in self._case.delivery.manifest["files"] if file["role"] == role)
        key = file_key(self._case.delivery.id, role)
        return self._hub.vault.take_over(
            owner, key, binding, self._keys[role], file["key_material"], file["rows"]
        )
