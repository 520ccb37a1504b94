"""What a request brings along: uploaded files may be larger than other bodies, and lie in memory, never on a disk.

The server and the web framework both put what is large into temporary files, in the clear. A department's file must not
lie there. So for the addresses that take files, the server keeps the body in memory, as many at once as there is room
for, and the framework's own copy is a memory file. What is too large, or one too many, is read off the line and thrown
away, so that whoever sent it gets an answer in words and not a broken connection.
"""

from __future__ import annotations

import copy
import io
import re
import threading
import weakref
from typing import IO, TYPE_CHECKING, Any, Final

from flask import Request, current_app
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import ChunkedReceiver, FixedStreamReceiver
from werkzeug.utils import cached_property

from hub.errors import TooLarge, Unavailable
from hub.isolation.memory import memory_stream

if TYPE_CHECKING:
    from hub.config import Settings

__all__ = ["FileRequest", "Room", "channel_class", "most_body", "takes_files"]

#: The addresses that take files.
_FILES: Final = re.compile(r"/api/v1/datasets/[^/]+/uploads|/datasets/[^/]+/upload|/deliveries/[^/]+/mend")
#: What a form brings beside its file.
_BESIDE: Final = 1 << 20
#: As many files of full size may be on their way at once.
_AT_ONCE: Final = 4
#: More is not even read off the line.
_MOST_IN_VAIN: Final = 4 << 30
#: Set by the server alone; the request header of this name is taken off every request.
_DROPPED: Final = "X_HUB_BODY_DROPPED"


def takes_files(method: str, path: str) -> bool:
    """Whether a request may bring a file along."""
    return method == "POST" and _FILES.fullmatch(path) is not None


def most_body(settings: Settings) -> int:
    """Bytes of the largest body that an address for files takes."""
    return (settings.upload_mb << 20) + _BESIDE


class FileRequest(Request):
    """A request whose files lie in memory; for addresses that take files the limit is that of uploads."""

    @property
    def max_content_length(self) -> int | None:
        """Bytes that are read of the body."""
        if takes_files(self.method, self.path):
            return int(current_app.config["MAX_FILE_BODY"])
        return super().max_content_length

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        self._max_content_length = value

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body.

        Raises:
            TooLarge: when a file is larger than uploads may be.
            Unavailable: when there was no room for it.
        """
        if takes_files(self.method, self.path):
            most = self.max_content_length or 0
            if (self.content_length or 0) > most:
                raise TooLarge(
                    f"A file that is uploaded may have up to {(most - _BESIDE) >> 20:,} MiB. Use hub-connector push, "
                    "which takes data of any size, or split the file and add the parts one by one."
                )
            if f"HTTP_{_DROPPED}" in self.environ:
                raise Unavailable("Too many files are being uploaded just now. Try again in a few minutes.")
        return super().stream

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return memory_stream()


class Room:
    """How many bytes of files may be in memory at once, all requests together."""

    def __init__(self, size: int) -> None:
        self._left, self._lock = size, threading.Lock()

    def take(self, size: int) -> bool:
        """Take room, when there is enough."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give(self, size: int) -> None:
        """Give it back."""
        with self._lock:
            self._left += size


class _Nowhere:
    """A buffer that keeps nothing."""

    def append(self, data: bytes) -> None:
        """Forget it."""

    def __len__(self) -> int:
        return 0

    def getfile(self) -> IO[bytes]:
        """An empty file."""
        return io.BytesIO()

    def close(self) -> None:
        """Nothing to close."""


def channel_class(settings: Settings) -> type[HTTPChannel]:
    """The server's connections, with bodies taken as this module says."""
    most, room = most_body(settings), Room(_AT_ONCE * most_body(settings))

    class Parser(_FileParser):
        limit, shared = most, room

    class Channel(HTTPChannel):  # type: ignore[misc, unused-ignore]
        parser_class = Parser

    return Channel


class _FileParser(HTTPRequestParser):  # type: ignore[misc, unused-ignore]
    """Takes bodies for addresses that take files into memory, as far as there is room."""

    limit: int
    shared: Room

    def parse_header(self, header_plus: bytes) -> None:
        """Decide about the body as soon as its length is known."""
        super().parse_header(header_plus)
        self.headers.pop(_DROPPED, None)
        if not takes_files(self.command, self.path) or (self.content_length == 0 and not self.chunked):
            return
        self.adj = copy.copy(self.adj)
        # Without an announced length the server itself breaks off at the limit.
        size = self.limit if self.chunked else self.content_length
        self.adj.max_request_body_size = self.limit if self.chunked else _MOST_IN_VAIN
        if size <= self.limit and self.shared.take(size):
            self._give_back = weakref.finalize(self, self.shared.give, size)
            buffer: Any = OverflowableBuffer(self.limit + 1)
        else:
            buffer = _Nowhere()
            self.headers[_DROPPED] = "1"
        self.body_rcv = ChunkedReceiver(buffer) if self.chunked else FixedStreamReceiver(size, buffer)

    def close(self) -> None:
        """The request is done with."""
        super().close()
        if (give_back := getattr(self, "_give_back", None)) is not None:
            give_back()
