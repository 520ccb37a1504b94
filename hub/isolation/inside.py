"""The inside of a process that `hub.isolation.task` starts: it reads its request, works, and answers, whatever happens.

Standard output first says that the process runs, then whatever the work prints, a line each. The answer is its length
(8 bytes, little endian) and a JSON object; the length is written last, so that half an answer is none.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable
from typing import Any

__all__ = ["work"]


def work(request_fd: int, answer_fd: int, do: Callable[[bytes], dict[str, Any]]) -> None:
    """Do the work of a request and write down the answer, or what went wrong."""
    print("begun", flush=True)
    with open(request_fd, "rb", closefd=False) as stream:
        request = stream.read()
    _write(answer_fd, _done(request, do))


def _done(request: bytes, do: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
    from hub.errors import HubError, TooLarge, Unavailable

    try:
        return do(request)
    except Unavailable as error:
        return _error("unavailable", error.detail)
    except TooLarge as error:
        return _error("too large", error.detail)
    except HubError as error:
        return _error("invalid", error.detail)
    except MemoryError:
        return _error("memory", "")
    except OSError as error:
        # A full disk or a failing one: nothing is wrong with what is read.
        return _error("unavailable", f"The hub could not write ({error.strerror or type(error).__name__}).")
    except BaseException as error:  # native readers end in panics that are no Exception
        return _error("broke", type(error).__name__)


def _error(kind: str, detail: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "detail": detail}}


def _write(fd: int, value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    with mmap.mmap(fd, os.fstat(fd).st_size) as memory:
        memory[8 : 8 + len(data)] = data
        memory[:8] = len(data).to_bytes(8, "little")
