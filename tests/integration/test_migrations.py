"""The database's history leads from nothing to exactly what the code declares, and back, on both databases."""

import json
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import hub
from hub.errors import ConfigurationError, Conflict
from hub.migrations import upgrade as migrations
from hub.storage.database import Database

SCHEDULERS_OWN = "scheduler_jobs"  # APScheduler declares and makes it itself


@pytest.fixture
def database(database_url: str) -> Any:
    """An empty database."""
    made = Database(database_url)
    yield made
    made.close()


def _tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names()) - {"alembic_version", SCHEDULERS_OWN}


def _run(database: Database, act: Callable[..., None], revision: str) -> None:
    with database.engine.execution_options(hub_write=True).begin() as connection:
        act(migrations._config(connection), revision)


@pytest.mark.filterwarnings(
    "ignore:.*expression-based index"
)  # those SQLite cannot reflect; see the next test
def test_upgrading_from_nothing_gives_exactly_the_tables_that_the_code_declares(database: Database) -> None:
    migrations.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True, "compare_server_default": True,
                "include_name": lambda name, kind, _: kind != "table" or name != SCHEDULERS_OWN,
            },
        )  # fmt: skip
        assert compare_metadata(context, migrations.metadata()) == []
    assert _tables(database) == set(migrations.metadata().tables)


def test_two_accounts_cannot_differ_in_capitals_only(database: Database) -> None:
    """The index on an expression, which the comparison above leaves out."""
    migrations.upgrade(database)
    account = (
        "INSERT INTO users (id, username, name, organisation_id, roles, password_hash, active, created_at) "
        "VALUES (:id, :name, 'x', 'o', '', '', true, '2026-01-01 00:00:00+00:00')"
    )
    home = "INSERT INTO organisations (id, slug, name, created_at) VALUES ('o', 'o', 'o', '2026-01-01 00:00:00+00:00')"
    with pytest.raises(Conflict), database.write() as session:
        session.execute(text(home))
        for number, name in enumerate(("Sam", "sAM")):
            session.execute(text(account), {"id": str(number), "name": name})


def test_the_schedulers_table_is_what_the_scheduler_expects(database: Database) -> None:
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

    migrations.upgrade(database)
    expected = SQLAlchemyJobStore(engine=database.engine, tablename=SCHEDULERS_OWN).jobs_t
    found = {
        column["name"]: column["nullable"] for column in inspect(database.engine).get_columns(SCHEDULERS_OWN)
    }
    assert found == {column.name: column.nullable for column in expected.columns}


def test_the_history_knows_the_tables_of_every_room() -> None:
    """A room whose tables are not imported there would be dropped by the next `alembic revision`."""
    modules = [name for _, name, _ in pkgutil.walk_packages(hub.__path__, "hub.") if name.endswith(".tables")]
    with_rows = set()
    for name in modules:
        module = __import__(name, fromlist=["x"])
        with_rows |= {item.__tablename__ for item in vars(module).values() if hasattr(item, "__tablename__")}
    assert len(with_rows) > 10
    assert with_rows <= set(migrations.metadata().tables)


def test_every_step_back_undoes_its_step_forward(database: Database) -> None:
    steps = [
        script.revision for script in ScriptDirectory.from_config(migrations._config()).walk_revisions()
    ][::-1]
    before: list[set[str]] = []
    for step in steps:
        before.append(_tables(database))
        _run(database, command.upgrade, step)
        assert _tables(database) != before[-1] or len(steps) > 1
    for tables in reversed(before):
        _run(database, command.downgrade, "-1")
        assert _tables(database) == tables
    assert set(inspect(database.engine).get_table_names()) == {"alembic_version"}
    migrations.upgrade(database)
    assert _tables(database) == set(migrations.metadata().tables)


def test_upgrading_again_changes_nothing(database: Database) -> None:
    migrations.upgrade(database)
    with database.write() as session:
        session.execute(
            text("INSERT INTO leases (name, holder, until) VALUES ('a', 'b', '2026-01-01 00:00:00+00:00')")
        )
    migrations.upgrade(database)
    with database.read() as session:
        assert session.execute(text("SELECT name FROM leases")).scalars().all() == ["a"]


