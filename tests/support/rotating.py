"""Rotations of the root key that are killed (SIGKILL) at one step after another, each in a process of its own.

`python rotating.py FOLDER DATABASE_URL FIRST STRIDE` begins with step FIRST and goes on by STRIDE until a rotation ends
before it is killed. After each, a fresh process reads every version and writes one more; every second one is followed
by a rotation that must finish. A step is each side of every write transaction, of every change of the keyring's file
and of every root that is made or destroyed. Prints how many were killed.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from hub.app import open_hub
from hub.config import load_settings
from hub.identity.principal import Principal
from hub.storage.database import Database
from hub.vault import keyring
from hub.vault.providers.local import LocalProvider
from hub.workflows import keeping
from hub.workflows.hub import Hub

OPERATOR = Principal("system", "test", "test", "", "hub", frozenset({"operator"}))


def main(folder: Path, url: str, first: int, stride: int) -> None:
    """Kill, look, and go on."""
    _hub(folder, url).database.close()  # imports what a hub needs, once for all the processes to come
    killed = 0
    for last in range(first, 200, stride):
        ended = _in_a_process(lambda last=last: _rotate(_hub(folder, url), last))
        if ended not in (0, -signal.SIGKILL):
            raise SystemExit(f"rotation up to step {last}: {ended}")
        killed += ended != 0
        finish = ended != 0 and killed % 2 == 0
        if _in_a_process(lambda last=last, finish=finish: _look(_hub(folder, url), last, finish)):
            raise SystemExit(f"after step {last} something was lost")
        if ended == 0:
            print(killed)
            return
    raise SystemExit("the rotation has no end")


def _in_a_process(act: Callable[[], None]) -> int:
    """Do something in a copy of this process, which has imported everything and begun nothing."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _hub(folder: Path, url: str) -> Hub:
    return open_hub(
        load_settings(folder, environ={}, database_url=url, public_url="http://hub.test", log_level="error")
    )


def _look(hub: Hub, last: int, finish: bool) -> None:
    """Everything can be read, something new can be written, and when asked for a rotation finishes."""
    new = hub.vault.new_owner(f"new_{last}")
    with hub.database.write() as session:
        hub.vault.register(session, new, [])
    if finish:
        keeping.rotate_root(hub, OPERATOR)
        assert list(hub.keyring.secrets.roots) == [hub.keyring.current_root]
        assert keeping.keys_state(hub).problems == ()
    with hub.database.read() as session:
        owners = list(session.execute(text("SELECT owner FROM vault_keys")).scalars())
        assert len(owners) > 7
        for owner in owners:
            assert len(hub.vault._owner_key(session, owner)) == 32


def _rotate(hub: Hub, last: int) -> None:
    """Rotate to the end, or until the last step."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(place: Any, name: str) -> None:
        inner = getattr(place, name)

        def stepping(*args: Any, **kwargs: Any) -> Any:
            step()
            result = inner(*args, **kwargs)
            step()
            return result

        setattr(place, name, stepping)

    write = Database.write

    @contextmanager
    def stepping_write(self: Database) -> Iterator[Any]:
        step()
        with write(self) as session:
            yield session
            step()  # everything written, nothing committed
        step()  # committed

    Database.write = stepping_write  # type: ignore[method-assign]
    around(keyring, "write_keyring")
    around(LocalProvider, "create_root")
    around(LocalProvider, "destroy_root")
    keeping._BATCH = 3
    keeping.rotate_root(hub, OPERATOR)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
