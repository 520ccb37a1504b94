"""A query's rows as a stream of batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConfigError, SourceError
from ..base import Batch, Reading
from ._database import connected, failed, make_engine, near_names
from ._marks import Follower, Mark, below, read_mark, row_hash
from ._values import Rows

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, Select, TextClause

__all__ = ["Plan", "stream"]

#: Bytes of Arrow memory that a batch aims at, and how many rows are asked for first and at most.
_BATCH_BYTES: Final = 8 << 20
_FIRST_ROWS: Final = 100
_MOST_ROWS: Final = 50_000


@dataclass(frozen=True)
class Plan:
    """What is read and how; no secret is in it."""

    table: str
    schema: str
    columns: tuple[str, ...]
    query: str
    watermark: str
    overlap: float | None
    timeout: float
    encoding: str
    trim: bool


def stream(url: URL, plan: Plan, name: str, since: str | None, high: list[str | None]) -> Reading:
    """Read a plan's rows.

    Args:
        url: of the database, with its password.
        plan: what to read.
        name: of the source, for messages.
        since: the mark to read on from; "" for the first incremental load, None for all rows.
        high: its one place gets the mark for the next load when all rows have been given.
    """
    before = read_mark(since, plan.watermark, name) if since else None
    engine = make_engine(url, plan.timeout)
    loader = _Loader(engine, plan, name, since is not None, before, high)
    batches = loader.run()
    next(batches)  # connects and sends the query; from here on leaving it closes the connection
    first = next(batches, None)
    notes = (*loader.notes, *loader.padding())
    given = chain([first] if first is not None else [], batches)
    return Reading(loader.rows.columns, notes, _only_batches(given))


def _only_batches(batches: Iterator[Batch | None]) -> Iterator[Batch]:
    return (batch for batch in batches if batch is not None)


class _Loader:
    """One reading under way."""

    rows: Rows

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        name: str,
        incremental: bool,
        before: Mark | None,
        high: list[str | None],
    ) -> None:
        self._engine, self._plan, self._name = engine, plan, name
        self._incremental, self._before, self._high = incremental, before, high
        where = (
            engine.url.host or "",
            engine.url.database or "",
            engine.url.username or "",
            str(engine.url.port),
        )
        asked = (plan.query, plan.table, plan.schema, *plan.columns, plan.watermark)
        self._known = " ".join((*asked, *where, name))
        self.notes: list[str] = []

    def padding(self) -> tuple[str, ...]:
        """A note on columns filled up with blanks, as far as the first batch shows."""
        if not self.rows.padded:
            return ()
        names = ", ".join(sorted(self.rows.padded)[:10])
        return (f"blanks at the end of text dropped: {names}",)

    def run(self) -> Iterator[Batch | None]:
        """First None, when the query has been sent, then the batches."""
        with connected(self._engine, self._plan.timeout, self._known) as connection:
            self._check_columns(connection)
            self.notes += [f"{self._engine.dialect.name} database", self._what()]
            statement = self._statement(connection)
            try:
                yield from self._batches(connection, statement)
            except GeneratorExit:
                raise
            except Exception as error:
                raise self._explained(error, connection) from None

    def _batches(self, connection: Connection, statement: Select[Any] | TextClause) -> Iterator[Batch | None]:
        streaming = connection.execution_options(stream_results=True, max_row_buffer=_FIRST_ROWS)
        result = streaming.execute(statement)
        columns = _labels(tuple(result.keys()), self._name)
        self.rows = Rows(columns, self._name, encoding=self._plan.encoding, trim=self._plan.trim)
        follower, at = self._follower(columns)
        yield None
        wanted, given = _FIRST_ROWS, 0
        while fetched := result.fetchmany(wanted):
            new: Sequence[Any] = fetched
            if follower is not None:
                new = [row for row in fetched if self._is_new(follower, row[at], row)]
            if new:
                batch = self.rows.batch(new)
                given += len(new)
                wanted = _next_size(wanted, len(new), batch)
                yield batch
        result.close()
        mark = follower.mark() if follower is not None and given else None
        self._high[0] = mark.text() if mark is not None else None

    def _is_new(self, follower: Follower, value: Any, row: Sequence[Any]) -> bool:
        try:
            return follower.is_new(value, row) or not self._incremental
        except TypeError:
            raise SourceError(
                f"The watermark {self._plan.watermark!r:.80} of {self._name} holds values of different kinds.",
                "Use a column whose values are all times, all numbers or all text.",
            ) from None

    def _follower(self, columns: tuple[str, ...]) -> tuple[Follower | None, int]:
        plan = self._plan
        if not plan.watermark:
            return None, 0
        names = [name.casefold() for name in columns]
        if plan.watermark.casefold() not in names:
            raise ConfigError(
                f"{self._name} has no column {plan.watermark!r:.80} to be the watermark.",
                near_names(plan.watermark, list(columns)),
            )
        # In order of the database, another value is a larger one; text may sort otherwise here than there.
        newer = _larger if plan.overlap is not None else _other
        follower = Follower(self._before, plan.watermark, self._name, newer, plan.overlap)
        follower.columns = columns
        return follower, names.index(plan.watermark.casefold())

    # --- the statement

    def _check_columns(self, connection: Connection) -> None:
        """SQLite takes a quoted name that no column has for a text, and gives it in every row."""
        from sqlalchemy import exc, inspect

        if not self._plan.columns or self._engine.dialect.name != "sqlite":
            return
        try:
            names = [column["name"] for column in inspect(connection).get_columns(self._plan.table)]
        except exc.NoSuchTableError:
            return  # said by the query itself
        there = {name.casefold() for name in names}
        for name in self._plan.columns:
            if name.casefold() not in there:
                raise ConfigError(
                    f"The table {self._plan.table!r:.80} has no column {name!r:.80}.", near_names(name, names)
                )

    def _what(self) -> str:
        plan = self._plan
        what = (
            f"table {plan.schema + '.' if plan.schema else ''}{plan.table}"
            if plan.table
            else "the query's rows"
        )
        if not self._incremental:
            return what
        shown = self._before.text().partition("\n")[0] if self._before else ""
        return f"{what}, from {plan.watermark} {shown} on" if shown else f"{what} with a {plan.watermark}"

    def _statement(self, connection: Connection) -> Select[Any] | TextClause:
        """What to send. Values are bound, names are quoted by SQLAlchemy; only the query itself is the user's text."""
        from sqlalchemy import column, func, select, table, text

        plan = self._plan
        # The line end keeps a comment at the end from swallowing what follows.
        query = text(plan.query.replace(":", "\\:") + "\n") if plan.query else None
        if query is not None and not plan.watermark:
            return query
        if query is not None:
            origin: Any = query.columns().subquery("hub_source")
        else:
            origin = table(plan.table, schema=plan.schema or None)
        wanted = [column(name) for name in plan.columns] or [text("*")]
        chosen = select(*wanted).select_from(origin)
        if not plan.watermark:
            return chosen
        mark = column(plan.watermark)
        if self._incremental:
            if not self._before:
                missing = connection.scalar(select(func.count()).select_from(origin).where(mark.is_(None)))
                if missing:
                    self.notes.append(
                        f"{missing:,} rows without {plan.watermark} are left out: no mark can find them"
                    )
            chosen = chosen.where(
                mark.is_not(None) if not self._before else self._beyond(connection, chosen, mark)
            )
        return chosen.order_by(mark)

    def _beyond(self, connection: Connection, chosen: Select[Any], mark: Any) -> Any:
        """The condition for rows that were not read before."""
        assert self._before is not None  # noqa: S101 (asked by the caller)
        value = self._before.value
        if self._before.many is not None:
            if self._fold(connection, chosen.where(mark == _bound(value))) == self._before.many:
                return mark > _bound(value)
            return mark >= _bound(value)
        floor = value if self._plan.overlap is None else below(value, self._plan.overlap, self._name)
        return mark >= _bound(floor)

    def _fold(self, connection: Connection, ties: Select[Any]) -> tuple[int, int]:
        """Number and sum of the rows at the mark itself."""
        count = total = 0
        streaming = connection.execution_options(stream_results=True, max_row_buffer=_FIRST_ROWS)
        with streaming.execute(ties) as result:
            while fetched := result.fetchmany(_FIRST_ROWS):
                count += len(fetched)
                total = (total + sum(row_hash(row) for row in fetched)) % (1 << 64)
        return count, total

    # --- when it goes wrong

    def _explained(self, error: Exception, connection: Connection) -> Exception:
        from sqlalchemy import exc

        if isinstance(error, SourceError | ConfigError):
            return error
        read = getattr(getattr(self, "rows", None), "count", 0)
        more = f" after row {read:,}" if read else ""
        early = self._plan.table and not read
        if early and isinstance(error, exc.ProgrammingError | exc.OperationalError):
            hint = self._missing(connection)
            if hint is not None:
                return SourceError(f"The database has no table {self._plan.table!r:.80}.", hint)
        return failed(error, self._engine, self._known, more)

    def _missing(self, connection: Connection) -> str | None:
        """What the database has instead of the table, None when the table is there or nobody can tell."""
        from sqlalchemy import exc, inspect

        schema = self._plan.schema or None
        try:
            connection.rollback()
            found = inspect(connection)
            names = [*found.get_table_names(schema), *found.get_view_names(schema)]
        except (exc.SQLAlchemyError, NotImplementedError):
            return None
        if self._plan.table in names:
            return None
        return near_names(self._plan.table, names)


