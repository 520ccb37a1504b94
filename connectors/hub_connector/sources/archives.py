"""Files packed as .gz or .zip: the one data file inside, unpacked while it is read, never onto the disk.

A file can be made that is small and unpacks to more than any disk holds. So what comes out is counted: beyond
`PLENTY` it may be no more than `MOST_RATIO` times what went in, and never more than `MOST_BYTES`.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO, Final, cast

from ..errors import SourceError
from ._file import listed, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from .blob import Blob

__all__ = [
    "MOST_BYTES",
    "MOST_MEMORY",
    "MOST_RATIO",
    "PLENTY",
    "Packed",
    "in_memory",
    "unpacked_gz",
    "unpacked_zip",
]

#: Bytes unpacked below which nobody minds how small they were packed.
PLENTY: Final = 256 << 20
#: How many bytes may come out for each that went in; tables of real data reach 20 to 100.
MOST_RATIO: Final = 300
#: Bytes of one unpacked file.
MOST_BYTES: Final = 64 << 30
#: Bytes of a file that has to be held in memory as a whole, because its format is read from its end.
MOST_MEMORY: Final = 1 << 30
_MOST_ENTRIES: Final = 100_000
#: What programs leave in archives beside the data.
_CLUTTER: Final = ("__MACOSX", "Thumbs.db", "desktop.ini", "META-INF")


class Packed:
    """The one file inside an archive. `packed` is the archive itself.

    name: the file's own name, its suffix tells the format.
    """

    def __init__(self, packed: Blob, name: str, size: int, unpack: Callable[[BinaryIO], IO[bytes]]) -> None:
        self.packed, self.name, self.settled = packed, name, packed.settled
        self._size, self._unpack = size, unpack

    def open(self) -> BinaryIO:
        """The unpacked bytes; going back unpacks anew.

        Raises:
            SourceError: also later, when reading finds the archive damaged or too much in it.
        """
        return cast("BinaryIO", io.BufferedReader(_Unpacking(self), 1 << 18))

    def start(self) -> tuple[BinaryIO, IO[bytes]]:
        """The archive, and a stream of what is unpacked from it."""
        outer = self.packed.open()
        try:
            return outer, self._unpack(outer)
        except _DAMAGE as error:
            outer.close()
            raise _damaged(self.packed.name, error) from None
        except BaseException:
            outer.close()
            raise

    @property
    def most(self) -> int:
        """Bytes that may come out."""
        return min(MOST_BYTES, max(PLENTY, self._size * MOST_RATIO))


#: What Python's unpackers raise for damaged or unusual archives.
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    ValueError,
    RuntimeError,
)


class _Unpacking(io.RawIOBase):
    """Unpacked bytes, counted, with the unpackers' many errors in one."""

    def __init__(self, blob: Packed) -> None:
        self._blob, self._position = blob, 0
        self._outer, self._inner = blob.start()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._inner.read(len(buffer))
        except _DAMAGE as error:
            raise _damaged(self._blob.packed.name, error) from None
        self._position += len(data)
        if self._position > self._blob.most:
            raise SourceError(
                f"{self._blob.packed.name} unpacks to more than {self._blob.most >> 20:,} MiB, far more than its size "
                "explains.",
                "If that is right, unpack it yourself and give the file.",
            )
        buffer[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = offset if whence == io.SEEK_SET else self._position + offset
        if whence == io.SEEK_END or target < 0:
            raise io.UnsupportedOperation("the end of a packed file is not known")
        if target < self._position:
            self._shut()
            self._outer, self._inner = self._blob.start()
            self._position = 0
        skipped = bytearray(1 << 18)
        while self._position < target:
            if not self.readinto(memoryview(skipped)[: target - self._position]):
                break
        return self._position

    def close(self) -> None:
        if not self.closed:
            self._shut()
        super().close()

    def _shut(self) -> None:
        self._inner.close()
        self._outer.close()


def unpacked_gz(blob: Blob) -> Packed:
    """What is inside a .gz."""
    name = blob.name[:-3] if blob.name.lower().endswith(".gz") else blob.name
    return Packed(blob, name or blob.name, _size(blob), lambda outer: gzip.GzipFile(fileobj=outer, mode="rb"))


def unpacked_zip(blob: Blob) -> Packed:
    """The one data file inside a .zip.

    Raises:
        SourceError: when there is none or more than one, or it is locked or damaged.
    """
    with blob.open() as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                entries = archive.infolist()
        except _DAMAGE as error:
            raise _damaged(blob.name, error) from None
    if len(entries) > _MOST_ENTRIES:
        raise SourceError(f"{blob.name} holds {len(entries):,} files.", "Give the one with the data.")
    files = [entry for entry in entries if not _is_clutter(entry.filename)]
    if len(files) != 1:
        names = [_shown(entry.filename) for entry in files]
        what = f"holds {len(files)} files ({listed(names)})" if files else "holds no file"
        raise SourceError(
            f"{blob.name} {what}; a .zip with one data file is read.", "Unpack it, and give one file."
        )
    (entry,) = files
    if entry.flag_bits & 1:
        raise SourceError(f"{blob.name} is locked with a password.", "Unpack it, and give the file inside.")

    def unpack(outer: BinaryIO) -> IO[bytes]:
        return zipfile.ZipFile(outer).open(entry)

    return Packed(blob, f"{blob.name}/{_shown(entry.filename)}", entry.compress_size, unpack)


def in_memory(blob: Blob, most: int = MOST_MEMORY) -> bytes:
    """All bytes of a file.

    Raises:
        SourceError: when it is too large for that.
    """
    with blob.open() as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise SourceError(
            f"{blob.name} is larger than {most >> 20:,} MiB, which is more than can be read of this format in memory.",
            "Unpack it first, split it, or export CSV, which may be of any size.",
        )
    return data


def _size(blob: Blob) -> int:
    with blob.open() as stream:
        return stream.seek(0, io.SEEK_END)


def _is_clutter(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return (
        not parts
        or name.endswith("/")
        or parts[0] in _CLUTTER
        or parts[-1] in _CLUTTER
        or parts[-1].startswith(".")
    )


def _shown(name: str) -> str:
    """A name from inside an archive, which may hold anything."""
    return shown(PurePosixPath(name.replace("\\", "/")).name[-100:])


def _damaged(name: str, error: BaseException) -> SourceError:
    """The true reason, as far as it is safe to say: some errors quote names from inside."""
    if isinstance(error, NotImplementedError):
        return SourceError(
            f"{name} is packed in a way that is not supported.", "Unpack it, and give the file inside."
        )
    if isinstance(error, OSError) and error.errno is not None:
        return SourceError(f"{name} cannot be read: {error.strerror}.", "Try again.")
    what = "cut short" if isinstance(error, EOFError) else "damaged"
    return SourceError(f"{name} is {what}: it cannot be unpacked to its end.", "Fetch or export it again.")
