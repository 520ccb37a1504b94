"""hub keys, backup, restore: what they say, what they ask, and what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.__main__ import main
from hub.app import open_hub
from hub.config import load_settings
from hub.identity import people
from hub.identity import store as identities
from support.hubs import PASSWORD
from support.staged import CONTRACT, ROWS, stage

WORDS = "three random words"


def _run(*words: str, folder: Path, text: str | None = None, **variables: str) -> Result:
    more = ["--dir", str(folder)]
    variables = {"HUB_REQUIRE_SECOND_FACTOR": ""} | variables
    return CliRunner().invoke(main, [*words, *more], input=text, env=variables, prog_name="hub")


def _ok(*words: str, folder: Path, text: str | None = None, **variables: str) -> str:
    result = _run(*words, folder=folder, text=text, **variables)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hub with a version of a dataset and two people who may destroy data."""
    made = tmp_path / "hub"
    _ok("init", folder=made)
    (made / "hub.toml").write_text("intake_process = false\ntwo_person_registration = false\n")
    hub = open_hub(load_settings(made, environ={}))
    stage(hub)
    with hub.database.write() as session:
        home = identities.find_organisation(session, "police")
        for name, role in (("anna", "operator"), ("theo", "data steward"), ("ravi", "analyst")):
            people.add_user(session, name, name.title(), home.id, [role], PASSWORD)
    hub.database.close()
    return made


def _version(folder: Path) -> str:
    listed = json.loads(_ok("datasets", "list", "--format", "json", folder=folder))
    return str(next(item["id"] for item in listed if item["dataset"].endswith(CONTRACT.id)))


def test_keys_are_listed_and_rotated_and_never_shown(folder: Path) -> None:
    before = _ok("keys", "list", folder=folder)
    assert "file: in the keyring" in before
    said = _ok("keys", "rotate", folder=folder)
    assert "keys are under the new root key" in said
    assert "Make a backup" in said
    assert "opens deliveries until" in _ok(
        "keys", "rotate", "--sealing", "--overlap-days", "7", folder=folder
    )
    assert "new keys" in _ok("keys", "rotate", "--signing", folder=folder)
    listed = json.loads(_ok("keys", "list", "--format", "json", folder=folder))
    assert [item["where"] for item in listed if item["key"] == "sealing"] == ["earlier", "current"]
    assert [item["where"] for item in listed if item["key"] == "audit log"] == ["1 earlier keys"]
    hub = open_hub(load_settings(folder, environ={}))
    held = hub.keyring.secrets
    hub.database.close()
    for raw in (*(root.handle for root in held.roots.values()), held.reference_key.hex()):
        assert raw not in before + json.dumps(listed)


def test_a_hub_moves_under_a_passphrase_by_command(folder: Path) -> None:
    _ok("keys", "rotate", "--keys", "passphrase", folder=folder, HUB_NEW_KEY_PASSPHRASE=WORDS)
    assert "HUB_KEY_PASSPHRASE" in _run("keys", "list", folder=folder).output
    assert "passphrase: in the keyring" in _ok("keys", "list", folder=folder, HUB_KEY_PASSPHRASE=WORDS)
    assert _run(
        "keys", "rotate", "--sealing", "--keys", "file", folder=folder, HUB_KEY_PASSPHRASE=WORDS
    ).exit_code


def test_shredding_shows_asks_twice_and_destroys(folder: Path) -> None:
    dataset = _version(folder)
    said = _ok("keys", "shred", dataset, "--dry-run", folder=folder)
    assert f"{CONTRACT.id} version 1" in said
    assert "there is no version left" in said
    assert "Nothing was destroyed." in said
    words = ["keys", "shred", dataset, "--as", "anna", "--reason", "Sent by mistake"]
    secret = {"HUB_PASSWORD": PASSWORD, "HUB_SECOND_PASSWORD": PASSWORD}
    for second, typed, problem in (
        ("anna", dataset, "takes two people"),
        ("ravi", dataset, "You may not destroy data"),
        ("theo", "yes", "That is not what was to be destroyed"),
    ):
        result = _run(*words, "--second", second, folder=folder, text=f"{typed}\n", **secret)
        assert result.exit_code == 1
        assert problem in result.output
    assert _run(*words, "--second", "theo", folder=folder, text="", **secret).exit_code == 1
    assert _run(
        *words, "--second", "theo", folder=folder, HUB_PASSWORD="wrong", HUB_SECOND_PASSWORD=PASSWORD
    ).exit_code
    said = _ok(*words, "--second", "theo", "--confirm", dataset, folder=folder, **secret)
    assert "Destroyed 2 keys" in said
    assert "The root key was changed" in said
    assert "Nothing of" in _run("keys", "shred", dataset, "--dry-run", folder=folder).output
    assert "is no version" in _run("keys", "shred", "ver_none", "--dry-run", folder=folder).output


def test_a_backup_comes_back_by_command_and_says_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    said = _ok("backup", str(backup), "--with-keys", folder=folder, HUB_BACKUP_PASSPHRASE=WORDS)
    assert "Backed up the database and" in said
    assert "is not empty" in _run("backup", str(backup), folder=folder).output
    back = tmp_path / "back"
    said = _ok("restore", str(backup), folder=back, HUB_BACKUP_PASSPHRASE=WORDS)
    assert "every file opens" in said
    assert f"{len(ROWS):,}" in _ok("datasets", "list", folder=back)
    assert "never put over one" in _run("restore", str(backup), folder=back).output
    assert (
        "does not open"
        in _run("restore", str(backup), folder=tmp_path / "x", HUB_BACKUP_PASSPHRASE="no").output
    )
    victim = next((backup / "objects").rglob("*.parquet"))
    victim.chmod(0o600)
    data = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(data[:-1] + b"x")
    result = _run("restore", str(backup), folder=tmp_path / "y", HUB_BACKUP_PASSPHRASE=WORDS)
    assert result.exit_code == 1
    assert "changed or damaged" in result.output
    assert "do not serve it yet" in result.output
