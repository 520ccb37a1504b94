"""The database: an engine for SQLite or PostgreSQL and the two kinds of transaction the hub knows.

A workflow opens one `write` transaction, does its work and its audit entry in it, and leaves; nothing below a
workflow commits. On SQLite a write transaction takes the write lock at its beginning (BEGIN IMMEDIATE): a
transaction that reads first and writes later would otherwise fail under load instead of waiting.

What a database says no to becomes one of the hub's own errors here, the same on both: a text it cannot hold, a
record that somebody else made at the same moment, a server that is away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Engine, MetaData, create_engine, event, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from hub.errors import ConfigurationError, Conflict, Invalid, Unavailable

__all__ = ["Base", "Database", "UtcDateTime", "utc_now"]

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def utc_now() -> datetime:
    """Now, in UTC, with its zone, to the millisecond."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC on both databases (SQLite would hand back naive values)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse naive values: a moment without a zone is a mistake."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Give every moment its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of every table; each room declares its own in its `tables.py`."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy reads it from the class


class Database:
    """An engine and its transactions.

    Raises:
        ConfigurationError: when the URL names no database the hub can use.
    """

    def __init__(self, url: str) -> None:
        #: What every session carries along, for the parts of the hub that find it there.
        self.session_info: dict[str, Any] = {}
        try:
            self.engine = _make_engine(url)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ConfigurationError(
                f"The database URL cannot be used ({type(error).__name__}). Give sqlite:///PATH or "
                "postgresql+psycopg://USER@HOST/NAME; the latter needs joinedup-hub[postgres]."
            ) from None

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that may write: committed at the end, rolled back on any error.

        Raises:
            Invalid: when something cannot be stored (PostgreSQL refuses NUL characters and texts too long).
            Conflict: when it clashes with what somebody else wrote at the same moment.
            Unavailable: when the database does not answer, or is busy for too long.
        """
        engine = self.engine.execution_options(hub_write=True)
        with (
            _in_our_words(),
            Session(engine, expire_on_commit=False, info=self.session_info) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that only reads; what it may have changed is rolled back. Raises as `write` does."""
        with _in_our_words(), Session(self.engine, expire_on_commit=False, info=self.session_info) as session:
            yield session
            session.rollback()

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            Unavailable: when it does not answer.
        """
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise Unavailable(f"The database does not answer ({type(error.orig).__name__}).") from None

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except (DataError, UnicodeEncodeError) as error:
        raise Invalid(
            "Something that was sent cannot be stored: a text that is too long, or a character that does not exist "
            "or is not printable."
        ) from error
    except IntegrityError as error:
        if not _is_double(error):
            raise  # a value that is missing or leads nowhere is a mistake of ours
        raise Conflict(
            "Somebody wrote the same thing at the same moment; look again, then repeat."
        ) from error
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(
            f"The database does not answer ({type(error.orig).__name__}); try again in a moment."
        ) from error


def _is_double(error: IntegrityError) -> bool:
    """Whether the record is there already: SQLSTATE 23505, or SQLite's names for it."""
    name = getattr(error.orig, "sqlite_errorname", "")
    return getattr(error.orig, "sqlstate", "") == "23505" or name in (
        "SQLITE_CONSTRAINT_UNIQUE",
        "SQLITE_CONSTRAINT_PRIMARYKEY",
    )


def _make_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the begin event below opens transactions, not the driver
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # what was acknowledged survives a power cut, not only a crash
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        write = connection.get_execution_options().get("hub_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
