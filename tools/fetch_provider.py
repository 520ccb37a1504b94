"""Fetch the OpenID provider that the sign-in tests speak with, and prove that it is the pinned one.

The npm package ``oidc-provider`` is a certified implementation of OpenID Connect. It and what it needs are named
with version and SHA-512 in ``tests/oidc/pins.json``; npm downloads the tarballs (npm's own configuration says from
where), each is compared with its digest, and its files are unpacked into ``tests/oidc/node_modules``. No script of a
package is run. Nothing of it is part of the hub.

Running it again does nothing while the pins are the same.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fetch_assets import NPM_TIMEOUT_SECONDS, AssetError, npm_command

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "oidc"
STAMP = ".pins"


@dataclass(frozen=True)
class Pin:
    """One package at one place in the tree."""

    place: str
    name: str
    version: str
    integrity: str

    @property
    def spec(self) -> str:
        """As npm is asked for it."""
        return f"{self.name}@{self.version}"

    @property
    def tarball(self) -> str:
        """The file name that ``npm pack`` gives it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


def read_pins(folder: Path = FOLDER) -> list[Pin]:
    """What is pinned."""
    return [Pin(**item) for item in json.loads((folder / "pins.json").read_text("utf-8"))]


def is_current(folder: Path = FOLDER) -> bool:
    """Whether what is there was made from today's pins."""
    stamp = folder / "node_modules" / STAMP
    return stamp.is_file() and stamp.read_text("utf-8") == _digest_of_pins(folder)


def fetch(folder: Path = FOLDER) -> bool:
    """Make sure the packages are in place. Returns whether anything had to be done. Raises AssetError."""
    if is_current(folder):
        return False
    pins = read_pins(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
        tarballs, made = Path(temporary) / "tarballs", Path(temporary) / "made"
        tarballs.mkdir()
        download(sorted({pin.spec for pin in pins}), tarballs)
        for pin in sorted(pins, key=lambda item: item.place.count("/")):
            verify(pin, tarballs / pin.tarball)
            unpack(tarballs / pin.tarball, made / pin.place)
        modules = made / "node_modules"
        (modules / STAMP).write_text(_digest_of_pins(folder), "utf-8")
        shutil.rmtree(folder / "node_modules", ignore_errors=True)
        modules.rename(folder / "node_modules")
    return True


def download(specs: Sequence[str], folder: Path) -> None:
    """Let npm put the tarballs into a folder, in one go. Raises AssetError with npm's own words when it cannot."""
    command = [*npm_command(), "pack", *specs, "--pack-destination", str(folder), "--loglevel", "error"]
    environment = {**os.environ, "npm_config_update_notifier": "false", "npm_config_ignore_scripts": "true"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=NPM_TIMEOUT_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise AssetError(f"npm did not fetch oidc-provider within {NPM_TIMEOUT_SECONDS} s.") from None
    if done.returncode:
        said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[:5]) or "  (nothing)"
        raise AssetError(f"npm could not fetch oidc-provider and what it needs. It said:\n{said}")


def verify(pin: Pin, tarball: Path) -> None:
    """Compare a tarball with its pin. Raises AssetError when they differ."""
    found = "missing"
    if tarball.is_file():
        found = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode("ascii")
    if found != pin.integrity:
        raise AssetError(
            f"{pin.spec} is not the pinned file.\n  expected {pin.integrity}\n  found    {found}"
        )


def unpack(tarball: Path, target: Path) -> None:
    """Write a package's ordinary files below `target`, and nothing elsewhere."""
    with tarfile.open(tarball, "r:gz") as archive:
        for member in archive:
            inside = PurePosixPath(
                *PurePosixPath(member.name).parts[1:]
            )  # the first is "package", or its name
            if not member.isfile() or not inside.parts or ".." in inside.parts or inside.is_absolute():
                continue
            stream = archive.extractfile(member)
            if stream is not None:
                place = target / inside
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(stream.read())


def _digest_of_pins(folder: Path) -> str:
    return hashlib.sha256((folder / "pins.json").read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status: 0 in place, 1 it cannot be had."""
    argparse.ArgumentParser(
        description="Fetch the OpenID provider for the sign-in tests, pinned by SHA-512."
    ).parse_args(arguments)
    try:
        print(f"oidc-provider: {'fetched and verified' if fetch() else 'already in place'} (tests/oidc)")
    except AssetError as problem:
        print(f"fetch_provider: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
