"""What the readers of all file formats share: a name, whether reading again is dear, a fingerprint, column labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..errors import SourceError

if TYPE_CHECKING:
    from .base import Update
    from .blob import Blob

__all__ = ["BlobSource", "column_labels", "listed", "shown"]

_BLOCK: Final = 1 << 20


class BlobSource:
    """A source that is one file. A format adds `read`.

    options: how it is to be read, as a frozen dataclass of the format, so that its text says which.
    """

    def __init__(self, blob: Blob, options: object) -> None:
        self.blob = blob
        self.name = blob.name
        self.streamed = not blob.settled
        self._how = options

    def fingerprint(self, update: Update) -> None:
        """How the file is to be read, and its bytes; of a file elsewhere only which one it is.

        Raises:
            SourceError: when it cannot be read.
        """
        update(repr(self._how).encode() + b"\n")
        # A file inside an archive is known by the archive: no need to unpack it for this.
        outer = getattr(self.blob, "packed", self.blob)
        if outer is not self.blob:
            update(self.name.encode("utf-8", "replace") + b"\n")
        if self.streamed:
            update(str(getattr(outer, "identity", outer.name)).encode("utf-8", "replace"))
            return
        with outer.open() as stream:
            try:
                while block := stream.read(_BLOCK):
                    update(block)
            except OSError as error:
                raise SourceError(f"{self.name} cannot be read: {error.strerror}.", "Try again.") from None


def column_labels(cells: Sequence[str], name: str) -> tuple[str, ...]:
    """The header's names without blanks around them. Nameless columns beyond the first get their place as name.

    Raises:
        SourceError: when a name stands twice.
    """
    labels = [cell.strip() for cell in cells]
    twice = [label for label, count in Counter(labels).items() if count > 1 and label]
    if twice:
        named = "; ".join(f"{label!r:.60} {labels.count(label)} times" for label in twice[:5])
        raise SourceError(
            f"The header of {name} has a column name more than once: {named}.",
            "Give each column its own name in the export. If this is not the header, say which row is: --header-row.",
        )
    nameless = [index for index, label in enumerate(labels) if not label]
    for index in nameless[1:]:
        labels[index] = f"(column {index + 1})"
    return tuple(labels)


def shown(text: str, most: int = 200) -> str:
    """A name out of a file, fit for one line of a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:most])


def listed(names: Sequence[str], most: int = 5) -> str:
    """Some names in quotation marks, cut short."""
    shown = ", ".join(f"{name!r:.60}" for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
