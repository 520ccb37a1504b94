"""The plugins' own Python environment: what of the machine it needs to see, and which plugins it holds.

Read from the files of the environment only. No plugin code is imported here, nor is its `site` (whose .pth
files could run code): the interpreter is asked, without site, where its installation is, and that is all it
is asked.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from hub.errors import ConfigurationError
from hub.isolation.readable import editable_source, readable_paths
from hub_sdk import ENTRY_POINT_GROUP

__all__ = ["Environment", "Installed"]

_ASK = (
    "import sys; print(sys.base_prefix); print(sys.base_exec_prefix); print('%d.%d' % sys.version_info[:2])"
)
# Left out of a plugin's digest: they differ from machine to machine for the very same plugin.
_NOT_DIGESTED = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True)
class Installed:
    """A plugin as its distribution's metadata names it: not yet loaded, perhaps not loadable."""

    name: str
    entry_point: str
    distribution: str
    version: str
    metadata: Distribution

    def digest(self) -> str:
        """SHA-256 (hex) over names and contents of the distribution's files, however it is installed."""
        total = hashlib.sha256()
        for name, path in sorted(self._files()):
            total.update(f"{name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return total.hexdigest()

    def _files(self) -> Iterator[tuple[str, Path]]:
        source = editable_source(self.metadata)
        for file in self.metadata.files or ():
            path = Path(str(file.locate()))
            if path.is_file() and _is_digested(path) and not (source and path.suffix == ".pth"):
                yield f"installed/{file.as_posix()}", path
        if source:
            for path in _source_files(source):
                yield f"source/{path.relative_to(source).as_posix()}", path


class Environment:
    """A virtual environment (or plain installation) that plugins run in.

    Args:
        python: its interpreter, as `.../bin/python`; not resolved, as its place tells the environment.
        module_path: one more folder with plugins beside those installed.

    Raises:
        ConfigurationError: when there is no such interpreter, or it does not run.
    """

    def __init__(self, python: Path, module_path: Path | None = None) -> None:
        self.python = Path(os.path.abspath(python))
        self.module_path = None if module_path is None else Path(os.path.abspath(module_path))
        if not os.access(self.python, os.X_OK):
            raise ConfigurationError(
                f"{self.python}: there is no Python program for plugins. Run `make install`, or name one "
                "with the setting plugin_python (HUB_PLUGIN_PYTHON)."
            )
        base, base_exec, version = self._ask()
        self.prefix = self.python.parent.parent
        self.bases = tuple(dict.fromkeys((Path(base), Path(base_exec))))
        library = f"python{version}"
        homes = (self.prefix, *self.bases) if not self._is_virtual() else (self.prefix,)
        candidates = [
            home / lib / library / kind for home in homes for lib in ("lib", "lib64") for kind in _SITES
        ]
        self.site_packages = tuple(path for path in candidates if path.is_dir())

    def _ask(self) -> list[str]:
        try:
            done = subprocess.run(
                [str(self.python), "-I", "-S", "-c", _ASK],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
                env={},
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigurationError(
                f"{self.python} does not run: {error}. Build it again: `make install`."
            ) from None
        return done.stdout.split("\n")[:3]

    def _is_virtual(self) -> bool:
        return (self.prefix / "pyvenv.cfg").is_file()

    def plugins(self) -> list[Installed]:
        """Every entry point of the plugin group, by name. Raises ConfigurationError if two have one name."""
        paths = [*([self.module_path] if self.module_path else []), *self.site_packages]
        found: dict[str, Installed] = {}
        for metadata in distributions(path=[str(path) for path in paths]):
            for point in metadata.entry_points:
                if point.group != ENTRY_POINT_GROUP:
                    continue
                if point.name in found and found[point.name].distribution != metadata.name:
                    other = found[point.name].distribution
                    raise ConfigurationError(
                        f"Two distributions have a plugin {point.name}: {other} and {metadata.name}."
                    )
                found.setdefault(
                    point.name, Installed(point.name, point.value, metadata.name, metadata.version, metadata)
                )
        return [found[name] for name in sorted(found)]

    def readable_paths(self) -> list[Path]:
        """The folders a worker must be able to read, none inside another."""
        more = [self.module_path] if self.module_path else []
        return readable_paths(self.python, [self.prefix, *self.bases], self.site_packages, more)


_SITES = ("site-packages", "dist-packages")


def _is_digested(path: Path) -> bool:
    return path.suffix != ".pyc" and path.name not in _NOT_DIGESTED and "__pycache__" not in path.parts


def _source_files(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _is_source_folder(Path(where, name))]
        for name in files:
            path = Path(where, name)
            if not name.startswith(".") and path.is_file() and _is_digested(path):
                yield path


def _is_source_folder(path: Path) -> bool:
    if (
        path.name.startswith(".")
        or path.name in _SKIPPED_FOLDERS
        or re.search(r"\.(egg|dist)-info$", path.name)
    ):
        return False
    return not (path / "pyvenv.cfg").exists() and not path.is_symlink()
