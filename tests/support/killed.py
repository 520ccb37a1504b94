"""A worker that kills itself (SIGKILL) at its Nth step: `python killed.py FOLDER DATABASE_URL N`.

A step is each side of every write transaction and of every object that is written or removed. It exits with 0 when it
finished its work before the Nth step.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub.app import open_hub
from hub.config import load_settings
from hub.storage.database import Database
from hub.storage.objects import ObjectStore
from hub.workflows import work


def main(folder: Path, url: str, last: int) -> None:
    """Work until nothing waits, or until the last step."""
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
    for name in ("put_bytes", "delete", "delete_prefix"):
        around(ObjectStore, name)
    writer = ObjectStore.writer

    @contextmanager
    def stepping_writer(self: ObjectStore, key: str) -> Iterator[Any]:
        step()
        with writer(self, key) as stream:
            yield stream
            step()  # everything written, nothing published
        step()

    ObjectStore.writer = stepping_writer  # type: ignore[assignment,method-assign]
    hub = open_hub(
        load_settings(folder, environ={}, database_url=url, public_url="http://hub.test", log_level="error")
    )
    work.take_back(hub)
    work.drain(hub)
    print(steps)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
