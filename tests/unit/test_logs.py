"""Log lines are one JSON object each, and say of an exception its type and place and never its text."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from hub.logs import where_it_broke
from support.logs import logged

CANARY = "Ermintrude Canary"


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _break() -> None:
    raise ValueError(CANARY)


def test_a_line_is_a_json_object_with_time_level_and_what_is_bound() -> None:
    with logged() as stream:
        structlog.contextvars.bind_contextvars(request_id="abc")
        structlog.get_logger().info("delivery.decided", rows=7)
    (line,) = _lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "delivery.decided", "level": "info", "request_id": "abc", "rows": 7}


def test_a_line_break_in_a_value_makes_no_second_line() -> None:
    with logged() as stream:
        structlog.get_logger().info("odd", value='a\n{"event": "forged"}\r\nb')
    assert [line["event"] for line in _lines(stream)] == ["odd"]


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("ours", [True, False], ids=["our log", "a library's log"])
def test_the_text_of_an_exception_is_never_written(form: str, ours: bool) -> None:
    with logged("debug", form) as stream:
        try:
            try:
                _break()
            except ValueError as error:
                raise RuntimeError(f"while handling {error}") from error
        except RuntimeError:
            if ours:
                structlog.get_logger().exception("worker.error")
            else:
                logging.getLogger("library").exception("something failed")
    written = stream.getvalue()
    assert "RuntimeError" in written and "test_logs.py" in written
    assert CANARY not in written and "while handling" not in written


def test_an_exception_is_named_by_type_and_place() -> None:
    try:
        _break()
    except ValueError as error:
        found = where_it_broke(error)
    assert found["error"] == "ValueError"
    first, second = found["at"].split(" < ")
    assert first.rpartition("/")[2] != second.rpartition("/")[2]
    assert "test_logs.py:" in first
    assert CANARY not in str(found)
    assert where_it_broke(KeyError(CANARY)) == {"error": "KeyError", "at": ""}


def test_the_level_holds_for_us_and_libraries_speak_up_from_warnings_on() -> None:
    with logged("debug") as stream:
        structlog.get_logger().debug("ours")
        logging.getLogger("library").info("not heard")
        logging.getLogger("library").warning("heard %s", "well")
    assert [line["event"] for line in _lines(stream)] == ["ours", "heard well"]


def test_below_the_level_nothing_is_written() -> None:
    with logged("error") as stream:
        structlog.get_logger().warning("not heard")
        logging.getLogger("library").warning("not heard")
        structlog.get_logger().error("heard")
    assert [line["event"] for line in _lines(stream)] == ["heard"]
