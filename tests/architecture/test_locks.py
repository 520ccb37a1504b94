"""Installing is reproducible: every package is pinned by hash, and the locks agree with one another."""

from __future__ import annotations

import re

import pytest

from support.checkout import ROOT, distributions, locked, plugin_folders, read_toml, required

LOCKS = sorted(path.stem for path in (ROOT / "requirements").glob("*.lock"))
PIN = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,-]+\])?==[^\s;\\]+( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def test_the_locks_are_those_that_the_environments_and_images_are_built_from() -> None:
    assert LOCKS == ["build", "dev", "hub", "plugins"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_names_versions_and_hashes_and_nothing_else(lock: str) -> None:
    lines = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if not PIN.fullmatch(line) and not HASH.fullmatch(line)] == []
    assert lines


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pinned_package_has_a_hash(lock: str) -> None:
    lines = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8").splitlines()
    followers = zip(lines, [*lines[1:], ""], strict=True)

    assert [line for line, after in followers if PIN.fullmatch(line) and not HASH.fullmatch(after)] == []


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock != "dev"])
def test_what_runs_has_the_versions_that_are_tested(lock: str) -> None:
    tested = locked("dev")
    # Only another platform's needs may be missing from the development lock.
    differing = {
        name: versions for name, versions in locked(lock).items() if tested.get(name, versions) != versions
    }

    assert differing == {}


@pytest.mark.parametrize("folder", distributions())
def test_the_development_lock_has_what_each_distribution_requires(folder: str) -> None:
    assert required(distributions()[folder]) - set(locked("dev")) == set()


def test_the_hub_lock_has_what_the_hub_requires() -> None:
    hub = read_toml("pyproject.toml")

    assert required(hub) - set(locked("hub")) == set()
    assert required(read_toml("schemas/pyproject.toml")) - set(locked("hub")) == set()
    assert required(read_toml("plugins/sdk/pyproject.toml"), extras=False) - set(locked("hub")) == set()


@pytest.mark.parametrize("folder", plugin_folders())
def test_the_plugins_lock_has_what_each_plugin_requires(folder: str) -> None:
    assert required(read_toml(f"{folder}/pyproject.toml"), extras=False) - set(locked("plugins")) == set()


def test_the_plugins_environment_has_nothing_to_serve_decrypt_or_connect_with() -> None:
    forbidden = {"alembic", "cryptography", "flask", "httpx", "psycopg", "requests", "sqlalchemy", "waitress"}

    assert forbidden & set(locked("plugins")) == set()
