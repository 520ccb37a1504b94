"""Resolve the requirements into hash-pinned locks that name packages, versions and hashes only.

Run by `make lock`; `make lock ARGS=--upgrade` takes the newest versions instead of keeping the locked ones.
The locks are universal (every platform, Python 3.11 and later). `requirements/dev.lock` is resolved first and
the others are held to its versions, so that what is tested is what runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HUB = "pyproject.toml"
PLUGINS = tuple(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("plugins/*/pyproject.toml")))
WORKSPACE = (HUB, "schemas/pyproject.toml", "connectors/pyproject.toml", *PLUGINS)
LOCKS = {
    # Development and tests: everything at once, so that any module can be tested and type-checked.
    "requirements/dev.lock": ["--all-extras", "requirements/dev.in", *WORKSPACE],
    # The environment in which plugins run: nothing of the hub's own requirements.
    "requirements/plugins.lock": ["requirements/plugins.in", *PLUGINS],
    # The hub in service, for the images.
    "requirements/hub.lock": ["--all-extras", HUB],
    # Building the distributions, for the images.
    "requirements/build.lock": ["requirements/build.in"],
}


def command(lock: str, arguments: list[str], extra: list[str]) -> list[str]:
    """Return the uv command that writes `lock`, a path below the repository."""
    options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--python-version", "3.11"]
    for project in WORKSPACE:  # our own distributions are installed from the checkout, never from a lock
        name = tomllib.loads((ROOT / project).read_text(encoding="utf-8"))["project"]["name"]
        options += ["--no-emit-package", name]
    if lock != "requirements/dev.lock":
        options += ["--constraints", "requirements/dev.lock"]
    uv = Path(sysconfig.get_path("scripts"), "uv")
    return [str(uv), "pip", "compile", "--quiet", *options, *extra, *arguments, "--output-file", lock]


def main(extra: list[str]) -> int:
    """Write every lock, one line of progress each; return uv's exit status if it fails."""
    for lock, arguments in LOCKS.items():
        print(f"Resolving {lock}", flush=True)
        path = ROOT / lock
        before = (path.read_bytes(), path.stat()) if path.exists() else None
        done = subprocess.run(command(lock, arguments, extra), cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
        if before and path.read_bytes() == before[0]:
            # Nothing new: keep the time as well, or make would build the environment again.
            os.utime(path, ns=(before[1].st_atime_ns, before[1].st_mtime_ns))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
