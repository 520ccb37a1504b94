"""When each dataset last had its turn and last succeeded, in a small file that monitoring can look at.

It holds names, times, exit statuses and the words of the last turn; no data. `hub-connector status --local` reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final

from .errors import EXIT_FAULTS
from .files import private_folder, write_private

__all__ = ["FILE", "Beat", "Heartbeat", "Turns"]

FILE: Final = "turns.json"


@dataclass(frozen=True)
class Turns:
    """What is known of a dataset's turns. Times are ISO 8601 in UTC, empty when there was none.

    failures: how many turns have failed since the last that did not.
    """

    last_turn: str = ""
    last_success: str = ""
    code: int = 0
    words: str = ""
    failures: int = 0
    next_turn: str = ""


@dataclass(frozen=True)
class Beat:
    """The process that runs the datasets: its id, since when, and when it last said that it lives."""

    pid: int
    since: str
    at: str


class Heartbeat:
    """The file in the state folder. One process writes it (see `files.exclusive`); others may read it any time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._writing = Lock()

    def read(self) -> tuple[dict[str, Turns], Beat | None]:
        """What is known of each dataset, and of the process that runs; a damaged file says nothing."""
        try:
            document: Any = json.loads(self._path.read_bytes())
            turns = {name: Turns(**entry) for name, entry in document["datasets"].items()}
            return turns, Beat(**document["running"]) if document["running"] else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}, None

    def note(
        self, name: str, code: int, words: str, moment: datetime, upcoming: datetime | None = None
    ) -> Turns:
        """Write down a turn that ended with `code` (0 and 1 are successes)."""
        with self._writing:
            turns, beat = self.read()
            before, success = turns.get(name, Turns()), code <= EXIT_FAULTS
            stamp = _text(moment)
            turns[name] = Turns(
                last_turn=stamp, last_success=stamp if success else before.last_success, code=code, words=words,
                failures=0 if success else before.failures + 1,
                next_turn=_text(upcoming) if upcoming else before.next_turn,
            )  # fmt: skip
            self._write(turns, beat)
            return turns[name]

    def upcoming(self, moments: Mapping[str, datetime | None]) -> None:
        """Write down when turns come next."""
        with self._writing:
            turns, beat = self.read()
            for name, moment in moments.items():
                turns[name] = replace(turns.get(name, Turns()), next_turn=_text(moment))
            self._write(turns, beat)

    def beat(self, since: datetime | None, now: datetime | None = None) -> None:
        """Say that this process runs the datasets and lives; with None that it has ended."""
        with self._writing:
            turns, _ = self.read()
            at = now or datetime.now(UTC)
            self._write(turns, None if since is None else Beat(os.getpid(), _text(since), _text(at)))

    def _write(self, turns: Mapping[str, Turns], beat: Beat | None) -> None:
        private_folder(self._path.parent)
        document = {
            "datasets": {name: asdict(entry) for name, entry in turns.items()},
            "running": asdict(beat) if beat else None,
        }
        write_private(self._path, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")


def _text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else ""
