"""Files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import ConfigError

__all__ = ["exclusive", "is_private", "private_folder", "write_private"]


def private_folder(path: Path) -> Path:
    """The folder, made if need be, open to its owner alone.

    Raises:
        ConfigError: when it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix":
            path.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            f"The folder {path} cannot be used: {error.strerror}.", "Check its permissions."
        ) from None
    return path


def write_private(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write a file with mode 0600 so that readers see the old content or all of the new.

    Raises:
        FileExistsError: when it is there and `replace` is false.
        ConfigError: when it cannot be written.
    """
    try:
        if not replace:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(data)
            return
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives 0600
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}.", "Check the folder's permissions."
        ) from None


def is_private(path: Path) -> bool:
    """Whether nobody but its owner may read the file (always true where modes mean nothing)."""
    return os.name != "posix" or not path.stat().st_mode & 0o077


@contextlib.contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file for as long as the block runs; the system lets go of it when the process dies.

    Raises:
        ConfigError: when another process holds it.
    """
    with path.open("a+b") as stream:
        try:
            _lock(stream.fileno())
        except OSError:
            raise ConfigError(
                f"Another hub-connector is at work on {what}.",
                "Wait until it has ended, then run this again.",
            ) from None
        yield


def _lock(descriptor: int) -> None:
    if os.name == "posix":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
