"""Packing a delivery: check the source, seal what is accepted and what is refused, sign the manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from hub_schemas.delivery import FORMAT, sealing_public_key, sign_manifest

from .checking import Summary, check_source
from .digests import Metered, source_digest
from .errors import ConfigError, SourceError
from .files import write_private

if TYPE_CHECKING:
    from hub_schemas import Contract, Outcome

    from .keys import SigningKey
    from .sealing import SealedFile, SealedWriter
    from .sources import Source

__all__ = ["Package", "Packer", "Replaying", "checked_contract", "source_digest"]

MANIFEST: Final = "delivery.json"


@dataclass(frozen=True)
class Package:
    """A sealed and signed delivery in its folder, ready to send, now or later."""

    folder: Path
    manifest: dict[str, Any]
    signature: str
    part_size: int

    @property
    def id(self) -> str:
        """The delivery's id."""
        return str(self.manifest["delivery_id"])

    @property
    def size(self) -> int:
        """Bytes to send."""
        return sum(int(file["size"]) for file in self.manifest["files"])

    def save(self) -> None:
        """Write manifest and signature beside the files; from then on the delivery can be resumed."""
        document = {"manifest": self.manifest, "signature": self.signature, "part_size": self.part_size}
        write_private(self.folder / MANIFEST, json.dumps(document, ensure_ascii=False).encode())

    @classmethod
    def load(cls, folder: Path) -> Package | None:
        """The package in a folder, None when it is not whole."""
        try:
            document = json.loads((folder / MANIFEST).read_bytes())
            package = cls(folder, document["manifest"], document["signature"], int(document["part_size"]))
            for file in package.manifest["files"]:
                if (folder / f"{file['role']}.parquet").stat().st_size != file["size"]:
                    return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return package

    def part(self, role: str, number: int) -> bytes:
        """The bytes of one part, counted from 1."""
        with (self.folder / f"{role}.parquet").open("rb") as stream:
            stream.seek((number - 1) * self.part_size)
            return stream.read(self.part_size)


def checked_contract(contract: Contract, mode: str) -> Contract:
    """What the rows of a delivery are checked against here: the contract, as far as it speaks of single rows.

    A delivery that deletes holds keys only. What a contract asks of the dataset as a whole (so many rows, so fresh)
    a part of it cannot show: the hub judges the dataset that comes of it.

    Raises:
        ConfigError: when rows are to be found by their key and the contract has none.
    """
    if mode in ("upsert", "delete") and not contract.primary_key:
        raise ConfigError(
            f"Mode {mode} finds the rows of a dataset by their key, and {contract.id} has no primary key.",
            "Mark the columns that name a row with primaryKey: true in the contract, or deliver it whole: mode full.",
        )
    if mode == "delete":
        return contract.key_contract()
    return contract if mode == "full" else replace(contract, quality=())


class Replaying(Protocol):
    """What packing must know of a delivery that mends rows of an earlier one."""

    #: Id of the delivery whose rows these are.
    delivery: str

    def numbered(self, outcome: Outcome) -> Outcome:
        """The outcome under the row numbers of that delivery."""
        ...


@dataclass(frozen=True)
class Packer:
    """Who packs, and for whom."""

    client_id: str
    key: SigningKey
    sealing_key: Mapping[str, str]
    part_size: int

    def pack(
        self,
        contract: Contract,
        source: Source,
        mode: str,
        folder: Path,
        digest: str,
        summary: Summary,
        each: Callable[[Outcome], None] | None = None,
        announced: str = "",
        replays: Replaying | None = None,
    ) -> Package:
        """Check and seal a source into `folder`, whose name is the delivery's id (32 hexadecimal digits).

        Args:
            contract: the dataset's, whole; the rows are checked against `checked_contract` of it.
            source: of the rows. A `Metered` one is digested while it is read.
            mode: what the rows do to the dataset.
            folder: private, empty, and named by the delivery's id.
            digest: of a settled source as it was when it was looked at first; empty for a metered one.
            summary: filled as rows are read.
            each: called with every batch's outcome, for a report or a progress line.
            announced: the digest to tell the hub, when it shall not recognise the data.
            replays: where the rows are mended rows of an earlier delivery: how they are numbered, and that only
                those which keep the contract are sent.

        Raises:
            SourceError: when it cannot be read, or changed while it was being read.
        """
        checked = checked_contract(contract, mode)
        outcomes = _watched(check_source(checked, source, summary), each, replays)
        files = self._seal(checked, folder, outcomes)
        mended = replays.delivery if replays else ""
        if isinstance(source, Metered):
            digest = source.digest
        elif source_digest(self.key, source, contract, mode, replays=mended) != digest:
            raise SourceError(
                f"{source.name} changed while it was being read.",
                "Run this again once the export has finished.",
            )
        counts = {file.role: file.rows for file in files}
        accepted, refused = counts["rows"], counts.get("refused", 0)
        manifest = {
            "format": FORMAT,
            "delivery_id": folder.name,
            "client_id": self.client_id,
            "dataset": contract.id,
            "contract": {"id": contract.id, "version": contract.version, "digest": contract.digest},
            "mode": mode,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "source": {"name": source.name[:200], "rows": summary.rows},
            "source_digest": announced or digest,
            "rows": {"sent": accepted + refused, "accepted": accepted, "refused": refused},
            "sealing_key_id": self.sealing_key["id"],
            "files": [file.entry(self.part_size) for file in files],
        }
        if mended:
            manifest["replays"] = mended
        package = Package(folder, manifest, sign_manifest(manifest, self.key.private), self.part_size)
        package.save()
        return package

    def _seal(self, contract: Contract, folder: Path, outcomes: Iterator[Outcome]) -> list[SealedFile]:
        """Write the files; refused rows and faults only get one when there are any."""
        from .sealing import SealedWriter, column_classes, fault_classes

        public_key = sealing_public_key(self.sealing_key["public_key"])
        writers: dict[str, SealedWriter] = {}
        with ExitStack() as stack:
            for outcome in outcomes:
                for role, table, classes in (
                    ("rows", outcome.accepted, column_classes(contract)),
                    ("refused", outcome.refused, column_classes(contract)),
                    ("faults", outcome.faults, fault_classes()),
                ):
                    if role not in writers:
                        if role != "rows" and not table.num_rows:
                            continue
                        writer = SealedWriter(folder, role, table.schema, classes, public_key, folder.name)
                        writers[role] = stack.enter_context(writer)
                    writers[role].write(table)
            try:
                return [writers[role].finish() for role in ("rows", "refused", "faults") if role in writers]
            except OSError as error:
                raise ConfigError(
                    f"The sealed delivery cannot be written: {error.strerror}.",
                    f"Make room in {folder.parent}.",
                ) from None


def _watched(
    outcomes: Iterator[Outcome], each: Callable[[Outcome], None] | None, replays: Replaying | None
) -> Iterator[Outcome]:
    """The outcomes on their way into the files: under the numbers of the delivery they mend, seen by `each`."""
    from hub_schemas import Outcome

    for given in outcomes:
        outcome = replays.numbered(given) if replays else given
        if each is not None:
            each(outcome)
        if replays:
            # What is still at fault lies in the hub's quarantine already, with its reasons; it stays there.
            none = outcome.faults.slice(0, 0)
            outcome = Outcome(outcome.accepted, outcome.refused.slice(0, 0), none)
        yield outcome
