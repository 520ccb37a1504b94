"""Structured logs: one JSON object a line, with the request's id and without personal data.

Code logs events with ids, counts and durations; what people typed or departments sent never reaches a log line, and
exceptions are logged by type and place only, because their text may carry values.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

__all__ = ["configure_logs", "where_it_broke"]


def configure_logs(level: str = "info", form: str = "json") -> None:
    """Send the hub's own log and those of its libraries to stderr in one form."""
    import structlog

    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_exception_text,
    ]
    last = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))  # libraries: warnings and worse


def where_it_broke(error: BaseException) -> dict[str, str]:
    """An exception by type and place, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno}" for frame in frames[-6:]]
    return {"error": type(error).__name__, "at": " < ".join(reversed(places))}


def _without_exception_text(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[1] is not None:
        info = info[1]
    elif info is True:
        info = sys.exc_info()[1]
    if isinstance(info, BaseException):
        event.update(where_it_broke(info))
    return event
