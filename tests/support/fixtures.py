"""Fixtures that every test folder of the repository can use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.databases import Databases, PostgresDatabases, SqliteDatabases
from support.require import missing

if TYPE_CHECKING:
    from support.postgres import PostgresServer
    from support.s3 import S3Server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A throw-away PostgreSQL server, one for each process that runs tests."""
    from support.postgres import find_programs, running_server  # brings psycopg, which most tests do not need

    programs = find_programs()
    if programs is None:
        missing("PostgreSQL's programs are not installed (Debian and Ubuntu: apt-get install postgresql)")
    with running_server(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Databases]:
    """Make databases: the test runs once with SQLite and once with PostgreSQL."""
    made: Databases
    if request.param == "sqlite":
        templates = tmp_path_factory.getbasetemp() / "sqlite-templates"
        templates.mkdir(exist_ok=True)
        made = SqliteDatabases(tmp_path, templates)
    else:
        made = PostgresDatabases(request.getfixturevalue("postgres_server"))
    yield made
    made.close()


@pytest.fixture
def database_url(databases: Databases) -> str:
    """The URL of an empty database: the test runs once with SQLite and once with PostgreSQL."""
    return databases.new()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """S3-compatible storage in memory, one for each process that runs tests."""
    from support.s3 import running_s3  # brings moto and boto3, which most tests do not need

    with running_s3() as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def objects_root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where objects are kept, as the setting `objects` says it: once a folder and once an S3 bucket."""
    if request.param == "folder":
        return str(tmp_path / "objects")
    server: S3Server = request.getfixturevalue("s3_server")
    from support.s3 import CREDENTIALS

    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return server.bucket()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data (HUB_TEST_DATA, or shared/data beside the checkout)."""
    told = os.environ.get("HUB_TEST_DATA")
    folder = Path(told) if told else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        missing(f"there is no folder {folder} with real data; HUB_TEST_DATA says where it is")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT
