"""Sealing: rows go straight into encrypted Parquet; plaintext never touches the disk.

Each column has a data key of its own, and each data key is sealed to the hub's public key with HPKE. This side can
wrap and never unwrap: what has been sealed, the connector itself cannot read again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from hub_schemas.delivery import FOOTER_KEY, ROW_NUMBER, column_key, seal_info, sealing_suite

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey

    from hub_schemas import Contract

__all__ = ["SealedFile", "SealedWriter", "column_classes", "fault_classes"]

#: Rows are gathered to this many before a row group is written; larger tables are cut.
ROW_GROUP: Final = 65_536
MOST_ROW_GROUP: Final = 1_048_576
#: A column gets a dictionary when of so many rows not more than this share are different.
_LOOK_AT: Final = 10_000
_MOST_DIFFERENT: Final = 0.7


@dataclass(frozen=True)
class SealedFile:
    """A finished file: what the manifest says of it. `key_material` is Parquet's external key material."""

    role: str
    path: Path
    rows: int
    size: int
    sha256: str
    key_material: dict[str, str]

    def entry(self, part_size: int) -> dict[str, Any]:
        """The file's entry in the manifest, for parts of that many bytes."""
        return {
            "role": self.role,
            "size": self.size,
            "sha256": self.sha256,
            "parts": max(1, -(-self.size // part_size)),
            "rows": self.rows,
            "key_material": self.key_material,
        }


def column_classes(contract: Contract) -> dict[str, str]:
    """The classification of each column in the files of rows."""
    return {ROW_NUMBER: "open", **{column.name: column.classification for column in contract.columns}}


def fault_classes() -> dict[str, str]:
    """A list of faults says, value by value, what is wrong with people's rows: personal throughout."""
    from hub_schemas import FAULT_SCHEMA

    return dict.fromkeys(FAULT_SCHEMA.names, "personal")


class _SealingClient(pe.KmsClient):  # type: ignore[misc, unused-ignore]  # pyarrow carries no types
    """Seals data keys to the hub; pyarrow calls it once a column."""

    def __init__(self, public_key: MLKEM768X25519PublicKey, delivery_id: str, role: str) -> None:
        super().__init__()
        self._public_key, self._delivery, self._role = public_key, delivery_id, role
        self._suite = sealing_suite()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """A data key, sealed for this delivery, file and column alone (base64)."""
        info = seal_info(self._delivery, self._role, master_key_identifier)
        return base64.b64encode(self._suite.encrypt(key_bytes, self._public_key, info=info)).decode()

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """Refused: only the hub can open what was sealed to it."""
        raise PermissionError("a connector seals and does not open")


class SealedWriter:
    """Writes one file of a delivery. Use it in a `with` block and call `finish` when all rows are in.

    Args:
        folder: a private folder; holds ciphertext only.
        role: rows, refused or faults.
        schema: of the tables to come.
        classes: the classification of every column; names its key.
    """

    def __init__(
        self,
        folder: Path,
        role: str,
        schema: pa.Schema,
        classes: Mapping[str, str],
        public_key: MLKEM768X25519PublicKey,
        delivery_id: str,
    ) -> None:
        self.role, self.rows = role, 0
        self.path = folder / f"{role}.parquet"
        self._schema = schema
        self._waiting: list[pa.Table] = []
        client = _SealingClient(public_key, delivery_id, role)
        self._factory = pe.CryptoFactory(lambda _config: client)  # must live as long as the writer
        configuration = pe.EncryptionConfiguration(
            footer_key=FOOTER_KEY,
            column_keys={column_key(classes[name], name): [name] for name in schema.names},
            double_wrapping=False,  # pyarrow's key encryption keys have 128 bits; wrapping directly keeps 256
            internal_key_material=False,
            data_key_length_bits=256,
        )
        self._properties = self._factory.file_encryption_properties(
            pe.KmsConnectionConfig(), configuration, str(self.path)
        )
        self._writer: pq.ParquetWriter | None = None
        self._pool = ThreadPoolExecutor(1, "sealing")
        self._writing: Future[None] | None = None

    def __enter__(self) -> SealedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pa.Table) -> None:
        """Add rows. They are written by a thread of its own; what goes wrong there is raised by the next call."""
        if not table.num_rows:
            return
        self.rows += table.num_rows
        self._waiting.append(table)
        if sum(waiting.num_rows for waiting in self._waiting) >= ROW_GROUP:
            self._flush()

    def finish(self) -> SealedFile:
        """Close the file; its key material moves from beside the file into the result."""
        self._flush()
        self._settle()
        self._open(self._schema.empty_table()).close()
        beside = self.path.with_name(f"_KEY_MATERIAL_FOR_{self.path.name}.json")
        material: dict[str, str] = json.loads(beside.read_bytes())
        beside.unlink()
        digest, size = sha256(), 0
        with self.path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
        return SealedFile(self.role, self.path, self.rows, size, digest.hexdigest(), material)

    def _flush(self) -> None:
        if self._waiting:
            tables, self._waiting = self._waiting, []
            self._settle()
            self._writing = self._pool.submit(self._write_out, tables)

    def _settle(self) -> None:
        """Wait until everything handed over is written."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write_out(self, tables: list[pa.Table]) -> None:
        table = pa.concat_tables(tables).cast(self._schema)
        self._open(table).write_table(table, row_group_size=MOST_ROW_GROUP)

    def _open(self, table: pa.Table) -> pq.ParquetWriter:
        """The writer; `table` shows which columns repeat themselves."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self.path,
                self._schema,
                encryption_properties=self._properties,
                compression="zstd",
                use_dictionary=_repetitive(table),
            )
        return self._writer


def _repetitive(table: pa.Table) -> list[str]:
    """The columns worth a dictionary; of others one is made in vain, which costs time and space."""
    first = table.slice(0, _LOOK_AT)
    most = _MOST_DIFFERENT * first.num_rows
    return [
        name
        for name in table.column_names
        if name != ROW_NUMBER and pc.count_distinct(first[name]).as_py() <= most
    ]
