"""Examining a delivery where it can do no harm: in a process of its own, which can reach nothing and has limits.

What a department sends is decoded by native code (Parquet, compression, encryption). A file made to break that code
must not take the hub with it: the process gets the open files and the data keys of one delivery (`hub.isolation.task`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from hub.errors import Invalid, Unavailable
from hub.intake.brief import Brief, Verdict
from hub.isolation.task import Task, TaskBroke, python_module
from hub_schemas import load_contract

__all__ = ["Examiner", "LimitedExaminer", "examine_here"]

#: Examines a delivery: the brief, what to call with the rows checked so far, the descriptors the brief names.
Examiner = Callable[[Brief, Callable[[int], None], Sequence[int]], Verdict]


def examine_here(brief: Brief, progress: Callable[[int], None], _: Sequence[int]) -> Verdict:
    """Examine in this very process: for tests and for measuring what the other process costs."""
    from hub.intake.examine import examine

    verdict = examine(brief, progress)
    return Verdict.from_json(verdict.to_json(), brief, load_contract(brief.contract))


class LimitedExaminer:
    """Examines each delivery in a new process. Safe to use from several threads.

    Args:
        memory_mb: most memory of the process.
        seconds: most time it may take, processor time and on the clock.
        hide: folders it must not see even if they lie inside a folder it has to read.
    """

    def __init__(self, *, memory_mb: int, seconds: int, hide: Sequence[Path] = ()) -> None:
        self._memory_mb, self._seconds = memory_mb, seconds
        self._task = Task(self.program, memory_mb=memory_mb, seconds=seconds, hide=hide)

    def __call__(self, brief: Brief, progress: Callable[[int], None], fds: Sequence[int]) -> Verdict:
        """Examine a delivery.

        Raises:
            Invalid: when the delivery cannot be read, or broke the process that read it.
            Unavailable: when the machine could not do it now.
        """
        contract = load_contract(brief.contract)

        def told(line: bytes) -> None:
            if line.isdigit() and len(line) < 16:
                progress(int(line))

        try:
            answer = self._task(brief.to_json(), fds, told)
        except TaskBroke as broke:
            raise self._in_words(broke) from None
        return Verdict.from_json(json.dumps(answer.get("verdict")).encode(), brief, contract)

    def program(self, request: int, answer: int) -> Sequence[str]:
        """The command of the process."""
        return python_module("hub.intake.reader")(request, answer)

    def _in_words(self, broke: TaskBroke) -> Exception:
        words = {
            "invalid": broke.detail,
            "time": f"Checking this delivery took longer than the {self._seconds} seconds this hub allows. Send it in "
            "parts (mode append or upsert), or ask the hub's operator to raise intake_seconds.",
            "memory": f"Checking this delivery needs more memory than the {self._memory_mb} MiB this hub allows. Send "
            "it in parts (mode append or upsert), or ask the hub's operator to raise intake_memory_mb.",
            "signal": f"The delivery's files broke the process that read them (signal {broke.detail}). They are "
            "damaged, or were made to do harm.",
        }
        if broke.kind == "unavailable":
            return Unavailable(broke.detail)
        if broke.kind == "start":
            return Unavailable(f"The process that reads deliveries does not start ({broke.detail}).")
        broken = (
            f"The delivery broke the process that read it ({broke.detail[:100]}). Tell the hub's operator."
        )
        return Invalid(words.get(broke.kind, broken))
