"""The checkout as data: its files, its distributions and their requirements."""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Return every file that git tracks or would track (so a new file counts before it is committed)."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode("utf-8").split("\0")
    return tuple(sorted(ROOT / name for name in set(names) if name and (ROOT / name).is_file()))


@cache
def texts() -> dict[str, str]:
    """Return the content of every text file by its path within the repository."""
    found = {}
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found[path.relative_to(ROOT).as_posix()] = content.decode("utf-8", errors="replace")
    return found


def read_toml(path: str) -> dict[str, Any]:
    """Return one TOML file of the repository."""
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def distributions() -> dict[str, dict[str, Any]]:
    """Return every distribution's pyproject.toml by its folder ("." is the hub's)."""
    folders = [".", "schemas", "connectors", *plugin_folders()]
    return {folder: read_toml(f"{folder}/pyproject.toml") for folder in folders}


def plugin_folders() -> list[str]:
    """Return every folder below plugins/, the SDK's among them."""
    return sorted(f"plugins/{path.name}" for path in (ROOT / "plugins").iterdir() if path.is_dir())


def normal(name: str) -> str:
    """Return a package name the way locks spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(project: dict[str, Any], *, extras: bool = True) -> set[str]:
    """Return the normalised names of what a distribution requires, its own siblings left out."""
    lines = list(project["project"].get("dependencies", []))
    if extras:
        for extra in project["project"].get("optional-dependencies", {}).values():
            lines += extra
    names = {normal(re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0]) for line in lines}
    return {name for name in names if not name.startswith("joinedup-")}


def locked(name: str) -> dict[str, set[str]]:
    """Return what a lock pins: every package with its versions (more than one where Python decides)."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]+\])?==([^\s;\\]+)", line):
            found.setdefault(normal(match[1]), set()).add(match[2])
    return found
