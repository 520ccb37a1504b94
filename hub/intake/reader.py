"""The process that reads a delivery: `python -m hub.intake.reader BRIEF ANSWER`, both open descriptors.

Its standard output says how many rows are checked, a number a line. The answer is its length (8 bytes, little endian)
and a JSON object with `verdict` or `error`; the length is written last, so that half an answer is none.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from typing import Any


def main(brief_fd: int, answer_fd: int) -> None:
    """Examine the delivery of the brief."""
    print("begun", flush=True)
    _answer(answer_fd, _examined(brief_fd))


def _examined(brief_fd: int) -> dict[str, Any]:
    from hub.errors import HubError, Unavailable
    from hub.intake.brief import Brief
    from hub.intake.examine import examine

    with open(brief_fd, "rb", closefd=False) as stream:
        brief = Brief.from_json(stream.read())
    try:
        return {"verdict": json.loads(examine(brief, lambda rows: print(rows, flush=True)).to_json())}
    except Unavailable as error:
        return _error("unavailable", error.detail)
    except HubError as error:
        return _error("invalid", error.detail)
    except MemoryError:
        return _error("memory", "")
    except OSError as error:
        # A full disk or a failing one: nothing is wrong with the delivery.
        return _error("unavailable", f"The hub could not write ({error.strerror or type(error).__name__}).")
    except BaseException as error:  # native readers end in panics that are no Exception
        return _error("broke", type(error).__name__)


def _error(kind: str, detail: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "detail": detail}}


def _answer(fd: int, value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    with mmap.mmap(fd, os.fstat(fd).st_size) as memory:
        memory[8 : 8 + len(data)] = data
        memory[:8] = len(data).to_bytes(8, "little")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
