"""The worker's end of the memory files: reading inputs without copying, and writing the result."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub_sdk.wire import BATCH_ALIGNMENT, BATCH_ROWS, RESULT_HEADER, RESULT_MAGIC, InputFile

if TYPE_CHECKING:
    import pyarrow as pa


class ResultTooLarge(Exception):
    """The result does not fit into the file the hub made for it."""


def read_input(item: InputFile) -> pa.Table:
    """The table in a memory file; its columns point into the file, nothing is copied."""
    import pyarrow as pa

    # A private mapping: sealed files refuse shared ones on older kernels.
    mapped = mmap.mmap(item.fd, item.size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    with pa.ipc.open_stream(pa.py_buffer(mapped)) as reader:
        return reader.read_all()


class ResultFile:
    """Writes the result file of `hub_sdk.wire`; raises `ResultTooLarge`, as the file cannot grow."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size
        self._end = BATCH_ALIGNMENT

    def write_table(self, name: str, table: pa.Table) -> dict[str, Any]:
        """Write the batches of a table; returns its entry for the index."""
        batches = []
        for batch in table.to_batches(max_chunksize=BATCH_ROWS):
            message = batch.serialize()
            batches.append([self._append(message), message.size])
        return {"name": name, "batches": batches}

    def finish(self, index: Mapping[str, Any]) -> None:
        """Write the index and then the header that points to it."""
        data = json.dumps(index, ensure_ascii=False, allow_nan=False).encode()
        offset = self._append(data)
        os.pwrite(self._fd, RESULT_HEADER.pack(RESULT_MAGIC, offset, len(data)), 0)

    def _append(self, data: Any) -> int:
        offset = self._end
        view = memoryview(data)
        if offset + len(view) > self._size:
            raise ResultTooLarge
        written = 0
        while written < len(view):
            written += os.pwrite(self._fd, view[written:], offset + written)
        self._end = -(-(offset + len(view)) // BATCH_ALIGNMENT) * BATCH_ALIGNMENT
        return offset
