"""Whole hubs for tests: made quickly, on either database, with no server unless a test starts one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.app import create_app, open_hub
from hub.config import load_settings
from hub.identity import store as identities
from hub.identity.principal import Principal
from hub.migrations.upgrade import upgrade
from hub.storage.database import Database
from hub.vault.keyring import Keyring
from hub.workflows import signing_in
from hub.workflows.hub import Hub
from hub.workflows.linking import HUB_ORGANISATION

PASSWORD = "correct-horse-battery"


def migrate(url: str) -> None:
    """Bring the database at a URL to the newest version, with the hub's own organisation in it."""
    database = Database(url)
    upgrade(database)
    with database.write() as session:
        identities.add_organisation(session, HUB_ORGANISATION, "The hub itself")
    database.close()


def make_hub(folder: Path, database_url: str, **settings: Any) -> Hub:
    """A hub in `folder` on a migrated database."""
    chosen = load_settings(
        folder, environ={}, database_url=database_url, public_url="http://hub.test",
        **{"two_person_registration": False, "rate_limits": False, "intake_process": False,
           "require_second_factor": ""} | settings,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    Keyring.create(chosen.keys_dir, chosen.key_passphrase)
    return open_hub(chosen)


def principal_of(hub: Hub, slug: str, *roles: str, kind: Any = "person", name: str = "") -> Principal:
    """Somebody of an organisation (made when it is not there) with roles; nothing is signed in."""
    with hub.database.write() as session:
        known = {item.slug: item for item in identities.list_organisations(session)}
        home = known.get(slug) or identities.add_organisation(session, slug, slug)
    return Principal(
        kind,
        name or f"{kind}-{slug}-{'-'.join(roles)}".replace(" ", "-"),
        "somebody",
        home.id,
        slug,
        frozenset(roles),
    )


def signed_in(hub: Hub, username: str, password: str = PASSWORD) -> tuple[str, Principal]:
    """A session's token and whose it is, for somebody who needs no second factor."""
    token = signing_in.sign_in(hub, username, password).token
    found = signing_in.session_of(hub, token)
    assert found is not None, f"{username} needs a second factor here"
    return token, found


@pytest.fixture
def hub(tmp_path: Path, databases: Any) -> Iterator[Hub]:
    """A hub on SQLite and on PostgreSQL in turn."""
    made = make_hub(tmp_path / "hub", databases.new(migrate))
    yield made
    made.database.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the newest version with nobody in it, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "template.db"
    migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        # What still sits in the write-ahead log would not be copied with the file.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def sqlite_hub(tmp_path: Path, migrated: Path) -> Iterator[Hub]:
    """A hub on SQLite, for what has nothing to do with the database."""
    shutil.copyfile(migrated, tmp_path / "only.db")
    made = make_hub(tmp_path / "hub", f"sqlite:///{tmp_path / 'only.db'}")
    yield made
    made.database.close()


@pytest.fixture
def browser(sqlite_hub: Hub) -> Any:
    """A test client of the whole application, on SQLite."""
    return create_app(sqlite_hub.settings, sqlite_hub).test_client()


@pytest.fixture
def somebody() -> Callable[..., Principal]:
    """`principal_of`, as a fixture."""
    return principal_of
