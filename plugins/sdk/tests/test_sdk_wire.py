"""Messages between hub and worker: requests arrive as they were sent, events are short, JSON is strict."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_sdk import Coverage, FormatError
from hub_sdk.wire import (
    LONGEST_LINE,
    LONGEST_MESSAGE,
    InputFile,
    Request,
    clipped,
    event_line,
    is_entry_point,
    parse,
)

REQUEST = Request(
    mode="run",
    entry_point="package.module:Class",
    parameters={"start": "2026-01-01", "weeks": 3},
    seed=2**63,
    today=date(2026, 6, 30),
    coverage={"rows": Coverage(3, date(2026, 6, 1), None, date(2026, 5, 31))},
    inputs=(InputFile("rows", 5, 1000),),
    result_fd=6,
    result_size=4096,
    memory_mb=512,
    threads=2,
    paths=("/plugins",),
)


def test_a_request_arrives_as_it_was_sent() -> None:
    assert Request.from_json(REQUEST.to_json()) == REQUEST


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "shell"),
        ("sdk", "2"),
        ("seed", "1"),
        ("inputs", [{"name": "rows", "fd": -1, "size": 10}]),
        ("coverage", []),
        ("parameters", None),
        ("threads", 0),
        ("today", "today"),
    ],
)
def test_a_request_that_is_wrong_is_refused(name: str, value: Any) -> None:
    data = {**json.loads(REQUEST.to_json()), name: value}

    with pytest.raises(FormatError):
        Request.from_json(json.dumps(data).encode())


def test_a_request_that_lacks_something_is_refused() -> None:
    data = json.loads(REQUEST.to_json())
    for name in data:
        with pytest.raises(FormatError, match="lacks"):
            Request.from_json(json.dumps({key: value for key, value in data.items() if key != name}).encode())


@given(st.text())
def test_an_event_is_always_one_short_line(message: str) -> None:
    line = event_line("log", message=message * 100)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert len(line) <= LONGEST_LINE
    assert json.loads(line)["event"] == "log"


@given(st.text())
def test_a_clipped_message_is_one_short_printable_line(message: str) -> None:
    line = clipped(message * 3)

    assert len(line) <= LONGEST_MESSAGE
    assert line.isprintable()


@pytest.mark.parametrize(
    "data", [b"NaN", b'{"a": Infinity}', b"{", b"\xff", b"[" * 100_000, b"", b"1" * 10_000]
)
def test_only_strict_json_is_read(data: bytes) -> None:
    with pytest.raises(FormatError, match="JSON"):
        parse(data)


@pytest.mark.parametrize(
    ("reference", "is_one"),
    [("a.b:C", True), ("a:B.c", True), ("a", False), ("a:b c", False), ("a:b [extra]", False), (":b", False)],
)
def test_entry_points_have_one_form(reference: str, is_one: bool) -> None:
    assert is_entry_point(reference) is is_one
