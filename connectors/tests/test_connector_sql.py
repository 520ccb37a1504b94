"""Databases as sources: read whole or only what is new, never changed, never shown."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_connector.checking import Summary, check_source, find_contract
from hub_connector.errors import ConfigError, ConnectorError, SourceError
from hub_connector.rendering import as_text
from hub_connector.sources import open_source
from hub_connector.sources.places import _marks
from hub_connector.sources.places._select import checked_query
from hub_connector.sources.places._stream import _Loader
from hub_connector.sources.places._values import Rows, as_words
from hub_connector.sources.places.sql import SqlSource, open_sql

if TYPE_CHECKING:
    from support.postgres import PostgresServer

CANARY = "canary-hunter2"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A school's old database, open for the school."""
    with contextlib.closing(sqlite3.connect(tmp_path / "school.db")) as opened:
        opened.execute(
            'CREATE TABLE pupils (pupil TEXT, "Family name" CHAR(12), "NHS number" TEXT, born TEXT, '
            "sessions NUMERIC, changed TEXT)"
        )
        rows = [(f"p{n:03}", f"Name{n}".ljust(12), "943 476 5919", "01/02/2015", n) for n in range(120)]
        opened.executemany("INSERT INTO pupils VALUES (?, ?, ?, ?, ?, '2026-01-01')", rows)
        opened.commit()
        yield opened


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'school.db'}"


def rows_of(source: Any) -> list[dict[str, Any]]:
    found = []
    for batch in source.read().batches:
        assert batch.first_row == len(found) + 1
        found += as_text(batch.table).to_pylist()
    return found


def opened(tmp_path: Path, **options: Any) -> SqlSource:
    source = open_sql(url(tmp_path), options)
    assert source is not None
    return source


def refusal(location: str, options: Mapping[str, object]) -> str:
    with pytest.raises(ConnectorError) as caught:
        source = open_source(location, options)
        for _ in source.read().batches:
            pass
    return str(caught.value)


# --- the whole way


def test_a_table_goes_all_the_way_to_accepted_and_refused_rows(
    department: Any, database: sqlite3.Connection, tmp_path: Path
) -> None:
    database.execute("INSERT INTO pupils VALUES ('p900', NULL, '943 476 5919', '31/02/2015', 5.5, NULL)")
    database.execute("INSERT INTO pupils VALUES (CAST(x'ff41' AS TEXT), 'Old', NULL, NULL, 7, NULL)")
    database.commit()
    contract = find_contract(str(department.contract))
    summary = Summary()
    outcomes = list(check_source(contract, open_source(url(tmp_path), {"table": "pupils"}), summary))
    assert (summary.rows, summary.accepted, summary.refused) == (122, 120, 2)
    assert {(line.column, line.rule) for line in summary.by_count()} == {
        ("surname", "required"), ("born", "type-error"), ("sessions", "type-error"), ("", "encoding-error"),
    }  # fmt: skip
    accepted = pa.concat_tables([outcome.accepted for outcome in outcomes])
    assert accepted["surname"][3].as_py() == "Name3"
    assert accepted["born"][3].as_py() == date(2015, 2, 1)
    assert accepted["sessions"].to_pylist() == list(range(120))
    assert summary.notes[:3] == [
        "sqlite database", "table pupils", "blanks at the end of text dropped: Family name",
    ]  # fmt: skip


def test_the_command_line_reads_a_database_too(
    department: Any, database: sqlite3.Connection, tmp_path: Path
) -> None:
    def check(*more: str) -> tuple[int, str, str]:
        return department.run("check", "--contract", department.contract, url(tmp_path), *more)  # type: ignore[no-any-return]

    status, said, _ = check("--option", "table=pupils", "--option", "columns=pupil,Family name")
    assert status == 0
    assert "120 keep the contract" in said
    assert check("--option", f"table {CANARY}")[0] == 2
    status, _, complaint = check("--option", "table=pupils", "--option", f"password={CANARY}")
    assert status == 2
    assert "password=env:NAME" in complaint
    assert CANARY not in complaint
    assert "given twice" in check("--option", "table=a", "--option", "table=b")[2]


