"""The databases that other tests stand on."""

from __future__ import annotations

import socket

import pytest
from pytest_socket import SocketConnectBlockedError
from sqlalchemy import create_engine, inspect, text

from support.databases import Databases

prepared: list[str] = []


def with_a_table(url: str) -> None:
    prepared.append(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (name TEXT)"))
        connection.execute(text("INSERT INTO thing VALUES ('one')"))
    engine.dispose()


def names(url: str) -> list[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [row.name for row in connection.execute(text("SELECT name FROM thing"))]
    engine.dispose()
    return found


def test_a_database_url_leads_to_an_empty_database(database_url: str) -> None:
    engine = create_engine(database_url)
    assert inspect(engine).get_table_names() == []
    assert engine.dialect.name in database_url
    engine.dispose()


def test_databases_made_from_one_template_are_prepared_once_and_do_not_share_rows(
    databases: Databases,
) -> None:
    first, second = databases.new(with_a_table), databases.new(with_a_table)
    engine = create_engine(first)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO thing VALUES ('two')"))
    engine.dispose()

    assert names(first) == ["one", "two"]
    assert names(second) == ["one"]
    assert sum(url.startswith(databases.kind) for url in prepared) == 1


def test_a_database_with_open_connections_can_still_be_removed(databases: Databases) -> None:
    engine = create_engine(databases.new())
    connection = engine.connect()
    connection.execute(text("SELECT 1"))

    databases.close()

    connection.invalidate()
    engine.dispose()


def test_tests_reach_no_address_but_this_machine() -> None:
    with (
        socket.socket() as outside,
        pytest.warns(UserWarning, match="tried to use"),
        pytest.raises(SocketConnectBlockedError),
    ):
        outside.connect(("192.0.2.1", 80))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
