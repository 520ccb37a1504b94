"""Encrypted Parquet in the vault against plain Parquet, and against plain Parquet encrypted as a whole (AES-256-GCM).

All three are compressed with zstd, lie in the same place and are written just as durably. A file that is encrypted as a
whole has one key for all columns, and all of it has to be read and decrypted before any column can be trusted.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks import sample
from benchmarks.measure import interleaved
from benchmarks.registry import Scale
from benchmarks.table import Table, rate, ratio, seconds, turns
from hub.policy.decide import whole_file
from hub.storage.objects import ObjectStore
from hub.vault.keyring import Keyring
from hub.vault.store import StoredFile, Vault
from hub_schemas.delivery import ROW_NUMBER

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["run"]

_BATCH = 65_536
_PLAIN, _VAULT, _WHOLE = "plain/rows.parquet", "versions/ver_bench/rows.parquet", "whole/rows.parquet.gcm"
_BINDING = "version=bench"
_TEXT, _NUMBER = "nhs_number", "sessions"


def run(scale: Scale) -> list[Table]:
    """One table: write all, read all, read two columns, read one column of text, read one column of numbers."""
    with tempfile.TemporaryDirectory(prefix="bench-vault-") as name:
        folder = Path(name)
        path = folder / "support.csv"
        sample.write_csv(path, scale.rows)
        table = sample.typed_rows(path)
        path.unlink()
        return [_measured(_Pair(folder, table), scale)]


class _Pair:
    """The same table in the vault, in plain Parquet and encrypted as a whole; the same code but for the keys."""

    def __init__(self, folder: Path, table: pa.Table) -> None:
        self.table, self.schema = table, table.schema
        self.batches = table.to_batches(max_chunksize=_BATCH)
        self.objects = ObjectStore(str(folder / "objects"))
        Keyring.create(folder / "keys")
        self.vault = Vault(Keyring.open(folder / "keys"), self.objects)
        self.owner = self.vault.new_owner("ver_bench")
        columns = sample.contract().columns
        self.classes = {ROW_NUMBER: "open"} | {column.name: column.classification for column in columns}
        self.grant = whole_file(sample.contract().id, "a benchmark reads what it wrote")
        self.whole = AESGCM(AESGCM.generate_key(256))
        self.write_plain()
        self.write_whole()
        self.file = self.write_vault()
        plain = self.read_plain(self.schema.names)
        if not (
            self.read_vault(self.schema.names).equals(plain)
            and self.read_whole(self.schema.names).equals(plain)
        ):
            raise RuntimeError("the vault gave back other rows than it was given")

    def write_plain(self) -> None:
        """As `Vault.write` does, without keys."""
        with self.objects.writer(_PLAIN) as stream:
            self._write(stream)

    def write_whole(self) -> None:
        """Plain Parquet in memory, then encrypted in one piece: nonce, ciphertext and tag."""
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        self._write(sink)
        nonce = os.urandom(12)
        with self.objects.writer(_WHOLE) as stream:
            stream.write(nonce)
            stream.write(self.whole.encrypt(nonce, memoryview(sink.getvalue()).cast("B"), _BINDING.encode()))

    def _write(self, stream: Any) -> None:
        import pyarrow as pa

        with pq.ParquetWriter(stream, self.schema, compression="zstd") as writer:
            for batch in self.batches:
                writer.write_table(pa.Table.from_batches([batch]).cast(self.schema))

    def write_vault(self) -> StoredFile:
        """Through the vault; the file as it would be located after registration."""
        file = self.vault.write(self.owner, _VAULT, _BINDING, self.batches, self.schema, self.classes)
        return StoredFile(_VAULT, _BINDING, file.material.encode(), file.rows, self.owner.key)

    def read_plain(self, columns: list[str]) -> pa.Table:
        """Some columns of the plain file."""
        with self.objects.open(_PLAIN) as stream, pq.ParquetFile(stream) as parquet:
            return parquet.read(columns=columns)

    def read_whole(self, columns: list[str]) -> pa.Table:
        """The same columns of the file that is encrypted as a whole."""
        import pyarrow as pa

        raw = memoryview(self.objects.get_bytes(_WHOLE))
        data = self.whole.decrypt(raw[:12], raw[12:], _BINDING.encode())
        with pq.ParquetFile(pa.BufferReader(data)) as parquet:
            return parquet.read(columns=columns)

    def read_vault(self, columns: list[str]) -> pa.Table:
        """The same columns through the vault, under a grant."""
        return self.vault.read(self.file, columns, self.grant)

    def rewrite_vault(self) -> None:
        """Write again; the file that is read is the newest (each has data keys of its own)."""
        self.file = self.write_vault()


def _measured(pair: _Pair, scale: Scale) -> Table:
    everything = list(pair.schema.names)
    acts: dict[str, tuple[Callable[[], object], ...]] = {
        f"write all {len(everything)} columns": (pair.write_plain, pair.rewrite_vault, pair.write_whole),
        f"read all {len(everything)} columns": _reads(pair, everything),
        f"read 2 of {len(everything)} columns": _reads(pair, [_TEXT, _NUMBER]),
        "read one column of text": _reads(pair, [_TEXT]),
        "read one column of numbers": _reads(pair, [_NUMBER]),
    }
    tasks = {
        f"{name}|{kind}": task
        for name, three in acts.items()
        for kind, task in zip("pvw", three, strict=True)
    }
    timings = interleaved(tasks, scale.repeats)
    lines = tuple(
        (
            name, *(seconds(timings.median(f"{name}|{kind}")) for kind in "pvw"),
            ratio(timings.ratio(f"{name}|v", f"{name}|p")), ratio(timings.ratio(f"{name}|v", f"{name}|w")),
            rate(scale.rows, timings.median(f"{name}|v")),
        )
        for name in acts
    )  # fmt: skip
    plain, vault = (pair.objects.size(key) or 0 for key in (_PLAIN, _VAULT))
    return Table(
        f"encryption: {scale.rows:,} rows, {len(everything)} columns, a 256-bit key for each",
        ("what", "plain s", "vault s", "whole s", "vault/plain", "vault/whole", "vault rows/s"),
        lines,
        (
            f"Size: plain {plain / 1_000_000:.1f} MB, vault {vault / 1_000_000:.1f} MB ({vault / plain:.3f}x).",
            "whole: plain Parquet in one piece of AES-256-GCM; all of it is decrypted before any of it is read.",
            f"{turns(scale.repeats)}; all are written with fsync, in row groups of {_BATCH:,}, and compressed.",
        ),
    )


def _reads(pair: _Pair, columns: list[str]) -> tuple[Callable[[], object], ...]:
    return tuple(partial(read, columns) for read in (pair.read_plain, pair.read_vault, pair.read_whole))
