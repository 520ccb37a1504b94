"""What a worker can see and do: run in the sandbox to find out how well it isolates."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

# Fields of /proc/self/status that show the privileges of this process.
_STATUS = Path("/proc/self/status")
_CLONE_NEWUSER = 0x10000000


def probe() -> dict[str, bool]:
    """Name of each property -> whether it holds for this process. Changes nothing outside."""
    status = _status()
    outside = ("/etc/passwd", "/etc/hosts", "/run", "/sys", "/var/lib", "/var/log")
    return {
        "no network": _no_network(),
        "no files of the machine": not any(Path(path).exists() for path in outside),
        "system read-only": not _writable("/") and not _writable("/usr"),
        "no environment": set(os.environ) <= _EXPECTED_ENVIRONMENT,
        "other processes invisible": _few_processes(),
        "no privileges": os.getuid() != 0 and status.get("CapEff", "1").strip("0") == "",
        "no new privileges": status.get("NoNewPrivs") == "1",
        "no user namespaces": _no_user_namespaces(),
        "no new processes": _no_fork(),
        "system calls filtered": status.get("Seccomp") == "2",
    }


_EXPECTED_ENVIRONMENT = {
    *("HOME", "LANG", "LC_CTYPE", "PATH", "PWD", "PYTHONHASHSEED", "TMPDIR", "TZ", "LOKY_MAX_CPU_COUNT"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"),
}


def _status() -> dict[str, str]:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _no_network() -> bool:
    """No interface but an unconnected loopback, and no way to make a socket of the internet families."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.socket(family, socket.SOCK_DGRAM).close()
        except OSError:
            continue
        return False
    return True


def _writable(folder: str) -> bool:
    return os.access(folder, os.W_OK)


def _few_processes() -> bool:
    """Only this process and bubblewrap's own show in /proc."""
    try:
        return sum(name.isdigit() for name in os.listdir("/proc")) <= 3
    except OSError:
        return True


def _no_user_namespaces() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.unshare(_CLONE_NEWUSER) != 0)


def _no_fork() -> bool:
    try:
        child = os.fork()
    except OSError:
        return True
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return False
