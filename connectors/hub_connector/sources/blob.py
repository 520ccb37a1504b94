"""Bytes at some place: what readers of file formats read, wherever the file lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import SourceError

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["Blob", "LocalBlob"]


class Blob(Protocol):
    """A file somewhere, opened as often as needed.

    name: what people know it by, its suffix tells the format; never holds a secret. settled: whether reading it twice
    is cheap and gives the same bytes (a local file); a remote one is read as few times as possible.
    """

    name: str
    settled: bool

    def open(self) -> BinaryIO:
        """A new seekable stream from the first byte; the caller closes it.

        Raises:
            SourceError: in words, saying what to do next.
        """
        ...


class LocalBlob:
    """A file on this machine."""

    settled = True

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name

    def open(self) -> BinaryIO:
        """The file.

        Raises:
            SourceError: when it cannot be opened.
        """
        try:
            return self.path.open("rb")
        except OSError as error:
            raise SourceError(
                f"{self.name} cannot be read: {error.strerror}.", "Check its permissions and its place."
            ) from None
