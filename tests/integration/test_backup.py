"""A backup is one moment of the hub, made while it serves; brought back it is checked to the last file."""

import base64
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from alembic import command
from sqlalchemy import text

from hub.app import restore_hub
from hub.audit import log as audit_log
from hub.catalogue import store as catalogue
from hub.config import Settings, load_settings
from hub.errors import ConfigurationError, Forbidden, HubError, Invalid
from hub.identity.principal import Principal
from hub.migrations import upgrade as migrations
from hub.policy import store as agreements
from hub.policy.decide import whole_file
from hub.storage.database import Database
from hub.storage.objects import ObjectStore
from hub.vault.keyring import Keyring
from hub.vault.store import Vault
from hub.workflows import auditing, keeping, overview, releasing
from hub.workflows.backup import copy_rows, make_backup
from hub.workflows.hub import Hub, note
from support.hubs import principal_of
from support.staged import CONTRACT, ROWS, Staged, stage, stage_all

OPERATOR = Principal("system", "test", "test", "", "hub", frozenset({"operator"}))
WORDS = "three random words"


@pytest.fixture
def staged(sqlite_hub: Hub) -> Staged:
    """A hub with a version and refused rows, on SQLite."""
    return stage(sqlite_hub)


@pytest.fixture
def staged_on_both(hub: Hub) -> Staged:
    """The same with a held and a released result, on either database."""
    return stage_all(hub)


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a hub to be: another folder, an empty database, no keyring."""

    def make(url: str = "") -> Settings:
        folder = tmp_path / f"new-{len(list(tmp_path.glob('new-*')))}"
        folder.mkdir()
        return load_settings(
            folder, environ={}, public_url="http://hub.test", database_url=url, intake_process=False
        )

    return make


@pytest.fixture
def opened() -> Iterator[list[Hub]]:
    """Hubs to close."""
    made: list[Hub] = []
    yield made
    for hub in made:
        hub.database.close()


def teams(hub: Hub) -> list[str]:
    with hub.database.read() as session:
        version = catalogue.current_version(session, CONTRACT.id)
        assert version is not None
        file = hub.vault.locate(session, version.object_key, version.binding)
    found: list[str] = hub.vault.read(file, ["team"], whole_file("test", "a test"))["team"].to_pylist()
    return found


def test_a_backup_comes_back_whole_with_its_keys_under_a_passphrase(
    staged_on_both: Staged, place: Any, databases: Any, tmp_path: Path, opened: list[Hub]
) -> None:
    hub, staged = staged_on_both.hub, staged_on_both
    made = make_backup(hub, OPERATOR, tmp_path / "backup", passphrase=WORDS)
    assert made.with_keys
    assert made.gone == 0
    everything = b"".join(path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file())
    assert hub.keyring.reference_key not in everything
    assert b"Team 1" not in everything
    with pytest.raises(ConfigurationError, match="does not open"):
        restore_hub(place(), tmp_path / "backup", passphrase="another")
    back, problems = restore_hub(place(databases.new()), tmp_path / "backup", passphrase=WORDS)
    opened.append(back)
    assert problems == []
    assert back.database.is_sqlite == hub.database.is_sqlite
    assert teams(back) == teams(hub)
    assert overview.faults(back, staged.sender.principal, staged.delivery).num_rows == 1
    assert releasing.read_result(back, staged.checker, staged.released).report
    assert auditing.verify(back).ok
    assert back.keyring == hub.keyring
    with back.database.write() as session:
        note(session, OPERATOR, "test.goes-on")
    keeping.rotate_root(back, OPERATOR)
    assert teams(back) == teams(hub), "the two are two hubs from here on"


def test_without_keys_it_needs_the_keyring_and_says_so(
    staged: Staged, place: Any, tmp_path: Path, opened: list[Hub]
) -> None:
    make_backup(staged.hub, OPERATOR, tmp_path / "backup")
    settings = place()
    with pytest.raises(ConfigurationError, match="holds no keys"):
        restore_hub(settings, tmp_path / "backup")
    shutil.copytree(staged.hub.settings.keys_dir, settings.keys_dir)
    back, problems = restore_hub(settings, tmp_path / "backup")
    opened.append(back)
    assert (problems, teams(back)) == ([], teams(staged.hub))
    with pytest.raises(ConfigurationError, match="never put over one"):
        restore_hub(settings, tmp_path / "backup")
    other = place()
    Keyring.create(other.keys_dir)
    with pytest.raises(Invalid, match="not signed by this keyring's hub"):
        restore_hub(other, tmp_path / "backup")


def test_a_backup_of_one_database_comes_back_into_the_other(
    staged_on_both: Staged, place: Any, request: pytest.FixtureRequest, tmp_path: Path, opened: list[Hub]
) -> None:
    hub = staged_on_both.hub
    make_backup(hub, OPERATOR, tmp_path / "backup", passphrase=WORDS)
    url = ""
    if hub.database.is_sqlite:
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.create(None))
    back, problems = restore_hub(place(url), tmp_path / "backup", passphrase=WORDS)
    opened.append(back)
    assert back.database.is_sqlite != hub.database.is_sqlite
    assert (problems, teams(back)) == ([], teams(hub))
    with back.database.write() as session:
        note(session, OPERATOR, "test.goes-on")  # the next id is not one that is taken
    auditing.seal_log(back)
    assert auditing.verify(back).ok


@pytest.mark.parametrize("to_postgres", [False, True], ids=["sqlite", "postgresql"])
def test_a_backup_from_before_agreements_were_sealed_comes_back_into_a_hub_that_seals_them(
    sqlite_hub: Hub,
    place: Any,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    opened: list[Hub],
    to_postgres: bool,
) -> None:
    staged, folder = stage_all(sqlite_hub), tmp_path / "backup"
    make_backup(staged.hub, OPERATOR, folder, passphrase=WORDS)
    _make_older(staged.hub, folder, "0005")
    url = ""
    if to_postgres:
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.create(None))
    back, problems = restore_hub(place(url), folder, passphrase=WORDS)
    opened.append(back)
    assert (problems, teams(back)) == ([], teams(staged.hub))
    with back.database.read() as session:
        agreement = agreements.get(session, "planning")
    assert (agreement.state.value, agreement.trouble, agreement.signed_by) == ("active", "", None)
    assert releasing.read_result(back, staged.checker, staged.released).report
    with back.database.write() as session:
        session.execute(text("UPDATE agreements SET seal = NULL"))
    with back.database.read() as session:
        assert agreements.get(session, "planning").trouble, "it was taken over once, and not for ever"


def _make_older(hub: Hub, folder: Path, revision: str) -> None:
    """Let a backup be one that an older version of this hub made."""
    database = Database(f"sqlite:///{folder / 'hub.db'}")
    with (
        database.engine.execution_options(hub_write=True).connect() as connection,
        migrations._rebuilding(connection),
        connection.begin(),
    ):
        command.downgrade(migrations._config(connection), revision)
    database.close()
    with closing(sqlite3.connect(folder / "hub.db")) as plain:
        plain.execute("PRAGMA journal_mode=DELETE")
    index = json.loads((folder / "backup.json").read_text())
    index["database"] = sha256((folder / "hub.db").read_bytes()).hexdigest()
    raw = json.dumps(index).encode()
    (folder / "backup.json").write_bytes(raw)
    (folder / "backup.sig").write_bytes(base64.b64encode(hub.keyring.checkpoint_private_key.sign(raw)))


def test_what_a_restore_that_was_killed_left_behind_does_not_get_into_the_next_one(
    staged: Staged, place: Any, tmp_path: Path, opened: list[Hub]
) -> None:
    make_backup(staged.hub, OPERATOR, tmp_path / "backup", passphrase=WORDS)
    settings = place()
    left = settings.dir / "restoring.db-wal"
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE of_another_backup (x)")
        other.commit()
        shutil.copyfile(tmp_path / "other.db-wal", left)
    back, problems = restore_hub(settings, tmp_path / "backup", passphrase=WORDS)
    opened.append(back)
    assert (problems, teams(back)) == ([], teams(staged.hub))


def test_the_table_of_areas_comes_back_too(
    sqlite_hub: Hub, place: Any, tmp_path: Path, opened: list[Hub]
) -> None:
    sqlite_hub.vault.areas.put([pa.table({"postcode": ["ZX11AA"], "area": ["E01000001"]})])
    make_backup(sqlite_hub, OPERATOR, tmp_path / "backup", passphrase=WORDS)
    back, problems = restore_hub(place(), tmp_path / "backup", passphrase=WORDS)
    opened.append(back)
    assert (problems, back.vault.areas.count()) == ([], 1)


def test_it_is_one_moment_although_the_hub_goes_on_writing(sqlite_hub: Hub, tmp_path: Path) -> None:
    hub, stop, wrote = sqlite_hub, threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            owner = hub.vault.new_owner(f"ver_{len(wrote)}")
            with hub.database.write() as session:
                hub.vault.register(session, owner, [])
                note(session, OPERATOR, "test.wrote")
            wrote.append(owner.owner)

    thread = threading.Thread(target=write)
    thread.start()
    while len(wrote) < 3 and thread.is_alive():
        stop.wait(0.005)
    make_backup(hub, OPERATOR, tmp_path / "backup")
    stop.set()
    thread.join()
    copy = Database(f"sqlite:///{tmp_path / 'backup' / 'hub.db'}")
    with copy.read() as session:
        keys = session.execute(text("SELECT count(*) FROM vault_keys")).scalar()
        acts = session.execute(
            text("SELECT count(*) FROM audit_entries WHERE action = 'test.wrote'")
        ).scalar()
        assert keys == acts, "both or neither of what was written in one transaction"
        assert session.execute(text("SELECT count(*) FROM leases")).scalar() == 0
        assert session.execute(text("SELECT count(*) FROM user_sessions")).scalar() == 0
    copy.close()
    assert 3 <= int(keys or 0) <= len(wrote)


def test_changes_to_a_backup_are_noticed(
    staged: Staged, place: Any, tmp_path: Path, opened: list[Hub]
) -> None:
    hub = staged.hub
    make_backup(hub, OPERATOR, tmp_path / "good", passphrase=WORDS)

    def bent(name: str) -> Path:
        shutil.copytree(tmp_path / "good", tmp_path / name)
        return tmp_path / name

    index = bent("index")
    data = json.loads((index / "backup.json").read_text())
    (index / "backup.json").write_text(json.dumps(data | {"objects": data["objects"][1:]}))
    database = bent("database")
    with (database / "hub.db").open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"x" * 100)
    unfinished = bent("unfinished")
    (unfinished / "backup.json").unlink()
    for folder, error, said in (
        (index, Invalid, "was changed, or belongs to another hub"),
        (database, Invalid, "not the one that was backed up"),
        (unfinished, ConfigurationError, "no finished backup"),
        (tmp_path / "nowhere", ConfigurationError, "no finished backup"),
    ):
        with pytest.raises(error, match=said):
            restore_hub(place(), folder, passphrase=WORDS)
    objects = bent("objects")
    first, second = [item[0] for item in data["objects"] if item[0].endswith(".parquet")][:2]
    raw = bytearray((objects / "objects" / first).read_bytes())
    raw[len(raw) // 2] ^= 1
    (objects / "objects" / first).write_bytes(bytes(raw))
    (objects / "objects" / second).unlink()
    back, problems = restore_hub(place(), objects, passphrase=WORDS)
    opened.append(back)
    assert any(first in item and "changed or damaged" in item for item in problems)
    assert any(second in item for item in problems)


def test_files_are_linked_where_they_can_be_and_a_full_folder_is_left_alone(
    sqlite_hub: Hub, tmp_path: Path
) -> None:
    staged = stage(sqlite_hub)
    made = make_backup(staged.hub, OPERATOR, tmp_path / "backup")
    assert all((tmp_path / "backup" / "objects" / key).stat().st_nlink == 2 for key, _, _ in made.objects)
    assert (tmp_path / "backup" / "hub.db").stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="not empty"):
        make_backup(staged.hub, OPERATOR, tmp_path / "backup")
    with pytest.raises(Forbidden):
        make_backup(staged.hub, principal_of(staged.hub, "hub", "analyst"), tmp_path / "more")
    with staged.hub.database.read() as session:
        entry = audit_log.recent(session, action="hub.backed-up")[0]
    assert entry.content["detail"]["objects"] == len(made.objects)


@pytest.mark.parametrize("objects_root", ["s3"], indirect=True)
def test_objects_in_a_bucket_are_fetched(
    sqlite_hub: Hub, objects_root: str, place: Any, tmp_path: Path, opened: list[Hub]
) -> None:
    objects = ObjectStore(objects_root)
    staged = stage(replace(sqlite_hub, objects=objects, vault=Vault(sqlite_hub.keyring, objects)))
    made = make_backup(staged.hub, OPERATOR, tmp_path / "backup", passphrase=WORDS)
    back, problems = restore_hub(place(), tmp_path / "backup", passphrase=WORDS)
    opened.append(back)
    assert problems == []
    assert len(teams(back)) == len(ROWS)
    assert made.size > 0


def test_a_database_with_tables_of_a_newer_hub_is_not_copied_in_part(hub: Hub, tmp_path: Path) -> None:
    with hub.database.write() as session:
        session.execute(text("CREATE TABLE newer (id INTEGER)"))
    target = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    with pytest.raises(HubError, match="newer"):
        copy_rows(hub.database, target)
    target.close()
