"""Databases for tests, the same way for SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from support.postgres import PostgresServer


class Databases(Protocol):
    """Makes databases of one kind.

    `new(prepare)` returns the SQLAlchemy URL of a fresh database. Without `prepare` it is empty; with it, it
    is a copy of a template that `prepare(url)` filled, once a session: `databases.new(migrate_to_head)`.
    """

    kind: str

    def new(self, prepare: Callable[[str], object] | None = None) -> str:
        """Return the URL of a fresh database."""

    def close(self) -> None:
        """Remove the databases that were made."""


class SqliteDatabases:
    """Files in `folder`; templates are kept in `templates`, which outlives one test."""

    kind = "sqlite"

    def __init__(self, folder: Path, templates: Path) -> None:
        self._folder = folder
        self._templates = templates
        self._made = 0

    def new(self, prepare: Callable[[str], object] | None = None) -> str:
        """Return the URL of a fresh file."""
        self._made += 1
        path = self._folder / f"test-{self._made}.db"
        if prepare is not None:
            shutil.copyfile(self._template(prepare), path)
        return f"sqlite:///{path}"

    def close(self) -> None:
        """Leave the files to pytest, which removes its temporary folders itself."""

    def _template(self, prepare: Callable[[str], object]) -> Path:
        path = self._templates / f"{prepare.__module__}.{prepare.__qualname__}.db".replace("<", "").replace(
            ">", ""
        )
        if not path.exists():
            prepare(f"sqlite:///{path}")
            with contextlib.closing(sqlite3.connect(path)) as connection:
                # What still sits in the write-ahead log would not be copied with the file.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path


class PostgresDatabases:
    """Databases on the session's throw-away server."""

    kind = "postgresql"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._names: list[str] = []

    def new(self, prepare: Callable[[str], object] | None = None) -> str:
        """Return the URL of a fresh database."""
        self._names.append(self._server.create(prepare))
        return self._server.url(self._names[-1])

    def close(self) -> None:
        """Drop the databases that were made."""
        while self._names:
            self._server.drop(self._names.pop())
