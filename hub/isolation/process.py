"""Starting a worker, listening to it, and ending it, at a bounded cost to the hub whatever it does.

Everything happens in the caller's thread. (It must: bubblewrap ends with the thread that started it.)
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "LineReader", "watch"]

_READ = 64 * 1024
# A line of a worker that tells of itself; longer ones are dropped unread.
LONGEST_LINE = 8 * 1024
# More than this on standard output is no worker that tells of itself, but one that floods.
MOST_OUTPUT = 16 * 1024 * 1024
MOST_LINES = 100_000
# Kept of standard error: bubblewrap's and the interpreter's complaints, from before the worker silences it.
MOST_COMPLAINTS = 4096
_TICK_SECONDS = 0.1
# Between the closing of its outputs and its end a worker has nothing to do.
GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Ended:
    """How a worker ended.

    `killed` says why the hub ended it ("" if it ended by itself), one of wall, cancelled, output, tasks.
    `status` is the exit status as a shell has it: 128 + n after signal n.
    """

    status: int
    killed: str
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    complaints: str


class LineReader:
    """Cuts a stream into lines; drops lines longer than `longest` bytes without keeping them."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._kept = b""
        self._dropping = False
        self.total = 0
        self.lines = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take more bytes; gives the lines they complete, without their ends."""
        self.total += len(data)
        *lines, rest = data.split(b"\n")
        self.lines += len(lines)
        for line in lines:
            whole = self._kept + line
            if not self._dropping and 0 < len(whole) <= self._longest:
                yield whole
            self._kept, self._dropping = b"", False
        self._kept += rest
        if len(self._kept) > self._longest:
            self._kept, self._dropping = b"", True


def watch(
    command: Sequence[str],
    *,
    fds: Sequence[int],
    variables: Mapping[str, str],
    wall_seconds: float,
    most_tasks: int,
    on_line: Callable[[bytes], None],
    cancelled: Callable[[], bool],
) -> Ended:
    """Run a command to its end; gives each line of its standard output to `on_line`.

    `fds` are inherited under their own numbers. Whatever `on_line` or `cancelled` raises is raised here,
    after the command was ended.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=tuple(fds),
        env=dict(variables),
        cwd="/",
        start_new_session=True,
    )
    listener = _Listener(process, on_line)
    gauge = _Gauge(process.pid)
    killed, looked = "", 0.0
    ended_by_itself = False
    try:
        while not killed and listener.wait(_TICK_SECONDS):
            now = time.monotonic()
            if listener.flooded:
                killed = "output"
            elif now - started > wall_seconds:
                killed = "wall"
            elif now - looked >= _TICK_SECONDS:
                looked = now
                gauge.read()
                if gauge.tasks > most_tasks:
                    killed = "tasks"
                elif cancelled():
                    killed = "cancelled"
        ended_by_itself = not killed
    finally:
        usage = _end(process, GRACE_SECONDS if ended_by_itself else 0)
        listener.close()
    return Ended(
        status=_shell_status(process.returncode),
        killed=killed,
        seconds=time.monotonic() - started,
        cpu_seconds=max(gauge.cpu_seconds, usage.ru_utime + usage.ru_stime),
        # Not ru_maxrss: across fork and exec Linux carries over what the hub itself had in memory.
        peak_memory_mb=gauge.peak_memory_mb,
        complaints=listener.complaints.decode("utf-8", "replace").strip(),
    )


class _Listener:
    """Reads both outputs of a process as they come, and keeps next to nothing of them."""

    def __init__(self, process: subprocess.Popen[bytes], on_line: Callable[[bytes], None]) -> None:
        self._streams = [stream for stream in (process.stdout, process.stderr) if stream]
        self._on_line = on_line
        self._lines = LineReader()
        self._selector = selectors.DefaultSelector()
        for stream in self._streams:
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        self.complaints = b""

    @property
    def flooded(self) -> bool:
        return self._lines.total > MOST_OUTPUT or self._lines.lines > MOST_LINES

    def wait(self, seconds: float) -> bool:
        """Take what comes within the time; False once both outputs are closed at the other end."""
        for key, _ in self._selector.select(seconds):
            data = os.read(key.fd, _READ)
            if not data:
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self._streams[0]:
                for line in self._lines.feed(data):
                    self._on_line(line)
            elif len(self.complaints) < MOST_COMPLAINTS:
                self.complaints += data[: MOST_COMPLAINTS - len(self.complaints)]
        return bool(self._selector.get_map())

    def close(self) -> None:
        self._selector.close()
        for stream in self._streams:
            stream.close()


class _Gauge:
    """Reads from /proc what the worker uses. It is the deepest descendant of the process that was started."""

    def __init__(self, pid: int) -> None:
        self._started = pid
        self._worker = 0
        self.tasks = 0
        self.cpu_seconds = 0.0
        self.peak_memory_mb = 0.0

    def read(self) -> None:
        """Take a reading; keeps the highest. Nothing happens when the worker has just ended."""
        try:
            self._worker = _deepest(self._started)
            status = Path(f"/proc/{self._worker}/status").read_text()
            times = Path(f"/proc/{self._worker}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            return
        values = {
            name: value.split() for name, _, value in (line.partition(":") for line in status.splitlines())
        }
        if "VmHWM" in values:
            self.peak_memory_mb = max(self.peak_memory_mb, int(values["VmHWM"][0]) / 1024)
        self.tasks = int(values["Threads"][0])
        # Fields 14 and 15 of proc(5)'s stat; the split begins at field 3.
        ticks = int(times[11]) + int(times[12])
        self.cpu_seconds = max(self.cpu_seconds, ticks / os.sysconf("SC_CLK_TCK"))


def _deepest(pid: int) -> int:
    for _ in range(4):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            break
        pid = int(children[-1])
    return pid


def _end(process: subprocess.Popen[bytes], grace_seconds: float) -> resource.struct_rusage:
    """Wait for the end, after the grace by force, and reap; gives what the process used in all.

    The whole process group is killed. A sandbox ends with bubblewrap, by the kernel's doing.
    """
    deadline = time.monotonic() + grace_seconds
    options = os.WNOHANG
    while True:
        if time.monotonic() >= deadline:
            # Not reaped yet, so the number cannot be another's.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            options = 0
        pid, status, usage = os.wait4(process.pid, options)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        time.sleep(0.002)


def _shell_status(returncode: int) -> int:
    return 128 - returncode if returncode < 0 else returncode