FIRST = """
INSERT INTO organisations (id, slug, name, created_at) VALUES ('o', 'schools', 'Schools', :at);
INSERT INTO clients (id, organisation_id, name, roles, signing_key, active, created_at)
    VALUES ('c', 'o', 'night export', 'connector', '{}', true, :at);
INSERT INTO contracts (digest, contract, version, text, created_at) VALUES (:digest, 'a.b', '1.0.0', 'text', :at);
INSERT INTO datasets (id, organisation_id, contract, contract_digest, title, created_at, current_version)
    VALUES ('d', 'o', 'a.b', :digest, 'Title', :at, 'v');
INSERT INTO versions (id, dataset_id, number, contract_digest, object_key, origin, rows, accepted_at)
    VALUES ('v', 'd', 1, :digest, 'deliveries/x/rows.parquet', 'done', 1, :at);
INSERT INTO deliveries (id, client_id, organisation_id, dataset_id, manifest, signature, source_digest, state, sent,
    accepted, refused, created_at, changed_at, attempts) VALUES
    ('done', 'c', 'o', 'd', :manifest, 's', :digest, 'accepted', 1, 1, 0, :at, :at, 1),
    ('waits', 'c', 'o', 'd', :manifest, 's', :digest, 'received', 1, 0, 0, :at, :at, 0);
INSERT INTO delivery_parts (delivery_id, role, part, size, sha256) VALUES ('waits', 'rows', 1, 12, :digest);
INSERT INTO vault_keys (owner, root, wrapped, created_at) VALUES ('v', 'r', :key, :at);
INSERT INTO vault_files (object_key, owner, binding, material, rows)
    VALUES ('deliveries/x/rows.parquet', 'v', 'b', '{}', 1);
"""


def test_a_database_of_the_first_release_keeps_its_rows_and_loses_the_keys_in_its_manifests(
    database: Database,
) -> None:
    _run(database, command.upgrade, "0001")
    manifest = {"mode": "full", "files": [{"role": "rows", "key_material": {"footerKey": "sealed"}}]}
    values = {
        "at": "2026-01-01 00:00:00+00:00", "digest": "d" * 64, "key": b"wrapped", "manifest": json.dumps(manifest),
    }  # fmt: skip
    with database.write() as session:
        for statement in FIRST.split(";"):
            if statement.strip():
                named = {name: value for name, value in values.items() if f":{name}" in statement}
                session.execute(text(statement), named)
    migrations.upgrade(database)
    with database.read() as session:
        found = {
            row.id: (row.mode, json.loads(row.manifest)["files"][0].get("key_material"))
            for row in session.execute(text("SELECT id, mode, manifest FROM deliveries"))
        }
        counts = [
            session.execute(text(f"SELECT count(*) FROM {table}")).scalar()
            for table in (
                "organisations",
                "clients",
                "contracts",
                "datasets",
                "versions",
                "delivery_parts",
                "vault_files",
            )
        ]
    assert found == {"done": ("full", None), "waits": ("full", {"footerKey": "sealed"})}
    assert counts == [1] * 7


def test_an_upgrade_that_breaks_leaves_the_database_as_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(config: Config, revision: str) -> None:
        command_upgrade(config, revision)
        raise RuntimeError("the machine was switched off")

    command_upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", broken)
    with pytest.raises(RuntimeError):
        migrations.upgrade(database)
    assert set(inspect(database.engine).get_table_names()) == set()


def test_a_database_of_the_right_version_is_opened(database: Database) -> None:
    migrations.upgrade(database)
    migrations.require_current(database)


def test_an_empty_database_is_refused_with_what_to_do(database: Database) -> None:
    with pytest.raises(ConfigurationError, match=r"at version none, this hub needs \d+.* Run: hub init"):
        migrations.require_current(database)


def test_a_database_that_a_newer_hub_made_is_left_alone(database: Database) -> None:
    migrations.upgrade(database)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (migrations.require_current, migrations.upgrade):
        with pytest.raises(ConfigurationError, match=r"version 9999.*newer hub made it"):
            act(database)
    with database.read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_a_database_that_does_not_answer_is_named() -> None:
    for act in (migrations.require_current, migrations.upgrade):
        with pytest.raises(ConfigurationError, match="database_url"):
            act(Database("sqlite:////nowhere/at/all.db"))


def test_one_line_leads_from_the_first_version_to_the_last() -> None:
    scripts = ScriptDirectory.from_config(migrations._config())
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
