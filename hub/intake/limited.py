"""Examining a delivery where it can do no harm: in a process of its own, which can reach nothing and has limits.

What a department sends is decoded by native code (Parquet, compression, encryption). A file made to break that code
must not take the hub with it, nor find the keyring, the database or other departments' data beside it: the process gets
the open files and the data keys of one delivery. Where there is bubblewrap, it also has no network, no file system and
few system calls; without, the limits on memory, time and files stand alone (`hub doctor` says which).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from hub.errors import Invalid, Unavailable
from hub.intake.brief import Brief, Verdict
from hub.isolation import bubblewrap as commands
from hub.isolation.memory import MemoryFiles
from hub.isolation.process import Ended, watch
from hub.isolation.readable import readable_paths
from hub.isolation.seccomp import filter_program
from hub_schemas import load_contract

__all__ = ["Examiner", "LimitedExaminer", "examine_here"]

#: Examines a delivery: the brief, what to call with the rows checked so far, the descriptors the brief names.
Examiner = Callable[[Brief, Callable[[int], None], Sequence[int]], Verdict]

_ANSWER_BYTES = 256 * 1024 * 1024
_SIGNALLED = 128
_OUT_OF_MEMORY = (137, 139)


def examine_here(brief: Brief, progress: Callable[[int], None], _: Sequence[int]) -> Verdict:
    """Examine in this very process: for tests and for measuring what the other process costs."""
    from hub.intake.examine import examine

    verdict = examine(brief, progress)
    return Verdict.from_json(verdict.to_json(), brief, load_contract(brief.contract))


class LimitedExaminer:
    """Examines each delivery in a new process. Safe to use from several threads.

    Args:
        memory_mb: most memory of the process.
        seconds: most time it may take, processor time and on the clock.
        hide: folders it must not see even if they lie inside a folder it has to read.
    """

    def __init__(self, *, memory_mb: int, seconds: int, hide: Sequence[Path] = ()) -> None:
        self._memory_mb, self._seconds, self._hide = memory_mb, seconds, tuple(hide)
        self._bubblewrap = commands.find_bubblewrap()

    def __call__(self, brief: Brief, progress: Callable[[int], None], fds: Sequence[int]) -> Verdict:
        """Examine a delivery.

        Raises:
            Invalid: when the delivery cannot be read, or broke the process that read it.
            Unavailable: when the machine could not do it now.
        """
        contract = load_contract(brief.contract)
        with MemoryFiles() as files:
            answer = files.result(_ANSWER_BYTES)
            request = files.sealed(brief.to_json())
            told = _Told(progress)
            ended = self._run(request, answer, files, fds, told)
            data = _answer(answer)
        if data is None:
            raise self._broken(ended, told)
        if "error" in data:
            raise _raised(data["error"], self._memory_mb)
        return Verdict.from_json(json.dumps(data["verdict"]).encode(), brief, contract)

    def program(self, request: int, answer: int) -> list[str]:
        """The command of the process; `-P -s` with an environment made by us is what `-I` is, with hashing fixed."""
        return [sys.executable, "-P", "-s", "-B", "-m", "hub.intake.reader", str(request), str(answer)]

    def _run(self, request: int, answer: int, files: MemoryFiles, fds: Sequence[int], told: _Told) -> Ended:
        program = self.program(request, answer)
        limits = commands.Limits.of(
            memory_mb=self._memory_mb, cpu_seconds=self._seconds * commands.thread_count(), file_mb=1 << 20
        )
        command, variables = program, commands.worker_variables(commands.SCRATCH)
        if self._bubblewrap is not None:
            command, variables = self._confined(self._bubblewrap, program, files), {}
        ended = watch(
            commands.launcher(command, limits, die_with_parent=self._bubblewrap is None),
            fds=[*files.fds, *fds], variables=variables, wall_seconds=self._seconds,
            most_tasks=commands.MOST_TASKS, on_line=told.line, cancelled=lambda: False,
        )  # fmt: skip
        if self._bubblewrap is not None and not told.began and not ended.killed:
            # It never got as far as Python: this machine lets nobody make a sandbox (or not now).
            structlog.get_logger().warning("intake.without-sandbox", problem=ended.complaints[:300])
            bare = LimitedExaminer(memory_mb=self._memory_mb, seconds=self._seconds)
            bare._bubblewrap = None
            bare.program = self.program  # type: ignore[method-assign]
            return bare._run(request, answer, files, fds, told)
        return ended

    def _confined(self, bubblewrap: Path, program: list[str], files: MemoryFiles) -> list[str]:
        seccomp = filter_program()
        options = commands.sandbox_options(
            _readable(), filter_fd=None if seccomp is None else files.sealed(seccomp), scratch_mb=16,
            hide=self._hide,
        )  # fmt: skip
        options_fd = files.sealed("\0".join(options).encode() + b"\0")
        return commands.sandboxed(bubblewrap, options_fd, program)

    def _broken(self, ended: Ended, told: _Told) -> Exception:
        if ended.killed == "wall":
            return Invalid(
                f"Checking this delivery took longer than the {self._seconds} seconds this hub allows. Send it in "
                "parts (mode append or upsert), or ask the hub's operator to raise intake_seconds."
            )
        if ended.killed or ended.status in _OUT_OF_MEMORY:
            return _raised({"kind": "memory"}, self._memory_mb)
        if ended.status > _SIGNALLED:
            return Invalid(
                f"The delivery's files broke the process that read them (signal {ended.status - _SIGNALLED}). They are "
                "damaged, or were made to do harm."
            )
        if told.began:
            return _raised({}, self._memory_mb)
        return Unavailable(f"The process that reads deliveries does not start ({ended.complaints[:300]}).")


class _Told:
    """What the process tells while it works: that it runs, and how many rows are checked."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress, self.began = progress, False

    def line(self, line: bytes) -> None:
        self.began = True
        if line.isdigit() and len(line) < 16:
            self._progress(int(line))


def _answer(fd: int) -> dict[str, object] | None:
    """What was answered, None when nothing whole was."""
    length = int.from_bytes(os.pread(fd, 8, 0), "little")
    if not 0 < length <= _ANSWER_BYTES - 8:
        return None
    try:
        data = json.loads(os.pread(fd, length, 8))
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and ("error" in data) != ("verdict" in data) else None


def _raised(error: object, memory_mb: int) -> Exception:
    kind = error.get("kind") if isinstance(error, dict) else None
    detail = str(error.get("detail", ""))[:2000] if isinstance(error, dict) else ""
    if kind == "invalid":
        return Invalid(detail)
    if kind == "memory":
        return Invalid(
            f"Checking this delivery needs more memory than the {memory_mb} MiB this hub allows. Send it in parts "
            "(mode append or upsert), or ask the hub's operator to raise intake_memory_mb."
        )
    if kind == "unavailable":
        return Unavailable(detail)
    return Invalid(f"The delivery broke the process that read it ({detail[:100]}). Tell the hub's operator.")


def _readable() -> list[Path]:
    """This program's own environment, and no more of the machine."""
    import sysconfig

    prefix = Path(sys.prefix)
    homes = [prefix, Path(sys.base_prefix), Path(sys.base_exec_prefix)]
    sites = [Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))]
    return readable_paths(Path(sys.executable), homes, dict.fromkeys(sites))
