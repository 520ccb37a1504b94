"""What is logged while a test looks."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterator

import structlog

from hub.logs import configure_logs


@contextlib.contextmanager
def logged(level: str = "info", form: str = "json", *, libraries: int | None = None) -> Iterator[io.StringIO]:
    """Configure the logs as a command does and collect what is written; everything is put back afterwards.

    `libraries` lets other packages talk from this level on, where the hub itself hears warnings and worse.
    """
    stream, root = io.StringIO(), logging.getLogger()
    handlers, number = root.handlers[:], root.level
    try:
        with contextlib.redirect_stderr(stream):
            configure_logs(level, form)
        if libraries is not None:
            root.setLevel(libraries)
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(number)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    assert sys.stderr is not stream
