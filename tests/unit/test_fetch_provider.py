"""Fetching the OpenID provider for tests: only what is pinned is used, and nothing is written elsewhere."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("fetch_provider", ROOT / "tools" / "fetch_provider.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["fetch_provider"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "tools"))
    for name in ("fetch_provider", "fetch_assets"):
        sys.modules.pop(name, None)


def tarball(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
        link = tarfile.TarInfo("package/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def test_every_package_is_pinned_by_its_digest(tool: Any) -> None:
    pins = tool.read_pins()
    assert {pin.name for pin in pins} >= {"oidc-provider", "jose", "koa"}
    assert len({pin.place for pin in pins}) == len(pins)
    for pin in pins:
        assert len(base64.b64decode(pin.integrity.removeprefix("sha512-"))) == 64
        assert pin.place.startswith("node_modules/")
        assert pin.place.endswith(f"node_modules/{pin.name}")
        assert ".." not in pin.place


def test_a_tarball_that_is_not_the_pinned_one_is_refused(tool: Any, tmp_path: Path) -> None:
    path = tarball(tmp_path / "thing-1.0.0.tgz", ["package/a.js"])
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    tool.verify(tool.Pin("node_modules/thing", "thing", "1.0.0", f"sha512-{digest}"), path)
    for wrong in (f"sha512-{digest[:-4]}AAA=", "sha512-"):
        with pytest.raises(tool.AssetError, match=r"thing@1\.0\.0 is not the pinned file"):
            tool.verify(tool.Pin("node_modules/thing", "thing", "1.0.0", wrong), path)
    with pytest.raises(tool.AssetError, match="missing"):
        tool.verify(tool.Pin("node_modules/thing", "thing", "1.0.0", "sha512-x"), tmp_path / "none.tgz")


def test_a_package_writes_below_its_own_place_only(tool: Any, tmp_path: Path) -> None:
    path = tarball(
        tmp_path / "evil.tgz",
        ["package/a.js", "other/lib/b.js", "package/../../outside", "../outside", "/outside"],
    )
    tool.unpack(path, tmp_path / "made" / "node_modules" / "evil")
    written = sorted(item.name for item in (tmp_path / "made").rglob("*") if not item.is_dir())
    assert written in (["a.js", "b.js"], ["a.js", "b.js", "outside"])
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "made" / "outside").exists()
