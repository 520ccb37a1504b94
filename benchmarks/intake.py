"""The hub's own check of a sealed delivery against the plainest reading of the same rows, and what its keys cost."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from benchmarks import sample
from benchmarks.check import floor
from benchmarks.measure import interleaved, peak_mb
from benchmarks.registry import Scale
from benchmarks.sending import PART, new_key, pack
from benchmarks.table import Table, count, milliseconds, rate, ratio, seconds, turns
from hub.intake.brief import Brief, ReadFile, Verdict, WriteFile
from hub.intake.limited import LimitedExaminer, examine_here
from hub.intake.sheets import read_sheet, sheet_schema
from hub.intake.verify import assemble, file_key, part_key
from hub.isolation.memory import MemoryFiles
from hub.storage.objects import ObjectStore
from hub.vault.keyring import Keyring
from hub.vault.kms import wrap
from hub.vault.store import Vault
from hub_connector.packing import Package

if TYPE_CHECKING:
    from hub.vault.store import SealedFile

__all__ = ["run"]

_BATCH = 65_536
_FLOOR = "floor: typed read of the CSV (polars) + plain Parquet"
_PLAIN = "read plain Parquet (pyarrow)"
_SEALED = "read the sealed file, no checks"
_EXAMINE = "examine: check every row again"
_APART = "the same in a process that reaches nothing"
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
    """The accepted rows as plain Parquet, in row groups as large as those of the sealed file."""
    schema = sheet_schema(sample.contract(), "rows")
    with (
        _brief(stage) as (brief, _),
        pq.ParquetWriter(stage.folder / "plain.parquet", schema, compression="zstd") as writer,
    ):
        for table in read_sheet(brief.files["rows"], sample.contract(), "rows"):
            writer.write_table(table.cast(schema))


def _rows_file(stage: _Stage) -> dict[str, Any]:
    return next(file for file in stage.package.manifest["files"] if file["role"] == "rows")


@contextmanager
def _brief(stage: _Stage) -> Iterator[tuple[Brief, list[int]]]:
    """What `deciding` hands over for this delivery, and the open descriptors in it."""
    manifest, owner = stage.package.manifest, stage.vault.new_owner("ver_bench")
    with ExitStack() as stack:
        memory, fds = stack.enter_context(MemoryFiles()), []
        files, outputs = {}, {}
        for file in manifest["files"]:
            role, material = file["role"], file["key_material"]
            stream = stack.enter_context(stage.objects.local(file_key(stage.package.id, role)))
            fds.append(stream.fileno())
            keys = stage.vault.sealed_keys(manifest["sealing_key_id"], stage.package.id, role, material)
            files[role] = ReadFile(stream.fileno(), json.dumps(material), keys, file["rows"])
        for role in ("version", "refused-by-hub", "faults-by-hub"):
            spool = stack.enter_context(stage.objects.spool())
            fds.append(spool.stream.fileno())
            outputs[role] = WriteFile(spool.stream.fileno(), owner.key, "version=bench")
        brief = Brief(
            contract=sample.contract().text, mode="full", sent=manifest["rows"]["sent"], before=0, files=files,
            outputs=outputs, open_out=memory.growing(), now=datetime.now(UTC).isoformat(),
        )  # fmt: skip
        yield brief, [*fds, *memory.fds]


def _read_plain(stage: _Stage) -> int:
    with pq.ParquetFile(stage.folder / "plain.parquet") as parquet:
        return sum(batch.num_rows for batch in parquet.iter_batches(batch_size=_BATCH))


def _read_sealed(stage: _Stage) -> int:
    with _brief(stage) as (brief, _):
        return sum(table.num_rows for table in read_sheet(brief.files["rows"], sample.contract(), "rows"))


def _examine(stage: _Stage) -> Verdict:
    """What the process does that reads deliveries, without its process."""
    with _brief(stage) as (brief, fds):
        return examine_here(brief, lambda rows: None, fds)


def _examine_apart(stage: _Stage) -> Verdict:
    """The same as `deciding.decide_next` has it done: in a new process that can reach nothing."""
    with _brief(stage) as (brief, fds):
        return LimitedExaminer(memory_mb=4096, seconds=3600)(brief, lambda rows: None, fds)


def _assemble(stage: _Stage) -> None:
    for file in stage.package.manifest["files"]:
        assemble(stage.objects, stage.package.id, file)


def read_plain_in(folder: str) -> int:
    """`_read_plain` in a process of its own."""
    return _read_plain(_open(Path(folder)))


def read_sealed_in(folder: str) -> int:
    """`_read_sealed` in a process of its own."""
    return _read_sealed(_open(Path(folder)))


def examine_in(folder: str) -> int:
    """`_examine` in a process of its own."""
    return _examine(_open(Path(folder))).accepted


def _reading(stage: _Stage, scale: Scale) -> Table:
    verdict = _examine(stage)
    expected = scale.rows - sample.faults_in(scale.rows)
    if verdict.accepted != expected:
        raise RuntimeError(f"{verdict.accepted} rows were accepted where {expected} hold")
    tasks: dict[str, Callable[[], object]] = {
        _FLOOR: lambda: floor(str(stage.folder / "support.csv")),
        _PLAIN: lambda: _read_plain(stage),
        _SEALED: lambda: _read_sealed(stage),
        _ASSEMBLE: lambda: _assemble(stage),
        _EXAMINE: lambda: _examine(stage),
        _APART: lambda: _examine_apart(stage),
    }
    timings = interleaved(tasks, scale.repeats)
    children = {_PLAIN: "read_plain_in", _SEALED: "read_sealed_in", _EXAMINE: "examine_in"}
    peaks = {
        name: count(peak_mb(f"benchmarks.intake:{function}", str(stage.folder)))
        for name, function in children.items()
    }
    lines = tuple(
        (
            name, seconds(timings.median(name)), rate(scale.rows, timings.median(name)),
            ratio(timings.ratio(name, _FLOOR)), ratio(timings.ratio(name, _PLAIN)), peaks.get(name, "-"),
        )
        for name in tasks
    )  # fmt: skip
    files = stage.package.manifest["files"]
    sizes = ", ".join(f"{file['role']} {file['size'] / 1_000_000:.1f} MB" for file in files)
    plain = (stage.folder / "plain.parquet").stat().st_size / 1_000_000
    return Table(
        f"intake: a delivery of {scale.rows:,} rows, {verdict.refused:,} of them refused by the connector",
        ("what", "seconds", "rows/s", "to floor", "to plain", "peak MB"),
        lines,
        (
            f"Sealed: {sizes} in parts of {PART // 1024 // 1024} MiB; accepted rows as plain Parquet {plain:.1f} MB.",
            f"{turns(scale.repeats)}. It reads all three files and does not rewrite good rows.",
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
        keys = stage.vault.sealed_keys(manifest["sealing_key_id"], stage.package.id, "rows", material)
        return stage.vault.take_over(owner, "a/b", "version=bench", keys, material, 1)

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
