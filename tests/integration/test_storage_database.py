"""The database keeps what was committed whole, lets writers wait for each other, and speaks in the hub's own errors."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Integer, String, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hub.errors import ConfigurationError, Conflict, Invalid, Unavailable
from hub.storage.database import Database, UtcDateTime, utc_now
from hub.storage.ids import new_id
from support.databases import PostgresDatabases
from support.postgres import PostgresServer


class Base(DeclarativeBase):
    """Tables of these tests only."""

    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy reads it from the class


class Counter(Base):
    """A number that many add to."""

    __tablename__ = "test_counters"

    name: Mapped[str] = mapped_column(String(10), primary_key=True)
    value: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime | None]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the counter `a` at 0, of either kind."""
    with _database(database_url) as made:
        yield made


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Database]:
    """The same on PostgreSQL, for what SQLite does not have."""
    made = PostgresDatabases(postgres_server)
    with _database(made.new()) as database:
        yield database
    made.close()


@contextlib.contextmanager
def _database(url: str) -> Iterator[Database]:
    made = Database(url)
    with made.engine.execution_options(hub_write=True).begin() as connection:
        Base.metadata.create_all(connection)
    with made.write() as session:
        session.add(Counter(name="a", value=0, at=None))
    yield made
    made.close()


def _value(database: Database, name: str = "a") -> int | None:
    with database.read() as session:
        found = session.get(Counter, name)
        return found.value if found else None


# ---- whole or not at all


def test_a_write_that_breaks_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        session.add(Counter(name="b", value=1, at=None))
        session.execute(update(Counter).values(value=99))
        session.flush()
        raise RuntimeError
    assert (_value(database), _value(database, "b")) == (0, None)


def test_what_a_reader_changes_is_not_kept(database: Database) -> None:
    with database.read() as session:
        found = session.get(Counter, "a")
        assert found is not None
        found.value = 99
        session.flush()
    assert _value(database) == 0


def test_a_process_killed_in_the_middle_of_a_write_leaves_nothing(
    database: Database, database_url: str
) -> None:
    code = (
        "import os, sys\nfrom sqlalchemy import text\nfrom hub.storage.database import Database\n"
        "with Database(sys.argv[1]).write() as session:\n"
        "    session.execute(text('UPDATE test_counters SET value = 99'))\n    session.flush()\n"
        "    print('written', flush=True)\n    os.kill(os.getpid(), 9)\n"
    )
    database.close()
    done = subprocess.run(
        [sys.executable, "-c", code, database.engine.url.render_as_string(hide_password=False)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (-9, "written\n"), done.stderr
    assert _value(database) == 0
    with database.write() as session:
        session.execute(update(Counter).values(value=1))
    assert _value(database) == 1, "and holds nobody up"


# ---- many at once


def test_writers_at_once_lose_nothing_and_do_not_lock_each_other_out(database: Database) -> None:
    """Each reads first and writes later: with SQLite's ordinary BEGIN all but one would fail."""

    def add(_: int) -> None:
        with database.write() as session:
            query = select(Counter).where(Counter.name == "a")
            row = session.scalars(query if database.is_sqlite else query.with_for_update()).one()
            value = row.value
            session.execute(text("SELECT 1"))
            row.value = value + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(80)))
    assert _value(database) == 80


def test_a_reader_sees_one_moment_while_somebody_writes(database: Database) -> None:
    with database.read() as reader:
        assert reader.scalar(select(Counter.value)) == 0
        done = threading.Event()

        def write() -> None:
            with database.write() as session:
                session.execute(update(Counter).values(value=5))
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        assert done.wait(20), "a reader must not hold up a writer"
        thread.join()
        if database.is_sqlite:
            assert reader.scalar(select(Counter.value)) == 0, "on SQLite a reader keeps its snapshot"
    assert _value(database) == 5


def test_a_writer_waits_for_the_other_and_then_goes_on(database: Database) -> None:
    begun, order = threading.Event(), []

    def slow() -> None:
        with database.write() as session:
            session.execute(update(Counter).values(value=Counter.value + 1))
            begun.set()
            threading.Event().wait(0.3)
            order.append("slow")

    thread = threading.Thread(target=slow)
    thread.start()
    begun.wait(10)
    with database.write() as session:
        session.execute(update(Counter).values(value=Counter.value + 1))
        order.append("quick")
    thread.join()
    assert (order, _value(database)) == (["slow", "quick"], 2)


# ---- in the hub's own words


def test_a_record_made_twice_is_a_conflict(database: Database) -> None:
    with pytest.raises(Conflict, match="same moment"), database.write() as session:
        session.execute(text("INSERT INTO test_counters (name, value) VALUES ('a', 1)"))


def test_a_mistake_of_ours_stays_a_mistake(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.execute(text("INSERT INTO test_counters (name) VALUES ('b')"))


@pytest.mark.parametrize("name", ["a\ud800b", "a\0b", "x" * 11], ids=["half a character", "NUL", "too long"])
def test_a_text_that_postgresql_cannot_store_is_the_senders_fault(postgres: Database, name: str) -> None:
    """SQLite stores NUL characters and does not look at lengths, so the API refuses them for both."""
    _assert_not_stored(postgres, name)


def test_half_a_character_is_refused_by_both(database: Database) -> None:
    _assert_not_stored(database, "a\ud800b")


def _assert_not_stored(database: Database, name: str) -> None:
    with pytest.raises(Invalid, match="cannot be stored"), database.write() as session:
        session.add(Counter(name=name, value=1, at=None))
    if len(name) < 10:
        with pytest.raises(Invalid), database.read() as session:
            session.get(Counter, name)


def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/no/such/folder.db", "postgresql+psycopg://x@127.0.0.1:1/x"):
        away = Database(url)
        for act in (away.ping, lambda away=away: _value(away)):
            with pytest.raises(Unavailable, match="does not answer"):
                act()
        with pytest.raises(Unavailable), away.write() as session:
            session.execute(text("SELECT 1"))


def test_a_server_that_goes_away_and_comes_back_is_noticed(postgres: Database) -> None:
    database = postgres
    database.ping()
    with database.write() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    database.ping()
    assert _value(database) == 0


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "oracle://x", "://", "sqlite+nothing:///x"])
def test_a_url_that_names_no_database_of_ours_says_which_do(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:///PATH or postgresql\+psycopg"):
        Database(url)


# ---- moments


def test_moments_come_back_in_utc_to_the_millisecond(database: Database) -> None:
    now = utc_now()
    assert now.microsecond % 1000 == 0
    elsewhere = now.astimezone(timezone(timedelta(hours=5, minutes=30)))
    for moment in (now, elsewhere):
        with database.write() as session:
            session.execute(update(Counter).values(at=moment))
        with database.read() as session:
            found = session.scalars(select(Counter.at)).one()
            assert session.scalars(select(Counter.name).where(Counter.at == moment)).all() == ["a"]
            assert session.scalars(select(Counter.name).where(Counter.at > moment)).all() == []
        assert found == now
        assert found is not None
        assert found.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a time zone"), database.write() as session:
        session.execute(update(Counter).values(at=datetime(2026, 1, 1)))


# ---- how SQLite is set


def test_sqlite_keeps_what_was_acknowledged_and_wipes_what_was_deleted(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.read() as session:
        found = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_what_was_deleted_is_not_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = Database(f"sqlite:///{path}")
    with database.engine.execution_options(hub_write=True).begin() as connection:
        connection.execute(text("CREATE TABLE t (x TEXT)"))
        connection.execute(
            text("INSERT INTO t VALUES (:x)"), [{"x": f"canary-{number}"} for number in range(2000)]
        )
    with database.write() as session:
        session.execute(text("DELETE FROM t"))
    database.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"canary-1999" not in path.read_bytes()


# ---- ids


def test_ids_sort_by_their_time_and_are_never_the_same() -> None:
    made = [new_id("run") for _ in range(2000)]
    assert len(set(made)) == 2000
    assert all(
        one.startswith("run_") and len(one) == 30 and one.isascii() and one.lower() == one for one in made
    )
    assert sorted(item[:14] for item in made) == [item[:14] for item in made], (
        "the first 48 bits are the time"
    )
    assert json.dumps(made)
