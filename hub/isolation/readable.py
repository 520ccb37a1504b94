"""What of the machine a Python program must be able to read: its environment and what that stands on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hub.errors import ConfigurationError

__all__ = ["editable_source", "readable_paths"]

# Shared libraries and time zones; on a merged /usr the first four are links, which the sandbox makes itself.
_SYSTEM_LIBRARIES = (
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/share/zoneinfo",
)


def readable_paths(
    python: Path, homes: Sequence[Path], site_packages: Iterable[Path], more: Iterable[Path] = ()
) -> list[Path]:
    """Folders, none inside another.

    The environment and the Python installation it stands on (`homes`), the system's libraries, and the source folders
    of distributions installed as editable, which lie outside the environment.

    Raises:
        ConfigurationError: when one of them would show more than Python things.
    """
    wanted = [*homes, *(path.resolve() for path in homes)]
    wanted += _where_links_lead(python)
    wanted += [path for path in map(Path, _SYSTEM_LIBRARIES) if path.is_dir() and not path.is_symlink()]
    wanted += [path for folder in site_packages for path in _linked_folders(folder)]
    wanted += more
    distinct = sorted({path for path in wanted if path.is_dir()})
    for path in distinct:
        _refuse_if_too_wide(path)
    return [path for path in distinct if not any(other in path.parents for other in distinct)]


def _refuse_if_too_wide(path: Path) -> None:
    """A folder that holds more than Python things must never be shown to what may be hostile."""
    if path in (
        Path("/"),
        Path("/home"),
        Path("/root"),
        Path("/etc"),
        Path("/var"),
        Path(os.path.expanduser("~")),
    ):
        raise ConfigurationError(
            f"The Python environment would show a sandbox the whole of {path}. Put the environment, and "
            "what is installed in it as editable, into folders of their own."
        )


def _where_links_lead(program: Path) -> Iterator[Path]:
    """The folder of each program on the way from a virtual environment's link to the interpreter itself."""
    for _ in range(16):
        if not program.is_symlink():
            return
        program = Path(os.path.abspath(program.parent / os.readlink(program)))
        yield program.parent


def _linked_folders(site_packages: Path) -> Iterator[Path]:
    """Folders outside an environment that it imports from: of .pth files and of editable installs."""
    for file in sorted(site_packages.glob("*.pth")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("/") and Path(line).is_dir():
                yield Path(line)
    for metadata in distributions(path=[str(site_packages)]):
        source = editable_source(metadata)
        if source:
            yield source


def editable_source(metadata: Distribution) -> Path | None:
    """The source folder of a distribution installed as editable (PEP 610), else None."""
    text = metadata.read_text("direct_url.json")
    try:
        data = json.loads(text or "{}")
        editable = data.get("dir_info", {}).get("editable", False)
        source = Path(unquote(urlsplit(data["url"]).path)) if editable else None
    except (ValueError, KeyError, AttributeError):
        return None
    return source if source and source.is_dir() else None