def _other(one: Any, than: Any) -> bool:
    return bool(one != than)


def _larger(one: Any, than: Any) -> bool:
    return bool(one > than)


def _bound(value: Any) -> Any:
    """A value as a parameter, of the type it had when it was read."""
    from sqlalchemy import BigInteger, Date, DateTime, Float, Numeric, String, bindparam

    if isinstance(value, datetime):
        kind: Any = DateTime(timezone=value.tzinfo is not None)
    elif isinstance(value, date):
        kind = Date()
    elif isinstance(value, Decimal):
        kind = Numeric()
    else:
        kind = {int: BigInteger(), float: Float(), str: String()}[type(value)]
    return bindparam(None, value, type_=kind)


def _next_size(wanted: int, rows: int, batch: Batch) -> int:
    """How many rows make a batch of the size aimed at, judged by the last one; at most four times as many."""
    each = max(1, batch.table.nbytes // rows)
    return max(1, min(_BATCH_BYTES // each, wanted * 4, _MOST_ROWS))


def _labels(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        SourceError: when one has none, or two have the same.
    """
    for index, label in enumerate(names):
        if not label.strip():
            raise SourceError(
                f"Column {index + 1} of {name} has no name.", "Give it one in the query: ... AS name."
            )
        if label in names[:index]:
            raise SourceError(
                f"Two columns of {name} are called {label!r:.80}.",
                "Give each its own name in the query: ... AS name.",
            )
    return names
