"""Encrypted files: a folder or an S3 bucket behind one small interface.

Objects are immutable and written whole: a reader sees all of an object or none of it. The keys are paths with
slashes. pyarrow's file systems do the work, so that Parquet is read from either place without a copy.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hub.errors import ConfigurationError, NotFound, Unavailable
from hub.storage.ids import new_id

if TYPE_CHECKING:
    import pyarrow.fs as pafs

__all__ = ["ObjectStore", "Spool", "shown"]

_CHUNK = 4 * 1024 * 1024


class ObjectStore:
    """Objects under a root that is a folder or `s3://bucket/prefix?endpoint_override=...`.

    Raises:
        ConfigurationError: when the root cannot be used.
    """

    def __init__(self, root: str) -> None:
        import pyarrow as pa
        import pyarrow.fs as pafs

        self._folder: Path | None = None
        try:
            if "://" in root:
                self.filesystem, base = pafs.FileSystem.from_uri(root)
                self._base = base.rstrip("/")
                if not self._base:
                    raise ConfigurationError(
                        f"The object store {shown(root)} names no bucket: s3://BUCKET/PREFIX."
                    )
            else:
                self._folder = Path(root).absolute()
                _make_private(self._folder)
                self.filesystem = pafs.LocalFileSystem()
                self._base = str(self._folder)
        except (pa.ArrowInvalid, OSError) as error:
            why = str(error).replace(root, shown(root))
            raise ConfigurationError(f"The object store {shown(root)} cannot be used: {why}") from None

    def path(self, key: str) -> str:
        """The path of an object within `filesystem`."""
        if not key or key.startswith("/") or any(part in ("", ".", "..") for part in key.split("/")):
            raise ValueError(f"not an object key: {key!r}")
        return f"{self._base}/{key}"

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write an object whole and durably; an existing one is replaced."""
        with self.writer(key) as stream:
            stream.write(data)

    def put_file(self, key: str, source: Path) -> None:
        """Copy a local file to an object, whole and durably."""
        with self.writer(key) as stream, source.open("rb") as data:
            shutil.copyfileobj(data, stream, _CHUNK)

    def writer(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A context manager that gives a binary stream; the object appears when it ends without error."""
        self.path(key)
        return self._writing(key)

    @contextmanager
    def _writing(self, key: str) -> Iterator[BinaryIO]:
        with self.spool() as spool:
            yield spool.stream
            spool.publish(key)

    def spool(self) -> Spool:
        """A context manager that gives a temporary file, for who learns only later what it is to become."""
        return Spool(self)

    @contextmanager
    def local(self, key: str) -> Iterator[BinaryIO]:
        """An object as a file of this machine, open for reading; from a bucket it is fetched first.

        Raises:
            NotFound: when there is none.
            OSError: when the place does not answer.
        """
        if self._folder is not None:
            try:
                with Path(self.path(key)).open("rb") as stream:
                    yield stream
            except FileNotFoundError:
                raise NotFound(f"There is no object {key}.") from None
            return
        with tempfile.TemporaryFile() as copy:  # what lies in the store is encrypted, and so is the copy
            with self.open(key) as source:
                shutil.copyfileobj(source, copy, _CHUNK)
            copy.seek(0)
            yield copy

    def get_bytes(self, key: str) -> bytes:
        """The content of an object.

        Raises:
            NotFound: when there is none.
        """
        try:
            with self.filesystem.open_input_stream(self.path(key)) as stream:
                return bytes(stream.readall())
        except FileNotFoundError:
            raise NotFound(f"There is no object {key}.") from None

    def open(self, key: str) -> pafs.NativeFile:
        """A random-access stream over an object.

        Raises:
            NotFound: when there is none.
        """
        try:
            return self.filesystem.open_input_file(self.path(key))
        except FileNotFoundError:
            raise NotFound(f"There is no object {key}.") from None

    def ping(self) -> None:
        """Look whether the place is there.

        Raises:
            Unavailable: when the folder or bucket is gone.
            OSError: when the file system does not answer.
        """
        import pyarrow.fs as pafs

        # A prefix in a bucket is there once it holds something; the bucket itself must be.
        place = self._base if self._folder else self._base.partition("/")[0]
        if self.filesystem.get_file_info(place).type != pafs.FileType.Directory:
            raise Unavailable(
                "The place where encrypted files are kept is gone; look at the setting objects."
            )

    def size(self, key: str) -> int | None:
        """Size in bytes, or None when there is no such object."""
        import pyarrow.fs as pafs

        info = self.filesystem.get_file_info(self.path(key))
        return None if info.type != pafs.FileType.File else int(info.size)

    def list(self, prefix: str, before: datetime | None = None) -> list[str]:
        """The keys under a prefix (a folder), sorted; only those written before a moment, if one is given."""
        import pyarrow.fs as pafs

        selector = pafs.FileSelector(self.path(prefix), recursive=True, allow_not_found=True)
        start = len(self._base) + 1
        return sorted(
            info.path[start:]
            for info in self.filesystem.get_file_info(selector)
            if info.type == pafs.FileType.File
            and not info.base_name.startswith(".tmp-")
            and (before is None or (info.mtime is not None and info.mtime < before))
        )

    def delete(self, key: str) -> None:
        """Remove an object; removing one that is not there is no error."""
        try:
            self.filesystem.delete_file(self.path(key))
        except FileNotFoundError:
            return

    def delete_prefix(self, prefix: str) -> None:
        """Remove every object under a prefix."""
        import pyarrow.fs as pafs

        if self.filesystem.get_file_info(self.path(prefix)).type == pafs.FileType.Directory:
            self.filesystem.delete_dir(self.path(prefix))


class Spool:
    """A temporary file that becomes an object when it is published, and vanishes when it is not.

    In a folder it is renamed, so that an object is whole or absent. Closing an unfinished S3 stream would publish half
    an object, so S3 objects are spooled too (what passes here is encrypted already).
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __enter__(self) -> Spool:
        self._path: Path | None = None
        if self._store._folder is None:
            self.stream: BinaryIO = tempfile.TemporaryFile()
            return self
        _make_private(self._store._folder)
        self._path = self._store._folder / f".tmp-{new_id('w')}"
        self.stream = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def publish(self, key: str) -> None:
        """Make what was written the object of that key, whole and durably; nothing can be written afterwards."""
        path = self._store.path(key)
        self.stream.flush()
        if self._path is None:
            self.stream.seek(0)
            with self._store.filesystem.open_output_stream(path) as upload:
                shutil.copyfileobj(self.stream, upload, _CHUNK)
            return
        target = Path(path)
        _make_private(target.parent)
        os.fsync(self.stream.fileno())
        self._path.replace(target)
        _sync_folder(target.parent)


def shown(root: str) -> str:
    """A root as it may be shown: without the keys and options it may hold."""
    return re.sub(r"//[^/@]*@", "//", root.partition("?")[0])


def _make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing, all for the hub's user only."""
    missing = [path for path in (folder, *folder.parents) if not path.is_dir()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True, mode=0o700)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
