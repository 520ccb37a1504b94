"""What passes between the hub and a worker, as memory files: never a path, never a disk.

Inputs are sealed, so a worker can read them and nothing else. The result is a file of fixed size made by the
hub; it is read only after sealing it against any further writing, and every length, type and value in it is
doubted.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from hub_sdk import FormatError, Manifest, Output, Report, checks
from hub_sdk.tables import arrow_schema, value_problems
from hub_sdk.wire import BATCH_ALIGNMENT, RESULT_HEADER, RESULT_MAGIC, parse

__all__ = ["read_index", "read_result"]

# Index of a result: the report and the places of the batches.
LARGEST_INDEX = 16 * 1024 * 1024
MOST_BATCHES = 100_000

# Kind of an Arrow IPC message (format/Message.fbs) and the places of the fields we look at.
_RECORD_BATCH = 3
_FIELD_KIND, _FIELD_HEADER, _FIELD_COMPRESSION = 1, 2, 3


def read_index(fd: int) -> Mapping[str, Any]:
    """The index of a result, after which nobody can change the file any more; raises `FormatError`."""
    return _index(_frozen(fd))


def read_result(fd: int, manifest: Manifest) -> tuple[dict[str, pa.Table], Report]:
    """The tables (exactly in the schema of their outputs) and the report of a run; raises `FormatError`.

    The tables point into the memory file and keep it alive; the descriptor may be closed.
    """
    buffer = _frozen(fd)
    index = checks.fields("result", _index(buffer), ("tables", "report"))
    entries = checks.several("result.tables", index["tables"], _entry, most=len(manifest.outputs))
    found = dict(entries)
    if len(found) != len(entries) or set(found) != {output.name for output in manifest.outputs}:
        raise FormatError("result.tables", "are not the outputs of the manifest")
    tables = {output.name: _table(buffer, found[output.name], output) for output in manifest.outputs}
    return tables, Report.from_json(index["report"], "report")


def _frozen(fd: int) -> pa.Buffer:
    """The file as a buffer; refused while anyone can still write to it (sealing fails then)."""
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL)
    except OSError:
        raise FormatError("result", "is still being written to") from None
    return pa.py_buffer(mmap.mmap(fd, os.fstat(fd).st_size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))


def _index(buffer: pa.Buffer) -> Mapping[str, Any]:
    if buffer.size < RESULT_HEADER.size:
        raise FormatError("result", "is too small")
    magic, offset, length = RESULT_HEADER.unpack_from(buffer)
    if magic != RESULT_MAGIC:
        raise FormatError("result", "was not written")
    if length > LARGEST_INDEX:
        raise FormatError("result", f"has an index of {length} bytes; at most {LARGEST_INDEX} are allowed")
    index = parse(_slice(buffer, offset, length).to_pybytes())
    if not isinstance(index, Mapping):
        raise FormatError("result", "has an index that is not an object")
    return index


def _entry(place: str, data: object) -> tuple[str, tuple[tuple[int, int], ...]]:
    entry = checks.fields(place, data, ("name", "batches"))
    name = checks.text(f"{place}.name", entry["name"], longest=60)
    return name, checks.several(f"{place}.batches", entry["batches"], _span, most=MOST_BATCHES)


def _span(place: str, data: object) -> tuple[int, int]:
    offset, length = checks.several(
        place, data, lambda at, item: checks.whole(at, item, least=0, most=1 << 48), least=2, most=2
    )
    return offset, length


def _slice(buffer: pa.Buffer, offset: int, length: int) -> pa.Buffer:
    if offset % BATCH_ALIGNMENT or offset + length > buffer.size:
        raise FormatError("result", "points outside itself")
    return buffer.slice(offset, length)


def _table(buffer: pa.Buffer, spans: tuple[tuple[int, int], ...], output: Output) -> pa.Table:
    schema = arrow_schema(output)
    with _doubting(output.name):
        batches = [_batch(_slice(buffer, *span), schema) for span in spans]
        table = pa.Table.from_batches(batches, schema)
        table.validate(full=True)
    problems = value_problems(table, output)
    if problems:
        raise FormatError("", problems[0])
    return table


@contextmanager
def _doubting(name: str) -> Iterator[None]:
    """Turn whatever malformed Arrow data raises into a `FormatError` that shows none of it."""
    try:
        yield
    except FormatError:
        raise
    except Exception:  # Arrow answers malformed data with a dozen kinds of exception
        raise FormatError(f"output {name}", "is not well-formed Arrow data") from None


def _batch(message: pa.Buffer, schema: pa.Schema) -> pa.RecordBatch:
    """One record batch, read with our schema.

    Messages of any other kind are refused, and so are compressed ones: a few bytes could unfold into more
    memory than the machine has, and the worker never compresses.
    """
    read = pa.ipc.read_message(message)
    metadata = read.metadata.to_pybytes()
    root = struct.unpack_from("<I", metadata, 0)[0]
    kind = _field(metadata, root, _FIELD_KIND)
    header = _field(metadata, root, _FIELD_HEADER)
    if kind is None or header is None or metadata[kind] != _RECORD_BATCH:
        raise FormatError("result", "holds an Arrow message that is not a record batch")
    table = header + struct.unpack_from("<I", metadata, header)[0]
    if _field(metadata, table, _FIELD_COMPRESSION) is not None:
        raise FormatError("result", "holds compressed Arrow data, which the hub does not read")
    return pa.ipc.read_record_batch(read, schema)


def _field(data: bytes, table: int, number: int) -> int | None:
    """Position of a field of a FlatBuffers table, None if absent (flatbuffers.dev, "FlatBuffer internals").

    Arrow has verified the message by now; an offset that leads outside raises `struct.error` or IndexError
    anyway.
    """
    vtable = table - struct.unpack_from("<i", data, table)[0]
    slot = 4 + 2 * number
    if vtable < 0 or slot >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", data, vtable + slot)[0]
    return table + offset if offset else None
