"""A sender for tests: makes deliveries as a connector does, and crooked ones as no connector would."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.errors import Conflict
from hub.identity.principal import Principal
from hub.intake.store import Delivery
from hub.vault.material import PARQUET_PATH, MaterialHandler
from hub.workflows import contracting, enrolling, publish
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from hub_schemas import Checker, Contract, Outcome
from hub_schemas.delivery import (
    FOOTER_KEY,
    FORMAT,
    ROW_NUMBER,
    column_key,
    seal_info,
    sealing_public_key,
    sealing_suite,
    sign_manifest,
)

PART = 4096


@dataclass
class Parcel:
    """A delivery that is ready to be offered: its manifest, its signature and the bytes of its files."""

    manifest: dict[str, Any]
    signature: str
    files: dict[str, bytes] = field(default_factory=dict)

    def part(self, role: str, number: int) -> bytes:
        """Part `number` (from 1) of a file."""
        return self.files[role][(number - 1) * PART : number * PART]


class Sender:
    """A registered connector of an organisation."""

    def __init__(self, hub: Hub, slug: str, operator: Principal) -> None:
        self.hub = hub
        self.key = Ed25519PrivateKey.generate()
        with suppress(Conflict):  # it is there already
            enrolling.add_organisation(hub, operator, slug, slug)
        code = enrolling.invite_connector(hub, operator, slug)
        x = base64.urlsafe_b64encode(self.key.public_key().public_bytes_raw()).decode().rstrip("=")
        self.client_id, home = enrolling.enrol(hub, code, "tests", {"kty": "OKP", "crv": "Ed25519", "x": x})
        self.principal = Principal("client", self.client_id, "tests", home.id, slug, frozenset({"connector"}))

    def pack(
        self, contract: Contract, rows: list[dict[str, str]], *, digest: str | None = None, mode: str = "full",
        replays: str | None = None, numbers: list[int] | None = None, made_at: datetime | None = None,
        bend: Callable[[dict[str, Any]], None] = lambda manifest: None,
        typed: Callable[[pa.Table], pa.Table] = lambda table: table, open_columns: frozenset[str] = frozenset(),
    ) -> Parcel:  # fmt: skip
        """Check, seal and sign. `bend` changes the manifest before it is signed; `typed` the rows behind its back.

        `numbers` are the rows' numbers, where they are not 1, 2, 3, ...; `contract` is the dataset's in every mode.
        """
        shape = contract.key_contract() if mode == "delete" else contract
        headers = [column.source_name for column in shape.columns]
        frame = pl.DataFrame(
            [{name: row.get(name) for name in headers} for row in rows],
            schema=dict.fromkeys(headers, pl.String),
        )
        outcome = _numbered(Checker(shape).check_text(frame), numbers)
        delivery = uuid.uuid4().hex
        accepted = typed(outcome.accepted)
        tables = {"rows": accepted}
        if outcome.refused.num_rows:
            tables |= {"refused": outcome.refused, "faults": outcome.faults}
        classes = {ROW_NUMBER: "open"} | {item.name: item.classification for item in shape.columns}
        files, listed = {}, []
        for role, table in tables.items():
            kinds = dict.fromkeys(table.column_names, "personal") if role == "faults" else classes
            data, material = self._seal(
                delivery, role, table, {n: kinds[n] for n in table.column_names if n not in open_columns}
            )
            files[role] = data
            listed.append(
                {
                    "role": role, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
                    "parts": max(1, -(-len(data) // PART)), "rows": table.num_rows, "key_material": material,
                }
            )  # fmt: skip
        manifest = {
            "format": FORMAT, "delivery_id": delivery, "client_id": self.client_id, "dataset": contract.id,
            "contract": {"id": contract.id, "version": contract.version, "digest": contract.digest}, "mode": mode,
            "created_at": (made_at or datetime.now(UTC)).isoformat(timespec="seconds"),
            "source": {"name": "tests.csv", "rows": len(rows)},
            "source_digest": digest or hashlib.sha256(delivery.encode()).hexdigest(),
            "rows": {
                "sent": accepted.num_rows + outcome.refused.num_rows, "accepted": accepted.num_rows,
                "refused": outcome.refused.num_rows,
            },
            "sealing_key_id": self.hub.keyring.current_sealing, "files": listed,
        }  # fmt: skip
        if replays is not None:
            manifest["replays"] = replays
        bend(manifest)
        return Parcel(manifest, sign_manifest(manifest, self.key), files)

    def _seal(
        self, delivery: str, role: str, table: pa.Table, classes: Mapping[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        public, suite = sealing_public_key(self.hub.keyring.sealing_public_text), sealing_suite()

        class Seal(pe.KmsClient):
            def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
                info = seal_info(delivery, role, master_key_identifier)
                return base64.b64encode(suite.encrypt(key_bytes, public, info=info)).decode()

        handler = MaterialHandler()
        configuration = pe.EncryptionConfiguration(
            footer_key=FOOTER_KEY, column_keys={column_key(kind, name): [name] for name, kind in classes.items()},
            double_wrapping=False, internal_key_material=False, data_key_length_bits=256,
        )  # fmt: skip
        properties = pe.CryptoFactory(lambda _config: Seal()).file_encryption_properties(
            pe.KmsConnectionConfig(), configuration, PARQUET_PATH, pafs.PyFileSystem(handler)
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, encryption_properties=properties, compression="zstd")
        return sink.getvalue().to_pybytes(), json.loads(handler.document)

    def publish(self, contract: Contract) -> None:
        """Publish the contract and make the dataset."""
        contracting.put_dataset(self.hub, self.principal, contract.id, contract.text)

    def send(self, parcel: Parcel) -> Delivery:
        """Offer, send every missing part, complete."""
        delivery, missing, _ = publish.offer(self.hub, self.principal, parcel.manifest, parcel.signature)
        for role, number in missing:
            self.put(delivery.id, role, number, parcel.part(role, number))
        return publish.complete(self.hub, self.principal, delivery.id)

    def put(self, delivery_id: str, role: str, number: int, data: bytes) -> None:
        """Send one part."""
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
        publish.take_part(self.hub, self.principal, delivery_id, role, number, data, digest)

    def deliver(self, contract: Contract, rows: list[dict[str, str]], **options: Any) -> Delivery:
        """Everything, until the hub has decided."""
        from hub.intake import store as intake

        self.publish(contract)
        sent = self.send(self.pack(contract, rows, **options))
        drain(self.hub)
        with self.hub.database.read() as session:
            return intake.get(session, sent.id)


def _numbered(outcome: Outcome, numbers: list[int] | None) -> Outcome:
    """The same with other row numbers: the number of the row at each place."""
    if numbers is None:
        return outcome

    def renumber(table: pa.Table, column: str) -> pa.Table:
        changed = [None if old is None else numbers[old - 1] for old in table[column].to_pylist()]
        place = table.column_names.index(column)
        return table.set_column(place, table.schema.field(column), pa.array(changed, pa.int64()))

    return Outcome(
        renumber(outcome.accepted, ROW_NUMBER),
        renumber(outcome.refused, ROW_NUMBER),
        renumber(outcome.faults, "row"),
    )
