"""Bringing a database to the version this hub needs."""

from __future__ import annotations

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
    import hub.intake.tables
    import hub.policy.tables
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

    _refuse_newer(_revision(database))
    with database.engine.execution_options(hub_write=True).begin() as connection:
        command.upgrade(_config(connection), "head")


def require_current(database: Database) -> None:
    """Go on only with a database of this version.

    Raises:
        ConfigurationError: saying how to bring it there.
    """
    found = _revision(database)
    _refuse_newer(found)
    wanted = _scripts().get_current_head()
    if found != wanted:
        raise ConfigurationError(
            f"The hub's database is at version {found or 'none'}, this hub needs {wanted}. Run: hub init (it upgrades "
            "the database and changes nothing else)."
        )


def _scripts() -> Any:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


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
    if found is not None and found not in {script.revision for script in _scripts().walk_revisions()}:
        raise ConfigurationError(
            f"The hub's database is at version {found}, which this hub does not know: a newer hub made it. Install "
            "that version of the hub, or give another database_url."
        )
