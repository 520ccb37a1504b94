"""The repository is one workspace of several distributions, and the tooling knows each of them."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from support.checkout import ROOT, distributions, files, plugin_folders, read_toml
from support.require import missing

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, flags=re.MULTILINE)
PLUGINS = [folder for folder in plugin_folders() if folder != "plugins/sdk"]


def package(folder: str) -> str:
    (name,) = distributions()[folder]["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return str(name)


def contracts(kind: str) -> list[dict[str, Any]]:
    found = read_toml("pyproject.toml")["tool"]["importlinter"]["contracts"]
    return [contract for contract in found if contract["type"] == kind]


@pytest.mark.parametrize(
    "target", ["install", "demo", "test", "check", "fix", "bench", "lock", "docs", "clean"]
)
def test_make_has_the_targets_people_expect(target: str) -> None:
    assert target in TARGETS


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "help"])
def test_the_readme_names_every_make_target(target: str) -> None:
    assert f"make {target}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_make_check_changes_nothing() -> None:
    recipe = MAKEFILE.split("\ncheck:")[1].split("\n\n")[0]

    assert "format --check" in recipe
    assert "--fix" not in recipe


@pytest.mark.parametrize("folder", distributions())
def test_every_distribution_has_tests_of_its_own(folder: str) -> None:
    tests = [path for path in files() if path.is_relative_to(ROOT / folder / "tests")]

    assert [path for path in tests if path.name.startswith("test_") and path.suffix == ".py"]


@pytest.mark.parametrize("folder", distributions())
def test_every_distribution_is_installed_from_its_own_folder(folder: str) -> None:
    assert (ROOT / folder / package(folder) / "__init__.py").is_file()
    assert distributions()[folder]["project"]["requires-python"] == ">=3.11"
    assert distributions()[folder]["build-system"]["build-backend"] == "hatchling.build"


def test_all_distributions_carry_one_version() -> None:
    versions = {}
    for folder in distributions():
        text = (ROOT / folder / package(folder) / "__init__.py").read_text(encoding="utf-8")
        found = re.search(r'^__version__ = "([^"]+)"$', text, flags=re.MULTILINE)
        versions[folder] = found and found[1]

    assert len(set(versions.values())) == 1, versions


@pytest.mark.parametrize("folder", PLUGINS)
def test_a_plugin_requires_the_sdk_and_none_of_the_hub(folder: str) -> None:
    project = distributions()[folder]["project"]
    own = [line for line in project["dependencies"] if line.startswith("joinedup-")]

    assert [re.split(r"[\[<>=]", line)[0] for line in own] == ["joinedup-sdk"]
    assert project["entry-points"]["joinedup.plugins"]


@pytest.mark.parametrize("folder", PLUGINS)
def test_the_tooling_knows_every_plugin(folder: str) -> None:
    settings = read_toml("pyproject.toml")["tool"]
    key_holder = next(item for item in contracts("forbidden") if item["id"] == "key-holder")

    assert folder in settings["pytest"]["ini_options"]["pythonpath"]
    assert folder in re.search(r"^PLUGINS := (.*)$", MAKEFILE, flags=re.MULTILINE)[1].split()  # type: ignore[index]
    assert package(folder) in key_holder["forbidden_modules"]


def test_import_contracts_cover_every_package() -> None:
    settings = read_toml("pyproject.toml")["tool"]["importlinter"]

    assert settings["root_packages"] == sorted(package(folder) for folder in distributions())


def test_the_house_is_closed_every_part_of_the_hub_has_its_layer() -> None:
    (house,) = contracts("layers")
    layers = {name.strip() for line in house["layers"] for name in line.split("|")}
    parts = {path.stem for path in (ROOT / "hub").glob("*.py")} | {
        path.parent.name for path in (ROOT / "hub").glob("*/__init__.py")
    }

    assert house["exhaustive"] is True
    assert parts - {"__init__"} == layers


def test_the_tables_of_every_room_are_private_to_it() -> None:
    rooms = {
        path.parent.name
        for path in (ROOT / "hub").glob("*/tables.py")
        if "(Base)" in path.read_text(encoding="utf-8")
    }
    protected = {
        contract["id"].removeprefix("tables-"): contract
        for contract in contracts("protected")
        if contract["id"].startswith("tables-")
    }

    assert rooms == set(protected)
    for room, contract in protected.items():
        assert contract["protected_modules"] == [f"hub.{room}.tables"]
        assert contract["allowed_importers"] == [f"hub.{room}", "hub.migrations"]


@pytest.mark.parametrize(
    "module", ["hub", "hub_schemas", "hub_connector", "flask", "sqlalchemy", "cryptography"]
)
def test_the_plugins_environment_cannot_import(module: str) -> None:
    python = ROOT / ".venv-plugins" / "bin" / "python"
    if not python.exists():
        missing("the plugins' environment is not built (make install)")
    tried = subprocess.run(
        [str(python), "-I", "-c", f"import {module}"], cwd="/", capture_output=True, text=True, check=False
    )

    assert "ModuleNotFoundError" in tried.stderr


def test_the_plugins_environment_offers_every_plugin_of_the_repository() -> None:
    python = ROOT / ".venv-plugins" / "bin" / "python"
    if not python.exists():
        missing("the plugins' environment is not built (make install)")
    script = (
        "from importlib.metadata import entry_points\n"
        "print(*sorted(entry.name for entry in entry_points(group='joinedup.plugins')))"
    )
    offered = subprocess.run(
        [str(python), "-I", "-c", script], cwd="/", capture_output=True, text=True, check=True
    )
    expected = [
        name
        for folder in PLUGINS
        for name in distributions()[folder]["project"]["entry-points"]["joinedup.plugins"]
    ]

    assert offered.stdout.split() == sorted(expected)
