"""What the repository's files may hold, and how large they may grow."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from support.checkout import ROOT, files, texts

LONGEST_MODULE = 400
LONGEST_TEST_MODULE = 600  # a list of cases reads well for longer
# Spelt in pieces, so that this file passes its own test.
HOSTS = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry.npm" + "js.org",
    "registry.yarn" + "pkg.com",
    "deb.debian" + ".org",
    "security.debian" + ".org",
    "archive.ubuntu" + ".com",
    "docker" + ".io/",
    "gh" + "cr.io",
    "quay" + ".io",
]
PATHS = re.compile(r"(?<![\w./~-])/(?:wor" + r"k|roo" + r"t|hom" + r"e|Users)/(?!\.ssh)[A-Za-z.]")


def python_files() -> list[str]:
    return [name for name in texts() if name.endswith(".py")]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    found = [(name, host) for name, text in texts().items() for host in HOSTS if host in text]

    assert found == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        (name, number, line.strip())
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if PATHS.search(line)
    ]

    assert found == []


def test_what_is_fetched_or_made_is_not_committed() -> None:
    unwanted = re.compile(r"(^|/)(uv\.lock|package-lock\.json|node_modules|\.env|static/govuk|var)(/|$)")

    assert [name for name in texts() if unwanted.search(name)] == []


def test_no_module_grows_beyond_what_one_can_keep_in_mind() -> None:
    too_long = {}
    for name in python_files():
        longest = LONGEST_TEST_MODULE if "/tests/" in f"/{name}" else LONGEST_MODULE
        length = texts()[name].count("\n")
        if length > longest and "/migrations/versions/" not in name:
            too_long[name] = length

    assert too_long == {}


def test_every_test_module_has_a_name_of_its_own() -> None:
    names = Counter(path.name for path in files() if re.fullmatch(r"test_\w+\.py", path.name))

    assert [name for name, count in names.items() if count > 1] == []


def test_test_folders_are_no_packages() -> None:
    assert [name for name in texts() if re.search(r"(^|/)tests/__init__\.py$", name)] == []


@pytest.mark.parametrize("name", [".ci/run", "docker/build-without-daemon.sh"])
def test_scripts_can_be_run(name: str) -> None:
    assert (ROOT / name).stat().st_mode & 0o111
    assert texts()[name].startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in texts()[name]
