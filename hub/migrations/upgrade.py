"""Bringing a database to the version this hub needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from hub.storage.database import Database

__all__ = ["metadata", "require_current", "upgrade"]


def metadata() -> Any:
    """The tables of every room."""
    import hub.audit.tables
    import hub.catalogue.tables
    import hub.identity.tables
    import hub.insights.tables
    import hub.intake.tables
    import hub.policy.tables
    import hub.rights.tables
    import hub.runs.tables
    import hub.storage.leases
    import hub.vault.tables  # noqa: F401
    from hub.storage.database import Base

    return Base.metadata


def _config(connection: Any = None) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Run every migration that has not run, in one transaction.

    Raises:
        ConfigurationError: when the database does not answer, or was made by a newer hub.
    """
    from alembic import command
    from sqlalchemy.orm import Session

    from hub.catalogue import entries

    _refuse_newer(_revision(database))
    engine = database.engine.execution_options(hub_write=True)
    with engine.connect() as connection, _rebuilding(connection), connection.begin():
        command.upgrade(_config(connection), "head")
        with Session(connection) as session:
            entries.refresh(session)  # what a step cannot say in SQL
            session.flush()
        _check_references(connection)


@contextmanager
def _rebuilding(connection: Any) -> Iterator[None]:
    """Let SQLite rebuild tables that others refer to (its own advice: https://sqlite.org/lang_altertable.html).

    To change a constraint it copies a table, drops it and renames the copy; dropping counts as deleting what others
    refer to. The switch works only outside a transaction, so it is thrown on the driver's connection.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.dbapi_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _check_references(connection: Any) -> None:
    """Nothing may point to what is not there once the tables are rebuilt."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            tables = ", ".join(sorted({row[0] for row in broken}))
            raise ConfigurationError(
                f"The database cannot be upgraded: rows of {tables} refer to what is not there. It was left as it was; "
                "restore a backup or ask for help with this message."
            )


def require_current(database: Database) -> None:
    """Go on only with a database of this version.

    Raises:
        ConfigurationError: saying how to bring it there.
    """
    found = _revision(database)
    _refuse_newer(found)
    wanted, _ = _versions()
    if found != wanted:
        raise ConfigurationError(
            f"The hub's database is at version {found or 'none'}, this hub needs {wanted}. Run: hub init (it upgrades "
            "the database and changes nothing else)."
        )


@cache
def _versions() -> tuple[str | None, frozenset[str]]:
    """The newest version that this hub knows, and all it knows; alembic compiles every step to find out."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config())
    return scripts.get_current_head(), frozenset(script.revision for script in scripts.walk_revisions())


def _revision(database: Database) -> str | None:
    """The version a database is at; None for an empty one."""
    from alembic.migration import MigrationContext
    from sqlalchemy.exc import DBAPIError

    try:
        with database.engine.connect() as connection:
            found: str | None = MigrationContext.configure(connection).get_current_revision()
            return found
    except DBAPIError as error:
        raise ConfigurationError(
            f"The hub's database does not answer ({type(error.orig).__name__}); look at database_url."
        ) from None


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in _versions()[1]:
        raise ConfigurationError(
            f"The hub's database is at version {found}, which this hub does not know: a newer hub made it. Install "
            "that version of the hub, or give another database_url."
        )
