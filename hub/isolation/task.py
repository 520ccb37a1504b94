"""A piece of work in a process of its own, which can reach nothing and has limits: what it answers, or how it broke.

For what strangers send: native code that reads it must not take the hub with it, nor find the keyring, the database or
other people's data beside it. The process gets a request and open files. Where there is bubblewrap, it also has no
network, no file system and few system calls; without, the limits on memory, time and files stand alone (`hub doctor`
says which). The other end of the line is `hub.isolation.inside`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from hub.isolation import bubblewrap as commands
from hub.isolation.memory import MemoryFiles
from hub.isolation.process import Ended, watch
from hub.isolation.readable import readable_paths
from hub.isolation.seccomp import filter_program

__all__ = ["Program", "Task", "TaskBroke", "python_module"]

#: The command of the process: descriptors of its request and of its answer -> program and arguments.
Program = Callable[[int, int], Sequence[str]]

_ANSWER_BYTES: Final = 256 * 1024 * 1024
_SIGNALLED: Final = 128
#: Killed, segmentation fault, and abort: how native libraries end when they get no more memory.
_OUT_OF_MEMORY: Final = (134, 137, 139)


class TaskBroke(Exception):
    """The work was not done.

    kind: what the process said itself (invalid, too large, unavailable, memory, broke) or what became of it (time,
    memory, signal, start). detail: the words of an error, the name of an unexpected one, the signal's number.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind, self.detail = kind, detail


def python_module(name: str) -> Program:
    """A module of this program, run by this Python.

    `-P -s` with an environment made by us is what `-I` is, with hashing fixed.
    """
    return lambda request, answer: [
        sys.executable, "-P", "-s", "-B", "-m", name, str(request), str(answer)
    ]  # fmt: skip


class Task:
    """Work that is done in a new process each time. Safe to use from several threads.

    Args:
        program: the process.
        memory_mb: most memory of it.
        seconds: most time it may take, processor time and on the clock.
        file_mb: most that it may write into one file.
        scratch_mb: size of the one folder it can write into, which lies in memory.
        hide: folders it must not see even if they lie inside a folder it has to read.
    """

    def __init__(
        self, program: Program, *, memory_mb: int, seconds: int, file_mb: int = 1 << 20, scratch_mb: int = 16,
        hide: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        self._program, self._seconds, self._scratch_mb, self._hide = program, seconds, scratch_mb, tuple(hide)
        cpu_seconds = seconds * commands.thread_count()
        self._limits = commands.Limits.of(memory_mb=memory_mb, cpu_seconds=cpu_seconds, file_mb=file_mb)
        self._bubblewrap = commands.find_bubblewrap()

    def __call__(
        self, request: bytes, fds: Sequence[int] = (), on_line: Callable[[bytes], None] = lambda _: None
    ) -> dict[str, Any]:
        """Do it; `fds` are inherited under their own numbers, `on_line` gets the lines the process says.

        Raises:
            TaskBroke: when it gave no answer, or an error.
        """
        with MemoryFiles() as files:
            answer = files.result(_ANSWER_BYTES)
            program = self._program(files.sealed(request), answer)
            told = _Told(on_line)
            ended = self._run(program, files, fds, told, self._bubblewrap)
            if self._bubblewrap is not None and not told.began and not ended.killed:
                # It never got as far as Python: this machine lets nobody make a sandbox (or not now).
                structlog.get_logger().warning("task.without-sandbox", problem=ended.complaints[:300])
                ended = self._run(program, files, fds, told, None)
            data = _answer(answer)
        if data is None:
            raise _broken(ended, told)
        if "error" in data:
            error = data["error"] if isinstance(data["error"], dict) else {}
            raise TaskBroke(str(error.get("kind", "broke")), str(error.get("detail", ""))[:2000])
        return data

    def _run(
        self,
        program: Sequence[str],
        files: MemoryFiles,
        fds: Sequence[int],
        told: _Told,
        bubblewrap: Path | None,
    ) -> Ended:
        command, variables = list(program), commands.worker_variables(commands.SCRATCH)
        if bubblewrap is not None:
            command, variables = self._confined(bubblewrap, program, files), {}
        return watch(
            commands.launcher(command, self._limits, die_with_parent=bubblewrap is None),
            fds=[*files.fds, *fds], variables=variables, wall_seconds=self._seconds,
            most_tasks=commands.MOST_TASKS, on_line=told.line, cancelled=lambda: False,
        )  # fmt: skip

    def _confined(self, bubblewrap: Path, program: Sequence[str], files: MemoryFiles) -> list[str]:
        seccomp = filter_program()
        options = commands.sandbox_options(
            _readable(), filter_fd=None if seccomp is None else files.sealed(seccomp), scratch_mb=self._scratch_mb,
            hide=self._hide,
        )  # fmt: skip
        options_fd = files.sealed("\0".join(options).encode() + b"\0")
        return commands.sandboxed(bubblewrap, options_fd, program)


class _Told:
    """What the process tells while it works: first that it runs."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line, self.began = on_line, False

    def line(self, line: bytes) -> None:
        if self.began:
            self._on_line(line)
        self.began = True


def _answer(fd: int) -> dict[str, Any] | None:
    """What was answered, None when nothing whole was."""
    length = int.from_bytes(os.pread(fd, 8, 0), "little")
    if not 0 < length <= _ANSWER_BYTES - 8:
        return None
    try:
        data = json.loads(os.pread(fd, length, 8))
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _broken(ended: Ended, told: _Told) -> TaskBroke:
    if ended.killed == "wall":
        return TaskBroke("time")
    if ended.killed or ended.status in _OUT_OF_MEMORY:
        return TaskBroke("memory")
    if ended.status > _SIGNALLED:
        return TaskBroke("signal", str(ended.status - _SIGNALLED))
    return TaskBroke("broke") if told.began else TaskBroke("start", ended.complaints[:300])


def _readable() -> list[Path]:
    """This program's own environment, and no more of the machine."""
    import sysconfig

    prefix = Path(sys.prefix)
    homes = [prefix, Path(sys.base_prefix), Path(sys.base_exec_prefix)]
    sites = [Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))]
    return readable_paths(Path(sys.executable), homes, dict.fromkeys(sites))
