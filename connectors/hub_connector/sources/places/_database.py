"""Connections to databases: opened read-only where that can be had, with time limits, and errors in words."""

from __future__ import annotations

import contextlib
import difflib
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ...errors import ConfigError, SourceError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

__all__ = ["DRIVERS", "connected", "failed", "make_engine", "near_names"]

#: Packages that bring the drivers, by the part of the URL after the plus sign.
DRIVERS: Final = {
    "psycopg": "'psycopg[binary]'",
    "psycopg2": "psycopg2-binary",
    "pg8000": "pg8000",
    "pymysql": "PyMySQL",
    "mysqldb": "mysqlclient",
    "mysqlconnector": "mysql-connector-python",
    "mariadbconnector": "mariadb",
    "pyodbc": "pyodbc (and the maker's ODBC driver)",
    "pymssql": "pymssql",
    "oracledb": "oracledb",
    "cx_oracle": "oracledb (and write oracle+oracledb://)",
}
#: Drivers to name when the URL names none or one that is hard to install.
_BETTER: Final = {
    "mysqldb": "mysql+pymysql",
    "cx_oracle": "oracle+oracledb",
    "psycopg2": "postgresql+psycopg",
}
_CONNECT_SECONDS: Final = 15
_CONNECT: Final = {
    "psycopg": {"connect_timeout": _CONNECT_SECONDS},
    "psycopg2": {"connect_timeout": _CONNECT_SECONDS},
    "pymysql": {"connect_timeout": _CONNECT_SECONDS},
    "mysqldb": {"connect_timeout": _CONNECT_SECONDS},
    "pyodbc": {"timeout": _CONNECT_SECONDS},
    "oracledb": {"tcp_connect_timeout": float(_CONNECT_SECONDS)},
}
_SQLITE_STEPS: Final = 20_000


def make_engine(url: URL, timeout: float) -> Engine:
    """An engine that keeps no connection and whose errors show no values.

    Args:
        url: with its password.
        timeout: seconds that one statement may take.

    Raises:
        ConfigError: when the driver is missing, or there is no such kind of database.
    """
    from sqlalchemy import create_engine, exc, pool

    more: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        if url.drivername not in ("sqlite", "sqlite+pysqlite") or url.query:
            raise ConfigError(
                "An SQLite source is a file and nothing more.",
                "Write sqlite:///FILE, without a '?' or a driver.",
            )
        path = _sqlite_file(url)
        more["creator"] = lambda: _open_sqlite(path, timeout)
    try:
        dialect = url.get_dialect()
        if getattr(dialect, "is_async", False):
            raise ConfigError(
                f"The driver {dialect.driver} is for asynchronous programs.",
                "Write for example postgresql+psycopg://.",
            )
        if not more:
            more["connect_args"] = dict(_CONNECT.get(dialect.driver, {}))
        return create_engine(url, poolclass=pool.NullPool, hide_parameters=True, **more)
    except exc.NoSuchModuleError:
        raise ConfigError(
            f"There is no kind of database called {url.drivername!r:.60} here.",
            "Write for example postgresql+psycopg://, mssql+pyodbc://, oracle+oracledb://, mysql+pymysql:// or "
            "sqlite:///FILE. Other databases need a package with their SQLAlchemy dialect.",
        ) from None
    except ImportError as error:
        driver = url.drivername.partition("+")[2] or (error.name or "").lower()
        package = DRIVERS.get(driver, driver or "a driver")
        other = f" Or write {_BETTER[driver]}:// instead." if driver in _BETTER else ""
        raise ConfigError(
            f"Reading {url.get_backend_name()} needs the driver {driver or url.drivername}; it is not installed here.",
            f"Install it beside the connector: pip install {package}.{other}",
        ) from None
    except (exc.ArgumentError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The database address cannot be used ({type(error).__name__}).",
            "Look at its parts after the '?'.",
        ) from None


@contextmanager
def connected(engine: Engine, timeout: float, known: str) -> Iterator[Connection]:
    """A connection in one transaction that sees the database as it is now, read-only where that can be had.

    Args:
        engine: from `make_engine`.
        timeout: seconds that one statement may take.
        known: what the user wrote, which may stand in messages.

    Raises:
        SourceError: when the database does not let us in; errors in the block are put into words as well.
    """
    from sqlalchemy import exc

    errors = (exc.SQLAlchemyError, UnicodeError, ValueError, OverflowError, ArithmeticError)
    try:
        connection = engine.connect()
    except errors as error:
        raise failed(error, engine, known) from None
    try:
        _limit(connection, timeout)
        yield connection
    except GeneratorExit:
        # Left half-way, perhaps by the garbage collector, which may have taken the driver's connection before us.
        with contextlib.suppress(Exception):
            connection.invalidate()
        raise
    except errors as error:
        raise failed(error, engine, known) from None
    finally:
        with contextlib.suppress(*errors):
            connection.close()
        engine.dispose()


