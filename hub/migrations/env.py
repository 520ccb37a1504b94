"""Alembic's entry: runs on the connection it is given, or, for `alembic revision`, on a scratch database."""

from alembic import context

from hub.migrations.upgrade import metadata


def run() -> None:
    """Run what was asked for on the right connection."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        from hub.storage.database import Database

        with Database(
            context.config.get_main_option("sqlalchemy.url") or "sqlite://"
        ).engine.connect() as scratch:
            _migrate(scratch)
        return
    _migrate(connection)


def _migrate(connection: object) -> None:
    context.configure(
        connection=connection, target_metadata=metadata(), render_as_batch=True, compare_type=True,
        include_name=lambda name, kind, _parents: kind != "table" or name != "scheduler_jobs",
    )  # fmt: skip
    with context.begin_transaction():
        context.run_migrations()


run()