def test_a_growing_table_is_pushed_and_then_only_what_is_new(
    registered: Any, hub: Any, database: sqlite3.Connection, tmp_path: Path
) -> None:
    with (registered.home / "hub-connector.toml").open("a") as config:
        config.write(
            f'''
            [datasets."test.pupils"]
            source = "{url(tmp_path)}"
            contract = "{registered.contract}"
            mode = "append"
            options = {{ table = "pupils", watermark = "changed" }}
            '''
        )
    for added in range(2):
        status, said, complaint = registered.run("push", "test.pupils", "--wait")
        assert status == 0, said + complaint
        database.execute(
            f"INSERT INTO pupils VALUES ('new{added}', 'New', '943 476 5919', '01/02/2015', 3, '2026-01-01')"
        )
        database.commit()
    first, second = hub.tables.values()
    assert first["rows"].num_rows == 120
    assert second["rows"]["pupil"].to_pylist() == ["new0"]


def test_a_query_may_join_rename_and_hold_what_looks_like_parameters(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    query = """SELECT pupil AS "Pupil :id", '12:30' AS t, ':x' AS c, '5%' AS p, '\\%' AS b -- a ; comment
        FROM pupils WHERE born LIKE '%2015' AND pupil < 'p002'; /* done; */"""
    assert rows_of(opened(tmp_path, query=query)) == [
        {"Pupil :id": f"p00{n}", "t": "12:30", "c": ":x", "p": "5%", "b": "\\%"} for n in range(2)
    ]


def test_columns_are_those_asked_for_and_the_source_says_what_it_is(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    source = opened(tmp_path, table="main.pupils", columns=["born", "pupil"])
    assert (source.name, source.streamed, source.watermark) == ("school.db: pupils", True, None)
    reading = source.read()
    assert reading.columns == ("born", "pupil")
    assert next(reading.batches).table.column_names == ["born", "pupil"]
    assert "Naem" in refusal(url(tmp_path), {"table": "pupils", "columns": "pupil,Naem"})


def test_an_empty_table_has_its_columns_and_no_rows(database: sqlite3.Connection, tmp_path: Path) -> None:
    reading = opened(tmp_path, query="SELECT pupil, born FROM pupils WHERE 1 = 0").read()
    assert reading.columns == ("pupil", "born")
    assert list(reading.batches) == []


# --- nothing is changed


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM pupils", "UPDATE pupils SET born = ''", "INSERT INTO pupils DEFAULT VALUES", "DROP TABLE pupils",
        "SELECT 1; DROP TABLE pupils", "SELECT 1;;SELECT 2",
        "WITH x AS (DELETE FROM pupils RETURNING *) SELECT * FROM x",
        "WITH x AS (SELECT 1) INSERT INTO pupils SELECT * FROM x", "SELECT * INTO copy FROM pupils",
        "PRAGMA user_version",
        "-- SELECT\nDELETE FROM pupils", "/* SELECT */ VACUUM", "ATTACH 'x' AS y", "", "   ", "EXPLAIN SELECT 1",
    ],
)  # fmt: skip
def test_only_one_select_is_a_query(query: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"SELECT|either a table or a query|must be text|would change|statement"
    ):
        opened(tmp_path, query=query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1", "select * from t where note = 'DELETE FROM x; drop'", 'SELECT "update", "insert into" FROM t;',
        "WITH x AS (SELECT 1) SELECT * FROM x", "(SELECT 1) UNION (SELECT 2)", "SELECT [delete from x] FROM t -- ;",
        "SELECT updated_at, deleted, create_date FROM t", "SELECT $$;delete from x$$",
        "SELECT replace(a, ';', '') FROM t",
    ],
)  # fmt: skip
def test_words_in_texts_names_and_comments_are_no_statements(query: str) -> None:
    assert checked_query(query) == (query if query.endswith("-- ;") else query.removesuffix(";"))


def test_a_database_is_not_made_and_not_changed(database: sqlite3.Connection, tmp_path: Path) -> None:
    file = tmp_path / "school.db"
    before = sha256(file.read_bytes()).hexdigest()
    assert "does not exist" in refusal(f"sqlite:///{tmp_path / 'other.db'}", {"table": "pupils"})
    assert not (tmp_path / "other.db").exists()
    refusal(url(tmp_path), {"query": "SELECT load_extension('x')"})
    rows_of(opened(tmp_path, table="pupils"))
    assert sha256(file.read_bytes()).hexdigest() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["school.db"]


