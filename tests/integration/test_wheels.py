"""What is built from the repository carries everything it needs to work elsewhere."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from support.checkout import ROOT, distributions, files


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The names of the files in every distribution's wheel, by the distribution's folder."""
    out = tmp_path_factory.mktemp("wheels")
    found = {}
    for folder in distributions():
        target = out / folder.replace("/", "-").strip(".") if folder != "." else out / "hub"
        built = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
            cwd=ROOT / folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr
        (wheel,) = target.glob("*.whl")
        found[folder] = set(zipfile.ZipFile(wheel).namelist())
    return found


@pytest.mark.parametrize("folder", distributions())
def test_a_wheel_holds_every_file_of_its_package_and_no_tests(
    folder: str, wheels: dict[str, set[str]]
) -> None:
    (package,) = distributions()[folder]["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    root = ROOT / folder
    expected = {path.relative_to(root).as_posix() for path in files() if path.is_relative_to(root / package)}

    assert expected - wheels[folder] == set()
    assert [name for name in wheels[folder] if "tests/" in name or "__pycache__" in name] == []


def test_the_hubs_wheel_carries_the_fetched_web_assets(wheels: dict[str, set[str]]) -> None:
    assert {
        "hub/web/static/govuk/govuk-frontend.min.css",
        "hub/web/static/govuk/govuk-frontend.min.js",
    } <= wheels["."]


def test_no_wheel_carries_a_file_of_another_distribution(wheels: dict[str, set[str]]) -> None:
    owners: dict[str, list[str]] = {}
    for folder, names in wheels.items():
        for name in names:
            owners.setdefault(name, []).append(folder)

    assert "hub/config.py" in owners
    assert {name: folders for name, folders in owners.items() if len(folders) > 1} == {}
