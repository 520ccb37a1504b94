"""The hub's own check of a sealed delivery against the plainest reading of the same rows, and what its keys cost."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from benchmarks import sample
from benchmarks.measure import interleaved, peak_mb
from benchmarks.registry import Scale
from benchmarks.sending import PART, new_key, pack
from benchmarks.table import Table, count, milliseconds, rate, ratio, seconds, turns
from hub.intake.validate import Judgement, judge, quarantine_owner
from hub.intake.verify import assemble, file_key, part_key
from hub.storage.objects import ObjectStore
from hub.vault.keyring import Keyring
from hub.vault.kms import wrap
from hub.vault.store import Vault
from hub_connector.packing import Package

if TYPE_CHECKING:
    from hub.vault.store import SealedFile

__all__ = ["run"]

_BATCH = 65_536
_PLAIN = "floor: read plain Parquet (pyarrow)"
_SEALED = "read the sealed file, no checks"
_JUDGE = "judge: check again, take over the keys"
_ASSEMBLE = "assemble the parts, compare digests"
_KEY_TURNS = 50


@dataclass(frozen=True)
class _Stage:
    """A delivery in a folder: objects/ and keys/ as a hub has them, plain.parquet with the same accepted rows."""

    folder: Path
    package: Package
    objects: ObjectStore
    keyring: Keyring
    vault: Vault


def run(scale: Scale) -> list[Table]:
    """Two tables: reading and judging a delivery of `scale.rows` rows; what one key costs."""
    with tempfile.TemporaryDirectory(prefix="bench-intake-") as name:
        stage = _stage(Path(name), scale.rows)
        return [_reading(stage, scale), _keys(stage)]


def _stage(folder: Path, rows: int) -> _Stage:
    """Make a delivery and put its parts and files where the hub has them."""
    path = folder / "support.csv"
    sample.write_csv(path, rows)
    Keyring.create(folder / "keys")
    keyring = Keyring.open(folder / "keys")
    package = pack(sample.contract(), path, folder / "sent", keyring, "bench", new_key())
    path.unlink()
    stage = _open(folder)
    for file in package.manifest["files"]:
        for part in range(1, file["parts"] + 1):
            stage.objects.put_bytes(
                part_key(package.id, file["role"], part), package.part(file["role"], part)
            )
        assemble(stage.objects, package.id, file)
    _write_plain(stage)
    return stage


def _open(folder: Path) -> _Stage:
    """The same again from disk, for a process of its own."""
    keyring, objects = Keyring.open(folder / "keys"), ObjectStore(str(folder / "objects"))
    (sent,) = (folder / "sent").iterdir()
    package = Package.load(sent)
    if package is None:
        raise RuntimeError("the packed delivery is not whole")
    return _Stage(folder, package, objects, keyring, Vault(keyring, objects))


def _write_plain(stage: _Stage) -> None:
    """The accepted rows as plain Parquet, row group by row group as in the sealed file."""
    with _sealed_file(stage) as sealed:
        target = stage.folder / "plain.parquet"
        with pq.ParquetWriter(target, sealed.schema_arrow, compression="zstd") as writer:
            for group in range(sealed.num_row_groups):
                writer.write_table(sealed.read_row_group(group))


def _rows_file(stage: _Stage) -> dict[str, Any]:
    return next(file for file in stage.package.manifest["files"] if file["role"] == "rows")


def _sealed_file(stage: _Stage) -> Any:
    manifest = stage.package.manifest
    client = stage.vault.sealed_client(manifest["sealing_key_id"], stage.package.id, "rows")
    return stage.vault.open_sealed(
        client, file_key(stage.package.id, "rows"), _rows_file(stage)["key_material"]
    )


def _read_plain(stage: _Stage) -> int:
    with pq.ParquetFile(stage.folder / "plain.parquet") as parquet:
        return sum(batch.num_rows for batch in parquet.iter_batches(batch_size=_BATCH))


def _read_sealed(stage: _Stage) -> int:
    with _sealed_file(stage) as parquet:
        return sum(batch.num_rows for batch in parquet.iter_batches(batch_size=_BATCH))


def _judge(stage: _Stage) -> Judgement:
    """What `publish.decide_next` does between its transactions."""
    owner = stage.vault.new_owner("ver_bench")
    quarantine = stage.vault.new_owner(quarantine_owner(stage.package.id))
    return judge(stage.vault, sample.contract(), stage.package.manifest, owner, "version=bench", quarantine)


def _assemble(stage: _Stage) -> None:
    for file in stage.package.manifest["files"]:
        assemble(stage.objects, stage.package.id, file)


def read_plain_in(folder: str) -> int:
    """`_read_plain` in a process of its own."""
    return _read_plain(_open(Path(folder)))


def read_sealed_in(folder: str) -> int:
    """`_read_sealed` in a process of its own."""
    return _read_sealed(_open(Path(folder)))


def judge_in(folder: str) -> int:
    """`_judge` in a process of its own."""
    return _judge(_open(Path(folder))).accepted


def _reading(stage: _Stage, scale: Scale) -> Table:
    judgement = _judge(stage)
    expected = scale.rows - sample.faults_in(scale.rows)
    if judgement.accepted != expected:
        raise RuntimeError(f"judge accepted {judgement.accepted} rows where {expected} hold")
    tasks: dict[str, Callable[[], object]] = {
        _PLAIN: lambda: _read_plain(stage),
        _SEALED: lambda: _read_sealed(stage),
        _ASSEMBLE: lambda: _assemble(stage),
        _JUDGE: lambda: _judge(stage),
    }
    timings = interleaved(tasks, scale.repeats)
    children = {_PLAIN: "read_plain_in", _SEALED: "read_sealed_in", _JUDGE: "judge_in"}
    peaks = {
        name: count(peak_mb(f"benchmarks.intake:{function}", str(stage.folder)))
        for name, function in children.items()
    }
    lines = tuple(
        (
            name, seconds(timings.median(name)), rate(scale.rows, timings.median(name)),
            ratio(timings.ratio(name, _PLAIN)), peaks.get(name, "-"),
        )
        for name in tasks
    )  # fmt: skip
    files = stage.package.manifest["files"]
    sizes = ", ".join(f"{file['role']} {file['size'] / 1_000_000:.1f} MB" for file in files)
    plain = (stage.folder / "plain.parquet").stat().st_size / 1_000_000
    return Table(
        f"intake: a delivery of {scale.rows:,} rows, {judgement.refused:,} of them refused by the connector",
        ("what", "seconds", "rows/s", "to floor", "peak MB"),
        lines,
        (
            f"Sealed: {sizes} in parts of {PART // 1024 // 1024} MiB; accepted rows as plain Parquet {plain:.1f} MB.",
            f"{turns(scale.repeats)}. The judge reads all three files; it does not rewrite good rows.",
        ),
    )


def _keys(stage: _Stage) -> Table:
    """Sealing, opening and wrapping one data key; and a whole file's, as it is taken over."""
    from hub_schemas.delivery import seal_info, sealing_public_key, sealing_suite

    suite, info = sealing_suite(), seal_info("0" * 32, "rows", "personal/surname")
    public = sealing_public_key(stage.keyring.sealing_public_text)
    private = stage.keyring.sealing_private_key(stage.keyring.current_sealing)
    data_key, owner = os.urandom(32), stage.vault.new_owner("ver_bench")
    sealed = suite.encrypt(data_key, public, info=info)
    material = _rows_file(stage)["key_material"]
    manifest = stage.package.manifest

    def take_over() -> SealedFile:
        client = stage.vault.sealed_client(manifest["sealing_key_id"], stage.package.id, "rows")
        return stage.vault.take_over(owner, "a/b", "version=bench", client, material, 1)

    tasks: dict[str, Callable[[], object]] = {
        "seal to the hub (HPKE: ML-KEM-768 + X25519)": lambda: suite.encrypt(data_key, public, info=info),
        "open at the hub": lambda: suite.decrypt(sealed, private, info=info),
        "wrap for the vault (AES-256-GCM)": lambda: wrap(owner.key, data_key, "version=bench", "k"),
        f"take over a file: open and wrap {len(material)} keys": take_over,
    }
    found = interleaved(tasks, _KEY_TURNS, short=True).seconds
    keys = {name: len(material) if name.startswith("take over") else 1 for name in tasks}
    lines = tuple(
        (
            name, milliseconds(median(taken)), milliseconds(median(taken) / keys[name]),
            f"{len(base64.b64encode(sealed)):,}" if name.startswith("seal") else "-",
        )
        for name, taken in found.items()
    )  # fmt: skip
    return Table(
        "intake: keys (one for each column and one for the footer)",
        ("what", "ms", "ms a key", "characters"),
        lines,
        (f"{turns(_KEY_TURNS)}; good data is never rewritten, only its keys change hands.",),
    )
