"""A private copy of a remote file, so that it is fetched once and read as often as a format needs.

The copy lies in an unnamed temporary file and is encrypted (AES-256-CTR) with a key that only this process has and
that dies with it: what lies on the disk is nothing to anybody, even when the process is killed.
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import Any, BinaryIO, Final

from ...errors import SourceError

__all__ = ["MOST_BYTES", "FetchedBlob", "Spool"]

#: Bytes that a file may have if nothing else is said.
MOST_BYTES: Final = 20 * 10**9
_BLOCK: Final = 16
_READ_AHEAD: Final = 1 << 18


class Spool:
    """Bytes that are appended first and then read at any place."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._file = tempfile.TemporaryFile(prefix="hub-connector-", buffering=0)  # noqa: SIM115 (closed below)
        weakref.finalize(self, self._file.close)
        self._key, self._nonce = os.urandom(32), os.urandom(8)
        self._lock = threading.Lock()
        self.size = 0
        self._cipher = self._at(0)

    def append(self, data: bytes) -> None:
        """Add bytes at the end.

        Raises:
            SourceError: when there are more than allowed, or no room for them.
        """
        if self.size + len(data) > self._most:
            raise SourceError(
                f"{self._name} has more than {self._most:,} bytes.",
                "If that is right, raise the limit: the option max_bytes, for example 50GB.",
            )
        try:
            with self._lock:
                self._file.seek(self.size)
                left = memoryview(self._cipher.update(data))
                while left:
                    left = left[self._file.write(left) :]
        except OSError as error:
            raise SourceError(
                f"There is no room for a copy of {self._name}: {error.strerror}.",
                f"Make room in {tempfile.gettempdir()}, or name another folder with the variable TMPDIR.",
            ) from None
        self.size += len(data)

    def restart(self) -> None:
        """Forget everything. A new key stream, since one must never cover two texts."""
        self._file.truncate(0)
        self._nonce = os.urandom(8)
        self.size = 0
        self._cipher = self._at(0)

    def read(self, place: int, count: int) -> bytes:
        """At most `count` bytes from `place` on; fewer only at the end."""
        first = place - place % _BLOCK
        wanted = min(place + count, self.size) - first
        if wanted <= place - first:
            return b""
        with self._lock:
            self._file.seek(first)
            pieces, missing = [], wanted
            while missing and (piece := self._file.read(missing)):
                pieces.append(piece)
                missing -= len(piece)
        return self._at(first // _BLOCK).update(b"".join(pieces))[place - first :]

    def open(self) -> BinaryIO:
        """A new stream over the whole, from the first byte."""
        return io.BufferedReader(_Stream(self), _READ_AHEAD)

    def _at(self, block: int) -> Any:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        counter = self._nonce + block.to_bytes(8, "big")
        return Cipher(algorithms.AES(self._key), modes.CTR(counter)).encryptor()


class _Stream(io.RawIOBase):
    def __init__(self, spool: Spool) -> None:
        self._spool, self._place = spool, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._spool.size}[whence]
        if start + offset < 0:
            raise ValueError("a place before the first byte")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:
        view = memoryview(buffer).cast("B")
        data = self._spool.read(self._place, len(view))
        view[: len(data)] = data
        self._place += len(data)
        return len(data)


class FetchedBlob:
    """A remote file as a `Blob`: fetched whole when it is first opened, and only then.

    Every reading sees the same bytes, whatever happens to the remote file meanwhile; so it is settled.
    """

    settled = True

    def __init__(self, name: str, most: int, fetch: Callable[[Spool], None]) -> None:
        self.name = name
        self._most, self._fetch = most, fetch
        self._spool: Spool | None = None

    @classmethod
    def holding(cls, name: str, spool: Spool) -> FetchedBlob:
        """A file that has been fetched already."""
        blob = cls(name, spool.size, lambda _: None)
        blob._spool = spool
        return blob

    def open(self) -> BinaryIO:
        """The copy, from its first byte.

        Raises:
            SourceError: when the file cannot be fetched.
        """
        if self._spool is None:
            spool = Spool(self._most, self.name)
            self._fetch(spool)
            self._spool = spool
        return self._spool.open()
