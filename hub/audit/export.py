"""The whole log as one file that can be verified anywhere, with no hub: entries as they were hashed, and checkpoints.

A text file of lines. The first is a JSON object: format, name of the log, number of entries, the key that signs now
and how it came after earlier ones. Each other line that begins with `{` is an entry, in order; each that begins with
`"` is a checkpoint (a signed note as a JSON string) over the entries before it. Nothing else is in the file: whoever
leaves out the end of it makes an earlier log, which only a checkpoint kept elsewhere shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit.checkpoint import CheckpointError, read_verifier_key, verifier_key
from hub.audit.reading import sealed_size
from hub.audit.succession import PastKey, SuccessionError, public_keys
from hub.audit.tables import CheckpointRow, EntryRow
from hub.audit.verify import Progress, Verification, Walk

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["FORMAT", "ExportError", "Header", "export_lines", "read_header", "verify_export"]

FORMAT: Final = "joinedup-audit/1"
_AT_ONCE: Final = 8192
_LONGEST: Final = 64 * 1024 * 1024


class ExportError(ValueError):
    """A file is no export of an audit log, or not of the log whose key was given."""


@dataclass(frozen=True)
class Header:
    """What the first line says; none of it is believed before its keys lead to one that was known before."""

    origin: str
    entries: int
    key: str
    succession: tuple[PastKey, ...]
    made_at: str


def export_lines(
    session: Session, origin: str, key: Ed25519PublicKey, succession: Sequence[PastKey], made_at: str,
    progress: Progress = lambda done, total: None,
) -> Iterator[bytes]:  # fmt: skip
    """The lines of an export, as far as the newest checkpoint reaches. The session must be fresh."""
    if session.get_bind().dialect.name == "postgresql" and not session.in_transaction():
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    size = sealed_size(session)
    header = {
        "format": FORMAT, "origin": origin, "entries": size, "made_at": made_at, "key": verifier_key(origin, key),
        "succession": [item.to_json() for item in succession],
    }  # fmt: skip
    yield _line(header)
    for start in range(0, size, _AT_ONCE):
        stop = min(size, start + _AT_ONCE)
        query = select(EntryRow.leaf_index, EntryRow.entry).where(
            EntryRow.leaf_index >= start, EntryRow.leaf_index < stop
        )
        notes = select(CheckpointRow.size, CheckpointRow.note).where(
            CheckpointRow.size > start, CheckpointRow.size <= stop
        )
        after = {place: _line(note) for place, note in session.execute(notes)}
        for place, entry in session.execute(query.order_by(EntryRow.leaf_index)):
            yield entry.encode() + b"\n"
            if note := after.get(place + 1):
                yield note
        progress(stop, size)


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def read_header(line: bytes) -> Header:
    """The first line of an export.

    Raises:
        ExportError: when it is none.
    """
    try:
        data = json.loads(line)
        if data["format"] != FORMAT:
            raise ValueError("another format")
        succession = tuple(PastKey.from_json(item) for item in data["succession"])
        return Header(
            str(data["origin"]), int(data["entries"]), str(data["key"]), succession, str(data["made_at"])
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ExportError(
            "this is no export of an audit log: make one with `hub audit export FILE`"
        ) from None


def verify_export(
    stream: BinaryIO, known: Iterable[str], published: Iterable[str] = (),
    progress: Progress = lambda done, total: None,
) -> Verification:  # fmt: skip
    """Recompute the log in an export and compare it with its checkpoints, and with `published` ones (signed notes).

    `known` are verifier keys that the auditor had before (current or earlier): the file's own keys count only as far as
    each change of keys, signed on both sides, leads to these.

    Raises:
        ExportError: when the file is none, or has nothing to do with a known key.
    """
    header = read_header(stream.readline(_LONGEST))
    keys = _trusted(header, list(known))
    found = Verification()
    walk = Walk(header.origin, keys, found, published)
    hashes: list[bytes] = []
    notes: list[tuple[int, str, bytes]] = []
    for line in chain(iter(lambda: stream.readline(_LONGEST), b""), (b"",)):
        if line[:1] == b'"':
            size = walk.tree.size + len(hashes)
            if notes and notes[-1][0] == size:
                found.report(f"There are two checkpoints of size {size}.")
            else:
                notes.append((size, _note(line), b""))
            continue
        if len(hashes) >= _AT_ONCE or not line:
            walk.add(hashes, notes)
            progress(walk.tree.size, header.entries)
            hashes, notes = [], []
        if line:
            hashes.append(sha256(b"\x00" + line.removesuffix(b"\n")).digest())
    found.entries = walk.tree.size
    if found.entries != header.entries:
        found.report(f"The file says it holds {header.entries} entries; it holds {found.entries}.")
    walk.finish()
    return found


def _note(line: bytes) -> str:
    try:
        return str(json.loads(line))
    except ValueError:
        return ""


def _trusted(header: Header, known: Sequence[str]) -> list[Ed25519PublicKey]:
    """Every key that signed this log, oldest first, when those that are known are among them."""
    try:
        origin, current = read_verifier_key(header.key)
        if origin != header.origin:
            raise ExportError("the file's key is of another log than its entries")
        keys = public_keys(origin, header.succession, current)
        mine = [read_verifier_key(text) for text in known]
    except (CheckpointError, SuccessionError, ExportError) as error:
        raise ExportError(str(error)) from None
    except ValueError:
        raise ExportError("the file's keys cannot be read") from None
    theirs = {key.public_bytes_raw() for key in keys}
    if not mine:
        raise ExportError("without a key that you know, the file proves nothing: give one with --key")
    for name, key in mine:
        if name != origin or key.public_bytes_raw() not in theirs:
            raise ExportError(f"the file is not of the log whose key you know ({name})")
    return keys
