"""Listening to one worker: its events as they come, and what its end means.

Everything a worker says may be a lie told by a hostile plugin. The worst a lie can do here is to make that
plugin's own run look failed or further on than it is.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Mapping

from hub.isolation.bubblewrap import MOST_TASKS
from hub.isolation.process import Ended
from hub.runs.sandbox.outcome import Event, FailureKind, PluginFailed
from hub_sdk import FormatError, Resources, checks
from hub_sdk.wire import clipped, parse

__all__ = ["Conversation"]

# Kept and passed on of what a plugin logs in one run.
MOST_LOG_LINES = 500
SECONDS_BETWEEN_PROGRESS = 0.1

_NAME = re.compile(r"[\w.<>]{1,120}")
_SIGNALS = {128 + number: number.name for number in signal.Signals}


class Conversation:
    """One worker's side of a run. `result_fd` is the memory file it writes its result into."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._last_progress = 0.0
        self._ready = False
        self._done = False
        self._failure: Mapping[str, object] | None = None
        self.result_fd = -1
        self.log: list[str] = []
        self.peak_memory_mb = 0.0

    def take(self, line: bytes) -> None:
        """Take a line of standard output; lines that are no event are ignored."""
        try:
            event = parse(line)
            if isinstance(event, Mapping):
                self._take(event)
        except FormatError:
            return

    def _take(self, event: Mapping[str, object]) -> None:
        match event.get("event"):
            case "ready":
                self._ready = True
            case "progress":
                self._progress(event)
            case "log":
                self._log(event)
            case "done":
                self._done = True
                peak = event.get("peak_memory_mb", 0)
                self.peak_memory_mb = checks.number("peak_memory_mb", peak, least=0, most=1 << 24)
            case "failed" if self._failure is None:
                self._failure = event

    def _progress(self, event: Mapping[str, object]) -> None:
        fraction = checks.number("fraction", event.get("fraction"), least=0, most=1)
        message = clipped(str(event.get("message", "")))
        now = time.monotonic()
        if fraction == 1 or now - self._last_progress >= SECONDS_BETWEEN_PROGRESS:
            self._last_progress = now
            self._on_event(Event("progress", message, fraction))

    def _log(self, event: Mapping[str, object]) -> None:
        if len(self.log) < MOST_LOG_LINES:
            message = clipped(str(event.get("message", "")))
            self.log.append(message)
            self._on_event(Event("log", message))
        elif len(self.log) == MOST_LOG_LINES:
            self.log.append(f"(more than {MOST_LOG_LINES} lines: the rest was not kept)")

    def settle(self, ended: Ended, resources: Resources) -> None:
        """Return if the worker is done and ended well; else raise `PluginFailed` with what happened."""
        kind, message = self._verdict(ended, resources)
        if kind is not None:
            raise PluginFailed(kind, message, self.log)

    def _verdict(self, ended: Ended, resources: Resources) -> tuple[FailureKind | None, str]:
        if ended.killed:
            return _KILLED[ended.killed][0], _KILLED[ended.killed][1].format(resources=resources)
        if self._failure is not None:
            return self._told(self._failure, resources)
        if not self._ready:
            complaints = clipped(ended.complaints.replace("\n", "; ")) or f"exit status {ended.status}"
            return "protocol", f"The worker did not start: {complaints}"
        if self._done and ended.status == 0:
            return None, ""
        return _cause_of_death(ended, resources)

    def _told(self, failure: Mapping[str, object], resources: Resources) -> tuple[FailureKind, str]:
        problems = failure.get("problems")
        listed = "; ".join(clipped(str(item)) for item in problems[:8]) if isinstance(problems, list) else ""
        match failure.get("kind"):
            case "memory":
                return "memory", _OUT_OF_MEMORY.format(resources=resources)
            case "output":
                return "output", f"The plugin's output does not fit its manifest: {listed}."
            case "error":
                return "error", self._exception(failure)
            case _:
                return "protocol", f"The worker and the hub do not understand each other: {listed}."

    def _exception(self, failure: Mapping[str, object]) -> str:
        """The type of an exception and where it was raised; its text only where there is no data."""
        places = failure.get("places")
        shown = [place for place in map(_place, places if isinstance(places, list) else []) if place]
        self.log += [f"at {place}" for place in shown]
        message = f"The plugin raised {_name(failure.get('exception'))}"
        if shown:
            message += f" at {shown[0]}"
        text = failure.get("text")
        return f"{message}: {clipped(text)}" if isinstance(text, str) and text else f"{message}."


_OUT_OF_MEMORY = "The plugin needed more than the {resources.memory_mb} MB of memory its manifest asks for."
_KILLED: Mapping[str, tuple[FailureKind, str]] = {
    "cancelled": ("cancelled", "The run was cancelled."),
    "wall": ("timeout", "The plugin ran longer than {resources.wall_seconds} seconds and was ended."),
    "output": ("output", "The plugin flooded its output and was ended."),
    "tasks": ("error", f"The plugin started more than {MOST_TASKS} threads and was ended."),
}


def _cause_of_death(ended: Ended, resources: Resources) -> tuple[FailureKind, str]:
    """What it means when a worker ends without a word."""
    name = _SIGNALS.get(ended.status, "")
    if name == "SIGXCPU" or (name == "SIGKILL" and ended.cpu_seconds >= resources.cpu_seconds):
        return (
            "timeout",
            f"The plugin used more than {resources.cpu_seconds} seconds of processor time and was ended.",
        )
    near_the_limit = ended.peak_memory_mb >= 0.7 * resources.memory_mb
    if name == "SIGKILL" or (name in ("SIGABRT", "SIGSEGV", "SIGBUS") and near_the_limit):
        return "memory", _OUT_OF_MEMORY.format(resources=resources)
    if name:
        return "error", f"The plugin crashed ({name})."
    return "protocol", f"The worker ended without a result (exit status {ended.status})."


def _name(value: object) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else "an exception"


def _place(value: object) -> str:
    """`module:line (function)`, or nothing where a part is not what it should be."""
    if not isinstance(value, Mapping):
        return ""
    module, function, line = value.get("module"), value.get("function"), value.get("line")
    if not isinstance(line, int) or not all(
        isinstance(part, str) and _NAME.fullmatch(part) for part in (module, function)
    ):
        return ""
    return f"{module}:{line} ({function})"