# --- mistakes


def test_mistakes_are_answered_with_what_was_meant(database: sqlite3.Connection, tmp_path: Path) -> None:
    here = url(tmp_path)
    assert "Did you mean 'pupils'?" in refusal(here, {"table": "pupil"})
    assert "did you mean 'table'?" in refusal(here, {"tabel": "pupils"})
    assert "no such column: borne" in refusal(here, {"query": "SELECT borne FROM pupils"})
    assert "either a table or a query" in refusal(here, {})
    assert "either a table or a query" in refusal(here, {"table": "pupils", "query": "SELECT 1"})
    assert "no such column: chnged" in refusal(here, {"table": "pupils", "watermark": "chnged"})
    # SQLite takes a quoted name that no column has for a text.
    assert "Did you mean 'changed'?" in refusal(here, {"table": "pupils", "watermark": "Chnged"})
    assert "called 'a'" in refusal(here, {"query": "SELECT 1 AS a, 2 AS a"})
    assert "holds binary data" in refusal(here, {"query": "SELECT pupil, x'00ff' AS photo FROM pupils"})
    assert "'photo'" in refusal(here, {"query": "SELECT pupil, x'00ff' AS photo FROM pupils"})
    (tmp_path / "text.db").write_text("pupil,born\n" * 100)
    assert "not a database" in refusal(f"sqlite:///{tmp_path / 'text.db'}", {"table": "pupils"})
    assert "names no SQLite file" in refusal("sqlite://", {"table": "pupils"})
    assert "without a '?'" in refusal(f"{here}?mode=rwc", {"table": "pupils"})
    assert "for asynchronous programs" in refusal("postgresql+asyncpg://host/db", {"table": "pupils"})
    assert "is not a kind of source" in refusal("foo://host/db", {"table": "pupils"})


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql+psycopg://reader:{CANARY}@host/db", f"postgresql://host/db?password={CANARY}",
        f"mssql+pyodbc:///?odbc_connect=PWD%3D{CANARY}", f"foo://u:{CANARY}@host/x?token={CANARY}",
        f"oracle+oracledb://u:{CANARY}@host:notaport/x",
    ],
)  # fmt: skip
def test_a_password_in_an_address_is_refused_and_not_repeated(address: str) -> None:
    assert CANARY not in refusal(address, {"table": "pupils"})


def test_a_password_in_the_options_must_say_where_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal("postgresql+psycopg://host/db", {"table": "pupils", "password": CANARY})
    assert CANARY not in said
    assert "env" in said
    monkeypatch.setenv("SCHOOL_PASSWORD", CANARY)
    options = {"table": "t", "username": "reader", "password": {"env": "SCHOOL_PASSWORD"}}
    source = open_sql("postgresql+psycopg://127.0.0.1:1/db", options)
    assert source is not None
    fed: list[bytes] = []
    source.fingerprint(fed.append)
    assert CANARY.encode() not in b"".join(fed)
    assert CANARY not in repr(vars(source)) + source.name
    with pytest.raises(SourceError, match="refused") as caught:
        source.read()
    assert CANARY not in str(caught.value)


