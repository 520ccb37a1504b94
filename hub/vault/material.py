"""Parquet external key material held in memory.

pyarrow keeps the key material of a file beside it, through a file system; this one has a single document and no
disk, so the material can live in the database, in the transaction that accepts the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from hub.errors import Invalid

#: The path that is given to pyarrow for a Parquet file whose material is in a `MaterialHandler`.
PARQUET_PATH = "m/file.parquet"


class MaterialHandler(pafs.FileSystemHandler):
    """A file system with one document: what pyarrow writes is kept in `document`, and read from there."""

    def __init__(self, document: bytes = b"") -> None:
        self.document = document

    def get_type_name(self) -> str:
        return "key-material"

    def normalize_path(self, path: str) -> str:
        return path

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        kind = pafs.FileType.File if self.document else pafs.FileType.NotFound
        return [pafs.FileInfo(path, kind, size=len(self.document)) for path in paths]

    def open_input_file(self, path: str) -> pa.NativeFile:
        return pa.PythonFile(pa.BufferReader(self.document), mode="r")

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return pa.PythonFile(pa.BufferReader(self.document), mode="r")

    def open_output_stream(self, path: str, metadata: Any) -> pa.NativeFile:
        return pa.PythonFile(_Capture(self), mode="w")

    def _refuse(self, *_: object) -> Any:
        raise OSError("key material is kept in one place and not moved")

    get_file_info_selector = create_dir = delete_dir = delete_dir_contents = _refuse
    delete_root_dir_contents = delete_file = move = copy_file = open_append_stream = _refuse


class _Capture:
    """A writable that hands everything to the handler when it is closed."""

    def __init__(self, handler: MaterialHandler) -> None:
        self._handler, self._parts, self.closed = handler, [], False

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._handler.document = b"".join(self._parts)


def wrapped_keys(material: Mapping[str, str]) -> dict[str, str]:
    """The wrapped data key of each key id in key material.

    Raises:
        Invalid: when one id stands twice: each column of a file has a key of its own.
    """
    found: dict[str, str] = {}
    for text in material.values():
        entry = json.loads(text)
        if entry["masterKeyID"] in found:
            raise Invalid(f"The key material names {entry['masterKeyID']!r:.80} twice.")
        found[entry["masterKeyID"]] = entry["wrappedDEK"]
    return found


def rewrap(material: dict[str, str], change: Callable[[str, str], str]) -> dict[str, str]:
    """Key material in which `change(key_id, wrapped)` stands in place of each wrapped data key.

    The form is that of the Parquet key tools (type PKMT1, single wrapping).
    """
    changed = {}
    for name, text in material.items():
        entry = json.loads(text)
        entry["wrappedDEK"] = change(entry["masterKeyID"], entry["wrappedDEK"])
        changed[name] = json.dumps(entry)
    return changed
