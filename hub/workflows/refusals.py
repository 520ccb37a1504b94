"""Counting refusals, so that a flood of them becomes a few entries of the audit log and not one each.

The first of its kind is written at once. Those like it (same act, same client, same cause) are counted for ten minutes
and then written as one entry that says how many there were. Counted in memory: what a process has counted and not
written is lost with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Refusal", "Refusals"]

WINDOW_SECONDS: Final = 600.0
#: So many kinds are told apart; what comes beyond is counted together.
_MOST_KINDS: Final = 1000


@dataclass(frozen=True)
class Refusal:
    """What to write: so many refusals of a kind within so many seconds."""

    action: str
    target: str
    cause: str
    times: int
    seconds: int


@dataclass
class Refusals:
    """The refusals of one process."""

    clock: Callable[[], float] = time.monotonic
    window: float = WINDOW_SECONDS
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _open: dict[tuple[str, str, str], tuple[float, int]] = field(default_factory=dict, repr=False)

    def count(self, action: str, target: str, cause: str) -> list[Refusal]:
        """Count one; returns what is to be written now, which is nothing most of the time."""
        now = self.clock()
        with self._lock:
            due = self._due(now)
            kind = (action, target, cause)
            if kind not in self._open and len(self._open) >= _MOST_KINDS:
                kind = (action, "", cause)
            if kind in self._open:
                since, times = self._open[kind]
                self._open[kind] = (since, times + 1)
            else:
                self._open[kind] = (now, 0)
                due.append(Refusal(*kind, 1, 0))
        return due

    def due(self) -> list[Refusal]:
        """What was counted for long enough."""
        with self._lock:
            return self._due(self.clock())

    def _due(self, now: float) -> list[Refusal]:
        ended = [kind for kind, (since, _) in self._open.items() if now - since >= self.window]
        counted = [(kind, *self._open.pop(kind)) for kind in ended]
        return [Refusal(*kind, times, round(now - since)) for kind, since, times in counted if times]
