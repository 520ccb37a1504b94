"""The worker: the one process in which plugin code runs.

Started by the hub inside the sandbox as

    python -m hub_sdk.worker REQUEST_FD

It does one thing (`describe`, `run` or `probe`), tells of it in events on standard output, writes the result
into the memory file it was given, and ends. Nothing a plugin prints or raises leaves by another way: the
text of exceptions may hold personal data, so only their type and place are told.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub_sdk.checks import FormatError
from hub_sdk.context import Context
from hub_sdk.loading import LoadedPlugin, load_object
from hub_sdk.manifest import SDK_VERSION
from hub_sdk.results import ResultFile, ResultTooLarge, read_input
from hub_sdk.wire import Request, clipped, event_line

# Progress is for people to look at; more than this many a second helps nobody.
PROGRESS_PER_SECOND = 10
DEEPEST_PLACES = 6
MOST_LOG_LINES = 2000


class Events:
    """Writes events to the hub. Takes standard output for itself; prints of the plugin go nowhere."""

    def __init__(self) -> None:
        self._fd = os.dup(1)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.close(silence)
        self._last_progress = 0.0
        self._logged = 0
        # Made beforehand: when memory has run out there may be none left to make it.
        self._out_of_memory = event_line("failed", kind="memory")

    def send(self, event: str, **fields: object) -> None:
        """Send an event with these fields."""
        os.write(self._fd, event_line(event, **fields))

    def progress(self, fraction: float, message: str) -> None:
        """Send progress, unless the last is only just gone."""
        now = time.monotonic()
        if fraction >= 1 or now - self._last_progress >= 1 / PROGRESS_PER_SECOND:
            self._last_progress = now
            self.send("progress", fraction=fraction, message=clipped(message))

    def log(self, message: str) -> None:
        """Send a line of the log; the hub keeps fewer than this sends."""
        self._logged += 1
        if self._logged <= MOST_LOG_LINES:
            self.send("log", message=clipped(message))

    def out_of_memory(self) -> None:
        """Say that memory has run out, without needing any."""
        os.write(self._fd, self._out_of_memory)


def run(request: Request, events: Events) -> None:
    """Run a plugin: load it, open its inputs, call it, write its outputs."""
    from hub_sdk.tables import OutputError, conform_all

    use_threads(request.threads)
    plugin = load(request)
    scratch = Path(request.scratch, "scratch")
    scratch.mkdir()
    context = Context(
        plugin.manifest,
        {item.name: read_input(item) for item in request.inputs},
        parameters=plugin.manifest.values(request.parameters),
        seed=request.seed,
        today=request.today,
        scratch=scratch,
        coverage=request.coverage,
        on_progress=events.progress,
        on_log=events.log,
        memory_mb=request.memory_mb,
    )
    events.send("started")
    output = plugin.run(context)
    try:
        tables = conform_all(output.tables, plugin.manifest)
        result = ResultFile(request.result_fd, request.result_size)
        entries = [result.write_table(name, table) for name, table in tables.items()]
        result.finish({"tables": entries, "report": output.report.to_json()})
    except OutputError as error:
        events.send("failed", kind="output", problems=[clipped(problem) for problem in error.problems[:8]])
    except ResultTooLarge:
        problem = "the output is larger than output_mb of the manifest allows"
        events.send("failed", kind="output", problems=[problem])
    else:
        context.close()
        events.send("done", peak_memory_mb=peak_memory_mb())


def describe(request: Request, events: Events) -> None:
    """Load a plugin and hand back its manifest."""
    manifest = load(request).manifest
    ResultFile(request.result_fd, request.result_size).finish({"manifest": manifest.to_json()})
    events.send("done")


def probe(request: Request, events: Events) -> None:
    """Look at what this process can see and do."""
    from hub_sdk.probe import probe as look

    ResultFile(request.result_fd, request.result_size).finish({"probe": look()})
    events.send("done")


MODES: dict[str, Callable[[Request, Events], None]] = {"describe": describe, "run": run, "probe": probe}


def load(request: Request) -> LoadedPlugin:
    """The plugin of the request, checked against the hooks of this SDK."""
    return LoadedPlugin(load_object(request.entry_point))


def use_threads(threads: int) -> None:
    """Let Arrow use this many threads; the others take it from the environment the hub set."""
    import pyarrow as pa

    pa.set_cpu_count(threads)
    pa.set_io_thread_count(threads)


def peak_memory_mb() -> float:
    """Most memory this process has held, MiB, with the pages of the inputs it has read."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, in any of the libraries' ways."""
    return isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__


def failure(error: BaseException, request: Request) -> dict[str, Any]:
    """What may be told of an exception: its type and where in the plugin it happened, innermost place first.

    The text is told only by `describe`, which has no data: there it is what the author needs ("No module
    named ...").
    """
    package = request.entry_point.partition(":")[0].partition(".")[0]
    places = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == package:
            places.append({"module": module, "line": line, "function": frame.f_code.co_name})
    told = {"exception": type(error).__name__, "places": places[::-1][:DEEPEST_PLACES]}
    if request.mode != "run":
        told["text"] = clipped(str(error))
    return told


def main(arguments: list[str]) -> int:
    """Serve the one request in the file descriptor named by the argument; returns the exit status."""
    fd = int(arguments[0])
    with open(fd, "rb") as file:
        data = file.read()
    events = Events()
    try:
        request = Request.from_json(data)
    except FormatError as error:
        events.send("failed", kind="protocol", problems=[clipped(str(error))])
        return 1
    events.send("ready", sdk=SDK_VERSION)
    sys.path[:0] = request.paths
    sys.argv = ["hub_sdk.worker"]
    try:
        MODES[request.mode](request, events)
    except BaseException as error:
        # Also SystemExit and KeyboardInterrupt: a plugin that calls exit() has failed like any other.
        if is_out_of_memory(error):
            events.out_of_memory()
        else:
            events.send("failed", kind="error", **failure(error, request))
        return 1
    return 0


if __name__ == "__main__":
    # Not sys.exit: atexit handlers and threads of the plugin have no say in when the run is over.
    os._exit(main(sys.argv[1:]))