def test_a_missing_driver_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, address, command in (
        ("pyodbc", "mssql+pyodbc://host/db", "pip install pyodbc"),
        ("oracledb", "oracle+oracledb://host/db", "pip install oracledb"),
        ("pymysql", "mysql+pymysql://host/db", "pip install PyMySQL"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        assert command in refusal(address, {"table": "pupils"})
    assert "postgresql+psycopg://" in refusal("postgres://host/db", {"table": "pupils"})


# --- odd values


def test_text_that_is_not_utf8_is_a_fault_of_its_row_or_read_as_what_it_is(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    database.execute("UPDATE pupils SET \"Family name\" = CAST(x'4dfc6c6c6572' AS TEXT) WHERE pupil = 'p001'")
    database.commit()
    [*batches] = opened(tmp_path, table="pupils").read().batches
    [spoilt] = [one for batch in batches for one in batch.spoilt]
    assert (spoilt.row, spoilt.rule) == (2, "encoding-error")
    assert spoilt.cells[1] == "M?ller"
    assert batches[0].table.slice(1, 1).to_pylist() == [dict.fromkeys(batches[0].table.column_names)]
    assert rows_of(opened(tmp_path, table="pupils", encoding="cp1252"))[1]["Family name"] == "Müller"


def test_values_of_every_kind_become_what_a_contract_can_check() -> None:
    summer = timezone(timedelta(hours=1))
    rows = Rows(["d", "t", "z", "n", "f", "b", "i", "nil"], "old.db")
    values = [
        (date(1, 1, 1), datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 7, 1, 12, tzinfo=summer), Decimal("5.00"),
         1e-7, True, 2**70, None),
        ("0000-00-00", None, None, Decimal("NaN"), float("inf"), False, 7, None),
        (None, datetime(9999, 12, 31), datetime(1, 1, 1, tzinfo=summer), Decimal("1E+3"), 5.0, None, None, None),
    ]  # fmt: skip
    table = as_text(rows.batch(values).table)
    assert table["d"].to_pylist() == ["0001-01-01", "0000-00-00", ""]
    assert table["t"].to_pylist() == ["2026-01-02T03:04:05", "", "9999-12-31T00:00:00"]
    assert table["z"].to_pylist()[0] == "2026-07-01T11:00:00+00:00"
    assert table["n"].to_pylist() == ["5", "NaN", "1000"]
    assert table["f"].to_pylist() == ["0.0000001", "inf", "5"]
    assert table["b"].to_pylist() == ["true", "false", ""]
    assert table["i"].to_pylist() == [str(2**70), "7", ""]
    assert table["nil"].to_pylist() == ["", "", ""]
    later = rows.batch([("infinity", "x", "infinity", "text", "y", 3, "z", date(2026, 1, 1))])
    assert later.table.schema == rows.batch(values).table.schema
    assert [(one.row, one.rule) for one in later.spoilt] == [(4, "type-error")]


@pytest.mark.parametrize("value", [[1], {"a": 1}, (1,), b"\x00\x01"])
def test_a_column_that_no_contract_describes_is_refused_by_name(value: object) -> None:
    with pytest.raises(SourceError, match="Column 'photo' of old\\.db"):
        Rows(["id", "photo"], "old.db").batch([(1, None), (2, value)])


def test_blanks_at_the_end_are_kept_when_asked(database: sqlite3.Connection, tmp_path: Path) -> None:
    source = opened(tmp_path, table="pupils", trim=False)
    assert rows_of(source)[0]["Family name"] == "Name0       "
    assert source.read().notes == ("sqlite database", "table pupils")


# --- streaming


def test_rows_stream_in_bounded_memory_and_leaving_ends_the_query(tmp_path: Path, database: Any) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    endless = f"{rows} SELECT i, hex(zeroblob(2000)) AS t FROM n"
    reading = opened(tmp_path, query=endless).read()
    sizes = [next(reading.batches).table for _ in range(6)]
    assert max(table.nbytes for table in sizes) < 20e6
    assert sizes[-1].num_rows < 6000
    del reading


def test_a_query_that_takes_too_long_ends(tmp_path: Path, database: Any) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n"
    assert "longer than allowed" in refusal(url(tmp_path), {"query": endless, "timeout": "0.2s"})


# --- only what is new


def sent_by(source: Any, mark: str | None) -> tuple[list[str], str | None]:
    """The pupils that a load sends, and the mark it leaves (as the connector keeps it: only when there were rows)."""
    given = source.after(mark)
    pupils = [row["pupil"] for row in rows_of(given)]
    return pupils, source.high_water() or mark


def test_the_first_load_has_all_rows_and_the_next_one_none(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    source = opened(tmp_path, table="pupils", watermark="changed")
    assert source.watermark == "changed"
    pupils, mark = sent_by(source, None)
    assert len(pupils) == 120
    assert mark is not None
    assert mark.splitlines()[0] == "2026-01-01"
    assert sent_by(source, mark) == ([], mark)
    reading = source.after(mark).read()
    assert "from changed 2026-01-01 on" in reading.notes[1]
    assert "Name" not in mark


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=5), st.booleans())
@settings(max_examples=25)
def test_rows_at_the_mark_are_neither_lost_nor_sent_again(loads: list[list[int]], as_query: bool) -> None:
    """Between loads, rows come with a watermark at the largest so far or beyond; each is sent once."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(sqlite3.connect(f"{folder}/x.db")) as writer,
    ):
        writer.execute("CREATE TABLE t (pupil TEXT, at INTEGER)")
        options = {"query": "SELECT pupil, at FROM t"} if as_query else {"table": "t"}
        source = open_sql(f"sqlite:///{folder}/x.db", {**options, "watermark": "at"})
        made, largest = 0, 0
        sent: Counter[str] = Counter()
        mark: str | None = None
        for steps in loads:
            for step in steps:
                largest += step
                made += 1
                writer.execute("INSERT INTO t VALUES (?, ?)", (f"p{made}", largest))
            writer.commit()
            pupils, mark = sent_by(source, mark)
            sent.update(pupils)
        assert sent == Counter({f"p{number}": 1 for number in range(1, made + 1)})


def test_very_many_rows_at_the_mark_are_left_out_until_one_of_them_changes(
    database: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_marks, "MOST_REMEMBERED", 50)
    source = opened(tmp_path, table="pupils", watermark="changed")
    pupils, mark = sent_by(source, None)
    assert len(pupils) == 120
    assert mark is not None
    assert len(mark) < 400
    assert sent_by(source, mark) == ([], mark)
    database.execute("INSERT INTO pupils VALUES ('new', 'A', '', '', 1, '2026-01-01')")
    database.commit()
    pupils, mark = sent_by(source, mark)
    assert len(pupils) == 121
    assert sent_by(source, mark) == ([], mark)
    database.execute("INSERT INTO pupils VALUES ('newer', 'A', '', '', 1, '2026-01-02')")
    database.commit()
    pupils, mark = sent_by(source, mark)
    assert pupils == ["newer"]
    assert sent_by(source, mark) == ([], mark)


def test_an_overlap_finds_rows_that_came_late_and_sends_none_twice(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    source = opened(tmp_path, table="pupils", columns=["pupil", "sessions"], watermark="sessions", overlap=10)
    pupils, mark = sent_by(source, None)
    assert len(pupils) == 120
    for number, late in enumerate((115, 119, 100)):
        database.execute(f"INSERT INTO pupils VALUES ('late{number}', 'A', '', '', {late}, '')")
    database.commit()
    pupils, mark = sent_by(source, mark)
    assert pupils == ["late0", "late1"]  # the third lies below mark and overlap
    assert sent_by(source, mark) == ([], mark)
    assert "text" in refusal(url(tmp_path), {"table": "pupils", "watermark": "changed", "overlap": "1h"})


def test_rows_without_a_watermark_are_counted_and_left_out(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    database.execute("UPDATE pupils SET changed = NULL WHERE pupil < 'p003'")
    database.commit()
    source = opened(tmp_path, table="pupils", watermark="changed")
    reading = source.after(None).read()
    assert "3 rows without changed are left out: no mark can find them" in reading.notes
    assert sum(batch.table.num_rows for batch in reading.batches) == 117
    assert len(rows_of(source)) == 120  # a check looks at all of them


def test_a_mark_of_another_column_or_damaged_is_not_used(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    source = opened(tmp_path, table="pupils", watermark="changed")
    _, mark = sent_by(source, None)
    other = opened(tmp_path, table="pupils", watermark="pupil")
    with pytest.raises(ConfigError, match="is of the column 'changed', not of 'pupil'"):
        other.after(mark).read()
    with pytest.raises(ConfigError, match="cannot be read"):
        source.after("2026-01-01").read()


@pytest.mark.parametrize(
    "value",
    [5, 2**40, 1.5, Decimal("12.50"), "2026-01-01", date(2026, 1, 1), datetime(2026, 1, 1, 2, 3, 4, 567),
     datetime(2026, 1, 1, tzinfo=UTC)],
)  # fmt: skip
def test_a_mark_is_bound_as_what_it_was_and_never_written_into_the_statement(value: Any) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite

    mark = _marks.read_mark(_marks.Mark("changed", value).text(), "changed", "x")
    assert (mark.value, type(mark.value)) == (value, type(value))
    plan = open_sql("sqlite:///" + __file__, {"table": "pupils", "watermark": "changed"})
    assert plan is not None
    loader = _Loader(create_engine("sqlite://"), plan._plan, "x", True, mark, [None])
    statement = loader._statement(None)  # type: ignore[arg-type]
    for dialect in (mssql, mysql, oracle, postgresql, sqlite):
        compiled = statement.compile(dialect=dialect.dialect())
        assert as_words(value) not in str(compiled)
        assert "ORDER BY changed" in str(compiled)
        assert list(compiled.params.values()) == [value]


# --- PostgreSQL


@pytest.fixture
def postgres(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, dict[str, Any]]]:
    """An empty database: its address without the password, and how to sign in."""
    import psycopg
    from sqlalchemy import make_url

    name = postgres_server.create()
    address = make_url(postgres_server.url(name))
    monkeypatch.setenv("SCHOOL_PASSWORD", str(address.password))
    with psycopg.connect(
        host="127.0.0.1", port=postgres_server.port, user=address.username, password=address.password, dbname=name,
        autocommit=True,
    ) as made:  # fmt: skip
        made.execute(
            """CREATE TABLE pupils (id int, code char(8), born date, seen timestamptz, at timestamp,
               paid numeric(10, 2), here boolean, tag uuid, photo bytea);
               CREATE FUNCTION meddle() RETURNS int AS 'DELETE FROM pupils; SELECT 1' LANGUAGE sql;
               INSERT INTO pupils SELECT n, 'c' || n, '2015-01-02', '2026-07-01 12:00+01', '2026-01-02 03:04:05', n,
               true, '00000000-0000-0000-0000-000000000001', NULL FROM generate_series(1, 3000) n;
               UPDATE pupils SET born = 'infinity', seen = '-infinity' WHERE id = 2999;
               UPDATE pupils SET born = '0044-03-15 BC' WHERE id = 3000"""
        )
    options = {"username": address.username, "password": {"env": "SCHOOL_PASSWORD"}}
    yield address._replace(username=None, password=None).render_as_string(), options
    postgres_server.drop(name)


def test_postgresql_streams_typed_rows_and_odd_dates_are_faults(postgres: tuple[str, dict[str, Any]]) -> None:
    address, sign_in = postgres
    columns = ["id", "code", "born", "seen", "at", "paid", "here", "tag"]
    source = open_source(address, {**sign_in, "table": "pupils", "columns": columns, "watermark": "id"})
    reading = source.read()
    batches = list(reading.batches)
    assert len(batches) > 2
    assert reading.notes[1:] == ("table pupils", "blanks at the end of text dropped: code")
    table = as_text(pa.concat_tables([batch.table for batch in batches]))
    assert table.slice(0, 1).to_pylist() == [
        {"id": "1", "code": "c1", "born": "2015-01-02", "seen": "2026-07-01T11:00:00+00:00",
         "at": "2026-01-02T03:04:05", "paid": "1", "here": "true", "tag": "00000000-0000-0000-0000-000000000001"}
    ]  # fmt: skip
    assert table["born"][2999].as_py() == "0044-03-15 BC"
    [spoilt] = [one for batch in batches for one in batch.spoilt]
    assert (spoilt.row, spoilt.cells[2], spoilt.cells[3]) == (2999, "infinity", "-infinity")
    given = source.after(source.high_water()).read()  # type: ignore[attr-defined]
    assert list(given.batches) == []


def test_postgresql_is_not_changed_shows_no_values_and_stops_in_time(
    postgres: tuple[str, dict[str, Any]],
) -> None:
    address, sign_in = postgres
    assert "read-only" in refusal(address, {**sign_in, "query": "SELECT meddle() AS x"})
    said = refusal(address, {**sign_in, "query": "SELECT CAST(code AS int) AS x FROM pupils"})
    assert "c1" not in said
    assert "22P02" in said
    assert "timeout" in refusal(address, {**sign_in, "query": "SELECT pg_sleep(9) AS x", "timeout": "0.1s"})
    assert "Did you mean 'pupils'?" in refusal(address, {**sign_in, "table": "pupil"})
    assert "lists" in refusal(address, {**sign_in, "query": "SELECT ARRAY[1] AS x"})
    refused = refusal(address, {**sign_in, "username": "nobody", "table": "pupils"})
    assert "authentication failed" in refused
