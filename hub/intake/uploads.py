"""Uploaded files become deliveries where they can do no harm: in a process that reads, checks and seals them.

A file that a stranger chose is read by the connector's own code (`hub.intake.upload_reader`), in a process of its own
with limits. It comes as a memory file and goes as sealed files, which are memory files too: nothing of it touches a
disk in the clear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hub.errors import Invalid, TooLarge, Unavailable
from hub.intake.upload_brief import Upload, UploadBrief
from hub.intake.upload_brief import broke as broken
from hub.isolation.task import Task, TaskBroke, python_module

__all__ = ["UploadReader", "limited_reader", "read_here", "sealed_mb"]

#: Reads a file: the brief, and the descriptors that it names.
UploadReader = Callable[[UploadBrief, Sequence[int]], Upload]


def sealed_mb(upload_mb: int) -> int:
    """Most MiB of one sealed file: it is compressed, so that it is seldom larger than what was uploaded."""
    return 2 * upload_mb + 16


def read_here(brief: UploadBrief, _: Sequence[int]) -> Upload:
    """Read in this very process: for tests."""
    from hub.intake.upload_reader import packed

    return Upload.from_json(packed(brief))


def limited_reader(
    *, memory_mb: int, seconds: int, upload_mb: int, hide: Sequence[Path] = ()
) -> UploadReader:
    """Reads each file in a new process with these limits.

    Its reader raises:
        Invalid: when the file cannot be read, or broke the process that read it.
        TooLarge: when it needs more than the hub gives an upload.
        Unavailable: when the machine could not do it now.
    """
    task = Task(
        python_module("hub.intake.upload_reader"), memory_mb=memory_mb, seconds=seconds,
        file_mb=sealed_mb(upload_mb), scratch_mb=64, hide=hide,
    )  # fmt: skip

    def read(brief: UploadBrief, fds: Sequence[int]) -> Upload:
        try:
            answer = task(brief.to_json(), fds)
        except TaskBroke as broke:
            raise _in_words(broke, memory_mb, seconds) from None
        return Upload.from_json(answer.get("upload"))

    return read


def _in_words(broke: TaskBroke, memory_mb: int, seconds: int) -> Exception:
    instead = "Use hub-connector push, which takes data of any size, or split the file and add the parts one by one."
    if broke.kind == "invalid":
        return Invalid(broke.detail)
    if broke.kind == "too large":
        return TooLarge(broke.detail)
    if broke.kind == "time":
        return TooLarge(
            f"Reading this file took longer than the {seconds} seconds an upload may take. {instead}"
        )
    if broke.kind == "memory":
        return TooLarge(
            f"Reading this file needs more memory than the {memory_mb} MiB an upload may have. {instead}"
        )
    if broke.kind == "unavailable":
        return Unavailable(broke.detail)
    if broke.kind == "start":
        return Unavailable(f"The process that reads files does not start ({broke.detail}).")
    return broken(f"signal {broke.detail}" if broke.kind == "signal" else broke.detail[:100])
