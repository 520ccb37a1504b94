"""Rows of a database, through SQLAlchemy: a table or one SELECT, as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ...errors import ConfigError
from ...secrets import HOW
from ..base import Reading, Recognise, Update
from ._address import plain_name
from ._select import checked_query
from ._settings import Settings
from ._stream import Plan, stream

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["OPTIONS", "SqlSource", "open_sql"]

#: What can be said about a database source.
OPTIONS: Final = {
    "table": "the table or view to read",
    "schema": "the schema it is in",
    "columns": "its columns to read; without it all of them",
    "query": "one SELECT instead of a table",
    "username": "who to sign in as",
    "password": "the password's place",
    "watermark": "the column that rises with every row added or changed, to read only what is new",
    "overlap": "how far below the mark to look again: 10m for times, or a number",
    "timeout": "longest time for one statement, 1h",
    "encoding": "of text that the database holds as something else than it says, such as cp1252",
    "trim": "false keeps the blanks at the end of text",
}
_SECRETIVE: Final = (
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "odbc_connect",
    "sslkey_password",
    "sslpassword",
)
#: Schemes of the other places, never of a database.
_OTHERS: Final = (
    "http",
    "https",
    "file",
    "ftp",
    "ftps",
    "sftp",
    "ssh",
    "s3",
    "gs",
    "az",
    "abfs",
    "smb",
    "rest",
)


def open_sql(location: str, options: Mapping[str, object]) -> SqlSource | None:
    """A table or query of a database, None when the location is no SQLAlchemy URL.

    Raises:
        ConfigError: when the URL or an option cannot be used, or the driver is missing.
        SourceError: when it is an SQLite file that is not there.
    """
    scheme, mark, _ = location.removeprefix("sql:").partition("://")
    if not mark or scheme.partition("+")[0].lower() in _OTHERS:
        return None
    from sqlalchemy import exc, make_url

    try:
        url = make_url(location.removeprefix("sql:"))
    except (exc.ArgumentError, ValueError):
        raise ConfigError(
            "The database address is malformed.", "It looks like postgresql+psycopg://host/database"
        ) from None
    if not location.startswith("sql:") and not _is_database(url):
        return None
    if scheme == "postgres":
        raise ConfigError("The address begins with postgres://.", "Write postgresql+psycopg:// instead.")
    settings = Settings("Database", options, OPTIONS)
    _refuse_secrets(url)
    plan = _plan(settings)
    password, username = settings.secret("password"), settings.text_or_secret("username")
    if username:
        url = url.set(username=username)
    if password is not None:
        url = url.set(password=password.reveal())
    from ._database import make_engine

    make_engine(url, plan.timeout).dispose()  # a missing driver or file shows at once
    return SqlSource(url, plan)


def _is_database(url: URL) -> bool:
    """Whether SQLAlchemy knows such databases, with their driver installed or not."""
    from sqlalchemy import exc

    if url.get_backend_name() == "postgres":
        return True
    try:
        url.get_dialect()
    except exc.NoSuchModuleError:
        # A wrong driver of a known database is worth a message about the driver.
        try:
            url.set(drivername=url.get_backend_name()).get_dialect()
        except exc.NoSuchModuleError:
            return False
        except ImportError:
            return True
    except ImportError:
        return True
    return True


def _refuse_secrets(url: URL) -> None:
    """No secrets in a URL: it stands in files that many read, and in lists of processes."""
    told = [name for name in url.query if name.lower() in _SECRETIVE]
    if url.password is not None or told:
        what = f"{told[0]} after the '?'" if told else "a password"
        raise ConfigError(
            f"The database address holds {what}.",
            f"Take it out, and put it in the dataset's options: username, and password = {HOW}. "
            "If it stood in a file others can read, change it.",
        )


def _plan(settings: Settings) -> Plan:
    table, schema, query = settings.text("table"), settings.text("schema"), settings.text("query")
    columns = settings.names("columns")
    if bool(table) == bool(query):
        raise ConfigError(
            "A database source reads either a table or a query.",
            'Add one of the options: table = "pupils", or query = "SELECT ...".',
        )
    if query and (schema or columns):
        raise ConfigError("The options schema and columns go with table.", "Say them in the query itself.")
    if table and not schema and "." in table:
        schema, _, table = table.rpartition(".")
    watermark = settings.text("watermark")
    if watermark and columns and watermark.casefold() not in [name.casefold() for name in columns]:
        raise ConfigError("The watermark is not among the columns.", "Add it to the option columns.")
    if "overlap" in settings and not watermark:
        raise ConfigError("The option overlap goes with watermark.", "Add watermark, or leave overlap out.")
    encoding = settings.text("encoding")
    if encoding:
        from .._encoding import checked_encoding

        encoding = checked_encoding(encoding).codec
    return Plan(
        table=table,
        schema=schema,
        columns=columns,
        query=checked_query(query) if query else "",
        watermark=watermark,
        overlap=settings.seconds("overlap", 1, most=10.0**12) if "overlap" in settings else None,
        timeout=settings.seconds("timeout", 3600.0),
        encoding=encoding,
        trim=settings.flag("trim", default=True),
    )


class SqlSource:
    """A table or a query of a database; `Incremental` when it has a watermark.

    Every reading is one transaction that sees the database as it was when it began, where the database can do that.
    """

    streamed = True

    def __init__(
        self, url: URL, plan: Plan, since: str | None = None, high: list[str | None] | None = None
    ) -> None:
        self._url, self._plan, self._since = url, plan, since
        # Shared with what `after` gives, so that either can be asked.
        self._high: list[str | None] = [None] if high is None else high
        self.watermark = plan.watermark or None
        database = plain_name((url.database or "").replace("%", "%25"), url.get_backend_name())
        self.name = f"{database}: {plan.table or 'query'}"[:200]

    def read(self, recognise: Recognise | None = None) -> Reading:
        """Connect, send the query, and give the rows in batches of about 8 MiB.

        Raises:
            SourceError: when the database does not let us in or does not understand.
        """
        del recognise  # a database names its columns
        self._high[0] = None
        return stream(self._url, self._plan, self.name, self._since, self._high)

    def fingerprint(self, update: Update) -> None:
        """Where the rows come from and how they are read."""
        update(self._url._replace(password=None).render_as_string().encode() + b"\n")
        update(repr(self._plan).encode())

    def after(self, mark: str | None) -> SqlSource:
        """The same, only with rows at or beyond the mark that were not read before; see `_marks`."""
        return SqlSource(self._url, self._plan, mark if mark is not None else "", self._high)

    def high_water(self) -> str | None:
        """The mark for the next load, once all batches were read; None when there were no rows."""
        return self._high[0]