def _limit(connection: Connection, timeout: float) -> None:
    """Set up the transaction: one snapshot, no changes, limited time. Where a server is too old, without."""
    from sqlalchemy import exc

    milliseconds = max(1, int(timeout * 1000))
    statements: tuple[str, ...] = ()
    driver: Any = connection.connection.driver_connection
    match connection.dialect.name:
        case "postgresql":
            if connection.dialect.driver == "psycopg":
                _lenient_dates(driver)
            statements = (
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
                f"SET LOCAL statement_timeout = {milliseconds}",
                "SET LOCAL datestyle = 'ISO, YMD'",
            )
        case "mysql" | "mariadb":
            limit = (
                f"SET SESSION max_statement_time = {timeout:.3f}"
                if getattr(connection.dialect, "is_mariadb", False)
                else f"SET SESSION MAX_EXECUTION_TIME = {milliseconds}"
            )
            statements = (limit, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        case "sqlite":
            statements = ("BEGIN",)
        case "oracle":
            driver.call_timeout = milliseconds
            statements = ("SET TRANSACTION READ ONLY",)
        case "mssql" if hasattr(driver, "timeout"):
            driver.timeout = max(1, int(timeout))
    for statement in statements:
        if connection.dialect.name in ("mysql", "mariadb"):
            with contextlib.suppress(exc.DBAPIError):
                connection.exec_driver_sql(statement)
        else:
            connection.exec_driver_sql(statement)


def _lenient_dates(driver: Any) -> None:
    """Let psycopg give dates that Python cannot hold (before year 1, after 9999, infinity) as their text."""
    from psycopg.adapt import Loader

    def loader(read: Callable[[str], Any]) -> type[Loader]:
        class Lenient(Loader):
            def load(self, data: Any) -> Any:
                text = bytes(data).decode()
                try:
                    return read(text)
                except ValueError:
                    return text

        return Lenient

    driver.adapters.register_loader("date", loader(date.fromisoformat))
    for name in ("timestamp", "timestamptz"):
        driver.adapters.register_loader(name, loader(datetime.fromisoformat))


def _sqlite_file(url: URL) -> Path:
    path = Path(url.database or "")
    if not url.database or url.database.startswith((":memory:", "file:")):
        raise ConfigError(
            "The address names no SQLite file.",
            "Write sqlite:///FILE, or sqlite:////full/path/FILE (four slashes).",
        )
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise SourceError(
            f"The SQLite database {url.database} {what}.",
            "A path after sqlite:/// counts from the current folder; with four slashes it is a full path.",
        )
    return path.resolve()


def _open_sqlite(path: Path, timeout: float) -> sqlite3.Connection:
    """The file, which is not made or changed, with text that is not UTF-8 marked instead of refused."""
    opened = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, timeout=min(timeout, 30.0), check_same_thread=False
    )
    try:
        opened.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        until = time.monotonic() + timeout
        opened.set_progress_handler(lambda: time.monotonic() > until, _SQLITE_STEPS)
        opened.execute("PRAGMA query_only = ON")
        opened.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        opened.close()
        raise
    return opened


def failed(error: Exception, engine: Engine, known: str, more: str = "") -> SourceError:
    """A database's complaint in words.

    Drivers quote values of rows in their messages; what is in quotation marks is only shown when the user wrote it,
    and complaints about data are not shown at all.
    """
    from sqlalchemy import exc

    kind = engine.dialect.name
    hint = "Look at the dataset's source and options."
    if isinstance(error, UnicodeError):
        return SourceError(
            f"The {kind} driver cannot read the text of some row{more}.",
            "The database says another character set than it holds; name the right one in the address "
            "(for example ?charset=cp1252), or mend the rows.",
        )
    original = getattr(error, "orig", None) or error
    if isinstance(error, exc.OperationalError | exc.InterfaceError) and "interrupted" in str(original):
        return SourceError(
            f"The {kind} database took longer than allowed{more}.",
            "Raise the option timeout, or ask for less.",
        )
    if not isinstance(
        error, exc.ProgrammingError | exc.OperationalError | exc.InterfaceError | exc.DatabaseError
    ):
        return SourceError(f"The {kind} database cannot be read{more} ({type(original).__name__}).", hint)
    state = getattr(original, "sqlstate", None) or ""
    said = "" if isinstance(error, exc.DataError | exc.IntegrityError) else _harmless(str(original), known)
    words = ": ".join(
        part
        for part in (f"The {kind} database cannot be read{more}", said, f"code {state}" if state else "")
        if part
    )
    return SourceError(words.rstrip(". ") + ".", hint)


def _harmless(message: str, known: str) -> str:
    """The first line of a message, with only those quoted words that the user wrote."""
    line = next((line.strip() for line in message.splitlines() if line.strip()), "")
    wrote = known.casefold()

    def shown(found: re.Match[str]) -> str:
        inner = found[0][1:-1]
        return found[0] if inner.casefold() in wrote else f"{found[0][0]}...{found[0][0]}"

    return re.sub(r"""'[^']*'|"[^"]*\"""", shown, line)[:300]


def near_names(wanted: str, names: list[str]) -> str:
    """Words on which names come near to one that is not there."""
    near = difflib.get_close_matches(wanted.casefold(), [name.casefold() for name in names], n=1)
    like = next((name for name in names if near and name.casefold() == near[0]), "")
    if like:
        return f"Did you mean {like!r:.80}?"
    shown = ", ".join(sorted(names)[:12])
    return (
        f"It has: {shown}{', ...' if len(names) > 12 else ''}."
        if names
        else "It has no tables that we may see."
    )
