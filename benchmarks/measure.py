"""Measuring: tasks in turns, medians, ratios turn by turn, and the most memory a process of its own needed."""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

__all__ = ["Timings", "interleaved", "machine", "own_peak_mb", "peak_mb", "percentile_95"]

_FOLDER = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Timings:
    """Seconds of every task in every turn; turns of different tasks with one number were neighbours in time."""

    seconds: Mapping[str, tuple[float, ...]]

    def median(self, task: str) -> float:
        """The median of a task's turns, in seconds."""
        return median(self.seconds[task])

    def ratio(self, task: str, to: str) -> float:
        """How many times longer one task takes than another: the median of the ratios of neighbouring turns."""
        pairs = zip(self.seconds[task], self.seconds[to], strict=True)
        return median(mine / theirs for mine, theirs in pairs)


def interleaved(tasks: Mapping[str, Callable[[], object]], repeats: int, *, short: bool = False) -> Timings:
    """Run every task in turn, again and again: A B A B.

    A first turn, in which libraries are loaded and caches filled, is not counted, unless one turn is all there is.
    Between tasks garbage is collected, unless they are `short`: then collecting would take most of the time.
    """
    found: dict[str, list[float]] = {name: [] for name in tasks}
    warm_up = repeats > 1
    for turn in range(repeats + warm_up):
        for name, task in tasks.items():
            if not short:
                gc.collect()  # what an earlier task left behind is not this task's cost
            started = time.perf_counter()
            task()
            taken = time.perf_counter() - started
            if turn >= warm_up:
                found[name].append(taken)
    return Timings({name: tuple(values) for name, values in found.items()})


def percentile_95(values: tuple[float, ...]) -> float:
    """The 95th percentile; the largest value when there are too few to say."""
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def peak_mb(function: str, *arguments: str) -> float:
    """The most memory, in MB, of a fresh process that calls `module:function` with these texts and does nothing else.

    Loading the libraries is part of it.

    Raises:
        RuntimeError: when the process fails, with the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.child", function, *arguments],
        cwd=_FOLDER, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{function} failed in a process of its own: {done.stderr.strip()[-800:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["peak_mb"])


def own_peak_mb() -> float:
    """The most memory this process has had resident, in MB.

    Where there is one, /proc is asked: `ru_maxrss` of a young process still holds the size of its parent.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def machine() -> str:
    """The machine in words, without its name: cores, how busy they are, versions."""
    import polars
    import pyarrow

    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, load {load} (1, 5, 15 minutes), {platform.machine()}, "
        f"Python {platform.python_version()}, polars {polars.__version__}, pyarrow {pyarrow.__version__}"
    )
