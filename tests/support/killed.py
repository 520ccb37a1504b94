"""Workers that kill themselves (SIGKILL) at their Nth step, forked one after the other from a process that waits.

A step is each side of every write transaction and of every object that is written or removed. The process reads lines
`FOLDER DATABASE_URL N` from standard input and answers each with the exit status of a worker that died at its Nth step,
or with 0 when it finished its work before it came to that. Forking spares every worker the imports; the process that
forks starts no threads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Before the fork, so that no worker has to: what opening a hub and deciding a delivery import when they are needed.
import alembic.command  # noqa: F401
import joserfc.jwt  # noqa: F401
import pandas  # noqa: F401 - pyarrow asks for it
import psycopg  # noqa: F401
import pygments.lexers  # noqa: F401

import hub.intake.examine
import hub.migrations.upgrade
import hub.scheduler.times  # noqa: F401
from hub.app import open_hub
from hub.config import load_settings
from hub.storage.database import Database
from hub.storage.objects import ObjectStore, Spool
from hub.workflows import work

__all__ = ["Workers"]


class Workers:
    """The process that forks workers; a context manager."""

    def __enter__(self) -> Workers:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def work(self, folder: Path, url: str, last: int) -> int:
        """Run a worker that dies at step `last` (0: never); its exit status, negative for a signal."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(folder, url, last, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the process that forks workers has ended"
        return int(answer)


def _serve() -> None:
    for line in sys.stdin:
        folder, url, last = line.split()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _work(Path(folder), url, int(last))
                status = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _work(folder: Path, url: str, last: int) -> None:
    """Work until nothing waits, or until the last step."""
    _count_steps(last)
    settings = load_settings(
        folder,
        environ={},
        database_url=url,
        public_url="http://hub.test",
        log_level="error",
        intake_process=False,
    )
    hub = open_hub(settings)
    sys.stdout = sys.stderr  # the answer has it for itself
    work.take_back(hub)
    work.drain(hub)
    hub.database.close()


def _count_steps(last: int) -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(kind: Any, name: str) -> None:
        inner = getattr(kind, name)

        def stepping(self: Any, *args: Any, **kwargs: Any) -> Any:
            step()
            result = inner(self, *args, **kwargs)
            step()
            return result

        setattr(kind, name, stepping)

    write = Database.write

    @contextmanager
    def stepping_write(self: Database) -> Iterator[Any]:
        step()
        with write(self) as session:
            yield session
            step()  # everything written, nothing committed
        step()  # committed

    Database.write = stepping_write  # type: ignore[method-assign]
    for name in ("delete", "delete_prefix"):
        around(ObjectStore, name)
    around(Spool, "publish")


if __name__ == "__main__":
    _serve()
