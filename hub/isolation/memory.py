"""What passes between the hub and a worker, as memory files: never a path, never a disk."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MemoryFiles", "memory_stream"]

_SEAL_ALL = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class MemoryFiles:
    """The memory files of one run; closed together. File descriptors are not inherited by other children."""

    def __init__(self) -> None:
        self.fds: list[int] = []

    def __enter__(self) -> MemoryFiles:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()

    def sealed(self, data: bytes) -> int:
        """A read-only file with these bytes."""
        fd = self._new()
        with open(fd, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(fd, 0, os.SEEK_SET)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEAL_ALL)
        return fd

    def adopted(self, stream: BinaryIO) -> int:
        """What was written into a `memory_stream`, read-only from now on; the stream may be closed."""
        stream.flush()
        fd = os.dup(stream.fileno())
        self.fds.append(fd)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEAL_ALL)
        return fd

    def table(self, table: pa.Table) -> tuple[int, int]:
        """A read-only file with the table as an Arrow IPC stream: its descriptor and size in bytes."""
        import pyarrow as pa

        fd = self._new()
        with open(fd, "wb", closefd=False) as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEAL_ALL)
        return fd, os.fstat(fd).st_size

    def growing(self) -> int:
        """An empty file for a worker to write into."""
        return self._new()

    def content(self, fd: int) -> bytes:
        """What a worker wrote into a growing file."""
        return os.pread(fd, os.fstat(fd).st_size, 0)

    def result(self, size: int) -> int:
        """A file of exactly `size` bytes for a worker to write into; takes memory only where written."""
        fd = self._new()
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        return fd

    def _new(self) -> int:
        fd = _memory_file()
        self.fds.append(fd)
        return fd


def memory_stream() -> BinaryIO:
    """An empty file in memory to write into and read back, for what may not lie on a disk in the clear."""
    return open(_memory_file(), "w+b")


def _memory_file() -> int:
    # The name shows in /proc/PID/maps: it says nothing.
    return os.memfd_create("hub", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
